//! The requests and the speed of the Kubernetes backend, on a double of the API server or on a real
//! one.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, TryStreamExt, stream};
use incumbent::backend::{Backend, GroupName};
use incumbent::{Group, Options, RecordName, Store};
use incumbent_backend_kubernetes::KubernetesBackend;
use incumbent_kubernetes_double::{Double, Options as DoubleOptions, Verb};
use tempfile::TempDir;

use crate::args::{KubernetesArgs, TakeoverArgs};
use crate::progress::Progress;
use crate::report::Figure;
use crate::runners::{Runners, Spot};
use crate::stats::{Statistic, Summary};
use crate::takeover::{self, How};
use crate::{Failure, pods, program, stopwatch};

/// Time for standbys to see the leader, so that the requests of the election are not counted.
const SETTLE: Duration = Duration::from_secs(3);

/// Commits of which requests are counted.
const COMMITS: u32 = 200;

/// Records that are opened at a time.
const AT_A_TIME: usize = 32;

/// Lists that are timed.
const LISTS: u32 = 5;

/// So many requests a second that the client's own limit does not matter.
const UNLIMITED: &str = "qps=100000&burst=100000";

/// An API server, and how to reach it.
struct Site {
    double: Option<Double>,
    kubeconfig: String,
    /// Tells the clusters of this run from those of others.
    run: String,
    _dir: TempDir,
}

pub(crate) async fn measure(above: &Path, args: KubernetesArgs) -> Result<Vec<Figure>, Failure> {
    let mut figures = Vec::new();
    if args.pods > 0 && args.kubeconfig.is_none() {
        let program = program::find(args.group.program.as_deref())?;
        figures.extend(pods::measure(above, program, args.pods).await?);
    }
    if args.only_pods {
        return Ok(figures);
    }
    let site = Site::new(&args).await?;
    let takeovers = [
        (How::Killed, args.rounds, "killed"),
        (How::Asked, args.rounds, "asked"),
        (How::Unproven, args.lease_rounds, "unproven"),
    ];
    for (how, rounds, name) in takeovers {
        if rounds == 0 {
            continue;
        }
        let takeover = TakeoverArgs {
            rounds,
            group: args.group.clone(),
        };
        let mut spot = site.spot(name)?;
        if how == How::Unproven {
            spot.flags = &["--no-liveness"];
        }
        let measured = takeover::measure(above, &takeover, how, Some(spot.clone())).await;
        clear(&spot.store).await?;
        figures.extend(measured?);
    }
    figures.extend(site.idle(&args).await?);
    figures.extend(site.commits().await?);
    figures.extend(site.many(above, &args).await?);
    Ok(figures)
}

impl Site {
    async fn new(args: &KubernetesArgs) -> Result<Self, Failure> {
        let dir = tempfile::tempdir()?;
        let (double, path) = match &args.kubeconfig {
            Some(path) => (None, path.canonicalize()?),
            None => {
                let double = Double::start(DoubleOptions::default()).await;
                let path = dir.path().join("kubeconfig");
                std::fs::write(&path, double.kubeconfig(None))?;
                (Some(double), path)
            }
        };
        let kubeconfig = path.to_str().ok_or("the file's name is not UTF-8")?;
        Ok(Self {
            double,
            kubeconfig: kubeconfig.to_owned(),
            run: format!("bench-{}", std::process::id()),
            _dir: dir,
        })
    }

    fn address(&self, name: &str, more: &str) -> String {
        let Self {
            run, kubeconfig, ..
        } = self;
        format!("kubernetes:///{run}-{name}?kubeconfig={kubeconfig}{more}")
    }

    fn spot(&self, name: &str) -> Result<Spot, Failure> {
        let address = self.address(name, "");
        Ok(Spot {
            store: Arc::new(KubernetesBackend::open(&address.parse()?)?),
            address,
            flags: &[],
        })
    }

