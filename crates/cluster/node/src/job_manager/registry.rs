//! [`Registry`]: which TaskManagers were verified in this term, and the JobManagers that stand by.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::StatusCode;
use incumbent_cluster_core::NodeNonce;
use incumbent_cluster_core::message::{Common, NodeInfo, Report};
use incumbent_gateway::worker::{WorkerError, WorkerNonce, verify_same};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::node::Node;
use crate::wire::{Announcement, OTHER_TOKEN, Problem};

/// How long a TaskManager may take to be verified. It waits for the answer of its report, which has
/// a time limit itself.
const VERIFYING: Duration = Duration::from_secs(4);

/// How many are verified at a time: as many connections, and a thousand TaskManagers that register
/// with a new leader are through in less than a second.
const MOST_VERIFYING: usize = 64;

/// How many TaskManagers are remembered. More are verified with each full report.
const MOST_KNOWN: usize = 16 * 1024;

/// How many TaskManagers are shown that are not verified, and how long after they tried: they try
/// again every few seconds.
const MOST_REFUSED: usize = 64;
const REFUSED_FOR: Duration = Duration::from_secs(60);

/// How long an announcement counts: it comes every five seconds.
const ANNOUNCED_FOR: Duration = Duration::from_secs(12);

/// How many JobManagers that stand by are shown. There are two or three.
const MOST_STANDBYS: usize = 64;

/// The nodes that are there, as far as one term has verified them.
pub(super) struct Registry {
    known: Mutex<Known>,
    verifying: Semaphore,
}

#[derive(Default)]
struct Known {
    nodes: HashMap<NodeNonce, Verified>,
    standbys: HashMap<NodeNonce, (Announcement, Instant)>,
    refused: HashMap<NodeNonce, (Refused, Instant)>,
}

/// A TaskManager that was not verified.
#[derive(Clone)]
pub(super) struct Refused {
    pub(super) name: String,
    pub(super) from: IpAddr,
    pub(super) advertise: Option<String>,
    pub(super) why: String,
}

/// A TaskManager that took a connection and proved to be the process that reported.
#[derive(Clone)]
struct Verified {
    claim: Claim,
    /// `host:port`.
    address: String,
}

/// What it was verified for. A TaskManager that claims something else is verified again.
#[derive(Clone, PartialEq, Eq)]
struct Claim {
    from: IpAddr,
    advertise: Option<String>,
    port: u16,
}

impl Default for Registry {
    fn default() -> Self {
        Self {
            known: Mutex::default(),
            verifying: Semaphore::new(MOST_VERIFYING),
        }
    }
}

impl Registry {
    /// The address for orders to the TaskManager that sends this full report from `peer` to this
    /// leader: connects back to it, unless that was done in this term.
    ///
    /// # Errors
    ///
    /// The answer for the TaskManager, which logs it and tries again.
    pub(super) async fn admit(
        &self,
        report: &Report,
        peer: SocketAddr,
        leader: &Node,
    ) -> Result<String, Box<Problem>> {
        let Some(info) = &report.node else {
            return Err(bad("a full report says what its TaskManager is"));
        };
        if let Some(problem) = stranger(info, leader) {
            self.known().refuse(report.from, info, peer, &problem);
            return Err(problem);
        }
        let claim = Claim {
            from: peer.ip().to_canonical(),
            advertise: info.advertise.clone(),
            port: info.port,
        };
        if let Some(address) = self.known().address(report.from, &claim) {
            return Ok(address);
        }
        let _place = self.verifying.acquire().await;
        let nonce = worker(report.from);
        let advertise = info.advertise.as_deref();
        let verified = verify_same(peer, advertise, info.port, nonce, VERIFYING).await;
        let address = match verified {
            Ok(address) => address.to_string(),
            Err(error) => {
                let problem = unreachable(info, &error);
                self.known().refuse(report.from, info, peer, &problem);
                return Err(problem);
            }
        };
        self.known().note(report.from, claim, address.clone());
        Ok(address)
    }

