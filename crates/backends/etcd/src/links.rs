//! The present connection. It is made when a call needs it, to one server after the other.

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

/// Pause after every server has been tried. It is short enough that a server's restart costs no
/// lease, and long enough that many processes that lost the same server do not overload it.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// A connection that lasted this long counts as healthy, and the next one is made without a pause.
/// If it was lost sooner, it counts as a failed attempt: a server that accepts connections and
/// drops them must not be retried without pauses.
const HEALTHY: Duration = LONGEST_PAUSE;

/// The share of a call's time in which a server must accept the connection. A silent server leaves
/// time to try another.
const CONNECT_SHARE: f64 = 0.4;

/// The share of a call's time after which later calls stop using a connection that has not answered
/// this one. This call still waits for the answer.
const SILENCE_SHARE: f64 = 0.4;

/// The same limit for a call that its caller gives up. It is shorter, because callers with short
/// leases give up sooner.
const SILENCE: Duration = Duration::from_millis(300);

/// How often one call is sent at most. It is sent again only if it certainly had no effect: it
/// never left this process, or the token was too old.
const SENDINGS: usize = 3;

/// The present connection, and the state needed to make the next one. No task maintains it: each
/// call connects if it must, one call at a time. The watch always wants a connection.
pub(crate) struct Links {
    pub(crate) settings: Settings,
    present: watch::Sender<Option<Arc<Link>>>,
    dialing: tokio::sync::Mutex<Dialing>,
    /// The index in the list of the server to try first.
    first: AtomicUsize,
    outage: Outage,
}

struct Dialing {
    /// How many connections have been made.
    number: u64,
    /// Paces the rounds in which no server accepted a connection.
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
    /// Decides whether the lost connection, made at this time, counts as a failed attempt.
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

    /// Begins a call: its time limit counts from now.
    pub(crate) fn call(&self) -> Call {
        let within = self.settings.timeout;
        Call {
            within,
            until: Instant::now() + within,
        }
    }

    /// Sends a request. Sends it again only if it certainly had no effect.
    ///
    /// Returns `Ok(None)`, without sending anything, if the request names one cluster and the
    /// connection leads to another.
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

    /// Waits for an answer until the call's time limit. A connection that stays silent may be dead
    /// without any sign, so later calls stop using it before that limit, and also when the caller
    /// gives up.
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

    /// Returns a connection, and waits for one until the call's time limit.
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

    /// The present connection, unless it is known to have ended.
    fn present(&self) -> Option<Arc<Link>> {
        let present = self.present.borrow();
        present
            .as_ref()
            .filter(|link| !link.wire.is_closed())
            .cloned()
    }

    /// Tries all servers in turn until one accepts.
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
                // If the caller gives up in the meantime, the next call does not wait for the same
                // server again.
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

    /// Gives up a connection. The next call makes a new one and tries the next server first.
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

    /// Resolves when the connection with this number is no longer the present one.
    pub(crate) async fn lost(&self, number: u64) {
        let mut present = self.present.subscribe();
        let gone =
            |link: &Option<Arc<Link>>| link.as_ref().is_none_or(|link| link.number != number);
        // `self` holds the sender, so this cannot fail.
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
            // The loss was over before anything noticed it.
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
