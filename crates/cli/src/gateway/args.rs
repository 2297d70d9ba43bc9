//! The command line of `incumbent gateway`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::BoolishValueParser;
use clap::{Args, ValueEnum};
use incumbent::EndpointName;
use incumbent_flink_ha::FlinkAddress;
use incumbent_gateway::{
    Files, IpNet, Limits, Options, ServerTls, TcpLimits, TcpOptions, TcpTimes, Times, UpstreamHttp,
    UpstreamTls,
};

use crate::args::socket;
use crate::exit::{Code, Failure};

const HELP: &str = "\
In two terminals, one serves and one stands by:
  incumbent run --publish web=127.0.0.1:8000 -- python3 -m http.server --bind 127.0.0.1 8000
in a third:
  incumbent gateway --to web --listen 127.0.0.1:8080
in a fourth:
  while sleep 0.1; do curl -fsS -o /dev/null http://127.0.0.1:8080/ || echo failed; done
Now kill -9 the one that leads, or `incumbent resign`: no request fails.

While nobody leads, requests are held and go to the next leader. One that was sent and not answered is sent
again only if that is safe: its method is idempotent (GET, HEAD, PUT, DELETE, OPTIONS, TRACE), or it has an
Idempotency-Key; and its body was small enough to be kept. Otherwise the answer is 502 or 503, as
application/problem+json with Retry-After; or 504 if the leader took too long to answer.

With --flink the leader is the one that a real Apache Flink has elected, and nothing is written there:
  incumbent gateway --flink zookeeper://127.0.0.1:2181/flink/my-cluster --listen 127.0.0.1:8080

Each request that is passed on says in Incumbent-Epoch whom it is for. A node that looks at it, as one with the
library's NodeLayer does, answers 421 if it leads no more, and the request goes to the next leader. Any other
program answers as long as it runs.";

/// Where to listen if nothing is said.
const USUAL: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);

