//! Requests per second, and how long they take.

use std::time::Duration;

use serde_json::{Value, json};

use super::client::{Clients, Turn};
use super::pair::{Ask, Pair};
use super::side::{self, Side};
use super::{Plan, disk};
use crate::Failure;
use crate::args::Load;
use crate::progress::Progress;
use crate::report::{Section, number};
use crate::stats::{Statistic, Summary};

/// Least throughput, as a share of ZooKeeper's.
const LEAST_RATE: f64 = 3.0;

/// Syncs of the bare disk, in each round.
const SYNCS: u64 = 100;

/// One load of one number of clients, on both servers.
struct Cell {
    load: Load,
    clients: usize,
    turns: [Vec<Turned>; 2],
}

/// The result of one turn.
#[derive(Clone, Copy)]
struct Turned {
    /// Per second.
    rate: f64,
    p50_ms: f64,
    p99_ms: f64,
    /// Processor time of the server per request.
    cpu_us: f64,
    /// Processor time of this program, which is all clients.
    own_us: f64,
}

struct Contestant {
    side: Side,
    clients: Clients,
}

pub(super) async fn measure(plan: &Plan) -> Result<Section, Failure> {
    let mut progress = Progress::new("server, load");
    let most = plan.clients.iter().copied().max().unwrap_or(1);
    let mut contestants = Vec::new();
    for side in side::both(plan).await? {
        let clients = Clients::open(&side, most).await?;
        contestants.push(Contestant { side, clients });
    }
    for load in plan.loads.iter().copied() {
        for contestant in &mut contestants {
            contestant.turn(load, most, plan.warm_up).await?;
        }
    }
    let cell = |load| {
        plan.clients.iter().map(move |&clients| Cell {
            load,
            clients,
            turns: [Vec::new(), Vec::new()],
        })
    };
    let mut cells: Vec<Cell> = plan.loads.iter().copied().flat_map(cell).collect();
    let mut syncs = Vec::new();
    let mut pairs = 0_u32;
    for round in 0..plan.rounds {
        syncs.extend(disk::syncs(&plan.above, SYNCS)?);
        for cell in &mut cells {
            // The Thue-Morse sequence decides the order: fair, and without a period.
            let first = usize::from(pairs.count_ones() % 2 == 1);
            pairs += 1;
            for index in [first, 1 - first] {
                let turned = contestants[index]
                    .turn(cell.load, cell.clients, plan.turn)
                    .await?;
                cell.turns[index].push(turned);
            }
            progress.step(|| format!("round {} of {}", round + 1, plan.rounds));
        }
    }
    report(plan, &cells, syncs)
}

impl Contestant {
    async fn turn(
        &mut self,
        load: Load,
        clients: usize,
        length: Duration,
    ) -> Result<Turned, Failure> {
        self.clients.ping().await?;
        let own = std::process::id();
        let (before, own_before) = (self.side.cpu()?, side::cpu(own)?);
        let turn = self.clients.turn(load, clients, length).await?;
        let (cpu, own_cpu) = (self.side.cpu()? - before, side::cpu(own)? - own_before);
        self.clients.forget().await?;
        Ok(Turned::of(&turn, cpu, own_cpu))
    }
}

impl Turned {
    fn of(turn: &Turn, cpu: Duration, own_cpu: Duration) -> Self {
        let count = turn.latencies.len();
        let ms = |percent: usize| {
            let rank = (count * percent).div_ceil(100).max(1);
            turn.latencies[rank - 1].as_secs_f64() * 1e3
        };
        Self {
            rate: count as f64 / turn.took.as_secs_f64(),
            p50_ms: ms(50),
            p99_ms: ms(99),
            cpu_us: cpu.as_secs_f64() * 1e6 / count as f64,
            own_us: own_cpu.as_secs_f64() * 1e6 / count as f64,
        }
    }
}

fn report(plan: &Plan, cells: &[Cell], syncs: Vec<Duration>) -> Result<Section, Failure> {
    let head = [
        "load",
        "clients",
        "req/s",
        "ZooKeeper",
        "ratio",
        "≥ 3",
        "p50 ms",
        "ZooKeeper",
        "p99 ms",
        "ZooKeeper",
        "ratio",
        "≤ 1",
        "CPU µs/req",
        "ZooKeeper",
        "ratio",
    ];
    let mut rows = vec![head.map(String::from).to_vec()];
    let mut json = Vec::<Value>::new();
    let mut has_miss = false;
    for cell in cells {
        let pair = |unit, of: fn(&Turned) -> f64, ask| {
            let [ours, theirs] = cell
                .turns
                .each_ref()
                .map(|turns| turns.iter().map(of).collect::<Vec<f64>>());
            Pair::new(cell.load.name(), unit, [&ours, &theirs], ask)
        };
        let rate = pair(
            "/s",
            |turned| turned.rate,
            Some(Ask::RatioAtLeast(LEAST_RATE)),
        )?;
        let p50 = pair("p50 ms", |turned| turned.p50_ms, None)?;
        let p99 = pair(
            "p99 ms",
            |turned| turned.p99_ms,
            Some(Ask::RatioAtMost(1.0)),
        )?;
        let cpu = pair("CPU µs", |turned| turned.cpu_us, None)?;
        let mut row = vec![cell.load.name().to_owned(), cell.clients.to_string()];
        row.extend(rate.cells());
        row.extend(p50.medians());
        row.extend(p99.medians());
        row.extend(p99.cells().into_iter().skip(2));
        row.extend(cpu.medians());
        row.extend(cpu.cells().into_iter().skip(2).take(1));
        rows.push(row);
        has_miss |= [&rate, &p99]
            .iter()
            .any(|pair| pair.verdict() == Some("MISS"));
        let pairs = [rate, p50, p99, cpu];
        json.push(json!({
            "load": cell.load.name(), "clients": cell.clients,
            "figures": pairs.iter().map(Pair::json).collect::<Value>(),
        }));
    }
    let syncs = Summary::of_millis(syncs).ok_or("nothing was synced")?;
    let disk = |statistic| number(syncs.get(statistic));
    let all = cells.iter().flat_map(|cell| cell.turns.iter().flatten());
    let own = Summary::of(all.map(|turned| turned.own_us)).ok_or("nothing was asked")?;
    let notes = vec![
        format!(
            "The clients take {} µs of the processors per request (median of all turns), which servers faster than that wait for.",
            number(own.get(Statistic::Median))
        ),
        format!(
            "Turns of {:?}, {} of each; ZooKeeper's JVM has {}.",
            plan.turn,
            plan.rounds,
            plan.jvm.join(" ")
        ),
        format!(
            "The bare disk takes {} ms to write and sync 4 KiB (p50; p99 {} ms): no client alone can write more often than that.",
            disk(Statistic::Median),
            disk(Statistic::P99)
        ),
    ];
    Ok(Section {
        name: "load",
        rows,
        notes,
        json: json.into(),
        has_miss,
    })
}
