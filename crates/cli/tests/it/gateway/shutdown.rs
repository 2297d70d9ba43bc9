//! The end of a gateway: it finishes running requests and begins no new ones.

use std::net::TcpStream;
use std::time::Duration;

use rustix::process::Signal;

use crate::harness::{Place, finished, timed, until};

use super::front::{self, curl, no_curl, taken_apart};

fn pieces(count: usize) -> String {
    (0..count)
        .map(|number| format!("piece {number}\n"))
        .collect()
}

#[test]
fn a_download_ends_within_the_drain_time_and_nobody_new_is_served() {
    if no_curl() {
        return;
    }
    let place = Place::new();
    let _a = front::node(&place, "a", &[]);
    place.active("a");
    let mut front = front::gateway(&place, &["--drain", "30s"]);
    let mut download = curl(&place);
    download
        .arg("-N")
        .arg(front.url("/drip?pieces=30&every=100"));
    let download = std::thread::spawn(move || finished(download));
    until("it has begun", || place.note("seen").contains("drip"));
    front.node.signal(Signal::TERM);
    until("nobody listens", || {
        TcpStream::connect(&front.address).is_err()
    });
    assert!(!download.is_finished(), "while it goes on");
    let got = taken_apart(&download.join().unwrap().assert_code(0).out);
    assert_eq!((got.status.as_str(), got.body), ("200", pieces(30)));
    assert_eq!(front.node.code(), Some(0));
}

#[test]
fn what_takes_longer_than_the_drain_time_is_cut() {
    if no_curl() {
        return;
    }
    let place = Place::new();
    let _a = front::node(&place, "a", &[]);
    place.active("a");
    let mut front = front::gateway(&place, &["--drain", "1s"]);
    let mut download = curl(&place);
    download
        .arg("-N")
        .arg(front.url("/drip?pieces=1000&every=100"));
    let download = std::thread::spawn(move || finished(download));
    until("it has begun", || place.note("seen").contains("drip"));
    let (code, took) = timed(|| {
        front.node.signal(Signal::TERM);
        front.node.code()
    });
    assert_eq!(code, Some(0));
    // The download goes on for longer than the end of the gateway is waited for.
    assert!(took > Duration::from_millis(900), "{took:?}");
    // The client can tell that the answer is incomplete.
    assert_ne!(download.join().unwrap().code, Some(0));
}

#[test]
fn a_held_request_is_answered_when_the_gateway_ends() {
    if no_curl() {
        return;
    }
    let place = Place::new();
    let mut front = front::gateway(&place, &["--drain", "20s", "--hold", "2s"]);
    let mut held = curl(&place);
    held.arg(front.url("/who"));
    let held = std::thread::spawn(move || finished(held));
    until("it is connected", || established(&front.address));
    front.node.signal(Signal::TERM);
    taken_apart(&held.join().unwrap().out).assert_retryable(&["503"]);
    assert_eq!(front.node.code(), Some(0));
}

/// Whether a client is connected and the gateway has read its request: the kernel holds no unread
/// bytes.
fn established(address: &str) -> bool {
    let port: u16 = address.rsplit_once(':').unwrap().1.parse().unwrap();
    let local = format!("0100007F:{port:04X}");
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    table.lines().any(|line| {
        let fields: Vec<_> = line.split_whitespace().collect();
        fields.get(1) == Some(&local.as_str())
            && fields[3] == "01"
            && fields[4].ends_with(":00000000")
    })
}
