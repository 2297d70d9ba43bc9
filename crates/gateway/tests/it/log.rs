//! The log of this process, for tests of what it says. All tests write it: each looks for its own
//! lines.

use std::io::Write;
use std::sync::{Arc, Mutex, OnceLock};

use serde_json::Value;

/// What is written: the access log, and whatever the gateway tells people.
const FILTER: &str = "incumbent::access=info,incumbent_gateway=info";

#[derive(Clone, Default)]
pub(crate) struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Lines {
    pub(crate) fn of_this_process() -> Self {
        static LINES: OnceLock<Lines> = OnceLock::new();
        let lines = LINES.get_or_init(|| {
            let lines = Self::default();
            let written = lines.clone();
            let subscriber = tracing_subscriber::fmt()
                .json()
                .with_writer(move || written.clone())
                .with_env_filter(FILTER)
                .finish();
            tracing::subscriber::set_global_default(subscriber).unwrap();
            lines
        });
        lines.clone()
    }

    /// The lines in which this field has this value.
    pub(crate) fn with(&self, field: &str, value: &str) -> Vec<Value> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        let lines = text
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines
            .map(|line| line["fields"].clone())
            .filter(|line| line[field] == value)
            .collect()
    }
}
