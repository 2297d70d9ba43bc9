//! [`Ports`]: each slot reserves one port, so that the leader knows it before anything is placed.

use std::time::Duration;

use incumbent_core::Time;

use super::TaskManagerAction;

/// How long a change is not reported because a port is being reserved: a slot without a port is of
/// no use to the leader.
const PORT_PATIENCE: Duration = Duration::from_millis(200);

/// After which a port that could not be reserved is asked for again.
const RESERVE_AGAIN: Duration = Duration::from_secs(2);

/// The slots.
#[derive(Debug)]
pub(super) struct Ports {
    slots: Vec<Port>,
    /// How many have none.
    missing: usize,
}

#[derive(Clone, Debug)]
enum Port {
    /// It is to be reserved.
    Wanted,
    /// It was asked for at this time, because the slot came free at `since`.
    Asked {
        at: Time,
        since: Time,
    },
    Reserved(u16),
    /// The slot came free.
    Lost {
        since: Time,
    },
}

impl Ports {
    pub(super) fn new(slots: u32) -> Self {
        Self {
            slots: vec![Port::Wanted; slots as usize],
            missing: slots as usize,
        }
    }

    /// The port of a slot; `None` if there is no such slot, 0 if it has none now.
    pub(super) fn get(&self, slot: u32) -> Option<u16> {
        self.slots.get(slot as usize).map(Port::number)
    }

    /// All of them, by slot.
    pub(super) fn all(&self) -> Vec<u16> {
        self.slots.iter().map(Port::number).collect()
    }

    /// Asks for what is missing.
    pub(super) fn reserve(&mut self, now: Time, out: &mut Vec<TaskManagerAction>) {
        if self.missing == 0 {
            return;
        }
        for (slot, port) in (0..).zip(&mut self.slots) {
            let since = match port {
                Port::Wanted => now,
                Port::Lost { since } => *since,
                Port::Asked { at, since } if *at + RESERVE_AGAIN <= now => *since,
                Port::Asked { .. } | Port::Reserved(_) => continue,
            };
            *port = Port::Asked { at: now, since };
            out.push(TaskManagerAction::Reserve { slot });
        }
    }

    /// A slot has this port; whether that is another than it had.
    pub(super) fn reserved(&mut self, slot: u32, port: u16) -> bool {
        let Some(here) = self.slots.get_mut(slot as usize) else {
            return false;
        };
        let before = here.number();
        *here = Port::Reserved(port);
        self.count();
        before != port
    }

    /// The task that had the port of this slot has ended.
    pub(super) fn lost(&mut self, slot: u32, now: Time) {
        if let Some(port) = self.slots.get_mut(slot as usize) {
            *port = Port::Lost { since: now };
            self.count();
        }
    }

    /// Until when a report may wait for ports that are being reserved.
    pub(super) fn wait_until(&self) -> Option<Time> {
        if self.missing == 0 {
            return None;
        }
        let since = self.slots.iter().filter_map(|port| match port {
            Port::Asked { since, .. } | Port::Lost { since } => Some(*since),
            Port::Wanted | Port::Reserved(_) => None,
        });
        Some(since.min()? + PORT_PATIENCE)
    }

    /// When a port is asked for again.
    pub(super) fn next_wake(&self) -> Option<Time> {
        if self.missing == 0 {
            return None;
        }
        let asked = self.slots.iter().filter_map(|port| match port {
            Port::Asked { at, .. } => Some(*at + RESERVE_AGAIN),
            Port::Wanted | Port::Lost { .. } | Port::Reserved(_) => None,
        });
        asked.min()
    }

    fn count(&mut self) {
        let missing = |port: &&Port| !matches!(port, Port::Reserved(_));
        self.missing = self.slots.iter().filter(missing).count();
    }
}

impl Port {
    fn number(&self) -> u16 {
        match self {
            Self::Reserved(port) => *port,
            Self::Wanted | Self::Asked { .. } | Self::Lost { .. } => 0,
        }
    }
}
