//! Logs, to standard error.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::args::{Common, LogFormat};
use crate::exit::{Code, Failure};

/// `usual` is what is logged if nobody says.
pub(crate) fn init(common: &Common, usual: &str) -> Result<(), Failure> {
    let filter = common.log.as_deref().unwrap_or(usual);
    let filter = EnvFilter::try_new(filter).map_err(|cause| {
        Failure::new(format!("the log filter {filter:?} cannot be used"))
            .because(cause)
            .code(Code::Usage)
    })?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(false);
    match common.log_format {
        LogFormat::Text => builder.with_ansi(std::io::stderr().is_terminal()).init(),
        LogFormat::Json => builder
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .init(),
    }
    Ok(())
}
