//! Whole files, read whole and from any position.

use incumbent_stream::Sink;
use incumbent_stream_files::{FileSet, Files};
use serde_json::json;

use crate::stores::Store;
use crate::{Reading, Row, csv, ndjson, packed, read_all, rows, woken, write};

/// Cuts the reading off at each batch, and goes on from the positions, with 1 or 2 ranks.
fn can_go_on_anywhere(files: &FileSet<Row>, expected: &[Row]) {
    let mut cut = 0;
    loop {
        let mut first = Reading::open(files, 0, 1).unwrap();
        let mut steps = 0;
        while steps < cut && first.step().unwrap() {
            steps += 1;
        }
        let has_ended = steps < cut;
        let tasks = 1 + cut % 2;
        let mut records = std::mem::take(&mut first.records);
        for rank in 0..tasks {
            let mut positions = first.positions();
            let (at, _) = woken(rank, tasks);
            positions.retain(|name, _| at.is_mine(name));
            let ended = first.ended.clone();
            let next = Reading::restore(files, rank, tasks, positions, ended).unwrap();
            records.extend(next.read_on().unwrap());
        }
        records.sort();
        assert!(records == expected, "cut off after {cut}");
        if has_ended {
            assert!(cut > 4, "there are several batches: {cut}");
            return;
        }
        cut += 1;
    }
}

#[test]
fn ndjson_goes_on_from_each_position() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "a.ndjson", ndjson(&rows(0..3000)));
    write(dir.path(), "b.ndjson", ndjson(&rows(3000..3010)));
    write(dir.path(), "c.ndjson", "");
    write(
        dir.path(),
        "d.ndjson.gz",
        packed(ndjson(&rows(3010..6000)).as_bytes()),
    );
    write(dir.path(), ".hidden", "not JSON");
    write(dir.path(), "_SUCCESS", "not JSON");
    let files = Files::ndjson(dir.path().to_str().unwrap());
    can_go_on_anywhere(&files, &rows(0..6000));
}

#[test]
fn csv_goes_on_from_each_position() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "a.csv", csv(&rows(0..4000)));
    write(dir.path(), "b.csv", csv(&[]));
    write(
        dir.path(),
        "c.csv.gz",
        packed(csv(&rows(4000..8000)).as_bytes()),
    );
    let files = Files::csv(format!("file://{}/*.csv*", dir.path().display()));
    can_go_on_anywhere(&files, &rows(0..8000));
}

/// Has a sink write these as one file.
fn put(store: &Store, make: fn(String) -> FileSet<Row>, rows: &[Row]) {
    let (at, _) = woken(0, 1);
    let mut writer = Sink::open(&store.files(make), &at, Vec::new()).unwrap();
    for some in rows.chunks(500) {
        incumbent_stream::Writer::write(&mut writer, some.to_vec()).unwrap();
    }
    incumbent_stream::Writer::<Row>::stage(&mut writer, 1).unwrap();
    incumbent_stream::Writer::<Row>::commit(&mut writer, 1).unwrap();
}

#[test]
fn parquet_goes_on_from_each_position() {
    let store = Store::directory();
    put(&store, Files::parquet, &rows(0..8000));
    can_go_on_anywhere(&store.files(Files::parquet), &rows(0..8000));
}

#[test]
fn objects_go_on_from_each_position() {
    let formats: [fn(String) -> FileSet<Row>; 3] = [Files::ndjson, Files::csv, Files::parquet];
    for make in formats {
        let store = Store::double();
        put(&store, make, &rows(0..8000));
        can_go_on_anywhere(&store.files(make), &rows(0..8000));
    }
}

#[test]
fn an_object_longer_than_what_is_fetched_ahead_is_whole() {
    let store = Store::double();
    let long: Vec<Row> = rows(0..1200)
        .into_iter()
        .map(|row| Row {
            name: "x".repeat(10_000),
            ..row
        })
        .collect();
    put(&store, Files::ndjson, &long);
    assert!(store.records(Files::ndjson) == long);
}

#[test]
fn one_file_and_a_pattern_are_places() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "a.ndjson", ndjson(&rows(0..2)));
    write(dir.path(), "b.ndjson", ndjson(&rows(2..4)));
    write(dir.path(), "c.txt", "something else");
    std::fs::create_dir(dir.path().join("d.ndjson")).unwrap();
    let read = |url: String| read_all(&Files::ndjson::<Row>(url)).unwrap();
    let root = dir.path().display();
    assert_eq!(read(format!("{root}/a.ndjson")), rows(0..2));
    assert_eq!(read(format!("file://{root}/*.ndjson")), rows(0..4));
    assert_eq!(read(format!("{root}/b.*")), rows(2..4));
    assert_eq!(read(format!("{root}/x.*")), []);
}

#[test]
fn marks_blank_lines_and_line_ends_of_others_are_understood() {
    let dir = tempfile::tempdir().unwrap();
    let url = format!("{}/*.ndjson", dir.path().display());
    let line = |id: u64| serde_json::to_string(&crate::Row::new(id)).unwrap();
    let text = format!("\u{feff}{}\r\n\r\n  \n{}\n\n{}", line(0), line(1), line(2));
    write(dir.path(), "a.ndjson", text);
    assert_eq!(read_all(&Files::ndjson::<Row>(url)).unwrap(), rows(0..3));

    let text = "\u{feff}id; name;note\r\n1;a;\r\n\r\n2;\"b;\r\n\";c";
    write(dir.path(), "a.csv", text);
    let files = Files::csv::<Row>(format!("{}/*.csv", dir.path().display())).delimiter(b';');
    let row = |id, name: &str, note: Option<&str>| Row {
        id,
        name: name.to_owned(),
        note: note.map(str::to_owned),
    };
    let expected = [row(1, "a", None), row(2, "b;\r\n", Some("c"))];
    assert_eq!(read_all(&files).unwrap(), expected);
}

#[test]
fn positions_are_json_for_people_too() {
    let dir = tempfile::tempdir().unwrap();
    let text = ndjson(&rows(0..10));
    write(dir.path(), "a", &text);
    let mut reading =
        Reading::open(&Files::ndjson::<Row>(dir.path().to_str().unwrap()), 0, 1).unwrap();
    reading.discover().unwrap();
    assert_eq!(reading.positions()["a"], json!({"offset": 0, "line": 0}));
    while reading.step().unwrap() {}
    let position = incumbent_stream::Reader::position(&reading.reader, "a");
    assert_eq!(position, json!({"offset": text.len(), "line": 10}));
}

#[test]
fn more_files_than_may_be_open_are_read_side_by_side() {
    let dir = tempfile::tempdir().unwrap();
    for file in 0..100 {
        write(
            dir.path(),
            &format!("{file:03}"),
            ndjson(&rows(file * 800..(file + 1) * 800)),
        );
    }
    let mut reading =
        Reading::open(&Files::ndjson::<Row>(dir.path().to_str().unwrap()), 0, 1).unwrap();
    reading.discover().unwrap();
    // By turns, so that each is closed before it is read again.
    while !reading.splits.is_empty() {
        reading.step().unwrap();
        if !reading.splits.is_empty() {
            reading.splits.rotate_left(1);
        }
    }
    reading.records.sort();
    assert!(reading.records == rows(0..80_000));
}
