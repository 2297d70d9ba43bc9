//! [`Troubles`]: failures of the backend, each logged once, and once when it is over.

use std::time::Duration;

use incumbent_backend::Key;
use incumbent_backend::outage::{News, Outage, Recovery};

/// What can fail on its own. The success of one does not end the outage of another.
#[derive(Debug)]
pub(crate) struct Troubles {
    pub(super) reads: Trouble,
    pub(super) writes: Trouble,
    pub(super) scans: Trouble,
    pub(super) floor: Trouble,
    /// The account of this process lacks rights that a leader needs.
    pub(super) rights: Outage,
}

/// One kind of request, and whether it works.
#[derive(Debug)]
pub(crate) struct Trouble {
    /// Names the request in the log, as in `cannot read the root`.
    request: &'static str,
    outage: Outage,
}

impl Default for Troubles {
    fn default() -> Self {
        Self {
            reads: Trouble::of("read the root"),
            writes: Trouble::of("write the root"),
            scans: Trouble::of("read the seals of the group's records"),
            floor: Trouble::of("seal the floor"),
            rights: Outage::new(),
        }
    }
}

impl Troubles {
    /// What fails, and why, in words.
    pub(super) fn words(&self) -> Option<String> {
        let requests = [&self.reads, &self.writes, &self.scans, &self.floor];
        requests.into_iter().find_map(Trouble::words)
    }
}

impl Trouble {
    const fn of(request: &'static str) -> Self {
        Self {
            request,
            outage: Outage::new(),
        }
    }

    /// The request failed, and nothing was changed.
    pub(super) fn failed(&self, key: &Key, error: &str, retry: Duration) {
        let request = self.request;
        match self.outage.failed(error) {
            News::Began | News::OtherReason => {
                tracing::warn!(%key, error, "cannot {request}; retrying within {retry:?}");
            }
            News::Known => tracing::debug!(%key, error, "still cannot {request}"),
        }
    }

    /// The request was sent, and its outcome is unknown.
    pub(super) fn unknown(&self, key: &Key, error: &str, retry: Duration) {
        let request = self.request;
        match self.outage.failed(error) {
            News::Began | News::OtherReason => tracing::warn!(
                %key,
                error,
                "tried to {request}, outcome unknown; retrying within {retry:?}"
            ),
            News::Known => tracing::debug!(%key, error, "tried to {request}, outcome unknown"),
        }
    }

    /// Why it fails, if it does.
    pub(super) fn reason(&self) -> Option<String> {
        self.outage.reason()
    }

    fn words(&self) -> Option<String> {
        let reason = self.reason()?;
        Some(format!("cannot {}: {reason}", self.request))
    }

    /// The backend answered.
    pub(super) fn worked(&self, key: &Key) {
        let request = self.request;
        if let Recovery::Over { failures } = self.outage.worked() {
            tracing::info!(%key, failures, "can {request} again");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fails_is_told_until_it_works() {
        let key = Key::root("g".parse().unwrap());
        let troubles = Troubles::default();
        assert_eq!(troubles.words(), None);
        troubles.writes.failed(&key, "no room", Duration::ZERO);
        let words = troubles.words();
        assert_eq!(words.as_deref(), Some("cannot write the root: no room"));
        troubles.writes.worked(&key);
        assert_eq!(troubles.words(), None);
    }

    /// The end of each kind is noted, so that the same failure is reported when it comes again.
    #[test]
    fn every_failure_is_news_again_after_it_was_over() {
        let key = Key::root("g".parse().unwrap());
        let Troubles {
            reads,
            writes,
            scans,
            floor,
            rights: _,
        } = Troubles::default();
        for trouble in [reads, writes, scans, floor] {
            for _ in 0..3 {
                trouble.unknown(&key, "no answer", Duration::ZERO);
                trouble.failed(&key, "no answer", Duration::ZERO);
                assert!(trouble.outage.reason().is_some());
                trouble.worked(&key);
                assert_eq!(trouble.outage.reason(), None);
            }
        }
    }
}
