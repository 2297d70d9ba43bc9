//! Does what the state asks for: draws, asks the cluster, and ends in order.

use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use hyper::StatusCode;
use incumbent_cluster_core::SavepointId;
use rustix::process::{Signal, kill_current_process_group};
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};

use super::draw::{Colours, draw};
use super::input::{self, Input};
use super::news::News;
use super::plan::{Plan, What};
use super::screen::Screen;
use super::state::{Action, Event, Moment, State};
use super::watch as watchers;
use crate::cluster::client::{Client, ClientError, ClusterArgs};
use crate::exit::Failure;
use crate::show;
use crate::signals::Signals;

/// How often the screen is drawn though nothing was heard: times on it grow.
const TICK: Duration = Duration::from_secs(1);

/// How long a node may take to begin its answer before the next one is asked.
const PATIENCE: Duration = Duration::from_secs(5);

/// Events that wait to be drawn: lines of a log come in bursts.
const MOST_EVENTS: usize = 256;

/// Pause between two looks at a savepoint that is being made.
const SAVEPOINT_PAUSE: Duration = Duration::from_millis(250);

/// How often it is looked at: about five minutes.
const SAVEPOINT_LOOKS: u32 = 1200;

struct Driver {
    state: State,
    begin: tokio::time::Instant,
    colours: Colours,
    watcher: Arc<Client>,
    /// For what is to be done: it waits as long as a node holds a request.
    doer: Arc<Client>,
    told: mpsc::Sender<watchers::Told>,
    watched: watch::Sender<Option<String>>,
    hurry: Arc<Notify>,
    log: Option<JoinHandle<()>>,
    work: JoinSet<()>,
}

enum Next {
    GoOn,
    Quit,
    Suspend,
}

pub(super) async fn run(args: &ClusterArgs) -> Result<ExitCode, Failure> {
    let failed = |cause: io::Error| Failure::new("cannot use the terminal").because(cause);
    let mut signals =
        Signals::new().map_err(|cause| Failure::new("cannot listen for signals").because(cause))?;
    let (told, mut events) = mpsc::channel(MOST_EVENTS);
    let mut driver = Driver::new(args, told)?;
    let mut screen = Screen::take().map_err(failed)?;
    let mut inputs = input::listen().map_err(failed)?;
    let mut tick = tokio::time::interval(TICK);
    loop {
        driver.draw(&mut screen).map_err(failed)?;
        let event = tokio::select! {
            input = inputs.recv() => match input {
                Some(Input::Key(key)) => Event::Key(key),
                Some(Input::Resized) => Event::Tick,
                // The terminal is gone.
                None => break,
            },
            told = events.recv() => told.expect("the driver holds a sender")?,
            _ = tick.tick() => Event::Tick,
            () = signals.end() => break,
            Some(ended) = driver.work.join_next() => match ended {
                Ok(()) => Event::Tick,
                Err(ended) if ended.is_panic() => std::panic::resume_unwind(ended.into_panic()),
                Err(_) => Event::Tick,
            },
        };
        match driver.step(event) {
            Next::GoOn => {}
            Next::Quit => break,
            Next::Suspend => {
                drop(screen);
                // Stops here, until the shell goes on with this group, as if the terminal had
                // stopped it: with what it was started by, if that is not the shell.
                let _ = kill_current_process_group(Signal::TSTP);
                screen = Screen::take().map_err(failed)?;
            }
        }
        // What has come meanwhile is one drawing, not many.
        while let Ok(told) = events.try_recv() {
            driver.step(told?);
        }
    }
    Ok(ExitCode::SUCCESS)
}

impl Driver {
    fn new(args: &ClusterArgs, told: mpsc::Sender<watchers::Told>) -> Result<Self, Failure> {
        let doer = Client::new(args)?.quietly();
        let watcher = Arc::new(doer.clone().with_patience(PATIENCE));
        let (watched, watched_by) = watch::channel(None);
        let hurry = Arc::new(Notify::new());
        let mut work = JoinSet::new();
        work.spawn(watchers::probe(Arc::clone(&watcher), told.clone()));
        let news = Arc::new(News::default());
        work.spawn(Arc::clone(&news).listen(Arc::clone(&watcher), Arc::clone(&hurry)));
        let look = watchers::look(
            Arc::clone(&watcher),
            told.clone(),
            watched_by,
            Arc::clone(&hurry),
            news,
        );
        work.spawn(look);
        Ok(Self {
            state: State::new(),
            begin: tokio::time::Instant::now(),
            colours: Colours(std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())),
            watcher,
            doer: Arc::new(doer),
            told,
            watched,
            hurry,
            log: None,
            work,
        })
    }

    fn now(&self) -> Moment {
        Moment {
            since_start: self.begin.elapsed(),
            wall: show::moment(),
        }
    }

    fn draw(&mut self, screen: &mut Screen) -> io::Result<()> {
        let now = self.now();
        let drawn = screen
            .terminal
            .draw(|frame| draw(&mut self.state, now, self.colours, frame));
        drawn.map(drop)
    }

    fn step(&mut self, event: Event) -> Next {
        let mut next = Next::GoOn;
        let now = self.now();
        for action in self.state.step(now, event) {
            match action {
                Action::Quit => next = Next::Quit,
                Action::Suspend => next = Next::Suspend,
                Action::Follow(of) => {
                    self.unfollow();
                    let follow = watchers::follow(Arc::clone(&self.watcher), of, self.told.clone());
                    self.log = Some(tokio::spawn(follow));
                }
                Action::Unfollow => self.unfollow(),
                Action::Look => self.hurry.notify_one(),
                Action::Do(plan) => {
                    drop(self.work.spawn(carry_out(
                        Arc::clone(&self.doer),
                        plan,
                        self.told.clone(),
                    )));
                }
            }
        }
        let watched = self.state.watched();
        let is_new = self.watched.send_if_modified(|before| {
            let is_new = *before != watched;
            *before = watched;
            is_new
        });
        if is_new {
            self.hurry.notify_one();
        }
        next
    }

    fn unfollow(&mut self) {
        if let Some(log) = self.log.take() {
            log.abort();
        }
    }
}

/// Sends what was wanted, and tells what became of it.
async fn carry_out(client: Arc<Client>, plan: Plan, told: mpsc::Sender<watchers::Told>) {
    // Before the first try, so that a repeated one makes no second savepoint.
    let drawn = SavepointId::new(rand::random()).to_string();
    let outcome = match asked(&client, &plan, &drawn).await {
        Ok(()) => Ok(plan.done(&drawn)),
        Err(error) => Err(Failure::from(error).message()),
    };
    let _ = told.send(Ok(Event::Done(outcome))).await;
}

async fn asked(client: &Client, plan: &Plan, drawn: &str) -> Result<(), ClientError> {
    let ask = plan.ask(drawn);
    for _ in 0..SAVEPOINT_LOOKS {
        let answer = client.open(&ask).await?;
        let is_pending =
            plan.what == What::Savepoint && answer.response.status() == StatusCode::ACCEPTED;
        if !is_pending {
            return Ok(());
        }
        tokio::time::sleep(SAVEPOINT_PAUSE).await;
    }
    Err(ClientError::BrokenOff)
}
