//! The server refuses a request, or the sink is not described well.

use incumbent_stream::Writer;
use incumbent_stream_http::Http;

use crate::server::{Answer, OK, Server, at, open};

fn refusing_three() -> Server {
    Server::start(|_, request| match request.body.as_str() {
        "3" => Answer::Status(422, "", "three is not allowed"),
        _ => OK,
    })
}

#[test]
fn the_error_has_the_key_the_status_and_the_beginning_of_the_answer() {
    let server = refusing_three();
    let mut writer = open(&Http::post(server.url()), &at(1, 0, 1), &[]).unwrap();
    writer.write(vec![1, 2, 3, 4]).unwrap();
    writer.stage(1).unwrap();
    let refused = writer.commit(1).and_then(|()| writer.close()).unwrap_err();
    let text = refused.to_string();
    for part in [
        "/alerts/0/1/1/2:",
        "422",
        "three is not allowed",
        "/records",
        "skip_refused",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("hidden"), "{text}");
}

#[test]
fn refused_records_are_skipped_if_that_is_wanted() {
    let server = refusing_three();
    let sink = Http::post(server.url()).skip_refused();
    let mut writer = open(&sink, &at(1, 0, 1), &[]).unwrap();
    writer.write(vec![1, 2, 3, 4]).unwrap();
    writer.stage(1).unwrap();
    writer.commit(1).unwrap();
    writer.close().unwrap();
    assert_eq!(server.remembered().len(), 4);
}

#[test]
fn a_status_can_mean_that_it_was_done_before() {
    let server = Server::start(|_, _| Answer::Status(409, "", ""));
    let sink = Http::post(server.url()).done_if(409);
    let mut writer = open(&sink, &at(1, 0, 1), &[]).unwrap();
    writer.write(vec![1]).unwrap();
    writer.stage(1).unwrap();
    writer.commit(1).unwrap();
    writer.close().unwrap();
    assert_eq!(server.arrived().len(), 1);
}

#[test]
fn secrets_are_in_files() {
    let server = Server::start(|_, _| OK);
    let file = std::env::temp_dir().join(format!("http-sink-{}", std::process::id()));
    std::fs::write(&file, "Bearer 123\n").unwrap();
    let sink = Http::post(server.url())
        .header_file("Authorization", &file)
        .header("X-A", "b");
    let mut writer = open(&sink, &at(1, 0, 1), &[]).unwrap();
    writer.write(vec![1]).unwrap();
    writer.stage(1).unwrap();
    writer.commit(1).unwrap();
    writer.close().unwrap();
    std::fs::remove_file(&file).unwrap();
    let headers = &server.arrived()[0].headers;
    assert_eq!(headers["authorization"], "Bearer 123");
    assert_eq!(headers["x-a"], "b");
    assert!(open(&sink, &at(2, 0, 1), &[]).is_err(), "the file is gone");
}

#[test]
fn what_cannot_work_is_refused_at_the_start() {
    for (sink, part) in [
        (Http::post("ftp://example.org/"), "use http or https"),
        (Http::post("no url"), "its URL"),
        (Http::post("http://user:secret@example.org/"), "header_file"),
        (
            Http::post("http://example.org/").header("a b", "c"),
            "not the name of a header",
        ),
        (Http::post("http://example.org/").ca("/nowhere"), "/nowhere"),
    ] {
        let text = open(&sink, &at(1, 0, 1), &[]).err().unwrap().to_string();
        assert!(text.contains(part) && !text.contains("secret"), "{text}");
    }
}
