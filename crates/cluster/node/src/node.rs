//! [`Node`]: what every process of a cluster has, whichever parts run in it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use incumbent::{Clock, Group, HolderName, Options, Store, Timing};
use incumbent_cluster_blobs::Blobs;
use incumbent_cluster_core::NodeNonce;
use incumbent_cluster_core::leader::CHECKPOINT_INTERVAL;
use incumbent_cluster_core::message::{BlobsPlace, Common};
use incumbent_core::Now;
use incumbent_gateway::{Gateway, Handle, Role, ServerTls, UpstreamTls};
use tokio::net::TcpListener;

use crate::NodeError;
use crate::identity::{ClusterIdentity, identity};
use crate::security::Standing;
use crate::wire::{Client, token_mark};

/// The endpoint under which the leading JobManager publishes its address.
pub const ENDPOINT: &str = "cluster";

/// The group of a cluster that names none.
pub const DEFAULT_GROUP: &str = "cluster";

/// Pause before blobs that did not answer at the start are tried again.
const PAUSE: Duration = Duration::from_secs(1);

/// How a node takes part.
#[derive(Clone, Debug)]
pub struct NodeOptions {
    /// The address of the store: `--ha`.
    pub ha: String,
    /// The group of the store.
    pub group: String,
    /// The URL of the blobs: `--blobs`.
    pub blobs: String,
    /// Where it listens: `--listen`.
    pub listen: SocketAddr,
    /// How others reach it, `host` or `host:port`, if not at the address that it listens on.
    pub advertise: Option<String>,
    /// Its name, for people. By default host name and process id.
    pub name: Option<String>,
    /// Where it keeps files of its own: working directories of tasks, logs, artifacts.
    pub dir: Option<PathBuf>,
    /// Its lease, should it lead.
    pub timing: Timing,
    /// What it proves itself with to clients, if it speaks TLS. Then all nodes do.
    pub tls: Option<ServerTls>,
    /// What it trusts of other nodes, if they speak TLS.
    pub upstream_tls: UpstreamTls,
    /// The bearer token that users need under `/v1`. Nodes never need it.
    pub token: Option<String>,
}

/// What every process of a cluster has. Cheap to clone.
#[derive(Clone)]
pub struct Node {
    inner: Arc<Inner>,
}

struct Inner {
    group: Group,
    cluster: ClusterIdentity,
    common: Common,
    standing: Standing,
    name: String,
    nonce: NodeNonce,
    address: String,
    role: Role,
    gateway: Handle,
    client: Client,
    blobs: Blobs,
    clock: Clock,
    checkpoint_interval: Duration,
    options: NodeOptions,
}

impl NodeOptions {
    /// A node on this store and these blobs, with the defaults for everything else.
    pub fn new(ha: impl Into<String>, blobs: impl Into<String>, listen: SocketAddr) -> Self {
        Self {
            ha: ha.into(),
            group: DEFAULT_GROUP.to_owned(),
            blobs: blobs.into(),
            listen,
            advertise: None,
            name: None,
            dir: None,
            timing: Timing::default(),
            tls: None,
            upstream_tls: UpstreamTls::default(),
            token: None,
        }
    }

    /// Listens. Before [`Node::open`], so that port 0 has become a number by then.
    ///
    /// # Errors
    ///
    /// [`NodeError::Listen`].
    pub async fn bind(&self) -> Result<TcpListener, NodeError> {
        let bound = TcpListener::bind(self.listen).await;
        bound.map_err(|cause| NodeError::Listen {
            address: self.listen,
            cause,
        })
    }
}

impl Node {
    /// Opens the store, reads who the cluster is, or makes it, and begins to follow the leader.
    /// Waits for a store that does not answer. `bound` is where this node listens.
    ///
    /// Must be called inside a Tokio runtime.
    ///
    /// # Errors
    ///
    /// [`NodeError`].
    ///
    /// # Cancel safety
    ///
    /// Safe.
    pub async fn open(options: NodeOptions, bound: SocketAddr) -> Result<Self, NodeError> {
        let store = incumbent::open(&options.ha).await?;
        Self::on(store, options, bound).await
    }

