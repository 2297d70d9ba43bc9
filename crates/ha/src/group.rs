//! [`Store`] and [`Group`]: where records are kept, and the candidates that share a root record
//! there.

use std::sync::Arc;
use std::time::Duration;

use incumbent_backend::{Backend, GroupName, Key, Limits, Reach, RecordName};
use incumbent_core::election::Config;
use incumbent_core::root::Root;
use incumbent_core::{HolderName, Nonce, Timing, View};
use metrics::SharedString;
use serde::de::DeserializeOwned;
use tokio::sync::{Mutex, mpsc, watch};
use tokio::task::JoinHandle;

use crate::liveness::{Liveness, LivenessServer};
use crate::node::{Command, Contact, Node, Setup};
use crate::read::{Snapshot, in_time, read_key, read_record};
use crate::{Candidate, Clock, Error, Observer, OpenError};

/// A place that keeps the records of any number of groups. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    pub(crate) backend: Arc<dyn Backend>,
    pub(crate) address: String,
}

/// How a process takes part in a group. The defaults suit most.
#[derive(Clone, Debug)]
pub struct Options {
    /// This candidate's name, for people. By default host name and process id.
    pub holder: Option<HolderName>,
    /// Its lease.
    pub timing: Timing,
    /// Whether and where it can be seen to live.
    pub liveness: Liveness,
    /// Where it takes the time from.
    pub clock: Clock,
}

/// One election group, as this process takes part in it: the handle from which everything else
/// comes. Cheap to clone.
///
/// All clones share one task, one watch and at most one leadership. When the last clone, candidate,
/// observer and leadership is gone, the task ends.
#[derive(Clone)]
pub struct Group {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) backend: Arc<dyn Backend>,
    pub(crate) name: GroupName,
    /// The name as metrics carry it, cheap to clone.
    pub(crate) label: SharedString,
    pub(crate) timing: Timing,
    pub(crate) commands: mpsc::Sender<Command>,
    holder: HolderName,
    liveness: Liveness,
    clock: Clock,
    pub(crate) contact: Arc<Contact>,
    views: watch::Receiver<Option<View>>,
    /// The task that performs the decisions. It ends after the last handle.
    task: std::sync::Mutex<Option<JoinHandle<()>>>,
    /// Held while this process campaigns or leads, so that it does so once at a time.
    pub(crate) turn: Arc<Mutex<()>>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            holder: None,
            timing: Timing::default(),
            liveness: Liveness::Default,
            clock: Clock::Boot,
        }
    }
}

impl Store {
    /// A store on a backend of your own.
    pub fn on(backend: impl Backend) -> Self {
        Self {
            backend: Arc::new(backend),
            address: "a backend of its own".into(),
        }
    }

    /// Its address as people read it: decoded, without passwords and options.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// What it can take.
    pub fn limits(&self) -> Limits {
        self.backend.limits()
    }

    /// The names of the groups that have records here, sorted.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`], [`Error::Damaged`].
    pub async fn groups(&self) -> Result<Vec<GroupName>, Error> {
        let timeout = Timing::default().request_timeout();
        in_time(timeout, self.backend.groups(), &self.address).await
    }

    /// Takes part in a group with the defaults.
    ///
    /// Must be called inside a Tokio runtime.
    ///
    /// # Errors
    ///
    /// [`OpenError::Name`].
    pub fn group(&self, name: &str) -> Result<Group, OpenError> {
        self.group_with(name, Options::default())
    }

    /// Takes part in a group.
    ///
    /// Must be called inside a Tokio runtime.
    ///
    /// # Errors
    ///
    /// [`OpenError::Name`].
    pub fn group_with(&self, name: &str, options: Options) -> Result<Group, OpenError> {
        let name: GroupName = name.parse()?;
        let holder = options.holder.unwrap_or_else(default_holder);
        let timing = options.timing;
        let nonces = Nonce::new(rand::random());
        let config = Config {
            holder: holder.clone(),
            timing,
            liveness: None,
            nonces,
        };
        let setup = Setup {
            backend: Arc::clone(&self.backend),
            group: name.clone(),
            config,
            clock: options.clock,
            contact: Arc::default(),
        };
        let contact = Arc::clone(&setup.contact);
        let (commands, views, task) = Node::spawn(setup);
        let inner = Inner {
            backend: Arc::clone(&self.backend),
            label: SharedString::from_shared(name.as_str().into()),
            name,
            timing,
            commands,
            holder,
            liveness: options.liveness,
            clock: options.clock,
            contact,
            views,
            task: std::sync::Mutex::new(Some(task)),
            turn: Arc::default(),
        };
        Ok(Group {
            inner: Arc::new(inner),
        })
    }
}

impl Group {
    /// Its name.
    pub fn name(&self) -> &GroupName {
        &self.inner.name
    }

    /// The name of this process as a candidate.
    pub fn holder(&self) -> &HolderName {
        &self.inner.holder
    }

    /// The timing of this process as a candidate.
    pub fn timing(&self) -> &Timing {
        &self.inner.timing
    }

