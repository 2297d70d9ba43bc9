//! The access log: one line for each request, for standard output.

use std::collections::BTreeMap;
use std::fmt::{Debug, Write as _};
use std::time::SystemTime;

use incumbent_gateway::ACCESS;
use serde_json::{Value, json};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use super::AccessLog;
use crate::diagnostics::logging::Events;
use crate::diagnostics::queue::{LAST_LINES, LineQueue, QueueOptions};
use crate::exit::Failure;
use crate::show;

/// How many bytes may wait for a slow reader; as many again may be with the writer. Each holds
/// about 20,000 lines of the usual length, so that nothing is lost while a reader is slow for a
/// second or two.
const ROOM: usize = 4 * 1024 * 1024;
/// The counter of lines that were lost.
const LOST: &str = "incumbent_gateway_access_lines_lost_total";
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// The log of this process, on standard output. To be [`finish`](Self::finish)ed at its end.
pub(crate) struct Log {
    format: AccessLog,
    lines: Option<LineQueue>,
}

/// Turns the events of the gateway's access log into lines.
struct Written {
    format: AccessLog,
    lines: LineQueue,
}

impl Log {
    /// A log in this format; no log if it is off.
    pub(crate) fn new(format: AccessLog) -> Result<Self, Failure> {
        let lines = match format {
            AccessLog::Off => None,
            AccessLog::Common | AccessLog::Json => {
                let begun = LineQueue::to(std::io::stdout(), options());
                Some(begun.map_err(|cause| Failure::new("cannot start").because(cause))?)
            }
        };
        Ok(Self { format, lines })
    }

    /// The layer that writes the log; none if it is off.
    pub(crate) fn layer(&self) -> Option<Events> {
        let format = self.format;
        let lines = self.lines.clone()?;
        Some(Box::new(Written { format, lines }))
    }

    /// Waits a moment for lines that are not written yet.
    pub(crate) fn finish(self) {
        let lost = self.lines.map_or(0, |lines| lines.flush(LAST_LINES));
        if lost > 0 {
            tracing::warn!(
                lost,
                "the last lines of the access log are lost: no reader took them in time"
            );
        }
    }
}

/// Says what the metrics of the log mean. To be called once a recorder is installed.
pub(super) fn describe_metrics() {
    metrics::describe_counter!(
        LOST,
        "Lines of the access log that were lost, because nobody read them fast enough or they \
         could not be written"
    );
}

fn options() -> QueueOptions {
    QueueOptions {
        thread: "access-log",
        room: ROOM,
        lost_metric: LOST,
        report: Box::new(|loss| {
            tracing::warn!(
                lost = loss.lines,
                "lines of the access log are lost: {}; writing continues",
                loss.reason()
            );
            None
        }),
    }
}

impl<S: Subscriber> Layer<S> for Written {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() != ACCESS {
            return;
        }
        let mut fields = Fields::default();
        event.record(&mut fields);
        let line = match self.format {
            AccessLog::Off => return,
            AccessLog::Common => fields.combined(now()),
            AccessLog::Json => fields.json().to_string(),
        };
        self.lines.push(&line);
    }
}

#[expect(clippy::disallowed_methods, reason = "shown to people")]
fn now() -> SystemTime {
    SystemTime::now()
}

/// As web servers write it: `21/Nov/2026:09:29:52 +0000`.
fn stamp(moment: SystemTime) -> String {
    let text = humantime::format_rfc3339_seconds(moment).to_string();
    let (year, day, time) = (&text[..4], &text[8..10], &text[11..19]);
    let month = text[5..7].parse::<usize>().expect("it is a number");
    format!("{day}/{}/{year}:{time} +0000", MONTHS[month - 1])
}

