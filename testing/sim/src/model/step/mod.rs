//! [`Step`]: one thing that happens, and what it leads to. This and the files below it are the protocol.
//!
//! A request and its answer are one step, because a sender that waits does nothing else and an
//! answer that travels longer only lets it act later. All that matters is when the request reaches
//! the store, and steps of others may come between any two of these.

mod create;
mod enabled;
mod record;
mod root;

use super::state::{
    Commits, Expected, Handle, Leader, MAX_HANDLES, ModelState, Phase, Record, Role, Root,
    RootWrite, Seal, Term, Write, WriteKind,
};
use super::{Bounds, Mutation};

/// The handle of every leader that seals the floor.
pub(super) const FLOOR: u8 = MAX_HANDLES as u8;

/// One thing that happens. `leader` and `handle` are numbers, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Reads the root and asks for it, perhaps with all memory lost.
    Campaign {
        leader: u8,
        restarted: bool,
    },
    /// Looks at one record for its seal; after the last one, asks for the root.
    Scan {
        leader: u8,
    },
    /// The wanted swap of the root is decided, and the candidate hears how.
    ClaimAnswered {
        leader: u8,
    },
    /// No answer: the same swap is sent again, and the first may still land.
    ClaimLost {
        leader: u8,
    },
    /// No answer: the candidate gives up.
    ClaimGivenUp {
        leader: u8,
    },
    /// After a refusal: reads who won.
    ClaimChecked {
        leader: u8,
    },
    /// Asks for the root to be written again under the same seal.
    Renew {
        leader: u8,
    },
    RenewalAnswered {
        leader: u8,
    },
    RenewalLost {
        leader: u8,
    },
    /// Stops leading for no reason.
    Stop {
        leader: u8,
    },
    /// Reads a record and asks for the same body under the own seal.
    Open {
        leader: u8,
        handle: u8,
    },
    Commit {
        leader: u8,
        handle: u8,
    },
    Delete {
        leader: u8,
        handle: u8,
    },
    /// The wanted write is decided, and its sender hears how.
    Answered {
        leader: u8,
        handle: u8,
    },
    /// No answer: the same write is sent again, and the first may still land.
    Lost {
        leader: u8,
        handle: u8,
    },
    /// No answer: the sender closes the handle.
    GivenUp {
        leader: u8,
        handle: u8,
    },
    /// After a refusal: reads who wrote instead.
    Checked {
        leader: u8,
        handle: u8,
    },
    /// After a vacant record was sealed: looks at the floor.
    Confirmed {
        leader: u8,
        handle: u8,
    },
    /// A write that nobody waits for lands.
    Arrive {
        index: u8,
    },
    ArriveRoot {
        index: u8,
    },
    /// A process that does not lead asks for a record to be created.
    Create {
        creator: u8,
    },
    CreationAnswered {
        creator: u8,
    },
    /// No answer: the same creation is sent again, and the first may still land.
    CreationLost {
        creator: u8,
    },
    /// No answer: the creator gives up, for now.
    CreationGivenUp {
        creator: u8,
    },
    /// After a refusal: reads what is there.
    CreationChecked {
        creator: u8,
    },
    /// An operator deletes the root.
    DeleteRoot,
    /// An operator puts back the root of the term before.
    RestoreRoot,
}

/// What a step did that some promise is about.
#[derive(Clone, Copy, Debug)]
pub(super) enum Event {
    /// A write landed on a record that was like this before.
    Landed { before: Record, write: Write },
    /// A leader opened a record and read this; the outside world relied on that before.
    Opened { relied_on: Commits, read: Commits },
    /// A leader began to lead; this term led the same epoch before, and that epoch was the highest
    /// ever led.
    Led {
        seal: Seal,
        same_epoch: Term,
        highest: u8,
    },
    /// The root was written.
    RootWritten { before: Option<Seal>, after: Seal },
}

/// The protocol, or what a mutation leaves of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Protocol {
    pub(super) bounds: Bounds,
    pub(super) mutation: Mutation,
}

impl Root {
    fn next_version(&self, restart: bool) -> u8 {
        if self.seal.is_none() && restart {
            1
        } else {
            self.version + 1
        }
    }
}

impl Leader {
    /// Whether an answer is outstanding.
    fn waits(&self) -> bool {
        let writes = |handle: &Handle| matches!(handle.phase, Phase::Writing(_));
        let renews = matches!(self.role, Role::Leading { renewal: Some(_) });
        renews || self.handles.iter().any(writes)
    }
}

fn matches(expected: Expected, present: Expected) -> bool {
    expected == Expected::Anything || expected == present
}

impl Protocol {
    /// What `step` makes of `state`; the events it caused are added to `events`.
    pub(super) fn take(
        &self,
        state: &ModelState,
        step: Step,
        events: &mut Vec<Event>,
    ) -> ModelState {
        let mut run = Run {
            protocol: self,
            state: state.clone(),
            events,
        };
        run.step(step);
        run.forget_dead_writes();
        run.state
    }
}

/// One step under way.
struct Run<'a> {
    protocol: &'a Protocol,
    state: ModelState,
    events: &'a mut Vec<Event>,
}

