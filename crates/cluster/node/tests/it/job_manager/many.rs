//! Many jobs at a time.

use std::time::Duration;

use futures::{StreamExt as _, stream};
use incumbent_cluster_core::leader::{Answer, Question};
use incumbent_cluster_core::record::JobState;
use tokio::time::Instant;

use super::fake::Fake;
use super::harness::{Manager, Place, spec, submit, wait};

/// A thousand were tried by hand. They take half a minute here, mostly until they are submitted.
const JOBS: u32 = 250;

/// So many jobs keep a slow machine busy for longer than a short lease. The first one hands over,
/// so nobody waits for it.
const LEASE: Duration = Duration::from_secs(60);

async fn running(manager: &Manager) -> u32 {
    match manager.ask(Question::Jobs).await {
        Answer::Jobs(jobs) => {
            let running = jobs.iter().filter(|job| job.state == JobState::Running);
            u32::try_from(running.count()).unwrap()
        }
        other => panic!("{other:?}"),
    }
}

/// The figures themselves are measured elsewhere, with a program that is compiled for speed.
#[tokio::test(flavor = "multi_thread")]
async fn hundreds_of_jobs_run_and_are_adopted() {
    let place = Place::directory();
    let first = place.manager_with("jm-1", LEASE).await;
    first.leads().await;
    let fake = Fake::start(&place, "tm-1", JOBS).await;
    let began = Instant::now();
    let submitted = stream::iter(0..JOBS).map(|number| {
        let node = &first.node;
        async move { submit(node, spec(&format!("job-{number}"), 1)).await }
    });
    let jobs: Vec<_> = submitted.buffer_unordered(64).collect().await;
    wait("all jobs run", async || running(&first).await == JOBS).await;
    println!("{JOBS} jobs run after {:?}", began.elapsed());
    let pids: Vec<_> = jobs.iter().map(|job| fake.pids(*job)).collect();
    let second = place.manager_with("jm-2", LEASE).await;
    let began = Instant::now();
    first.stop().await;
    second.leads().await;
    wait("all jobs are adopted", async || {
        running(&second).await == JOBS && second.cluster().await.is_complete
    })
    .await;
    println!("{JOBS} jobs are adopted after {:?}", began.elapsed());
    let after: Vec<_> = jobs.iter().map(|job| fake.pids(*job)).collect();
    assert_eq!(after, pids);
    let cluster = second.cluster().await;
    assert_eq!((cluster.slots, cluster.slots_free), (JOBS, 0));
}
