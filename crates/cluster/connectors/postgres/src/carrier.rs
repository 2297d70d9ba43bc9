//! [`ToPostgres`]: writes batches, waits out outages, finds the row that is refused.

use std::time::Duration;

use incumbent_core::Pace;
use incumbent_stream::outbox::{Batch, BatchId, Carrier, Patience};
use incumbent_stream::{At, BoxError};
use tokio_postgres::types::{ToSql, Type};

use crate::check::application;
use crate::error::Error;
use crate::session::{Server, Session};
use crate::statement::Statement;
use crate::trouble::{Refusal, Trouble};

/// The pauses between attempts: a restart of a server goes unnoticed, and many ranks that wait for
/// it do not keep it busy.
pub(crate) const FIRST_PAUSE: Duration = Duration::from_millis(50);
pub(crate) const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// How many rows of a batch are skipped. If more are refused, it is not the rows that are wrong.
const MOST_SKIPPED: usize = 1000;

/// What an error or a log line shows of a row.
const SHOWN: usize = 500;

pub(crate) struct ToPostgres {
    server: Server,
    statement: Statement,
    write: String,
    application: String,
    skips_refused: bool,
    session: Option<Session>,
}

impl ToPostgres {
    pub(crate) fn new(
        server: Server,
        statement: Statement,
        at: &At,
        skips_refused: bool,
        session: Session,
    ) -> Self {
        Self {
            server,
            write: statement.write(),
            statement,
            application: application(at),
            skips_refused,
            session: Some(session),
        }
    }

    /// Uses the connection, a new one if there is none. It is kept if it can be used again.
    fn with_session<R>(
        &mut self,
        ask: impl FnOnce(&Session) -> Result<R, Trouble>,
    ) -> Result<R, Trouble> {
        let session = match self.session.take() {
            Some(session) if !session.is_lost() => session,
            _ => self.server.connect(&self.application)?,
        };
        let answer = ask(&session);
        // After an outage of any kind, its state is not known.
        if !matches!(answer, Err(Trouble::Out(_))) {
            self.session = Some(session);
        }
        answer
    }

    fn write(&mut self, id: &BatchId, rows: &[(usize, &str)]) -> Result<(), Trouble> {
        let (write, target) = (self.write.clone(), self.statement.table.clone());
        let rows = rows.iter().map(|&(_, row)| row).collect::<Vec<_>>();
        self.with_session(|session| {
            let numbers = [i64::from(id.rank), signed(id.attempt), signed(id.number)];
            let [rank, attempt, number] = &numbers;
            let values: [&(dyn ToSql + Sync); 7] =
                [&id.job, &id.sink, &target, rank, attempt, number, &rows];
            let parameters = parameters(values);
            session.execute(&write, &parameters).map(drop)
        })
    }

    /// The first of these rows that is refused although those before it are not, and what
    /// PostgreSQL says to it. Nothing is written.
    fn first_refused(
        &mut self,
        rows: &[(usize, &str)],
    ) -> Result<Option<(usize, Refusal)>, Trouble> {
        let statement = self.statement.clone();
        self.with_session(|session| {
            let try_first = |count: usize| {
                let rows = rows[..count].iter().map(|&(_, row)| row);
                let tried = session.run(&statement.rehearse(&rows.collect::<Vec<_>>()));
                match tried {
                    Ok(()) => Ok(None),
                    Err(Trouble::Refused(refusal)) => {
                        session.run("ROLLBACK")?;
                        Ok(Some(refusal))
                    }
                    Err(out) => Err(out),
                }
            };
            let Some(mut said) = try_first(rows.len())? else {
                return Ok(None);
            };
            // The first `good` rows pass, the first `bad` do not.
            let (mut good, mut bad) = (0, rows.len());
            while good + 1 < bad {
                let middle = usize::midpoint(good, bad);
                match try_first(middle)? {
                    None => good = middle,
                    Some(refusal) => (bad, said) = (middle, refusal),
                }
            }
            Ok(Some((good, said)))
        })
    }
}

impl Carrier for ToPostgres {
    fn deliver(&mut self, batch: &Batch, patience: &Patience) -> Result<(), BoxError> {
        let mut rows = Vec::new();
        for (at, line) in batch.lines().enumerate() {
            rows.push((at + 1, std::str::from_utf8(line)?));
        }
        let mut pace = Pace::new(FIRST_PAUSE, LONGEST_PAUSE);
        let mut skipped = 0;
        let mut was_out = false;
        loop {
            let refusal = match self.write(batch.id(), &rows) {
                Ok(()) => {
                    if was_out {
                        tracing::info!(batch = %batch.id(), "PostgreSQL is back; rows written");
                    }
                    return Ok(());
                }
                Err(Trouble::Out(why)) => {
                    was_out = true;
                    pause(batch, &why, pace.after_failure(rand::random()), patience)?;
                    continue;
                }
                Err(Trouble::Refused(refusal)) => refusal,
            };
            let found = match refusal.is_of_a_row() {
                true => self.first_refused(&rows),
                false => Ok(None),
            };
            let (at, said) = match found {
                Ok(Some(found)) => found,
                Ok(None) => return Err(self.refused(batch, &refusal)),
                Err(Trouble::Refused(refusal)) => return Err(self.refused(batch, &refusal)),
                Err(Trouble::Out(why)) => {
                    was_out = true;
                    pause(batch, &why, pace.after_failure(rand::random()), patience)?;
                    continue;
                }
            };
            let (row, content) = rows[at];
            if !self.skips_refused || skipped == MOST_SKIPPED {
                return Err(Error::RowRefused {
                    table: self.statement.table.clone(),
                    batch: batch.id().to_string(),
                    row,
                    content: beginning(content),
                    said: said.text,
                    statement: self.write.clone(),
                }
                .into());
            }
            tracing::warn!(
                batch = %batch.id(),
                row,
                content = beginning(content),
                why = said.text,
                "PostgreSQL refuses a row; it is skipped, and the others are written"
            );
            rows.remove(at);
            skipped += 1;
        }
    }
}

impl ToPostgres {
    fn refused(&self, batch: &Batch, refusal: &Refusal) -> BoxError {
        let refused = Error::Refused {
            table: self.statement.table.clone(),
            batch: batch.id().to_string(),
            said: refusal.text.clone(),
            statement: self.write.clone(),
        };
        refused.into()
    }
}

fn pause(batch: &Batch, why: &str, pause: Duration, patience: &Patience) -> Result<(), BoxError> {
    tracing::warn!(
        batch = %batch.id(),
        rows = batch.records(),
        why,
        "PostgreSQL is out; the rows wait in checkpoints; trying again in {pause:?}"
    );
    match patience.pause(pause) {
        true => Ok(()),
        false => Err(Error::GivenUp(why.to_owned()).into()),
    }
}

/// The parameters of [`Statement::write`] (job, sink, target, rank, attempt, batch, rows), with
/// their types.
pub(crate) fn parameters(values: [&(dyn ToSql + Sync); 7]) -> [(&(dyn ToSql + Sync), Type); 7] {
    let [job, sink, target, rank, attempt, batch, rows] = values;
    [
        (job, Type::TEXT),
        (sink, Type::TEXT),
        (target, Type::TEXT),
        (rank, Type::INT8),
        (attempt, Type::INT8),
        (batch, Type::INT8),
        (rows, Type::TEXT_ARRAY),
    ]
}

/// PostgreSQL has no numbers without a sign; none of ours is so high.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn beginning(row: &str) -> String {
    match row.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &row[..end]),
        None => row.to_owned(),
    }
}
