//! Metrics in Flink's form: names, or names with values as text. Pure.
//!
//! Those of a job come from its view, under Flink's own names. Those of its tasks are what
//! `/v1/jobs/{job}/metrics` has, and those of nodes what `/v1/metrics` has, under our names. Of the
//! operators of a stream job there are `OPERATOR.numRecordsIn` and `OPERATOR.numRecordsOut`
//! besides, as Flink names them where several operators share a vertex, and `busyTimeMsPerSecond`
//! of the task.

use std::collections::BTreeMap;

use incumbent_cluster_core::JobState;
use incumbent_cluster_core::view::JobView;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::errors::Failure;
use crate::jobs::Span;

/// Most metrics that are named in one request.
pub const MOST_METRICS: usize = 1000;

/// The metric of ours that counts records, by operator and direction.
const RECORDS: &str = "stream_records_total";

/// The metric of ours that says how busy an operator is, from 0 to 1.
const BUSY: &str = "stream_busy_ratio";

/// The metric of ours that says whether a source waits for what is behind it.
const WAITS: &str = "stream_waits";

/// From this share of its time on, an operator is what the sources of its rank wait for.
const BUSY_ENOUGH: f64 = 0.5;

/// A metric, and its value as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Metric {
    pub(crate) id: String,
    pub(crate) value: String,
}

/// Which are asked for: these, or only the names of all.
pub(crate) fn wanted(get: Option<&str>) -> Result<Option<Vec<String>>, Failure> {
    let Some(get) = get else {
        return Ok(None);
    };
    let names: Vec<String> = get
        .split(',')
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect();
    match names.len() > MOST_METRICS {
        true => Err(Failure::bad_request(format!(
            "At most {MOST_METRICS} metrics may be named."
        ))),
        false => Ok(Some(names)),
    }
}

/// What is answered: the names, or the values of those that there are.
pub(crate) fn told(all: &[Metric], wanted: Option<&[String]>) -> Value {
    let Some(wanted) = wanted else {
        return all
            .iter()
            .map(|metric| json!({ "id": metric.id }))
            .collect();
    };
    let found = wanted
        .iter()
        .filter_map(|name| all.iter().find(|metric| metric.id == *name));
    found
        .map(|metric| json!({ "id": metric.id, "value": metric.value }))
        .collect()
}

/// What is answered over several subtasks, TaskManagers or jobs: each name once, with what the
/// values are together. `agg` chooses some of them.
pub(crate) fn aggregated(all: &[Metric], wanted: Option<&[String]>, agg: Option<&str>) -> Value {
    let mut names: Vec<&str> = all.iter().map(|metric| metric.id.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let Some(wanted) = wanted else {
        return names.into_iter().map(|id| json!({ "id": id })).collect();
    };
    let is_wanted =
        |what: &str| agg.is_none_or(|agg| agg.split(',').any(|one| one.eq_ignore_ascii_case(what)));
    let found = wanted.iter().filter_map(|name| {
        let of = all.iter().filter(|metric| metric.id == *name);
        let values: Vec<f64> = of.filter_map(|metric| metric.value.parse().ok()).collect();
        if values.is_empty() {
            return None;
        }
        let count = values.len() as f64;
        let sum: f64 = values.iter().sum();
        let average = sum / count;
        let mut told = json!({ "id": name });
        for (what, value) in [
            ("min", values.iter().copied().fold(f64::INFINITY, f64::min)),
            (
                "max",
                values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            ),
            ("avg", average),
            ("sum", sum),
            ("skew", skew(&values, average)),
        ] {
            if is_wanted(what) {
                told[what] = value.into();
            }
        }
        Some(told)
    });
    found.collect()
}

/// How unequal they are, from 0 to 100: the mean distance from the mean, as Flink has it.
fn skew(values: &[f64], average: f64) -> f64 {
    if average == 0.0 {
        return 0.0;
    }
    let count = values.len() as f64;
    let distance: f64 = values.iter().map(|value| (value - average).abs()).sum();
    (distance / count / average * 100.0).min(100.0)
}

/// Those of a job.
pub(crate) fn of_job(job: &JobView, now: i64) -> Vec<Metric> {
    let span = Span::of(job, now);
    let is_running = job.state == JobState::Running;
    let spent = |is_it: bool| if is_it { span.duration } else { 0 };
    let mut all = vec![
        metric("numRestarts", job.restarts),
        metric("fullRestarts", job.restarts),
        metric("uptime", spent(is_running)),
        metric("runningTime", spent(is_running)),
        metric("restartingTime", spent(job.state == JobState::Restarting)),
        metric("downtime", spent(job.state == JobState::Restarting)),
    ];
    if let Some(checkpoints) = &job.checkpoints {
        let newest = checkpoints.completed.last();
        let number = newest.map_or(0, |newest| newest.number);
        all.extend([
            metric(
                "totalNumberOfCheckpoints",
                number + u64::from(checkpoints.pending.is_some()),
            ),
            metric(
                "numberOfInProgressCheckpoints",
                u8::from(checkpoints.pending.is_some()),
            ),
            metric("numberOfCompletedCheckpoints", number),
            metric("numberOfFailedCheckpoints", checkpoints.aborted_in_row),
        ]);
        if let Some(newest) = newest {
            all.extend([
                metric("lastCompletedCheckpointId", newest.number),
                metric("lastCheckpointSize", newest.bytes),
                metric("lastCheckpointFullSize", newest.bytes),
                metric("lastCheckpointDuration", newest.took_ms),
            ]);
        }
    }
    all
}

fn metric(id: &str, value: impl ToString) -> Metric {
    Metric {
        id: id.to_owned(),
        value: value.to_string(),
    }
}

/// A series of `/v1/metrics`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Series {
    name: String,
    labels: Vec<(String, String)>,
    value: f64,
}

