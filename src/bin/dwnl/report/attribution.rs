//! The commits of other programs before a check: the first few, and the number of the others.

use serde::Serialize;

use super::count::Count;

/// The commits of other programs before a check.
#[derive(Debug, Default, Serialize)]
pub struct Attribution {
    commits: Vec<Cause>,
    more_commits: usize,
}

/// A commit of another program, or several identical commits of the same process.
#[derive(Debug, Serialize)]
struct Cause {
    process: Option<String>,
    pid: Option<u32>,
    /// The generation of the first commit.
    generation: u32,
    commit_count: usize,
    /// The process and what it changed, in words.
    summary: String,
    #[serde(skip)]
    author: String,
}

impl From<&dwnl::reconcile::Attribution> for Attribution {
    fn from(attribution: &dwnl::reconcile::Attribution) -> Attribution {
        let commits = attribution.causes.iter().map(Cause::from).collect();
        Attribution { commits, more_commits: attribution.more_commits }
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
            commit_count: cause.times,
            summary: commit.to_string(),
            author: commit.author(),
        }
    }
}

impl Attribution {
    /// `, after process nft (pid 7) deleted table inet dwnl`
    pub fn words(&self) -> String {
        match &self.sentences()[..] {
            [] => String::new(),
            [one] => format!(", after {one}"),
            [others @ .., last] => format!(", after {}; and {last}", others.join("; ")),
        }
    }

    /// The first commits, and the number of the others.
    pub fn sentences(&self) -> Vec<String> {
        let first = self.commits.iter().map(Cause::words);
        let more =
            (self.more_commits > 0).then(|| Count(self.more_commits, "other commit").to_string());
        first.chain(more).collect()
    }

    /// The author of the first commit, if it is known.
    pub fn author(&self) -> &str {
        self.commits.first().map_or("an unknown process", |cause| &cause.author)
    }
}

impl Cause {
    fn words(&self) -> String {
        match self {
            Cause { summary, commit_count: 1, .. } => summary.clone(),
            Cause { summary, commit_count, .. } => format!("{summary} ({commit_count} times)"),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// One commit by each of this number of processes.
    pub fn causes(commits: u32) -> Attribution {
        let first: Vec<Cause> = (1..=commits.min(3)).map(cause).collect();
        let more_commits = commits as usize - first.len();
        Attribution { commits: first, more_commits }
    }

    fn cause(pid: u32) -> Cause {
        let author = format!("process nft (pid {pid})");
        Cause {
            process: Some("nft".to_owned()),
            pid: Some(pid),
            generation: 15 + pid,
            commit_count: 1,
            summary: format!("{author} deleted table inet dwnl"),
            author,
        }
    }

    #[test]
    fn the_first_commits_are_listed() {
        assert_eq!(causes(0).words(), "");
        assert_eq!(causes(1).words(), ", after process nft (pid 1) deleted table inet dwnl");
        assert_eq!(
            causes(9).words(),
            ", after process nft (pid 1) deleted table inet dwnl; process nft (pid 2) deleted table \
             inet dwnl; process nft (pid 3) deleted table inet dwnl; and 6 other commits"
        );
    }

    #[test]
    fn identical_commits_are_listed_with_their_number() {
        let causes =
            Attribution { commits: vec![Cause { commit_count: 4, ..cause(1) }], more_commits: 1 };
        assert_eq!(
            causes.words(),
            ", after process nft (pid 1) deleted table inet dwnl (4 times); and 1 other commit"
        );
    }

    #[test]
    fn the_author_is_that_of_the_first_commit() {
        assert_eq!(causes(2).author(), "process nft (pid 1)");
        assert_eq!(causes(0).author(), "an unknown process");
    }
}
