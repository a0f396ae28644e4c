//! Characters that cannot be seen, or that change how the text around them is displayed.

/// Whether the character is a control character or Unicode marks it as ignored in display
/// (`Default_Ignorable_Code_Point`), a line or paragraph separator or an interlinear annotation.
/// Among them are those that reorder text (U+202A to U+202E) or have no width (U+200B).
pub(crate) fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
            | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_marks_and_spaces_are_visible() {
        for c in "aß日\u{301}\u{a0}😀-".chars() {
            assert!(!is_invisible(c), "{c:?}");
        }
        for c in "\0\t\n\u{7f}\u{85}\u{200b}\u{202e}\u{2066}\u{feff}\u{e0041}\u{3164}".chars() {
            assert!(is_invisible(c), "{c:?}");
        }
    }
}
