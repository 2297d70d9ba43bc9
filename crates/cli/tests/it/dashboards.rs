//! What `deploy/` has for Prometheus and Grafana: it names metrics that exist, with labels that
//! they have.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use incumbent_servers::skip;
use serde_json::Value;

use crate::cluster::running::{COUNT, Cluster, raw};
use crate::harness::{finished, until};

const DASHBOARD: &str = include_str!("../../../../deploy/grafana/incumbent.json");
const ALERTS: &str = include_str!("../../../../deploy/prometheus/alerts.yaml");

/// What names of metrics begin with: the cluster's own, and those of stream jobs.
const OURS: [&str; 2] = ["incumbent_", "stream_"];

/// Labels that a scraper adds.
const OF_SCRAPER: [&str; 5] = ["job", "instance", "node", "exported_job", "le"];

/// A path below the target directory, where `.ci/servers` puts it.
const PROMTOOL: &str = "foreign/prometheus/promtool";

#[test]
fn every_metric_that_is_asked_for_exists() {
    let known = described();
    let asked: BTreeSet<String> = expressions()
        .iter()
        .flat_map(|each| metrics(each))
        .collect();
    assert!(asked.len() > 60, "{asked:?}");
    let missing: Vec<_> = asked.difference(&known).collect();
    assert!(missing.is_empty(), "no program has these: {missing:?}");
}

#[test]
fn labels_that_are_asked_for_are_those_of_a_real_cluster() {
    let cluster = Cluster::new();
    cluster.run(&["--name", "hello"], COUNT);
    cluster.running("hello", 1);
    let address = cluster.url.strip_prefix("http://").unwrap();
    let host = format!("host: {address}");
    let mut text = String::new();
    until("all nodes say their metrics", || {
        let answer = raw(address, "GET", "/v1/metrics", &[&host], "");
        text = answer.unwrap().body;
        text.contains("incumbent_cluster_jobs{") && text.contains("incumbent_cluster_task_slots{")
    });
    let real = series(&text);
    let mut checked = 0;
    for expression in expressions() {
        let names: Vec<_> = metrics(&expression).into_iter().collect();
        let [name] = &names[..] else { continue };
        let Some(has) = real.get(name) else { continue };
        checked += 1;
        for label in labels(&expression) {
            let is_there = has.contains(&label) || OF_SCRAPER.contains(&label.as_str());
            assert!(is_there, "{name} has no label {label}, but {has:?}");
        }
    }
    assert!(checked > 20, "{checked}");
}

#[test]
fn panels_have_names_and_places_of_their_own() {
    let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
    let mut ids = BTreeSet::new();
    let mut taken = BTreeSet::new();
    let rows = dashboard["panels"].as_array().unwrap();
    let all = rows
        .iter()
        .flat_map(|row| std::iter::once((row, false)).chain(inside(row)));
    for (panel, is_inside) in all {
        let title = panel["title"].as_str().unwrap();
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{title}");
        assert!(
            panel["type"] == "row" || panel["description"].is_string(),
            "{title}"
        );
        // What a closed row holds moves down when it is opened.
        if is_inside {
            continue;
        }
        let place = |side: &str| panel["gridPos"][side].as_u64().unwrap();
        for x in place("x")..place("x") + place("w") {
            for y in place("y")..place("y") + place("h") {
                assert!(x < 24 && taken.insert((x, y)), "{title} lies over another");
            }
        }
    }
    assert!(ids.len() > 40);
}

fn inside(row: &Value) -> impl Iterator<Item = (&Value, bool)> {
    row["panels"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|panel| (panel, true))
}

#[test]
fn prometheus_reads_the_rules_and_the_expressions_of_the_dashboard() {
    let Some(promtool) = promtool() else {
        skip("promtool", "INCUMBENT_REQUIRE_FOREIGN", "run .ci/servers");
        return;
    };
    let place = tempfile::tempdir().unwrap();
    let rules: Vec<String> = expressions()
        .iter()
        .enumerate()
        .map(|(number, expression)| {
            let expression = expression.replace("$__rate_interval", "1m");
            let expression = serde_json::to_string(&expression).unwrap();
            format!("  - record: panel:{number}\n    expr: {expression}\n")
        })
        .collect();
    let panels = place.path().join("panels.yaml");
    std::fs::write(
        &panels,
        format!("groups:\n- name: panels\n  rules:\n{}", rules.concat()),
    )
    .unwrap();
    let deploy = root().join("deploy/prometheus");
    for (what, file) in [
        ("check", panels),
        ("check", deploy.join("alerts.yaml")),
        ("test", deploy.join("alerts.test.yaml")),
    ] {
        let mut command = Command::new(&promtool);
        command.args([what, "rules"]).arg(file);
        finished(command).assert_code(0);
    }
}

fn promtool() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let test = std::env::current_exe().unwrap();
    std::env::split_paths(&path)
        .map(|directory| directory.join("promtool"))
        .chain(test.ancestors().map(|above| above.join(PROMTOOL)))
        .find(|program| program.is_file())
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Every expression of both files.
fn expressions() -> Vec<String> {
    let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
    let alerts: Value = serde_saphyr::from_str(ALERTS).unwrap();
    let mut found = Vec::new();
    collect(&dashboard, &mut found);
    collect(&alerts, &mut found);
    found
}

fn collect(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::String(text) if name == "expr" => found.push(text.clone()),
                    value => collect(value, found),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| collect(value, found)),
        _ => {}
    }
}

/// The metrics that an expression names. Parts of a histogram are under the name of the whole.
fn metrics(expression: &str) -> BTreeSet<String> {
    // Values of labels, and variables of the dashboard, are in quotes.
    let unquoted: String = expression.split('"').step_by(2).collect();
    words(&unquoted)
        .filter(|word| OURS.iter().any(|start| word.starts_with(start)))
        .map(|word| {
            let whole = word.strip_suffix("_bucket");
            whole.unwrap_or(word).to_owned()
        })
        .collect()
}

/// The labels that an expression names.
fn labels(expression: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, _) in expression.match_indices(" by (") {
        let list = expression[at + 5..].split(')').next().unwrap();
        found.extend(words(list).map(str::to_owned));
    }
    for braces in expression.split('{').skip(1) {
        let list = braces.split('}').next().unwrap();
        let unquoted: String = list.split('"').step_by(2).collect();
        found.extend(words(&unquoted).map(str::to_owned));
    }
    found
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter(|word| !word.is_empty())
}

/// Every name in the programs that could be that of a metric.
fn described() -> BTreeSet<String> {
    let mut known = BTreeSet::new();
    let mut left = vec![root().join("crates")];
    while let Some(directory) = left.pop() {
        for entry in std::fs::read_dir(directory).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir()
                && !["tests", "target", "assets"]
                    .iter()
                    .any(|not| path.ends_with(not))
            {
                left.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let source = std::fs::read_to_string(path).unwrap();
                // A name is the beginning of a string, in code that makes metrics.
                for string in source.split('"') {
                    let name = words(string).next().unwrap_or_default();
                    if string.starts_with(name) && OURS.iter().any(|start| name.starts_with(start))
                    {
                        known.insert(name.to_owned());
                    }
                }
            }
        }
    }
    known
}

/// Names of series, and the labels that they have.
fn series(text: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        for name in metrics(line) {
            found.entry(name).or_default().extend(labels(line));
        }
    }
    found
}
