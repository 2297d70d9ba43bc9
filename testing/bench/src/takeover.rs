//! How long a group has no leader after one is killed or asked to end.

use std::path::Path;
use std::time::{Duration, Instant};

use incumbent::Timing;
use rustix::process::Signal;

use crate::args::TakeoverArgs;
use crate::progress::Progress;
use crate::report::Figure;
use crate::runners::{Arrival, Line, Runners, Spot};
use crate::stats::{Statistic, Summary};
use crate::{Failure, program};

/// The log of a round that takes longer is printed.
const SLOW: Duration = Duration::from_millis(100);

/// Longest pause before a round: rounds begin at different moments of the renewal period.
const LONGEST_PAUSE: Duration = Duration::from_millis(300);

/// Time for the last lines of a log to come through their pipe.
const LOGS_LAG: Duration = Duration::from_millis(20);

/// What happens to the leader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// kill -9.
    Killed,
    /// kill -9, without a proof of death.
    Unproven,
    /// SIGTERM.
    Asked,
}

/// One change of leader.
struct Round {
    total: Duration,
    parts: Option<Parts>,
    /// The reason that the new leader logs for its claim.
    because: Option<String>,
}

/// A change of leader in parts.
struct Parts {
    /// Until the old leader was proven dead, or had resigned.
    free: Duration,
    /// From then on, until the root was won and the floor sealed.
    won: Duration,
    /// From then on, until the command ran.
    started: Duration,
}

pub(crate) async fn measure(
    above: &Path,
    args: &TakeoverArgs,
    how: How,
    spot: Option<Spot>,
) -> Result<Vec<Figure>, Failure> {
    let remote = spot.is_some();
    let program = program::find(args.group.program.as_deref())?;
    let mut progress = Progress::new(how.name());
    let (mut runners, mut leader) =
        Runners::start(program, above, args.group.runners, spot).await?;
    let mut rounds = Vec::new();
    for number in 0..args.rounds {
        tokio::time::sleep(pause(number)).await;
        runners.log();
        let gone = leader.holder.clone();
        let begin = runners.signal(&gone, how.signal())?;
        leader = runners.next_arrival().await?;
        runners.ended(&gone).await?;
        tokio::time::sleep(LOGS_LAG).await;
        let log = runners.log();
        let round = Round::of(how, begin, &gone, &leader, &log);
        if (round.total > SLOW && how != How::Unproven) || args.group.stories {
            progress.note(&story(number, begin, &leader, &log));
        }
        rounds.push(round);
        runners.start_runner(gone)?;
        runners.until_all_stand_by(&leader).await?;
        progress.step(|| format!("{} of {} rounds", number + 1, args.rounds));
    }
    drop(progress);
    Ok(figures(how, remote, &rounds))
}

impl How {
    fn name(self) -> &'static str {
        match self {
            Self::Killed => "failover",
            Self::Unproven => "failover without a proof",
            Self::Asked => "handover",
        }
    }

    fn signal(self) -> Signal {
        match self {
            Self::Killed | Self::Unproven => Signal::KILL,
            Self::Asked => Signal::TERM,
        }
    }

    /// The reason that the new leader logs if all went as it should.
    fn expected(self) -> &'static str {
        match self {
            Self::Killed => "the last leader is dead",
            Self::Unproven => "the lease expired",
            Self::Asked => "the last leader resigned",
        }
    }
}

impl Round {
    fn of(how: How, begin: Instant, gone: &str, leader: &Arrival, log: &[Line]) -> Self {
        let find = |holder: &str, message: &str| {
            log.iter()
                .find(|line| line.holder == holder && line.message.starts_with(message))
        };
        let free = match how {
            How::Killed => find(&leader.holder, "the leader is proven dead"),
            How::Unproven => None,
            How::Asked => find(gone, "resigned"),
        };
        let leading = find(&leader.holder, "leading");
        let parts = free.zip(leading).map(|(free, leading)| Parts {
            free: free.at.saturating_duration_since(begin),
            // Two processes log these lines, so the second may be read first.
            won: leading.at.saturating_duration_since(free.at),
            started: leader.at.saturating_duration_since(leading.at),
        });
        Self {
            total: leader.at.saturating_duration_since(begin),
            parts,
            because: leading.and_then(|line| line.because.clone()),
        }
    }
}

/// Spread evenly, and the same in every run.
fn pause(number: u32) -> Duration {
    let golden = 0.618_033_988_75;
    LONGEST_PAUSE.mul_f64((f64::from(number) * golden).fract())
}

fn figures(how: How, remote: bool, rounds: &[Round]) -> Vec<Figure> {
    let other_ways: Vec<&str> = rounds
        .iter()
        .map(|round| round.because.as_deref().unwrap_or("no line in its log"))
        .filter(|because| *because != how.expected())
        .collect();
    if !other_ways.is_empty() {
        eprintln!(
            "{}: {} of {} rounds went another way: {}",
            how.name(),
            other_ways.len(),
            rounds.len(),
            other_ways.join(", ")
        );
    }
    let (what, free, targets) = match how {
        How::Killed => (
            "failover: kill -9 to the next command",
            "proven dead",
            vec![
                (Statistic::Median, if remote { 300.0 } else { 200.0 }),
                (Statistic::P99, 1000.0),
            ],
        ),
        How::Unproven => (
            "failover by the lease: kill -9 to the next command",
            "",
            vec![(Statistic::Max, longest_silence())],
        ),
        How::Asked => (
            "hand-over: SIGTERM to the next command",
            "command ended, resigned",
            vec![(Statistic::Median, if remote { 200.0 } else { 100.0 })],
        ),
    };
    let total = Summary::of_millis(rounds.iter().map(|round| round.total));
    let mut figures: Vec<Figure> = total
        .map(|total| Figure::new(what, "ms", total, targets))
        .into_iter()
        .collect();
    let part = |name: &str, of: fn(&Parts) -> Duration| {
        let samples = rounds.iter().filter_map(|round| round.parts.as_ref());
        let summary = Summary::of_millis(samples.map(of))?;
        Some(Figure::new(format!("· {name}"), "ms", summary, []))
    };
    figures.extend(part(free, |parts| parts.free));
    figures.extend(part("root won, floor sealed", |parts| parts.won));
    figures.extend(part("command started", |parts| parts.started));
    figures
}

/// The lease, and the time to notice that it has expired, in milliseconds.
fn longest_silence() -> f64 {
    let timing = Timing::default();
    (timing.lease() + timing.retry().mul_f64(1.2)).as_secs_f64() * 1e3
}

fn story(number: u32, begin: Instant, leader: &Arrival, log: &[Line]) -> String {
    let millis = |at: Instant| at.saturating_duration_since(begin).as_secs_f64() * 1e3;
    let mut lines: Vec<(f64, String)> = log
        .iter()
        .map(|line| {
            let because = line.because.as_deref().unwrap_or_default();
            (
                millis(line.at),
                format!("{}: {} {because}", line.holder, line.message),
            )
        })
        .collect();
    lines.push((
        millis(leader.at),
        format!(
            "{}: its command runs, epoch {}",
            leader.holder, leader.epoch
        ),
    ));
    lines.sort_by(|one, other| one.0.total_cmp(&other.0));
    let lines = lines
        .iter()
        .map(|(at, text)| format!("  {at:9.3} ms  {text}\n"));
    format!("round {number}:\n{}", lines.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_differ_and_are_never_too_long() {
        let pauses: std::collections::BTreeSet<_> = (0..100).map(pause).collect();
        assert_eq!(pauses.len(), 100);
        assert!(pauses.iter().all(|pause| *pause < LONGEST_PAUSE));
    }
}
