//! [`Leader`]: one term of a leading JobManager, over all jobs and TaskManagers.
//!
//! ```text
//!   the list, opened records, outcomes of commits ──►┌────────┐──► List, Open, Commit, Erase
//!   reports, verdicts on TaskManagers             ──►│ Leader │──► Order, Acknowledge, Dial, Watch
//!   questions and wishes, each with a ticket      ──►└────────┘──► Answer
//! ```
//!
//! It begins with nothing (R10): its first step asks for the list. The JobManager may activate its
//! term at once: reports are acknowledged, and questions held, before the records are open.
//!
//! Start reading in `job/` (one job) and `presence.rs` (alive, silent or gone). A step takes one
//! event in (`records.rs`, `reports.rs`, `watching.rs`, `deliveries.rs`, `wishes.rs`), then settles
//! each job that it touched (`settle.rs`): at most one commit, and the orders that the record calls
//! for. Slots are `gangs.rs` and `slots.rs`, words are `why.rs` and `stories.rs`.

mod action;
mod adoption;
mod catalog;
mod config;
mod deliveries;
mod event;
mod gangs;
mod job;
mod jobs;
mod manifests;
mod names;
mod nodes;
mod origins;
mod presence;
mod question;
mod questions;
mod records;
mod reports;
mod restart;
mod savepoints;
mod settle;
mod slots;
mod stories;
mod supply;
mod terminal;
mod timers;
mod views;
mod watching;
mod why;
mod wishes;

use std::collections::BTreeSet;

use incumbent_core::{Now, Seal, Time};

pub use self::action::{LeaderAction, Story, Tidy};
pub use self::config::{
    CHECKPOINT_INTERVAL, LeaderConfig, MOST_OPENING, MOST_TERMINAL, RESERVE_AFTER, SILENCE,
};
pub use self::event::{FoundSavepoint, LeaderEvent, Opened, Unwritten};
pub use self::question::{Answer, Question, Ticket};

use self::adoption::Adoption;
use self::catalog::Catalog;
use self::gangs::Gangs;
use self::jobs::Jobs;
use self::names::Names;
use self::nodes::Nodes;
use self::origins::Origins;
use self::questions::Questions;
use self::savepoints::Removals;
use self::stories::Stories;
use self::terminal::Terminal;
use self::timers::{Timer, Timers};
use self::why::cause_of_absence;
use crate::JobId;
use crate::demand::Supply;
use crate::dice::Dice;

/// If nothing was looked at for this part of the silence, this process was asleep, and reports may
/// wait for it.
const ASLEEP_PART: u32 = 2;

/// One term of a leading JobManager.
#[derive(Debug)]
pub struct Leader {
    seal: Seal,
    config: LeaderConfig,
    granted_at: Time,
    stepped_at: Time,
    is_over: bool,
    adoption: Adoption,
    jobs: Jobs,
    nodes: Nodes,
    gangs: Gangs,
    names: Names,
    catalog: Catalog,
    origins: Origins,
    removals: Removals,
    terminal: Terminal,
    questions: Questions,
    stories: Stories,
    timers: Timers,
    dice: Dice,
    /// What is done about slots that are missing, if somebody makes TaskManagers.
    supply: Option<Supply>,
    /// Jobs that are to have so many tasks, and until when slots are wanted for them.
    growing: Vec<(JobId, u32, Time)>,
    /// The jobs to settle in this step.
    touched: BTreeSet<JobId>,
}

impl Leader {
    /// The term begins: `now` is not before the grant.
    pub fn new(config: LeaderConfig, seal: Seal, now: Now) -> Self {
        let mut timers = Timers::default();
        timers.ring_by(Timer::Adoption, now.time);
        Self {
            seal,
            granted_at: now.time,
            stepped_at: now.time,
            is_over: false,
            adoption: Adoption::new(config.most_opening),
            jobs: Jobs::default(),
            nodes: Nodes::new(config.clone(), seal, now.time),
            gangs: Gangs::default(),
            names: Names::default(),
            catalog: Catalog::default(),
            origins: Origins::default(),
            removals: Removals::default(),
            terminal: Terminal::new(config.most_terminal),
            questions: Questions::default(),
            stories: Stories::new(seal),
            timers,
            dice: Dice::new(seal.nonce),
            supply: None,
            growing: Vec::new(),
            touched: BTreeSet::new(),
            config,
        }
    }

