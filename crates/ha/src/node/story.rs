//! Logs and metrics: a change of leader told in five lines.

use incumbent_core::election::{Election, Event, LostBecause, SwapAnswer, Vacancy};
use incumbent_core::{HolderName, Seal, Time, View};
use metrics::{counter, gauge, histogram};

use super::Setup;
use crate::liveness::Verdict;

/// What was told already.
pub(super) struct Story {
    group: String,
    holder: String,
    told: View,
    /// When the claim under way was first possible.
    claimed_at: Option<Time>,
    /// Whether the last verdict on a leader was without proof.
    unproven: bool,
}

impl Story {
    pub(super) fn new(setup: &Setup) -> Self {
        let group = setup.group.to_string();
        gauge!("incumbent_role", "group" => group.clone()).set(0.0);
        Self {
            group,
            holder: setup.config.holder.to_string(),
            told: View::None,
            claimed_at: None,
            unproven: false,
        }
    }

    /// Looks at an event before the election takes it.
    pub(super) fn before(&mut self, election: &Election, now: Time, event: &Event) {
        match event {
            Event::RootSwapped(answer) => {
                let word = match answer {
                    SwapAnswer::Committed(_) => "committed",
                    SwapAnswer::Conflict => "conflict",
                    SwapAnswer::NotApplied => "not_applied",
                    SwapAnswer::Unknown => "unknown",
                };
                counter!("incumbent_root_writes_total", "group" => self.group.clone(), "outcome" => word).increment(1);
                if let (SwapAnswer::Committed(_), Some(valid)) = (answer, election.valid_until()) {
                    let margin = valid.since(now).as_secs_f64();
                    histogram!("incumbent_renewal_margin_seconds", "group" => self.group.clone())
                        .record(margin);
                }
            }
            _ if election.claimed().is_none() => self.claimed_at = Some(now),
            _ => {}
        }
    }

    pub(super) fn dead(&mut self, verdict: Verdict) {
        self.unproven = verdict == Verdict::Vanished;
        let proof = match verdict {
            Verdict::Refused => "its liveness endpoint refuses connections".to_owned(),
            Verdict::AnotherNonce => "its liveness endpoint is in another term".to_owned(),
            Verdict::Ended(how) => how,
            Verdict::Vanished => {
                return tracing::info!(
                    group = self.group,
                    node = self.holder,
                    epoch = epoch(&self.told),
                    sign = "its session with the store has ended",
                    "the leader is taken for dead"
                );
            }
        };
        tracing::info!(
            group = self.group,
            node = self.holder,
            epoch = epoch(&self.told),
            proof,
            "the leader is proven dead"
        );
    }

    pub(super) fn granted(&mut self, seal: Seal, vacancy: Vacancy, now: Time) {
        let because = match vacancy {
            Vacancy::Absent if seal.epoch.get() > 1 => "the root was removed",
            Vacancy::Absent => "nobody led yet",
            Vacancy::Released => "the last leader resigned",
            Vacancy::Expired => "the lease expired",
            Vacancy::ProvenDead if self.unproven => "the last leader was taken for dead",
            Vacancy::ProvenDead => "the last leader is dead",
            Vacancy::Own => "its own last term ended",
        };
        let took = self
            .claimed_at
            .take()
            .map_or(0.0, |at| now.since(at).as_secs_f64());
        tracing::info!(
            group = self.group,
            node = self.holder,
            epoch = seal.epoch.get(),
            because,
            seconds = took,
            "leading"
        );
        gauge!("incumbent_role", "group" => self.group.clone()).set(1.0);
        histogram!("incumbent_takeover_seconds", "group" => self.group.clone()).record(took);
        counter!("incumbent_terms_total", "group" => self.group.clone()).increment(1);
    }

    pub(super) fn lost(&self, seal: Seal, why: &LostBecause) {
        gauge!("incumbent_role", "group" => self.group.clone()).set(0.0);
        let epoch = seal.epoch.get();
        match why {
            LostBecause::Resigned => {
                tracing::info!(group = self.group, node = self.holder, epoch, "resigned")
            }
            why => {
                tracing::warn!(group = self.group, node = self.holder, epoch, why = %describe(why), "leadership lost")
            }
        }
    }

    pub(super) fn asked(&self, to: Option<&HolderName>) {
        let to = to.map_or("anyone", HolderName::as_str);
        tracing::info!(
            group = self.group,
            node = self.holder,
            to,
            "asked to hand over"
        );
    }

    /// Tells of a new view once.
    pub(super) fn view(&mut self, view: &View, election: &Election) {
        let epoch = election.highest_epoch().get();
        gauge!("incumbent_epoch", "group" => self.group.clone()).set(epoch as f64);
        if *view == self.told {
            return;
        }
        match view {
            View::None => tracing::info!(
                group = self.group,
                node = self.holder,
                epoch,
                "nobody leads"
            ),
            View::Activating(leader) => {
                tracing::info!(group = self.group, node = self.holder, epoch, leader = %leader.holder, "activating");
            }
            View::Active(leader) => {
                tracing::info!(group = self.group, node = self.holder, epoch, leader = %leader.holder, endpoints = ?leader.endpoints.values().collect::<Vec<_>>(), "active");
            }
        }
        self.told = view.clone();
    }
}

/// Why a term ended, for people.
pub fn describe(why: &LostBecause) -> String {
    match why {
        LostBecause::Superseded(epoch) => format!("somebody else leads at epoch {epoch}"),
        LostBecause::DeadlinePassed => {
            "no renewal was acknowledged until the renew deadline".into()
        }
        LostBecause::RootGone => "the root record was deleted".into(),
        LostBecause::Resigned => "resigned".into(),
        LostBecause::ResignedUnheard => {
            "resigned, but the backend did not confirm it: others wait for the lease".into()
        }
    }
}

fn epoch(view: &View) -> u64 {
    view.epoch().map_or(0, incumbent_core::Epoch::get)
}
