//! The present connection: made when it is needed, to one server after the other.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use incumbent_backend::outage::{News, Outage, Recovery};
use incumbent_backend::{Pace, causes, jitter};
use prost::Message;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};
use tracing::{debug, info, warn};

use crate::error::EtcdError;
use crate::link::{Link, Trouble};
use crate::message::Method;
use crate::names::Cluster;
use crate::outcome::{self, Known, Then, Why};
use crate::settings::Settings;

/// Pauses after all servers were tried: short enough that a restart of a server costs no lease,
/// long enough that many processes which all lost the same server do not keep it busy.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// A connection that lasted so long was good, and the next one is made without a pause. One that
/// was lost sooner counts as a failed attempt: a server that accepts connections and drops them
/// must not be asked without end.
const HEALTHY: Duration = LONGEST_PAUSE;

/// The part of a call's time in which a server has to be connected to: one that is silent leaves
/// time for another.
const CONNECT_SHARE: f64 = 0.4;

/// The part of a call's time after which later calls do not rely on a connection that gave this one
/// no answer. It is still waited for.
const SILENCE_SHARE: f64 = 0.4;

/// The same for a call that its caller gives up. It is shorter, since callers with short leases
/// give up sooner.
const SILENCE: Duration = Duration::from_millis(300);

/// How often one call is sent at most. Again only if it is certain that nothing was done: it never
/// left, or the token was too old.
const SENDINGS: usize = 3;

/// The present connection, and what leads to the next one. No task keeps it: a call connects if it
/// must, one call at a time, and the watch always asks.
pub(crate) struct Links {
    pub(crate) settings: Settings,
    present: watch::Sender<Option<Arc<Link>>>,
    dialing: tokio::sync::Mutex<Dialing>,
    /// The place in the list of the server that is tried first.
    first: AtomicUsize,
    outage: Outage,
}

struct Dialing {
    /// How many connections there were.
    number: u64,
    /// Of the rounds in which no server could be connected to.
    pace: Pace,
    not_before: Option<Instant>,
    /// When the last connection was made.
    connected: Option<Instant>,
}

/// One call of the contract, with a limit to the time it takes.
pub(crate) struct Call {
    pub(crate) within: Duration,
    pub(crate) until: Instant,
}

/// A call that is being waited for.
struct Waiting<'a> {
    links: &'a Links,
    link: &'a Link,
    since: Instant,
    over: bool,
}

impl Dialing {
    /// After a connection was lost that had been made at this time.
    fn judge(&mut self, connected: Instant) {
        if connected.elapsed() >= HEALTHY {
            self.pace.reset();
        } else {
            self.not_before = Some(Instant::now() + self.pace.after_failure(jitter()));
        }
    }
}

impl Waiting<'_> {
    fn give_up(&self) {
        let silent = self.since.elapsed();
        let why = format!("{} says nothing for {silent:.1?}", self.link.host);
        self.links.leave(self.link, &Why::new(why));
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if !self.over && self.since.elapsed() >= SILENCE {
            self.give_up();
        }
    }
}