    /// The requests since the last reset, without watches that go on.
    fn asked(&self) -> Option<(usize, usize)> {
        let seen = self.double.as_ref()?.seen();
        let writes = seen.iter().filter(|seen| {
            matches!(
                seen.verb,
                Verb::Create | Verb::Update | Verb::Patch | Verb::Delete
            )
        });
        Some((writes.count(), seen.len()))
    }

    fn forget(&self) {
        if let Some(double) = &self.double {
            double.forget_seen();
        }
    }

    async fn idle(&self, args: &KubernetesArgs) -> Result<Vec<Figure>, Failure> {
        if self.double.is_none() {
            return Ok(Vec::new());
        }
        let standbys = args.group.runners - 1;
        let mut progress = Progress::new("idle");
        let leading = self.group("idle", "leader", "").await?;
        let leadership = leading.candidate()?.campaign().await;
        leadership.activate().await?;
        let mut waiting = tokio::task::JoinSet::new();
        for number in 0..standbys {
            let group = self.group("idle", &format!("standby-{number}"), "").await?;
            let candidate = group.candidate()?;
            waiting.spawn(async move { drop(candidate.campaign().await) });
        }
        tokio::time::sleep(SETTLE).await;
        self.forget();
        let begin = stopwatch::now();
        while begin.elapsed() < Duration::from_secs(args.seconds) {
            tokio::time::sleep(Duration::from_millis(200)).await;
            progress.step(|| format!("{} of {} s", begin.elapsed().as_secs(), args.seconds));
        }
        let minutes = begin.elapsed().as_secs_f64() / 60.0;
        let Some((writes, all)) = self.asked() else {
            return Ok(Vec::new());
        };
        let per_minute = |count: usize| Summary::of([count as f64 / minutes]);
        let figure = |what: &str, count| {
            let what = format!("idle, {standbys} standbys: {what}");
            Some(Figure::new(what, "/min", per_minute(count)?, []))
        };
        waiting.shutdown().await;
        Ok([figure("writes", writes), figure("all requests", all)]
            .into_iter()
            .flatten()
            .collect())
    }

    async fn commits(&self) -> Result<Vec<Figure>, Failure> {
        let _progress = Progress::new("commits");
        let group = self.group("commits", "leader", UNLIMITED).await?;
        let leadership = group.candidate()?.campaign().await;
        let name: RecordName = "job".parse()?;
        let mut record = leadership.open::<String>(&name).await?;
        self.forget();
        let mut times = Vec::new();
        for number in 0..COMMITS {
            let begin = stopwatch::now();
            record.commit(format!("{number:0100}")).await?;
            times.push(begin.elapsed());
        }
        // Requests for the root are not counted: renewals go on meanwhile.
        let about = |name: &str| name.ends_with(".job");
        let seen = self.double.as_ref().map(Double::seen);
        let asked = seen.map(|seen| seen.iter().filter(|seen| about(&seen.name)).count());
        leadership.resign(None).await;
        self.clear("commits").await?;
        let mut figures = Vec::new();
        figures.extend(
            Summary::of_millis(times).map(|times| Figure::new("commit of 100 B", "ms", times, [])),
        );
        let each = asked.and_then(|asked| Summary::of([asked as f64 / f64::from(COMMITS)]));
        figures.extend(
            each.map(|each| Figure::new("requests per commit", "", each, [(Statistic::Max, 1.0)])),
        );
        Ok(figures)
    }

