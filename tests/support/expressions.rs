//! The rules of a table as kernel expressions.

use super::Namespace;

/// The chain and the expressions, one a line, of each rule of a table. They are parsed from the
/// output of `nft --debug=netlink`: a line `ip nat CHAIN HANDLE`, then an indented line for every
/// expression.
pub fn expressions(host: &Namespace, [family, name]: [&str; 2]) -> Vec<(String, Vec<String>)> {
    let listing = host.run(&["nft", "--debug=netlink", "list", "table", family, name]);
    let heading = format!("{family} {name} ");
    let mut rules: Vec<(String, Vec<String>)> = Vec::new();
    // nft 0.9.8 prints the rules of all tables, not only of the requested one.
    let mut is_requested = false;
    for line in listing.lines() {
        if line.starts_with("  [") {
            let rule = rules.last_mut().filter(|_| is_requested);
            rule.into_iter().for_each(|(_, expressions)| expressions.push(line.to_owned()));
        } else if let Some(rest) = line.strip_prefix(&heading) {
            let chain = rest.split(' ').next().unwrap_or_default();
            rules.push((chain.to_owned(), Vec::new()));
            is_requested = true;
        } else if !line.starts_with(' ') && !line.is_empty() {
            is_requested = false;
        }
    }
    rules
}
