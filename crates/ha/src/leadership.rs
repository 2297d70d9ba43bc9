//! [`Leadership`]: a term that this process holds.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};

use incumbent_backend::RecordName;
use incumbent_core::election::{Change, LostBecause};
use incumbent_core::root::{LONGEST_ENDPOINT, MOST_ENDPOINTS, check_endpoint};
use incumbent_core::{EndpointName, Epoch, HolderName, Seal};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::{OwnedMutexGuard, oneshot};

use crate::deadline::Deadline;
use crate::liveness::LivenessServer;
use crate::node::{Command, Grant};
use crate::term::{Guard, Taken, Term};
use crate::{Error, Found, Group, Record};

/// A term that this process holds: the only way to open a record for writing.
///
/// Dropping it gives up the term, in the background. Drop it, or [`resign`](Self::resign), when the
/// work of the term has *ended*. From then on others may lead. Until then the liveness endpoint
/// shows that this process lives.
pub struct Leadership {
    group: Group,
    term: Arc<Term>,
    deadline: Deadline,
    taken: Taken,
    server: Option<Arc<LivenessServer>>,
    /// The endpoints that were published, to keep them few.
    published: Mutex<BTreeSet<EndpointName>>,
    _turn: OwnedMutexGuard<()>,
    _work: oneshot::Sender<Infallible>,
}

impl Leadership {
    pub(crate) fn new(
        group: Group,
        grant: Grant,
        turn: OwnedMutexGuard<()>,
        server: Option<Arc<LivenessServer>>,
    ) -> Self {
        let deadline = Deadline::watch(Arc::clone(&grant.term))
            .expect("the system has room for one more thread");
        Self {
            group,
            term: grant.term,
            deadline,
            taken: grant.taken,
            server,
            published: Mutex::default(),
            _turn: turn,
            _work: grant.work,
        }
    }

    /// The fencing token of this term.
    pub fn epoch(&self) -> Epoch {
        self.term.seal.epoch
    }

    /// Epoch and nonce of this term.
    pub fn seal(&self) -> Seal {
        self.term.seal
    }

    /// Why this term could be won, and how long nobody led before. For people.
    pub fn taken(&self) -> Taken {
        self.taken
    }

    /// The group.
    pub fn group(&self) -> &Group {
        &self.group
    }

    /// Tells until when this term is valid.
    pub fn guard(&self) -> Guard {
        Guard {
            term: Arc::clone(&self.term),
        }
    }

    /// Declares this leader ready. From now on observers are given its endpoints.
    ///
    /// # Errors
    ///
    /// [`Error::Fenced`]: the term is over. The root may still show the change until another
    /// process leads.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future is an unknown outcome: the change may still happen.
    pub async fn activate(&self) -> Result<(), Error> {
        self.change(Change::Activate).await
    }

    /// Publishes the endpoint `name` at `address`, or moves it there. Others of this leader stay as
    /// they are.
    ///
    /// # Errors
    ///
    /// [`Error::Fenced`]: the term is over. [`Error::Limit`]: the address is longer than 2048 bytes,
    /// or there are 64 endpoints.
    /// [`Error::BadEndpoint`]: the address is empty, or has spaces or control characters.
    ///
    /// # Cancel safety
    ///
    /// As [`activate`](Self::activate).
    pub async fn publish(&self, name: &EndpointName, address: &str) -> Result<(), Error> {
        if address.len() > LONGEST_ENDPOINT {
            return Err(Error::Limit {
                what: "length of an endpoint's address",
                limit: LONGEST_ENDPOINT,
            });
        }
        check_endpoint(address).map_err(|why| Error::BadEndpoint {
            name: name.clone(),
            why,
        })?;
        if !self.note(name) {
            return Err(Error::Limit {
                what: "number of endpoints",
                limit: MOST_ENDPOINTS,
            });
        }
        self.change(Change::Publish(name.clone(), address.to_owned()))
            .await
    }

    /// Takes the endpoint `name` back. Others of this leader stay as they are.
    ///
    /// # Errors
    ///
    /// [`Error::Fenced`]: the term is over.
    ///
    /// # Cancel safety
    ///
    /// As [`activate`](Self::activate).
    pub async fn withdraw(&self, name: &EndpointName) -> Result<(), Error> {
        self.change(Change::Withdraw(name.clone())).await?;
        self.published
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(name);
        Ok(())
    }

    /// Opens a record: seals it for this term, and so reads what no older leader can change any
    /// more.
    ///
    /// A record that does not exist is sealed too; its [`data`](Record::data) is `None`. Costs one
    /// write.
    ///
    /// # Errors
    ///
    /// - [`Error::Fenced`]: a newer leader has sealed it; stop leading.
    /// - [`Error::Damaged`], [`Error::WrongType`]: look at it.
    /// - [`Error::Unavailable`]: not sealed in time; try again.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future changes no data. The record may still be sealed later; opening it again
    /// copes with that.
    pub async fn open<T: Serialize + DeserializeOwned>(
        &self,
        name: &RecordName,
    ) -> Result<Record<T>, Error> {
        Record::open(&self.group.inner, &self.term, name).await
    }

