//! What the screen knows and shows. Pure: events and a time go in, actions come out.

mod keys;
mod link;
mod rows;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::{Duration, SystemTime};

use incumbent_cluster_core::view::JobView;

pub(super) use keys::Key;
pub(super) use link::{Link, Probe};
pub(super) use rows::{Rows, Sort};

use super::plan::{Plan, Verb};
use super::snapshot::Snapshot;

/// Lines of logs that are kept: some screens to scroll back.
pub(super) const MOST_LINES: usize = 2000;

/// How long the outcome of an action stays on the screen.
const TOLD: Duration = Duration::from_secs(10);

/// A moment: of a clock that only goes forward, and of the wall, to say how long ago something was.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    pub(super) since_start: Duration,
    pub(super) wall: SystemTime,
}

/// What has happened.
#[derive(Debug)]
pub(super) enum Event {
    Key(Key),
    /// Time has passed, or the terminal has another size: only drawn again.
    Tick,
    /// Whether a node answers, and whether somebody leads.
    Probed(Probe),
    Looked(Snapshot),
    /// The job that is [watched](State::watched), with all that is known of it.
    Detail(Box<JobView>),
    /// A line of a log that is followed, or a remark about it.
    Line(LogOf, String),
    /// What became of an action, in words.
    Done(Result<String, String>),
}

/// What the driver has to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Quit,
    /// Ctrl-Z.
    Suspend,
    /// Follow this log, in place of the one before.
    Follow(LogOf),
    Unfollow,
    Do(Plan),
    /// Ask the nodes now, and not in a second.
    Look,
}

/// Whose log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LogOf {
    pub(super) job: String,
    pub(super) name: String,
    /// All ranks if none is named.
    pub(super) rank: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Page {
    Jobs,
    Nodes,
    Job,
    Log,
}

/// What lies over the page, and takes the keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Dialog {
    Help,
    /// A plan, and whether its job makes checkpoints.
    Ask(Plan, Option<bool>),
    /// How many tasks: what was typed so far.
    Tasks {
        job: Box<JobId>,
        text: String,
    },
}

/// The job that a dialog is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct JobId {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) tasks: usize,
}

/// The outcome of an action.
#[derive(Clone, Debug)]
pub(super) struct Told {
    pub(super) text: String,
    pub(super) is_bad: bool,
    at: Duration,
}

/// The log on the screen.
#[derive(Debug, Default)]
pub(super) struct Log {
    pub(super) of: Option<LogOf>,
    pub(super) lines: VecDeque<String>,
    /// How many lines are below the window; 0 follows.
    pub(super) back: usize,
}

/// Everything.
#[derive(Debug)]
pub(super) struct State {
    pub(super) page: Page,
    /// Where Escape leads from a log.
    before_log: Page,
    pub(super) link: Link,
    pub(super) snapshot: Option<Snapshot>,
    /// When it came.
    pub(super) looked_at: Duration,
    /// The job on the page of one job.
    pub(super) opened: Option<String>,
    pub(super) detail: Option<JobView>,
    pub(super) jobs: Rows,
    pub(super) nodes: Rows,
    pub(super) tasks: Rows,
    pub(super) sort: Sort,
    pub(super) filter: String,
    pub(super) is_typing: bool,
    pub(super) dialog: Option<Dialog>,
    pub(super) told: Option<Told>,
    /// Actions that are not answered yet.
    pub(super) under_way: usize,
    pub(super) log: Log,
}

impl State {
    pub(super) fn new() -> Self {
        Self {
            page: Page::Jobs,
            before_log: Page::Jobs,
            link: Link::default(),
            snapshot: None,
            looked_at: Duration::ZERO,
            opened: None,
            detail: None,
            jobs: Rows::default(),
            nodes: Rows::default(),
            tasks: Rows::default(),
            sort: Sort::default(),
            filter: String::new(),
            is_typing: false,
            dialog: None,
            told: None,
            under_way: 0,
            log: Log::default(),
        }
    }