    /// Does what [`open`](Self::open) does, on a store that is open; [`NodeOptions::ha`] is not
    /// used.
    ///
    /// # Errors
    ///
    /// [`NodeError`].
    ///
    /// # Cancel safety
    ///
    /// Safe.
    pub async fn on(
        store: Store,
        options: NodeOptions,
        bound: SocketAddr,
    ) -> Result<Self, NodeError> {
        let address = advertised(&options, bound)?;
        let holder = options.name.as_deref().map(holder_name).transpose()?;
        let clock = Clock::default();
        let limits = store.limits();
        let group = store.group_with(
            &options.group,
            Options {
                holder,
                timing: options.timing,
                clock,
                ..Options::default()
            },
        )?;
        let cluster = identity(&group).await?;
        let blobs = blobs(&options.blobs, &cluster.id).await?;
        let common = Common {
            token: Some(token_mark(&cluster, options.token.as_deref())),
            blobs: blobs.place().map(|mark| BlobsPlace {
                mark: mark.to_owned(),
                url: blobs.url().to_owned(),
            }),
        };
        let is_tls = options.tls.is_some();
        let client = Client::seen_at(
            cluster.secret.clone(),
            is_tls.then_some(&options.upstream_tls),
            Some(bound.ip()).filter(|ip| !ip.is_unspecified()),
        )?;
        let mut passing = incumbent_gateway::Options::to(ENDPOINT.parse().expect("it is a name"));
        passing.upstream_tls = options.upstream_tls.clone();
        passing.upstream_tls.by_default = is_tls;
        let gateway = Gateway::new(&group, passing)?.handle();
        Ok(Self {
            inner: Arc::new(Inner {
                name: group.holder().to_string(),
                group,
                cluster,
                common,
                standing: Standing::default(),
                nonce: NodeNonce::new(rand::random()),
                address,
                role: Role::default(),
                gateway,
                client,
                blobs,
                clock,
                checkpoint_interval: CHECKPOINT_INTERVAL
                    .max(limits.shortest_interval)
                    .max(limits.regular_interval),
                options,
            }),
        })
    }

    /// The election and its records.
    pub fn group(&self) -> &Group {
        &self.inner.group
    }

    /// Which cluster this is.
    pub fn cluster(&self) -> &ClusterIdentity {
        &self.inner.cluster
    }

    /// What it has to have in common with all other nodes of the cluster.
    pub fn common(&self) -> &Common {
        &self.inner.common
    }

    /// Whether its token is the leader's, as far as the leader has said.
    pub(crate) fn standing(&self) -> &Standing {
        &self.inner.standing
    }

    /// Its name, for people; also as a candidate.
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// The process.
    pub fn nonce(&self) -> NodeNonce {
        self.inner.nonce
    }

    /// The process, for people.
    pub fn pid(&self) -> u32 {
        std::process::id()
    }

    /// How others reach it: `host:port`.
    pub fn address(&self) -> &str {
        &self.inner.address
    }

    /// The same as a URL: `http://host:port`, or `https://host:port`.
    pub fn url(&self) -> String {
        let scheme = if self.is_tls() { "https" } else { "http" };
        format!("{scheme}://{}", self.inner.address)
    }

    /// Whether the nodes of this cluster speak TLS.
    pub fn is_tls(&self) -> bool {
        self.inner.options.tls.is_some()
    }

    /// Whether this node leads, as far as its answers are concerned: for
    /// [`NodeLayer`](incumbent_gateway::NodeLayer).
    pub fn role(&self) -> &Role {
        &self.inner.role
    }

    /// Passes requests on to the leader.
    pub fn gateway(&self) -> &Handle {
        &self.inner.gateway
    }

    /// Asks other nodes.
    pub fn client(&self) -> &Client {
        &self.inner.client
    }

    /// The files of the cluster.
    pub fn blobs(&self) -> &Blobs {
        &self.inner.blobs
    }

    /// Between two checkpoints of a job that does not say (R14): a second, or what the store asks
    /// for.
    pub fn checkpoint_interval(&self) -> Duration {
        self.inner.checkpoint_interval
    }

    /// What it was started with.
    pub fn options(&self) -> &NodeOptions {
        &self.inner.options
    }

    /// The time, for the pure machines.
    #[expect(clippy::disallowed_methods, reason = "shown to people, never compared")]
    pub fn now(&self) -> Now {
        Now {
            time: self.inner.clock.time(),
            wall: SystemTime::now(),
        }
    }
}