    /// A JobManager stands by.
    ///
    /// # Errors
    ///
    /// The answer for a JobManager that must not lead as it was started. It is shown all the same:
    /// it is there.
    pub(super) fn announce(
        &self,
        announcement: Announcement,
        leader: &Node,
    ) -> Result<(), Box<Problem>> {
        let who = format!("JobManager {}", announcement.name);
        let problem = differs(&who, &announcement.common, leader.common());
        let now = Instant::now();
        let mut known = self.known();
        let is_fresh = |(_, at): &(_, Instant)| now.duration_since(*at) < ANNOUNCED_FOR;
        known.standbys.retain(|_, standby| is_fresh(standby));
        let nonce = announcement.nonce;
        if known.standbys.len() < MOST_STANDBYS || known.standbys.contains_key(&nonce) {
            known.standbys.insert(nonce, (announcement, now));
        }
        problem.map_or(Ok(()), Err)
    }

    /// The JobManagers that stand by, and how long ago they said so.
    pub(super) fn standbys(&self) -> Vec<(Announcement, Duration)> {
        let now = Instant::now();
        let known = self.known();
        let ages = known.standbys.values();
        let ages = ages.map(|(standby, at)| (standby.clone(), now.duration_since(*at)));
        let mut fresh: Vec<_> = ages.filter(|(_, age)| *age < ANNOUNCED_FOR).collect();
        fresh.sort_by(|(one, _), (other, _)| one.name.cmp(&other.name));
        fresh
    }

    /// From where this TaskManager reported when it was verified.
    pub(super) fn seen(&self, nonce: NodeNonce) -> Option<IpAddr> {
        let known = self.known();
        known.nodes.get(&nonce).map(|verified| verified.claim.from)
    }

    /// The TaskManagers that were not verified of late, and how long ago they tried.
    pub(super) fn refused(&self) -> Vec<(Refused, Duration)> {
        let now = Instant::now();
        let known = self.known();
        let tried = known.refused.values();
        let tried = tried.map(|(refused, at)| (refused.clone(), now.duration_since(*at)));
        let mut fresh: Vec<_> = tried.filter(|(_, age)| *age < REFUSED_FOR).collect();
        fresh.sort_by(|(one, _), (other, _)| one.name.cmp(&other.name));
        fresh
    }

