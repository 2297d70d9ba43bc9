//! Lines on their way to a file, a pipe or a terminal: [`LineQueue`]. Adding a line never waits for
//! the reader.

use std::io::Write;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long the last lines are waited for when the program ends.
pub(crate) const LAST_LINES: Duration = Duration::from_secs(1);

/// Takes lines, and writes them in a thread of its own. Cheap to clone.
///
/// At most `room` bytes wait, and as many again may be with the writer. If there is no room, the
/// line is dropped and counted; once the reader is back, the number of lost lines is reported.
#[derive(Clone)]
pub(crate) struct LineQueue(Arc<Shared>);

/// What a queue is for.
pub(crate) struct QueueOptions {
    /// The name of the writing thread.
    pub(crate) thread: &'static str,
    /// How many bytes may wait.
    pub(crate) room: usize,
    /// The counter of lost lines.
    pub(crate) lost_metric: &'static str,
    /// Reports a loss, once lines can be written again.
    pub(crate) report: Report,
}

/// Reports a loss. The text that it returns is written behind the lines that could be written.
type Report = Box<dyn Fn(&Loss) -> Option<String> + Send>;

/// Lines that were not written.
pub(crate) struct Loss {
    pub(crate) lines: u64,
    /// Why writing failed; `None` if nobody read fast enough.
    pub(crate) error: Option<std::io::Error>,
}

impl Loss {
    /// Why, in words.
    pub(crate) fn reason(&self) -> String {
        self.error.as_ref().map_or_else(
            || "nobody read them fast enough".into(),
            ToString::to_string,
        )
    }
}

struct Shared {
    waiting: Mutex<Waiting>,
    changed: Condvar,
    room: usize,
    lost_metric: &'static str,
}

/// What is not written yet.
#[derive(Default)]
struct Waiting {
    text: Vec<u8>,
    lines: u64,
    /// How many lines the writer is writing.
    taken: u64,
    /// How many lines were dropped since the last report.
    lost: u64,
    /// Why they could not be written, if that failed.
    error: Option<std::io::Error>,
}

