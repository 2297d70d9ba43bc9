//! What is not as it should be: each error says where.

use incumbent_stream_files::{FileSet, Files, LONGEST_RECORD};
use serde_json::json;

use crate::{Reading, Row, csv, ndjson, packed, read_all, rows, whole, write};

fn refused(files: &FileSet<Row>) -> String {
    whole(&read_all(files).unwrap_err())
}

#[test]
fn a_bad_line_ends_the_job_and_says_where_and_why() {
    let dir = tempfile::tempdir().unwrap();
    let good = ndjson(&rows(0..2));
    write(
        dir.path(),
        "a.ndjson",
        format!("{good}{{\"id\":\"x\"}}\n{good}"),
    );
    let said = refused(&Files::ndjson(dir.path().to_str().unwrap()));
    for part in [
        "a.ndjson",
        "line 3",
        &format!("offset {}", good.len()),
        "invalid type: string",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[test]
fn bad_lines_are_left_out_and_counted_if_that_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two) = (ndjson(&rows(0..1)), ndjson(&rows(1..2)));
    let mut text = one + "{\n" + &two;
    text += &"nonsense\n".repeat(20);
    write(dir.path(), "a.ndjson", text);
    let files = Files::ndjson::<Row>(dir.path().to_str().unwrap()).skip_bad();
    assert_eq!(read_all(&files).unwrap(), rows(0..2));

    let mut reading = Reading::open(&files, 0, 1).unwrap();
    while reading.step().unwrap() {}
    let position = incumbent_stream::Reader::position(&reading.reader, "a.ndjson");
    assert_eq!(position["skipped"], json!(21));
}

#[test]
fn bad_rows_of_csv_say_where_and_can_be_left_out() {
    let dir = tempfile::tempdir().unwrap();
    let good = csv(&rows(0..1));
    let lines = good.lines().count() + 1;
    for (bad, why) in [
        ("1,a\n", "2 fields, not 3"),
        ("x,a,b\n", "invalid digit"),
        ("1,\u{1},b,c\n", "4 fields, not 3"),
    ] {
        write(dir.path(), "a.csv", format!("{good}{bad}9,z,\n"));
        let files = Files::csv(dir.path().to_str().unwrap());
        let said = refused(&files);
        // The header is not a part of the run of records, but it counts.
        for part in [
            "a.csv",
            why,
            &format!("line {lines}"),
            &format!("offset {}", good.len()),
        ] {
            assert!(said.contains(part), "{part}: {said}");
        }
        let ids: Vec<_> = read_all(&files.skip_bad())
            .unwrap()
            .iter()
            .map(|row| row.id)
            .collect();
        assert_eq!(ids, [0, 9]);
    }
}

#[test]
fn a_record_without_an_end_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "a", "x".repeat(LONGEST_RECORD + 10));
    let said = refused(&Files::ndjson(dir.path().to_str().unwrap()));
    assert!(said.contains("longer than 16777216"), "{said}");
    let open = "id,name,note\n1,\"".to_owned() + &"x\n".repeat(LONGEST_RECORD / 2 + 10);
    write(dir.path(), "a", open);
    let said = refused(&Files::csv(dir.path().to_str().unwrap()));
    assert!(
        said.contains("line 2, offset 13: the record is longer than"),
        "{said}"
    );
}

#[test]
fn a_file_that_was_replaced_by_a_shorter_one_is_refused() {
    let short = b"{}\n";
    for (name, content) in [("a", short.to_vec()), ("a.gz", packed(short))] {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), name, content);
        let files = Files::ndjson::<Row>(dir.path().to_str().unwrap());
        let position = json!({"offset": 100, "line": 3});
        let positions = [(name.to_owned(), position)].into();
        let reading = Reading::restore(&files, 0, 1, positions, Vec::new()).unwrap();
        let said = whole(&reading.read_on().unwrap_err());
        assert!(said.contains("it was replaced"), "{said}");
    }
}

#[test]
fn a_packed_file_that_is_cut_off_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "a.gz", b"\x1f\x8b\x08\0\0\0\0\0\0\x03abc");
    let said = refused(&Files::ndjson(dir.path().to_str().unwrap()));
    assert!(said.contains("cannot read"), "{said}");
}

#[test]
fn a_place_that_is_not_there_is_an_error_at_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let said = refused(&Files::ndjson(format!("{}/gone", dir.path().display())));
    assert!(
        said.contains("cannot list") && said.contains("gone"),
        "{said}"
    );
    let said = refused(&Files::ndjson("ftp://x"));
    assert!(said.contains("s3://BUCKET/PREFIX"), "{said}");
}

#[test]
fn a_position_of_another_format_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "a", "");
    let files = Files::parquet::<Row>(dir.path().to_str().unwrap());
    let positions = [("a".to_owned(), json!({"offset": 1, "line": 1}))].into();
    let Err(error) = Reading::restore(&files, 0, 1, positions, Vec::new()) else {
        panic!("it was taken");
    };
    assert!(
        whole(&error).contains("is not one of such a file"),
        "{error}"
    );
}

#[test]
fn what_is_no_parquet_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "a.parquet", "PAR1 and nothing more");
    let said = refused(&Files::parquet(dir.path().to_str().unwrap()));
    assert!(said.contains("a.parquet"), "{said}");
}
