//! The rules of a table in the kernel's own terms.

use super::Namespace;

/// The chain of each rule of a table and the rule's expressions, a line each, from what `nft
/// --debug=netlink` prints: a line `ip nat CHAIN HANDLE`, then an indented one for every expression.
pub fn expressions(host: &Namespace, [family, name]: [&str; 2]) -> Vec<(String, Vec<String>)> {
    let listing = host.run(&["nft", "--debug=netlink", "list", "table", family, name]);
    let heading = format!("{family} {name} ");
    let mut rules: Vec<(String, Vec<String>)> = Vec::new();
    // nft 0.9.8 prints the rules of all tables, whichever is asked for.
    let mut asked_for = false;
    for line in listing.lines() {
        if line.starts_with("  [") {
            let rule = rules.last_mut().filter(|_| asked_for);
            rule.into_iter().for_each(|(_, expressions)| expressions.push(line.to_owned()));
        } else if let Some(rest) = line.strip_prefix(&heading) {
            let chain = rest.split(' ').next().unwrap_or_default();
            rules.push((chain.to_owned(), Vec::new()));
            asked_for = true;
        } else if !line.starts_with(' ') && !line.is_empty() {
            asked_for = false;
        }
    }
    rules
}
