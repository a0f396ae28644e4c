//! The options of a rule: conditions and target.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::intervals::Intervals;
use super::rule::{Condition, Line, Rule, Subject, Target};
use super::values;
use super::words::Word;
use crate::model::IpVersion;

/// Matches that are understood; any other makes a rule doubtful.
const MODULES: [&str; 10] = [
    "tcp",
    "udp",
    "sctp",
    "conntrack",
    "state",
    "comment",
    "multiport",
    "iprange",
    "addrtype",
    "set",
];

/// Targets after which a packet goes on to the next rule.
const CONTINUING: [&str; 17] = [
    "LOG", "NFLOG", "ULOG", "AUDIT", "MARK", "CONNMARK", "TRACE", "TCPMSS", "DSCP", "TOS",
    "CLASSIFY", "CHECKSUM", "TTL", "HL", "SET", "TEE", "SECMARK",
];

/// Options that belong to a target, and how many values they have.
const TARGET_OPTIONS: [(&str, usize); 36] = [
    ("to-source", 1),
    ("to-ports", 1),
    ("reject-with", 1),
    ("log-prefix", 1),
    ("log-level", 1),
    ("log-tcp-sequence", 0),
    ("log-tcp-options", 0),
    ("log-ip-options", 0),
    ("log-uid", 0),
    ("nflog-group", 1),
    ("nflog-prefix", 1),
    ("nflog-size", 1),
    ("nflog-threshold", 1),
    ("ulog-nlgroup", 1),
    ("ulog-prefix", 1),
    ("set-mark", 1),
    ("set-xmark", 1),
    ("and-mark", 1),
    ("or-mark", 1),
    ("xor-mark", 1),
    ("save-mark", 0),
    ("restore-mark", 0),
    ("nfmask", 1),
    ("ctmask", 1),
    ("random", 0),
    ("random-fully", 0),
    ("persistent", 0),
    ("clamp-mss-to-pmtu", 0),
    ("set-mss", 1),
    ("set-dscp", 1),
    ("set-tos", 1),
    ("set-class", 1),
    ("checksum-fill", 0),
    ("add-set", 2),
    ("del-set", 2),
    ("exist", 0),
];

/// Reads the words behind the chain.
pub fn read(words: &[Word], version: IpVersion, line: &Arc<Line>) -> Rule {
    let mut reader = Reader {
        rest: words,
        version,
        target: Target::Continue,
        comment: None,
        conditions: Vec::new(),
    };
    while reader.option().is_some() {}
    Rule {
        line: Arc::clone(line),
        words: words.to_vec(),
        comment: reader.comment,
        conditions: reader.conditions,
        target: reader.target,
        doubt: None,
    }
}

