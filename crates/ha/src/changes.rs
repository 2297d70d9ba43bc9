//! [`Changes`]: which records of a group have changed, as it happens.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use incumbent_backend::hints::Listener;
use incumbent_backend::outage::{News, Outage, Recovery};
use incumbent_backend::{Hint, Listed, Pace, causes, jitter};
use incumbent_core::changes::{Change, Told};
use tokio::time::{Instant, sleep_until};

use crate::group::Inner;
use crate::read::in_time;
use crate::{Error, Group};

/// How often to list the records even if nothing hints at a change: what is changed while a hint is
/// lost is told after this time at the latest.
const LISTING_INTERVAL: Duration = Duration::from_secs(30);

/// The shortest pause between two listings that hints ask for, because they say that anything may
/// have changed. They may come in swarms.
const SHORTEST_PAUSE: Duration = Duration::from_millis(200);

/// A listing that took long is followed by a pause of at least so many times as long, but of
/// [`LISTING_INTERVAL`] at most: the reader may have been away meanwhile. So listings take a fifth
/// of the time at most, however many records there are, unless one takes seconds.
const PAUSE_PER_LISTING: u32 = 4;

/// The pauses after a listing that failed.
const RETRIES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// A listing under way: what it gives, and how long it took.
type Listing = BoxFuture<'static, (Result<Vec<Listed>, Error>, Duration)>;

/// Says which records of a group may have changed: first the present state, then changes as they
/// come, made by whichever process.
///
/// It says *that* a record may have changed; read or open it to learn how. What it does not say
/// within moments, because a hint of the store was late, lost or wrong, it says within 30 s, or as
/// soon as the store answers again. Quick changes of one record are told as one. A record is told
/// twice without a change in between only if the store's hints were late or named no version
/// (ZooKeeper's never do).
///
/// # What it costs
///
/// The hints come from the one watch that this process has on the group anyway. One listing at the
/// beginning, one every 30 s, and one when a hint says that anything may have changed, 200 ms apart
/// or more; after one that took long, up to 30 s later. It keeps name and version of every record,
/// as long as it exists. A reader that is slow, or does not ask at all, costs nothing more: it
/// holds up nobody, and finds by listing what it has missed. It works only while
/// [`next`](Self::next) is awaited.
pub struct Changes {
    told: Told,
    hints: Listener,
    listing: Option<Listing>,
    /// When to list next.
    list_at: Instant,
    /// No listing before that, whatever is hinted.
    not_before: Instant,
    retries: Pace,
    trouble: Outage,
    /// Also keeps the task alive, and with it the watch.
    group: Arc<Inner>,
}

impl Group {
    /// Follows which records of the group may have changed.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use incumbent::{Change, RecordName};
    /// let store = incumbent::open("memory:").await?;
    /// let group = store.group("demo")?;
    /// let mut changes = group.changes();
    /// assert_eq!(changes.next().await, []); // the present state: nothing yet
    ///
    /// let name: RecordName = "jobs/1".parse()?;
    /// group.create(&name, &"sleep 60".to_owned()).await?;
    /// assert_eq!(changes.next().await, [Change::Written(name)]);
    /// # Ok(()) }
    /// ```
    ///
    /// Must be called inside a Tokio runtime.
    pub fn changes(&self) -> Changes {
        Changes::new(Arc::clone(&self.inner))
    }
}

impl Changes {
    fn new(group: Arc<Inner>) -> Self {
        let now = Instant::now();
        Self {
            told: Told::new(),
            // Before the first listing begins, so that nothing falls between the two.
            hints: group.contact.listen(&group.name),
            listing: None,
            list_at: now,
            not_before: now,
            retries: Pace::new(RETRIES.0, RETRIES.1),
            trouble: Outage::new(),
            group,
        }
    }

    /// Waits for records that may have changed since the last call, each named once. The first call
    /// returns all records that there are, perhaps none: every one whose creation was acknowledged
    /// before the call, tombstones included.
    ///
    /// As long as the store does not answer, it waits; [`unreadable`](Self::unreadable) says why.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    pub async fn next(&mut self) -> Vec<Change> {
        loop {
            if let Some(changes) = self.told.take() {
                return changes;
            }
            tokio::select! {
                hint = self.hints.next() => self.hinted(hint),
                (listed, took) = answer(&mut self.listing) => {
                    self.listing = None;
                    self.listed(listed, took);
                }
                () = sleep_until(self.list_at), if self.listing.is_none() => self.list(),
            }
        }
    }

    /// Why the records cannot be listed, in the words of the store; `None` if the last listing
    /// worked.
    pub fn unreadable(&self) -> Option<String> {
        self.trouble.reason()
    }

    /// The changes as a stream.
    pub fn into_stream(self) -> impl futures::Stream<Item = Vec<Change>> {
        futures::stream::unfold(self, async |mut changes| {
            Some((changes.next().await, changes))
        })
    }

    fn hinted(&mut self, hint: Hint) {
        match hint.key {
            None => self.list_at = self.list_at.min(self.not_before),
            Some(key) => {
                if let Some(name) = key.record_name() {
                    self.told.hint(name.clone(), hint.version);
                }
            }
        }
    }

    fn list(&mut self) {
        self.told.begin();
        self.list_at = Instant::now() + LISTING_INTERVAL;
        let group = Arc::clone(&self.group);
        self.listing = Some(Box::pin(async move {
            let begun = Instant::now();
            let timeout = group.timing.request_timeout();
            let listed = in_time(timeout, group.backend.list(&group.name), &group.name).await;
            (listed, begun.elapsed())
        }));
    }

    fn listed(&mut self, listed: Result<Vec<Listed>, Error>, took: Duration) {
        let now = Instant::now();
        let group = &self.group.name;
        let listed = match listed {
            Ok(listed) => listed,
            Err(error) => {
                let pause = self.retries.after_failure(jitter());
                (self.not_before, self.list_at) = (now + pause, now + pause);
                let error = causes(&error);
                match self.trouble.failed(&error) {
                    News::Began | News::OtherReason => tracing::warn!(
                        %group,
                        error,
                        "cannot list the records of the group; changes may be found late; \
                         retrying within {:?}",
                        RETRIES.1
                    ),
                    News::Known => {
                        tracing::debug!(%group, error, "still cannot list the records of the group");
                    }
                }
                return;
            }
        };
        if let Recovery::Over { failures } = self.trouble.worked() {
            tracing::info!(%group, failures, "can list the records of the group again");
        }
        self.retries.reset();
        self.not_before = now + (took * PAUSE_PER_LISTING).clamp(SHORTEST_PAUSE, LISTING_INTERVAL);
        self.list_at = self.list_at.max(self.not_before);
        self.told.listed(listed.into_iter().filter_map(|listed| {
            let name = listed.key.record_name()?.clone();
            Some((name, listed.version))
        }));
    }
}

async fn answer<T>(request: &mut Option<BoxFuture<'static, T>>) -> T {
    match request {
        Some(request) => request.await,
        None => std::future::pending().await,
    }
}
