//! Two that write the same batch at the same time, step by step, and others that hold locks.

use std::io::Write;
use std::process::{Child, ChildStdin, Command, Stdio};

use incumbent_stream::Writer;

use crate::kit::{Database, at, open, row, staged, until};

/// A session of `psql` that stays open: another client, which may stop in the middle.
struct Psql {
    child: Child,
    input: Option<ChildStdin>,
}

impl Psql {
    fn new(database: &Database) -> Self {
        let mut child = Command::new("psql")
            .args(["-AtqX", "-v", "ON_ERROR_STOP=1"])
            .arg(format!(
                "{} application_name=other",
                database.server.config_of(&database.name)
            ))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let input = child.stdin.take();
        Self { child, input }
    }

    fn say(&mut self, statement: &str) {
        let input = self.input.as_mut().unwrap();
        writeln!(input, "{statement};").unwrap();
        input.flush().unwrap();
    }

    fn end(mut self) {
        self.input = None;
        assert!(self.child.wait().unwrap().success());
    }
}

/// How many sessions of the sink wait for a lock.
fn waiting(database: &Database) -> String {
    database.sql(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' \
         AND datname = current_database() AND application_name LIKE 'incumbent %'",
    )
}

fn idle_in_transaction(database: &Database) -> bool {
    let count = database.sql(
        "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction' \
         AND datname = current_database() AND application_name = 'other'",
    );
    count == "1"
}

/// What the sink does, as statements of another client that has stopped in the middle.
const HALF_OF_A_BATCH: &str = "INSERT INTO incumbent_progress AS p \
    (job, sink, target, rank, attempt, batch) VALUES \
    ('0123456789abcdef0123456789abcdef', 'counts', 'public.counts', 0, 1, 1) \
    ON CONFLICT (job, sink, target, rank) DO UPDATE SET attempt = excluded.attempt, \
    batch = excluded.batch WHERE (p.attempt, p.batch) < (excluded.attempt, excluded.batch)";

#[test]
fn the_second_waits_for_the_first_and_writes_nothing_after_its_commit() {
    let Some(database) = Database::new() else {
        return;
    };
    let sink = database.sink();
    let (old, staged) = staged(&sink, &at(1, 0, 1), &[row("a", 1)]);
    drop(old);
    let mut first = Psql::new(&database);
    first.say("BEGIN");
    first.say(HALF_OF_A_BATCH);
    first.say("INSERT INTO counts VALUES ('a', 1)");
    until("it is in the middle", || idle_in_transaction(&database));
    std::thread::scope(|scope| {
        let second = scope.spawn(|| open(&sink, &at(2, 0, 1), &staged).map(drop));
        until("the second waits", || waiting(&database) == "1");
        assert_eq!(database.rows(), "");
        first.say("COMMIT");
        second.join().unwrap().unwrap();
    });
    first.end();
    assert_eq!(database.rows(), "a 1");
}

#[test]
fn the_second_writes_if_the_first_gives_up() {
    let Some(database) = Database::new() else {
        return;
    };
    let sink = database.sink();
    let (old, staged) = staged(&sink, &at(1, 0, 1), &[row("a", 1)]);
    drop(old);
    let mut first = Psql::new(&database);
    first.say("BEGIN");
    first.say(HALF_OF_A_BATCH);
    first.say("INSERT INTO counts VALUES ('a', 1)");
    until("it is in the middle", || idle_in_transaction(&database));
    std::thread::scope(|scope| {
        let second = scope.spawn(|| open(&sink, &at(2, 0, 1), &staged).map(drop));
        until("the second waits", || waiting(&database) == "1");
        first.say("ROLLBACK");
        second.join().unwrap().unwrap();
    });
    first.end();
    assert_eq!(database.rows(), "a 1");
}

#[test]
fn a_lock_of_another_is_waited_for_beyond_the_lock_timeout() {
    let Some(database) = Database::new() else {
        return;
    };
    let sink = database.sink();
    let (mut writer, _) = staged(&sink, &at(1, 0, 1), &[row("a", 1)]);
    let mut other = Psql::new(&database);
    other.say("BEGIN");
    other.say("LOCK TABLE counts");
    until("it is locked", || idle_in_transaction(&database));
    writer.commit(1).unwrap();
    until("the sink waits", || waiting(&database) == "1");
    // The server gives it up after ten seconds, and the sink comes again.
    until("it was refused", || waiting(&database) == "0");
    until("the sink waits again", || waiting(&database) == "1");
    let held = writer.stage(2).unwrap();
    assert_eq!(held.len(), 1, "checkpoints go on, with the rows");
    other.say("COMMIT");
    writer.close().unwrap();
    other.end();
    assert_eq!(database.rows(), "a 1");
}

#[test]
fn a_paused_sink_holds_no_lock() {
    let Some(database) = Database::new() else {
        return;
    };
    let sink = database.sink();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let proxy = runtime.block_on(incumbent_servers::Proxy::to(database.server.socket()));
    let port = proxy.address().rsplit_once(':').unwrap().1.to_owned();
    let slow = database.sink_at(&format!(
        "host=127.0.0.1 port={port} user=postgres dbname={}",
        database.name
    ));
    let (mut old, staged) = staged(&slow, &at(1, 0, 1), &[row("a", 1)]);
    // As if the process was stopped with the statement on its way.
    proxy.set(incumbent_servers::Mode::Stalled);
    old.commit(1).unwrap();
    open(&sink, &at(2, 0, 1), &staged).unwrap();
    assert_eq!(database.rows(), "a 1");
    assert_eq!(waiting(&database), "0");
    // It goes on.
    proxy.set(incumbent_servers::Mode::Open);
    old.close().unwrap();
    assert_eq!(database.rows(), "a 1");
}