    /// Forgets a TaskManager that is gone.
    pub(super) fn forget(&self, nonce: NodeNonce) {
        self.known().nodes.remove(&nonce);
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn address(&self, nonce: NodeNonce, claim: &Claim) -> Option<String> {
        let known = self.nodes.get(&nonce)?;
        (known.claim == *claim).then(|| known.address.clone())
    }

    fn refuse(&mut self, nonce: NodeNonce, info: &NodeInfo, peer: SocketAddr, why: &Problem) {
        let now = Instant::now();
        self.refused
            .retain(|_, (_, at)| now.duration_since(*at) < REFUSED_FOR);
        if self.refused.len() < MOST_REFUSED || self.refused.contains_key(&nonce) {
            let refused = Refused {
                name: info.name.clone(),
                from: peer.ip().to_canonical(),
                advertise: info.advertise.clone(),
                why: why.detail.clone(),
            };
            self.refused.insert(nonce, (refused, now));
        }
    }

    fn note(&mut self, nonce: NodeNonce, claim: Claim, address: String) {
        self.refused.remove(&nonce);
        if self.nodes.len() < MOST_KNOWN || self.nodes.contains_key(&nonce) {
            self.nodes.insert(nonce, Verified { claim, address });
        }
    }
}

/// The nonce that a TaskManager answers challenges with: that of its process.
pub(crate) fn worker(nonce: NodeNonce) -> WorkerNonce {
    nonce.to_string().parse().expect("both are 32 digits")
}

fn bad(detail: &str) -> Box<Problem> {
    let (status, kind) = (StatusCode::BAD_REQUEST, "bad-report");
    Box::new(Problem::new(status, kind, "the report is not one", detail))
}

fn unreachable(info: &NodeInfo, error: &WorkerError) -> Box<Problem> {
    let name = &info.name;
    let why = match error {
        WorkerError::NoAddress { from, advertised } => format!(
            "it connected from {from} and advertises {advertised:?}, which is neither host nor \
             host:port"
        ),
        WorkerError::BindAddress { from, tried } => format!(
            "it connected from {from}, and {tried} is an address to listen on, at which others \
             cannot connect"
        ),
        WorkerError::NotReached {
            from,
            tried,
            source,
            ..
        } => format!("it connected from {from}, and nothing is reached at {tried}: {source}"),
        WorkerError::Silent { from, tried, .. } => format!(
            "it connected from {from}, and what listens at {tried} takes connections and says \
             nothing"
        ),
        WorkerError::SomebodyElse { from, tried, .. } => {
            format!("it connected from {from}, and another process answers at {tried}")
        }
        error => incumbent_backend::causes(error),
    };
    let detail = format!(
        "the leader cannot connect back to TaskManager {name}, so it cannot send orders there: \
         {why}; open that port, or start the TaskManager with --advertise HOST[:PORT] as the \
         leader reaches it"
    );
    let (status, kind) = (StatusCode::UNPROCESSABLE_ENTITY, "not-reachable");
    Box::new(Problem::new(
        status,
        kind,
        "the leader cannot connect back",
        detail,
    ))
}

/// Why a TaskManager cannot be of one cluster with this leader, as both were started.
fn stranger(info: &NodeInfo, leader: &Node) -> Option<Box<Problem>> {
    if info.is_tls != leader.is_tls() {
        return Some(other_tls(info));
    }
    let who = format!("TaskManager {}", info.name);
    differs(&who, &info.common, leader.common())
}

/// The first thing that a node and the leader do not have in common. Nodes of an older version do
/// not say what they have, and are taken in, so that nodes can be updated one by one.
fn differs(who: &str, theirs: &Common, ours: &Common) -> Option<Box<Problem>> {
    if let (Some(theirs), Some(ours)) = (&theirs.token, &ours.token)
        && theirs != ours
    {
        return Some(other_token(who));
    }
    if let (Some(theirs), Some(ours)) = (&theirs.blobs, &ours.blobs)
        && theirs.mark != ours.mark
    {
        return Some(other_blobs(who, &theirs.url, &ours.url));
    }
    None
}

fn other_token(who: &str) -> Box<Problem> {
    let detail = format!(
        "{who} has another token than the leader, or one of them has none; start all nodes of a \
         cluster with the same token (--token-file), or all without one"
    );
    let status = StatusCode::CONFLICT;
    Box::new(Problem::new(status, OTHER_TOKEN, "another token", detail))
}

fn other_blobs(who: &str, theirs: &str, ours: &str) -> Box<Problem> {
    let detail = format!(
        "the blobs of {who} at {theirs} are another place than the leader's at {ours}, so neither \
         would find the files of the other; start all nodes with the same --blobs, and if it is a \
         volume, mount it there first"
    );
    let (status, kind) = (StatusCode::CONFLICT, "other-blobs");
    Box::new(Problem::new(status, kind, "other blobs", detail))
}

fn other_tls(info: &NodeInfo) -> Box<Problem> {
    let (theirs, ours) = if info.is_tls {
        ("speaks TLS", "does not")
    } else {
        ("does not speak TLS", "does")
    };
    let name = &info.name;
    let detail = format!(
        "TaskManager {name} {theirs} and the leader {ours}; start all nodes of a cluster with a \
         certificate, or none"
    );
    let (status, kind) = (StatusCode::CONFLICT, "other-tls");
    Box::new(Problem::new(
        status,
        kind,
        "one speaks TLS, one does not",
        detail,
    ))
}
