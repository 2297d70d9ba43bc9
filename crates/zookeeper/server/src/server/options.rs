//! How a server serves, and its limits.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use incumbent_tls::ServerFiles;

use super::words;
use crate::machine;

/// An upper bound of what an entry takes in the log besides its bytes.
pub(super) const ROOM_BESIDE: usize = 1 << 10;

/// How a server serves. The defaults are those of ZooKeeper where it has the same.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where to listen; port 0 takes a free one.
    pub listen: Vec<SocketAddr>,
    /// Where to listen with TLS, and the files for it. They are read again when they change.
    pub tls: Option<(SocketAddr, ServerFiles)>,
    /// The directory of the log and the snapshots. Without it, everything is in memory.
    pub data_dir: Option<PathBuf>,
    /// The sizes of the log.
    pub journal: incumbent_journal::Options,
    /// Sessions and limits of the tree.
    pub machine: machine::Options,
    /// The longest frame that is accepted, in bytes. ZooKeeper calls it `jute.maxbuffer` and has
    /// the same default: 1 MiB less one.
    pub max_frame: usize,
    /// Most connections from one address; 0 for any number. ZooKeeper calls it `maxClientCnxns` and
    /// has the same default: 60.
    pub max_connections_per_address: usize,
    /// Most connections. A few more are let in at both limits, to come back to a session or to ask
    /// a four-letter word.
    pub max_connections: usize,
    /// How many bytes may wait to be sent on one connection. Beyond that, no request is read from
    /// it. If events alone reach twice as much, the client does not read, and the connection is
    /// closed.
    pub max_backlog: usize,
    /// How long a client may take to send its request to connect, and to read the last replies when
    /// its connection is closed.
    pub greeting_timeout: Duration,
    /// Four-letter words to answer; `*` for all. ZooKeeper's default: only `srvr`.
    pub words: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: vec![SocketAddr::from(([127, 0, 0, 1], 2181))],
            tls: None,
            data_dir: None,
            journal: incumbent_journal::Options::default(),
            machine: machine::Options::default(),
            max_frame: 0xf_ffff,
            max_connections_per_address: 60,
            max_connections: 20_000,
            max_backlog: 4 << 20,
            greeting_timeout: Duration::from_secs(10),
            words: vec!["srvr".into()],
        }
    }
}

impl Options {
    /// A server in memory, on a free port of the loopback interface: for tests, and inside other
    /// programs.
    pub fn local() -> Self {
        Self {
            listen: vec![SocketAddr::from(([127, 0, 0, 1], 0))],
            ..Self::default()
        }
    }

    /// All four-letter words that may be in [`words`](Self::words), besides `*`.
    pub const fn known_words() -> &'static [&'static str] {
        words::WORDS
    }

    /// Makes the log's buffers large enough for the largest request.
    pub(super) fn fit(&mut self) {
        // A list may be repeated, and numbers appended, in the change that comes of a request.
        let largest = 3 * self.max_frame + (64 << 10);
        let journal = &mut self.journal;
        journal.buffer_bytes = journal.buffer_bytes.max(2 * (largest + ROOM_BESIDE));
        // Heads and checksums, and the marks of a segment, take less than an eighth.
        let least = (journal.buffer_bytes as u64 * 9 / 8 + (64 << 10)).next_multiple_of(4096);
        journal.segment_bytes = journal.segment_bytes.max(least);
        // Half of the log's buffer, so that a request never waits for it to be empty.
        let change = journal.buffer_bytes / 2 - ROOM_BESIDE;
        self.machine.max_change = self.machine.max_change.min(change);
    }

    pub(super) fn answers(&self, word: &str) -> bool {
        self.words.iter().any(|known| known == "*" || known == word)
    }
}
