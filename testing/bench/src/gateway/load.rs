//! Requests per second, what they take, and what the proxies hold.

use std::collections::BTreeMap;
use std::time::Duration;

use super::application::{LARGE, LARGE_BODY, SMALL_BODY};
use super::client::{self, Door, Question};
use super::proxy::{Files, Health, Memory, Proxy};
use super::{Plan, serving, tables};
use crate::progress::Progress;
use crate::report::Section;
use crate::runners::{Arrival, Runners};
use crate::server::side;
use crate::{Failure, stopwatch};

/// What of a turn does not count at its beginning.
const WARM_UP: f64 = 0.25;

/// How often a turn in which nothing was answered is made anew, twice as long each time.
const MOST_TRIES: u32 = 5;

/// For what the last turn leaves to be done before the memory is read.
const SETTLE: Duration = Duration::from_millis(500);

/// Who takes turns: the gateway, what it is measured against, and nobody in between.
pub(super) const CONTESTANTS: usize = 4;
pub(super) const NAMES: [&str; CONTESTANTS] = ["gateway", "HAProxy", "nginx", "direct"];

/// One load, on all.
pub(super) struct Cell {
    pub(super) tls: bool,
    pub(super) large: bool,
    pub(super) connections: usize,
    pub(super) turns: [Vec<Turned>; CONTESTANTS],
}

/// What is kept of a turn.
#[derive(Clone, Copy, Debug)]
pub(super) struct Turned {
    /// Per second.
    pub(super) rate: f64,
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
    /// Processor time per request: of the proxy, of the client, which is this program, and of the
    /// application.
    pub(super) cpu_us: f64,
    pub(super) client_us: f64,
    pub(super) application_us: f64,
    /// Of one processor, by the client.
    pub(super) client_share: f64,
    pub(super) failed: usize,
}

/// All that was measured.
pub(super) struct Measured {
    pub(super) cells: Vec<Cell>,
    /// Before the load and after it, of all but the last.
    pub(super) memory: Vec<[Memory; 2]>,
}

struct Contestant {
    /// None for the last.
    proxy: Option<Proxy>,
    doors: [Door; 2],
    application: u32,
}

pub(super) async fn measure(plan: &Plan) -> Result<Vec<Section>, Failure> {
    let mut progress = Progress::new("gateway, load");
    let files = Files::new(&plan.above)?;
    let mut node = serving(Duration::ZERO)?;
    let direct = files.direct(&mut node)?;
    let nodes = BTreeMap::from([("a".to_owned(), node.clone())]);
    let (runners, leader) =
        Runners::start_serving(plan.program.clone(), &plan.above, nodes).await?;
    let proxies = [
        Proxy::gateway(plan, &files, runners.address()).await?,
        Proxy::haproxy(plan, &files, std::slice::from_ref(&node), Health::Assumed).await?,
        Proxy::nginx(plan, &files, &node).await?,
    ];
    let contestants = contestants(proxies, direct, &leader)?;
    let before = memory(&contestants)?;
    let mut cells = cells(plan);
    let mut turns = 0_usize;
    for round in 0..plan.rounds {
        for cell in &mut cells {
            for index in 0..CONTESTANTS {
                // Nobody always comes after the same other one.
                let step = if (turns / CONTESTANTS).is_multiple_of(2) {
                    1
                } else {
                    3
                };
                let index = (turns / CONTESTANTS + index * step) % CONTESTANTS;
                let turned = contestants[index].turn(cell, plan.turn).await?;
                cell.turns[index].push(turned);
            }
            turns += CONTESTANTS;
            progress.step(|| format!("round {} of {}", round + 1, plan.rounds));
        }
    }
    tokio::time::sleep(SETTLE).await;
    let after = memory(&contestants)?;
    let memory = before.into_iter().zip(after).map(|(one, two)| [one, two]);
    let measured = Measured {
        cells,
        memory: memory.collect(),
    };
    tables::sections(plan, &measured)
}

