//! PostgreSQL refuses a row.

use incumbent_stream::Writer;

use crate::kit::{Database, at, open, row, staged};

#[test]
fn the_error_has_the_row_its_position_the_statement_and_what_postgresql_says() {
    let Some(database) = Database::new() else {
        return;
    };
    database.sql("ALTER TABLE counts ADD CHECK (n < 10)");
    let sink = database.sink();
    let rows = [row("a", 1), row("b", 2), row("c", 11), row("d", 12)];
    let (mut writer, _) = staged(&sink, &at(1, 0, 1), &rows);
    let refused = writer.commit(1).and_then(|()| writer.close()).unwrap_err();
    let text = refused.to_string();
    for part in [
        "row 3 of batch 0123456789abcdef0123456789abcdef/counts/0/1/1",
        "violates check constraint",
        "SQLSTATE 23514",
        r#"{"n":11,"word":"c"}"#,
        "INSERT INTO",
        "skip_refused",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert_eq!(database.rows(), "", "a batch is written as a whole");
}

#[test]
fn refused_rows_are_skipped_if_that_is_wanted() {
    let Some(database) = Database::new() else {
        return;
    };
    database.sql("ALTER TABLE counts ADD CHECK (n < 10)");
    let sink = database.sink().skip_refused();
    let rows = [
        row("a", 11),
        row("b", 2),
        row("c\u{0}", 1),
        row("d", 12),
        row("e", 5),
    ];
    let (mut writer, _) = staged(&sink, &at(1, 0, 1), &rows);
    writer.commit(1).unwrap();
    writer.close().unwrap();
    assert_eq!(database.rows(), "b 2,e 5");
}

#[test]
fn rows_of_the_wrong_type_are_refused_before_anything_is_promised() {
    let Some(database) = Database::new() else {
        return;
    };
    database.sql("ALTER TABLE counts ALTER word TYPE bigint USING 0");
    let mut writer = open(&database.sink(), &at(1, 0, 1), &[]).unwrap();
    let refused = writer.write(vec![row("a", 1)]).unwrap_err();
    assert!(
        refused.to_string().contains("invalid input syntax"),
        "{refused}"
    );
}

#[test]
fn a_table_that_is_gone_is_an_error_without_a_row() {
    let Some(database) = Database::new() else {
        return;
    };
    let (mut writer, _) = staged(&database.sink(), &at(1, 0, 1), &[row("a", 1)]);
    database.sql("DROP TABLE counts");
    let refused = writer.commit(1).and_then(|()| writer.close()).unwrap_err();
    assert!(refused.to_string().contains("does not exist"), "{refused}");
}