    /// Takes an event, and says what is to be done.
    pub(super) fn step(&mut self, now: Moment, event: Event) -> Vec<Action> {
        let at = now.since_start;
        if self.told.as_ref().is_some_and(|told| at >= told.at + TOLD) {
            self.told = None;
        }
        match event {
            Event::Tick => {}
            Event::Key(key) => return self.key(at, key),
            Event::Probed(probe) => self.link.probed(at, probe),
            Event::Looked(snapshot) => {
                self.looked_at = at;
                self.jobs.keep(&self.keys_of_jobs(&snapshot));
                self.snapshot = Some(snapshot);
            }
            Event::Detail(job) => {
                if self.watched().as_deref() == Some(job.id.as_str()) {
                    self.detail = Some(*job);
                }
            }
            // One may still be under way of a log that is followed no more.
            Event::Line(of, line) if self.log.of.as_ref() == Some(&of) => self.log.push(line),
            Event::Line(..) => {}
            Event::Done(outcome) => {
                self.under_way = self.under_way.saturating_sub(1);
                let is_bad = outcome.is_err();
                let text = outcome.unwrap_or_else(|why| why);
                self.tell(at, text, is_bad);
                return vec![Action::Look];
            }
        }
        Vec::new()
    }

    /// The id of the job that more is to be known of: the one that is open or selected.
    pub(super) fn watched(&self) -> Option<String> {
        match self.page {
            Page::Job => self.opened.clone(),
            Page::Jobs => self.selected_job().map(|job| job.id.clone()),
            Page::Nodes | Page::Log => None,
        }
    }

    /// The jobs that are shown, in their order.
    pub(super) fn shown_jobs(&self) -> Vec<&JobView> {
        let all = self
            .snapshot
            .as_ref()
            .map_or(&[][..], |snapshot| &snapshot.jobs);
        rows::shown(all, &self.filter, self.sort)
    }

    fn keys_of_jobs(&self, snapshot: &Snapshot) -> Vec<String> {
        let shown = rows::shown(&snapshot.jobs, &self.filter, self.sort);
        shown.into_iter().map(|job| job.id.clone()).collect()
    }

    pub(super) fn selected_job(&self) -> Option<&JobView> {
        self.shown_jobs().get(self.jobs.selected).copied()
    }

    /// The job that an action is about.
    fn subject(&self) -> Option<&JobView> {
        match self.page {
            Page::Jobs => self.selected_job(),
            Page::Job | Page::Log => {
                let id = match self.page {
                    Page::Log => &self.log.of.as_ref()?.job,
                    _ => self.opened.as_ref()?,
                };
                let jobs = &self.snapshot.as_ref()?.jobs;
                jobs.iter().find(|job| job.id == *id)
            }
            Page::Nodes => None,
        }
    }

    /// The job of the page of one job: as fresh as it is known.
    pub(super) fn opened_job(&self) -> Option<&JobView> {
        let id = self.opened.as_ref()?;
        let detail = self.detail.as_ref().filter(|job| job.id == *id);
        detail.or_else(|| {
            let jobs = &self.snapshot.as_ref()?.jobs;
            jobs.iter().find(|job| job.id == *id)
        })
    }

    /// Whether a job makes checkpoints, if that is known.
    pub(super) fn checkpoints_of(&self, job: &str) -> Option<bool> {
        let detail = self.detail.as_ref().filter(|detail| detail.id == job)?;
        let spec = detail.spec.as_ref()?;
        Some(spec.checkpoints.is_some())
    }

    fn tell(&mut self, at: Duration, text: String, is_bad: bool) {
        self.told = Some(Told { text, is_bad, at });
    }
}

impl Log {
    fn push(&mut self, line: String) {
        self.lines.push_back(line);
        // What a person reads stays where it is.
        if self.back > 0 {
            self.back += 1;
        }
        if self.lines.len() > MOST_LINES {
            self.lines.pop_front();
            self.back = self.back.min(self.lines.len().saturating_sub(1));
        }
    }
}
