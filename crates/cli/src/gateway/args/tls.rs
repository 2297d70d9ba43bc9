//! TLS for clients.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use clap::builder::BoolishValueParser;
use incumbent_gateway::ServerTls;

use crate::settings::socket;

#[derive(Debug, Args)]
#[command(next_help_heading = "TLS for clients")]
pub(super) struct TlsArgs {
    /// Where to listen with TLS; may be repeated. Needs --cert and --key.
    #[arg(long, value_name = "ADDR", env = "INCUMBENT_TLS_LISTEN", value_delimiter = ',',
          value_parser = socket)]
    tls_listen: Vec<SocketAddr>,

    /// The gateway's certificate and those between it and its authority, PEM. Read again when it
    /// changes.
    #[arg(long, value_name = "FILE", env = "INCUMBENT_CERT")]
    pub(super) cert: Option<PathBuf>,

    /// The private key of that certificate, PEM.
    #[arg(long, value_name = "FILE", env = "INCUMBENT_KEY")]
    pub(super) key: Option<PathBuf>,

    /// Authorities of clients, PEM. With it, every client needs a certificate of one of them.
    #[arg(long, value_name = "FILE", env = "INCUMBENT_CLIENT_CA")]
    pub(super) client_ca: Option<PathBuf>,

    /// Pass the client's certificate on to the leader, in Client-Cert (RFC 9440).
    #[arg(long, env = "INCUMBENT_PASS_CERTIFICATE", value_parser = BoolishValueParser::new())]
    pub(super) pass_certificate: bool,
}

impl TlsArgs {
    pub(super) fn listen(&self) -> &[SocketAddr] {
        &self.tls_listen
    }

    pub(super) fn options(&self) -> Option<ServerTls> {
        Some(ServerTls {
            certificate: self.cert.clone()?,
            key: self.key.clone()?,
            client_ca: self.client_ca.clone(),
            pass_certificate: self.pass_certificate,
        })
    }
}
