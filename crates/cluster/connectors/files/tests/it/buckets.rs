//! What goes wrong with a bucket.

use incumbent_s3_double::{Act, Double, Fault, How, Options};
use incumbent_stream::{Sink, Writer};
use incumbent_stream_files::{FileSet, FileWriter, Files};

use crate::{Row, read_all, rows, whole, woken};

const URL: &str = "s3://bucket/out";

fn files(double: &Double) -> FileSet<Row> {
    Files::ndjson(URL).settings(double.settings())
}

fn open(double: &Double) -> FileWriter<Row> {
    Sink::open(&files(double), &woken(0, 1).0, Vec::new()).unwrap()
}

fn strike(double: &Double, on: Act, times: Option<u32>, how: How) {
    double.inject(Fault {
        on: Some(on),
        skip: 0,
        times,
        how,
    });
}

#[test]
fn a_commit_whose_answer_was_lost_is_settled() {
    let double = Double::start(Options::default());
    let mut writer = open(&double);
    for number in 1..3 {
        writer.write(rows(number..number + 1)).unwrap();
        Writer::<Row>::stage(&mut writer, number).unwrap();
        let times = (number == 1).then_some(1);
        strike(&double, Act::Complete, times, How::CutAfter);
        Writer::<Row>::commit(&mut writer, number).unwrap();
        double.heal();
    }
    // Two objects are fetched side by side, and read as they come.
    let mut found = read_all(&files(&double)).unwrap();
    found.sort();
    assert_eq!(found, rows(1..3));
    assert_eq!(double.unfinished(), 0);
}

#[test]
fn an_upload_that_was_aborted_is_not_lost_without_a_word() {
    let double = Double::start(Options::default());
    let mut writer = open(&double);
    writer.write(rows(0..1)).unwrap();
    let staged = Writer::<Row>::stage(&mut writer, 1).unwrap();
    double.wipe();
    let Err(error) = Sink::<Row>::open(&files(&double), &woken(0, 1).0, staged) else {
        panic!("it was opened");
    };
    assert!(
        error.to_string().contains("neither staged nor published"),
        "{error}"
    );
}

#[test]
fn output_of_many_parts_is_whole() {
    let double = Double::start(Options::default());
    let mut writer = open(&double);
    let long = |id| Row {
        name: "y".repeat(100_000),
        ..Row::new(id)
    };
    let expected: Vec<_> = (0..200).map(long).collect();
    for row in &expected {
        writer.write(vec![row.clone()]).unwrap();
    }
    Writer::<Row>::stage(&mut writer, 1).unwrap();
    assert_eq!(double.seen(Act::Part), 3);
    assert_eq!(double.objects(), Vec::<String>::new());
    Writer::<Row>::commit(&mut writer, 1).unwrap();
    assert!(read_all(&files(&double)).unwrap() == expected);
}

#[test]
fn what_is_not_staged_leaves_no_parts_to_pay_for() {
    let double = Double::start(Options::default());
    let mut writer = open(&double);
    let row = Row {
        name: "z".repeat(9_000_000),
        ..Row::new(0)
    };
    writer.write(vec![row]).unwrap();
    assert_eq!(double.unfinished(), 1);
    drop(writer);
    assert_eq!(double.unfinished(), 0);
}

#[test]
fn an_object_that_cannot_be_fetched_says_which() {
    let double = Double::start(Options::default());
    let mut writer = open(&double);
    writer.write(rows(0..1)).unwrap();
    Writer::<Row>::stage(&mut writer, 1).unwrap();
    Writer::<Row>::commit(&mut writer, 1).unwrap();
    strike(&double, Act::Get, None, How::Answer(403, "AccessDenied"));
    let said = whole(&read_all(&files(&double)).unwrap_err());
    assert!(
        said.contains("cannot read s3://bucket/out/part-files-0-01234567-1-1.ndjson"),
        "{said}"
    );
    assert!(said.contains("AccessDenied"), "{said}");
}

#[test]
fn one_object_is_a_place() {
    let double = Double::start(Options::default());
    let mut writer = open(&double);
    for number in 1..3 {
        writer.write(rows(number..number + 1)).unwrap();
        Writer::<Row>::stage(&mut writer, number).unwrap();
        Writer::<Row>::commit(&mut writer, number).unwrap();
    }
    let one = format!("{URL}/part-files-0-01234567-1-2.ndjson");
    let one = Files::ndjson::<Row>(one).settings(double.settings());
    assert_eq!(read_all(&one).unwrap(), rows(2..3));
    let some = Files::ndjson::<Row>(format!("{URL}/*-1.ndjson")).settings(double.settings());
    assert_eq!(read_all(&some).unwrap(), rows(1..2));
}
