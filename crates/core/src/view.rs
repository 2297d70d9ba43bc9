//! [`View`]: who leads, as observers see it.

use std::collections::BTreeMap;

use crate::root::{Root, TermState};
use crate::{EndpointName, Epoch, HolderName, Nonce};

/// Who leads a group, as far as this process knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum View {
    /// Nobody: never yet, given up, silent for the lease duration, or deleted.
    #[default]
    None,
    /// A candidate has won the next term and prepares to serve. There is nothing to connect to yet.
    Activating(Leader),
    /// A leader serves.
    Active(Leader),
}

/// The holder of a term.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leader {
    /// Its fencing token.
    pub epoch: Epoch,
    /// Tells this term from any other, whatever happened to the root.
    pub nonce: Nonce,
    /// Its name.
    pub holder: HolderName,
    /// Its endpoints by name; empty while activating.
    pub endpoints: BTreeMap<EndpointName, String>,
    /// When its term began, by its own wall clock. For people; never compared.
    pub since: String,
}

/// Turns root records into views in which an active leader never follows one of a higher epoch.
#[derive(Clone, Debug, Default)]
pub struct ViewTracker {
    highest: Epoch,
}

impl View {
    /// The leader if it is active.
    pub fn active(&self) -> Option<&Leader> {
        match self {
            Self::Active(leader) => Some(leader),
            Self::None | Self::Activating(_) => None,
        }
    }

    /// The epoch, if there is a term.
    pub fn epoch(&self) -> Option<Epoch> {
        match self {
            Self::None => None,
            Self::Activating(leader) | Self::Active(leader) => Some(leader.epoch),
        }
    }
}

impl ViewTracker {
    /// The view of this root. `silent` says that its holder has not written for the lease duration.
    pub fn view(&mut self, root: Option<&Root>, silent: bool) -> View {
        let Some(root) = root else { return View::None };
        // An older root can come back from a backup. Its leader is long gone.
        if root.epoch < self.highest {
            return View::None;
        }
        if root.state == TermState::Active {
            self.highest = root.epoch;
        }
        match root.state {
            _ if silent => View::None,
            TermState::Released => View::None,
            TermState::Activating => View::Activating(leader(root, BTreeMap::new())),
            TermState::Active => View::Active(leader(root, root.endpoints.clone())),
        }
    }
}

fn leader(root: &Root, endpoints: BTreeMap<EndpointName, String>) -> Leader {
    Leader {
        epoch: root.epoch,
        nonce: root.nonce,
        holder: root.holder.clone(),
        endpoints,
        since: root.since.clone(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::Seal;

    fn root(epoch: u64, state: TermState) -> Root {
        let seal = Seal {
            epoch: Epoch::new(epoch),
            nonce: Nonce::new(1),
        };
        let mut root = Root::begin(
            seal,
            "a".parse().unwrap(),
            None,
            Duration::from_secs(15),
            String::new(),
        );
        root.state = state;
        root.endpoints
            .insert("web".parse().unwrap(), "http://a".into());
        root
    }

    #[test]
    fn only_an_active_leader_is_handed_out() {
        let mut tracker = ViewTracker::default();
        assert_eq!(tracker.view(None, false), View::None);
        let View::Activating(leader) = tracker.view(Some(&root(1, TermState::Activating)), false)
        else {
            panic!()
        };
        assert!(leader.endpoints.is_empty());
        assert_eq!(
            tracker
                .view(Some(&root(1, TermState::Active)), false)
                .active()
                .unwrap()
                .endpoints
                .len(),
            1
        );
        assert_eq!(
            tracker.view(Some(&root(1, TermState::Active)), true),
            View::None
        );
        assert_eq!(
            tracker.view(Some(&root(1, TermState::Released)), false),
            View::None
        );
    }

    /// A term that never became active was nobody's to follow. Its root may have been replaced by
    /// hand with an older one.
    #[test]
    fn a_term_that_was_only_activating_hides_no_other() {
        let mut tracker = ViewTracker::default();
        tracker.view(Some(&root(5, TermState::Activating)), false);
        assert!(
            tracker
                .view(Some(&root(4, TermState::Active)), false)
                .active()
                .is_some()
        );
    }

    #[test]
    fn views_never_go_back_in_epoch() {
        let mut tracker = ViewTracker::default();
        tracker.view(Some(&root(5, TermState::Active)), false);
        assert_eq!(
            tracker.view(Some(&root(4, TermState::Active)), false),
            View::None
        );
        assert_eq!(tracker.view(None, false), View::None);
        assert_eq!(
            tracker
                .view(Some(&root(6, TermState::Active)), false)
                .epoch(),
            Some(Epoch::new(6))
        );
    }
}
