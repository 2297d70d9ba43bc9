//! [`Names`]: the name of a live job is its alone (R1).
//!
//! Any node creates records, so two live jobs of one name can be in the store. The leader decides
//! when all records are open: a job that has had an attempt keeps its name, then the one that was
//! submitted first. The others fail with [`CauseKind::Refused`](crate::CauseKind).

use std::collections::BTreeMap;

use crate::JobId;

/// Whether a job has its name for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NameClaim {
    /// Not decided: not all records are open.
    Undecided,
    /// It is this job's.
    Ours,
    /// It is another live job's.
    TakenBy(JobId),
}

/// Which job has which name.
#[derive(Debug, Default)]
pub(super) struct Names {
    live: BTreeMap<String, JobId>,
}

impl Names {
    /// The job wants this name.
    pub(super) fn claim(&mut self, name: &str, job: JobId) -> NameClaim {
        match self.live.get(name) {
            Some(holder) if *holder != job => NameClaim::TakenBy(*holder),
            Some(_) => NameClaim::Ours,
            None => {
                self.live.insert(name.to_owned(), job);
                NameClaim::Ours
            }
        }
    }

    /// The job has ended: the name is free, if it was this job's.
    pub(super) fn release(&mut self, name: &str, job: JobId) {
        if self.live.get(name) == Some(&job) {
            self.live.remove(name);
        }
    }

    /// The live job of this name.
    pub(super) fn get(&self, name: &str) -> Option<JobId> {
        self.live.get(name).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_free_again_when_its_holder_has_ended() {
        let (a, b) = (JobId::new(1), JobId::new(2));
        let mut names = Names::default();
        assert_eq!(names.claim("x", a), NameClaim::Ours);
        assert_eq!(names.claim("x", a), NameClaim::Ours);
        assert_eq!(names.claim("x", b), NameClaim::TakenBy(a));
        names.release("x", b);
        assert_eq!(names.get("x"), Some(a));
        names.release("x", a);
        assert_eq!(names.claim("x", b), NameClaim::Ours);
    }
}
