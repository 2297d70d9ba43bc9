//! [`Error`]: why a sink does not start, or ends.

/// Why a sink does not start, or ends the attempt. What waiting mends is not here.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The sink is not described well, or does not fit the database. Nothing was written.
    #[error("table {table}: {}", .problems.join("; "))]
    DoesNotFit {
        /// The table.
        table: String,
        /// What is wrong, and what to do about each.
        problems: Vec<String>,
    },
    /// A record is not a row of the table. Nothing of its batch was promised.
    #[error("a record is not a row of table {table}: {why}")]
    NotARow {
        /// The table.
        table: String,
        /// Why.
        why: String,
    },
    /// PostgreSQL refuses a row of a committed checkpoint. Nothing of its batch was written. Change
    /// the table, or let the sink skip such rows.
    #[error(
        "row {row} of batch {batch} for table {table} was refused: {said}; change the table so \
         that it takes the row, or skip such rows with skip_refused; the row: {content}; the \
         statement: {statement}"
    )]
    RowRefused {
        /// The table.
        table: String,
        /// The id of the batch.
        batch: String,
        /// The position of the row in its batch, from 1.
        row: usize,
        /// The row as JSON, or its beginning.
        content: String,
        /// PostgreSQL's message.
        said: String,
        /// The statement.
        statement: String,
    },
    /// PostgreSQL refuses the statement, whatever is in it. Nothing of the batch was written.
    #[error(
        "writing batch {batch} to table {table} was refused: {said}; the statement: {statement}"
    )]
    Refused {
        /// The table.
        table: String,
        /// The id of the batch.
        batch: String,
        /// PostgreSQL's message.
        said: String,
        /// The statement.
        statement: String,
    },
    /// A newer attempt has written already: end.
    #[error(
        "attempt {theirs} of this job has written to table {table}, and this is attempt {ours}: \
         it is older, or another job had the same id"
    )]
    Superseded {
        /// The table.
        table: String,
        /// This attempt.
        ours: u64,
        /// The one that has written.
        theirs: i64,
    },
    /// The attempt ended while rows waited. The next one writes them.
    #[error("given up while PostgreSQL was out: {0}")]
    GivenUp(String),
}
