//! Clients that send requests in loops and record every answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;

use crate::harness::{Place, finished, until};

/// Several `curl`s in loops. Each request has its own number.
pub(super) struct Load {
    stop: Arc<AtomicBool>,
    done: Arc<AtomicUsize>,
    loops: Vec<JoinHandle<Account>>,
}

/// The outcome of the requests.
#[derive(Debug, Default)]
pub(super) struct Account {
    pub(super) requests: usize,
    /// Wrong answers, in the order of their arrival.
    pub(super) failed: Vec<String>,
    /// The longest time that one request took, in seconds.
    pub(super) longest: f64,
    /// The holders that answered, with their epochs, each once and in order.
    pub(super) leaders: Vec<String>,
}

/// How many requests one `curl` makes over its connection.
const KEPT: usize = 20;

impl Load {
    /// One loop for each way of `curl`: a connection for each request, kept connections, HTTP/2,
    /// and PUT with a body.
    pub(super) fn begin(place: &Place, address: &str) -> Self {
        let stop: Arc<AtomicBool> = Arc::default();
        let done: Arc<AtomicUsize> = Arc::default();
        // With HTTP/2 each request has its own connection: some versions of `curl` cannot reuse one
        // that began with prior knowledge.
        let ways: [(&str, usize, &[&str]); 4] = [
            ("one", 1, &[]),
            ("kept", KEPT, &[]),
            ("two", 1, &["--http2-prior-knowledge"]),
            (
                "put",
                1,
                &["-X", "PUT", "-d", "a body that may be sent twice"],
            ),
        ];
        let start = |(name, each, flags): (&str, usize, &[&str])| {
            let (stop, done) = (Arc::clone(&stop), Arc::clone(&done));
            // The loop starts programs as the test does, without borrowing from it.
            let mut commands = Vec::new();
            for batch in 0..2000 {
                let mut command = place.program("curl");
                let from = batch * each;
                let url = format!(
                    "http://{address}/who?wait=5&n={name}-[{from}-{}]",
                    from + each - 1
                );
                command.args(["-sS", "--max-time", "50", "--noproxy", "*", "-w"]);
                command
                    .arg("%{http_code} %{time_total}\n")
                    .args(flags)
                    .arg(url);
                commands.push((from, command));
            }
            let name = name.to_owned();
            std::thread::spawn(move || {
                let mut account = Account::default();
                for (from, command) in commands {
                    if stop.load(Ordering::SeqCst) {
                        break;
                    }
                    let done_now = finished(command);
                    if done_now.code != Some(0) {
                        account
                            .failed
                            .push(format!("{name}: {}", done_now.err.trim()));
                    }
                    account.read(&name, from, each, &done_now.out);
                    done.fetch_add(each, Ordering::SeqCst);
                }
                account
            })
        };
        let loops = ways.into_iter().map(start).collect();
        Self { stop, done, loops }
    }

    /// Waits until a few hundred more requests were answered.
    pub(super) fn goes_on(&self) {
        let enough = self.done.load(Ordering::SeqCst) + 200;
        until("requests are answered", || {
            self.done.load(Ordering::SeqCst) >= enough
        });
    }

    /// Stops, and returns the record of all loops.
    pub(super) fn end(self) -> Account {
        self.stop.store(true, Ordering::SeqCst);
        let mut whole = Account::default();
        for account in self.loops {
            let account = account.join().unwrap();
            whole.requests += account.requests;
            whole.failed.extend(account.failed);
            whole.longest = whole.longest.max(account.longest);
            whole.leaders.extend(account.leaders);
        }
        whole.leaders.sort();
        whole.leaders.dedup();
        eprintln!(
            "{} requests, {} failed, the longest took {:.3} s; answered by {:?}",
            whole.requests,
            whole.failed.len(),
            whole.longest,
            whole.leaders
        );
        whole
    }
}

impl Account {
    /// Each answer is two lines: one of the node, and one of `curl`.
    fn read(&mut self, name: &str, from: usize, each: usize, out: &str) {
        let lines: Vec<_> = out.lines().collect();
        for number in 0..each {
            self.requests += 1;
            let body = lines.get(2 * number).copied().unwrap_or_default();
            let told = lines.get(2 * number + 1).copied().unwrap_or_default();
            let expected = format!("n={name}-{} ", from + number);
            let leader = body.strip_prefix(&expected).and_then(consistent);
            let Some(("200", took)) = told.split_once(' ') else {
                self.failed.push(format!("{name}: {body:?} {told:?}"));
                continue;
            };
            match leader {
                None => self.failed.push(format!("{name}: {body:?} {told:?}")),
                Some(leader) if !self.leaders.contains(&leader) => self.leaders.push(leader),
                Some(_) => {}
            }
            self.longest = self.longest.max(took.parse().unwrap());
        }
    }

    /// Asserts that everything was answered, each request within this number of seconds.
    #[track_caller]
    pub(super) fn assert_all_answered(&self, longest: f64) {
        assert!(self.failed.is_empty(), "{:#?}", self.failed);
        assert!(self.longest < longest, "{} s", self.longest);
    }
}

/// The leader, if it answered in the epoch that the gateway meant.
fn consistent(answer: &str) -> Option<String> {
    let (leader, meant) = answer.split_once(" meant=")?;
    let (_, epoch) = leader.split_once(" epoch=")?;
    (epoch == meant).then(|| leader.to_owned())
}
