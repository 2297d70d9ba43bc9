//! What was measured under load, told.

use serde_json::{Value, json};

use super::Plan;
use super::load::{CONTESTANTS, Cell, Measured, NAMES, Turned};
use super::proxy::version;
use crate::Failure;
use crate::report::{Section, number, spread};
use crate::stats::{Statistic, Summary};

/// Least throughput, of HAProxy's.
const LEAST_RATE: f64 = 0.8;

pub(super) fn sections(plan: &Plan, measured: &Measured) -> Result<Vec<Section>, Failure> {
    Ok(vec![
        rates(plan, measured)?,
        latencies(measured)?,
        processors(measured)?,
        memory(measured),
    ])
}

impl Cell {
    fn name(&self) -> String {
        let size = if self.large { "1 MiB" } else { "100 B" };
        let tls = if self.tls { ", TLS" } else { "" };
        format!("{size}{tls}")
    }

    fn summaries(&self, of: fn(&Turned) -> f64) -> Result<[Summary; CONTESTANTS], Failure> {
        let mut all = Vec::new();
        for turns in &self.turns {
            all.push(Summary::of(turns.iter().map(of)).ok_or("nothing was measured")?);
        }
        all.try_into()
            .map_err(|_| "as many as there are contestants".into())
    }

    /// Of the gateway over HAProxy, turn by turn.
    fn ratios(&self, of: fn(&Turned) -> f64) -> Result<Summary, Failure> {
        let [ours, theirs, ..] = &self.turns;
        let ratios = ours.iter().zip(theirs);
        let ratios = ratios.map(|(ours, theirs)| of(ours) / of(theirs));
        Ok(Summary::of(ratios).ok_or("nothing was measured")?)
    }

    fn begin_row(&self) -> Vec<String> {
        vec![self.name(), self.connections.to_string()]
    }
}

fn rates(plan: &Plan, measured: &Measured) -> Result<Section, Failure> {
    let mut rows = vec![head(&[
        "req/s", "HAProxy", "nginx", "direct", "ratio", "≥ 0.8",
    ])];
    let mut json = Vec::<Value>::new();
    let mut has_miss = false;
    for cell in &measured.cells {
        let rates = cell.summaries(|turned| turned.rate)?;
        let ratio = cell.ratios(|turned| turned.rate)?;
        let is_met = ratio.get(Statistic::Median) >= LEAST_RATE;
        let verdict = if is_met { "PASS" } else { "MISS" };
        has_miss |= !is_met;
        let mut row = cell.begin_row();
        row.extend(rates.iter().map(spread));
        row.extend([spread(&ratio), verdict.into()]);
        rows.push(row);
        json.push(cell_json(cell, &rates, Some((&ratio, verdict))));
    }
    let turns = || {
        measured
            .cells
            .iter()
            .flat_map(|cell| cell.turns.iter().flatten())
    };
    let failed: usize = turns().map(|turned| turned.failed).sum();
    let mut notes = vec![
        format!(
            "Turns of {:?}, {} of each; {}; {}.",
            plan.turn,
            plan.rounds,
            version(&plan.haproxy),
            version(&plan.nginx)
        ),
        "HAProxy: nbthread as it is by default, option forwardfor. nginx: worker_processes auto, HTTP/1.1 and keepalive to the application. \
         Without TLS to the application; with TLS all use TLS 1.3 and AES-128-GCM, and connections that are open already. No logs."
            .into(),
    ];
    if failed > 0 {
        notes.push(format!("{failed} requests failed, and do not count."));
    }
    Ok(Section {
        name: "throughput",
        rows,
        notes,
        json: json.into(),
        has_miss,
    })
}

