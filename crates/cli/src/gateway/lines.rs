//! Lines on their way to standard output: [`Lines`]. Who has one to write never waits for whoever
//! reads them.

use std::io::Write;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How many bytes may wait, and as many again may be in the hands of the writer: each some 20 000
/// lines of the usual length, so that nothing is lost while a reader is slow for a second or two.
const ROOM: usize = 4 * 1024 * 1024;
/// How many lines there was no room for.
const LOST: &str = "incumbent_gateway_access_lines_lost_total";

/// Takes lines, and has them written by a thread of its own. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Lines(Arc<Shared>);

#[derive(Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

/// What is not written yet.
#[derive(Default)]
struct Waiting {
    text: Vec<u8>,
    lines: u64,
    /// How many lines the writer has in his hands.
    taken: u64,
    /// How many lines found no room, as far as the log does not say so yet.
    lost: u64,
}

impl Lines {
    /// Lines that are written there.
    ///
    /// # Errors
    ///
    /// If there can be no thread.
    pub(crate) fn to(out: impl Write + Send + 'static) -> std::io::Result<Self> {
        let shared = Arc::<Shared>::default();
        let own = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("access-log".into());
        thread.spawn(move || own.write(out))?;
        Ok(Self(shared))
    }

    /// Adds a line. If too many wait already, it is lost, and counted.
    pub(crate) fn push(&self, line: &str) {
        let mut waiting = self.0.lock();
        if waiting.text.len() + line.len() >= ROOM {
            waiting.lost += 1;
            drop(waiting);
            metrics::counter!(LOST).increment(1);
            return;
        }
        waiting.text.extend_from_slice(line.as_bytes());
        waiting.text.push(b'\n');
        waiting.lines += 1;
        drop(waiting);
        self.0.changed.notify_all();
    }

    /// Waits until all has been written, this long at most. Gives back how many lines have not.
    pub(crate) fn flush(&self, patience: Duration) -> u64 {
        let waiting = self.0.lock();
        let is_busy = |waiting: &mut Waiting| waiting.lines + waiting.taken > 0;
        let waited = self
            .0
            .changed
            .wait_timeout_while(waiting, patience, is_busy);
        let (waiting, _) = waited.unwrap_or_else(PoisonError::into_inner);
        waiting.lines + waiting.taken + waiting.lost
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes what comes, for as long as the process lives: whoever reads may never read again.
    fn write(&self, mut out: impl Write) {
        let mut batch = Vec::new();
        loop {
            let waiting = self.lock();
            let waited = self
                .changed
                .wait_while(waiting, |waiting| waiting.lines == 0);
            let mut waiting = waited.unwrap_or_else(PoisonError::into_inner);
            std::mem::swap(&mut waiting.text, &mut batch);
            waiting.taken = std::mem::take(&mut waiting.lines);
            let lost = waiting.lost;
            drop(waiting);
            // Nobody may read any more. That is no reason not to serve.
            let _ = out.write_all(&batch).and_then(|()| out.flush());
            batch.clear();
            if lost > 0 {
                tracing::warn!(
                    lost,
                    "lines of the access log are lost: nobody read them fast enough"
                );
            }
            let mut waiting = self.lock();
            waiting.taken = 0;
            waiting.lost -= lost;
            drop(waiting);
            self.changed.notify_all();
        }
    }
}

/// Says what the metrics of the log mean. To be called once a recorder is installed.
pub(crate) fn describe_metrics() {
    metrics::describe_counter!(
        LOST,
        "Lines of the access log that were lost, as nobody read them fast enough"
    );
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    const SOON: Duration = Duration::from_secs(20);

    /// Takes a write only when told that it may.
    struct Reader {
        may: mpsc::Receiver<()>,
        read: mpsc::Sender<Vec<u8>>,
    }

    impl Write for Reader {
        fn write(&mut self, text: &[u8]) -> std::io::Result<usize> {
            // Whoever tells it is gone: nobody reads any more.
            if self.may.recv().is_err() {
                return Err(std::io::ErrorKind::BrokenPipe.into());
            }
            let _ = self.read.send(text.to_vec());
            Ok(text.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn reader() -> (Lines, mpsc::Sender<()>, mpsc::Receiver<Vec<u8>>) {
        let ((go, may), (read, got)) = (mpsc::channel(), mpsc::channel());
        (Lines::to(Reader { may, read }).unwrap(), go, got)
    }

    #[test]
    fn lines_are_written_in_their_order() {
        let (lines, go, got) = reader();
        lines.push("one");
        lines.push("two");
        for _ in 0..2 {
            go.send(()).unwrap();
        }
        assert_eq!(lines.flush(SOON), 0);
        assert_eq!(got.try_iter().collect::<Vec<_>>().concat(), b"one\ntwo\n");
    }

    #[test]
    fn a_reader_that_stalls_stops_nobody_and_what_it_misses_is_counted() {
        let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
        let metrics = recorder.handle();
        let _recording = metrics::set_default_local_recorder(&recorder);
        let (lines, go, got) = reader();
        let line = "x".repeat(1023);
        // More than find room, though nobody reads: that this ends is what is tested.
        let pushed = 3 * ROOM / 1024;
        for _ in 0..pushed {
            lines.push(&line);
        }
        let unwritten = lines.flush(Duration::from_millis(1));
        assert_eq!(unwritten, pushed as u64);
        let text = metrics.render();
        let lost = text.lines().find_map(|line| line.strip_prefix(LOST));
        let lost: usize = lost.unwrap().trim().parse().unwrap();
        assert!(lost >= pushed / 3 && lost < pushed, "{lost} of {pushed}");
        // It reads again.
        for _ in 0..2 {
            go.send(()).unwrap();
        }
        assert_eq!(lines.flush(SOON), 0);
        let all: usize = got.try_iter().map(|text| text.len()).sum();
        assert_eq!(all / 1024, pushed - lost);
    }

    #[test]
    fn a_reader_that_is_gone_is_not_waited_for() {
        let (lines, go, _) = reader();
        drop(go);
        for _ in 0..1000 {
            lines.push("into the void");
        }
        assert_eq!(lines.flush(SOON), 0);
    }
}
