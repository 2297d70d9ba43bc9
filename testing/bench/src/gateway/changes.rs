//! The leader is replaced under a steady load: what fails, and what waits.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::process::Command;

use super::application::SMALL_BODY;
use super::client::Question;
use super::proxy::{Files, Health, Proxy, version};
use super::steady::{EVERY, Outcome, Sample, Steady, Tally, tally};
use super::{Plan, serving};
use crate::progress::Progress;
use crate::report::{Section, number, spread};
use crate::runners::{Arrival, GROUP, Runners};
use crate::stats::Summary;
use crate::{Failure, stopwatch};

/// How long the application takes for an answer, so that there are some under way whenever its end
/// comes.
const ANSWER: Duration = Duration::from_millis(10);

/// The longest time without an answer.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// For this long all has to be well before the next change, unless that does not come to be.
const WELL: Duration = Duration::from_millis(500);
const PATIENCE: Duration = Duration::from_secs(20);

/// How often is looked whether it is.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Changes begin after a pause of up to this long, so that they meet every moment between two
/// questions of HAProxy.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

const NAMES: [&str; 2] = ["gateway", "HAProxy"];

/// What happens to the leader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    /// kill -9 of the leading `incumbent run`.
    Killed,
    /// `incumbent resign`.
    Resigned,
}

/// One change of leader.
struct Change {
    how: How,
    begin: Instant,
    /// When the next command ran.
    arrived: Instant,
}

pub(super) async fn measure(plan: &Plan) -> Result<Section, Failure> {
    let mut progress = Progress::new("gateway, changes of leader");
    let files = Files::new(&plan.above)?;
    let nodes = [serving(ANSWER)?, serving(ANSWER)?];
    let named = ["a", "b"].map(String::from).into_iter();
    let named = named.zip(nodes.iter().cloned()).collect();
    let (mut runners, mut leader) =
        Runners::start_serving(plan.program.clone(), &plan.above, named).await?;
    let gateway = Proxy::gateway(plan, &files, runners.address()).await?;
    let haproxy = Proxy::haproxy(plan, &files, &nodes, Health::Asked).await?;
    let question = Question::get("/", SMALL_BODY);
    let loads =
        [&gateway, &haproxy].map(|proxy| Steady::start(proxy.plain.clone(), question.clone()));
    let mut changes = Vec::new();
    for index in 0..plan.changes {
        until_all_is_well(&loads).await;
        tokio::time::sleep(wait(index)).await;
        let how = How::of(index);
        let (begin, arrival) = change(plan, &mut runners, &leader, how).await?;
        leader = arrival;
        changes.push(Change {
            how,
            begin,
            arrived: leader.at,
        });
        // Nobody needs them, but a full queue would stop the runners.
        runners.log();
        progress.step(|| format!("{} of {}", index + 1, plan.changes));
    }
    until_all_is_well(&loads).await;
    let end = stopwatch::now();
    let samples = loads.each_ref().map(Steady::samples);
    drop(progress);
    report(plan, &changes, &samples, end)
}

/// Spread evenly, and the same in every run.
fn wait(index: u32) -> Duration {
    let golden = 0.618_033_988_75;
    LONGEST_WAIT.mul_f64((f64::from(index) * golden).fract())
}

async fn until_all_is_well(loads: &[Steady; 2]) {
    let begin = stopwatch::now();
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let now = stopwatch::now();
        let is_long_enough = now.duration_since(begin) >= WELL;
        let is_well = || loads.iter().all(|load| load.is_well_since(now - WELL));
        if now.duration_since(begin) >= PATIENCE || (is_long_enough && is_well()) {
            return;
        }
    }
}

pub(super) async fn change(
    plan: &Plan,
    runners: &mut Runners,
    leader: &Arrival,
    how: How,
) -> Result<(Instant, Arrival), Failure> {
    match how {
        How::Killed => {
            let gone = leader.holder.clone();
            let begin = runners.signal(&gone, Signal::KILL)?;
            let next = runners.next_arrival().await?;
            runners.ended(&gone).await?;
            runners.start_runner(gone)?;
            runners.until_all_stand_by(&next).await?;
            Ok((begin, next))
        }
        How::Resigned => {
            let mut command = Command::new(&plan.program);
            command
                .args(["--ha", runners.address(), "--group", GROUP, "resign"])
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .kill_on_drop(true);
            let begin = stopwatch::now();
            let mut resign = command.spawn()?;
            let next = runners.next_arrival().await?;
            let status = resign.wait().await?;
            if !status.success() {
                return Err(format!("`incumbent resign` failed: {status}").into());
            }
            runners.until_all_stand_by(&next).await?;
            Ok((begin, next))
        }
    }
}

