//! Simple commands of a shell script, not yet expanded.

use std::iter::Peekable;
use std::str::Chars;

/// A part of a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Text that stands for itself.
    Text(String),
    /// The value of a variable, which is split at blanks unless it is quoted.
    Variable { name: String, default: Option<String>, is_quoted: bool },
    /// The output of a command, or another expansion that is not followed.
    Output(String),
}

/// A word.
pub type Parts = Vec<Part>;

/// A simple command, or a reserved word with what follows it, and whether it ends with `|`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Simple {
    pub words: Vec<Parts>,
    /// The word that ends its here-document.
    pub here: Option<String>,
    /// A file that it reads.
    pub reads: Option<String>,
    /// Whether it only runs depending on the command before (`&&`, `||`), or reads its output.
    pub follows: Follows,
}

/// How a command depends on the one before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Follows {
    /// It does not.
    #[default]
    Nothing,
    /// `&&`.
    Success,
    /// `||`.
    Failure,
    /// `|`.
    Pipe,
}

/// The commands of a line.
pub fn commands(line: &str) -> Vec<Simple> {
    let mut reader = Reader {
        rest: line.chars().peekable(),
        commands: Vec::new(),
        command: Simple::default(),
        word: None,
    };
    while reader.character().is_some() {}
    reader.end_command(Follows::Nothing);
    reader.commands
}

struct Reader<'a> {
    rest: Peekable<Chars<'a>>,
    commands: Vec<Simple>,
    command: Simple,
    word: Option<Parts>,
}

impl Reader<'_> {
    fn character(&mut self) -> Option<()> {
        let c = self.rest.next()?;
        match c {
            '#' if self.word.is_none() => {
                self.rest.by_ref().for_each(drop);
            }
            '\'' => {
                let text: String = self.rest.by_ref().take_while(|c| *c != '\'').collect();
                self.push_text(&text);
            }
            '"' => self.double_quoted(),
            '\\' => {
                let next = self.rest.next();
                self.push_text(&next.map(String::from).unwrap_or_default());
            }
            '$' => self.variable(false),
            '`' => {
                let text: String = self.rest.by_ref().take_while(|c| *c != '`').collect();
                self.push(Part::Output(text));
            }
            ';' => {
                while self.rest.next_if_eq(&';').is_some() {}
                self.end_command(Follows::Nothing);
            }
            '&' if self.rest.next_if_eq(&'&').is_some() => self.end_command(Follows::Success),
            '&' if self.rest.peek() == Some(&'>') => {}
            '&' => self.end_command(Follows::Nothing),
            '|' if self.rest.next_if_eq(&'|').is_some() => self.end_command(Follows::Failure),
            '|' => self.end_command(Follows::Pipe),
            '<' | '>' => self.redirection(c),
            '(' if self.rest.next_if_eq(&')').is_some() => {
                self.push_text("()");
                self.end_word();
            }
            '(' | ')' => {
                self.end_word();
                if self.command.words.is_empty() {
                    return Some(());
                }
                self.end_command(Follows::Nothing);
            }
            _ if c.is_whitespace() => self.end_word(),
            _ => self.push_text(c.encode_utf8(&mut [0; 4])),
        }
        Some(())
    }

    fn push(&mut self, part: Part) {
        self.word.get_or_insert_default().push(part);
    }

    fn push_text(&mut self, text: &str) {
        let word = self.word.get_or_insert_default();
        match word.last_mut() {
            Some(Part::Text(before)) => before.push_str(text),
            _ => word.push(Part::Text(text.to_owned())),
        }
    }

    fn end_word(&mut self) {
        self.command.words.extend(self.word.take());
    }

    fn end_command(&mut self, next: Follows) {
        self.end_word();
        let new = Simple { follows: next, ..Simple::default() };
        let command = std::mem::replace(&mut self.command, new);
        if !command.words.is_empty() {
            self.commands.push(command);
        }
    }

    fn double_quoted(&mut self) {
        self.push_text("");
        while let Some(c) = self.rest.next() {
            match c {
                '"' => return,
                '$' => self.variable(true),
                '`' => {
                    let text: String = self.rest.by_ref().take_while(|c| *c != '`').collect();
                    self.push(Part::Output(text));
                }
                '\\' => {
                    let next = self.rest.next();
                    self.push_text(&next.map(String::from).unwrap_or_default());
                }
                _ => self.push_text(c.encode_utf8(&mut [0; 4])),
            }
        }
    }

    /// What follows a `$`.
    fn variable(&mut self, is_quoted: bool) {
        let is_name = |c: &char| c.is_ascii_alphanumeric() || *c == '_';
        match self.rest.peek().copied() {
            Some('{') => {
                self.rest.next();
                let text: String = self.rest.by_ref().take_while(|c| *c != '}').collect();
                let end = text.find(|c: char| !is_name(&c)).unwrap_or(text.len());
                let (name, rest) = text.split_at(end);
                let default = rest.strip_prefix(":-").or(rest.strip_prefix('-'));
                self.push(match (name, rest, default) {
                    ("", "@" | "*", _) => all_arguments(),
                    (name, "" | "[@]" | "[*]", None) if !name.is_empty() => {
                        Part::Variable { name: name.to_owned(), default: None, is_quoted }
                    }
                    (name, _, Some(default)) if !name.is_empty() => Part::Variable {
                        name: name.to_owned(),
                        default: Some(default.to_owned()),
                        is_quoted,
                    },
                    _ => Part::Output(String::new()),
                });
            }
            Some('(') => {
                self.rest.next();
                let mut depth = 1;
                let text: String = self
                    .rest
                    .by_ref()
                    .take_while(|c| {
                        depth += i32::from(*c == '(') - i32::from(*c == ')');
                        depth > 0
                    })
                    .collect();
                self.push(Part::Output(text));
            }
            Some('@' | '*') => {
                self.rest.next();
                self.push(all_arguments());
            }
            Some(c) if is_name(&c) => {
                let mut name = String::new();
                while let Some(c) = self.rest.next_if(is_name) {
                    name.push(c);
                    if name.as_bytes()[0].is_ascii_digit() {
                        break;
                    }
                }
                self.push(Part::Variable { name, default: None, is_quoted });
            }
            Some('#' | '?' | '$' | '!' | '-') => {
                self.rest.next();
                self.push(Part::Output(String::new()));
            }
            _ => self.push_text("$"),
        }
    }

    /// `>FILE`, `2>&1`, `<FILE`, `<<END`, `<<<WORD`.
    fn redirection(&mut self, first: char) {
        // The number of a file descriptor in front of it.
        let is_number = |word: &mut Parts| matches!(word.as_slice(), [Part::Text(text)] if text.bytes().all(|c| c.is_ascii_digit()));
        if self.word.take_if(|word| is_number(word)).is_none() {
            self.end_word();
        }
        let mut arrows = 1;
        while self.rest.next_if_eq(&first).is_some() {
            arrows += 1;
        }
        let mut is_substitution = false;
        while let Some(c) = self.rest.next_if(|c| matches!(c, '&' | '|' | '-' | ' ' | '\t' | '(')) {
            is_substitution |= c == '(';
        }
        let mut target = String::new();
        while let Some(c) = self.rest.next_if(|c| !c.is_whitespace() && !";&|)".contains(*c)) {
            if !"'\"\\".contains(c) {
                target.push(c);
            }
        }
        if is_substitution {
            self.rest.by_ref().take_while(|c| *c != ')').for_each(drop);
        }
        match (first, arrows) {
            ('<', 2) => self.command.here = Some(target),
            ('<', _) => self.command.reads = Some(target),
            _ => {}
        }
    }
}

