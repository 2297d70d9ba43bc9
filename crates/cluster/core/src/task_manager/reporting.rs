//! [`Reporting`]: when a report is sent, and what is in it.
//!
//! One report is under way at a time. A change is sent at once, a heartbeat after a while; a report
//! that is not acknowledged is followed by another that has the same changes and the newer ones.

use std::time::Duration;

use incumbent_core::{Nonce, Pace, Time};

use super::tasks::Tasks;
use super::{TaskManager, TaskManagerAction, TaskManagerConfig};
use crate::NodeNonce;
use crate::dice::Dice;
use crate::leader::Story;
use crate::message::{Ack, Report};

/// First pause after a report that was not acknowledged. The longest is the one between heartbeats.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// What is known of the reports to the present leader.
#[derive(Debug)]
pub(super) struct Reporting {
    seq: u64,
    under_way: Option<UnderWay>,
    /// Whether this term has not acknowledged a full report.
    needs_full: bool,
    pub(super) ports_changed: bool,
    /// Whether draining, or whether the blobs answer, has changed.
    pub(super) flags_changed: bool,
    /// When the next heartbeat is due.
    beat_at: Time,
    hold_until: Time,
    pace: Pace,
    dice: Dice,
    /// What the leader has said why it does not take this process in.
    refused: Option<String>,
}

#[derive(Debug)]
struct UnderWay {
    seq: u64,
    given_up_at: Time,
    /// The newest change of a task that is in it.
    change: u64,
    is_full: bool,
}

impl Reporting {
    pub(super) fn new(nonce: NodeNonce) -> Self {
        Self {
            seq: 0,
            under_way: None,
            needs_full: true,
            ports_changed: false,
            flags_changed: false,
            beat_at: Time::default(),
            hold_until: Time::default(),
            pace: Pace::new(FIRST_PAUSE, FIRST_PAUSE),
            dice: Dice::new(Nonce::new(nonce.get())),
            refused: None,
        }
    }

    /// A term that this process has told nothing yet.
    pub(super) fn begin_term(&mut self) {
        self.needs_full = true;
        self.under_way = None;
        self.hold_until = Time::default();
        self.pace.reset();
    }

    /// Whether the leader does not know everything.
    pub(super) fn has_news(&self, tasks: &Tasks) -> bool {
        self.needs_full || self.ports_changed || self.flags_changed || tasks.has_news()
    }

    /// A report was not acknowledged.
    pub(super) fn not_acknowledged(&mut self, seq: u64, now: Time) {
        let Some(report) = self.under_way.take_if(|report| report.seq == seq) else {
            return;
        };
        // What was in it is sent again.
        self.needs_full |= report.is_full;
        self.ports_changed = true;
        self.flags_changed = true;
        self.hold_until = now + self.pace.after_failure(self.dice.number());
    }

    /// The present leader has acknowledged a report.
    pub(super) fn acknowledged(
        &mut self,
        ack: &Ack,
        config: &TaskManagerConfig,
        now: Time,
        tasks: &mut Tasks,
        out: &mut Vec<TaskManagerAction>,
    ) {
        self.pace = Pace::new(FIRST_PAUSE, config.heartbeat);
        let report = self.under_way.take_if(|report| report.seq == ack.seq);
        if ack.is_registered {
            self.refused = None;
        } else {
            self.needs_full = true;
        }
        let Some(report) = report else {
            return;
        };
        if ack.is_registered {
            tasks.known_up_to(report.change);
        } else if report.is_full {
            // It was refused, or the leader is of another mind: not again at once.
            self.hold_until = now + config.heartbeat;
        }
        if let Some(why) = ack.refused.as_ref().filter(|_| self.refused != ack.refused) {
            out.push(TaskManagerAction::Tell(Story {
                job: None,
                attempt: None,
                is_warning: true,
                text: format!("the leader does not take this TaskManager in: {why}"),
            }));
            self.refused.clone_from(&ack.refused);
        }
    }
}

impl TaskManager {
    /// Sends a report, if one is due and a leader is known.
    pub(super) fn report_if_due(&mut self, now: Time, out: &mut Vec<TaskManagerAction>) {
        let reporting = &mut self.reporting;
        if let Some(report) = &reporting.under_way
            && report.given_up_at <= now
        {
            let seq = report.seq;
            reporting.not_acknowledged(seq, now);
            reporting.hold_until = now;
        }
        let is_due = self.next_report_at().is_some_and(|at| at <= now);
        let (Some(to), Some(seal)) = (self.leader.clone(), self.seen) else {
            return;
        };
        if !is_due || self.reporting.under_way.is_some() {
            return;
        }
        let reporting = &mut self.reporting;
        let is_full = reporting.needs_full;
        let (tasks, change) = self.tasks.report(is_full);
        reporting.seq += 1;
        let has_ports = is_full || reporting.ports_changed;
        let report = Report {
            seal,
            from: self.config.nonce,
            seq: reporting.seq,
            is_full,
            node: is_full.then(|| self.config.node.clone()),
            ports: has_ports.then(|| self.ports.all()),
            tasks,
            is_draining: self.is_draining,
            has_blobs: self.has_blobs,
        };
        reporting.needs_full = false;
        reporting.ports_changed = false;
        reporting.flags_changed = false;
        reporting.beat_at = now + self.config.heartbeat;
        reporting.under_way = Some(UnderWay {
            seq: reporting.seq,
            given_up_at: now + self.config.patience,
            change,
            is_full,
        });
        out.push(TaskManagerAction::Send {
            to,
            report: Box::new(report),
        });
    }

    /// When a report is due, or one that is under way is given up.
    pub(super) fn next_report_at(&self) -> Option<Time> {
        self.leader.as_ref()?;
        let reporting = &self.reporting;
        if let Some(report) = &reporting.under_way {
            return Some(report.given_up_at);
        }
        if !reporting.has_news(&self.tasks) {
            return Some(reporting.beat_at.max(reporting.hold_until));
        }
        // A slot that has just come free has its port in a moment.
        let ports = self.ports.wait_until().unwrap_or_default();
        Some(ports.min(reporting.beat_at).max(reporting.hold_until))
    }
}
