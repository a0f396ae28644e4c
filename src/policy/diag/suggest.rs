//! What was probably meant by an unknown word.

use super::Quoted;

/// The candidate that is most similar to `word`, if any is similar enough.
pub(in crate::policy) fn suggest<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    // The comparison takes time in proportion to the product of the lengths.
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

/// The words in backticks, separated by commas.
pub(in crate::policy) fn list<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let quoted: Vec<String> = words.into_iter().map(|word| Quoted(word).to_string()).collect();
    quoted.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn similar_words_are_suggested() {
        let keys = ["name", "ports", "from", "in-interface", "to"];
        assert_eq!(suggest("form", keys), Some("from"));
        assert_eq!(suggest("Port", keys), Some("ports"));
        assert_eq!(suggest("interface", keys), Some("in-interface"));
        assert_eq!(suggest("colour", keys), None);
        assert_eq!(suggest(&"x".repeat(65), ["x"]), None);
        assert_eq!(suggest("", keys), None);
    }
}
