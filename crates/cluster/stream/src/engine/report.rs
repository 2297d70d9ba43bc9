//! [`Busy`]: what an operator has done, and the samples that say so.

use std::cell::Cell;
use std::fmt::Write;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::Control;
use crate::Timestamp;
use crate::runtime::operator;

/// What an operator has done since the worker began.
#[derive(Debug)]
pub(crate) struct Busy {
    name: Rc<str>,
    pub(crate) time: Cell<Duration>,
    pub(crate) records_in: Cell<u64>,
    pub(crate) records_out: Cell<u64>,
    /// `time` at the last report.
    told: Cell<Duration>,
}

impl Busy {
    pub(crate) fn of(name: &str) -> Self {
        Self {
            name: name.into(),
            time: Cell::default(),
            records_in: Cell::default(),
            records_out: Cell::default(),
            told: Cell::default(),
        }
    }

    /// Counts the time until the guard is dropped.
    pub(crate) fn begin(&self) -> Working<'_> {
        Working {
            busy: self,
            since: now(),
            before: operator::enter(Some(Rc::clone(&self.name))),
        }
    }

    pub(crate) fn took(&self, records: usize) {
        self.records_in.set(self.records_in.get() + records as u64);
    }

    pub(crate) fn gave(&self, records: usize) {
        self.records_out
            .set(self.records_out.get() + records as u64);
    }
}

pub(crate) struct Working<'b> {
    busy: &'b Busy,
    since: Instant,
    /// The operator that goes on afterwards.
    before: Option<Rc<str>>,
}

impl Drop for Working<'_> {
    fn drop(&mut self) {
        operator::enter(self.before.take());
        self.busy
            .time
            .set(self.busy.time.get() + self.since.elapsed());
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the worker's own time, for samples and for what it does every so often"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// The samples of this worker, in the text form of OpenMetrics, over the time since the last ones.
pub(crate) fn samples(control: &Control, interval: Duration) -> String {
    let mut text = String::new();
    let busy = control.busy.borrow();
    family(
        &mut text,
        "stream_busy_ratio",
        "gauge",
        "share of the time that the operator works",
    );
    for (name, each) in busy.iter() {
        let time = each.time.get();
        let ratio =
            (time - each.told.replace(time)).as_secs_f64() / interval.as_secs_f64().max(1e-3);
        let _ = writeln!(text, "stream_busy_ratio{{operator=\"{name}\"}} {ratio:.4}");
    }
    family(
        &mut text,
        "stream_records",
        "counter",
        "records in and out of the operator",
    );
    for (name, each) in busy.iter() {
        let (taken, given) = (each.records_in.get(), each.records_out.get());
        let _ = writeln!(
            text,
            "stream_records_total{{operator=\"{name}\",direction=\"in\"}} {taken}"
        );
        let _ = writeln!(
            text,
            "stream_records_total{{operator=\"{name}\",direction=\"out\"}} {given}"
        );
    }
    family(
        &mut text,
        "stream_keys",
        "gauge",
        "keys of the state on this rank",
    );
    for state in control.states.borrow().iter() {
        let mut keys = 0;
        state.table.with_table(&mut |table| keys = table.keys());
        let _ = writeln!(text, "stream_keys{{operator=\"{}\"}} {keys}", state.name);
    }
    family(
        &mut text,
        "stream_checkpoint_waits",
        "gauge",
        "1 while the state's part of a checkpoint waits until disk or blobs take more",
    );
    for state in control.states.borrow().iter() {
        let waits = u8::from(control.without_room.borrow().as_ref() == Some(&state.name));
        let _ = writeln!(
            text,
            "stream_checkpoint_waits{{operator=\"{}\"}} {waits}",
            state.name
        );
    }
    family(
        &mut text,
        "stream_held_records",
        "gauge",
        "records that wait for the next round, or for the sink",
    );
    for state in control.states.borrow().iter() {
        let _ = writeln!(
            text,
            "stream_held_records{{operator=\"{}\"}} {}",
            state.name,
            state.kept.get()
        );
    }
    for sink in control.sinks.borrow().iter() {
        let _ = writeln!(
            text,
            "stream_held_records{{operator=\"{}\"}} {}",
            sink.name,
            sink.waiting()
        );
    }
    family(
        &mut text,
        "stream_watermark_seconds",
        "gauge",
        "event time that the operator has reached, in seconds since 1970",
    );
    for state in control.states.borrow().iter() {
        let watermark = state.watermark.get();
        if watermark > Timestamp::MIN && watermark < Timestamp::MAX {
            let seconds = watermark.0.div_euclid(1000);
            let _ = writeln!(
                text,
                "stream_watermark_seconds{{operator=\"{}\"}} {seconds}",
                state.name
            );
        }
    }
    family(
        &mut text,
        "stream_waits",
        "gauge",
        "1 while the source waits for what is behind it",
    );
    for source in control.sources.borrow().iter() {
        let waits = u8::from(source.is_held_up());
        let _ = writeln!(text, "stream_waits{{source=\"{}\"}} {waits}", source.name());
    }
    text.push_str("# EOF\n");
    text
}

fn family(text: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(text, "# TYPE {name} {kind}\n# HELP {name} {help}");
}
