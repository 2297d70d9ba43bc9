//! [`Events`]: what a task is told, in order; [`Inbox`]: the same beside other work.

use std::io::{BufRead, BufReader};
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::time::Duration;

use serde::Deserialize;

use crate::Error;
use crate::http::Incoming;
use crate::task::{PAUSE, Task, pause};

/// What a task is told.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Store the state as it is now, and acknowledge: [`Task::checkpoint`].
    Checkpoint {
        /// The number.
        number: u64,
        /// It will be a savepoint. Nothing is to be done differently.
        is_savepoint: bool,
    },
    /// The checkpoint is complete: publish everything that is staged up to it. It may come twice,
    /// and without a [`Checkpoint`](Event::Checkpoint) before.
    Committed {
        /// The number.
        number: u64,
    },
    /// It will never be complete: keep what is staged for it, it belongs to the next one. This rank
    /// may never have been asked for it.
    Aborted {
        /// The number.
        number: u64,
    },
    /// Publish nothing new, and exit with 0. It is the last event.
    Stop,
}

/// What a task is told, in order, waiting for each. It ends after [`Event::Stop`].
///
/// A connection that breaks is made anew behind the scenes, and what was told already is not told
/// again. An error is the last item: [`Error::Gone`].
#[derive(Debug)]
pub struct Events {
    task: Task,
    lines: Option<BufReader<Incoming>>,
    asked: u64,
    committed: u64,
    has_ended: bool,
}

/// Most events that wait to be taken: there is one checkpoint at a time, so there are few.
const MOST_WAITING: usize = 64;

/// The same events, for a program that looks at them between two pieces of work.
#[derive(Debug)]
pub struct Inbox {
    events: Receiver<Result<Event, Error>>,
}

#[derive(Deserialize)]
struct Line {
    event: String,
    #[serde(default)]
    number: u64,
    #[serde(default)]
    savepoint: bool,
}

impl Events {
    pub(crate) fn new(task: Task) -> Self {
        Self {
            task,
            lines: None,
            asked: 0,
            committed: 0,
            has_ended: false,
        }
    }

    fn read(&mut self) -> Result<Event, Error> {
        loop {
            let mut line = String::new();
            let lines = match &mut self.lines {
                Some(lines) => lines,
                None => self
                    .lines
                    .insert(BufReader::new(self.task.events_stream()?)),
            };
            match lines.read_line(&mut line) {
                Ok(_) if line.ends_with('\n') => {
                    let known = serde_json::from_str(&line)
                        .ok()
                        .and_then(|line| self.news(&line));
                    if let Some(event) = known {
                        return Ok(event);
                    }
                }
                // What is left of a line will be told again.
                _ => {
                    self.lines = None;
                    pause(PAUSE);
                }
            }
        }
    }

    /// What is not known yet. A new connection begins with what stands. Events of later versions
    /// are not for this one.
    fn news(&mut self, line: &Line) -> Option<Event> {
        let number = line.number;
        match line.event.as_str() {
            "checkpoint" if number > self.asked => {
                self.asked = number;
                Some(Event::Checkpoint {
                    number,
                    is_savepoint: line.savepoint,
                })
            }
            "committed" if number > self.committed => {
                self.committed = number;
                Some(Event::Committed { number })
            }
            "aborted" => Some(Event::Aborted { number }),
            "stop" => Some(Event::Stop),
            _ => None,
        }
    }
}

impl Iterator for Events {
    type Item = Result<Event, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.has_ended {
            return None;
        }
        let event = self.read();
        self.has_ended = matches!(event, Ok(Event::Stop) | Err(_));
        Some(event)
    }
}

impl Inbox {
    /// Reads these events on a thread of its own.
    pub(crate) fn new(events: Events) -> Self {
        let (sender, receiver) = sync_channel(MOST_WAITING);
        // It ends with the process, or when it has something to tell and nobody wants to know.
        std::thread::spawn(move || {
            for event in events {
                if sender.send(event).is_err() {
                    return;
                }
            }
        });
        Self { events: receiver }
    }

    /// The next event, if there is one by now.
    ///
    /// # Errors
    ///
    /// [`Error::Gone`], once. After it, and after [`Event::Stop`], there is nothing.
    pub fn poll(&self) -> Result<Option<Event>, Error> {
        match self.events.try_recv() {
            Ok(event) => event.map(Some),
            Err(TryRecvError::Empty | TryRecvError::Disconnected) => Ok(None),
        }
    }

    /// Waits for the next event. `None` after [`Event::Stop`].
    ///
    /// # Errors
    ///
    /// [`Error::Gone`], once.
    pub fn wait(&self) -> Result<Option<Event>, Error> {
        self.events.recv().ok().transpose()
    }

    /// Waits for the next event, and not for longer than this.
    ///
    /// # Errors
    ///
    /// [`Error::Gone`], once.
    pub fn wait_for(&self, longest: Duration) -> Result<Option<Event>, Error> {
        self.events.recv_timeout(longest).ok().transpose()
    }
}