fn cells(plan: &Plan) -> Vec<Cell> {
    let mut cells = Vec::new();
    for tls in [false, true] {
        for large in [false, true] {
            cells.extend(plan.connections.iter().map(|&connections| Cell {
                tls,
                large,
                connections,
                turns: Default::default(),
            }));
        }
    }
    cells
}

fn contestants(
    proxies: [Proxy; CONTESTANTS - 1],
    direct: [Door; 2],
    leader: &Arrival,
) -> Result<Vec<Contestant>, Failure> {
    let application = leader.pid()?;
    let mut contestants: Vec<Contestant> = proxies
        .into_iter()
        .map(|proxy| Contestant {
            doors: [proxy.plain.clone(), proxy.secure.clone()],
            proxy: Some(proxy),
            application,
        })
        .collect();
    contestants.push(Contestant {
        proxy: None,
        doors: direct,
        application,
    });
    Ok(contestants)
}

fn memory(contestants: &[Contestant]) -> Result<Vec<Memory>, Failure> {
    let proxies = contestants
        .iter()
        .filter_map(|contestant| contestant.proxy.as_ref());
    proxies.map(Proxy::memory).collect()
}

impl Contestant {
    /// Of the proxy, the client and the application.
    fn cpu(&self) -> Result<[Duration; 3], Failure> {
        let proxy = self.proxy.as_ref().map_or(Ok(Duration::ZERO), Proxy::cpu);
        Ok([
            proxy?,
            side::cpu(std::process::id())?,
            side::cpu(self.application)?,
        ])
    }

    /// A turn, longer if nothing at all was answered in a shorter one: many large answers that come
    /// at the same time end late.
    async fn turn(&self, cell: &Cell, mut length: Duration) -> Result<Turned, Failure> {
        for _ in 0..MOST_TRIES {
            if let Some(turned) = self.try_turn(cell, length).await? {
                return Ok(turned);
            }
            length *= 2;
        }
        Err(format!("nothing was answered in {length:?}").into())
    }

    async fn try_turn(&self, cell: &Cell, length: Duration) -> Result<Option<Turned>, Failure> {
        let door = &self.doors[usize::from(cell.tls)];
        let question = match cell.large {
            true => Question::get(LARGE, LARGE_BODY),
            false => Question::get("/", SMALL_BODY),
        };
        let connections = client::open(door, cell.connections).await?;
        let begin = stopwatch::now() + length.mul_f64(WARM_UP);
        let end = begin + length;
        let mut asking = client::ask_all(door, connections, &question, (begin, end));
        tokio::time::sleep_until(begin.into()).await;
        let (from, before) = (stopwatch::now(), self.cpu()?);
        tokio::time::sleep_until(end.into()).await;
        let (to, after) = (stopwatch::now(), self.cpu()?);
        let mut failed = 0;
        let mut latencies = Vec::new();
        while let Some(turn) = asking.join_next().await {
            let turn = turn?;
            failed += turn.failed;
            latencies.extend(turn.latencies);
        }
        latencies.sort_unstable();
        let count = latencies.len();
        if count == 0 {
            return Ok(None);
        }
        let ms = |percent: usize| {
            let rank = (count * percent).div_ceil(100).max(1);
            latencies[rank - 1].as_secs_f64() * 1e3
        };
        let rate = count as f64 / length.as_secs_f64();
        // Timers are late where much is to do: what was taken is that of the time that it was taken
        // in.
        let shares: [f64; 3] = std::array::from_fn(|index| {
            (after[index] - before[index]).as_secs_f64() / (to - from).as_secs_f64()
        });
        Ok(Some(Turned {
            rate,
            p50_ms: ms(50),
            p99_ms: ms(99),
            cpu_us: shares[0] * 1e6 / rate,
            client_us: shares[1] * 1e6 / rate,
            application_us: shares[2] * 1e6 / rate,
            client_share: shares[1],
            failed,
        }))
    }
}
