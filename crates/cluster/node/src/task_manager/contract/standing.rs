//! [`Standing`]: what a task was told, as it stands; [`Told`]: what one reader of it knows. Pure.
//!
//! A reader gets what has changed since it read last, so one that is slow costs nothing: if
//! numbers 7 and 8 were committed meanwhile, `committed 8` says both (R13). A new reader knows
//! nothing, and so it is told what stands.

use incumbent_cluster_core::SavepointId;
use incumbent_cluster_core::message::ContractOrder;
use serde::Serialize;
use utoipa::ToSchema;

/// What a task was told, as it stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Standing {
    /// The gang is ready.
    pub(super) has_begun: bool,
    /// The highest number that is committed.
    pub(super) committed: u64,
    /// The highest number that was aborted.
    pub(super) aborted: u64,
    /// The highest number that it was asked for.
    asked: u64,
    /// What it has not answered yet.
    pending: Option<(u64, Option<SavepointId>)>,
    has_finished: bool,
    pub(super) is_stopped: bool,
}

/// What a reader of events knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    committed: u64,
    aborted: u64,
    asked: u64,
    is_stopped: bool,
}

/// A line of `GET /v1/events`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(super) enum TaskEvent {
    /// Store this checkpoint.
    Checkpoint {
        /// Its number.
        number: u64,
        /// It will be a savepoint. There only if it is true.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        savepoint: bool,
    },
    /// All up to this number is to be published.
    Committed {
        /// The number.
        number: u64,
    },
    /// This number will never be complete. What was staged for it belongs to the next one. This
    /// rank may never have been asked for it.
    Aborted {
        /// The number.
        number: u64,
    },
    /// Publish nothing new, and exit with 0.
    Stop,
}

impl Standing {
    pub(super) fn take(&mut self, order: ContractOrder) {
        match order {
            ContractOrder::Begin => self.has_begun = true,
            ContractOrder::Checkpoint { number, savepoint } => {
                self.asked = self.asked.max(number);
                self.pending = Some((number, savepoint));
            }
            ContractOrder::Committed { number } => {
                self.committed = self.committed.max(number);
                self.pending.take_if(|(pending, _)| *pending <= number);
            }
            ContractOrder::Aborted { number } => {
                self.aborted = self.aborted.max(number);
                self.pending.take_if(|(pending, _)| *pending <= number);
            }
            ContractOrder::Stop => self.is_stopped = true,
        }
    }

    /// The task has answered: it is not asked again.
    pub(super) fn answered(&mut self, number: u64) {
        self.pending.take_if(|(pending, _)| *pending <= number);
    }

    /// Nothing more will come of the task: it is asked for nothing.
    pub(super) fn finished(&mut self) {
        self.pending = None;
        self.has_finished = true;
    }

    /// Whether this number is decided.
    pub(super) fn has_decided(&self, number: u64) -> bool {
        self.committed.max(self.aborted) >= number
    }
}

impl Told {
    /// Whether nothing more will come.
    pub(super) fn is_all(&self) -> bool {
        self.is_stopped
    }

