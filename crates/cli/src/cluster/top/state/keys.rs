//! What each key does.

use std::time::Duration;

use super::{Action, Dialog, JobId, Log, LogOf, Page, Rows, State, Verb};
use crate::cluster::top::plan::Plan;

/// A key, as the terminal tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Key {
    Char(char),
    Ctrl(char),
    Up,
    Down,
    PageUp,
    PageDown,
    Home,
    End,
    Enter,
    Escape,
    Backspace,
    Tab,
}

/// Longest text that is typed.
const LONGEST_TEXT: usize = 64;

/// Most digits of a number of tasks: no cluster takes a longer one.
const MOST_DIGITS: usize = 5;

impl State {
    pub(super) fn key(&mut self, at: Duration, key: Key) -> Vec<Action> {
        match key {
            Key::Ctrl('c') => return vec![Action::Quit],
            Key::Ctrl('z') => return vec![Action::Suspend],
            _ => {}
        }
        if let Some(dialog) = self.dialog.take() {
            return self.key_of_dialog(at, dialog, key);
        }
        if self.is_typing {
            self.type_filter(key);
            return Vec::new();
        }
        match key {
            Key::Char('q') => vec![Action::Quit],
            Key::Char('?') => {
                self.dialog = Some(Dialog::Help);
                Vec::new()
            }
            Key::Char('1') => self.go_to(Page::Jobs),
            Key::Char('2') => self.go_to(Page::Nodes),
            Key::Tab => match self.page {
                Page::Jobs => self.go_to(Page::Nodes),
                Page::Nodes | Page::Job | Page::Log => self.go_to(Page::Jobs),
            },
            Key::Escape | Key::Backspace => self.back(),
            Key::Up | Key::Char('k') => self.scroll(|at, _| at.saturating_sub(1)),
            Key::Down | Key::Char('j') => self.scroll(|at, _| at + 1),
            Key::PageUp => self.scroll(|at, page| at.saturating_sub(page)),
            Key::PageDown | Key::Char(' ') => self.scroll(|at, page| at + page),
            Key::Home | Key::Char('g') => self.scroll(|_, _| 0),
            Key::End | Key::Char('G') => self.scroll(|_, _| usize::MAX),
            _ => match self.page {
                Page::Nodes => self.key_of_nodes(key),
                Page::Jobs | Page::Job | Page::Log => self.key_of_jobs(at, key),
            },
        }
    }

    fn key_of_jobs(&mut self, at: Duration, key: Key) -> Vec<Action> {
        let verb = match key {
            Key::Enter if self.page == Page::Jobs => {
                if let Some(id) = self.selected_job().map(|job| job.id.clone()) {
                    self.opened = Some(id);
                    self.page = Page::Job;
                    self.tasks = Rows::default();
                }
                return vec![Action::Look];
            }
            Key::Enter | Key::Char('l') if self.page != Page::Log => return self.open_log(key),
            Key::Char('/') if self.page == Page::Jobs => {
                self.is_typing = true;
                return Vec::new();
            }
            Key::Char('o') if self.page == Page::Jobs => {
                self.sort = self.sort.next();
                return self.reordered();
            }
            Key::Char('O') if self.page == Page::Jobs => {
                self.sort.is_reversed = !self.sort.is_reversed;
                return self.reordered();
            }
            Key::Char('s') => Verb::Stop,
            Key::Char('c') => Verb::Cancel,
            Key::Char('r') => Verb::Restart,
            Key::Char('n') => Verb::Rescale,
            Key::Char('p') => Verb::Savepoint,
            Key::Char('u') => Verb::Resume,
            _ => return Vec::new(),
        };
        let Some(job) = self.subject() else {
            return Vec::new();
        };
        if let Some(why) = verb.refusal(job) {
            self.tell(at, why, true);
            return Vec::new();
        }
        self.dialog = Some(match verb {
            Verb::Rescale => Dialog::Tasks {
                job: Box::new(JobId {
                    id: job.id.clone(),
                    name: job.name.clone(),
                    tasks: job.task_count(),
                }),
                text: String::new(),
            },
            verb => Dialog::Ask(Plan::of(verb, job, 0), self.checkpoints_of(&job.id)),
        });
        Vec::new()
    }

    fn key_of_nodes(&mut self, key: Key) -> Vec<Action> {
        if key == Key::Char('d')
            && let Some(snapshot) = &self.snapshot
            && let Some(node) = snapshot.cluster.nodes.get(self.nodes.selected)
            && node.slots > 0
        {
            self.dialog = Some(Dialog::Ask(Plan::drain(&node.name), None));
        }
        Vec::new()
    }