impl Series {
    fn label(&self, name: &str) -> Option<&str> {
        let mut labels = self.labels.iter();
        labels
            .find(|(label, _)| label == name)
            .map(|(_, value)| value.as_str())
    }
}

/// What `/v1/jobs/{job}/metrics` answers: the series of the tasks of a job.
#[derive(Debug, Deserialize)]
pub(crate) struct JobMetrics {
    series: Vec<OfTask>,
}

#[derive(Debug, Deserialize)]
struct OfTask {
    name: String,
    /// Without the job, as in `rank="0",operator="split"`.
    labels: String,
    value: f64,
}

impl JobMetrics {
    /// Its series, with the name of the job.
    pub(crate) fn of(self, job: &str) -> Vec<Series> {
        let of_task = |series: OfTask| {
            let mut labels = labels(&series.labels)?;
            labels.push(("job".to_owned(), job.to_owned()));
            Some(Series {
                name: series.name,
                labels,
                value: series.value,
            })
        };
        self.series.into_iter().filter_map(of_task).collect()
    }
}

/// All series of a text for Prometheus. Lines that are none are left out.
pub(crate) fn series(text: &str) -> Vec<Series> {
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(one)
        .collect()
}

fn one(line: &str) -> Option<Series> {
    let (head, value) = line.rsplit_once(' ')?;
    let value = value.parse().ok()?;
    let (name, rest) = match head.split_once('{') {
        Some((name, rest)) => (name, rest.strip_suffix('}')?),
        None => (head, ""),
    };
    Some(Series {
        name: name.to_owned(),
        labels: labels(rest)?,
        value,
    })
}

fn labels(mut rest: &str) -> Option<Vec<(String, String)>> {
    let mut labels = Vec::new();
    while !rest.is_empty() {
        let (name, quoted) = rest.split_once("=\"")?;
        let (mut value, mut end) = (String::new(), None);
        let mut letters = quoted.char_indices();
        while let Some((at, letter)) = letters.next() {
            match letter {
                '"' => {
                    end = Some(at);
                    break;
                }
                '\\' => match letters.next()?.1 {
                    'n' => value.push('\n'),
                    other => value.push(other),
                },
                other => value.push(other),
            }
        }
        labels.push((name.to_owned(), value));
        rest = quoted[end? + 1..].trim_start_matches(',');
    }
    Some(labels)
}

