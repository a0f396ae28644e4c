//! Records which commits came before a check: the first few of them, and the number of the others.

use crate::engine::Commit;

/// Maximum number of different commits that are recorded.
const CAUSES_MAX: usize = 3;

/// The commits of other programs before a check.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Attribution {
    /// The first commits that differ in process or content; at most three.
    pub causes: Vec<Cause>,
    /// The number of further commits.
    pub more_commits: usize,
}

/// A commit of another program, or several alike.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Cause {
    /// The first of them.
    pub commit: Commit,
    /// How many commits of the same process did the same.
    pub times: usize,
    text: String,
}

impl Attribution {
    /// Adds a commit.
    pub(super) fn push(&mut self, commit: Commit) {
        let text = commit.to_string();
        if let Some(same) = self.causes.iter_mut().find(|cause| cause.text == text) {
            same.times += 1;
        } else if self.causes.len() < CAUSES_MAX {
            self.causes.push(Cause { commit, times: 1, text });
        } else {
            self.more_commits += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The attribution of one commit by each of these processes.
    fn attribution(processes: &[u32]) -> Attribution {
        let mut attribution = Attribution::default();
        for (pid, generation) in processes.iter().zip(1..) {
            attribution.push(Commit::by(*pid, generation));
        }
        attribution
    }

    fn times(attribution: &Attribution) -> Vec<(u32, usize)> {
        let process = |cause: &Cause| cause.commit.process.as_ref().map(|process| process.id);
        let causes = attribution.causes.iter();
        causes.map(|cause| (process(cause).expect("a process"), cause.times)).collect()
    }

    #[test]
    fn the_first_commits_are_recorded_and_the_others_counted() {
        let found = attribution(&[1, 2, 3, 4, 5]);
        assert_eq!((times(&found), found.more_commits), (vec![(1, 1), (2, 1), (3, 1)], 2));
    }

    #[test]
    fn equal_commits_of_one_process_are_recorded_once() {
        let found = attribution(&[1, 1, 2, 1, 2, 1, 3, 4]);
        assert_eq!((times(&found), found.more_commits), (vec![(1, 4), (2, 2), (3, 1)], 1));
        assert_eq!(found.causes[0].commit.generation, 1);
    }
}