/// Opens the blobs, and makes sure that they are this cluster's. Waits for a place that does not
/// answer.
async fn blobs(url: &str, cluster: &str) -> Result<Blobs, NodeError> {
    let unusable = |error| NodeError::Blobs {
        url: url.to_owned(),
        cause: Box::new(error),
    };
    let blobs = Blobs::open(url).await.map_err(unusable)?;
    let mut is_told = false;
    loop {
        match blobs.belongs_to(cluster).await {
            Ok(()) => return Ok(blobs),
            Err(error @ incumbent_cluster_blobs::Error::Unavailable { .. }) => {
                if !std::mem::replace(&mut is_told, true) {
                    let why = incumbent_backend::causes(&error);
                    tracing::warn!(
                        url,
                        why,
                        "the blobs do not answer; trying again every second"
                    );
                }
                tokio::time::sleep(PAUSE).await;
            }
            Err(error) => return Err(unusable(error)),
        }
    }
}

fn holder_name(name: &str) -> Result<HolderName, NodeError> {
    name.parse()
        .map_err(|why: incumbent::BadName| NodeError::Name {
            what: "the name of this node",
            why: why.to_string(),
        })
}

/// `host:port` by which others reach this node.
fn advertised(options: &NodeOptions, bound: SocketAddr) -> Result<String, NodeError> {
    let Some(advertise) = &options.advertise else {
        let mut own = bound;
        if bound.ip().is_unspecified() {
            own.set_ip(own_ip(bound).unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)));
        }
        return Ok(own.to_string());
    };
    let bad = || NodeError::Advertise {
        advertise: advertise.clone(),
    };
    let text = match advertise.parse::<IpAddr>() {
        Ok(ip) => SocketAddr::new(ip, bound.port()).to_string(),
        Err(_) if advertise.rsplit_once(':').is_some_and(is_port) => advertise.clone(),
        Err(_) => format!("{advertise}:{}", bound.port()),
    };
    let (host, _) = text.rsplit_once(':').ok_or_else(bad)?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let is_bound = host.parse::<IpAddr>().is_ok_and(|ip| ip.is_unspecified());
    let is_uri = text.parse::<http::uri::Authority>().is_ok();
    if is_bound || !is_uri || host.is_empty() || text.contains('@') {
        return Err(bad());
    }
    Ok(text)
}

fn is_port((_, port): (&str, &str)) -> bool {
    port.parse::<u16>().is_ok_and(|port| port != 0)
}

/// The address by which this host reaches others. Nothing is sent.
fn own_ip(bound: SocketAddr) -> Option<IpAddr> {
    // Addresses reserved for documentation. Only the route to them matters.
    let somewhere = if bound.is_ipv4() {
        "192.0.2.1:9"
    } else {
        "[2001:db8::1]:9"
    };
    let socket = UdpSocket::bind(SocketAddr::new(bound.ip(), 0)).ok()?;
    socket.connect(somewhere).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(listen: &str, advertise: Option<&str>) -> Result<String, NodeError> {
        let listen: SocketAddr = listen.parse().unwrap();
        let mut options = NodeOptions::new("memory:", "memory:", listen);
        options.advertise = advertise.map(str::to_owned);
        advertised(&options, listen)
    }

    #[test]
    fn a_node_is_known_by_what_it_advertises_or_where_it_listens() {
        for (listen, advertise, known) in [
            ("127.0.0.1:81", None, "127.0.0.1:81"),
            ("[::1]:81", None, "[::1]:81"),
            ("0.0.0.0:81", Some("host"), "host:81"),
            ("0.0.0.0:81", Some("host:82"), "host:82"),
            ("0.0.0.0:81", Some("10.0.0.1"), "10.0.0.1:81"),
            ("0.0.0.0:81", Some("fd00::1"), "[fd00::1]:81"),
            ("0.0.0.0:81", Some("[fd00::1]:82"), "[fd00::1]:82"),
        ] {
            assert_eq!(address(listen, advertise).unwrap(), known);
        }
        let own = address("0.0.0.0:81", None).unwrap();
        assert!(own.ends_with(":81") && !own.starts_with("0.0.0.0"), "{own}");
    }

    #[test]
    fn what_nobody_could_connect_to_is_not_advertised() {
        for bad in [
            "0.0.0.0",
            "::",
            "[::]:81",
            "",
            ":81",
            "a b",
            "user@host",
            "host/path",
        ] {
            assert!(address("127.0.0.1:81", Some(bad)).is_err(), "{bad}");
        }
    }
}