/// What the tasks of a job have pushed: the rank, and the metric. One of an operator or a source
/// has that in its name.
pub(crate) fn of_tasks(all: &[Series], job: &str) -> Vec<(u32, Metric)> {
    let of_job = || all.iter().filter(|series| series.label("job") == Some(job));
    let mut found = Vec::new();
    for series in of_job() {
        let Some(rank) = series.label("rank").and_then(|rank| rank.parse().ok()) else {
            continue;
        };
        let mut id = String::new();
        for (name, value) in &series.labels {
            if !matches!(name.as_str(), "job" | "rank" | "node" | "attempt") {
                id.push_str(value);
                id.push('.');
            }
        }
        id.push_str(&series.name);
        found.push((rank, metric(&id, series.value)));
        if let Some(name) = records_of_operator(series) {
            found.push((rank, metric(&name, series.value)));
        }
    }
    for (rank, load) in loads(all, job) {
        for (name, share) in [
            ("busyTimeMsPerSecond", load.busy),
            ("backPressuredTimeMsPerSecond", load.held_up()),
            ("idleTimeMsPerSecond", load.idle()),
        ] {
            found.push((rank, metric(name, (share * 1000.0).round())));
        }
    }
    found
}

/// Flink's name of this series, if it counts the records of an operator.
fn records_of_operator(series: &Series) -> Option<String> {
    let is_it = series.name == RECORDS;
    let operator = series.label("operator").filter(|_| is_it)?;
    match series.label("direction")? {
        "in" => Some(format!("{operator}.numRecordsIn")),
        "out" => Some(format!("{operator}.numRecordsOut")),
        _ => None,
    }
}

/// How a rank spends its time: shares of it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Load {
    /// How busy its busiest operator is, from 0 to 1.
    busy: f64,
    /// Whether a source of it waits for what is behind, at the moment of the sample.
    waits: bool,
}

impl Load {
    /// The share in which it is held up. One whose own operator is what its source waits for is
    /// busy, and not held up.
    fn held_up(self) -> f64 {
        match self.waits && self.busy < BUSY_ENOUGH {
            true => 1.0 - self.busy,
            false => 0.0,
        }
    }

    fn idle(self) -> f64 {
        1.0 - self.busy - self.held_up()
    }
}

/// The load of each rank that tells one.
pub(crate) fn loads(all: &[Series], job: &str) -> BTreeMap<u32, Load> {
    let mut ranks: BTreeMap<u32, Load> = BTreeMap::new();
    for series in all.iter().filter(|series| series.label("job") == Some(job)) {
        let Some(rank) = series.label("rank").and_then(|rank| rank.parse().ok()) else {
            continue;
        };
        match &series.name[..] {
            BUSY => {
                let load = ranks.entry(rank).or_default();
                load.busy = load.busy.max(series.value.clamp(0.0, 1.0));
            }
            WAITS => ranks.entry(rank).or_default().waits |= series.value > 0.0,
            _ => {}
        }
    }
    ranks
}

/// Those of a node itself.
pub(crate) fn of_node(all: &[Series], node: &str) -> Vec<Metric> {
    let is_its =
        |series: &&Series| series.label("node") == Some(node) && series.label("rank").is_none();
    let of = all.iter().filter(is_its).map(|series| {
        let mut id = series.name.clone();
        for (name, value) in &series.labels {
            if name != "node" {
                id.push('.');
                id.push_str(value);
            }
        }
        metric(&id, series.value)
    });
    of.collect()
}

/// `…/backpressure`: what each subtask does with its time.
pub(crate) fn back_pressure(job: &JobView, loads: &BTreeMap<u32, Load>, now: i64) -> Value {
    let of = |rank: u32| loads.get(&rank).copied().unwrap_or_default();
    let subtask = |rank: u32| {
        let load = of(rank);
        let level = level(load.held_up());
        json!({
            "subtask": rank,
            "backpressure-level": level,
            // As 1.20 called it before.
            "backpressureLevel": level,
            "ratio": load.held_up(),
            "idleRatio": load.idle(),
            "busyRatio": load.busy,
        })
    };
    let ranks = || job.tasks.iter().map(|task| task.rank);
    let most = ranks().map(|rank| of(rank).held_up()).fold(0.0, f64::max);
    json!({
        "status": "ok",
        "backpressure-level": level(most),
        "backpressureLevel": level(most),
        "end-timestamp": now,
        "subtasks": ranks().map(subtask).collect::<Vec<_>>(),
    })
}

