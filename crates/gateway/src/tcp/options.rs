//! [`TcpOptions`]: where connections lead to, and what there may be of them.

use std::time::Duration;

use incumbent::EndpointName;

/// How a [`TcpGateway`](crate::TcpGateway) works. [`TcpOptions::to`] has defaults for everything
/// but where it leads.
#[derive(Clone, Debug)]
pub struct TcpOptions {
    /// The endpoints of the leader, the best first. Of their addresses only host and port count:
    /// TLS is passed on as it is.
    pub endpoints: Vec<EndpointName>,
    /// How long things may take.
    pub times: TcpTimes,
    /// How much there may be.
    pub limits: TcpLimits,
    /// Whether the leader is told who the client is, by a header of the PROXY protocol, version 2,
    /// in front of all else. The leader must expect it. Off by default.
    pub proxy_protocol: bool,
}

/// How long things may take.
#[derive(Clone, Debug)]
pub struct TcpTimes {
    /// How long a connection is held in all while there is nobody to connect to. 30 s: twice the
    /// default lease. Zero holds none.
    pub hold: Duration,
    /// How long connecting to one address of the leader may take. 2 s.
    pub connect: Duration,
    /// How long connections to a leader go on when somebody else leads already. 10 s. They cannot
    /// be moved: nobody knows here what was said on them.
    pub outlived: Duration,
    /// How long a connection may be silent in both directions. Off by default: keep-alive of TCP
    /// notices who is gone.
    pub idle: Option<Duration>,
    /// The same once one side has ended its half. 10 min: some end theirs and wait for a long
    /// answer; others have forgotten to close, and no keep-alive notices them.
    pub half_closed: Duration,
    /// How long connections may take to end when the gateway is shut down. 10 s.
    pub drain: Duration,
}

/// How much there may be.
#[derive(Clone, Debug)]
pub struct TcpLimits {
    /// Connections of clients. More wait to be accepted. 10 000.
    pub connections: usize,
    /// Connections that are held at a time. 1024. Nothing is read of them, so they cost little more
    /// than a descriptor.
    pub held: usize,
}

impl TcpOptions {
    /// A gateway to this endpoint of the leader.
    pub fn to(endpoint: EndpointName) -> Self {
        Self {
            endpoints: vec![endpoint],
            times: TcpTimes::default(),
            limits: TcpLimits::default(),
            proxy_protocol: false,
        }
    }
}

impl Default for TcpTimes {
    fn default() -> Self {
        Self {
            hold: Duration::from_secs(30),
            connect: Duration::from_secs(2),
            outlived: Duration::from_secs(10),
            idle: None,
            half_closed: Duration::from_secs(600),
            drain: Duration::from_secs(10),
        }
    }
}

impl Default for TcpLimits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            held: 1024,
        }
    }
}
