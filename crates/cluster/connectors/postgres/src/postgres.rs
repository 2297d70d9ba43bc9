//! [`Postgres`]: the sink, as the author of a job describes it.

use std::path::PathBuf;
use std::time::Duration;

use incumbent_stream::outbox::Outbox;
use incumbent_stream::{At, BoxError, Sink, Staged};
use serde::Serialize;
use serde_json::Value;

use crate::carrier::ToPostgres;
use crate::check;
use crate::error::Error;
use crate::session::Server;
use crate::statement::Statement;

/// How long the server works on a batch at most, if the author does not say it.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(60);

/// The table that says how far each rank is, if the author does not say it.
const PROGRESS_TABLE: &str = "incumbent_progress";

/// Writes rows into a table of PostgreSQL, each once: see [`crate`].
#[derive(Clone, Debug)]
#[must_use]
pub struct Postgres {
    server: Server,
    statement: Statement,
    skips_refused: bool,
}

impl Postgres {
    /// The server and the database, as libpq's clients take them: `host=… port=… user=… dbname=…`,
    /// or a URL. A password is refused: it is in a [file](Self::password_file), in `PGPASSWORD`, or
    /// in the file that `PGPASSFILE` names.
    pub fn new(config: impl Into<String>) -> Self {
        Self {
            server: Server {
                config: config.into(),
                password_file: None,
                ca: None,
                statement_timeout: STATEMENT_TIMEOUT,
            },
            statement: Statement {
                table: String::new(),
                columns: Vec::new(),
                keys: Vec::new(),
                progress: PROGRESS_TABLE.to_owned(),
            },
            skips_refused: false,
        }
    }

    /// The table: `counts`, or `schema.counts`. Upper and lower case count.
    pub fn table(mut self, table: impl Into<String>) -> Self {
        self.statement.table = table.into();
        self
    }

    /// The columns that are written. Rows have fields of these names and no others; one that a row
    /// leaves out is null.
    pub fn columns<C: Into<String>>(mut self, columns: impl IntoIterator<Item = C>) -> Self {
        self.statement.columns = columns.into_iter().map(Into::into).collect();
        self
    }

    /// A row replaces the one that has the same values in these columns, which must be a primary
    /// key or have a unique index. Without this, rows are only added.
    pub fn upsert<C: Into<String>>(mut self, keys: impl IntoIterator<Item = C>) -> Self {
        self.statement.keys = keys.into_iter().map(Into::into).collect();
        self
    }

    /// The file that has the password. It is read for each connection.
    pub fn password_file(mut self, file: impl Into<PathBuf>) -> Self {
        self.server.password_file = Some(file.into());
        self
    }

    /// The file of the CAs, in PEM, that the server's certificate must be signed by. Without this,
    /// they are the system's.
    pub fn ca(mut self, file: impl Into<PathBuf>) -> Self {
        self.server.ca = Some(file.into());
        self
    }

    /// How long the server may work on one batch, of at most 16 MiB. Then it is tried again. 60 s
    /// by default.
    pub fn statement_timeout(mut self, timeout: Duration) -> Self {
        self.server.statement_timeout = timeout;
        self
    }

    /// The progress table, if it is not `incumbent_progress` in the first schema of the search
    /// path. It must be in the database of the table.
    pub fn progress_table(mut self, table: impl Into<String>) -> Self {
        self.statement.progress = table.into();
        self
    }

    /// Drops rows that PostgreSQL refuses, such as one that a constraint forbids. Each is logged,
    /// with its content and the reason. More than 1,000 of one batch fail the attempt all the same.
    pub fn skip_refused(mut self) -> Self {
        self.skips_refused = true;
        self
    }
}

impl<T: Serialize + Send + 'static> Sink<T> for Postgres {
    type Writer = Outbox<T>;

    fn open(&self, at: &At, staged: Vec<Staged>) -> Result<Outbox<T>, BoxError> {
        let mut statement = self.statement.clone();
        let session = check::check(&self.server, &mut statement, at)?;
        let carrier = ToPostgres::new(
            self.server.clone(),
            statement.clone(),
            at,
            self.skips_refused,
            session,
        );
        let mut rehearsal = (!self.skips_refused).then(|| self.server.clone());
        let encode = move |row: &T, line: &mut Vec<u8>| {
            let start = line.len();
            encode(row, &statement, line)?;
            match rehearsal.take() {
                Some(server) => check::rehearse(&server, &statement, &line[start..]),
                None => Ok(()),
            }
        };
        Outbox::open(at, staged, encode, carrier)
    }
}

/// Appends a row as JSON.
fn encode(row: &impl Serialize, to: &Statement, line: &mut Vec<u8>) -> Result<(), BoxError> {
    let not_a_row = |why: String| Error::NotARow {
        table: to.table.clone(),
        why,
    };
    let value = serde_json::to_value(row).map_err(|error| not_a_row(error.to_string()))?;
    let Value::Object(fields) = &value else {
        return Err(not_a_row("it has no fields".to_owned()).into());
    };
    if let Some(name) = fields.keys().find(|&name| !to.columns.contains(name)) {
        let why = format!("the sink has no column {name}: add it to columns, or skip the field");
        return Err(not_a_row(why).into());
    }
    serde_json::to_writer(line, &value)?;
    Ok(())
}
