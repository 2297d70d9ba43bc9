//! Queries of the state: read, and answered.

use incumbent_task::{Answer, Asked, Error};
use serde_json::{Value, json};

use crate::fake::{Fake, First};

fn body(fake: &Fake, id: u32) -> Value {
    serde_json::from_slice(&fake.body(&format!("/v1/queries/{id}"))).unwrap()
}

#[test]
fn queries_are_read_and_answered_also_after_a_lost_connection() {
    let fake = Fake::new();
    let task = fake.task();
    fake.ask(r#"{"id":"1","state":"totals","key":null}"#);
    fake.ask(r#"{"id":"2","of":"a later version"}"#);
    fake.ask(r#"{"id":"3","state":"totals","range":{"from":[1,"a"],"limit":2}}"#);
    let mut queries = task.queries();
    let mut next = || queries.next().unwrap().unwrap();
    let key = next();
    let (state, null) = ("totals".to_owned(), Value::Null);
    assert_eq!(
        key.asked,
        Asked::Key {
            state: state.clone(),
            key: null.clone()
        }
    );
    task.answer(&key, &Answer::value(null, Some(json!({"n": 3})), true))
        .unwrap();
    let range = next();
    let from = Some(json!([1, "a"]));
    assert_eq!(
        range.asked,
        Asked::Range {
            state,
            from,
            to: None,
            limit: 2
        }
    );
    let entries = [(json!([1, "a"]), json!(1)), (json!([2, "a"]), json!(2))];
    task.answer(&range, &Answer::range(entries, true)).unwrap();
    fake.cut_events();
    fake.ask(r#"{"id":"4","list":true}"#);
    let again = [next(), next(), next()];
    assert_eq!(again[0], key);
    assert_eq!(again[2].asked, Asked::States);
    task.answer(&again[2], &Answer::states(["totals".to_owned()]))
        .unwrap();
    let value = json!({"entries":[{"key":null,"value":{"n":3}}],"is_owner":true,"more":false});
    assert_eq!(body(&fake, 1), value);
    assert_eq!(body(&fake, 3)["more"], json!(true));
    assert_eq!(body(&fake, 4)["states"], json!(["totals"]));
}

#[test]
fn a_query_that_cannot_be_answered_is_refused_in_words() {
    let fake = Fake::new();
    let task = fake.task();
    fake.ask(r#"{"id":"1","state":"x","key":1}"#);
    let query = task.queries().next().unwrap().unwrap();
    for (answer, expected) in [
        (
            Answer::bad_key("expected a string"),
            json!(["bad-key", "expected a string", null]),
        ),
        (
            Answer::not_now("it restores"),
            json!(["not-now", "it restores", null]),
        ),
        (
            Answer::unknown_state(["a".to_owned()]),
            json!(["unknown-state", null, ["a"]]),
        ),
    ] {
        task.answer(&query, &answer).unwrap();
        let body = body(&fake, 1);
        assert_eq!(
            json!([body["refused"], body["detail"], body["states"]]),
            expected
        );
    }
}

#[test]
fn an_answer_that_nobody_waits_for_is_no_error_and_one_that_is_too_large_is() {
    let fake = Fake::new();
    let task = fake.task();
    fake.ask(r#"{"id":"1","state":"x","key":1}"#);
    let query = task.queries().next().unwrap().unwrap();
    let body = r#"{"title":"no","detail":"so it is"}"#;
    let meets = [404, 413].map(|status| First::Status(status, "", body));
    fake.first("POST /v1/queries/1", &meets);
    let answer = Answer::value(json!(1), None, true);
    task.answer(&query, &answer).unwrap();
    let large = task.answer(&query, &answer).unwrap_err();
    assert!(
        matches!(large, Error::Refused { status: 413, .. }),
        "{large}"
    );
}