/// `$@`: every argument is a word, whether it is quoted or not.
fn all_arguments() -> Part {
    Part::Variable { name: "@".to_owned(), default: None, is_quoted: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<Vec<String>> {
        let text = |part: &Part| match part {
            Part::Text(text) => text.clone(),
            Part::Variable { name, default, is_quoted } => {
                let default = default.as_deref().unwrap_or("");
                format!("<{}{name}{default}>", if *is_quoted { "=" } else { "" })
            }
            Part::Output(_) => "<?>".to_owned(),
        };
        let word = |parts: &Parts| parts.iter().map(text).collect::<String>();
        commands(line).iter().map(|it| it.words.iter().map(word).collect()).collect()
    }

    #[test]
    fn a_line_is_split_as_a_shell_splits_it() {
        assert_eq!(words("a 'b c'\"d $E\"f\\ g # h"), [["a", "b cd <=E>f g"]]);
        assert_eq!(words("a; b && c || d | e & f"), [["a"], ["b"], ["c"], ["d"], ["e"], ["f"]]);
        assert_eq!(words("a >/dev/null 2>&1 b &>/dev/null"), [["a", "b"]]);
        assert_eq!(
            words("${A} ${B:-c} $1x $(d (e) f) `g` $((1+2))"),
            [["<A>", "<Bc>", "<1>x", "<?>", "<?>", "<?>"]]
        );
        assert_eq!(words("f() { a; }"), [vec!["f()", "{", "a"], vec!["}"]]);
        assert_eq!(words("# nothing"), Vec::<Vec<String>>::new());
        assert_eq!(words("\"\" a"), [["", "a"]]);
        for line in ["\"", "'", "$", "${", "$(", "`", "\\", "<<", "a <", "((", ">(", "|", "&"] {
            commands(line);
        }
    }

    #[test]
    fn here_documents_and_files_are_noticed() {
        assert_eq!(commands("iptables-restore -n <<'END'")[0].here.as_deref(), Some("END"));
        assert_eq!(commands("ipset restore < /etc/sets")[0].reads.as_deref(), Some("/etc/sets"));
        assert_eq!(commands("while read x; do b; done <list")[2].reads.as_deref(), Some("list"));
    }
}
