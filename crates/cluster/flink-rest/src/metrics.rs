//! Metrics in Flink's form: names, or names with values as text. Pure.
//!
//! Those of a job come from its view, under Flink's own names. Those of tasks and nodes are what
//! `/v1/metrics` has, under our names; `busyTimeMsPerSecond` of a stream job is among them, too.

use incumbent_cluster_core::JobState;
use incumbent_cluster_core::view::JobView;
use serde_json::{Value, json};

use crate::errors::Failure;
use crate::jobs::Span;

/// Most metrics that are named in one request.
pub const MOST_METRICS: usize = 1000;

/// The metric of ours that says how busy an operator is, from 0 to 1.
const BUSY: &str = "stream_busy_ratio";

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
    }
    for (rank, busy) in busy(all, job) {
        let ms = (busy * 1000.0).round();
        found.push((rank, metric("busyTimeMsPerSecond", ms)));
        found.push((rank, metric("idleTimeMsPerSecond", 1000.0 - ms)));
    }
    found
}

/// How busy the busiest operator of each rank is, from 0 to 1.
pub(crate) fn busy(all: &[Series], job: &str) -> Vec<(u32, f64)> {
    let mut ranks: std::collections::BTreeMap<u32, f64> = std::collections::BTreeMap::new();
    let is_it = |series: &&Series| series.name == BUSY && series.label("job") == Some(job);
    for series in all.iter().filter(is_it) {
        if let Some(rank) = series.label("rank").and_then(|rank| rank.parse().ok()) {
            let known = ranks.entry(rank).or_default();
            *known = known.max(series.value.clamp(0.0, 1.0));
        }
    }
    ranks.into_iter().collect()
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

/// `…/backpressure`: how busy each subtask is. Nobody measures what it waits for.
pub(crate) fn back_pressure(job: &JobView, busy: &[(u32, f64)], now: i64) -> Value {
    let subtask = |rank: u32| {
        let ratio = busy
            .iter()
            .find(|(of, _)| *of == rank)
            .map_or(0.0, |(_, ratio)| *ratio);
        json!({
            "subtask": rank,
            "backpressure-level": "ok",
            // As 1.20 called it before.
            "backpressureLevel": "ok",
            "ratio": 0.0,
            "idleRatio": 1.0 - ratio,
            "busyRatio": ratio,
        })
    };
    json!({
        "status": "ok",
        "backpressure-level": "ok",
        "backpressureLevel": "ok",
        "end-timestamp": now,
        "subtasks": job.tasks.iter().map(|task| subtask(task.rank)).collect::<Vec<_>>(),
    })
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