impl Run<'_> {
    fn step(&mut self, step: Step) {
        match step {
            Step::Campaign { leader, restarted } => self.campaign(leader.into(), restarted),
            Step::Scan { leader } => self.scan(leader.into()),
            Step::ClaimAnswered { leader } => self.claim_answered(leader.into()),
            Step::ClaimLost { leader } => self.claim_lost(leader.into()),
            Step::ClaimGivenUp { leader } => {
                self.claim_lost(leader.into());
                self.stop_leading(leader.into());
            }
            Step::ClaimChecked { leader } => self.claim_checked(leader.into()),
            Step::Renew { leader } => self.renew(leader.into()),
            Step::RenewalAnswered { leader } => self.renewal_answered(leader.into()),
            Step::RenewalLost { leader } => self.renewal_lost(leader.into()),
            Step::Stop { leader } => {
                if self.me(leader.into()).waits() {
                    self.state.budget.lost_answers -= 1;
                }
                self.stop_leading(leader.into());
            }
            Step::Open { leader, handle } => self.open(leader.into(), handle),
            Step::Commit { leader, handle } => {
                self.commit(leader.into(), handle, WriteKind::Commit)
            }
            Step::Delete { leader, handle } => {
                self.commit(leader.into(), handle, WriteKind::Delete)
            }
            Step::Answered { leader, handle } => self.answered(leader.into(), handle),
            Step::Lost { leader, handle } => self.lost(leader.into(), handle),
            Step::GivenUp { leader, handle } => self.given_up(leader.into(), handle),
            Step::Checked { leader, handle } => self.checked(leader.into(), handle),
            Step::Confirmed { leader, handle } => self.confirmed(leader.into(), handle),
            Step::Arrive { index } => {
                let write = self.state.network.remove(index.into());
                self.land(&write);
            }
            Step::ArriveRoot { index } => {
                let write = self.state.root_network.remove(index.into());
                self.land_root(&write);
            }
            Step::Create { creator } => self.create(creator),
            Step::CreationAnswered { creator } => self.creation_answered(creator),
            Step::CreationLost { creator } => self.creation_lost(creator, false),
            Step::CreationGivenUp { creator } => self.creation_lost(creator, true),
            Step::CreationChecked { creator } => self.creation_checked(creator),
            Step::DeleteRoot => {
                self.state.budget.root_deletions -= 1;
                self.back_up_root();
                self.state.root.seal = None;
            }
            Step::RestoreRoot => {
                self.state.budget.root_restores -= 1;
                let restart = self.protocol.bounds.versions_restart;
                let root = &mut self.state.root;
                root.version = root.next_version(restart);
                root.seal = root.backup.take();
            }
        }
    }

    fn me(&mut self, leader: usize) -> &mut Leader {
        &mut self.state.leaders[leader]
    }

    fn handle(&mut self, leader: usize, handle: u8) -> &mut Handle {
        &mut self.state.leaders[leader].handles[usize::from(handle)]
    }

    fn mutated(&self, mutation: Mutation) -> bool {
        self.protocol.mutation == mutation
    }

    fn outranks(&self, found: Seal, mine: Seal) -> bool {
        if self.mutated(Mutation::NoNonce) {
            return found.epoch > mine.epoch;
        }
        found.outranks(mine)
    }

    // The store.

    /// Decides a write to a record. Says whether it landed.
    fn land(&mut self, write: &Write) -> bool {
        let record = &mut self.state.records[usize::from(write.record)];
        if !matches(write.expected, record.at()) {
            return false;
        }
        let before = *record;
        record.version += 1;
        if write.body.seal.epoch >= record.top.epoch {
            record.top = write.body.seal;
        }
        if write.kind == WriteKind::Erase {
            record.buried = write.body.history;
            record.body = None;
        } else {
            let mut body = write.body;
            body.history = body.history.with(record.buried);
            record.body = Some(body);
            record.buried = Commits::default();
        }
        let landed = &mut self.state.promised.landed;
        *landed = landed.with(write.commit);
        self.events.push(Event::Landed {
            before,
            write: *write,
        });
        true
    }

    /// The same for the root.
    fn land_root(&mut self, write: &RootWrite) -> bool {
        let restart = self.protocol.bounds.versions_restart;
        let root = &mut self.state.root;
        if !matches(write.expected, root.at()) {
            return false;
        }
        let before = root.seal;
        root.version = root.next_version(restart);
        if before.is_some_and(|before| before != write.seal) {
            self.back_up_root();
        }
        self.state.root.seal = Some(write.seal);
        self.events.push(Event::RootWritten {
            before,
            after: write.seal,
        });
        true
    }

    /// Somebody keeps the present root, if it can still be put back.
    fn back_up_root(&mut self) {
        let budget = self.state.budget.root_restores;
        let root = &mut self.state.root;
        root.backup = root.seal.filter(|_| budget > 0);
    }

    /// Drops what can never land any more, and copies: of two equal swaps one lands.
    fn forget_dead_writes(&mut self) {
        let state = &mut self.state;
        let (records, root, budget) = (&state.records, &state.root, &state.budget);
        let protocol = self.protocol;
        keep(&mut state.network, |write| {
            protocol.write_may_land(&records[usize::from(write.record)], write)
        });
        keep(&mut state.root_network, |write| {
            protocol.root_write_may_land(root, budget, write)
        });
    }
}

fn keep<T: PartialEq>(writes: &mut Vec<T>, alive: impl Fn(&T) -> bool) {
    let mut index = 0;
    while index < writes.len() {
        if alive(&writes[index]) && !writes[..index].contains(&writes[index]) {
            index += 1;
        } else {
            writes.remove(index);
        }
    }
}