    /// Many records: sealed by a new leader, listed, and watched by a process.
    async fn many(&self, above: &Path, args: &KubernetesArgs) -> Result<Vec<Figure>, Failure> {
        let mut progress = Progress::new("many records");
        let address = self.address("many", &format!("&{UNLIMITED}"));
        let spot = Spot {
            store: Arc::new(KubernetesBackend::open(&address.parse()?)?),
            address: address.clone(),
            flags: &[],
        };
        let program = program::find(args.group.program.as_deref())?;
        let (empty, leader) = Runners::start(program.clone(), above, 2, Some(spot.clone())).await?;
        let few = standby_of(&empty, &leader.holder)?;
        drop(empty);
        clear(&spot.store).await?;

        let group = incumbent::open(&address).await?.group("bench")?;
        let names = |count| (0..count).map(|number| format!("jobs/{number}").parse());
        let names: Vec<RecordName> =
            names(args.many.max(args.records)).collect::<Result<_, _>>()?;
        let first = group.candidate()?.campaign().await;
        let (some, others) = names.split_at(usize::try_from(args.records)?.min(names.len()));
        open_all(&first, some, true).await?;
        progress.step(|| format!("{} records", some.len()));
        first.resign(None).await;
        let second = group.candidate()?.campaign().await;
        let begin = stopwatch::now();
        open_all(&second, some, false).await?;
        let sealed = begin.elapsed();
        open_all(&second, others, true).await?;
        progress.step(|| format!("{} records", names.len()));
        let mut lists = Vec::new();
        for _ in 0..LISTS {
            let begin = stopwatch::now();
            let listed = group.records().await?.len();
            if listed != names.len() {
                return Err(format!("{listed} records are listed, not {}", names.len()).into());
            }
            lists.push(begin.elapsed());
        }
        second.resign(None).await;
        group.close().await;
        let (full, leader) = Runners::start(program, above, 2, Some(spot.clone())).await?;
        let watched = standby_of(&full, &leader.holder)?;
        drop(full);
        progress.step(|| "removing them".into());
        clear(&spot.store).await?;
        let mebibytes = |bytes: u64| Summary::of([bytes as f64 / f64::from(1 << 20)]);
        let figures = [
            Summary::of_millis([sealed]).map(|sealed| {
                Figure::new(format!("{} records sealed", some.len()), "ms", sealed, [])
            }),
            Summary::of_millis(lists).map(|lists| {
                Figure::new(format!("{} records listed", names.len()), "ms", lists, [])
            }),
            mebibytes(few)
                .map(|few| Figure::new("memory of a standby, no records", "MiB", few, [])),
            mebibytes(watched).map(|watched| {
                let what = format!("memory of a standby, {} records", names.len());
                Figure::new(what, "MiB", watched, [])
            }),
        ];
        Ok(figures.into_iter().flatten().collect())
    }

    async fn group(&self, name: &str, holder: &str, more: &str) -> Result<Group, Failure> {
        let more = if more.is_empty() {
            String::new()
        } else {
            format!("&{more}")
        };
        let store: Store = incumbent::open(&self.address(name, &more)).await?;
        let options = Options {
            holder: Some(holder.parse()?),
            ..Options::default()
        };
        Ok(store.group_with("bench", options)?)
    }

    async fn clear(&self, name: &str) -> Result<(), Failure> {
        let store: Arc<dyn Backend> = Arc::new(KubernetesBackend::open(
            &self.address(name, &format!("&{UNLIMITED}")).parse()?,
        )?);
        clear(&store).await
    }
}

async fn open_all(
    leadership: &incumbent::Leadership,
    names: &[RecordName],
    write: bool,
) -> Result<(), Failure> {
    let opened = stream::iter(names).map(|name| async move {
        let mut record = leadership.open::<String>(name).await?;
        if write {
            record.commit("x".repeat(100)).await?;
        }
        Ok::<_, Failure>(())
    });
    opened.buffer_unordered(AT_A_TIME).try_collect().await
}

/// The memory of the runner that does not lead.
fn standby_of(runners: &Runners, leader: &str) -> Result<u64, Failure> {
    runners.memory(if leader == "a" { "b" } else { "a" })
}

/// Removes everything that belongs to a runners.
async fn clear(store: &Arc<dyn Backend>) -> Result<(), Failure> {
    let group: GroupName = "bench".parse()?;
    let listed = store.list(&group).await?;
    let erased = stream::iter(&listed).map(|listed| store.erase(&listed.key, &listed.version));
    let erased = erased.buffer_unordered(AT_A_TIME);
    erased.try_for_each(|_| std::future::ready(Ok(()))).await?;
    Ok(())
}
