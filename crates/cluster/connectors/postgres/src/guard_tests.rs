//! The guard of [`Statement::write`] on a real server: with it, each batch is written once and in
//! its order, and with any part of it left out, it is not.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use incumbent_servers::postgres::Postgres;

use crate::carrier::parameters;
use crate::session::{Server, Session};
use crate::statement::Statement;

/// Attempt, number of the batch, its row: what reaches the server, in this order.
const COME: [(i64, i64, &str); 8] = [
    (1, 1, "a"),
    // The answer was lost.
    (1, 1, "a"),
    (1, 2, "b"),
    // Of a process that was stopped meanwhile.
    (1, 1, "a"),
    // The next attempt has counted anew.
    (2, 1, "c"),
    (1, 2, "b"),
    // The old attempt goes on, although it was never told to.
    (1, 3, "never"),
    (2, 1, "c"),
];

const EXPECTED: &str = "a,b,c";

/// What a part of the guard becomes if it is left out.
const MUTATIONS: [(&str, &str); 5] = [
    // Rows are written, whether progress has moved or not.
    ("EXISTS (SELECT 1 FROM progress)", "true"),
    // Progress always moves.
    (GUARD, "WHERE true"),
    // Also to where it is.
    (
        GUARD,
        "WHERE (p.attempt, p.batch) <= (excluded.attempt, excluded.batch)",
    ),
    // Attempts are not compared.
    (GUARD, "WHERE p.batch < excluded.batch"),
    // Batches are not compared.
    (GUARD, "WHERE p.attempt < excluded.attempt"),
];

const GUARD: &str = "WHERE (p.attempt, p.batch) < (excluded.attempt, excluded.batch)";

#[test]
fn the_guard_writes_each_batch_once() {
    let Some(server) = Postgres::shared() else {
        return;
    };
    assert_eq!(outcome(server, &statement().write()), EXPECTED);
}

#[test]
fn each_part_of_the_guard_is_needed() {
    let Some(server) = Postgres::shared() else {
        return;
    };
    let whole = statement().write();
    for (part, instead) in MUTATIONS {
        assert_eq!(whole.matches(part).count(), 1, "{part}");
        let outcome = outcome(server, &whole.replace(part, instead));
        assert_ne!(outcome, EXPECTED, "{part} -> {instead}");
    }
}

/// Two that come at the same time, again and again: the lock of the progress row is a part of the
/// guard as well.
#[test]
fn of_two_that_write_a_batch_at_the_same_time_one_writes_it() {
    const BATCHES: i64 = 50;

    let Some(server) = Postgres::shared() else {
        return;
    };
    let (database, write) = (database(server), statement().write());
    std::thread::scope(|scope| {
        for _ in 0..3 {
            let (write, database) = (&write, &database);
            scope.spawn(move || {
                let session = connect(server, database);
                for number in 1..=BATCHES {
                    give(&session, write, (1, number, &number.to_string()));
                }
            });
        }
    });
    let count = "SELECT count(*), count(DISTINCT word) FROM counts";
    let expected = format!("{BATCHES}|{BATCHES}");
    assert_eq!(server.sql_in(&database, count).unwrap(), expected);
}

fn statement() -> Statement {
    Statement {
        table: "public.counts".to_owned(),
        columns: vec!["word".to_owned()],
        keys: Vec::new(),
        progress: "public.incumbent_progress".to_owned(),
    }
}

/// An empty database with both tables. What is written twice is there twice.
fn database(server: &Postgres) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let name = format!("guard{}", COUNT.fetch_add(1, Ordering::Relaxed));
    server.database(&name);
    let tables = format!(
        "CREATE TABLE counts (word text); {}",
        statement().make_progress()
    );
    server.sql_in(&name, &tables).unwrap();
    name
}

fn connect(server: &Postgres, database: &str) -> Session {
    let server = Server {
        config: format!("{} sslmode=disable", server.config_of(database)),
        password_file: None,
        ca: None,
        statement_timeout: Duration::from_secs(60),
    };
    let session = server.connect("guard");
    session.unwrap_or_else(|trouble| panic!("{trouble:?}"))
}

fn give(session: &Session, write: &str, (attempt, batch, word): (i64, i64, &str)) {
    let (job, sink, target, rank) = ("job", "sink", "public.counts", 0_i64);
    let rows = vec![serde_json::json!({ "word": word }).to_string()];
    let values = parameters([&job, &sink, &target, &rank, &attempt, &batch, &rows]);
    let written = session.execute(write, &values);
    written.unwrap_or_else(|trouble| panic!("{trouble:?}"));
}

/// The rows of the table, when all has come.
fn outcome(server: &Postgres, write: &str) -> String {
    let database = database(server);
    let session = connect(server, &database);
    for each in COME {
        give(&session, write, each);
    }
    let rows = "SELECT string_agg(word, ',' ORDER BY word) FROM counts";
    server.sql_in(&database, rows).unwrap()
}
