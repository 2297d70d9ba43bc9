//! One write of one record as a small state machine: sealing on open, commits, and erasing.
//!
//! This is the safety rule in code. A leader *seals before it reads*: it swaps the body back under
//! its own seal, and what that swap was made on is the state. It then writes only from a version
//! that it sealed or wrote itself. An older leader's swap names a version that is gone.
//!
//! An erased record has no version that an old write could miss: an old leader could create the
//! record again. So a leader that opens a record without data, or with data of a process that did
//! not lead, *looks at the floor* afterwards. If the floor still bears its own seal, no newer
//! leader had begun when the record was sealed, and none can have read or erased it. If not, the
//! leader is fenced, and what it leaves behind is vacant.
//!
//! One write needs no leader: *creating* a record that is absent. It never replaces anything, not
//! even a tombstone. The body carries the number of the creation, which stays when a leader seals
//! or writes the record. So a creator whose answer was lost recognizes its own.
//!
//! The machine asks for requests ([`Step`]) and takes answers ([`Answer`]). Its driver decides when
//! to repeat and when to give up. The outcome is right in any case.

use std::sync::Arc;

use serde_json::value::RawValue;

use crate::record::RecordBody;
use crate::{Epoch, Nonce, Seal, Version};

/// A write that is under way.
#[derive(Clone, Debug)]
pub struct Write {
    seal: Seal,
    seq: u64,
    goal: Goal,
    /// The record is sealed, but may be younger than an erasure: what to return once the floor has
    /// been read.
    unsure: Option<(Version, Arc<RecordBody>)>,
    /// A request was sent whose outcome is unknown. From then on "not applied" settles nothing.
    unsettled: bool,
    /// The last swap that was asked for. A repetition is this very swap.
    swap: Option<(Option<Version>, Arc<RecordBody>)>,
}

#[derive(Clone, Debug)]
enum Goal {
    /// Seal the record, whatever is in it.
    Open,
    /// Seal the floor. It is never erased, so it needs no look at the floor.
    Floor,
    /// Replace what this leader sealed or wrote at that version.
    Commit,
    /// Remove what this leader sealed or wrote as this version.
    Erase(Version),
    /// Create the record if it is absent, without leading.
    Create,
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
        /// The new body. The machine keeps a reference, because it may have to ask again.
        body: Arc<RecordBody>,
    },
    /// Remove the record, if it has this version.
    Erase {
        /// The version to be removed.
        expected: Version,
    },
    /// Read the floor of the group; answer with its seal.
    ReadFloor,
    /// Done: there is no such record any more.
    Gone {
        /// Whether this request is known to have done it. If not, an answer was lost, and another
        /// request may have been first.
        ours: bool,
    },
    /// Done: the record has this body at this version, and is this leader's.
    Done {
        /// The version.
        version: Version,
        /// The body.
        body: Arc<RecordBody>,
    },
    /// Done: a creation found that somebody else has made the record: data or a tombstone.
    Found {
        /// The version.
        version: Version,
        /// The body.
        body: Arc<RecordBody>,
    },
    /// It did not happen and will not, except for [`Refused::Unsettled`], where it may have
    /// happened.
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
    /// Somebody else wrote it at this very epoch: another handle of this leader, or a person by
    /// hand.
    Conflict,
    /// An earlier answer was lost, and somebody else has written or sealed the record since. It
    /// cannot be told any more whether this write landed before that.
    Unsettled {
        /// The epoch of a newer leader's seal, if that is what was found.
        fenced_by: Option<Epoch>,
    },
    /// The backend refused the request.
    NotApplied,
    /// The floor bears neither this leader's seal nor a higher one: somebody removed or changed it
    /// by hand.
    NoFloor,
}

/// The outcome of a request.
#[derive(Clone, Debug)]
pub enum Answer {
    /// A read found this.
    Read(Option<(Version, RecordBody)>),
    /// A read of the floor found this seal.
    Floor(Option<Seal>),
    /// A read got no answer.
    Unread,
    /// The swap happened.
    Committed(Version),
    /// The record was removed.
    Erased,
    /// The swap, or the removal, did not happen: the record is not in the expected state.
    Conflict,
    /// It did not happen, for another reason.
    NotApplied,
    /// Unknown: it may have happened, or may happen later.
    Unknown,
}

impl Write {
    /// Seals a record and so reads it. `seq` is a number that this term has not used.
    pub fn open(seal: Seal, seq: u64) -> (Self, Step) {
        (Self::new(seal, seq, Goal::Open), Step::Read)
    }

    /// Seals the floor.
    pub fn floor(seal: Seal, seq: u64) -> (Self, Step) {
        (Self::new(seal, seq, Goal::Floor), Step::Read)
    }

    /// Removes a record that this leader sealed or wrote as `version`: nothing is left of it, not
    /// even a tombstone.
    pub fn erase(seal: Seal, seq: u64, version: Version) -> (Self, Step) {
        let write = Self::new(seal, seq, Goal::Erase(version));
        let step = write.repeat();
        (write, step)
    }

    /// Creates a record if it is absent, without leading. `number` is new for each creation; the
    /// same number is the same creation, sent again.
    pub fn create(number: Nonce, data: Box<RawValue>) -> (Self, Step) {
        let body = RecordBody::creation(number, data);
        let mut write = Self::new(body.seal, body.seq, Goal::Create);
        let step = write.ask(None, body);
        (write, step)
    }