    /// Learns something, and says what to do.
    ///
    /// The actions are to be performed in their order; orders to one TaskManager must be sent in
    /// their order. After [`LeaderAction::StepDown`] nothing more comes.
    pub fn step(&mut self, now: Now, event: LeaderEvent) -> Vec<LeaderAction> {
        let mut out = Vec::new();
        if self.is_over {
            return out;
        }
        if now.time.since(self.stepped_at) >= self.config.silence / ASLEEP_PART {
            self.nodes.woke(now.time);
        }
        self.stepped_at = now.time;
        self.absorb(now, event, &mut out);
        while let Some(timer) = self.timers.pop_due(now.time) {
            self.ring(now, timer, &mut out);
        }
        self.settle_touched(now, &mut out);
        let go_on = self.adoption.go_on(now.time, &mut out);
        self.timers.ring_by(Timer::Adoption, go_on);
        self.nodes.order_forgetting(now.time, &mut out);
        if self.is_over {
            out.clear();
            out.push(LeaderAction::StepDown);
        }
        out
    }

    /// When it wants a [`LeaderEvent::Tick`] at the latest.
    pub fn next_wake(&self) -> Option<Time> {
        // Often enough to notice that this process was asleep.
        let soon = self.stepped_at + self.config.silence / (2 * ASLEEP_PART);
        Some(self.timers.next().map_or(soon, |next| next.min(soon)))
    }

    /// The seal of the term.
    pub fn seal(&self) -> Seal {
        self.seal
    }

    fn absorb(&mut self, now: Now, event: LeaderEvent, out: &mut Vec<LeaderAction>) {
        match event {
            LeaderEvent::Listed(ids) => self.listed(now, &ids, out),
            LeaderEvent::Hinted(id) => self.hinted(id),
            LeaderEvent::Opened { job, found } => self.opened(now, job, found, out),
            LeaderEvent::Committed(id) => self.committed(now, id, out),
            LeaderEvent::NotCommitted { job, why } => self.not_committed(now, job, why),
            LeaderEvent::Erased(id) => self.erased(now, id, out),
            LeaderEvent::Reported { report, address } => self.reported(now, *report, address, out),
            LeaderEvent::Dead(nonce) => self.dead(now, nonce, "it is proven dead", out),
            LeaderEvent::Undelivered { to, order, why } => {
                self.undelivered(now, to, &order, &why, out);
            }
            LeaderEvent::Delivered { to, seq: _ } => self.delivered(now, to),
            LeaderEvent::OrderRefused { by, order, why } => {
                self.order_refused(now, by, &order, &why, out);
            }
            LeaderEvent::Asked { ticket, question } => self.asked(now, ticket, question, out),
            LeaderEvent::ManifestStored {
                checkpoint,
                manifest,
            } => self.manifest_stored(&checkpoint, *manifest),
            LeaderEvent::ManifestNotStored {
                checkpoint,
                why,
                is_outage,
            } => self.manifest_not_stored(now, &checkpoint, &why, is_outage, out),
            LeaderEvent::SavepointFound { savepoint, found } => {
                self.savepoint_found(now, savepoint, found);
            }
            LeaderEvent::SavepointRemoved { savepoint, why_not } => {
                self.savepoint_removed(now, savepoint, why_not, out);
            }
            LeaderEvent::Supplied(supply) => self.supplied(*supply),
            LeaderEvent::Retire(name) => self.retire(now, &name, out),
            LeaderEvent::Tick => {}
        }
    }

    fn ring(&mut self, now: Now, timer: Timer, out: &mut Vec<LeaderAction>) {
        match timer {
            // What is due there is done at the end of each step.
            Timer::Adoption => {}
            Timer::Gangs => self.gangs.look(),
            Timer::Questions => {
                self.answer_about_all(now, out);
                if let Some(next) = self.questions.give_up(now.time, out) {
                    self.timers.ring_by(Timer::Questions, next);
                }
            }
            Timer::Job(id) => {
                self.touched.insert(id);
            }
            Timer::Node(nonce) => self.look_at_node(now, nonce, out),
        }
    }
}
