//! The server is out: nothing fails, and everything is sent afterwards.

use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::time::Duration;

use incumbent_stream::Writer;
use incumbent_stream_http::Http;

use crate::server::{Answer, OK, Server, at, open};

fn send_all(server: &Server, sink: &Http, records: u64) {
    let mut writer = open(sink, &at(1, 0, 1), &[]).unwrap();
    writer.write((0..records).collect()).unwrap();
    writer.stage(1).unwrap();
    writer.commit(1).unwrap();
    writer.close().unwrap();
    assert_eq!(writer.held_bytes(), 0);
    let mut bodies = server.remembered().into_values().collect::<Vec<_>>();
    bodies.sort_by_key(|body| body.parse::<u64>().unwrap());
    let expected = (0..records).map(|record| record.to_string());
    assert_eq!(bodies, expected.collect::<Vec<_>>());
}

#[test]
fn errors_of_the_server_and_lost_answers_are_sent_again() {
    let server = Server::start(|number, _| match number % 5 {
        0 => Answer::Status(503, "", "busy"),
        1 => Answer::Lose,
        2 => Answer::Status(500, "Connection: close\r\n", ""),
        _ => OK,
    });
    send_all(&server, &Http::post(server.url()), 20);
    assert!(server.arrived().len() > 20);
}

#[test]
fn a_late_answer_is_not_waited_for() {
    let server = Server::start(|number, _| match number {
        0 => Answer::Hang,
        _ => OK,
    });
    let sink = Http::post(server.url())
        .timeout(Duration::from_millis(500))
        .in_flight(1);
    let mut writer = open(&sink, &at(1, 0, 1), &[]).unwrap();
    writer.write(vec![1]).unwrap();
    writer.stage(1).unwrap();
    writer.commit(1).unwrap();
    writer.close().unwrap();
    // Twice, or more often if this machine was too busy for the second.
    assert!(server.arrived().len() >= 2);
    assert_eq!(server.remembered().len(), 1);
}

#[test]
fn the_server_says_when_to_come_again() {
    let server = Server::start(|number, _| match number {
        0 => Answer::Status(429, "Retry-After: 2\r\n", ""),
        _ => OK,
    });
    let sink = Http::post(server.url()).in_flight(1);
    let mut writer = open(&sink, &at(1, 0, 1), &[]).unwrap();
    writer.write(vec![1]).unwrap();
    writer.stage(1).unwrap();
    // It waits for a second, which is less than the server wants.
    writer.commit(1).unwrap();
    assert_eq!(server.arrived().len(), 1);
    assert_eq!(
        writer.stage(2).unwrap().len(),
        1,
        "checkpoints go on, with the record"
    );
    writer.close().unwrap();
    assert_eq!(server.arrived().len(), 2);
}

#[test]
fn no_server_at_all_is_an_outage() {
    // Nobody listens on this port until it is taken again.
    let address = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let sink = Http::post(format!("http://{address}/"));
    let mut writer = open(&sink, &at(1, 0, 1), &[]).unwrap();
    writer.write(vec![1]).unwrap();
    let staged = writer.stage(1).unwrap();
    writer.commit(1).unwrap();
    assert!(writer.held_bytes() > 0);
    drop(writer);
    let server = Server::start(|_, _| OK);
    open(&Http::post(server.url()), &at(2, 0, 1), &staged).unwrap();
    assert_eq!(server.remembered().len(), 1);
}

#[test]
fn no_more_requests_are_under_way_than_allowed_and_so_many_are() {
    let now = Arc::new(AtomicUsize::new(0));
    let most = Arc::new(AtomicUsize::new(0));
    // Only four at a time pass.
    let barrier = Barrier::new(4);
    let (counting, seen) = (Arc::clone(&now), Arc::clone(&most));
    let server = Server::start(move |_, _| {
        let under_way = counting.fetch_add(1, Ordering::SeqCst) + 1;
        seen.fetch_max(under_way, Ordering::SeqCst);
        barrier.wait();
        counting.fetch_sub(1, Ordering::SeqCst);
        OK
    });
    send_all(&server, &Http::post(server.url()).in_flight(4), 16);
    assert_eq!(most.load(Ordering::SeqCst), 4);
}