    /// Replaces the data of a record that this leader sealed or wrote as `version`, and that bears
    /// this number of its creation.
    pub fn commit(
        seal: Seal,
        seq: u64,
        version: Version,
        created: Option<Nonce>,
        data: Option<Box<RawValue>>,
    ) -> (Self, Step) {
        let mut body = RecordBody::new(seal, seq, data);
        body.created = created;
        let mut write = Self::new(seal, seq, Goal::Commit);
        let step = write.ask(Some(version), body);
        (write, step)
    }

    fn new(seal: Seal, seq: u64, goal: Goal) -> Self {
        Self {
            seal,
            seq,
            goal,
            unsure: None,
            unsettled: false,
            swap: None,
        }
    }

    /// The body that was sealed, while the floor is asked for.
    pub fn sealed(&self) -> Option<&RecordBody> {
        self.unsure.as_ref().map(|(_, body)| &**body)
    }

    /// Whether one of its requests has an unknown outcome.
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
            Answer::Floor(found) => self.look_at_floor(found),
            Answer::Unread if self.unsure.is_some() => Step::ReadFloor,
            Answer::Unread | Answer::Conflict => Step::Read,
            Answer::Committed(version) => {
                let (_, body) = self.swap.take().expect("an answer follows a swap");
                self.done(version, body)
            }
            Answer::Erased => Step::Gone { ours: true },
            Answer::NotApplied if !self.unsettled && self.changes_data() => {
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
        if let Goal::Create = self.goal {
            return self.read_by_creator(found);
        }
        let found = match found {
            Some((version, body)) if body.is_write(self.seal, self.seq) => {
                return self.done(version, Arc::new(body));
            }
            Some((_, body)) if body.seal.outranks(self.seal) => {
                return Step::Refused(self.outranked(body.seal.epoch));
            }
            found => found,
        };
        match &self.goal {
            Goal::Open | Goal::Floor => {
                let (version, body) = match found {
                    Some((version, body)) => (Some(version), body.sealed(self.seal, self.seq)),
                    None => (None, RecordBody::new(self.seal, self.seq, None)),
                };
                self.ask(version, body)
            }
            Goal::Commit => match &self.swap {
                // On a backend that breaks its contract, the read may be older than the refused
                // swap.
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
            Goal::Erase(expected) => match found {
                Some((version, _)) if version == *expected => self.repeat(),
                None if self.unsettled => Step::Gone { ours: false },
                Some(_) if self.unsettled => Step::Refused(Refused::Unsettled { fenced_by: None }),
                Some(_) | None => Step::Refused(Refused::Conflict),
            },
            Goal::Create => unreachable!("its reads are taken above"),
        }
    }

    /// What a creation that was refused has found instead.
    fn read_by_creator(&self, found: Option<(Version, RecordBody)>) -> Step {
        match found {
            Some((version, body)) if body.created == Some(self.seal.nonce) => Step::Done {
                version,
                body: Arc::new(body),
            },
            Some((version, body)) => Step::Found {
                version,
                body: Arc::new(body),
            },
            // It has been erased since. It may have been this creation, which must not come back.
            None if self.unsettled => Step::Refused(Refused::Unsettled { fenced_by: None }),
            None => self.repeat(),
        }
    }

    /// A newer leader has sealed the record, at this epoch.
    fn outranked(&self, current: Epoch) -> Refused {
        if self.may_have_written() {
            Refused::Unsettled {
                fenced_by: Some(current),
            }
        } else {
            Refused::Fenced { current }
        }
    }

    /// The record has this body, under the seal of this leader.
    fn done(&mut self, version: Version, body: Arc<RecordBody>) -> Step {
        if matches!(self.goal, Goal::Open) && (body.data.is_none() || body.unled) {
            self.unsure = Some((version, body));
            return Step::ReadFloor;
        }
        Step::Done { version, body }
    }

    fn look_at_floor(&mut self, found: Option<Seal>) -> Step {
        let (version, body) = self.unsure.take().expect("the floor was asked for");
        match found {
            Some(seal) if seal == self.seal => Step::Done { version, body },
            Some(seal) if seal.outranks(self.seal) => Step::Refused(Refused::Fenced {
                current: seal.epoch,
            }),
            Some(_) | None => Step::Refused(Refused::NoFloor),
        }
    }

    /// Whether its requests change data. Opening changes none.
    fn changes_data(&self) -> bool {
        match self.goal {
            Goal::Commit | Goal::Erase(_) | Goal::Create => true,
            Goal::Open | Goal::Floor => false,
        }
    }

    /// Whether data may have been changed by a request whose answer was lost.
    fn may_have_written(&self) -> bool {
        self.unsettled && self.changes_data()
    }

    fn ask(&mut self, expected: Option<Version>, body: RecordBody) -> Step {
        let body = Arc::new(body);
        self.swap = Some((expected.clone(), Arc::clone(&body)));
        Step::Swap { expected, body }
    }

    fn repeat(&self) -> Step {
        if let Goal::Erase(version) = &self.goal {
            return Step::Erase {
                expected: version.clone(),
            };
        }
        let (expected, body) = self.swap.clone().expect("a repetition follows a swap");
        Step::Swap { expected, body }
    }
}

#[cfg(test)]
#[path = "write_tests.rs"]
mod tests;