impl Links {
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            settings,
            present: watch::Sender::default(),
            dialing: tokio::sync::Mutex::new(Dialing {
                number: 0,
                pace: Pace::new(FIRST_PAUSE, LONGEST_PAUSE),
                not_before: None,
                connected: None,
            }),
            first: AtomicUsize::new(0),
            outage: Outage::new(),
        }
    }

    /// One more call, from now on.
    pub(crate) fn call(&self) -> Call {
        let within = self.settings.timeout;
        Call {
            within,
            until: Instant::now() + within,
        }
    }

    /// Asks, and sends it once more only if it is certain that nothing was done.
    ///
    /// `Ok(None)` if the question is about this etcd, and the one that is there is another one.
    /// Then nothing was sent.
    pub(crate) async fn ask<Q, A>(
        self: &Arc<Self>,
        call: &Call,
        about: Option<Cluster>,
        method: Method,
        what: &str,
        question: &Q,
    ) -> Result<Option<A>, EtcdError>
    where
        Q: Message + Clone + 'static,
        A: Message + Default + 'static,
    {
        let mut sendings = 0;
        loop {
            let link = self.link(call).await?;
            if about.is_some_and(|cluster| cluster != link.cluster) {
                return Ok(None);
            }
            sendings += 1;
            let token = link.token();
            let asked = link.wire.ask(method, token.clone(), question.clone());
            let Some(answer) = self.wait(call, &link, asked).await else {
                let why = format!("{} says nothing for {:?}", link.host, call.within);
                return Err(unanswered(what, Why::new(why)));
            };
            let status = match answer {
                Ok(answer) => return Ok(Some(answer)),
                Err(status) => status,
            };
            let judged = outcome::judge(&status);
            if judged.then == Then::Leave && (judged.known == Known::Unsent || self.has_others()) {
                self.leave(&link, &judged.why);
            }
            match (judged.known, judged.then, self.settings.hosts.login()) {
                (Known::Unsent, ..) if sendings < SENDINGS => {}
                (Known::Refused, Then::LogIn, Some(login)) if sendings < SENDINGS => {
                    let renewed = link.log_in_again(login, token.as_ref());
                    match timeout_at(call.until, renewed).await {
                        Ok(Ok(())) => {}
                        Ok(Err(Trouble::Refused(error))) => return Err(error),
                        Ok(Err(Trouble::Unreachable(_))) | Err(_) => {
                            return Err(refused(what, judged.why));
                        }
                    }
                }
                (Known::Unsent, ..) => {
                    return Err(self.disconnected(call, Some(judged.why.to_string())));
                }
                (Known::Refused, ..) => return Err(refused(what, judged.why)),
                (Known::Unsure, ..) => return Err(unanswered(what, judged.why)),
            }
        }
    }

    /// Waits for an answer, as long as the call may take. A connection that is silent for long may
    /// be gone without a word, so it is given up before that, and also if the caller gives up.
    async fn wait<T>(&self, call: &Call, link: &Link, asked: impl Future<Output = T>) -> Option<T> {
        let mut waiting = Waiting {
            links: self,
            link,
            since: Instant::now(),
            over: false,
        };
        let mut asked = pin!(asked);
        let patience = call
            .until
            .min(Instant::now() + call.within.mul_f64(SILENCE_SHARE));
        let mut answer = timeout_at(patience, &mut asked).await.ok();
        if answer.is_none() {
            waiting.give_up();
            answer = timeout_at(call.until, asked).await.ok();
        }
        waiting.over = true;
        answer
    }

    /// A connection, if there is one or comes in time.
    pub(crate) async fn link(self: &Arc<Self>, call: &Call) -> Result<Arc<Link>, EtcdError> {
        if let Some(link) = self.present() {
            return Ok(link);
        }
        match timeout_at(call.until, self.next(call)).await {
            Ok(link) => link,
            Err(_) => {
                let trouble = self.outage.reason();
                Err(self.disconnected(call, trouble))
            }
        }
    }

    fn disconnected(&self, call: &Call, trouble: Option<String>) -> EtcdError {
        EtcdError::Disconnected {
            hosts: self.settings.hosts.to_string(),
            within: call.within,
            source: trouble.map(Into::into),
        }
    }

    /// The present connection, as far as is known. It is not given if it has ended.
    fn present(&self) -> Option<Arc<Link>> {
        let present = self.present.borrow();
        present
            .as_ref()
            .filter(|link| !link.wire.is_closed())
            .cloned()
    }

    /// Tries all servers again and again.
    async fn next(self: &Arc<Self>, call: &Call) -> Result<Arc<Link>, EtcdError> {
        let mut dialing = self.dialing.lock().await;
        loop {
            // The call before this one may have connected.
            if let Some(link) = self.present() {
                return Ok(link);
            }
            if let Some(connected) = dialing.connected.take() {
                dialing.judge(connected);
            }
            if let Some(at) = dialing.not_before.take() {
                sleep_until(at).await;
            }
            let hosts = self.settings.hosts.list();
            let first = self.first.load(Ordering::Relaxed);
            let mut refused = None;
            for n in first..first + hosts.len() {
                let n = n % hosts.len();
                // If the caller gives up meanwhile, the next one does not wait for the same server
                // again.
                self.first.store(n + 1, Ordering::Relaxed);
                match self.dial(&mut dialing, n, call).await {
                    Ok(link) => {
                        dialing.connected = Some(Instant::now());
                        self.first.store(n, Ordering::Relaxed);
                        return Ok(link);
                    }
                    Err(Trouble::Refused(error)) => {
                        self.say_lost(&causes(&error));
                        refused = Some(error);
                        break;
                    }
                    Err(Trouble::Unreachable(error)) => {
                        self.say_lost(&format!("{}: {}", hosts[n], causes(&*error)));
                    }
                }
            }
            let pause = dialing.pace.after_failure(jitter());
            dialing.not_before = Some(Instant::now() + pause);
            if let Some(error) = refused {
                return Err(error);
            }
        }
    }

    /// Tries one server.
    async fn dial(
        self: &Arc<Self>,
        dialing: &mut Dialing,
        n: usize,
        call: &Call,
    ) -> Result<Arc<Link>, Trouble> {
        dialing.number += 1;
        let number = dialing.number;
        let host = &self.settings.hosts.list()[n];
        let links = Arc::downgrade(self);
        let begin = |work| {
            tokio::spawn(async move {
                let ended: hyper::Result<()> = work.await;
                let why = ended.err().map_or("it was closed".into(), |e| causes(&e));
                if let Some(links) = links.upgrade() {
                    links.lose(number, &why);
                }
            });
        };
        let within = call.within.mul_f64(CONNECT_SHARE);
        let opened = Link::open(&self.settings, host, number, begin);
        let Ok(opened) = timeout(within, opened).await else {
            let why = format!("it does not serve within {within:?}");
            return Err(Trouble::Unreachable(why.into()));
        };
        let link = Arc::new(opened?);
        self.present.send_replace(Some(Arc::clone(&link)));
        self.say_connected(&link);
        Ok(link)
    }

    /// Gives a connection up: the next call makes another one, first to the next server.
    pub(crate) fn leave(&self, link: &Link, why: &Why) {
        self.lose(link.number, &why.to_string());
    }

    /// Whether there is another server to go to.
    pub(crate) fn has_others(&self) -> bool {
        self.settings.hosts.list().len() > 1
    }

    fn lose(&self, number: u64, why: &str) {
        let was_present = self.present.send_if_modified(|present| {
            let is = present.as_ref().is_some_and(|link| link.number == number);
            if is {
                *present = None;
            }
            is
        });
        if was_present {
            self.first.fetch_add(1, Ordering::Relaxed);
            self.say_lost(why);
        }
    }

    /// Ends when the connection with this number is not the present one any more.
    pub(crate) async fn lost(&self, number: u64) {
        let mut present = self.present.subscribe();
        let gone =
            |link: &Option<Arc<Link>>| link.as_ref().is_none_or(|link| link.number != number);
        // The sender is ours.
        let _ = present.wait_for(gone).await;
    }

    fn say_lost(&self, why: &str) {
        let hosts = &self.settings.hosts;
        match self.outage.failed(why) {
            News::Began => {
                warn!(%hosts, %why, "no connection to etcd; retrying until there is one")
            }
            News::OtherReason | News::Known => debug!(%hosts, %why, "still no connection to etcd"),
        }
    }

    fn say_connected(&self, link: &Link) {
        let hosts = &self.settings.hosts;
        match self.outage.worked() {
            Recovery::First | Recovery::Over { .. } => {
                info!(%hosts, server = %link.host, cluster = %link.cluster, "connected to etcd");
            }
            // The loss was over before it was noticed.
            Recovery::None => {}
        }
    }
}

fn unanswered(what: &str, why: Why) -> EtcdError {
    EtcdError::Unanswered {
        what: what.to_owned(),
        source: Box::new(why),
    }
}

fn refused(what: &str, why: Why) -> EtcdError {
    EtcdError::Refused {
        what: what.to_owned(),
        source: Box::new(why),
    }
}
