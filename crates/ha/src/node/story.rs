//! Logs and metrics: a change of leader in five lines.

use std::time::Duration;

use incumbent_core::election::{Election, Event, LostBecause, SwapAnswer, Vacancy};
use incumbent_core::root::Root;
use incumbent_core::{HolderName, Seal, Time, View};
use metrics::{counter, gauge, histogram};

use super::Setup;
use super::rivals::Verdict;
use crate::liveness::SignOfDeath;
use crate::term::Taken;

/// What was logged already.
pub(super) struct Story {
    group: String,
    holder: String,
    logged: View,
    /// When the claim under way was first possible.
    claimed_at: Option<Time>,
    /// What the last verdict on a holder rests on.
    sign: Sign,
}

/// What a verdict rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sign {
    /// Its process is dead.
    Dead,
    /// Its process may live, and its term is over.
    TermOver,
    /// It is not seen any more. It may live, and not know.
    Unseen,
}

impl Sign {
    fn of(verdict: &Verdict) -> Self {
        match verdict {
            Verdict::Proven(SignOfDeath::Refused) | Verdict::Ended(_) => Self::Dead,
            Verdict::Proven(SignOfDeath::AnotherNonce) => Self::TermOver,
            Verdict::Vanished => Self::Unseen,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Dead => "the leader is proven dead",
            Self::TermOver => "the leader's term is over",
            Self::Unseen => "the leader is taken for dead, without proof",
        }
    }
}

impl Story {
    pub(super) fn new(setup: &Setup) -> Self {
        let group = setup.group.to_string();
        gauge!("incumbent_role", "group" => group.clone()).set(0.0);
        Self {
            group,
            holder: setup.config.holder.to_string(),
            logged: View::None,
            claimed_at: None,
            sign: Sign::Dead,
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

    /// A verdict on the holder of this root.
    pub(super) fn dead(&mut self, verdict: Verdict, root: Option<&Root>) {
        let Some(root) = root else { return };
        let sign = Sign::of(&verdict);
        self.sign = sign;
        let because = match verdict {
            Verdict::Proven(SignOfDeath::Refused) => {
                "its liveness endpoint refuses connections".to_owned()
            }
            Verdict::Ended(how) => how,
            Verdict::Proven(SignOfDeath::AnotherNonce) => {
                "its liveness endpoint answers for another term, or for none".to_owned()
            }
            Verdict::Vanished => "its session with the store has ended".to_owned(),
        };
        tracing::info!(
            group = self.group,
            node = self.holder,
            epoch = root.epoch.get(),
            leader = %root.holder,
            because,
            "{}; campaigning at once",
            sign.words()
        );
    }

    /// A term was won. Returns why there was one to win.
    pub(super) fn granted(
        &mut self,
        seal: Seal,
        vacancy: Vacancy,
        now: Time,
        lease: Duration,
    ) -> Taken {
        let because = match vacancy {
            Vacancy::Absent if seal.epoch.get() > 1 => "the root was removed by hand",
            Vacancy::Absent => "nobody has led before",
            Vacancy::Released => "the last leader resigned",
            Vacancy::Expired => "the lease expired",
            Vacancy::ProvenDead => match self.sign {
                Sign::Dead => "the last leader is dead",
                Sign::TermOver => "the last leader's term is over",
                Sign::Unseen => "the last leader was taken for dead",
            },
            Vacancy::Own => "the last term was this process's own",
        };
        let claimed_at = self.claimed_at.take();
        let claiming = claimed_at.map_or(Duration::ZERO, |at| now.since(at));
        let took = claiming.as_secs_f64();
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
        let silence = match vacancy {
            Vacancy::Expired => lease,
            _ => Duration::ZERO,
        };
        Taken {
            because,
            unled: claiming + silence,
        }
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

    /// Logs a view if it differs from the last one.
    pub(super) fn view(&mut self, view: &View, election: &Election) {
        let epoch = election.highest_epoch().get();
        gauge!("incumbent_epoch", "group" => self.group.clone()).set(epoch as f64);
        if *view == self.logged {
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
        self.logged = view.clone();
    }
}

/// Why a term ended, for people.
pub fn describe(why: &LostBecause) -> String {
    match why {
        LostBecause::Superseded(epoch) => format!("another leader has epoch {epoch}"),
        LostBecause::DeadlinePassed => {
            "no renewal was acknowledged before the renew deadline".into()
        }
        LostBecause::RootGone => "the root record was deleted".into(),
        LostBecause::Resigned => "resigned".into(),
        LostBecause::ResignedUnheard => {
            "resigned, but the store did not confirm it; others wait for the lease to expire".into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Its process answers, so it lives: only the term is over.
    #[test]
    fn a_leader_that_answers_for_another_term_is_not_called_dead() {
        assert_eq!(
            Sign::of(&Verdict::Proven(SignOfDeath::AnotherNonce)),
            Sign::TermOver
        );
        assert!(!Sign::TermOver.words().contains("dead"));
        assert_eq!(
            Sign::of(&Verdict::Proven(SignOfDeath::Refused)).words(),
            "the leader is proven dead"
        );
    }
}
