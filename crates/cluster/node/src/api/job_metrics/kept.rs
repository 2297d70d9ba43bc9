//! [`Kept`]: one look at the metrics of a job, for all who ask within a second.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use incumbent_cluster_core::JobId;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// How old a look may be that is shown, from when the last TaskManager had answered. A page asks
/// every two seconds, so it is never shown the same twice; many pages cost as much as one.
pub const METRICS_AGE: Duration = Duration::from_secs(1);

/// Jobs whose last look is kept: as many as people watch through one node. Beyond it, the looks are
/// dropped that nobody waits for at that moment.
const MOST_KEPT: usize = 16;

/// The last look of each job.
pub(in crate::api) struct Kept<L>(std::sync::Mutex<BTreeMap<JobId, Arc<Mutex<Last<L>>>>>);

/// When it was complete, and what was seen.
type Last<L> = Option<(Instant, Arc<L>)>;

impl<L> Default for Kept<L> {
    fn default() -> Self {
        Self(std::sync::Mutex::default())
    }
}

impl<L> Kept<L> {
    /// The last look at this job if it is not older than [`METRICS_AGE`], or a new one. There is
    /// one look at a job at a time, and all who ask meanwhile wait for it. A failure is not kept.
    ///
    /// # Cancel safety
    ///
    /// If the one who looks gives up, the next of those that wait looks instead.
    pub(super) async fn get<E>(
        &self,
        job: JobId,
        look: impl Future<Output = Result<L, E>>,
    ) -> Result<Arc<L>, E> {
        let last = self.of(job);
        let mut last = last.lock().await;
        if let Some((at, seen)) = &*last
            && at.elapsed() <= METRICS_AGE
        {
            return Ok(Arc::clone(seen));
        }
        // What is old is of no more use, whatever comes of the new one.
        *last = None;
        let seen = Arc::new(look.await?);
        *last = Some((Instant::now(), Arc::clone(&seen)));
        Ok(seen)
    }

    fn of(&self, job: JobId) -> Arc<Mutex<Last<L>>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MOST_KEPT && !kept.contains_key(&job) {
            // It is cloned under this lock only, so nobody else has those that are counted once.
            kept.retain(|_, last| Arc::strong_count(last) > 1);
        }
        Arc::clone(kept.entry(job).or_default())
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::atomic::{AtomicU32, Ordering};

    use tokio::sync::Notify;

    use super::*;

    const JOB: JobId = JobId::new(1);

    /// Looks that are counted; what is seen is which one it is.
    #[derive(Default)]
    struct Counting {
        kept: Kept<u32>,
        looks: AtomicU32,
    }

    impl Counting {
        async fn ask(&self, job: JobId) -> u32 {
            let look = async {
                let count = self.looks.fetch_add(1, Ordering::SeqCst) + 1;
                // As long as a TaskManager takes.
                tokio::time::sleep(Duration::from_millis(1500)).await;
                Ok::<_, Infallible>(count)
            };
            *self.kept.get(job, look).await.unwrap()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_hundred_who_ask_at_once_cost_one_look_and_none_is_shown_an_old_one() {
        let counting = Counting::default();
        let all = futures::future::join_all((0..100).map(|_| counting.ask(JOB))).await;
        assert_eq!(all, [1; 100]);
        tokio::time::advance(METRICS_AGE).await;
        assert_eq!(counting.ask(JOB).await, 1);
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(counting.ask(JOB).await, 2);
        // Another job has a look of its own.
        assert_eq!(counting.ask(JobId::new(2)).await, 3);
        assert_eq!(counting.ask(JOB).await, 4);
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_is_not_kept() {
        let kept = Kept::default();
        assert_eq!(
            kept.get(JOB, async { Err::<i32, _>("no store") }).await,
            Err("no store")
        );
        let seen = kept.get(JOB, async { Ok::<_, &str>(7) }).await;
        assert_eq!(seen.as_deref(), Ok(&7));
    }

    #[tokio::test]
    async fn if_the_one_who_looks_gives_up_the_next_one_looks() {
        let kept = Arc::new(Kept::default());
        let begun = Arc::new(Notify::new());
        let first = {
            let (kept, begun) = (Arc::clone(&kept), Arc::clone(&begun));
            tokio::spawn(async move {
                let look = async {
                    begun.notify_one();
                    std::future::pending::<Result<u32, Infallible>>().await
                };
                kept.get(JOB, look).await
            })
        };
        begun.notified().await;
        let second = {
            let kept = Arc::clone(&kept);
            tokio::spawn(async move { kept.get(JOB, async { Ok::<_, Infallible>(2) }).await })
        };
        first.abort();
        assert_eq!(*second.await.unwrap().unwrap(), 2);
    }

    #[tokio::test]
    async fn looks_that_nobody_waits_for_make_room() {
        let kept = Kept::default();
        for job in 0..100 {
            let seen = kept
                .get(JobId::new(job), async { Ok::<_, Infallible>(0) })
                .await;
            seen.unwrap();
        }
        assert!(kept.0.lock().unwrap().len() <= MOST_KEPT);
    }
}
