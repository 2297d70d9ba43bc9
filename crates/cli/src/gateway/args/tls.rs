//! TLS for clients.

use std::net::SocketAddr;

use clap::Args;
use clap::builder::BoolishValueParser;
use incumbent_gateway::ServerTls;

use crate::settings::{CertificateFiles, socket};

#[derive(Debug, Args)]
#[command(next_help_heading = "TLS for clients")]
pub(super) struct TlsArgs {
    /// Where to listen with TLS; may be repeated. Needs --cert and --key.
    #[arg(long, value_name = "ADDR", env = "INCUMBENT_TLS_LISTEN", value_delimiter = ',',
          value_parser = socket)]
    tls_listen: Vec<SocketAddr>,

    #[command(flatten)]
    pub(super) files: CertificateFiles,

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
            certificate: self.files.cert.clone()?,
            key: self.files.key.clone()?,
            client_ca: self.files.client_ca.clone(),
            pass_certificate: self.pass_certificate,
        })
    }
}
