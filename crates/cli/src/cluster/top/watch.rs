//! Asks the nodes again and again, and tells what they answer. When there is something to ask for,
//! `news.rs` hears.
//!
//! Two questions: `/readyz`, which any node answers at once and which says whether somebody leads;
//! and `/v1`, which a node holds while nobody does. So the screen knows the first even if the
//! second takes long.

use std::sync::Arc;
use std::time::Duration;

use incumbent::backend::causes;
use incumbent_cluster_core::view::JobView;
use serde::Deserialize;
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::Instant;

use super::news::News;
use super::snapshot;
use super::state::{Event, LogOf, Probe};
use crate::cluster::client::{Ask, Client, ClientError, Events, segment};
use crate::exit::Failure;

/// How often the cluster is looked at while no node says when it changes, and a job that is watched
/// in any case: how far its tasks are is no event.
const INTERVAL: Duration = Duration::from_secs(1);

/// How often it is looked at though nothing is said to have changed.
const SELDOM: Duration = Duration::from_secs(5);

/// How often it is asked whether somebody leads.
const PROBE_INTERVAL: Duration = Duration::from_millis(500);

/// Pause after a log broke off, or was refused.
const LOG_PAUSE: Duration = Duration::from_secs(1);

/// With how many lines of each rank a log begins.
const TAIL: u32 = 200;

/// What a watcher tells: what happened, or why it makes no sense to go on.
pub(super) type Told = Result<Event, Failure>;

#[derive(Deserialize)]
struct Ready {
    leader: String,
}

/// Tells whether nodes answer, until nobody listens.
pub(super) async fn probe(client: Arc<Client>, told: mpsc::Sender<Told>) {
    loop {
        let probe = match client.readiness::<Ready>().await {
            Ok((node, Ready { leader })) => Probe::Answered {
                node: node.to_string(),
                leader,
            },
            Err(failed) => {
                let tried = failed
                    .iter()
                    .map(|(node, why)| format!("{node} ({})", causes(why)));
                Probe::Nobody(tried.collect::<Vec<_>>().join(", "))
            }
        };
        if told.send(Ok(Event::Probed(probe))).await.is_err() {
            return;
        }
        tokio::time::sleep(PROBE_INTERVAL).await;
    }
}

/// Tells how the cluster is, and more of the job that is watched, until nobody listens: when it is
/// `hurried`, and so often that nothing shown is old.
pub(super) async fn look(
    client: Arc<Client>,
    told: mpsc::Sender<Told>,
    watched: watch::Receiver<Option<String>>,
    hurried: Arc<Notify>,
    news: Arc<News>,
) {
    let (mut is_hurried, mut is_new) = (true, false);
    let mut looked_at = Instant::now();
    loop {
        let begun = Instant::now();
        let pause = if is_new && news.come() {
            SELDOM
        } else {
            INTERVAL
        };
        if is_hurried || begun.duration_since(looked_at) >= pause {
            looked_at = begun;
            let looked = snapshot::take(&client).await;
            is_new = looked.is_ok();
            if let Ok(snapshot) = &looked {
                client.learn(snapshot.addresses());
            }
            if !tell(&told, looked.map(Event::Looked)).await {
                return;
            }
        }
        let job = watched.borrow().clone();
        if let Some(job) = job {
            let path = format!("/v1/jobs/{}", segment(&job));
            let detail = client.json::<JobView>(&Ask::get(path)).await;
            // If it is gone, the next look says so.
            if let Ok(detail) = detail
                && told
                    .send(Ok(Event::Detail(Box::new(detail))))
                    .await
                    .is_err()
            {
                return;
            }
        }
        is_hurried = tokio::select! {
            () = tokio::time::sleep_until(begun + INTERVAL) => false,
            () = hurried.notified() => true,
        };
    }
}

/// Returns false if nobody listens. What may pass is not told: the probe says what is wrong.
async fn tell(told: &mpsc::Sender<Told>, looked: Result<Event, ClientError>) -> bool {
    let event = match looked {
        Ok(event) => Ok(event),
        Err(error) if error.may_pass() => return !told.is_closed(),
        Err(error) => Err(error.into()),
    };
    told.send(event).await.is_ok()
}

#[derive(Deserialize)]
struct LogLine {
    rank: u32,
    line: String,
}

#[derive(Deserialize)]
struct LogNote {
    rank: u32,
    note: String,
}

/// Tells the lines of a log, until the job has ended or nobody listens. Goes on at any node.
pub(super) async fn follow(client: Arc<Client>, of: LogOf, told: mpsc::Sender<Told>) {
    let rank = of
        .rank
        .map(|rank| format!("&rank={rank}"))
        .unwrap_or_default();
    let path = format!(
        "/v1/jobs/{}/logs?follow=true&tail={TAIL}{rank}",
        segment(&of.job)
    );
    let say = |remark: &str| told.send(Ok(Event::Line(of.clone(), format!("— {remark} —"))));
    let mut last: Option<String> = None;
    let mut said = String::new();
    loop {
        let mut ask = Ask::get(path.clone()).header("accept", "text/event-stream");
        if let Some(last) = &last {
            ask = ask.header("last-event-id", last);
        }
        let mut remark = "the log broke off; asking another node".to_owned();
        match client.open(&ask).await {
            Ok(answer) => {
                let mut events = Events::of(answer);
                while let Some(event) = events.next().await {
                    said.clear();
                    if event.kind == "end" {
                        let _ = say("the job has ended").await;
                        return;
                    }
                    if let Some(line) = line(&event.kind, &event.data, of.rank.is_some())
                        && told.send(Ok(Event::Line(of.clone(), line))).await.is_err()
                    {
                        return;
                    }
                    last = event.id.or(last);
                }
            }
            Err(error) => {
                let is_final = !error.may_pass();
                remark = Failure::from(error).message();
                if is_final {
                    let _ = say(&remark).await;
                    return;
                }
            }
        }
        // Each remark once.
        if said != remark {
            said.clone_from(&remark);
            if say(&remark).await.is_err() {
                return;
            }
        }
        tokio::time::sleep(LOG_PAUSE).await;
    }
}

/// A line as it is shown. `None` for an event of a later version.
fn line(kind: &str, data: &str, is_of_one: bool) -> Option<String> {
    if kind == "note" {
        let LogNote { rank, note } = serde_json::from_str(data).ok()?;
        return Some(format!("— rank {rank}: {note} —"));
    }
    let LogLine { rank, line } = serde_json::from_str(data).ok()?;
    Some(match is_of_one {
        true => line,
        false => format!("{rank} | {line}"),
    })
}
