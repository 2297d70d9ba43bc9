//! What is said on the socket, and what is made of the answers.

use std::io::{self, Cursor, Read, Seek, SeekFrom};

use incumbent_task::{Error, Event, Task};

use crate::fake::{Fake, First};

const OUTAGE: First = First::Status(503, "retry-after: 0\r\n", "");

fn problem(status: u16, body: &'static str) -> First {
    First::Status(status, "", body)
}

#[test]
fn a_task_knows_who_it_is() {
    let fake = Fake::of("3", 1, 2);
    let task = fake.task();
    assert_eq!((task.attempt(), task.rank(), task.tasks()), (3, 1, 2));
    assert_eq!(task.identity().job, "1".repeat(32));
    assert_eq!(task.identity().restore, None);
    assert_eq!(task.ready().unwrap(), ["a:1", "b:2"]);
}

#[test]
fn a_program_that_is_no_task_is_told_so() {
    // Tests are not tasks.
    let error = Task::from_env().unwrap_err();
    assert!(matches!(error, Error::NotATask { .. }), "{error}");
    let gone = Task::connect("/no/such/socket").unwrap_err();
    assert!(matches!(gone, Error::Gone(_)), "{gone}");
}

#[test]
fn files_are_stored_and_named_in_the_acknowledgement() {
    let fake = Fake::new();
    let task = fake.task();
    let mut part = task.checkpoint(7);
    assert_eq!(part.put_bytes("state", b"abc").unwrap().size, 3);
    // From where the reader is.
    let mut large = Cursor::new(vec![7; 1_000_001]);
    large.set_position(1);
    part.put("large", large).unwrap();
    part.put_bytes("state", b"abcd").unwrap();
    part.ack().unwrap();
    assert_eq!(fake.body("/v1/checkpoints/7/state"), b"abcd");
    assert_eq!(fake.body("/v1/checkpoints/7/large"), vec![7; 1_000_000]);
    let acked = fake.body("/v1/checkpoints/7/ack");
    assert_eq!(acked, br#"{"files":["large","state"]}"#);
}

#[test]
fn last_files_are_stored_before_the_finish() {
    let fake = Fake::new();
    let task = fake.task();
    let mut last = task.last();
    last.put_bytes("state", b"end").unwrap();
    last.ack().unwrap();
    assert_eq!(fake.body("/v1/checkpoints/final/state"), b"end");
    assert_eq!(fake.heard("POST /v1/finish"), 1);
}

#[test]
fn outages_are_waited_out_and_broken_connections_repeated() {
    let fake = Fake::new();
    let task = fake.task();
    fake.first("PUT /v1/checkpoints/7/state", &[OUTAGE, First::End, OUTAGE]);
    fake.first(
        "POST /v1/checkpoints/7/ack",
        &[First::End, OUTAGE, First::End],
    );
    fake.first("POST /v1/ready", &[OUTAGE]);
    task.ready().unwrap();
    let mut part = task.checkpoint(7);
    // More than a socket takes at once, so it is refused while it is being sent.
    part.put_bytes("state", vec![1; 3_000_000]).unwrap();
    part.ack().unwrap();
    assert_eq!(fake.body("/v1/checkpoints/7/state"), vec![1; 3_000_000]);
}

#[test]
fn a_connection_that_always_breaks_is_a_task_manager_that_is_gone() {
    let fake = Fake::new();
    let task = fake.task();
    fake.first("POST /v1/finish", &[First::End, First::End, First::End]);
    assert!(matches!(task.finish().unwrap_err(), Error::Gone(_)));
}

#[test]
fn an_aborted_checkpoint_is_no_failure_of_the_task() {
    let fake = Fake::new();
    let task = fake.task();
    let body = r#"{"title":"no","detail":"checkpoint 7 is not asked for"}"#;
    fake.first("PUT /v1/checkpoints/7/state", &[problem(409, body)]);
    fake.first("POST /v1/checkpoints/7/ack", &[problem(409, body)]);
    let mut part = task.checkpoint(7);
    for error in [
        part.put_bytes("state", b"x").map(drop).unwrap_err(),
        part.ack().unwrap_err(),
    ] {
        assert!(
            matches!(&error, Error::NotPending { number: 7, .. }),
            "{error}"
        );
        assert!(
            error.to_string().contains("checkpoint 7 is not asked for"),
            "{error}"
        );
    }
}

#[test]
fn a_fault_of_the_program_is_told_with_what_its_task_manager_says() {
    let fake = Fake::new();
    let task = fake.task();
    let body = r#"{"title":"too long","detail":""}"#;
    fake.first(
        "PUT /v1/progress",
        &[problem(400, body), problem(500, "no JSON")],
    );
    assert_eq!(
        task.progress("x").unwrap_err().to_string(),
        "refused with 400: too long"
    );
    assert_eq!(
        task.progress("x").unwrap_err().to_string(),
        "refused with 500: no JSON"
    );
    task.progress("x").unwrap();
    task.metrics("x 1\n# EOF\n").unwrap();
    assert_eq!(fake.body("/v1/metrics"), b"x 1\n# EOF\n");
}

#[test]
fn what_cannot_be_read_is_not_stored() {
    struct Bad;
    impl Read for Bad {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("the disk is gone"))
        }
    }
    impl Seek for Bad {
        fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
            Ok(if to == SeekFrom::End(0) { 10 } else { 0 })
        }
    }
    let fake = Fake::new();
    let error = fake
        .task()
        .checkpoint(7)
        .put("state", Bad)
        .map(drop)
        .unwrap_err();
    assert!(matches!(error, Error::Source(_)), "{error}");
    assert_eq!(fake.heard("PUT /v1/checkpoints/7/state"), 0);
}

