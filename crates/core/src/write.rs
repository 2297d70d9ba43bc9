//! One write of one record as a small state machine: sealing on open, and commits.
//!
//! This is the safety rule in code. A leader *seals before it reads*: it swaps the body back under its own seal, and what
//! that swap was made on is the state. It then writes only from a version that it sealed or wrote itself. An older
//! leader's swap names a version that is gone.
//!
//! The machine asks for requests ([`Step`]) and is told answers ([`Answer`]). When to repeat, and when to give up, is its
//! driver's choice; the outcome is right in any case.

use std::sync::Arc;

use serde_json::value::RawValue;

use crate::record::RecordBody;
use crate::{Epoch, Seal, Version};

/// A write that is under way.
#[derive(Clone, Debug)]
pub struct Write {
    seal: Seal,
    seq: u64,
    goal: Goal,
    /// A request was sent whose outcome is not known: from here on "not applied" settles nothing.
    unsettled: bool,
    /// The last swap that was asked for; a repetition is the same one.
    swap: Option<(Option<Version>, Arc<RecordBody>)>,
}

#[derive(Clone, Debug)]
enum Goal {
    /// Seal the record, whatever is in it.
    Open,
    /// Replace what this leader sealed or wrote at that version.
    Commit,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Read the record.
    Read,
    /// Swap the record; `None` expects it to be absent.
    Swap {
        /// The version to be replaced.
        expected: Option<Version>,
        /// The new body, shared with the machine, which may have to ask for it again.
        body: Arc<RecordBody>,
    },
    /// It is done: the record has this body at this version, and is this leader's.
    Done {
        /// The version.
        version: Version,
        /// The body.
        body: Arc<RecordBody>,
    },
    /// It will not happen any more, and unless [`Refused::Unsettled`] it did not.
    Refused(Refused),
}

/// Why a write was refused for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// A newer leader has sealed the record.
    Fenced {
        /// The epoch of its seal.
        current: Epoch,
    },
    /// Somebody else wrote it at this very epoch: another handle of this leader, or a person by hand.
    Conflict,
    /// An earlier answer was lost, and by now somebody else has written or sealed the record: whether that was before or
    /// after this write landed cannot be told any more.
    Unsettled {
        /// The epoch of a newer leader's seal, if that is what was found.
        fenced_by: Option<Epoch>,
    },
    /// The backend did not take it.
    NotApplied,
}

/// What a request came to.
#[derive(Clone, Debug)]
pub enum Answer {
    /// A read found this.
    Read(Option<(Version, RecordBody)>),
    /// A read got no answer.
    Unread,
    /// The swap happened.
    Committed(Version),
    /// The swap did not happen: the record is not in the expected state.
    Conflict,
    /// The swap did not happen, for another reason.
    NotApplied,
    /// The swap may have happened, or may still.
    Unknown,
}

impl Write {
    /// Seals a record and so reads it. `seq` is a number that this term has not used.
    pub fn open(seal: Seal, seq: u64) -> (Self, Step) {
        (
            Self {
                seal,
                seq,
                goal: Goal::Open,
                unsettled: false,
                swap: None,
            },
            Step::Read,
        )
    }

    /// Replaces the data of a record that this leader sealed or wrote as `version`.
    pub fn commit(
        seal: Seal,
        seq: u64,
        version: Version,
        data: Option<Box<RawValue>>,
    ) -> (Self, Step) {
        let body = RecordBody::new(seal, seq, data);
        let mut write = Self {
            seal,
            seq,
            goal: Goal::Commit,
            unsettled: false,
            swap: None,
        };
        let step = write.ask(Some(version), body);
        (write, step)
    }

    /// Whether a request of it may have taken effect, or may still, without anybody knowing.
    pub fn is_unsettled(&self) -> bool {
        self.unsettled
    }

