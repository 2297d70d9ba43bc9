//! [`Promise`]: what the protocol is for. Each is one function that finds a step which breaks it.

use std::fmt;

use super::Bounds;
use super::state::{ModelState, Term, WriteKind};
use super::step::Event;

/// Something that must hold in every reachable state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Promise {
    /// A write of an old leader never lands after a new leader has read.
    OldWritesStayOut,
    /// No record is written under a lower seal than it has had.
    SealsNeverGoDown,
    /// No epoch is led by two terms.
    EpochLedOnce,
    /// Epochs are led in rising order.
    EpochsRise,
    /// The root is only ever written under its own seal or a higher epoch. Not watched where
    /// versions restart: there a late claim may land on a root created anew, and it is the floor
    /// that keeps its sender from leading.
    RootRises,
    /// What was acknowledged or read stays part of all that follows.
    NothingLost,
    /// A leader that opens a record reads all that was acknowledged, or read by others, before.
    ReadsAreCurrent,
    /// What was reported as not applied has not landed, and never does.
    RefusedMeansNever,
    /// No commit lands twice.
    NothingTwice,
    /// What an acknowledged deletion took away does not come back.
    DeletedStaysDeleted,
}

impl Promise {
    /// Every promise, in the order in which they are looked at.
    pub const ALL: [Self; 10] = [
        Self::OldWritesStayOut,
        Self::SealsNeverGoDown,
        Self::EpochLedOnce,
        Self::EpochsRise,
        Self::RootRises,
        Self::NothingLost,
        Self::ReadsAreCurrent,
        Self::RefusedMeansNever,
        Self::NothingTwice,
        Self::DeletedStaysDeleted,
    ];

    /// Whether a step that caused `events` and led to `after` keeps this promise.
    pub(super) fn kept(self, bounds: &Bounds, events: &[Event], after: &ModelState) -> bool {
        match self {
            Self::OldWritesStayOut => events
                .iter()
                .all(|event| changes_no_data(bounds, event) || old_writes_stay_out(event)),
            Self::SealsNeverGoDown => events
                .iter()
                .all(|event| changes_no_data(bounds, event) || seals_never_go_down(event)),
            Self::EpochLedOnce => events.iter().all(epoch_led_once),
            Self::EpochsRise => events.iter().all(epochs_rise),
            Self::RootRises => bounds.versions_restart || events.iter().all(root_rises),
            Self::NothingLost => nothing_lost(after),
            Self::ReadsAreCurrent => events.iter().all(reads_are_current),
            Self::RefusedMeansNever => refused_means_never(after),
            Self::NothingTwice => events.iter().all(nothing_twice),
            Self::DeletedStaysDeleted => deleted_stays_deleted(after),
        }
    }
}

impl fmt::Display for Promise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OldWritesStayOut => "a write of an old leader never lands after a newer one read",
            Self::SealsNeverGoDown => "no record is written under a lower seal than it has had",
            Self::EpochLedOnce => "no epoch is led by two terms",
            Self::EpochsRise => "epochs are led in rising order",
            Self::RootRises => "the root is written under its own seal or a higher epoch",
            Self::NothingLost => "what was acknowledged or read stays part of all that follows",
            Self::ReadsAreCurrent => {
                "a leader that opens a record reads all that was acknowledged before"
            }
            Self::RefusedMeansNever => "what was reported as not applied never lands",
            Self::NothingTwice => "no commit lands twice",
            Self::DeletedStaysDeleted => "what was deleted does not come back",
        })
    }
}

/// Whether all that happened is that nothing became a vacant record, or that one another's, or that
/// a record which no leader has written became another's. Where records are erased, an older leader
/// may do so; nobody can tell the two apart by what they read. And a process that creates a
/// record where none is needs no seal.
fn changes_no_data(bounds: &Bounds, event: &Event) -> bool {
    match event {
        Event::Landed { before, write } if write.kind == WriteKind::Create => before.body.is_none(),
        Event::Landed { before, write } => {
            let found = before.known();
            let unwritten = found.content.is_empty() || found.unled;
            bounds.erases && write.kind == WriteKind::Seal && unwritten
        }
        Event::Opened { .. } | Event::Led { .. } | Event::RootWritten { .. } => false,
    }
}

fn old_writes_stay_out(event: &Event) -> bool {
    match event {
        Event::Landed { before, write } => !before.opener.outranks(write.body.seal),
        Event::Opened { .. } | Event::Led { .. } | Event::RootWritten { .. } => true,
    }
}

fn seals_never_go_down(event: &Event) -> bool {
    match event {
        Event::Landed { before, write } => !before.top.outranks(write.body.seal),
        Event::Opened { .. } | Event::Led { .. } | Event::RootWritten { .. } => true,
    }
}

fn epoch_led_once(event: &Event) -> bool {
    match event {
        Event::Led {
            seal, same_epoch, ..
        } => *same_epoch == Term::default() || *same_epoch == seal.term,
        Event::Landed { .. } | Event::Opened { .. } | Event::RootWritten { .. } => true,
    }
}

fn epochs_rise(event: &Event) -> bool {
    match event {
        Event::Led { seal, highest, .. } => seal.epoch >= *highest,
        Event::Landed { .. } | Event::Opened { .. } | Event::RootWritten { .. } => true,
    }
}

fn root_rises(event: &Event) -> bool {
    match event {
        Event::RootWritten { before, after } => {
            before.is_none_or(|before| before == *after || before.epoch < after.epoch)
        }
        Event::Landed { .. } | Event::Opened { .. } | Event::Led { .. } => true,
    }
}

fn nothing_lost(after: &ModelState) -> bool {
    let mut records = after.records.iter();
    records.all(|record| record.history().contains(record.relied_on))
}

fn reads_are_current(event: &Event) -> bool {
    match event {
        Event::Opened { relied_on, read } => read.contains(*relied_on),
        Event::Landed { .. } | Event::Led { .. } | Event::RootWritten { .. } => true,
    }
}

fn refused_means_never(after: &ModelState) -> bool {
    !after.promised.refused.overlaps(after.promised.landed)
}

fn nothing_twice(event: &Event) -> bool {
    match event {
        Event::Landed { before, write } => !before.history().overlaps(write.commit),
        Event::Opened { .. } | Event::Led { .. } | Event::RootWritten { .. } => true,
    }
}

fn deleted_stays_deleted(after: &ModelState) -> bool {
    let mut records = after.records.iter();
    records.all(|record| !record.known().content.overlaps(record.deleted))
}