/// Flink's word for a share of the time.
fn level(held_up: f64) -> &'static str {
    match held_up {
        much if much > 0.5 => "high",
        some if some > 0.1 => "low",
        _ => "ok",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# TYPE stream_busy_ratio gauge\n\
        stream_busy_ratio{node=\"tm\",job=\"words\",rank=\"0\",operator=\"split\"} 0.25\n\
        stream_busy_ratio{node=\"tm\",job=\"words\",rank=\"1\",operator=\"a \\\"b\\\",c\"} 0.5\n\
        incumbent_cluster_slots{node=\"tm\"} 2\n\
        not a line\n";

    #[test]
    fn series_are_read_as_they_are_written() {
        let all = series(TEXT);
        assert_eq!(all.len(), 3);
        assert_eq!(all[1].label("operator"), Some("a \"b\",c"));
        assert_eq!(of_node(&all, "tm"), [metric("incumbent_cluster_slots", 2)]);
        let of = of_tasks(&all, "words");
        assert!(of.contains(&(0, metric("split.stream_busy_ratio", 0.25))));
        assert!(of.contains(&(1, metric("busyTimeMsPerSecond", 500))));
        assert!(of_tasks(&all, "other").is_empty());
    }

    #[test]
    fn a_source_that_waits_for_another_rank_is_held_up_and_one_that_waits_for_its_own_is_busy() {
        let text = "stream_busy_ratio{job=\"words\",rank=\"0\",operator=\"split\"} 0.25\n\
            stream_waits{job=\"words\",rank=\"0\",source=\"lines\"} 1\n\
            stream_busy_ratio{job=\"words\",rank=\"1\",operator=\"totals\"} 0.75\n\
            stream_waits{job=\"words\",rank=\"1\",source=\"lines\"} 1\n";
        let all = series(text);
        let loads = loads(&all, "words");
        assert_eq!((loads[&0].held_up(), loads[&0].idle()), (0.75, 0.0));
        assert_eq!((loads[&1].held_up(), loads[&1].idle()), (0.0, 0.25));
        let of = of_tasks(&all, "words");
        assert!(of.contains(&(0, metric("backPressuredTimeMsPerSecond", 750))));
        assert_eq!([0.0, 0.3, 0.75].map(level), ["ok", "low", "high"]);
    }

    #[test]
    fn records_of_operators_have_flinks_names_too() {
        let answer = json!({ "left_out": [], "series": [
            { "name": "stream_records_total", "labels": "rank=\"1\",operator=\"split\",direction=\"in\"", "value": 12.0 },
            { "name": "stream_records_total", "labels": "rank=\"1\",operator=\"split\",direction=\"out\"", "value": 34.0 },
            { "name": "stream_busy_ratio", "labels": "rank=\"1\",operator=\"split\"", "value": 0.5 },
        ] });
        let answer: JobMetrics = serde_json::from_value(answer).unwrap();
        let of = of_tasks(&answer.of("words"), "words");
        for own in [
            metric("split.numRecordsIn", 12),
            metric("split.numRecordsOut", 34),
            metric("busyTimeMsPerSecond", 500),
        ] {
            assert!(of.contains(&(1, own)), "{of:?}");
        }
    }

    #[test]
    fn names_come_without_values_and_what_is_not_there_is_left_out() {
        let all = [metric("a", 1), metric("b", 2)];
        assert_eq!(told(&all, None), json!([{ "id": "a" }, { "id": "b" }]));
        let names = wanted(Some("b,c")).unwrap();
        assert_eq!(
            told(&all, names.as_deref()),
            json!([{ "id": "b", "value": "2" }])
        );
        let many = "x,".repeat(MOST_METRICS + 1);
        assert_eq!(wanted(Some(&many)).unwrap_err().status, 400);
    }

    #[test]
    fn values_of_several_are_put_together() {
        let all = [metric("a", 1), metric("a", 3)];
        let names = ["a".to_owned(), "b".to_owned()];
        let told = aggregated(&all, Some(&names), None);
        let expected =
            json!([{ "id": "a", "min": 1.0, "max": 3.0, "avg": 2.0, "sum": 4.0, "skew": 50.0 }]);
        assert_eq!(told, expected);
        let some = aggregated(&all, Some(&names), Some("MAX"));
        assert_eq!(some, json!([{ "id": "a", "max": 3.0 }]));
    }
}
