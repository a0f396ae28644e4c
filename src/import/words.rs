//! Words of a line, as a shell and iptables-save write them.

/// A word of a command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Word {
    /// The text, without quotes.
    pub text: String,
    /// Whether a part of it is not known: a variable without a value, the output of a command.
    pub is_unknown: bool,
}

/// The words of a line in which nothing is expanded: of iptables-save, or of a configuration. Quotes
/// and backslashes are as in iptables-restore.
pub fn split(line: &str) -> Vec<Word> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut characters = line.chars();
    while let Some(c) = characters.next() {
        match c {
            '\\' if quote != Some('\'') => {
                word.get_or_insert_default().extend(characters.next());
            }
            '"' | '\'' if quote.is_none() => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            _ if quote == Some(c) => quote = None,
            _ if c.is_whitespace() && quote.is_none() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words.into_iter().map(|text| Word { text, is_unknown: false }).collect()
}
