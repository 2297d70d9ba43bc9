//! [`TaskMetrics`]: what a task says in the text form of OpenMetrics, checked and made fit for the
//! metrics of its TaskManager. Pure.
//!
//! What Prometheus scrapes here is its older text form, so what only OpenMetrics has is turned into
//! that or left out: exemplars, times of samples, units, `# EOF`.

use std::collections::BTreeSet;
use std::fmt::Write as _;

/// What names of the cluster's own metrics begin with. A task cannot say them.
const OURS: &str = "incumbent_";

/// Labels that each sample gets here.
const GIVEN: [&str; 2] = ["job", "rank"];

/// The metrics of one task, line by line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct TaskMetrics {
    lines: Vec<Line>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Line {
    /// `# HELP …` or `# TYPE …`.
    About(String),
    /// A sample: its name, its labels without braces, its value.
    Sample(String, String, String),
}

/// What is wrong with a text, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {why}")]
pub(super) struct BadMetrics {
    line: usize,
    why: String,
}

impl TaskMetrics {
    pub(super) fn parse(text: &str) -> Result<Self, BadMetrics> {
        let mut lines = Vec::new();
        // Counters are called without `_total` in what is said about them.
        let mut counters = BTreeSet::new();
        for (at, line) in text.lines().enumerate() {
            let bad = |why: String| BadMetrics { line: at + 1, why };
            let line = line.trim_end();
            if let Some(about) = line.strip_prefix('#') {
                lines.extend(about_line(about, &mut counters).map_err(bad)?);
            } else if !line.is_empty() {
                lines.push(sample(line).map_err(bad)?);
            }
        }
        for line in &mut lines {
            if let Line::About(about) = line {
                let name = about.split(' ').nth(2).unwrap_or_default();
                if counters.contains(name) && !name.ends_with("_total") {
                    let whole = format!("{name}_total");
                    *about = about.replacen(name, &whole, 1);
                }
            }
        }
        Ok(Self { lines })
    }

    /// The text, with the job and the rank at each sample.
    pub(super) fn to_text(&self, job: &str, rank: u32) -> String {
        let given = format!("job=\"{job}\",rank=\"{rank}\"");
        let mut text = String::new();
        for line in &self.lines {
            let _ = match line {
                Line::About(about) => writeln!(text, "{about}"),
                Line::Sample(name, labels, value) if labels.is_empty() => {
                    writeln!(text, "{name}{{{given}}} {value}")
                }
                Line::Sample(name, labels, value) => {
                    writeln!(text, "{name}{{{given},{labels}}} {value}")
                }
            };
        }
        text
    }
}

/// What a comment says, if it is to be kept.
fn about_line(about: &str, counters: &mut BTreeSet<String>) -> Result<Option<Line>, String> {
    let mut words = about.trim_start().splitn(3, ' ');
    let (what, name) = (words.next(), words.next().unwrap_or_default());
    let rest = words.next().unwrap_or_default();
    let rest = match what {
        Some("HELP") => rest,
        Some("TYPE") => match rest {
            "counter" => {
                counters.insert(name.to_owned());
                rest
            }
            "gauge" | "histogram" | "summary" => rest,
            "info" | "stateset" => "gauge",
            "unknown" | "untyped" | "gaugehistogram" => "untyped",
            other => return Err(format!("there is no type {other:?}")),
        },
        _ => return Ok(None),
    };
    check_name(name)?;
    let what = what.unwrap_or_default();
    Ok(Some(Line::About(format!("# {what} {name} {rest}"))))
}

fn sample(line: &str) -> Result<Line, String> {
    let end = line.find(['{', ' ']);
    let (name, rest) = line.split_at(end.ok_or("a sample has a name and a value")?);
    check_name(name)?;
    let (labels, rest) = match rest.strip_prefix('{') {
        Some(rest) => {
            let end = end_of_labels(rest).ok_or("its labels have no end")?;
            (rest[..end].trim_end_matches(','), &rest[end + 1..])
        }
        None => ("", rest),
    };
    check_labels(labels)?;
    // What may follow is a time and an exemplar.
    let value = rest.split_whitespace().next().ok_or("it has no value")?;
    let plain = value.trim_start_matches(['+', '-']);
    let is_number = plain.parse::<f64>().is_ok() || matches!(plain, "Inf" | "NaN");
    if !is_number {
        return Err(format!("{value:?} is no number"));
    }
    Ok(Line::Sample(
        name.to_owned(),
        labels.to_owned(),
        value.to_owned(),
    ))
}