#[derive(Default)]
struct Fields(BTreeMap<&'static str, Value>);

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.0.insert(field.name(), value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.insert(field.name(), value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.insert(field.name(), value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.insert(field.name(), value.into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name(), format!("{value:?}").into());
    }
}

impl Fields {
    fn text(&self, name: &str) -> String {
        match self.0.get(name) {
            None => "-".into(),
            Some(Value::String(text)) if text.is_empty() => "-".into(),
            // As nginx does, so that a program that knows no escapes can take a line apart.
            Some(Value::String(text)) => text.replace('\\', r"\x5C").replace('"', r"\x22"),
            Some(value) => value.to_string(),
        }
    }

    /// The combined log format, with nothing after it: some programs that read it accept no more.
    /// JSON has the rest.
    fn combined(&self, moment: SystemTime) -> String {
        let text = |name| self.text(name);
        let mut line = String::new();
        // Writing to a string does not fail.
        let _ = write!(
            line,
            "{} - - [{}] \"{} {} {}\" {} {} \"{}\" \"{}\"",
            text("client"),
            stamp(moment),
            text("method"),
            text("target"),
            text("version"),
            text("status"),
            text("sent"),
            text("referer"),
            text("agent"),
        );
        line
    }

    fn json(&self) -> Value {
        let mut line = json!(self.0);
        line["time"] = show::now().into();
        line
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn fields() -> Fields {
        Fields(BTreeMap::from([
            ("client", "10.0.0.7".into()),
            ("method", "GET".into()),
            ("target", "/a\"b\\c".into()),
            ("version", "HTTP/1.1".into()),
            ("status", 200_u64.into()),
            ("sent", 5_u64.into()),
            ("agent", "curl/8".into()),
            ("seconds", 0.25.into()),
            ("held", 0.0.into()),
        ]))
    }

    #[test]
    fn a_line_can_be_taken_apart_whatever_the_client_sends() {
        let moment = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_253_392);
        assert_eq!(
            fields().combined(moment),
            r#"10.0.0.7 - - [21/Nov/2026:09:29:52 +0000] "GET /a\x22b\x5Cc HTTP/1.1" 200 5 "-" "curl/8""#
        );
    }

    #[test]
    fn every_month_has_its_name() {
        let days = (0..12).map(|month| Duration::from_secs(86_400 * (15 + 30 * month + month / 2)));
        let names: Vec<_> = days
            .map(|day| stamp(SystemTime::UNIX_EPOCH + day)[3..6].to_owned())
            .collect();
        assert_eq!(names, MONTHS);
    }

    #[test]
    fn requests_are_logged_and_nothing_else_though_nobody_reads_yet() {
        use std::io::Read as _;
        use tracing_subscriber::layer::SubscriberExt as _;

        // Once the pipe is full, writes wait for a reader.
        let (mut reading, writing) = std::io::pipe().unwrap();
        let lines = LineQueue::to(writing, options()).unwrap();
        let layer = Written {
            format: AccessLog::Json,
            lines: lines.clone(),
        };
        let agent = "a".repeat(1000);
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            for number in 0..1000 {
                tracing::info!(target: ACCESS, number, agent);
                tracing::info!("something else");
            }
        });
        let mut text = Vec::new();
        let reader = std::thread::spawn(move || {
            let mut buffer = [0; 65536];
            while text.iter().filter(|byte| **byte == b'\n').count() < 1000 {
                let count = reading.read(&mut buffer).unwrap();
                text.extend_from_slice(&buffer[..count]);
            }
            text
        });
        assert_eq!(lines.flush(Duration::from_secs(20)), 0);
        let text = String::from_utf8(reader.join().unwrap()).unwrap();
        for (number, line) in text.lines().enumerate() {
            let line: Value = serde_json::from_str(line).unwrap();
            assert_eq!(line["number"], number);
        }
    }

    #[test]
    fn as_json_every_field_is_there() {
        let line = fields().json();
        assert_eq!(line["status"], 200);
        assert_eq!(line["target"], "/a\"b\\c");
        assert!(line["time"].is_string());
    }
}