    /// Opens a record if what is in it is wanted, and otherwise leaves it as it is: for records of
    /// which a leader has no need to change all.
    ///
    /// `is_wanted` is asked once, with what a read found, or `None` if there is nothing. Nothing
    /// keeps an older leader from changing what is left afterwards. A record that is wanted is
    /// sealed as [`open`](Self::open) does, at the same cost, and may have changed since the read.
    ///
    /// # Errors
    ///
    /// As of [`open`](Self::open); if the first read is not answered, at once.
    ///
    /// # Cancel safety
    ///
    /// As of [`open`](Self::open).
    pub async fn open_if<T: Serialize + DeserializeOwned>(
        &self,
        name: &RecordName,
        is_wanted: impl FnOnce(Option<&T>) -> bool,
    ) -> Result<Found<T>, Error> {
        Record::open_if(&self.group.inner, &self.term, name, is_wanted).await
    }

    /// Waits for the end of the term: superseded, not renewed in time, or the root deleted. Stop
    /// the work then. Others may begin after the hard deadline.
    pub fn lost(&self) -> impl Future<Output = LostBecause> + Send + use<> {
        let mut lost = self.term.lost();
        async move {
            match lost.wait_for(Option::is_some).await.map(|why| why.clone()) {
                Ok(Some(why)) => why,
                // The term outlives its leadership only in guards.
                Ok(None) | Err(_) => LostBecause::DeadlinePassed,
            }
        }
    }

    /// Waits until this leader is asked to hand over, and returns the named successor, if any. It
    /// is a request: stop the work and [`resign`](Self::resign) when it suits, or go on. After the
    /// first request, further calls return at once.
    pub fn asked_to_resign(&self) -> impl Future<Output = Option<HolderName>> + Send + use<> {
        let mut asked = self.term.asked();
        async move {
            match asked.wait_for(Option::is_some).await.map(|to| to.clone()) {
                Ok(Some(to)) => to,
                Ok(None) | Err(_) => std::future::pending().await,
            }
        }
    }

    /// Runs `hook` when the hard deadline passes while this leadership still exists: the last
    /// moment to end what must not run on, for example with [`std::process::abort`].
    ///
    /// It runs on a thread of its own, even if the async runtime is blocked or the store hangs. If
    /// the whole process is paused, it runs when the process goes on. Keep it short.
    pub fn on_hard_deadline(&self, hook: impl FnOnce() + Send + 'static) {
        self.deadline.on_hard(Box::new(hook));
    }

    /// The socket of the liveness endpoint, if there is one. While a copy of it is open, connection
    /// attempts wait and are not refused. So a watchdog process that ends this leader's work can
    /// hold a copy, and delay the proof of death until the work has ended.
    ///
    /// # Errors
    ///
    /// If the system has no room for one more descriptor.
    pub fn liveness_socket(&self) -> std::io::Result<Option<std::net::TcpListener>> {
        self.server
            .as_ref()
            .map(|server| server.socket())
            .transpose()
    }

    /// Gives up the term, whose work has ended, in favour of `prefer` if named, and waits until
    /// others can see it.
    ///
    /// A standby then leads within milliseconds. A named one is given a little more than a retry
    /// period to take it, then anyone may. Returns [`LostBecause::Resigned`] if the store confirmed
    /// it. Otherwise others may have to wait for the lease.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives up the term as dropping the leadership does.
    pub async fn resign(self, prefer: Option<HolderName>) -> LostBecause {
        if let Some(why) = self.term.why_lost() {
            return why;
        }
        // Before the request is sent, because it may take effect at any time from then on.
        self.term.end(LostBecause::Resigned);
        let (done, receiver) = oneshot::channel();
        let command = Command::Resign { prefer, done };
        if self.group.inner.commands.send(command).await.is_err() {
            return LostBecause::ResignedUnheard;
        }
        receiver.await.unwrap_or(LostBecause::ResignedUnheard)
    }

    async fn change(&self, change: Change) -> Result<(), Error> {
        let (done, receiver) = oneshot::channel();
        let command = Command::Change { change, done };
        // If the node is gone, so is the term.
        let _ = self.group.inner.commands.send(command).await;
        match receiver.await {
            Ok(true) => Ok(()),
            Ok(false) | Err(_) => Err(self.term.fenced()),
        }
    }

    /// Notes an endpoint. Returns false if there are too many.
    fn note(&self, name: &EndpointName) -> bool {
        let mut published = self
            .published
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let room = published.len() < MOST_ENDPOINTS || published.contains(name);
        if room {
            published.insert(name.clone());
        }
        room
    }
}

impl Drop for Leadership {
    fn drop(&mut self) {
        self.term.end(LostBecause::Resigned);
    }
}
