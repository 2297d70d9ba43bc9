//! PostgreSQL as a sink of streams: each row once, whatever is killed.
//!
//! ```no_run
//! # #[derive(serde::Serialize)]
//! # struct Count { word: String, n: u64 }
//! use incumbent_stream_postgres::Postgres;
//!
//! # fn sink<T, S: incumbent_stream::Sink<T>>(_: S) {}
//! let counts = Postgres::new("host=db.example user=counts dbname=counts")
//!     .password_file("/run/secrets/counts")
//!     .table("counts")
//!     .columns(["word", "n"])
//!     .upsert(["word"]);
//! # sink::<Count, _>(counts);
//! ```
//!
//! Rows are structs that serde can serialize. Their fields go to the columns of the same names, and
//! PostgreSQL converts them to the types of the columns, by `json_populate_record`: numbers, text,
//! times as text (RFC 3339), arrays, `jsonb`. A `Vec<u8>` is an array of numbers and no `bytea`.
//!
//! # Exactly once
//!
//! Rows wait in the checkpoints of the job until theirs is committed
//! ([`outbox`](incumbent_stream::outbox)). Then one statement, which is one short transaction,
//! writes a batch of them and moves a row of the table `incumbent_progress`:
//!
//! ```text
//! incumbent_progress   job, sink, target, rank │ attempt, batch    the last one that was written
//! one statement        move the row, if it is lower than (attempt, batch); locked from here on
//!                      if it moved: insert the rows of the batch
//! ```
//!
//! | what happens | what comes of it |
//! |---|---|
//! | killed before the commit of the checkpoint | nothing is in the table; the next attempt computes the rows anew |
//! | killed after it, before the statement | the rows are in the checkpoint; the next attempt writes them before it begins |
//! | killed after the statement | the next attempt sends it again; the progress row is not lower, so nothing is written |
//! | the answer to the statement is lost | it is sent again, with the same result |
//! | two attempts write the same batch at once, also with other numbers of ranks | the second waits for the lock of the progress row, then writes nothing |
//! | an old attempt was paused and goes on | what was committed is there already; what was not is never sent |
//! | an old attempt was paused in the middle of the statement | the server runs a statement when it has all of it: a paused process holds no lock |
//! | the checkpoint is aborted | its rows go with the next one |
//! | PostgreSQL is out | the sink waits and tries again; checkpoints go on and hold the rows, up to 64 MiB, then sources stop |
//! | PostgreSQL is switched to a standby | what it has lost stays lost: use synchronous replication |
//! | a row is refused | the attempt fails, and says which row and why; or see [`Postgres::skip_refused`] |
//!
//! Readers see the rows of a checkpoint rank by rank: each rank writes its batches by itself.
//!
//! # Rows that are refused
//!
//! A row is refused when its checkpoint is committed already, so the next attempts meet it again.
//! To keep that rare, the sink looks at the table before the job is ready (columns, types of keys,
//! rights, columns that must not be null), and the first row of each attempt is written and taken
//! back before anything is promised. If it happens, change the table, or let
//! [`skip_refused`](Postgres::skip_refused) drop such rows.
//!
//! # The progress table
//!
//! `incumbent_progress` is made when a job first needs it, in the first schema of the search path,
//! or by hand if the user may not (the error has the statement). There is a row for each job, sink,
//! table and rank, so it does not grow while a job runs. Rows of jobs that are gone may be deleted:
//! `DELETE FROM incumbent_progress WHERE written_at < now() - interval '30 days'`.
//!
//! # Connections
//!
//! Each rank has one. TLS is used if the server offers it; then the server's certificate must be
//! valid for its name, by the system's CAs or those of [`ca`](Postgres::ca). `sslmode=require`
//! refuses a server without TLS, `sslmode=disable` asks for none.
//! A pooler between job and server must keep sessions (not transactions) apart.

mod carrier;
mod check;
mod error;
#[cfg(test)]
mod guard_tests;
mod password;
mod postgres;
mod session;
mod statement;
mod tls;
mod trouble;

pub use error::Error;
pub use postgres::Postgres;
