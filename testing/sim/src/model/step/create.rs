//! What a process does that creates a record without leading.

use super::Run;
use crate::model::Mutation;
use crate::model::creator::{CREATED_RECORD, Creator, CreatorPhase};
use crate::model::state::{Expected, Write};

impl Run<'_> {
    fn creator(&mut self, creator: u8) -> &mut Creator {
        &mut self.state.creators[usize::from(creator)]
    }

    /// The creation that it asks for.
    fn creation(&self, creator: u8) -> Write {
        let mut write = self.protocol.bounds.creation(creator);
        let record = &self.state.records[usize::from(CREATED_RECORD)];
        let tombstone = record.body.is_some_and(|body| body.content.is_empty());
        if self.mutated(Mutation::UnconditionalCreate) {
            write.expected = Expected::Anything;
        } else if self.mutated(Mutation::CreatedOverTombstone) && tombstone {
            write.expected = record.at();
        }
        write
    }

    pub(super) fn create(&mut self, creator: u8) {
        let me = self.creator(creator);
        me.tries += 1;
        me.phase = CreatorPhase::Writing { lost: false };
    }

    pub(super) fn creation_answered(&mut self, creator: u8) {
        let CreatorPhase::Writing { lost } = self.creator(creator).phase else {
            unreachable!("only a creation is answered");
        };
        let write = self.creation(creator);
        if self.land(&write) {
            self.created(creator);
        } else {
            self.creator(creator).phase = CreatorPhase::Refused { lost };
        }
    }

    pub(super) fn creation_lost(&mut self, creator: u8, gives_up: bool) {
        let write = self.creation(creator);
        self.state.budget.lost_answers -= 1;
        self.state.network.push(write);
        self.creator(creator).phase = if self.mutated(Mutation::CreationTakenAsNotApplied) {
            self.not_created(creator);
            CreatorPhase::Done
        } else if gives_up {
            CreatorPhase::Idle
        } else {
            CreatorPhase::Writing { lost: true }
        };
    }

    pub(super) fn creation_checked(&mut self, creator: u8) {
        let CreatorPhase::Refused { lost } = self.creator(creator).phase else {
            unreachable!("only a refusal is checked");
        };
        match self.state.records[usize::from(CREATED_RECORD)].body {
            Some(body) if body.created == creator + 1 => self.created(creator),
            Some(body)
                if !body.content.is_empty() && self.mutated(Mutation::CreationNotRecognized) =>
            {
                self.created(creator);
            }
            Some(_) => {
                // Where names are erased, an own creation may have been, unless it was never sent.
                if !(self.protocol.bounds.erases && lost) {
                    self.not_created(creator);
                }
                self.creator(creator).phase = CreatorPhase::Done;
            }
            // Erased since. It may have been the own one, which must not come back.
            None if lost => self.creator(creator).phase = CreatorPhase::Done,
            None => self.creator(creator).phase = CreatorPhase::Writing { lost },
        }
    }

    /// It is reported as created by this creator.
    fn created(&mut self, creator: u8) {
        let commit = self.protocol.bounds.creation_of(creator);
        let record = &mut self.state.records[usize::from(CREATED_RECORD)];
        record.relied_on = record.relied_on.with(commit);
        self.creator(creator).phase = CreatorPhase::Done;
    }

    /// It is reported as not created by this creator, now or ever.
    fn not_created(&mut self, creator: u8) {
        let refused = &mut self.state.promised.refused;
        *refused = refused.with(self.protocol.bounds.creation_of(creator));
    }
}