fn check_name(name: &str) -> Result<(), String> {
    let mut letters = name.chars();
    let first = letters.next();
    let is_word = |char: char| char.is_ascii_alphanumeric() || matches!(char, '_' | ':');
    let is_name = first.is_some_and(|first| is_word(first) && !first.is_ascii_digit());
    if !is_name || !letters.all(is_word) {
        return Err(format!("{name:?} cannot be the name of a metric"));
    }
    if name.starts_with(OURS) {
        return Err(format!(
            "{name} begins with {OURS}, as the cluster's own do"
        ));
    }
    Ok(())
}

/// Where the brace is that ends the labels.
fn end_of_labels(text: &str) -> Option<usize> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    text.char_indices().find_map(|(at, char)| {
        match char {
            _ if is_escaped => is_escaped = false,
            '\\' if is_quoted => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            '}' if !is_quoted => return Some(at),
            _ => {}
        }
        None
    })
}

fn check_labels(labels: &str) -> Result<(), String> {
    let mut rest = labels;
    while !rest.is_empty() {
        let (name, quoted) = rest.split_once("=\"").ok_or("a label is name=\"value\"")?;
        let is_word = |char: char| char.is_ascii_alphanumeric() || char == '_';
        if name.is_empty() || !name.chars().all(is_word) {
            return Err(format!("{name:?} cannot be the name of a label"));
        }
        if GIVEN.contains(&name) {
            return Err(format!("the label {name} is added here; leave it out"));
        }
        let mut is_escaped = false;
        let end = quoted.find(|char| {
            let is_end = char == '"' && !is_escaped;
            is_escaped = char == '\\' && !is_escaped;
            is_end
        });
        let after = &quoted[end.ok_or("the value of a label has no end")? + 1..];
        rest = match after.strip_prefix(',') {
            Some(rest) => rest,
            None if after.is_empty() => after,
            None => return Err("labels are separated by commas".to_owned()),
        };
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_metrics_become_what_prometheus_scrapes() {
        let text = "# TYPE records counter\n# HELP records Records read.\n# UNIT records x\n\
            records_total{key=\"a }\\\"b\"} 17 1712345678.5 # {trace_id=\"x\"} 1\n\
            records_total 3\n# TYPE lag gauge\nlag{} -1.5e3\n# TYPE up info\nup_info{a=\"b\",} 1\n\
            h_bucket{le=\"+Inf\"} 4\nworst NaN\n# EOF\n";
        let expected = "# TYPE records_total counter\n# HELP records_total Records read.\n\
            records_total{job=\"count\",rank=\"3\",key=\"a }\\\"b\"} 17\n\
            records_total{job=\"count\",rank=\"3\"} 3\n# TYPE lag gauge\n\
            lag{job=\"count\",rank=\"3\"} -1.5e3\n# TYPE up gauge\n\
            up_info{job=\"count\",rank=\"3\",a=\"b\"} 1\n\
            h_bucket{job=\"count\",rank=\"3\",le=\"+Inf\"} 4\n\
            worst{job=\"count\",rank=\"3\"} NaN\n";
        let metrics = TaskMetrics::parse(text).unwrap();
        assert_eq!(metrics.to_text("count", 3), expected);
        assert_eq!(TaskMetrics::parse(""), Ok(TaskMetrics::default()));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        for (text, why) in [
            ("a 1\nb\n", "line 2: a sample has a name and a value"),
            ("a one\n", "line 1: \"one\" is no number"),
            ("1a 1\n", "line 1: \"1a\" cannot be the name of a metric"),
            (
                "incumbent_epoch 1\n",
                "line 1: incumbent_epoch begins with incumbent_, as the cluster's own do",
            ),
            ("a{b=\"c 1\n", "line 1: its labels have no end"),
            (
                "a{rank=\"1\"} 1\n",
                "line 1: the label rank is added here; leave it out",
            ),
            (
                "a{b=\"c\" d=\"e\"} 1\n",
                "line 1: labels are separated by commas",
            ),
            ("a{b} 1\n", "line 1: a label is name=\"value\""),
            ("# TYPE a thing\n", "line 1: there is no type \"thing\""),
            ("a{}\n", "line 1: it has no value"),
        ] {
            let bad = TaskMetrics::parse(text).unwrap_err();
            assert_eq!(bad.to_string(), why, "{text:?}");
        }
    }
}
