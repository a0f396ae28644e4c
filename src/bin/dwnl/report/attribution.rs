//! What others had done before a check: the first commits one by one, and how many there were besides.

use dwnl::engine::Commit;
use serde::Serialize;

use super::count::Count;

/// What others had done before a check.
#[derive(Debug, Default, Serialize)]
pub struct Attribution {
    #[serde(rename = "commits")]
    first: Vec<Cause>,
    #[serde(rename = "further_commits")]
    further: usize,
}

/// One commit of somebody else's, or several of the same process that did the same.
#[derive(Debug, Serialize)]
struct Cause {
    process: Option<String>,
    pid: Option<u32>,
    /// The generation of the first one.
    generation: u32,
    times: usize,
    /// Who did what, in words.
    text: String,
    #[serde(skip)]
    culprit: String,
}

impl Attribution {
    /// So many different commits are told.
    const MAX: usize = 3;

    /// Adds a commit.
    pub fn push(&mut self, commit: &Commit) {
        let process = commit.process.as_ref();
        self.push_cause(Cause {
            process: process.map(|process| process.name.to_string()),
            pid: process.map(|process| process.id),
            generation: commit.generation,
            times: 1,
            text: commit.to_string(),
            culprit: commit.author(),
        });
    }

    fn push_cause(&mut self, cause: Cause) {
        if let Some(same) = self.first.iter_mut().find(|other| other.text == cause.text) {
            same.times += 1;
        } else if self.first.len() < Attribution::MAX {
            self.first.push(cause);
        } else {
            self.further += 1;
        }
    }

    /// `, after process nft (pid 7) deleted table inet dwnl`
    pub fn words(&self) -> String {
        let first = self.first.iter().map(Cause::words);
        let further = (self.further > 0).then(|| Count(self.further, "other commit").to_string());
        match &first.chain(further).collect::<Vec<_>>()[..] {
            [] => String::new(),
            [one] => format!(", after {one}"),
            [others @ .., last] => format!(", after {}; and {last}", others.join("; ")),
        }
    }

    /// Who did it, as far as that is known.
    pub fn author(&self) -> &str {
        self.first.first().map_or("somebody", |cause| &cause.culprit)
    }
}

impl Cause {
    fn words(&self) -> String {
        let Cause { text, times, .. } = self;
        if *times == 1 { text.clone() } else { format!("{text} ({times} times)") }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Commits of so many processes, one each.
    pub fn causes(commits: u32) -> Attribution {
        let mut causes = Attribution::default();
        (1..=commits).for_each(|pid| causes.push_cause(cause(pid)));
        causes
    }

    fn cause(pid: u32) -> Cause {
        let culprit = format!("process nft (pid {pid})");
        Cause {
            process: Some("nft".to_owned()),
            pid: Some(pid),
            generation: 15 + pid,
            times: 1,
            text: format!("{culprit} deleted table inet dwnl"),
            culprit,
        }
    }

    #[test]
    fn the_first_are_told_one_by_one() {
        assert_eq!(causes(0).words(), "");
        assert_eq!(causes(1).words(), ", after process nft (pid 1) deleted table inet dwnl");
        assert_eq!(
            causes(9).words(),
            ", after process nft (pid 1) deleted table inet dwnl; process nft (pid 2) deleted table \
             inet dwnl; process nft (pid 3) deleted table inet dwnl; and 6 other commits"
        );
    }

    #[test]
    fn the_same_of_the_same_is_told_once() {
        let mut causes = causes(1);
        for pid in [1, 2, 1, 2, 1, 3, 4] {
            causes.push_cause(cause(pid));
        }
        assert_eq!(
            causes.words(),
            ", after process nft (pid 1) deleted table inet dwnl (4 times); process nft (pid 2) \
             deleted table inet dwnl (2 times); process nft (pid 3) deleted table inet dwnl; and 1 \
             other commit"
        );
    }

    #[test]
    fn the_first_is_the_culprit() {
        assert_eq!(causes(2).author(), "process nft (pid 1)");
        assert_eq!(causes(0).author(), "somebody");
    }
}