/// Answer for whoever leads: an HTTP reverse proxy that knows the leader.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct GatewayArgs {
    /// The endpoint of the leader, as it is published; may be repeated, the best first.
    #[arg(
        long,
        value_name = "ENDPOINT",
        env = "INCUMBENT_TO",
        value_delimiter = ',',
        default_value = "web"
    )]
    to: Vec<EndpointName>,

    /// Where to listen; may be repeated. Port 0 takes a free one; the addresses are printed
    /// [default: 127.0.0.1:8080, but nowhere with --tls-listen]
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

    /// Pass on connections as they are, not requests: for protocols that are not HTTP.
    #[arg(long, env = "INCUMBENT_TCP", value_parser = BoolishValueParser::new(),
          conflicts_with_all = ["access_log", "kept_body", "kept_bodies", "answer_timeout", "upstream_http"])]
    pub(super) tcp: bool,

    /// With --tcp: tell the leader who the client is, by a header of the PROXY protocol, version 2.
    #[arg(long, env = "INCUMBENT_PROXY_PROTOCOL", value_parser = BoolishValueParser::new(), requires = "tcp")]
    proxy_protocol: bool,

    /// Serve the files of this directory, whoever leads; requests for anything else are passed on.
    #[arg(
        long = "static",
        id = "files",
        value_name = "DIR",
        env = "INCUMBENT_STATIC"
    )]
    pub(super) files: Option<PathBuf>,

    /// Lead to a real Apache Flink instead of a group, as kubernetes://namespace/cluster-id or
    /// zookeeper://h1:2181/flink/cluster-id. Its HA data are read, never written.
    #[arg(long, value_name = "ADDRESS", env = "INCUMBENT_GATEWAY_FLINK")]
    pub(super) flink: Option<FlinkAddress>,

    /// How long a request is held while there is nobody to ask; 0s holds none.
    #[arg(long, value_name = "DURATION", env = "INCUMBENT_HOLD", default_value = "30s",
          value_parser = humantime::parse_duration, help_heading = "While nobody leads")]
    hold: Duration,

    /// Hold requests that may be repeated when the leader answers 503, too, and send them again.
    /// Always so with --flink.
    #[arg(long, env = "INCUMBENT_WAIT_UNTIL_READY", value_parser = BoolishValueParser::new(), help_heading = "While nobody leads")]
    pub(super) wait_until_ready: bool,

    /// How many requests are held at a time.
    #[arg(
        long,
        value_name = "N",
        env = "INCUMBENT_HELD",
        default_value_t = 1024,
        help_heading = "While nobody leads"
    )]
    held: usize,

    /// How much of a request's body is kept to send it again, in bytes.
    #[arg(
        long,
        value_name = "BYTES",
        env = "INCUMBENT_KEPT_BODY",
        default_value_t = 64 * 1024,
        help_heading = "While nobody leads"
    )]
    kept_body: usize,

    /// How much is kept of all of them together, in bytes.
    #[arg(
        long,
        value_name = "BYTES",
        env = "INCUMBENT_KEPT_BODIES",
        default_value_t = 64 * 1024 * 1024,
        help_heading = "While nobody leads"
    )]
    kept_bodies: usize,

    /// Connections of clients. More wait to be accepted.
    #[arg(
        long,
        value_name = "N",
        env = "INCUMBENT_CONNECTIONS",
        default_value_t = 10_000,
        help_heading = "Limits"
    )]
    connections: usize,

    /// The longest body of a request, in bytes [default: any]
    #[arg(
        long,
        value_name = "BYTES",
        env = "INCUMBENT_LARGEST_BODY",
        help_heading = "Limits"
    )]
    pub(super) largest_body: Option<u64>,

    /// How long connecting to the leader may take.
    #[arg(long, value_name = "DURATION", env = "INCUMBENT_CONNECT_TIMEOUT", default_value = "2s",
          value_parser = humantime::parse_duration, help_heading = "Limits")]
    connect_timeout: Duration,

    /// How long the leader may take to begin its answer.
    #[arg(long, value_name = "DURATION", env = "INCUMBENT_ANSWER_TIMEOUT", default_value = "60s",
          value_parser = humantime::parse_duration, help_heading = "Limits")]
    answer_timeout: Duration,

    /// How long a request may take in all [default: any time]
    #[arg(long, value_name = "DURATION", env = "INCUMBENT_TOTAL_TIMEOUT",
          value_parser = humantime::parse_duration, help_heading = "Limits")]
    pub(super) total_timeout: Option<Duration>,

    /// How long requests may take to end when this program is told to.
    #[arg(long, value_name = "DURATION", env = "INCUMBENT_DRAIN", default_value = "10s",
          value_parser = humantime::parse_duration, help_heading = "Limits")]
    drain: Duration,

    /// Where to listen with TLS; may be repeated. Needs --cert and --key.
    #[arg(long, value_name = "ADDR", env = "INCUMBENT_TLS_LISTEN", value_delimiter = ',',
          value_parser = socket, help_heading = "TLS in front")]
    pub(super) tls_listen: Vec<SocketAddr>,

    /// The certificate (PEM) and those above it. Read again when it changes.
    #[arg(
        long,
        value_name = "FILE",
        env = "INCUMBENT_CERT",
        help_heading = "TLS in front"
    )]
    pub(super) cert: Option<PathBuf>,

    /// Its key (PEM).
    #[arg(
        long,
        value_name = "FILE",
        env = "INCUMBENT_KEY",
        help_heading = "TLS in front"
    )]
    pub(super) key: Option<PathBuf>,

    /// Authorities of clients (PEM). Then every client needs a certificate.
    #[arg(
        long,
        value_name = "FILE",
        env = "INCUMBENT_CLIENT_CA",
        help_heading = "TLS in front"
    )]
    pub(super) client_ca: Option<PathBuf>,

    /// Pass the client's certificate on, as Client-Cert (RFC 9440).
    #[arg(long, env = "INCUMBENT_PASS_CERTIFICATE", value_parser = BoolishValueParser::new(), help_heading = "TLS in front")]
    pub(super) pass_certificate: bool,

    /// Speak TLS to addresses that do not say https:// or http://.
    #[arg(long, env = "INCUMBENT_UPSTREAM_TLS", value_parser = BoolishValueParser::new(), help_heading = "Towards the leader")]
    pub(super) upstream_tls: bool,

    /// Authorities of leaders (PEM) [default: the system's]
    #[arg(
        long,
        value_name = "FILE",
        env = "INCUMBENT_UPSTREAM_CA",
        help_heading = "Towards the leader"
    )]
    pub(super) upstream_ca: Option<PathBuf>,

    /// The certificate that leaders know this gateway by (PEM).
    #[arg(
        long,
        value_name = "FILE",
        env = "INCUMBENT_UPSTREAM_CERT",
        help_heading = "Towards the leader"
    )]
    pub(super) upstream_cert: Option<PathBuf>,

    /// Its key (PEM).
    #[arg(
        long,
        value_name = "FILE",
        env = "INCUMBENT_UPSTREAM_KEY",
        help_heading = "Towards the leader"
    )]
    pub(super) upstream_key: Option<PathBuf>,

    /// The name in the leaders' certificates, if it is not the host of their address.
    #[arg(
        long,
        value_name = "NAME",
        env = "INCUMBENT_UPSTREAM_NAME",
        help_heading = "Towards the leader"
    )]
    pub(super) upstream_name: Option<String>,

    /// Which HTTP is spoken to the leader.
    #[arg(
        long,
        value_name = "VERSION",
        env = "INCUMBENT_UPSTREAM_HTTP",
        default_value = "auto",
        help_heading = "Towards the leader"
    )]
    upstream_http: Http,

    /// Proxies in front, as 10.0.0.0/8, whose word on who the client is counts; may be repeated.
    #[arg(
        long,
        value_name = "NET",
        env = "INCUMBENT_TRUSTED",
        value_delimiter = ',',
        help_heading = "Who may ask"
    )]
    pub(super) trusted: Vec<IpNet>,

    /// A file with the bearer token that every client needs. It is not passed on.
    #[arg(
        long,
        value_name = "FILE",
        env = "INCUMBENT_TOKEN_FILE",
        help_heading = "Who may ask"
    )]
    pub(super) token_file: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum AccessLog {
    /// None.
    Off,
    /// The combined format of web servers.
    Common,
    /// One JSON object a line, with everything.
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Http {
    /// HTTP/1.1, and HTTP/2 for gRPC.
    Auto,
    /// HTTP/1.1.
    #[value(name = "1")]
    One,
    /// HTTP/2.
    #[value(name = "2")]
    Two,
}

impl GatewayArgs {
    /// Where to listen without TLS.
    pub(super) fn plain(&self) -> &[SocketAddr] {
        match self.listen.is_empty() && self.tls_listen.is_empty() {
            true => &[USUAL],
            false => &self.listen,
        }
    }

    pub(super) fn tcp_options(&self) -> TcpOptions {
        TcpOptions {
            endpoints: self.to.clone(),
            times: TcpTimes {
                hold: self.hold,
                connect: self.connect_timeout,
                drain: self.drain,
                ..TcpTimes::default()
            },
            limits: TcpLimits {
                connections: self.connections,
                held: self.held,
            },
            proxy_protocol: self.proxy_protocol,
        }
    }

    pub(super) async fn options(&self) -> Result<Options, Failure> {
        let files = match &self.files {
            Some(dir) => Some(files(dir).await?),
            None => None,
        };
        let token = match &self.token_file {
            Some(path) => Some(token(path)?),
            None => None,
        };
        let tls = match (&self.cert, &self.key) {
            (Some(certificate), Some(key)) => Some(ServerTls {
                certificate: certificate.clone(),
                key: key.clone(),
                client_ca: self.client_ca.clone(),
                pass_certificate: self.pass_certificate,
            }),
            _ => None,
        };
        Ok(Options {
            endpoints: self.to.clone(),
            times: Times {
                hold: self.hold,
                connect: self.connect_timeout,
                first_byte: self.answer_timeout,
                total: self.total_timeout,
                drain: self.drain,
                ..Times::default()
            },
            limits: Limits {
                connections: self.connections,
                held: self.held,
                kept_body: self.kept_body,
                kept_bodies: self.kept_bodies,
                body: self.largest_body,
                ..Limits::default()
            },
            tls,
            upstream_tls: UpstreamTls {
                by_default: self.upstream_tls,
                ca: self.upstream_ca.clone(),
                identity: self.upstream_cert.clone().zip(self.upstream_key.clone()),
                name: self.upstream_name.clone(),
            },
            // A Flink answers so while its parts elect their leaders.
            waits_until_ready: self.wait_until_ready || self.flink.is_some(),
            upstream_http: match self.upstream_http {
                Http::Auto => UpstreamHttp::AsNeeded,
                Http::One => UpstreamHttp::Http1,
                Http::Two => UpstreamHttp::Http2,
            },
            trusted: self.trusted.clone(),
            token,
            files,
        })
    }
}

async fn files(dir: &PathBuf) -> Result<Files, Failure> {
    let found = Files::directory(dir).await;
    found.map_err(|cause| {
        let what = format!("cannot serve {}", dir.display());
        Failure::new(what).because(cause).code(Code::Usage)
    })
}

fn token(path: &PathBuf) -> Result<String, Failure> {
    let failed = |why: String| {
        Failure::new(format!("the token file {}: {why}", path.display())).code(Code::Usage)
    };
    let text = std::fs::read_to_string(path).map_err(|cause| failed(cause.to_string()))?;
    match text.trim() {
        "" => Err(failed("it is empty".into())),
        token => Ok(token.to_owned()),
    }
}
