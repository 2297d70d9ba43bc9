//! Whether the cluster answers, and whether somebody leads.

use std::time::Duration;

/// What one question to the nodes has found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) enum Probe {
    /// A node answers, and says in a word how the leader is: `ready`, `no leader`, …
    Answered { node: String, leader: String },
    /// None does, each for its reason.
    Nobody(String),
}

/// What is known of it, and since when.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Link {
    last: Option<Probe>,
    /// Since when it has been so.
    since: Duration,
}

impl Link {
    pub(super) fn probed(&mut self, at: Duration, probe: Probe) {
        let is_same = match (&self.last, &probe) {
            (Some(Probe::Answered { leader: a, .. }), Probe::Answered { leader: b, .. }) => a == b,
            (Some(Probe::Nobody(_)), Probe::Nobody(_)) => true,
            _ => false,
        };
        if !is_same {
            self.since = at;
        }
        self.last = Some(probe);
    }

    /// Whether a node answers and passes on to a leader.
    pub(in super::super) fn is_good(&self) -> bool {
        matches!(&self.last, Some(Probe::Answered { leader, .. }) if leader == "ready")
    }

    /// In words: who was asked, and what is wrong for how long.
    pub(in super::super) fn in_words(&self, now: Duration) -> String {
        let seconds = now.saturating_sub(self.since).as_secs();
        match &self.last {
            None => "asking the cluster…".into(),
            Some(Probe::Nobody(why)) => {
                format!("no node answers since {seconds} s: {why}; still asking")
            }
            Some(Probe::Answered { node, leader }) => match leader.as_str() {
                "ready" => format!("{node} answers"),
                "no leader" => format!(
                    "nobody leads since {seconds} s: tasks go on, changes wait for the next leader ({node} answers)"
                ),
                "unreadable" => format!(
                    "the store does not answer since {seconds} s: tasks go on, changes wait ({node} answers)"
                ),
                "not published" => format!("a new leader begins ({node} answers)"),
                _ => format!(
                    "the leader is not reached since {seconds} s ({node} answers: {leader})"
                ),
            },
        }
    }
}