struct Reader<'a> {
    rest: &'a [Word],
    version: IpVersion,
    target: Target,
    comment: Option<String>,
    conditions: Vec<Condition>,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Option<&'a Word> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(first)
    }

    /// The value of an option. In old scripts the `!` stands in front of it.
    fn value(&mut self, negated: &mut bool) -> &'a Word {
        static NOTHING: Word = Word { text: String::new(), is_unknown: true };
        if self.rest.first().is_some_and(|word| word.text == "!") {
            *negated = !*negated;
            self.next();
        }
        self.next().unwrap_or(&NOTHING)
    }

    /// Reads an option with its values; `None` at the end.
    fn option(&mut self) -> Option<()> {
        let mut word = self.next()?;
        let mut negated = false;
        if word.text == "!" {
            negated = true;
            word = self.next()?;
        }
        let joined = word.text.strip_prefix("--").and_then(|it| it.split_once('='));
        let (name, joined) = match joined {
            Some((name, value)) => (name, Some(Word { text: value.to_owned(), ..*word })),
            None => (word.text.trim_start_matches('-'), None),
        };
        if word.is_unknown || !word.text.starts_with('-') {
            self.unknown(word);
            return Some(());
        }
        match name {
            "j" | "jump" => self.jump(joined, false),
            "g" | "goto" => self.jump(joined, true),
            "m" | "match" => self.module(joined),
            "to-destination" => {
                let value = self.take(joined, &mut false);
                self.translation(&value);
            }
            "c" | "set-counters" => self.rest = self.rest.get(2..).unwrap_or_default(),
            "4" | "ipv4" | "6" | "ipv6" | "v" | "verbose" | "n" => {}
            "w" | "wait" | "W" | "wait-interval" => self.seconds(),
            "comment" => self.comment = Some(self.take(joined, &mut false).text),
            "f" | "fragment" => self.conditions.push(Condition::Constant(negated)),
            "syn" => self.conditions.push(Condition::Constant(!negated)),
            _ => match TARGET_OPTIONS.iter().find(|(option, _)| *option == name) {
                Some((_, values)) => self.rest = self.rest.get(*values..).unwrap_or_default(),
                None => self.condition(word, name, joined, negated),
            },
        }
        Some(())
    }

    /// The number of seconds that `-w` may have.
    fn seconds(&mut self) {
        let is_number = |word: &Word| word.text.parse::<u32>().is_ok();
        if self.rest.first().is_some_and(is_number) {
            self.next();
        }
    }

    fn take(&mut self, joined: Option<Word>, negated: &mut bool) -> Word {
        joined.unwrap_or_else(|| self.value(negated).clone())
    }

    fn jump(&mut self, joined: Option<Word>, is_goto: bool) {
        let target = self.take(joined, &mut false);
        let text = target.text;
        self.target = match text.as_str() {
            _ if is_goto => Target::Goto(text),
            _ if target.is_unknown => Target::Jump(text),
            "ACCEPT" => Target::Accept,
            "DROP" | "REJECT" => Target::Deny,
            "RETURN" => Target::Return,
            "DNAT" => Target::Translate { to: None, port: None, has_ports: false },
            name if CONTINUING.contains(&name) => Target::Continue,
            _ => Target::Jump(text),
        };
    }

    fn module(&mut self, joined: Option<Word>) {
        let module = self.take(joined, &mut false);
        if module.is_unknown || !MODULES.contains(&module.text.as_str()) {
            self.conditions.push(Condition::Unknown(format!("-m {}", module.text)));
        }
    }

    /// `172.17.0.2:80`, `[fd00::2]:80`, `172.17.0.2`.
    fn translation(&mut self, value: &Word) {
        let (to, port) = match value.text.parse::<SocketAddr>() {
            Ok(socket) => (Some(socket.ip()), Some(socket.port())),
            Err(_) => (value.text.parse::<IpAddr>().ok(), None),
        };
        let has_ports = port.is_some() || to.is_none();
        self.target = Target::Translate { to, port, has_ports };
    }

    /// A word that is no option, or an option that is not known.
    fn unknown(&mut self, word: &Word) {
        self.conditions.push(Condition::Unknown(word.text.clone()));
    }

    fn condition(&mut self, word: &Word, name: &str, joined: Option<Word>, negated: bool) {
        let mut negated = negated;
        let version = self.version;
        let addresses = move |text: &str| values::addresses(text, version);
        match name {
            "s" | "source" | "src" => self.test(Subject::Source, joined, negated, addresses),
            "d" | "destination" | "dst" => {
                self.test(Subject::Destination, joined, negated, addresses);
            }
            "src-range" | "ctorigsrc" => self.test(Subject::Source, joined, negated, addresses),
            "dst-range" => self.test(Subject::Destination, joined, negated, addresses),
            "ctorigdst" => self.test(Subject::OriginalDestination, joined, negated, addresses),
            "ctreplsrc" => self.test(Subject::ReplySource, joined, negated, addresses),
            "p" | "protocol" | "proto" | "ctproto" => {
                self.test(Subject::Protocol, joined, negated, values::protocols);
            }
            "dport" | "destination-port" | "dports" | "destination-ports" => {
                self.test(Subject::Port, joined, negated, values::ports);
            }
            "ctorigdstport" => self.test(Subject::OriginalPort, joined, negated, values::ports),
            "ctreplsrcport" => self.test(Subject::ReplyPort, joined, negated, values::ports),
            "i" | "in-interface" => self.interface(joined, negated, false),
            "o" | "out-interface" => self.interface(joined, negated, true),
            "state" | "ctstate" => self.state(joined, negated),
            "ctdir" => {
                let direction = self.take(joined, &mut negated);
                let is_original = direction.text.eq_ignore_ascii_case("ORIGINAL");
                self.conditions.push(Condition::Constant(is_original != negated));
            }
            "tcp-flags" => self.tcp_flags(negated),
            "dst-type" => {
                let types = self.take(joined, &mut negated);
                self.conditions.push(match types.text.as_str() {
                    "LOCAL" => Condition::ToLocal { negated },
                    _ => Condition::Unknown(format!("--dst-type {}", types.text)),
                });
            }
            "match-set" => self.set(negated),
            _ => {
                let mut text = word.text.clone();
                while let Some(value) = self.rest.first() {
                    if value.text.starts_with('-') || value.text == "!" {
                        break;
                    }
                    text = format!("{text} {}", value.text);
                    self.next();
                }
                self.conditions.push(Condition::Unknown(text));
            }
        }
    }

    fn test(
        &mut self,
        subject: Subject,
        joined: Option<Word>,
        mut negated: bool,
        read: impl Fn(&str) -> Option<Intervals>,
    ) {
        let value = self.take(joined, &mut negated);
        let values = (!value.is_unknown).then(|| read(&value.text)).flatten();
        self.conditions.push(match values {
            Some(values) => Condition::Test { subject, values, negated },
            None => Condition::Unknown(format!("`{}`", value.text)),
        });
    }

    fn interface(&mut self, joined: Option<Word>, mut negated: bool, is_out: bool) {
        let value = self.take(joined, &mut negated);
        self.conditions.push(match value.is_unknown {
            true => Condition::Unknown(format!("interface `{}`", value.text)),
            false => Condition::Interface { name: value.text, is_out, negated },
        });
    }

    fn state(&mut self, joined: Option<Word>, mut negated: bool) {
        let value = self.take(joined, &mut negated);
        let has = |state: &str| value.text.split(',').any(|it| it.eq_ignore_ascii_case(state));
        self.conditions.push(match value.is_unknown {
            true => Condition::Unknown(format!("state `{}`", value.text)),
            false => Condition::State { is_new: has("NEW"), is_translated: has("DNAT"), negated },
        });
    }

    /// `--tcp-flags MASK FLAGS`: whether the first packet of a flow, a SYN, matches.
    fn tcp_flags(&mut self, mut negated: bool) {
        let mask = self.value(&mut negated).clone();
        let flags = self.value(&mut false).clone();
        let has = |word: &Word, flag: &str| {
            word.text.split(',').any(|it| it.eq_ignore_ascii_case(flag) || it == "ALL")
        };
        let is_only_syn = flags.text.eq_ignore_ascii_case("SYN");
        let is_none = flags.text.eq_ignore_ascii_case("NONE");
        let matches = if has(&mask, "SYN") { is_only_syn } else { is_none };
        self.conditions.push(match mask.is_unknown || flags.is_unknown {
            true => Condition::Unknown("--tcp-flags".to_owned()),
            false => Condition::Constant(matches != negated),
        });
        let tcp = values::protocols("tcp").unwrap_or_else(Intervals::none);
        let is_tcp = Condition::Test { subject: Subject::Protocol, values: tcp, negated: false };
        self.conditions.push(is_tcp);
    }

    fn set(&mut self, mut negated: bool) {
        let name = self.value(&mut negated).clone();
        let directions = self.value(&mut false).clone();
        self.conditions.push(match directions.text.as_str() {
            "src" | "dst" if !name.is_unknown => {
                let is_destination = directions.text == "dst";
                Condition::Set { name: name.text, is_destination, negated }
            }
            _ => Condition::Unknown(format!("--match-set {} {}", name.text, directions.text)),
        });
    }
}
