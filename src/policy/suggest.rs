//! What was probably meant by a word that is not known.

use super::issue::Quoted;

/// The candidate that is most like `word`, if one is like it at all.
pub(super) fn suggest<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    // No name is this long, and the comparison takes the product of the lengths.
    const LENGTH_MAX: usize = 64;
    if word.len() > LENGTH_MAX {
        return None;
    }
    let lower = word.to_lowercase();
    candidates
        .into_iter()
        .filter(|candidate| candidate.len() <= LENGTH_MAX)
        .map(|candidate| (strsim::osa_distance(&lower, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| distance * 3 <= word.len().max(candidate.len()))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// The words in backticks, as a help lists them.
pub(super) fn list<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let quoted: Vec<String> = words.into_iter().map(|word| Quoted(word).to_string()).collect();
    quoted.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_recognised_and_a_different_word_is_not() {
        let keys = ["name", "ports", "from", "in-interface", "to"];
        assert_eq!(suggest("form", keys), Some("from"));
        assert_eq!(suggest("Port", keys), Some("ports"));
        assert_eq!(suggest("interface", keys), Some("in-interface"));
        assert_eq!(suggest("colour", keys), None);
        assert_eq!(suggest(&"x".repeat(65), ["x"]), None);
        assert_eq!(suggest("", keys), None);
    }
}
