//! The command line of `incumbent gateway`.

mod access;
mod check;
mod leader;
mod limits;
mod tls;
mod waiting;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use clap::builder::BoolishValueParser;
use clap::{Args, ValueEnum};
use incumbent::EndpointName;
use incumbent_flink_ha::FlinkAddress;
use incumbent_gateway::{Files, Limits, Options, TcpLimits, TcpOptions, TcpTimes, Times};

use crate::exit::{Code, Failure};
use crate::settings::socket;
use access::AccessArgs;
use leader::LeaderArgs;
use limits::LimitArgs;
use tls::TlsArgs;
use waiting::WaitingArgs;

const HELP: &str = "\
Try it in four terminals. In the first two, one command serves and one stands by:
  incumbent run --publish web=127.0.0.1:8000 -- python3 -m http.server --bind 127.0.0.1 8000
In the third, the gateway:
  incumbent gateway --to web --listen 127.0.0.1:8080
In the fourth, a client:
  while sleep 0.1; do curl -fsS -o /dev/null http://127.0.0.1:8080/ || echo failed; done
Now kill -9 the leader, or run `incumbent resign`: no request fails.

While nobody leads, the gateway holds requests and sends them to the next leader. It repeats a request that
was sent and not answered only if that is safe: its method is idempotent (GET, HEAD, PUT, DELETE, OPTIONS,
TRACE) or it has an Idempotency-Key, and its body was small enough to be kept. Otherwise the answer is 502 or
503, as application/problem+json with Retry-After, or 504 if the leader took too long to answer.

With --flink the gateway follows the leader that a real Apache Flink has elected, and writes nothing there:
  incumbent gateway --flink zookeeper://127.0.0.1:2181/flink/my-cluster --listen 127.0.0.1:8080

Each request names the leader it is meant for in Incumbent-Epoch. A node that checks it (the library's
NodeLayer does) answers 421 once it no longer leads, and the request goes to the next leader. A program that
does not check it answers for as long as it runs.

A request may have 100 header fields and a head of 64 KiB, and so may the answer of the leader.";

/// Where to listen by default.
const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);

/// An HTTP reverse proxy that follows the leader.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct GatewayArgs {
    /// The endpoint of the leader, as it is published. May be repeated: the first is tried first.
    #[arg(
        long,
        value_name = "ENDPOINT",
        env = "INCUMBENT_TO",
        value_delimiter = ',',
        default_value = "web"
    )]
    to: Vec<EndpointName>,

    /// Where to listen; may be repeated. Port 0 takes a free port. The addresses are printed
    /// [default: 127.0.0.1:8080, or nowhere if --tls-listen is given]
    #[arg(
        long,
        value_name = "ADDR",
        env = "INCUMBENT_GATEWAY_LISTEN",
        value_delimiter = ',',
        value_parser = socket
    )]
    listen: Vec<SocketAddr>,

    /// Serve /metrics (Prometheus), /healthz and /readyz on this address.
    #[arg(long, value_name = "ADDR", env = "INCUMBENT_STATUS_LISTEN", value_parser = socket)]
    pub(super) status_listen: Option<SocketAddr>,

    /// Write a line for each request to standard output.
    #[arg(
        long,
        value_name = "FORMAT",
        env = "INCUMBENT_ACCESS_LOG",
        default_value = "off"
    )]
    pub(crate) access_log: AccessLog,

    /// Pass on connections instead of requests, for protocols other than HTTP.
    #[arg(long, env = "INCUMBENT_TCP", value_parser = BoolishValueParser::new(),
          conflicts_with_all = ["access_log", "kept_body", "kept_bodies", "whole_answer", "answer_timeout", "upstream_http"])]
    pub(super) tcp: bool,

    /// With --tcp: tell the leader the client's address in a header of the PROXY protocol, version
    /// 2.
    #[arg(long, env = "INCUMBENT_PROXY_PROTOCOL", value_parser = BoolishValueParser::new(), requires = "tcp")]
    proxy_protocol: bool,

    /// Serve the files of this directory, no matter who leads. All other requests go to the leader.
    #[arg(
        long = "static",
        id = "files",
        value_name = "DIR",
        env = "INCUMBENT_STATIC"
    )]
    files: Option<PathBuf>,

    /// Follow the leader of a real Apache Flink instead of a group's, as in
    /// kubernetes://namespace/cluster-id or zookeeper://h1:2181/flink/cluster-id. The gateway reads
    /// Flink's HA data and never writes them.
    #[arg(long, value_name = "ADDRESS", env = "INCUMBENT_GATEWAY_FLINK")]
    pub(super) flink: Option<FlinkAddress>,

    #[command(flatten)]
    waiting: WaitingArgs,
    #[command(flatten)]
    limits: LimitArgs,
    #[command(flatten)]
    tls: TlsArgs,
    #[command(flatten)]
    leader: LeaderArgs,
    #[command(flatten)]
    access: AccessArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum AccessLog {
    /// No access log.
    Off,
    /// The combined format of web servers.
    Common,
    /// One JSON object a line, with everything.
    Json,
}

impl GatewayArgs {
    /// Refuses options that would have no effect together.
    pub(super) fn check(&self) -> Result<(), Failure> {
        match check::conflict(self) {
            Some(why) => Err(Failure::new(why).code(Code::Usage)),
            None => Ok(()),
        }
    }

    /// Where to listen without TLS.
    pub(super) fn plain(&self) -> &[SocketAddr] {
        if self.listen.is_empty() && self.tls.listen().is_empty() {
            &[DEFAULT_LISTEN]
        } else {
            &self.listen
        }
    }

    /// Where to listen with TLS.
    pub(super) fn secure(&self) -> &[SocketAddr] {
        self.tls.listen()
    }

    pub(super) fn tcp_options(&self) -> TcpOptions {
        TcpOptions {
            endpoints: self.to.clone(),
            times: TcpTimes {
                hold: self.waiting.hold,
                connect: self.limits.connect_timeout,
                drain: self.limits.drain,
                ..TcpTimes::default()
            },
            limits: TcpLimits {
                connections: self.limits.connections,
                held: self.waiting.held,
            },
            proxy_protocol: self.proxy_protocol,
        }
    }

    pub(super) async fn options(&self) -> Result<Options, Failure> {
        let files = match &self.files {
            Some(dir) => Some(read_files(dir).await?),
            None => None,
        };
        Ok(Options {
            endpoints: self.to.clone(),
            times: Times {
                hold: self.waiting.hold,
                connect: self.limits.connect_timeout,
                first_byte: self.limits.answer_timeout,
                total: self.limits.total_timeout,
                drain: self.limits.drain,
                ..Times::default()
            },
            limits: Limits {
                connections: self.limits.connections,
                held: self.waiting.held,
                kept_body: self.waiting.kept_body,
                kept_bodies: self.waiting.kept_bodies,
                whole_answer: self.waiting.whole_answer,
                body: self.limits.largest_body,
                ..Limits::default()
            },
            tls: self.tls.options(),
            upstream_tls: self.leader.tls(),
            // A Flink answers 503 while its components elect their leaders.
            waits_until_ready: self.waiting.wait_until_ready || self.flink.is_some(),
            upstream_http: self.leader.http(),
            trusted: self.access.trusted.clone(),
            token: self.access.token.read()?,
            files,
        })
    }
}

async fn read_files(dir: &Path) -> Result<Files, Failure> {
    let found = Files::directory(dir).await;
    found.map_err(|cause| {
        let what = format!("cannot serve {}", dir.display());
        Failure::new(what).because(cause).code(Code::Usage)
    })
}
