//! [`Room`]: reports once that there is no room for more standbys, and once that there is again.

use incumbent_backend::outage::{News, Outage, Recovery};

/// Whether a liveness endpoint has room for more standbys.
#[derive(Debug)]
pub(super) struct Room {
    most: usize,
    full: Outage,
}

/// What to report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Report {
    Full,
    Free,
}

impl Room {
    pub(super) fn new(most: usize) -> Self {
        Self {
            most,
            full: Outage::new(),
        }
    }

    /// Notes how many places are free. There is room again when a quarter of them are: otherwise
    /// one standby that comes and goes would be reported each time.
    pub(super) fn note(&self, free: usize) -> Option<Report> {
        if free == 0 {
            return (self.full.failed("full") == News::Began).then_some(Report::Full);
        }
        if free < self.most.div_ceil(4) {
            return None;
        }
        match self.full.worked() {
            Recovery::Over { .. } => Some(Report::Free),
            Recovery::First | Recovery::None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_endpoint_is_reported_once_and_again_after_there_was_room() {
        let room = Room::new(8);
        for _ in 0..3 {
            assert_eq!(room.note(8), None);
            assert_eq!(room.note(0), Some(Report::Full));
            assert_eq!(room.note(1), None, "one that comes and goes");
            assert_eq!(room.note(0), None);
            assert_eq!(room.note(2), Some(Report::Free));
        }
    }
}