impl How {
    const ALL: [Self; 2] = [Self::Killed, Self::Resigned];

    fn of(index: u32) -> Self {
        match index % 2 {
            0 => Self::Killed,
            _ => Self::Resigned,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Killed => "kill -9",
            Self::Resigned => "hand-over",
        }
    }
}

fn report(
    plan: &Plan,
    changes: &[Change],
    samples: &[Vec<Sample>; 2],
    end: Instant,
) -> Result<Section, Failure> {
    let head = [
        "change",
        "through",
        "n",
        "requests",
        "failed",
        "> 100 ms",
        "> 1 s",
        "slowest ms",
        "pause ms",
        "asked",
        "",
    ];
    let mut rows = vec![head.map(String::from).to_vec()];
    let mut json = Vec::<Value>::new();
    let mut has_miss = false;
    for how in How::ALL {
        for (name, samples) in NAMES.into_iter().zip(samples) {
            let tallies = tallies(how, changes, samples, end);
            let Some(pauses) = Summary::of_millis(tallies.iter().map(|tally| tally.pause)) else {
                continue;
            };
            let mut sum = Tally::default();
            tallies.iter().for_each(|tally| sum.add(tally));
            let is_met = sum.failed == 0 && sum.pause < LONGEST_PAUSE;
            let (asked, verdict) = match (name == NAMES[0], is_met) {
                (false, _) => ("", ""),
                (true, true) => ("0 failed, pause < 1 s", "PASS"),
                (true, false) => ("0 failed, pause < 1 s", "MISS"),
            };
            has_miss |= verdict == "MISS";
            rows.push(vec![
                how.name().into(),
                name.into(),
                tallies.len().to_string(),
                sum.requests.to_string(),
                sum.failed.to_string(),
                sum.over_100_ms.to_string(),
                sum.over_1_s.to_string(),
                number(sum.slowest.as_secs_f64() * 1e3),
                spread(&pauses),
                asked.into(),
                verdict.into(),
            ]);
            json.push(json!({
                "change": how.name(), "through": name, "changes": tallies.len(), "requests": sum.requests,
                "failed": sum.failed, "over_100_ms": sum.over_100_ms, "over_1_s": sum.over_1_s,
                "slowest_ms": sum.slowest.as_secs_f64() * 1e3, "longest_pause_ms": sum.pause.as_secs_f64() * 1e3,
                "verdict": Some(verdict).filter(|verdict| !verdict.is_empty()),
            }));
        }
    }
    Ok(Section {
        name: "changes of leader",
        rows,
        notes: notes(plan, changes, samples),
        json: json.into(),
        has_miss,
    })
}

/// Of each change of a kind, until the next change.
fn tallies(how: How, changes: &[Change], samples: &[Sample], end: Instant) -> Vec<Tally> {
    let ends = changes.iter().skip(1).map(|change| change.begin);
    let spans = changes.iter().zip(ends.chain([end]));
    spans
        .filter(|(change, _)| change.how == how)
        .map(|(change, end)| tally(samples, change.begin, end))
        .collect()
}

fn notes(plan: &Plan, changes: &[Change], samples: &[Vec<Sample>; 2]) -> Vec<String> {
    let mut notes = vec![
        format!(
            "GETs each {EVERY:?} through each, at the same time, each on its own connection and sent once; the application takes {ANSWER:?} for one.",
        ),
        format!(
            "{}: both nodes, option httpchk at their /leaderz, inter 1s fall 1 rise 1 on-marked-down shutdown-sessions.",
            version(&plan.haproxy)
        ),
    ];
    for how in How::ALL {
        let of = changes.iter().filter(|change| change.how == how);
        if let Some(took) = Summary::of_millis(of.map(|change| change.arrived - change.begin)) {
            notes.push(format!(
                "{}: {} ms until the next command ran (median, least–most).",
                how.name(),
                spread(&took)
            ));
        }
    }
    for (name, samples) in NAMES.into_iter().zip(samples) {
        let mut kinds = BTreeMap::<String, usize>::new();
        for sample in samples
            .iter()
            .filter(|one| one.outcome != Outcome::Answered)
        {
            *kinds.entry(sample.outcome.name()).or_default() += 1;
        }
        if !kinds.is_empty() {
            let kinds: Vec<_> = kinds
                .iter()
                .map(|(what, n)| format!("{n} × {what}"))
                .collect();
            notes.push(format!("Failed through {name}: {}.", kinds.join(", ")));
        }
    }
    notes
}
