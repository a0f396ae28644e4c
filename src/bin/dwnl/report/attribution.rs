//! What others had done before a check: the first commits one by one, and how many there were besides.

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

impl From<&dwnl::reconcile::Attribution> for Attribution {
    fn from(attribution: &dwnl::reconcile::Attribution) -> Attribution {
        let first = attribution.causes.iter().map(Cause::from).collect();
        Attribution { first, further: attribution.more_commits }
    }
}

impl From<&dwnl::reconcile::Cause> for Cause {
    fn from(cause: &dwnl::reconcile::Cause) -> Cause {
        let commit = &cause.commit;
        let process = commit.process.as_ref();
        Cause {
            process: process.map(|process| process.name.to_string()),
            pid: process.map(|process| process.id),
            generation: commit.generation,
            times: cause.times,
            text: commit.to_string(),
            culprit: commit.author(),
        }
    }
}

impl Attribution {
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

    /// One commit by each of this number of processes.
    pub fn causes(commits: u32) -> Attribution {
        let first: Vec<Cause> = (1..=commits.min(3)).map(cause).collect();
        let further = commits as usize - first.len();
        Attribution { first, further }
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
    fn equal_commits_are_told_with_their_number() {
        let causes = Attribution { first: vec![Cause { times: 4, ..cause(1) }], further: 1 };
        assert_eq!(
            causes.words(),
            ", after process nft (pid 1) deleted table inet dwnl (4 times); and 1 other commit"
        );
    }

    #[test]
    fn the_first_is_the_culprit() {
        assert_eq!(causes(2).author(), "process nft (pid 1)");
        assert_eq!(causes(0).author(), "somebody");
    }
}
