//! The tables of a PostgreSQL that the job of these tests writes to as well, row by row.

use incumbent_servers::postgres::Postgres as Server;
use incumbent_stream_postgres::Postgres;
use serde::{Deserialize, Serialize};

use super::reference::{Counted, Reference};

/// No table but the last one has a key: what is written twice is there twice. In the last one, a
/// row that is written too late would replace a later one.
const TABLES: &str = "CREATE TABLE chain (key bigint, n bigint); \
                      CREATE TABLE sessions (key bigint, first bigint, past bigint, n bigint); \
                      CREATE TABLE latest (key bigint PRIMARY KEY, n bigint)";

/// A window, as a row.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Row {
    pub(super) key: u64,
    pub(super) first: i64,
    pub(super) past: i64,
    pub(super) n: u64,
}

/// A database of one job.
pub(super) struct Database<'s> {
    server: &'s Server,
    name: String,
}

impl<'s> Database<'s> {
    pub(super) fn new(server: &'s Server, name: &str) -> Self {
        server.database(name);
        server.sql_in(name, TABLES).unwrap();
        let name = name.to_owned();
        Self { server, name }
    }

    /// How a job reaches it. The certificate of no test's server is signed by a CA of the system.
    pub(super) fn config(&self) -> String {
        format!("{} sslmode=disable", self.server.config_of(&self.name))
    }

    /// That its tables have the rows of the reference and no others, each once.
    #[track_caller]
    pub(super) fn assert_right(&self, reference: &Reference) {
        let pair = |(key, n): (&u64, &u64)| format!("{key}|{n}");
        let counted = |(key, first, past, n): &Counted| format!("{key}|{first}|{past}|{n}");
        let chain = reference.chain.iter().map(|(key, n)| pair((key, n)));
        self.assert_rows("chain", "key, n", chain.collect());
        let sessions = reference.sessions.iter().map(counted);
        self.assert_rows("sessions", "key, first, past, n", sessions.collect());
        let latest = reference.users.iter().map(pair);
        self.assert_rows("latest", "key, n", latest.collect());
    }

    /// `expected` is in the order of the columns' numbers.
    #[track_caller]
    fn assert_rows(&self, table: &str, columns: &str, expected: Vec<String>) {
        let select = format!("SELECT {columns} FROM {table} ORDER BY {columns}");
        let found = self.server.sql_in(&self.name, &select).unwrap();
        let found: Vec<_> = found.lines().collect();
        let same = found
            .iter()
            .zip(&expected)
            .take_while(|(found, expected)| found == expected)
            .count();
        assert!(
            found.len() == expected.len() && same == found.len(),
            "{table} of {}: {} rows, {} expected; they differ at {same}: {:?}, expected {:?}",
            self.name,
            found.len(),
            expected.len(),
            &found[same.saturating_sub(2)..found.len().min(same + 3)],
            &expected[same.saturating_sub(2)..expected.len().min(same + 3)],
        );
    }
}

/// A sink that only adds rows.
pub(super) fn added<const N: usize>(config: &str, table: &str, columns: [&str; N]) -> Postgres {
    Postgres::new(config).table(table).columns(columns)
}

/// A sink that keeps the last row of each key.
pub(super) fn latest(config: &str) -> Postgres {
    added(config, "latest", ["key", "n"]).upsert(["key"])
}