    /// What has changed, in its order; it is known from now on.
    pub(super) fn news(&mut self, now: &Standing) -> Vec<TaskEvent> {
        let mut news = Vec::new();
        if now.committed > self.committed {
            self.committed = now.committed;
            news.push(TaskEvent::Committed {
                number: now.committed,
            });
        }
        // Others may wait until it knows of a number that it was never asked for, and nobody waits
        // for a rank that has finished.
        let is_of_interest = now.aborted <= now.asked || !now.has_finished;
        let known = self.aborted.max(now.committed);
        if is_of_interest && now.aborted > known {
            self.aborted = now.aborted;
            if self.asked > known && self.asked < now.aborted {
                let number = self.asked;
                news.push(TaskEvent::Aborted { number });
            }
            news.push(TaskEvent::Aborted {
                number: now.aborted,
            });
        }
        if let Some((number, savepoint)) = now.pending
            && number > self.asked
        {
            self.asked = number;
            let savepoint = savepoint.is_some();
            news.push(TaskEvent::Checkpoint { number, savepoint });
        }
        if now.is_stopped && !self.is_stopped {
            self.is_stopped = true;
            news.push(TaskEvent::Stop);
        }
        news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(number: u64) -> ContractOrder {
        let savepoint = None;
        ContractOrder::Checkpoint { number, savepoint }
    }

    fn committed(number: u64) -> ContractOrder {
        ContractOrder::Committed { number }
    }

    fn aborted(number: u64) -> ContractOrder {
        ContractOrder::Aborted { number }
    }

    fn texts(news: Vec<TaskEvent>) -> Vec<String> {
        let text = |event: &TaskEvent| serde_json::to_string(event).unwrap();
        news.iter().map(text).collect()
    }

    #[test]
    fn a_reader_is_told_each_event_once() {
        let (mut now, mut told) = (Standing::default(), Told::default());
        let mut all = Vec::new();
        for order in [
            ContractOrder::Begin,
            asked(1),
            committed(1),
            asked(2),
            aborted(2),
            asked(3),
            committed(3),
            ContractOrder::Stop,
        ] {
            now.take(order);
            all.extend(texts(told.news(&now)));
            assert!(told.news(&now).is_empty());
        }
        let expected = [
            r#"{"event":"checkpoint","number":1}"#,
            r#"{"event":"committed","number":1}"#,
            r#"{"event":"checkpoint","number":2}"#,
            r#"{"event":"aborted","number":2}"#,
            r#"{"event":"checkpoint","number":3}"#,
            r#"{"event":"committed","number":3}"#,
            r#"{"event":"stop"}"#,
        ];
        assert_eq!(all, expected);
    }

    #[test]
    fn a_new_reader_is_told_what_stands() {
        let mut now = Standing::default();
        now.take(asked(1));
        now.take(committed(1));
        now.take(asked(2));
        now.take(aborted(2));
        let number = 3;
        let savepoint = Some(SavepointId::new(1));
        now.take(ContractOrder::Checkpoint { number, savepoint });
        let stands = [
            r#"{"event":"committed","number":1}"#,
            r#"{"event":"aborted","number":2}"#,
            r#"{"event":"checkpoint","number":3,"savepoint":true}"#,
        ];
        assert_eq!(texts(Told::default().news(&now)), stands);
        now.answered(3);
        assert_eq!(texts(Told::default().news(&now)), stands[..2]);
        now.take(committed(3));
        now.take(ContractOrder::Stop);
        let stands = [r#"{"event":"committed","number":3}"#, r#"{"event":"stop"}"#];
        assert_eq!(texts(Told::default().news(&now)), stands);
    }

    #[test]
    fn a_slow_reader_is_told_the_outcome_and_not_the_way() {
        let (mut now, mut told) = (Standing::default(), Told::default());
        for number in (1..10_000).step_by(2) {
            now.take(asked(number));
            now.take(aborted(number));
            now.take(asked(number + 1));
            now.take(committed(number + 1));
        }
        let committed = r#"{"event":"committed","number":10000}"#;
        assert_eq!(texts(told.news(&now)), [committed]);
    }

    #[test]
    fn a_reader_is_told_that_a_number_is_aborted_that_it_was_never_asked_for() {
        let (mut now, mut told) = (Standing::default(), Told::default());
        now.take(aborted(2));
        let two = TaskEvent::Aborted { number: 2 };
        assert_eq!(told.news(&now), [two]);
        assert!(told.news(&now).is_empty());
        now.take(asked(3));
        told.news(&now);
        // It was asked for 3, and others for 5: it hears of both, however slow it is.
        now.take(aborted(3));
        now.take(aborted(5));
        let both = [3, 5].map(|number| TaskEvent::Aborted { number });
        assert_eq!(told.news(&now), both);
        // A new reader knows of neither.
        assert_eq!(Told::default().news(&now), both[1..]);
        now.take(committed(6));
        let committed = TaskEvent::Committed { number: 6 };
        assert_eq!(told.news(&now), [committed]);
    }

    #[test]
    fn a_rank_that_finished_is_told_of_no_number_that_it_was_not_asked_for() {
        let (mut now, mut told) = (Standing::default(), Told::default());
        now.take(asked(1));
        now.finished();
        now.take(aborted(2));
        assert!(told.news(&now).is_empty());
        now.take(committed(3));
        assert_eq!(told.news(&now), [TaskEvent::Committed { number: 3 }]);
    }
}
