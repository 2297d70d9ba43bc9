//! Faults on demand.

use std::time::Duration;

use crate::Act;

/// What goes wrong, and with which requests.
#[derive(Clone, Debug)]
pub struct Fault {
    /// With requests of this kind; with all if there is none.
    pub on: Option<Act>,
    /// How many of them are spared first.
    pub skip: u32,
    /// How many it strikes then; all if there is none.
    pub times: Option<u32>,
    /// How it goes wrong.
    pub how: How,
}

/// How a request goes wrong.
#[derive(Clone, Copy, Debug)]
pub enum How {
    /// It is refused with this status and code, and nothing is done.
    Answer(u16, &'static str),
    /// The connection is cut, and nothing is done.
    CutBefore,
    /// It is done, and the connection is cut instead of an answer.
    CutAfter,
    /// It is done after this time.
    Delay(Duration),
}

/// The faults that may still strike, in the order in which they were injected.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<Fault>);

impl Faults {
    pub(crate) fn add(&mut self, fault: Fault) {
        self.0.push(fault);
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// The fault that strikes a request of this kind.
    pub(crate) fn strike(&mut self, act: Act) -> Option<How> {
        for fault in &mut self.0 {
            if fault.on.is_some_and(|on| on != act) {
                continue;
            }
            if fault.skip > 0 {
                fault.skip -= 1;
                continue;
            }
            match &mut fault.times {
                Some(0) => continue,
                Some(times) => *times -= 1,
                None => {}
            }
            return Some(fault.how);
        }
        None
    }
}
