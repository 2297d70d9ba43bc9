//! [`Options`]: where a gateway leads to, and what it can take.

use std::path::PathBuf;
use std::time::Duration;

use incumbent::EndpointName;
use ipnet::IpNet;

use crate::files::Files;

/// The least that the head of a request may be limited to: hyper reads no less.
const LEAST_HEAD: usize = 8 * 1024;

/// How a gateway works. [`Options::to`] has defaults for everything but where it leads.
#[derive(Clone, Debug)]
pub struct Options {
    /// The endpoints of the leader, the best first: all addresses of the first are tried, then
    /// those of the second, until one takes a connection. That one is tried first from then on, for
    /// the rest of the term: a better one that was away for a moment is not gone back to. Those
    /// that the leader has not published are passed over.
    pub endpoints: Vec<EndpointName>,
    /// How long things may take.
    pub times: Times,
    /// How much there may be.
    pub limits: Limits,
    /// The TLS of listeners that want it.
    pub tls: Option<ServerTls>,
    /// The TLS towards the leader.
    pub upstream_tls: UpstreamTls,
    /// Which HTTP is spoken to the leader.
    pub upstream_http: UpstreamHttp,
    /// Whether a leader that answers 503 is not ready yet: a request that may be repeated is then
    /// held, and sent again. Once it was held as long as it may be, that 503 is the answer. Off by
    /// default, as an application may mean something else by it; Flink answers so while its parts
    /// elect their leaders.
    pub waits_until_ready: bool,
    /// Proxies in front, whose word on who the client is counts. None by default: what clients say
    /// of themselves is dropped.
    pub trusted: Vec<IpNet>,
    /// The bearer token that every client needs. It is not passed on. None by default.
    pub token: Option<String>,
    /// Files that the gateway serves itself, also while nobody leads. None by default.
    pub files: Option<Files>,
}

/// How long things may take.
#[derive(Clone, Debug)]
pub struct Times {
    /// How long a request is held in all while there is nobody to ask. 30 s: twice the default
    /// lease. Zero holds none.
    pub hold: Duration,
    /// How long connecting to one address of the leader may take; TLS, and the greeting of HTTP/2,
    /// may take as long each. 2 s.
    pub connect: Duration,
    /// How long the leader may take to begin its answer once it has the whole request, and for how
    /// long it may read nothing of it before. 60 s.
    pub first_byte: Duration,
    /// How long a client may take for the head of a request; also how long a connection may be
    /// idle. 60 s.
    pub head: Duration,
    /// How long nothing may arrive of a request's body that is waited for; how long a client may
    /// read nothing of an answer that is there for it; and how long nothing may arrive of the body
    /// of an answer when somebody else leads already. 60 s. On HTTP/2, a client that grants no room
    /// reads nothing, and its stream is reset.
    pub stall: Duration,
    /// How long the body of an answer may be silent. Off by default: event streams may be silent
    /// for long, and the keep-alive of TCP and HTTP/2 notices who is gone.
    pub silence: Option<Duration>,
    /// How long a request may take in all, its answer included; WebSockets are not counted. Off by
    /// default.
    pub total: Option<Duration>,
    /// How long a leader may take to answer when somebody else leads already, before a request that
    /// can be repeated is. 2 s.
    pub overtaken: Duration,
    /// How long WebSockets, and answers that do not say how long they are, go on when somebody else
    /// leads already: event streams, gRPC, whatever is chunked. 10 s. An answer of known length may
    /// take its time.
    pub outlived: Duration,
    /// How long requests may take to end when the gateway is shut down. 10 s. What is still held a
    /// second before that, or a tenth of it, is answered.
    pub drain: Duration,
}