    /// Takes the answer to the last step.
    ///
    /// # Panics
    ///
    /// If a swap is answered that was never asked for: a bug of the driver.
    pub fn step(&mut self, answer: Answer) -> Step {
        match answer {
            Answer::Read(found) => self.read(found),
            Answer::Unread | Answer::Conflict => Step::Read,
            Answer::Committed(version) => {
                let (_, body) = self.swap.take().expect("an answer follows a swap");
                Step::Done { version, body }
            }
            Answer::NotApplied if !self.unsettled && matches!(self.goal, Goal::Commit) => {
                Step::Refused(Refused::NotApplied)
            }
            Answer::NotApplied => self.repeat(),
            Answer::Unknown => {
                self.unsettled = true;
                self.repeat()
            }
        }
    }

    fn read(&mut self, found: Option<(Version, RecordBody)>) -> Step {
        if let Some((version, body)) = found
            .clone()
            .filter(|(_, body)| body.is_write(self.seal, self.seq))
        {
            return Step::Done {
                version,
                body: Arc::new(body),
            };
        }
        if let Some((_, body)) = &found
            && body.seal.outranks(self.seal)
        {
            let current = body.seal.epoch;
            return Step::Refused(match self.may_have_written() {
                true => Refused::Unsettled {
                    fenced_by: Some(current),
                },
                false => Refused::Fenced { current },
            });
        }
        match self.goal {
            Goal::Open => {
                let (version, body) = match found {
                    Some((version, body)) => (Some(version), body.sealed(self.seal, self.seq)),
                    None => (None, RecordBody::new(self.seal, self.seq, None)),
                };
                self.ask(version, body)
            }
            Goal::Commit => match &self.swap {
                // The read may be older than the refusal of the swap on a backend that is worse than its contract.
                Some((expected, _))
                    if found.as_ref().map(|(version, _)| version) == expected.as_ref() =>
                {
                    self.repeat()
                }
                _ if self.may_have_written() => {
                    Step::Refused(Refused::Unsettled { fenced_by: None })
                }
                _ => Step::Refused(Refused::Conflict),
            },
        }
    }

    /// Whether data may have been changed by a request whose answer was lost. Opening changes none.
    fn may_have_written(&self) -> bool {
        self.unsettled && matches!(self.goal, Goal::Commit)
    }

    fn ask(&mut self, expected: Option<Version>, body: RecordBody) -> Step {
        let body = Arc::new(body);
        self.swap = Some((expected.clone(), Arc::clone(&body)));
        Step::Swap { expected, body }
    }

