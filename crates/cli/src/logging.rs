//! Logs, to standard error.

use std::io::IsTerminal;

use incumbent_gateway::ACCESS;
use tracing_subscriber::fmt::writer::MakeWriterExt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use crate::args::{Common, LogFormat};
use crate::exit::{Code, Failure};
use crate::gateway::AccessLog;
use crate::gateway::access_log::Log;

/// `usual` is what is logged if nobody says. The access log of a gateway has its own place, and its
/// own end.
pub(crate) fn init(common: &Common, usual: &str, access: AccessLog) -> Result<Log, Failure> {
    let filter = common.log.as_deref().unwrap_or(usual);
    let filter = EnvFilter::try_new(filter).map_err(|cause| {
        Failure::new(format!("the log filter {filter:?} cannot be used"))
            .because(cause)
            .code(Code::Usage)
    })?;
    let level = if access == AccessLog::Off {
        "off"
    } else {
        "info"
    };
    let directive = format!("{ACCESS}={level}").parse();
    // One filter for all. A filter for each layer keeps what it decided in a place where a question
    // of the crate `log`, as TLS and HTTP ask it, is taken for the answer about the next event:
    // that one is then lost (tokio-rs/tracing#2519).
    let filter = filter.add_directive(directive.expect("it is a directive"));
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr.with_filter(|of| of.target() != ACCESS))
        .with_target(false);
    let lines = match common.log_format {
        LogFormat::Text => lines.with_ansi(std::io::stderr().is_terminal()).boxed(),
        LogFormat::Json => lines
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .boxed(),
    };
    let log = Log::new(access)?;
    tracing_subscriber::registry()
        .with(filter)
        .with(lines)
        .with(log.layer())
        .init();
    Ok(log)
}