/// How much there may be.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections of clients. More wait to be accepted. 10 000.
    pub connections: usize,
    /// Requests that are held at a time. 1024.
    pub held: usize,
    /// Requests at a time, those that are held and those that are being answered included; each may
    /// need a connection to the leader. 10 000. WebSockets are counted as connections.
    pub requests: usize,
    /// How much of one request's body is kept to be sent again. 64 KiB.
    pub kept_body: usize,
    /// How much is kept of all of them together. 64 MiB. What finds no room is not kept, and so not
    /// repeated.
    pub kept_bodies: usize,
    /// The longest answer that is read whole before its head is passed on. 64 KiB. If it breaks off
    /// before its end, the request is sent again where that does no harm, and answered with a
    /// problem where it may do harm. Answers that are longer, or that do not say how long they are,
    /// are passed on as they come. Zero reads none whole.
    pub whole_answer: usize,
    /// How much is read whole of all answers together. 64 MiB. An answer that finds no room is
    /// passed on as it comes.
    pub whole_answers: usize,
    /// The head of a request. 64 KiB; less than 8 KiB cannot be. What clients send and get is read
    /// and written in pieces of up to as much; what the leader gets and sends, in pieces of up to
    /// 64 KiB, and a longer head of an answer is refused.
    pub head: usize,
    /// The fields of a request of HTTP/1.1. 100.
    pub fields: usize,
    /// The body of a request. No limit by default.
    pub body: Option<u64>,
    /// Requests at a time on one connection of HTTP/2. 128.
    pub streams: u32,
}

/// The TLS of listeners. The files are PEM, and read again when they change; connections that are
/// there stay.
#[derive(Clone, Debug)]
pub struct ServerTls {
    /// The certificate, and those between it and its authority. It is shown whatever name the
    /// client asks for.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// The authorities of clients. If there are any, every client needs a certificate.
    pub client_ca: Option<PathBuf>,
    /// Whether the leader gets the client's certificate, as `Client-Cert` (RFC 9440).
    pub pass_certificate: bool,
}

/// The TLS towards the leader. The files are read again when they change; connections that are
/// there stay.
#[derive(Clone, Debug, Default)]
pub struct UpstreamTls {
    /// Whether addresses that do not say are spoken to over TLS.
    pub by_default: bool,
    /// The authorities of leaders; those of the system if there is none.
    pub ca: Option<PathBuf>,
    /// The certificate of this gateway, and its key.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// The name that leaders have in their certificates, if it is not the host of their address.
    pub name: Option<String>,
}

/// Which HTTP is spoken to the leader. An address that says `h2c` or `h2` is always spoken to in
/// HTTP/2.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UpstreamHttp {
    /// HTTP/1.1; HTTP/2 for requests that came by it and are gRPC.
    #[default]
    AsNeeded,
    /// Always HTTP/1.1.
    Http1,
    /// Always HTTP/2. No WebSockets then.
    Http2,
}

impl Options {
    /// A gateway to this endpoint of the leader.
    pub fn to(endpoint: EndpointName) -> Self {
        Self {
            endpoints: vec![endpoint],
            times: Times::default(),
            limits: Limits::default(),
            tls: None,
            upstream_tls: UpstreamTls::default(),
            upstream_http: UpstreamHttp::default(),
            waits_until_ready: false,
            trusted: Vec::new(),
            token: None,
            files: None,
        }
    }
}

impl Default for Times {
    fn default() -> Self {
        Self {
            hold: Duration::from_secs(30),
            connect: Duration::from_secs(2),
            first_byte: Duration::from_secs(60),
            head: Duration::from_secs(60),
            stall: Duration::from_secs(60),
            silence: None,
            total: None,
            overtaken: Duration::from_secs(2),
            outlived: Duration::from_secs(10),
            drain: Duration::from_secs(10),
        }
    }
}

impl Limits {
    /// The longest head of a request.
    pub(crate) fn longest_head(&self) -> usize {
        self.head.max(LEAST_HEAD)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            held: 1024,
            requests: 10_000,
            kept_body: 64 * 1024,
            kept_bodies: 64 * 1024 * 1024,
            whole_answer: 64 * 1024,
            whole_answers: 64 * 1024 * 1024,
            head: 64 * 1024,
            fields: 100,
            body: None,
            streams: 128,
        }
    }
}
