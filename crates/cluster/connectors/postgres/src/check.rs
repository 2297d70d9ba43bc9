//! Looks at the database before anything is promised.

use std::time::Duration;

use incumbent_core::Pace;
use incumbent_stream::{At, BoxError};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;

use crate::carrier::{FIRST_PAUSE, LONGEST_PAUSE, parameters};
use crate::error::Error;
use crate::session::{Server, Session};
use crate::statement::{Statement, quoted};
use crate::trouble::Trouble;

/// Connects, waiting out an outage, and looks whether the sink fits. Replaces the table's name by
/// the full one.
pub(crate) fn check(
    server: &Server,
    statement: &mut Statement,
    at: &At,
) -> Result<Session, BoxError> {
    let does_not_fit = |problems| Error::DoesNotFit {
        table: statement.table.clone(),
        problems,
    };
    let problems = described(server, statement);
    if !problems.is_empty() {
        return Err(does_not_fit(problems).into());
    }
    let mut pace = Pace::new(FIRST_PAUSE, LONGEST_PAUSE);
    loop {
        let looked = server.connect(&application(at)).and_then(|session| {
            let found = look(&session, &mut statement.clone(), at)?;
            Ok((session, found))
        });
        match looked {
            Ok((session, Found::Fits(full))) => {
                *statement = full;
                return Ok(session);
            }
            Ok((_, Found::DoesNotFit(problems))) => return Err(does_not_fit(problems).into()),
            Ok((_, Found::Newer(theirs))) => {
                return Err(Error::Superseded {
                    table: statement.table.clone(),
                    ours: at.attempt,
                    theirs,
                }
                .into());
            }
            Err(Trouble::Refused(refusal)) => {
                return Err(does_not_fit(vec![refusal.text]).into());
            }
            Err(Trouble::Out(why)) => {
                let pause = pace.after_failure(rand::random());
                tracing::warn!(
                    sink = at.name,
                    rank = at.rank,
                    why,
                    "PostgreSQL is out, so this rank is not ready; trying again in {pause:?}"
                );
                sleep(pause);
            }
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a rank that is not ready has nothing else to do, and nothing ends it but its end"
)]
fn sleep(pause: Duration) {
    std::thread::sleep(pause);
}

/// Who is connected, for people who look at the server.
pub(crate) fn application(at: &At) -> String {
    format!("incumbent {} rank {}", at.name, at.rank)
}

/// What can be seen without a server.
fn described(server: &Server, statement: &Statement) -> Vec<String> {
    let mut problems = Vec::new();
    if let Err(why) = server.parsed() {
        problems.push(why);
    }
    if statement.table.is_empty() {
        problems.push("the sink has no table: name it with table".to_owned());
    }
    if statement.columns.is_empty() {
        problems.push("the sink has no columns: name them with columns".to_owned());
    }
    for key in &statement.keys {
        if !statement.columns.contains(key) {
            problems.push(format!("{key} is a key of upsert and not in columns"));
        }
    }
    problems
}

enum Found {
    /// The statement, with full names.
    Fits(Statement),
    DoesNotFit(Vec<String>),
    /// Progress of this attempt number, or of a higher one.
    Newer(i64),
}

fn look(session: &Session, statement: &mut Statement, at: &At) -> Result<Found, Trouble> {
    let Some(full) = full_name(session, &statement.table)? else {
        let problem = "there is no such table: create it, or name its schema".to_owned();
        return Ok(Found::DoesNotFit(vec![problem]));
    };
    statement.table = full;
    let problems = columns(session, statement)?;
    if !problems.is_empty() {
        return Ok(Found::DoesNotFit(problems));
    }
    if let Some(problem) = make_progress(session, statement)? {
        return Ok(Found::DoesNotFit(vec![problem]));
    }
    // The planner looks for an index of the keys, and the executor for rights, before it begins.
    let explain = format!("EXPLAIN {}", statement.write());
    let (job, sink, target) = (&at.job, &at.name, &statement.table);
    let rows = Vec::<&str>::new();
    let none = 0_i64;
    let looked = session.query(
        &explain,
        &parameters([job, sink, target, &none, &none, &none, &rows]),
    );
    match looked {
        Err(Trouble::Refused(refusal)) if refusal.is(&SqlState::INSUFFICIENT_PRIVILEGE) => {
            return Ok(Found::DoesNotFit(vec![format!(
                "{refusal}: run GRANT SELECT, INSERT, UPDATE ON {}, {} TO the user of the sink",
                quoted(target),
                quoted(&statement.progress)
            )]));
        }
        looked => drop(looked?),
    }
    let rank = i64::from(at.rank);
    let progress = session.query(
        &statement.read_progress(),
        &[
            (job, Type::TEXT),
            (sink, Type::TEXT),
            (target, Type::TEXT),
            (&rank, Type::INT8),
        ],
    )?;
    for row in progress {
        let attempt = row.get::<_, i64>(0);
        if u64::try_from(attempt).is_ok_and(|attempt| attempt >= at.attempt) {
            return Ok(Found::Newer(attempt));
        }
    }
    Ok(Found::Fits(statement.clone()))
}

/// `schema.table` of what is called so now. A search path that changes later changes nothing.
fn full_name(session: &Session, table: &str) -> Result<Option<String>, Trouble> {
    let found = session.query(
        "SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n \
         ON n.oid = c.relnamespace WHERE c.oid = to_regclass($1)",
        &[(&quoted(table), Type::TEXT)],
    )?;
    Ok(found.first().map(|row| row.get(0)))
}

/// What does not fit between the columns of the sink and those of the table.
fn columns(session: &Session, statement: &Statement) -> Result<Vec<String>, Trouble> {
    let rows = session.query(
        "SELECT attname::text, attnotnull AND NOT atthasdef AND attidentity = '', \
         attgenerated <> '' OR attidentity = 'a' \
         FROM pg_attribute WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped",
        &[(&quoted(&statement.table), Type::TEXT)],
    )?;
    let mut problems = Vec::new();
    let mut names = Vec::new();
    for row in &rows {
        let (name, is_needed, is_generated) = (row.get(0), row.get(1), row.get(2));
        let is_written = statement.columns.contains(&name);
        if is_needed && !is_written {
            problems.push(format!(
                "column {name} must not be null and has no default: add it to columns"
            ));
        }
        if is_generated && is_written {
            problems.push(format!(
                "column {name} is generated: leave it out of columns"
            ));
        }
        names.push(name);
    }
    for column in &statement.columns {
        if !names.contains(column) {
            let there = names.join(", ");
            problems.push(format!("there is no column {column}; there are {there}"));
        }
    }
    Ok(problems)
}

/// Makes the progress table if there is none, and gives the statement its full name.
fn make_progress(session: &Session, statement: &mut Statement) -> Result<Option<String>, Trouble> {
    if full_name(session, &statement.progress)?.is_none() {
        let make = statement.make_progress();
        match session.run(&make) {
            Ok(()) => {}
            // Another rank was faster.
            Err(Trouble::Refused(refusal))
                if refusal.is(&SqlState::DUPLICATE_TABLE)
                    || refusal.is(&SqlState::UNIQUE_VIOLATION) => {}
            Err(Trouble::Refused(refusal)) => {
                return Ok(Some(format!(
                    "the progress table cannot be made: {refusal}: as a user who may, run {make}; \
                     GRANT SELECT, INSERT, UPDATE ON {} TO the user of the sink",
                    quoted(&statement.progress)
                )));
            }
            Err(out) => return Err(out),
        }
    }
    match full_name(session, &statement.progress)? {
        Some(full) => {
            statement.progress = full;
            Ok(None)
        }
        None => Err(Trouble::Out(
            "the progress table is not there yet".to_owned(),
        )),
    }
}

/// Writes this row and takes it back. If the server is out, that is found out later.
pub(crate) fn rehearse(server: &Server, statement: &Statement, row: &[u8]) -> Result<(), BoxError> {
    let row = std::str::from_utf8(row)?;
    let tried = server.connect("incumbent rehearsal").and_then(|session| {
        let tried = session.run(&statement.rehearse(&[row]));
        drop(session);
        tried
    });
    match tried {
        Ok(()) | Err(Trouble::Out(_)) => Ok(()),
        Err(Trouble::Refused(refusal)) => Err(Error::NotARow {
            table: statement.table.clone(),
            why: format!("{refusal}; the row: {row}"),
        }
        .into()),
    }
}