    /// For how long the backend has not answered this process; `None` if it never has. A healthy
    /// process hears from it at least once in a retry period.
    pub fn silence(&self) -> Option<Duration> {
        self.inner.contact.silence(self.inner.clock.time())
    }

    /// Whether this process leads.
    pub fn is_leading(&self) -> bool {
        self.inner.contact.is_leading()
    }

    /// Why this process could not lead, in the words of the store's server; `None` if nothing is
    /// known to speak against it.
    ///
    /// A process asks when it begins to campaign, and again every lease duration while it is
    /// refused. Until then it does not campaign, so it wins no term that it could not make active.
    /// A program that stands by should report itself as not ready with this reason: nobody may be
    /// able to take over when the leader dies. Not every store can tell.
    pub fn missing_rights(&self) -> Option<String> {
        self.inner.contact.missing_rights()
    }

    /// Why a campaign of this process does not get on, in the words of the store: its
    /// [rights](Self::missing_rights), or what it could not read or write last. `None` if nothing
    /// failed: then the campaign waits for another leader, or for its lease.
    pub fn trouble(&self) -> Option<String> {
        self.inner.contact.trouble()
    }

    /// Drops this handle and waits until what it began has ended: a campaign that was dropped while
    /// its claim was on the way, or a term that is being given up. For a program that is about to
    /// exit and should not leave a lease behind.
    ///
    /// Returns at once if other handles, observers or leaderships remain, and after the renew
    /// deadline in any case.
    pub async fn close(self) {
        let patience = self.inner.timing.renew_deadline();
        let Some(mut inner) = Arc::into_inner(self.inner) else {
            return;
        };
        let task = inner.task.get_mut().ok().and_then(Option::take);
        drop(inner);
        if let Some(task) = task {
            // If the task takes longer, or panicked, nothing can be done about it here.
            let _ = tokio::time::timeout(patience, task).await;
        }
    }

    /// Follows who leads.
    pub fn observe(&self) -> Observer {
        Observer::new(self.inner.views.clone(), Arc::clone(&self.inner))
    }

    /// Prepares to campaign: begins to listen on the liveness endpoint, unless that is off.
    ///
    /// Must be called inside a Tokio runtime.
    ///
    /// # Errors
    ///
    /// [`OpenError::Liveness`].
    pub fn candidate(&self) -> Result<Candidate, OpenError> {
        let reach = self.inner.backend.limits().reach;
        let (listen, advertise) = match &self.inner.liveness {
            Liveness::Off => return Ok(Candidate::new(self.clone(), None)),
            Liveness::Default if reach == Reach::Process => {
                return Ok(Candidate::new(self.clone(), None));
            }
            Liveness::Default if reach == Reach::Network => (LivenessServer::reachable(), None),
            Liveness::Default => (LivenessServer::loopback(), None),
            Liveness::On { listen, advertise } => (*listen, advertise.as_deref()),
        };
        let server = LivenessServer::listen(listen, advertise)?;
        Ok(Candidate::new(self.clone(), Some(Arc::new(server))))
    }

    /// Reads a record without leading: what was committed last, and by which term. `None` if there
    /// is none.
    ///
    /// The read is linearizable. It is not fenced: when you have it, a leader may already have
    /// written again.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`], [`Error::Damaged`], [`Error::WrongType`].
    pub async fn read<T: DeserializeOwned>(
        &self,
        name: &RecordName,
    ) -> Result<Option<Snapshot<T>>, Error> {
        let timeout = self.inner.timing.request_timeout();
        match read_record(&*self.inner.backend, &self.inner.key(name), timeout).await? {
            Some((_, body)) => Snapshot::of(name, &body),
            None => Ok(None),
        }
    }

    /// The names of the records of this group, sorted. Deleted records leave a tombstone and are
    /// listed; [`read`](Self::read) returns `None` for them. Erased records are not listed.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`], [`Error::Damaged`].
    pub async fn records(&self) -> Result<Vec<RecordName>, Error> {
        let timeout = self.inner.timing.request_timeout();
        let name = self.name();
        let listed = in_time(timeout, self.inner.backend.list(name), name).await?;
        Ok(listed
            .into_iter()
            .filter_map(|listed| listed.key.record_name().cloned())
            .collect())
    }

    /// The root record as it is stored, for people.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`], [`Error::Damaged`].
    pub async fn root(&self) -> Result<Option<Root>, Error> {
        let timeout = self.inner.timing.request_timeout();
        let found = read_key(
            &*self.inner.backend,
            &Key::root(self.inner.name.clone()),
            timeout,
            Root::from_bytes,
        )
        .await?;
        Ok(found.map(|(_, root)| root))
    }
}

impl Inner {
    pub(crate) fn key(&self, name: &RecordName) -> Key {
        Key::record(self.name.clone(), name.clone())
    }

    pub(crate) fn whole_write(&self) -> Duration {
        self.timing.renew_deadline()
    }
}

fn default_holder() -> HolderName {
    let host = rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned();
    let name = format!("{host}-{}", std::process::id());
    name.parse().unwrap_or_else(|_| {
        format!("process-{}", std::process::id())
            .parse()
            .expect("digits and letters are a name")
    })
}
