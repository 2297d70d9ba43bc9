//! GETs of small answers while leaders are killed on a busy machine: none may fail.
//!
//! A leader that is killed may have sent the head of an answer and not its body, or the other way
//! round an answer that nobody has read yet. On an idle machine that window is short. So loops that
//! do nothing compete for the processors, and the application sends its answers in two pieces.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::json;
use tokio::process::Child;
use tokio::task::JoinSet;

use super::application::{PIECES, PIECES_BODY, SMALL_BODY};
use super::changes::{How, change};
use super::client::{Connection, Door, Question};
use super::proxy::{Files, Proxy, tied};
use super::{Plan, serving};
use crate::progress::Progress;
use crate::report::{Section, number};
use crate::runners::Runners;
use crate::{Failure, disguise, stopwatch};

/// How many clients ask at a time: half of them on one connection for all their requests, half on a
/// new one for each.
const CLIENTS: usize = 8;

/// How long a client waits between two requests, so that the machine is not busy with them alone.
const PAUSE: Duration = Duration::from_millis(1);

/// A request that takes longer has failed.
const LONGEST: Duration = Duration::from_secs(20);

/// How long leaders live before they are killed: a little longer each time, up to this.
const LONGEST_LIFE: Duration = Duration::from_millis(200);

/// What came of all requests.
#[derive(Default)]
struct Outcomes {
    answered: usize,
    slowest: Duration,
    /// How often requests failed in which way.
    failed: BTreeMap<String, usize>,
}

pub(super) async fn measure(plan: &Plan, kills: u32, busy: u32) -> Result<Section, Failure> {
    let mut progress = Progress::new("gateway, kills");
    let files = Files::new(&plan.above)?;
    let nodes = [serving(Duration::ZERO)?, serving(Duration::ZERO)?];
    let named = ["a", "b"].map(String::from).into_iter().zip(nodes);
    let (mut runners, mut leader) =
        Runners::start_serving(plan.program.clone(), &plan.above, named.collect()).await?;
    let gateway = Proxy::gateway(plan, &files, runners.address()).await?;
    let _loops = (0..busy)
        .map(|_| idle_loop())
        .collect::<Result<Vec<_>, _>>()?;
    let outcomes: Arc<Mutex<Outcomes>> = Arc::default();
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        let question = match number % 4 {
            0 | 1 => Question::get(PIECES, PIECES_BODY),
            _ => Question::get("/", SMALL_BODY),
        };
        let is_kept = number % 2 == 0;
        let (door, outcomes) = (gateway.plain.clone(), Arc::clone(&outcomes));
        clients.spawn(ask(door, question, is_kept, outcomes));
    }
    for index in 0..kills {
        tokio::time::sleep(LONGEST_LIFE.mul_f64(f64::from(index % 10 + 1) / 10.0)).await;
        let (_, next) = change(plan, &mut runners, &leader, How::Killed).await?;
        leader = next;
        runners.log();
        progress.step(|| format!("{} of {kills}", index + 1));
    }
    // What is under way is answered.
    tokio::time::sleep(LONGEST_LIFE).await;
    clients.shutdown().await;
    drop(progress);
    let outcomes = outcomes.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(report(kills, busy, &outcomes))
}

/// A process that takes all the time it can get.
fn idle_loop() -> Result<Child, Failure> {
    let mut command = tied(disguise::TIED, Path::new("/bin/sh"))?;
    command.args(["-c", "while :; do :; done"]);
    command.stdin(Stdio::null()).kill_on_drop(true);
    Ok(command.spawn()?)
}

/// Asks without end, and never a second time for what failed.
async fn ask(door: Door, question: Question, is_kept: bool, outcomes: Arc<Mutex<Outcomes>>) {
    let mut kept = None;
    loop {
        let sent = stopwatch::now();
        let asked = async {
            let mut connection = match kept.take() {
                Some(connection) => connection,
                None => Connection::open(&door).await?,
            };
            let answered = connection.ask(&question.request).await?;
            Ok::<_, std::io::Error>((connection, answered))
        };
        let asked = tokio::time::timeout(LONGEST, asked).await;
        let took = stopwatch::now() - sent;
        let failure = match asked {
            Ok(Ok((connection, answered))) => {
                kept = Some(connection).filter(|_| is_kept);
                (answered != question.expected).then(|| format!("status {}", answered.status))
            }
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some(format!("no answer in {LONGEST:?}")),
        };
        {
            let mut outcomes = outcomes.lock().unwrap_or_else(PoisonError::into_inner);
            outcomes.slowest = outcomes.slowest.max(took);
            match failure {
                None => outcomes.answered += 1,
                Some(failure) => *outcomes.failed.entry(failure).or_default() += 1,
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn report(kills: u32, busy: u32, outcomes: &Outcomes) -> Section {
    let failed: usize = outcomes.failed.values().sum();
    let has_miss = failed > 0;
    let verdict = if has_miss { "MISS" } else { "PASS" };
    let head = [
        "kills",
        "busy loops",
        "requests",
        "failed",
        "slowest ms",
        "asked",
        "",
    ];
    let row = [
        kills.to_string(),
        busy.to_string(),
        (outcomes.answered + failed).to_string(),
        failed.to_string(),
        number(outcomes.slowest.as_secs_f64() * 1e3),
        "0 failed".into(),
        verdict.into(),
    ];
    let kinds = outcomes.failed.iter();
    let kinds = kinds.map(|(what, n)| format!("Failed: {n} × {what}."));
    let mut notes = vec![format!(
        "{CLIENTS} clients GET {SMALL_BODY} bytes, or {PIECES_BODY} that are sent in two pieces; half of them on a new connection each time. Nothing that failed is asked for again."
    )];
    notes.extend(kinds);
    Section {
        name: "kills",
        rows: vec![head.map(String::from).to_vec(), row.to_vec()],
        notes,
        json: json!([{
            "kills": kills, "busy": busy, "requests": outcomes.answered + failed, "failed": failed,
            "slowest_ms": outcomes.slowest.as_secs_f64() * 1e3, "verdict": verdict,
        }]),
        has_miss,
    }
}
