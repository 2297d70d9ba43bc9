//! How the gateway speaks to the leader.

use std::path::PathBuf;

use clap::builder::BoolishValueParser;
use clap::{Args, ValueEnum};
use incumbent_gateway::{UpstreamHttp, UpstreamTls};

#[derive(Debug, Args)]
#[command(next_help_heading = "Towards the leader")]
pub(super) struct LeaderArgs {
    /// Use TLS for addresses that begin with neither https:// nor http://.
    #[arg(long, env = "INCUMBENT_UPSTREAM_TLS", value_parser = BoolishValueParser::new())]
    pub(super) upstream_tls: bool,

    /// The authorities that leaders' certificates are checked against, PEM [default: the system's]
    #[arg(long, value_name = "FILE", env = "INCUMBENT_UPSTREAM_CA")]
    pub(super) upstream_ca: Option<PathBuf>,

    /// The certificate that the gateway shows to leaders, PEM. Read again when it changes.
    #[arg(long, value_name = "FILE", env = "INCUMBENT_UPSTREAM_CERT")]
    pub(super) upstream_cert: Option<PathBuf>,

    /// The private key of that certificate, PEM.
    #[arg(long, value_name = "FILE", env = "INCUMBENT_UPSTREAM_KEY")]
    pub(super) upstream_key: Option<PathBuf>,

    /// The name that leaders' certificates must have, if it is not the host of their address.
    #[arg(long, value_name = "NAME", env = "INCUMBENT_UPSTREAM_NAME")]
    pub(super) upstream_name: Option<String>,

    /// The version of HTTP for requests to the leader.
    #[arg(
        long,
        value_name = "VERSION",
        env = "INCUMBENT_UPSTREAM_HTTP",
        default_value = "auto"
    )]
    upstream_http: HttpVersion,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum HttpVersion {
    /// HTTP/1.1, and HTTP/2 for gRPC.
    Auto,
    /// HTTP/1.1.
    #[value(name = "1")]
    One,
    /// HTTP/2.
    #[value(name = "2")]
    Two,
}

impl LeaderArgs {
    pub(super) fn tls(&self) -> UpstreamTls {
        UpstreamTls {
            by_default: self.upstream_tls,
            ca: self.upstream_ca.clone(),
            identity: self.upstream_cert.clone().zip(self.upstream_key.clone()),
            name: self.upstream_name.clone(),
        }
    }

    pub(super) fn http(&self) -> UpstreamHttp {
        match self.upstream_http {
            HttpVersion::Auto => UpstreamHttp::AsNeeded,
            HttpVersion::One => UpstreamHttp::Http1,
            HttpVersion::Two => UpstreamHttp::Http2,
        }
    }
}