fn latencies(measured: &Measured) -> Result<Section, Failure> {
    let mut rows = vec![head(&[
        "p50 ms", "HAProxy", "nginx", "direct", "p99 ms", "HAProxy", "nginx", "direct",
    ])];
    let mut json = Vec::<Value>::new();
    for cell in &measured.cells {
        let p50 = cell.summaries(|turned| turned.p50_ms)?;
        let p99 = cell.summaries(|turned| turned.p99_ms)?;
        let mut row = cell.begin_row();
        row.extend(p50.iter().chain(&p99).map(median));
        rows.push(row);
        json.push(json!({
            "p50_ms": cell_json(cell, &p50, None), "p99_ms": cell_json(cell, &p99, None),
        }));
    }
    Ok(plain(
        "latency",
        rows,
        vec!["Medians of all turns.".into()],
        json,
    ))
}

fn processors(measured: &Measured) -> Result<Section, Failure> {
    let mut rows = vec![head(&[
        "CPU µs/req",
        "HAProxy",
        "nginx",
        "ratio",
        "application",
        "client",
    ])];
    let mut json = Vec::<Value>::new();
    for cell in &measured.cells {
        let proxies = cell.summaries(|turned| turned.cpu_us)?;
        let ratio = cell.ratios(|turned| turned.cpu_us)?;
        let application = cell.summaries(|turned| turned.application_us)?;
        let client = cell.summaries(|turned| turned.client_us)?;
        let mut row = cell.begin_row();
        row.extend(proxies.iter().take(CONTESTANTS - 1).map(spread));
        row.extend([spread(&ratio), median(&application[0]), median(&client[0])]);
        rows.push(row);
        json.push(json!({
            "proxy_us": cell_json(cell, &proxies, None), "client_us": cell_json(cell, &client, None),
            "application_us": cell_json(cell, &application, None),
        }));
    }
    let share = |index: usize| {
        let turns = measured.cells.iter().flat_map(|cell| &cell.turns[index]);
        let most = turns.map(|turned| turned.client_share).fold(0.0, f64::max);
        format!("{} {}%", NAMES[index], number(most * 100.0))
    };
    let shares: Vec<_> = (0..CONTESTANTS).map(share).collect();
    let notes = vec![
        "Application and client: with the gateway between them (medians).".into(),
        format!(
            "The client is one thread. The most that it took of one processor in any turn: {}.",
            shares.join(", ")
        ),
    ];
    Ok(plain("processors", rows, notes, json))
}

fn memory(measured: &Measured) -> Section {
    let names = [
        "MiB",
        "processes",
        "RSS at the start",
        "RSS after the load",
        "PSS",
    ];
    let mut rows = vec![names.map(String::from).to_vec()];
    let mut json = Vec::<Value>::new();
    for (name, [before, after]) in NAMES.iter().zip(&measured.memory) {
        rows.push(vec![
            (*name).into(),
            after.processes.to_string(),
            number(before.rss),
            number(after.rss),
            number(after.pss),
        ]);
        json.push(json!({
            "program": name, "processes": after.processes, "rss_before_mib": before.rss,
            "rss_mib": after.rss, "pss_mib": after.pss,
        }));
    }
    plain("memory", rows, Vec::new(), json)
}

fn head(rest: &[&str]) -> Vec<String> {
    let begin = ["load", "connections"];
    begin.iter().chain(rest).map(ToString::to_string).collect()
}

fn median(summary: &Summary) -> String {
    number(summary.get(Statistic::Median))
}

fn plain(
    name: &'static str,
    rows: Vec<Vec<String>>,
    notes: Vec<String>,
    json: Vec<Value>,
) -> Section {
    Section {
        name,
        rows,
        notes,
        json: json.into(),
        has_miss: false,
    }
}

fn cell_json(
    cell: &Cell,
    summaries: &[Summary; CONTESTANTS],
    ratio: Option<(&Summary, &str)>,
) -> Value {
    let values = |summary: &Summary| {
        let get = |statistic| summary.get(statistic);
        json!({
            "n": summary.count(), "median": get(Statistic::Median),
            "min": get(Statistic::Min), "max": get(Statistic::Max),
        })
    };
    let mut object = json!({ "load": cell.name(), "connections": cell.connections });
    for (name, summary) in NAMES.iter().zip(summaries) {
        object[*name] = values(summary);
    }
    if let Some((ratio, verdict)) = ratio {
        object["ratio"] = values(ratio);
        object["verdict"] = verdict.into();
    }
    object
}
