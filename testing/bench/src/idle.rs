//! How much a group writes that only keeps a leader.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use incumbent::backend::Backend;
use incumbent::{Group, Leadership, Options, Store, Timing};
use incumbent_backend_file::FileBackend;
use incumbent_backend_memory::MemoryBackend;
use tokio::task::JoinHandle;

use crate::args::IdleArgs;
use crate::counting::{Counting, Counts};
use crate::progress::Progress;
use crate::report::Figure;
use crate::stats::{Statistic, Summary};
use crate::{Failure, stopwatch};

/// Time for the standbys to see the leader, so that the requests of the election are not counted.
const SETTLE: Duration = Duration::from_secs(1);

/// One leader and its standbys, each with a handle of its own as processes have.
struct Idlers {
    name: &'static str,
    counts: Arc<Counts>,
    group: Group,
    _leadership: Leadership,
    standbys: Vec<Standby>,
}

struct Standby(JoinHandle<()>);

pub(crate) async fn measure(above: &Path, args: IdleArgs) -> Result<Vec<Figure>, Failure> {
    let mut progress = Progress::new("idle");
    let memory = MemoryBackend::new();
    let dir = tempfile::tempdir_in(above)?;
    let address = format!("file://{}", dir.path().display()).parse()?;
    let groups = [
        Idlers::gather("memory", args.standbys, || Ok(memory.clone())).await?,
        Idlers::gather("file", args.standbys, || Ok(FileBackend::open(&address)?)).await?,
    ];
    tokio::time::sleep(SETTLE).await;
    let mut before = Vec::new();
    for idlers in &groups {
        before.push((
            idlers.seq().await?,
            idlers.counts.writes(),
            idlers.counts.reads(),
        ));
    }
    let begin = stopwatch::now();
    let end = begin + Duration::from_secs(args.seconds);
    while stopwatch::now() < end {
        tokio::time::sleep(Duration::from_millis(200)).await;
        progress.step(|| format!("{} of {} s", begin.elapsed().as_secs(), args.seconds));
    }
    let minutes = begin.elapsed().as_secs_f64() / 60.0;
    // One more than fits, as the minute begins at a random moment of the period.
    let most = args.seconds as f64 / Timing::default().retry().as_secs_f64() + 1.0;
    let mut figures = Vec::new();
    for (idlers, (seq, writes, reads)) in groups.iter().zip(before) {
        let wrote = idlers.counts.writes() - writes;
        // The leader's own read of the root is counted, too.
        let read = idlers.counts.reads() - reads;
        let renewed = idlers.seq().await? - seq;
        if renewed != wrote {
            let name = idlers.name;
            progress.note(&format!(
                "idle on {name}: {wrote} writes, of which {renewed} renewed the lease"
            ));
        }
        let figure = |what: &str, count: u64, targets: &[(Statistic, f64)]| {
            let summary = Summary::of([count as f64 / minutes])?;
            let what = format!(
                "idle {}, {} standbys: {what}",
                idlers.name,
                idlers.standbys.len()
            );
            let targets = targets.iter().copied();
            Some(Figure::new(what, "/min", summary, targets))
        };
        figures.extend(figure(
            "writes",
            wrote,
            &[(Statistic::Median, most / minutes)],
        ));
        figures.extend(figure("reads", read, &[]));
    }
    Ok(figures)
}

impl Idlers {
    async fn gather<B: Backend>(
        name: &'static str,
        standbys: u32,
        open: impl Fn() -> Result<B, Failure>,
    ) -> Result<Self, Failure> {
        let counts = Arc::<Counts>::default();
        let group = |holder: String| {
            let backend = Counting {
                inner: open()?,
                counts: Arc::clone(&counts),
            };
            let options = Options {
                holder: Some(holder.parse()?),
                ..Options::default()
            };
            Ok::<_, Failure>(Store::on(backend).group_with("idle", options)?)
        };
        let leading = group("leader".into())?;
        let leadership = leading.candidate()?.campaign().await;
        leadership.activate().await?;
        let mut waiting = Vec::new();
        for number in 1..=standbys {
            let candidate = group(format!("standby-{number}"))?.candidate()?;
            waiting.push(Standby(tokio::spawn(async move {
                // No candidate gives up during the count. The counts would show it.
                drop(candidate.campaign().await);
            })));
        }
        Ok(Self {
            name,
            counts,
            group: leading,
            _leadership: leadership,
            standbys: waiting,
        })
    }

    /// Number of the last write of the leader's term.
    async fn seq(&self) -> Result<u64, Failure> {
        let root = self.group.root().await?.ok_or("there is no root")?;
        Ok(root.seq)
    }
}

impl Drop for Standby {
    fn drop(&mut self) {
        self.0.abort();
    }
}
