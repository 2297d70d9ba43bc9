//! Who may ask this program, and how it proves who it is: flags that the gateway and the nodes of a
//! cluster share.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::exit::{Code, Failure};

/// The token that clients of this program need.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Who may ask")]
pub(crate) struct ClientToken {
    /// A file with the bearer token that every client needs. The token is not passed on.
    #[arg(long, value_name = "FILE", env = "INCUMBENT_TOKEN_FILE")]
    pub(crate) token_file: Option<PathBuf>,
}

/// The files of a server with TLS.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "TLS for clients")]
pub(crate) struct CertificateFiles {
    /// The certificate of this server and those between it and its authority, PEM. Read again when
    /// it changes.
    #[arg(long, value_name = "FILE", env = "INCUMBENT_CERT")]
    pub(crate) cert: Option<PathBuf>,

    /// The private key of that certificate, PEM.
    #[arg(long, value_name = "FILE", env = "INCUMBENT_KEY")]
    pub(crate) key: Option<PathBuf>,

    /// Authorities of clients, PEM. With it, every client needs a certificate of one of them.
    #[arg(long, value_name = "FILE", env = "INCUMBENT_CLIENT_CA")]
    pub(crate) client_ca: Option<PathBuf>,
}

impl ClientToken {
    /// The token that clients need.
    pub(crate) fn read(&self) -> Result<Option<String>, Failure> {
        self.token_file.as_deref().map(read_token).transpose()
    }
}

/// The token in this file.
pub(crate) fn read_token(path: &Path) -> Result<String, Failure> {
    let failed = |why: &str| {
        let what = format!("cannot use the token file {}: {why}", path.display());
        Failure::new(what).code(Code::Usage)
    };
    let text = std::fs::read_to_string(path).map_err(|cause| failed(&cause.to_string()))?;
    match text.trim() {
        "" => Err(failed("it is empty")),
        token => Ok(token.to_owned()),
    }
}
