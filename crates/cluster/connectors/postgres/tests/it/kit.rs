//! A database for each test, rows, and ranks that are opened as an attempt opens them.

use std::sync::atomic::{AtomicU32, Ordering};

use incumbent_servers::postgres::Postgres as Server;
use incumbent_stream::outbox::Outbox;
use incumbent_stream::{At, BoxError, Sink, Staged, Waker, Writer};
use incumbent_stream_postgres::Postgres;
use serde::Serialize;

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) word: String,
    pub(crate) n: i64,
}

pub(crate) fn row(word: &str, n: i64) -> Row {
    Row {
        word: word.to_owned(),
        n,
    }
}

/// A database of its own on the server that all tests share.
#[derive(Clone)]
pub(crate) struct Database {
    pub(crate) server: &'static Server,
    pub(crate) name: String,
}

impl Database {
    /// With a table `counts (word, n)`, without any constraint: what is written twice is there
    /// twice. `None` if there is no PostgreSQL.
    pub(crate) fn new() -> Option<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let server = Server::shared()?;
        let name = format!("d{}", COUNT.fetch_add(1, Ordering::Relaxed));
        server.database(&name);
        let database = Self { server, name };
        database.sql("CREATE TABLE counts (word text, n bigint)");
        Some(database)
    }

    pub(crate) fn sql(&self, statements: &str) -> String {
        self.server.sql_in(&self.name, statements).unwrap()
    }

    /// All rows, in order: `a 1,b 2`.
    pub(crate) fn rows(&self) -> String {
        self.sql("SELECT string_agg(word || ' ' || n, ',' ORDER BY word, n) FROM counts")
    }

    /// Only adds rows, so that each repetition is seen.
    pub(crate) fn sink(&self) -> Postgres {
        self.sink_at(&self.server.config_of(&self.name))
    }

    pub(crate) fn sink_at(&self, config: &str) -> Postgres {
        // The certificate of no test's server is signed by a CA of the system.
        Postgres::new(format!("{config} sslmode=disable"))
            .table("counts")
            .columns(["word", "n"])
    }
}

/// A job's rank. Each test has a database of its own, so all have the same job.
pub(crate) fn at(attempt: u64, rank: u32, tasks: u32) -> At {
    At {
        name: "counts".to_owned(),
        job: "0123456789abcdef0123456789abcdef".to_owned(),
        attempt,
        rank,
        tasks,
        waker: Waker::new(|| ()),
    }
}

pub(crate) fn open(sink: &Postgres, at: &At, staged: &[Staged]) -> Result<Outbox<Row>, BoxError> {
    sink.open(at, staged.to_vec())
}

/// Opens, writes these rows, and stages them for checkpoint 1.
pub(crate) fn staged(sink: &Postgres, at: &At, rows: &[Row]) -> (Outbox<Row>, Vec<Staged>) {
    let mut writer = open(sink, at, &[]).unwrap();
    writer.write(rows.to_vec()).unwrap();
    let staged = writer.stage(1).unwrap();
    (writer, staged)
}

/// Waits until it is true. A test that waits for ever has found a mistake.
pub(crate) fn until(what: &str, mut is_true: impl FnMut() -> bool) {
    for _ in 0..6000 {
        if is_true() {
            return;
        }
        std::thread::park_timeout(std::time::Duration::from_millis(20));
    }
    panic!("in vain: {what}");
}
