//! The access log: one line for each request, on standard output.

use std::collections::BTreeMap;
use std::fmt::{Debug, Write as _};
use std::io::Write as _;

use incumbent_gateway::ACCESS;
use serde_json::{Value, json};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::AccessLog;
use crate::show;

/// Writes the events of the gateway's access log as lines.
struct Lines {
    format: AccessLog,
}

/// The layer that writes the log; none if it is off.
pub(crate) fn layer<S>(format: AccessLog) -> Option<impl Layer<S>>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    (format != AccessLog::Off).then_some(Lines { format })
}

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() != ACCESS {
            return;
        }
        let mut fields = Fields::default();
        event.record(&mut fields);
        let line = match self.format {
            AccessLog::Off => return,
            AccessLog::Common => fields.combined(),
            AccessLog::Json => fields.json().to_string(),
        };
        // Nobody may read any more. That is no reason not to serve.
        let _ = writeln!(std::io::stdout().lock(), "{line}");
    }
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
            // As web servers do, so that a line can be taken apart again.
            Some(Value::String(text)) => text.replace('\\', "\\\\").replace('"', "\\\""),
            Some(value) => value.to_string(),
        }
    }

    /// The combined log format, with the moment as ISO 8601, and the epoch and the seconds behind it.
    fn combined(&self) -> String {
        let text = |name| self.text(name);
        let mut line = String::new();
        // Writing to a string does not fail.
        let _ = write!(
            line,
            "{} - - [{}] \"{} {} {}\" {} {} \"{}\" \"{}\" epoch={} held={} seconds={}",
            text("client"),
            show::now(),
            text("method"),
            text("target"),
            text("version"),
            text("status"),
            text("sent"),
            text("referer"),
            text("agent"),
            text("epoch"),
            text("held"),
            text("seconds"),
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
    use super::*;

    fn fields() -> Fields {
        Fields(BTreeMap::from([
            ("client", "10.0.0.7".into()),
            ("method", "GET".into()),
            ("target", "/a\"b".into()),
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
        let line = fields().combined();
        assert!(line.starts_with("10.0.0.7 - - ["), "{line}");
        assert!(
            line.ends_with(
                r#"] "GET /a\"b HTTP/1.1" 200 5 "-" "curl/8" epoch=- held=0.0 seconds=0.25"#
            ),
            "{line}"
        );
    }

    #[test]
    fn as_json_every_field_is_there() {
        let line = fields().json();
        assert_eq!(line["status"], 200);
        assert_eq!(line["target"], "/a\"b");
        assert!(line["time"].is_string());
    }
}