#[test]
fn a_task_starts_with_nothing_or_with_the_files_of_all_ranks() {
    let fake = Fake::new();
    let task = fake.task();
    assert!(task.restore().unwrap().is_none());
    let told = r#"{"number":7,"tasks":2,"ranks":[
        {"rank":0,"is_finished":false,"files":[{"name":"state","size":3,"sha256":"00"}]},
        {"rank":1,"is_finished":true,"files":[{"name":"state","size":1,"sha256":"00"},{"name":"gone","size":1,"sha256":"00"}]}]}"#;
    fake.file("/v1/restore", told.as_bytes());
    fake.file("/v1/restore/0/state", b"abc");
    fake.file("/v1/restore/1/state", b"d");
    let restore = task.restore().unwrap().unwrap();
    assert_eq!(
        (restore.number, restore.tasks, restore.ranks[1].is_finished),
        (7, 2, true)
    );
    assert_eq!(
        restore.all("state").unwrap(),
        [(0, b"abc".to_vec()), (1, b"d".to_vec())]
    );
    let gone = restore.bytes(1, "gone").unwrap_err();
    assert!(
        matches!(&gone, Error::NotRestored { why } if why == "it is not there"),
        "{gone}"
    );
}

#[test]
fn an_altered_file_is_never_taken_for_a_whole_one() {
    let fake = Fake::new();
    fake.file("/v1/restore", br#"{"number":7,"tasks":1,"ranks":[]}"#);
    fake.file("/v1/restore/0/state", b"abc");
    fake.state().cut.push("/v1/restore/0/state".to_owned());
    let restore = fake.task().restore().unwrap().unwrap();
    let error = restore.bytes(0, "state").unwrap_err();
    assert!(matches!(error, Error::NotRestored { .. }), "{error}");
    let mut bytes = Vec::new();
    restore
        .open(0, "state")
        .unwrap()
        .read_to_end(&mut bytes)
        .unwrap_err();
}

#[test]
fn events_come_in_order_and_once_although_the_stream_breaks() {
    let fake = Fake::new();
    let mut events = fake.task().events();
    let mut next = || events.next().map(Result::unwrap);
    let checkpoint = |number, is_savepoint| {
        Some(Event::Checkpoint {
            number,
            is_savepoint,
        })
    };
    fake.tell(r#"{"event":"checkpoint","number":7}"#);
    assert_eq!(next(), checkpoint(7, false));
    fake.tell(r#"{"event":"committed","number":7}"#);
    assert_eq!(next(), Some(Event::Committed { number: 7 }));
    fake.cut_events();
    fake.tell("");
    fake.tell(r#"{"event":"something of a later version","number":"x"}"#);
    fake.tell(r#"{"event":"checkpoint","number":8,"savepoint":true}"#);
    assert_eq!(next(), checkpoint(8, true));
    fake.tell(r#"{"event":"aborted","number":8}"#);
    fake.tell(r#"{"event":"stop"}"#);
    assert_eq!(next(), Some(Event::Aborted { number: 8 }));
    assert_eq!(next(), Some(Event::Stop));
    assert_eq!(next(), None);
}

#[test]
fn an_inbox_is_looked_at_between_two_pieces_of_work() {
    let fake = Fake::new();
    let inbox = fake.task().inbox();
    assert_eq!(inbox.poll().unwrap(), None);
    fake.tell(r#"{"event":"committed","number":1}"#);
    assert_eq!(inbox.wait().unwrap(), Some(Event::Committed { number: 1 }));
    fake.tell(r#"{"event":"stop"}"#);
    assert_eq!(inbox.wait().unwrap(), Some(Event::Stop));
    assert_eq!(inbox.wait().unwrap(), None);
    assert_eq!(inbox.poll().unwrap(), None);
}