impl LineQueue {
    /// A queue of lines that are written to `out`.
    ///
    /// # Errors
    ///
    /// If no thread can be started.
    pub(crate) fn to(
        out: impl Write + Send + 'static,
        options: QueueOptions,
    ) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            waiting: Mutex::default(),
            changed: Condvar::new(),
            room: options.room,
            lost_metric: options.lost_metric,
        });
        let own = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name(options.thread.into());
        thread.spawn(move || own.write(out, &options.report))?;
        Ok(Self(shared))
    }

    /// Adds a line, without its end. Drops and counts it if there is no room.
    pub(crate) fn push(&self, line: &str) {
        self.add(line.as_bytes(), b"\n");
    }

    /// Adds text as it is: whole lines, or a question without an end of line.
    pub(crate) fn push_text(&self, text: &[u8]) {
        self.add(text, b"");
    }

    fn add(&self, text: &[u8], end: &[u8]) {
        let mut waiting = self.0.lock();
        if waiting.text.len() + text.len() + end.len() > self.0.room {
            waiting.lost += 1;
            drop(waiting);
            metrics::counter!(self.0.lost_metric).increment(1);
            return;
        }
        waiting.text.extend_from_slice(text);
        waiting.text.extend_from_slice(end);
        waiting.lines += 1;
        drop(waiting);
        self.0.changed.notify_all();
    }

    /// Waits until everything is written, at most this long. Returns how many lines are not.
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

    /// Writes what comes, for as long as the process lives.
    fn write(&self, mut out: impl Write, report: &dyn Fn(&Loss) -> Option<String>) {
        let mut batch = Vec::new();
        loop {
            let waiting = self.lock();
            let waited = self
                .changed
                .wait_while(waiting, |waiting| waiting.lines == 0);
            let mut waiting = waited.unwrap_or_else(PoisonError::into_inner);
            std::mem::swap(&mut waiting.text, &mut batch);
            let taken = std::mem::take(&mut waiting.lines);
            waiting.taken = taken;
            drop(waiting);
            let written = out.write_all(&batch).and_then(|()| out.flush());
            batch.clear();
            match written {
                Ok(()) => self.report_loss(&mut out, report),
                // The reader has left: it misses nothing.
                Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {}
                Err(error) => {
                    metrics::counter!(self.lost_metric).increment(taken);
                    let mut waiting = self.lock();
                    waiting.lost += taken;
                    waiting.error = Some(error);
                }
            }
            self.lock().taken = 0;
            self.changed.notify_all();
        }
    }

    fn report_loss(&self, out: &mut impl Write, report: &dyn Fn(&Loss) -> Option<String>) {
        let mut waiting = self.lock();
        let loss = Loss {
            lines: std::mem::take(&mut waiting.lost),
            error: waiting.error.take(),
        };
        drop(waiting);
        if loss.lines == 0 {
            return;
        }
        if let Some(line) = report(&loss) {
            // If this fails, the next loss is reported instead.
            let line = line + "\n";
            let _ = out.write_all(line.as_bytes()).and_then(|()| out.flush());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    const SOON: Duration = Duration::from_secs(20);
    const LOST: &str = "lost_in_a_test";
    const ROOM: usize = 64 * 1024;

    /// Accepts a write only when the test allows it.
    struct Reader {
        may: mpsc::Receiver<std::io::Result<()>>,
        read: mpsc::Sender<Vec<u8>>,
    }

    impl Write for Reader {
        fn write(&mut self, text: &[u8]) -> std::io::Result<usize> {
            match self.may.recv() {
                Ok(answer) => answer?,
                Err(_) => return Err(std::io::ErrorKind::BrokenPipe.into()),
            }
            let _ = self.read.send(text.to_vec());
            Ok(text.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    type Allow = mpsc::Sender<std::io::Result<()>>;

    fn reader() -> (LineQueue, Allow, mpsc::Receiver<Vec<u8>>) {
        let ((go, may), (read, got)) = (mpsc::channel(), mpsc::channel());
        let options = QueueOptions {
            thread: "test",
            room: ROOM,
            lost_metric: LOST,
            report: Box::new(|loss| Some(format!("lost {}: {}", loss.lines, loss.reason()))),
        };
        let queue = LineQueue::to(Reader { may, read }, options).unwrap();
        (queue, go, got)
    }

    fn text(got: &mpsc::Receiver<Vec<u8>>) -> String {
        String::from_utf8(got.try_iter().collect::<Vec<_>>().concat()).unwrap()
    }

    #[test]
    fn lines_are_written_in_their_order() {
        let (lines, go, got) = reader();
        lines.push("one");
        lines.push("two");
        for _ in 0..2 {
            go.send(Ok(())).unwrap();
        }
        assert_eq!(lines.flush(SOON), 0);
        assert_eq!(text(&got), "one\ntwo\n");
    }

    #[test]
    fn a_reader_that_stalls_stops_nobody_and_what_it_misses_is_counted_and_reported() {
        let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
        let metrics = recorder.handle();
        let _recording = metrics::set_default_local_recorder(&recorder);
        let (lines, go, got) = reader();
        let line = "x".repeat(1023);
        // More than there is room for, though nobody reads. This must end.
        let pushed = 3 * ROOM / 1024;
        for _ in 0..pushed {
            lines.push(&line);
        }
        let unwritten = lines.flush(Duration::from_millis(1));
        assert_eq!(unwritten, pushed as u64);
        let counted = metrics.render();
        let lost = counted.lines().find_map(|line| line.strip_prefix(LOST));
        let lost: usize = lost.unwrap().trim().parse().unwrap();
        assert!(lost >= pushed / 3 && lost < pushed, "{lost} of {pushed}");
        // It reads again: up to two batches, and the report.
        for _ in 0..3 {
            go.send(Ok(())).unwrap();
        }
        assert_eq!(lines.flush(SOON), 0);
        let text = text(&got);
        let report = format!("lost {lost}: nobody read them fast enough");
        assert_eq!(text.matches(&report).count(), 1);
        assert_eq!(text.lines().count(), pushed - lost + 1);
    }

    #[test]
    fn what_cannot_be_written_is_counted_and_the_reason_is_reported_afterwards() {
        let (lines, go, got) = reader();
        go.send(Err(std::io::ErrorKind::StorageFull.into()))
            .unwrap();
        lines.push("no space for this");
        assert_eq!(lines.flush(SOON), 1);
        for _ in 0..2 {
            go.send(Ok(())).unwrap();
        }
        lines.push("there is space again");
        assert_eq!(lines.flush(SOON), 0);
        assert_eq!(
            text(&got),
            "there is space again\nlost 1: no storage space\n"
        );
    }

    #[test]
    fn a_reader_that_has_left_is_not_waited_for() {
        let (lines, go, _) = reader();
        drop(go);
        for _ in 0..1000 {
            lines.push("into the void");
        }
        assert_eq!(lines.flush(SOON), 0);
    }
}