    fn key_of_dialog(&mut self, at: Duration, dialog: Dialog, key: Key) -> Vec<Action> {
        match (dialog, key) {
            (Dialog::Help, _) => Vec::new(),
            // Enter alone confirms nothing: it may have been meant for what was there before.
            (Dialog::Ask(plan, _), Key::Char('y' | 'Y')) => {
                self.under_way += 1;
                vec![Action::Do(plan)]
            }
            (Dialog::Ask(..), Key::Char('n' | 'N' | 'q') | Key::Escape) => {
                self.tell(at, "nothing was done".into(), false);
                Vec::new()
            }
            (dialog @ Dialog::Ask(..), _) => {
                self.dialog = Some(dialog);
                Vec::new()
            }
            (Dialog::Tasks { job, text }, Key::Enter) => {
                self.rescale(at, job, text);
                Vec::new()
            }
            (Dialog::Tasks { .. }, Key::Escape) => Vec::new(),
            (Dialog::Tasks { job, mut text }, key) => {
                match key {
                    Key::Char(digit @ '0'..='9') if text.len() < MOST_DIGITS => text.push(digit),
                    Key::Backspace => drop(text.pop()),
                    _ => {}
                }
                self.dialog = Some(Dialog::Tasks { job, text });
                Vec::new()
            }
        }
    }

    /// A number was typed: asks once more, with what it will do.
    fn rescale(&mut self, at: Duration, job: Box<JobId>, text: String) {
        let tasks: u32 = text.parse().unwrap_or(0);
        if tasks == 0 {
            self.tell(at, "a job has at least one task".into(), true);
            self.dialog = Some(Dialog::Tasks { job, text });
            return;
        }
        let jobs = self.snapshot.iter().flat_map(|snapshot| &snapshot.jobs);
        let Some(view) = jobs.into_iter().find(|view| view.id == job.id) else {
            self.tell(at, format!("{} is gone", job.name), true);
            return;
        };
        let plan = Plan::of(Verb::Rescale, view, tasks);
        let checkpoints = self.checkpoints_of(&job.id);
        self.dialog = Some(Dialog::Ask(plan, checkpoints));
    }

    fn type_filter(&mut self, key: Key) {
        match key {
            Key::Enter => self.is_typing = false,
            Key::Escape => {
                self.is_typing = false;
                self.filter.clear();
            }
            Key::Backspace => drop(self.filter.pop()),
            Key::Char(c) if self.filter.chars().count() < LONGEST_TEXT => self.filter.push(c),
            _ => {}
        }
        self.reordered();
    }

    fn reordered(&mut self) -> Vec<Action> {
        let keys = self.row_keys();
        self.jobs.keep(&keys);
        Vec::new()
    }

    fn open_log(&mut self, key: Key) -> Vec<Action> {
        // On the page of a job, Enter is about the selected task.
        let rank = match (self.page, key) {
            (Page::Job, Key::Enter) => {
                let tasks = self.opened_job().map_or(&[][..], |job| &job.tasks);
                tasks.get(self.tasks.selected).map(|task| task.rank)
            }
            _ => None,
        };
        let Some(job) = self.subject() else {
            return Vec::new();
        };
        let of = LogOf {
            job: job.id.clone(),
            name: job.name.clone(),
            rank,
        };
        self.log = Log {
            of: Some(of.clone()),
            ..Log::default()
        };
        self.before_log = self.page;
        self.page = Page::Log;
        vec![Action::Follow(of)]
    }

    fn back(&mut self) -> Vec<Action> {
        match self.page {
            Page::Log => {
                let to = self.before_log;
                self.go_to(to)
            }
            Page::Job | Page::Nodes => self.go_to(Page::Jobs),
            Page::Jobs => {
                self.filter.clear();
                self.reordered()
            }
        }
    }

    fn go_to(&mut self, page: Page) -> Vec<Action> {
        let was_log = self.page == Page::Log && page != Page::Log;
        self.page = page;
        match was_log {
            true => vec![Action::Unfollow],
            false => Vec::new(),
        }
    }

    fn scroll(&mut self, to: impl Fn(usize, usize) -> usize) -> Vec<Action> {
        if self.page == Page::Log {
            // Counted from the end, where new lines come.
            let last = self.log.lines.len().saturating_sub(1);
            let at = last.saturating_sub(self.log.back);
            let page = self.tasks.height.max(10);
            self.log.back = last.saturating_sub(to(at, page).min(last));
            return Vec::new();
        }
        let keys = self.row_keys();
        let rows = match self.page {
            Page::Jobs => &mut self.jobs,
            Page::Nodes => &mut self.nodes,
            Page::Job | Page::Log => &mut self.tasks,
        };
        rows.go(to(rows.selected, rows.height.max(1)), &keys);
        Vec::new()
    }

    /// The keys of the rows of this page.
    fn row_keys(&self) -> Vec<String> {
        match self.page {
            Page::Jobs => self.shown_jobs().iter().map(|job| job.id.clone()).collect(),
            Page::Nodes => {
                let nodes = self
                    .snapshot
                    .iter()
                    .flat_map(|snapshot| &snapshot.cluster.nodes);
                nodes.map(|node| node.nonce.clone()).collect()
            }
            Page::Job | Page::Log => {
                let tasks = self.opened_job().map_or(&[][..], |job| &job.tasks);
                tasks.iter().map(|task| task.rank.to_string()).collect()
            }
        }
    }
}
