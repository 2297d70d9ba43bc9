//! The log: one line for each event, on standard error, through the queue.

use std::fmt;
use std::io;
use std::sync::atomic::Ordering;

use anstyle::{Effects, Style};
use incumbent::backend::redacted;
use incumbent_gateway::ACCESS;
use tracing::field::Field;
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::fmt::format::{self, Writer};
use tracing_subscriber::fmt::writer::{MakeWriter, MakeWriterExt};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry};

use super::queue::LineQueue;
use super::{AS_JSON, is_coloured, queue};
use crate::exit::{Code, Failure};
use crate::settings::{Common, LogFormat};
use crate::show::escape::{json_printable, printable};

const NAME_OF_FIELD: Style = Style::new().effects(Effects::ITALIC);
const DIMMED: Style = Style::new().effects(Effects::DIMMED);

/// A destination of events.
pub(crate) type Events = Box<dyn Layer<Registry> + Send + Sync>;

/// Installs the log. `usual` is the filter if none is given. `access` takes the events of a
/// gateway's access log, which do not belong here.
pub(crate) fn init(common: &Common, usual: &str, access: Option<Events>) -> Result<(), Failure> {
    let filter = common.log.as_deref().unwrap_or(usual);
    let filter = EnvFilter::try_new(filter).map_err(|cause| {
        Failure::new(format!("the log filter {filter:?} cannot be used"))
            .because(cause)
            .code(Code::Usage)
    })?;
    let level = if access.is_some() { "info" } else { "off" };
    let directive = format!("{ACCESS}={level}").parse();
    // One filter for all layers. With a filter for each layer, a question of the crate `log`, as
    // TLS and HTTP ask it, changes what is decided about the next event, and that event is lost
    // (tokio-rs/tracing#2519).
    let filter = filter.add_directive(directive.expect("it is a directive"));
    let is_json = matches!(common.log_format, LogFormat::Json);
    AS_JSON.store(is_json, Ordering::Relaxed);
    let mut layers = vec![lines(queue(), common.log_format)];
    layers.extend(access);
    tracing_subscriber::registry()
        .with(layers)
        .with(filter)
        .init();
    Ok(())
}

/// The layer that writes events, without those of the access log, in this format.
fn lines(queue: &'static LineQueue, format: LogFormat) -> Events {
    let is_json = matches!(format, LogFormat::Json);
    let writer = MakeLine { queue, is_json };
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(writer.with_filter(|of| of.target() != ACCESS))
        .with_target(false);
    match format {
        LogFormat::Text => lines
            .with_ansi(is_coloured())
            .fmt_fields(format::debug_fn(field).delimited(" "))
            .boxed(),
        LogFormat::Json => lines
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .boxed(),
    }
}

/// Writes one field. Values come from clients and stores, so they are escaped: an event stays one
/// line, and cannot control the terminal. Passwords in addresses are left out.
fn field(out: &mut Writer<'_>, field: &Field, value: &dyn fmt::Debug) -> fmt::Result {
    let value = redacted(&format!("{value:?}"));
    let value = printable(&value);
    match field.name() {
        "message" => out.write_str(&value),
        name if out.has_ansi_escapes() => {
            write!(
                out,
                "{NAME_OF_FIELD}{name}{NAME_OF_FIELD:#}{DIMMED}={DIMMED:#}{value}"
            )
        }
        name => write!(out, "{name}={value}"),
    }
}

/// Makes a writer for each event.
struct MakeLine {
    queue: &'static LineQueue,
    is_json: bool,
}

/// Passes one event on to the queue when it is dropped.
struct Line<'a> {
    make: &'a MakeLine,
    text: Vec<u8>,
}

impl<'a> MakeWriter<'a> for MakeLine {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line {
            make: self,
            text: Vec::new(),
        }
    }
}

impl io::Write for Line<'_> {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.text.extend_from_slice(text);
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        match std::str::from_utf8(&self.text) {
            Ok(text) if self.make.is_json => {
                let text = redacted(text);
                self.make.queue.push_text(json_printable(&text).as_bytes());
            }
            _ => self.make.queue.push_text(&self.text),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::diagnostics::queue::QueueOptions;

    fn logged(format: LogFormat, log: impl FnOnce()) -> String {
        let (mut reading, writing) = io::pipe().unwrap();
        let options = QueueOptions {
            thread: "test",
            room: 1024 * 1024,
            lost_metric: "lost",
            report: Box::new(|_| None),
        };
        let queue = Box::leak(Box::new(LineQueue::to(writing, options).unwrap()));
        let subscriber = tracing_subscriber::registry().with(lines(queue, format));
        tracing::subscriber::with_default(subscriber, log);
        assert_eq!(queue.flush(Duration::from_secs(20)), 0);
        let mut text = vec![0; 64 * 1024];
        let length = io::Read::read(&mut reading, &mut text).unwrap();
        text.truncate(length);
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn what_is_logged_stays_on_its_line_and_says_nothing_to_a_terminal() {
        let holder = "a\u{1b}[2J\n\u{202e}b\u{9b}";
        let log = || tracing::info!(holder = %holder, "said {holder}");
        let text = logged(LogFormat::Text, log);
        let escaped = r"a\u{1b}[2J\n\u{202e}b\u{9b}";
        assert!(
            text.contains(&format!("said {escaped} holder={escaped}")),
            "{text}"
        );
        assert_eq!(text.lines().count(), 1, "{text}");

        let json = logged(LogFormat::Json, log);
        assert!(
            json.trim_end()
                .chars()
                .all(|c| c == ' ' || c.is_ascii_graphic()),
            "{json}"
        );
        let line: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(line["holder"], holder);
    }
}
