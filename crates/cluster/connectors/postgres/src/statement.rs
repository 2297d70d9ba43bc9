//! [`Statement`]: what is said to PostgreSQL, as text. Pure.

use std::fmt::Write;

/// The columns of the progress table, and what they are for.
const PROGRESS_COLUMNS: &str = "\
job text NOT NULL, sink text NOT NULL, target text NOT NULL, rank bigint NOT NULL, \
attempt bigint NOT NULL, batch bigint NOT NULL, \
written_at timestamptz NOT NULL DEFAULT now(), \
PRIMARY KEY (job, sink, target, rank)";

/// What a sink writes, and where: the names as its author gave them.
#[derive(Clone, Debug)]
pub(crate) struct Statement {
    /// `counts` or `schema.counts`.
    pub(crate) table: String,
    pub(crate) columns: Vec<String>,
    /// The columns by which a row replaces an older one. If there are none, rows are only added.
    pub(crate) keys: Vec<String>,
    /// The progress table.
    pub(crate) progress: String,
}

impl Statement {
    /// Writes a batch, if it was not written before. It is one statement, so it is one transaction,
    /// which begins when the server has read it all: a process that sends it and then stops holds
    /// no lock.
    ///
    /// Parameters: job, sink, target, rank, attempt, batch, rows as an array of JSON texts.
    ///
    /// The row of the progress table is locked first. Of two that write the same batch at the same
    /// time, the second waits for the end of the first, sees what it has left, and adds no rows.
    pub(crate) fn write(&self) -> String {
        let progress = quoted(&self.progress);
        format!(
            "WITH progress AS (\
             INSERT INTO {progress} AS p (job, sink, target, rank, attempt, batch) \
             VALUES ($1, $2, $3, $4, $5, $6) \
             ON CONFLICT (job, sink, target, rank) DO UPDATE \
             SET attempt = excluded.attempt, batch = excluded.batch, written_at = now() \
             WHERE (p.attempt, p.batch) < (excluded.attempt, excluded.batch) \
             RETURNING 1) {}",
            self.insert("$7", "EXISTS (SELECT 1 FROM progress)")
        )
    }

    /// Writes these rows and takes them back. It fails as [`write`](Self::write) of the same rows
    /// would. One message, so that nobody waits in the middle.
    pub(crate) fn rehearse(&self, rows: &[&str]) -> String {
        let rows = rows.iter().map(|row| literal(row)).collect::<Vec<_>>();
        let rows = format!("ARRAY[{}]", rows.join(","));
        format!(
            "BEGIN; SET CONSTRAINTS ALL IMMEDIATE; {}; ROLLBACK",
            self.insert(&rows, "true")
        )
    }

    fn insert(&self, rows: &str, condition: &str) -> String {
        let table = quoted(&self.table);
        let columns = list(&self.columns, "");
        let values = list(&self.columns, "(r).");
        // Without OFFSET, a row would be decoded once for each of its columns.
        let rows = format!(
            "(SELECT json_populate_record(NULL::{table}, line::json) AS r, at \
             FROM unnest({rows}::text[]) WITH ORDINALITY AS lines (line, at) OFFSET 0) AS rows"
        );
        let mut insert = format!("INSERT INTO {table} ({columns}) SELECT ");
        let result = if self.keys.is_empty() {
            write!(insert, "{values} FROM {rows} WHERE {condition} ORDER BY at")
        } else {
            // Of several rows with one key, the last one counts. In the order of keys, so that two
            // ranks never wait for each other.
            let by = list(&self.keys, "(r).");
            let keys = list(&self.keys, "");
            let rest = self
                .columns
                .iter()
                .filter(|&name| !self.keys.contains(name));
            let set = rest
                .map(|name| format!("{0} = excluded.{0}", quoted_one(name)))
                .collect::<Vec<_>>()
                .join(", ");
            let update = match set.is_empty() {
                true => "DO NOTHING".to_owned(),
                false => format!("DO UPDATE SET {set}"),
            };
            write!(
                insert,
                "DISTINCT ON ({by}) {values} FROM {rows} WHERE {condition} \
                 ORDER BY {by}, at DESC ON CONFLICT ({keys}) {update}"
            )
        };
        result.expect("a string takes all");
        insert
    }

    /// Makes the progress table.
    pub(crate) fn make_progress(&self) -> String {
        let progress = quoted(&self.progress);
        format!("CREATE TABLE {progress} ({PROGRESS_COLUMNS})")
    }

    /// How far a rank is. Parameters: job, sink, target, rank.
    pub(crate) fn read_progress(&self) -> String {
        let progress = quoted(&self.progress);
        format!(
            "SELECT attempt, batch FROM {progress} \
             WHERE job = $1 AND sink = $2 AND target = $3 AND rank = $4"
        )
    }
}

/// `schema.table` as PostgreSQL reads it, whatever is in it.
pub(crate) fn quoted(name: &str) -> String {
    name.split('.')
        .map(quoted_one)
        .collect::<Vec<_>>()
        .join(".")
}

fn quoted_one(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn list(names: &[String], before: &str) -> String {
    let names = names
        .iter()
        .map(|name| format!("{before}{}", quoted_one(name)));
    names.collect::<Vec<_>>().join(", ")
}

/// A string. The session has `standard_conforming_strings`.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_rows_cannot_leave_their_quotes() {
        assert_eq!(quoted("a.b"), "\"a\".\"b\"");
        assert_eq!(quoted("x\"; DROP"), "\"x\"\"; DROP\"");
        assert_eq!(literal("it's"), "'it''s'");
    }
}
