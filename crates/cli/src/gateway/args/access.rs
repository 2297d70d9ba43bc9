//! Who may ask, and whose word counts.

use std::path::{Path, PathBuf};

use clap::Args;
use incumbent_gateway::IpNet;

use crate::exit::{Code, Failure};

#[derive(Debug, Args)]
#[command(next_help_heading = "Who may ask")]
pub(super) struct AccessArgs {
    /// Proxies in front of the gateway, as in 10.0.0.0/8: what they say about their clients
    /// (X-Forwarded-For and the like) is passed on. May be repeated.
    #[arg(
        long,
        value_name = "NET",
        env = "INCUMBENT_TRUSTED",
        value_delimiter = ','
    )]
    pub(super) trusted: Vec<IpNet>,

    /// A file with the bearer token that every client needs. The token is not passed on.
    #[arg(long, value_name = "FILE", env = "INCUMBENT_TOKEN_FILE")]
    pub(super) token_file: Option<PathBuf>,
}

impl AccessArgs {
    /// The token that clients need.
    pub(super) fn token(&self) -> Result<Option<String>, Failure> {
        self.token_file.as_deref().map(read_token).transpose()
    }
}

fn read_token(path: &Path) -> Result<String, Failure> {
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
