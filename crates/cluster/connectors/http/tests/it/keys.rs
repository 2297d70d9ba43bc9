//! The same output has the same key, whenever and by whichever attempt it is sent.

use std::num::NonZeroUsize;

use incumbent_stream::Writer;
use incumbent_stream_http::Http;

use crate::server::{OK, Server, at, open};

#[test]
fn nothing_is_sent_before_its_commit_and_then_each_record_with_its_key() {
    let server = Server::start(|_, _| OK);
    let mut writer = open(&Http::post(server.url()), &at(1, 0, 1), &[]).unwrap();
    writer.write(vec![7, 8]).unwrap();
    writer.stage(1).unwrap();
    writer.commit(0).unwrap();
    assert!(server.arrived().is_empty());
    writer.commit(1).unwrap();
    writer.close().unwrap();
    let job = "0123456789abcdef0123456789abcdef";
    let expected = [("0", "7"), ("1", "8")]
        .map(|(number, body)| (format!("{job}/alerts/0/1/1/{number}"), body.to_owned()));
    assert_eq!(server.remembered(), expected.into());
    let arrived = &server.arrived()[0];
    assert_eq!(arrived.headers["content-type"], "application/json");
}

#[test]
fn what_is_sent_again_after_a_crash_has_the_same_keys() {
    let server = Server::start(|_, _| OK);
    let sink = Http::post(server.url());
    let mut staged = Vec::new();
    for rank in 0..3 {
        let mut writer = open(&sink, &at(1, rank, 3), &[]).unwrap();
        for number in 1..=2 {
            writer.write(vec![u64::from(rank) * 10 + number]).unwrap();
            if number == 1 {
                writer.stage(1).unwrap();
            }
        }
        staged.extend(writer.stage(2).unwrap());
        writer.write(vec![999]).unwrap();
        writer.stage(3).unwrap();
        // Two are killed before they send, one after.
        if rank == 0 {
            writer.commit(2).unwrap();
            writer.close().unwrap();
        }
    }
    for rank in 0..2 {
        open(&sink, &at(2, rank, 2), &staged).unwrap();
    }
    let mut bodies = server.remembered().into_values().collect::<Vec<_>>();
    bodies.sort();
    assert_eq!(bodies, ["1", "11", "12", "2", "21", "22"]);
    assert_eq!(server.arrived().len(), 8, "two came twice");
}

#[test]
fn several_records_are_an_array_with_one_key() {
    let server = Server::start(|_, _| OK);
    let sink = Http::post(server.url())
        .batch(NonZeroUsize::new(2).unwrap())
        .in_flight(1);
    let mut writer = open(&sink, &at(1, 0, 1), &[]).unwrap();
    writer.write(vec![1, 2, 3]).unwrap();
    writer.stage(1).unwrap();
    writer.commit(1).unwrap();
    writer.close().unwrap();
    let bodies = server.arrived().into_iter().map(|arrived| arrived.body);
    assert_eq!(bodies.collect::<Vec<_>>(), ["[1,2]", "[3]"]);
}

#[test]
fn one_in_flight_keeps_the_order() {
    let server = Server::start(|_, _| OK);
    let sink = Http::post(server.url()).in_flight(1);
    let mut writer = open(&sink, &at(1, 0, 1), &[]).unwrap();
    writer.write((0..50).collect()).unwrap();
    writer.stage(1).unwrap();
    writer.commit(1).unwrap();
    writer.close().unwrap();
    let bodies = server.arrived().into_iter().map(|arrived| arrived.body);
    let expected = (0..50).map(|number: u32| number.to_string());
    assert_eq!(bodies.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
}