    fn repeat(&self) -> Step {
        let (expected, body) = self.swap.clone().expect("a repetition follows a swap");
        Step::Swap { expected, body }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Nonce;

    fn seal(epoch: u64, nonce: u128) -> Seal {
        Seal {
            epoch: Epoch::new(epoch),
            nonce: Nonce::new(nonce),
        }
    }

    fn version(text: &str) -> Version {
        Version::new(text)
    }

    fn data(text: &str) -> Option<Box<RawValue>> {
        Some(RawValue::from_string(text.into()).unwrap())
    }

    #[test]
    fn an_open_seals_what_it_read_and_returns_what_it_sealed() {
        let (mut open, step) = Write::open(seal(2, 2), 1);
        assert_eq!(step, Step::Read);
        let old = RecordBody::new(seal(1, 1), 7, data("5"));
        let sealed = RecordBody::new(seal(2, 2), 1, data("5"));
        let step = open.step(Answer::Read(Some((version("a"), old))));
        assert_eq!(
            step,
            Step::Swap {
                expected: Some(version("a")),
                body: sealed.clone().into()
            }
        );
        assert_eq!(
            open.step(Answer::Committed(version("b"))),
            Step::Done {
                version: version("b"),
                body: sealed.into()
            }
        );
    }

    #[test]
    fn an_open_that_met_a_late_write_takes_that_write_as_the_state() {
        let (mut open, _) = Write::open(seal(2, 2), 1);
        open.step(Answer::Read(Some((
            version("a"),
            RecordBody::new(seal(1, 1), 7, data("5")),
        ))));
        assert_eq!(open.step(Answer::Conflict), Step::Read);
        let step = open.step(Answer::Read(Some((
            version("b"),
            RecordBody::new(seal(1, 1), 8, data("6")),
        ))));
        assert_eq!(
            step,
            Step::Swap {
                expected: Some(version("b")),
                body: RecordBody::new(seal(2, 2), 1, data("6")).into()
            }
        );
    }

    #[test]
    fn an_absent_record_is_sealed_too() {
        let (mut open, _) = Write::open(seal(2, 2), 1);
        let vacant = RecordBody::new(seal(2, 2), 1, None);
        assert_eq!(
            open.step(Answer::Read(None)),
            Step::Swap {
                expected: None,
                body: vacant.into()
            }
        );
    }

    #[test]
    fn a_newer_seal_fences_opens_and_commits() {
        for newer in [seal(3, 9), seal(2, 9)] {
            let found = Some((version("x"), RecordBody::new(newer, 1, None)));
            let (mut open, _) = Write::open(seal(2, 2), 1);
            let fenced = Step::Refused(Refused::Fenced {
                current: newer.epoch,
            });
            assert_eq!(open.step(Answer::Read(found.clone())), fenced);
            let (mut commit, _) = Write::commit(seal(2, 2), 2, version("a"), data("1"));
            assert_eq!(commit.step(Answer::Conflict), Step::Read);
            assert_eq!(commit.step(Answer::Read(found)), fenced);
        }
    }

    #[test]
    fn a_lost_answer_is_settled_by_the_same_swap() {
        let (mut commit, first) = Write::commit(seal(2, 2), 5, version("a"), data("1"));
        assert_eq!(commit.step(Answer::Unknown), first);
        assert_eq!(
            commit.step(Answer::NotApplied),
            first,
            "not applied settles nothing once a request is unknown"
        );
        assert_eq!(commit.step(Answer::Conflict), Step::Read);
        let mine = RecordBody::new(seal(2, 2), 5, data("1"));
        let done = Step::Done {
            version: version("b"),
            body: mine.clone().into(),
        };
        assert_eq!(commit.step(Answer::Read(Some((version("b"), mine)))), done);
    }

    /// The first request may have landed, and the newer leader may have sealed over it: its data live on under another seal.
    #[test]
    fn a_fence_after_a_lost_answer_does_not_say_that_nothing_was_written() {
        for (found, fenced_by) in [(seal(3, 3), Some(Epoch::new(3))), (seal(2, 2), None)] {
            let (mut commit, _) = Write::commit(seal(2, 2), 5, version("a"), data("1"));
            commit.step(Answer::Unknown);
            assert_eq!(commit.step(Answer::Conflict), Step::Read);
            let sealed = RecordBody::new(found, 9, data("1"));
            let step = commit.step(Answer::Read(Some((version("c"), sealed))));
            assert_eq!(step, Step::Refused(Refused::Unsettled { fenced_by }));
        }
    }

    #[test]
    fn a_refusal_before_anything_was_unknown_is_final() {
        let (mut commit, _) = Write::commit(seal(2, 2), 5, version("a"), data("1"));
        assert_eq!(
            commit.step(Answer::NotApplied),
            Step::Refused(Refused::NotApplied)
        );
        assert!(!commit.is_unsettled());
    }

    #[test]
    fn another_handles_write_is_a_conflict_and_no_fence() {
        let (mut commit, _) = Write::commit(seal(2, 2), 5, version("a"), data("1"));
        commit.step(Answer::Conflict);
        let other = RecordBody::new(seal(2, 2), 6, data("2"));
        assert_eq!(
            commit.step(Answer::Read(Some((version("b"), other)))),
            Step::Refused(Refused::Conflict)
        );
        let (mut commit, _) = Write::commit(seal(2, 2), 5, version("a"), data("1"));
        commit.step(Answer::Conflict);
        assert_eq!(
            commit.step(Answer::Read(None)),
            Step::Refused(Refused::Conflict),
            "removed by hand"
        );
    }
}
