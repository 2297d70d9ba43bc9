//! Bad input ends one connection with a reason, and all others continue.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use incumbent_leader_server::Options;
use incumbent_zk_proto::jute::Write as _;
use incumbent_zk_proto::{Code, Request};
use tokio::task::JoinHandle;

use crate::harness::{LONG_MS, Running, client, create, data, done, set, until};
use crate::raw::{Raw, asked, framed, greeting};

/// A client that asks all the time and must not be disturbed.
struct Bystander {
    stop: Arc<AtomicBool>,
    asking: JoinHandle<u32>,
}

impl Bystander {
    async fn of(server: &Running) -> Self {
        let mut probe = client(server.address).await;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        done(&mut probe, &create("/bystander")).await;
        let asking = tokio::spawn(async move {
            let mut count = 0_u32;
            while !stopped.load(Ordering::Relaxed) {
                count += 1;
                let bytes = count.to_be_bytes();
                done(&mut probe, &set("/bystander", &bytes)).await;
                assert_eq!(data(&mut probe, "/bystander").await, bytes);
            }
            count
        });
        Self { stop, asking }
    }

    async fn was_not_disturbed(self) {
        self.stop.store(true, Ordering::Relaxed);
        assert!(self.asking.await.unwrap() > 0);
    }
}

fn header(op: i32) -> Vec<u8> {
    let mut out = Vec::new();
    out.int(7);
    out.int(op);
    out
}

fn request(op: i32, body: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = header(op);
    body(&mut out);
    framed(&out)
}

#[tokio::test]
async fn what_is_no_greeting_ends_only_its_connection() {
    let server = Running::start(Options::local()).await;
    let bystander = Bystander::of(&server).await;
    let limit = Options::local().max_frame;
    let limit = i32::try_from(limit).unwrap();
    let mut long_password = Vec::new();
    long_password.int(0);
    long_password.long(0);
    long_password.int(1000);
    long_password.long(0);
    long_password.int(i32::MAX);
    let mut version = greeting(1000);
    version[7] = 9;
    for (bytes, why) in [
        ((-1_i32).to_be_bytes().to_vec(), "a frame of -1 bytes"),
        (i32::MIN.to_be_bytes().to_vec(), "a frame of -2147483648"),
        ((limit + 1).to_be_bytes().to_vec(), "a frame of 1048576"),
        (i32::MAX.to_be_bytes().to_vec(), "a frame of 2147483647"),
        (framed(b""), "no request to connect"),
        (framed(b"abc"), "no request to connect"),
        (framed(&long_password), "no request to connect"),
        (version, "protocol version 9 is unknown"),
        (framed(&[0xff; 64]), "protocol version -1 is unknown"),
        (
            b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(),
            "the client speaks HTTP",
        ),
        (
            b"\x16\x03\x01\x02\x00\x01".to_vec(),
            "the client speaks TLS",
        ),
        (
            b"SSH-2.0-OpenSSH_9.2\r\n".to_vec(),
            "sent \"SSH-\", which is no four-letter word",
        ),
        (
            b"zzzz".to_vec(),
            "sent \"zzzz\", which is no four-letter word",
        ),
        // What telnet sends at its end is not reported.
        (vec![0xff, 0xf4, 0xff, 0xfd], "a connection ended"),
    ] {
        let mut raw = Raw::connect(server.address).await;
        raw.send(&bytes).await;
        assert_eq!(raw.closed().await, b"", "{why}");
        raw.closed_because(why).await;
    }
    bystander.was_not_disturbed().await;
    let monitor = server.monitor.clone();
    until("all are gone", || monitor.report().connections == 0).await;
}

#[tokio::test]
async fn what_is_no_request_ends_only_its_connection() {
    let server = Running::start(Options::local()).await;
    let bystander = Bystander::of(&server).await;
    let nested = request(14, |out| {
        out.int(14);
        out.bool(false);
        out.int(-1);
        out.int(-1);
        out.bool(true);
        out.int(-1);
    });
    let watches = |count: i32| {
        request(101, |out| {
            out.long(0);
            out.int(count);
        })
    };
    let path = |bytes: &[u8]| {
        request(3, |out| {
            out.buffer(Some(bytes));
            out.bool(false);
        })
    };
    for (bytes, why) in [
        ((-1_i32).to_be_bytes().to_vec(), "a frame of -1 bytes"),
        ((1_i32 << 20).to_be_bytes().to_vec(), "a frame of 1048576"),
        (framed(b""), "a malformed request"),
        (framed(&[1]), "a malformed request"),
        (framed(&[0, 0, 0, 7, 0, 0, 0]), "a malformed request"),
        (framed(&header(3)), "a malformed request"),
        (nested, "14 is unknown"),
        (watches(i32::MAX), "bytes too early"),
        (watches(-2), "a length of -2 is impossible"),
        (path(&[0x2f, 0xff, 0xfe]), "not UTF-8"),
        (path(&[0xc0, 0x80]), "not UTF-8"),
        (request(3, |out| out.int(-1)), "null"),
        (
            request(3, |out| {
                out.string("/");
                out.push(2);
            }),
            "2 is no boolean",
        ),
        (request(5, |out| out.int(i32::MAX)), "bytes too early"),
        (request(14, |out| out.int(1)), "bytes too early"),
        (
            request(106, |out| {
                out.string("/");
                out.int(99);
            }),
            "99 is unknown",
        ),
    ] {
        let mut raw = Raw::greeted(server.address, LONG_MS).await;
        raw.send(&bytes).await;
        assert_eq!(raw.closed().await, b"", "{why}");
        raw.closed_because(why).await;
    }
    bystander.was_not_disturbed().await;
}

/// As in ZooKeeper: a reply, and then the end of the connection.
#[tokio::test]
async fn an_unknown_operation_is_refused_and_the_connection_is_closed() {
    let server = Running::start(Options::local()).await;
    for op in [999, -7, 20, i32::MAX, i32::MIN] {
        let mut probe = server.client().await;
        probe.send_op(5, op, b"whatever").await.unwrap();
        let incumbent_zk_probe::Frame::Reply(reply) = probe.receive().await.unwrap() else {
            panic!("an event")
        };
        assert_eq!(reply.code(), Some(Code::Unimplemented), "{op}");
        let end = probe.receive().await;
        assert!(
            matches!(end, Err(incumbent_zk_probe::Error::Closed)),
            "{end:?}"
        );
    }
}

#[tokio::test]
async fn what_ends_in_the_middle_does_nothing() {
    let server = Running::start(Options::local()).await;
    let whole = asked(1, &create("/half"));
    for length in [1, 3, 4, 5, whole.len() - 1] {
        let mut raw = Raw::greeted(server.address, LONG_MS).await;
        raw.send(&whole[..length]).await;
        drop(raw);
    }
    for length in [1, 3, 4, 20] {
        let mut raw = Raw::connect(server.address).await;
        raw.send(&greeting(LONG_MS)[..length]).await;
        drop(raw);
    }
    let monitor = server.monitor.clone();
    until("all are gone", || monitor.report().connections == 0).await;
    let mut probe = server.client().await;
    assert!(!crate::harness::is_there(&mut probe, "/half").await);
}

#[tokio::test]
async fn what_was_whole_before_the_end_is_done() {
    let server = Running::start(Options::local()).await;
    let mut raw = Raw::greeted(server.address, LONG_MS).await;
    let mut bytes = asked(1, &create("/whole"));
    bytes.extend(asked(2, &create("/whole/2")));
    bytes.extend_from_slice(&(-1_i32).to_be_bytes());
    raw.send(&bytes).await;
    raw.closed().await;
    let mut probe = server.client().await;
    assert!(crate::harness::is_there(&mut probe, "/whole/2").await);
}

#[tokio::test]
async fn who_says_nothing_or_too_slowly_is_sent_away() {
    let options = Options {
        greeting_timeout: Duration::from_secs(1),
        ..Options::local()
    };
    let server = Running::start(options).await;
    let mut silent = Raw::connect(server.address).await;
    let mut slow = Raw::connect(server.address).await;
    let dripping = async {
        // Each byte comes well before the time-out; all of them take far longer.
        for byte in greeting(LONG_MS) {
            slow.send(&[byte]).await;
            tokio::time::sleep(Duration::from_millis(60)).await;
        }
        slow.closed().await
    };
    let (nothing, dripped) = tokio::join!(silent.closed(), dripping);
    assert_eq!((nothing.len(), dripped.len()), (0, 0));
    silent
        .closed_because("sent no request to connect within 1s")
        .await;
    slow.closed_because("sent no request to connect within 1s")
        .await;
    // A client with a session may send one byte at a time, as long as the session lives.
    let mut raw = Raw::greeted(server.address, LONG_MS).await;
    for byte in asked(1, &create("/dripped")) {
        raw.send(&[byte]).await;
    }
    let mut probe = server.client().await;
    let path = "/dripped";
    while !crate::harness::is_there(&mut probe, path).await {}
}

#[tokio::test]
async fn a_session_that_only_drips_ends_and_its_connection_with_it() {
    let mut options = Options::local();
    options.machine.min_session_timeout = Duration::from_millis(300);
    let server = Running::start(options).await;
    let mut raw = Raw::greeted(server.address, 300).await;
    let request = asked(1, &create("/never"));
    raw.send(&request[..request.len() - 1]).await;
    assert_eq!(raw.closed().await, b"");
    raw.closed_because("the session expired").await;
}

#[tokio::test]
async fn nothing_is_done_after_a_session_was_closed() {
    let server = Running::start(Options::local()).await;
    let mut raw = Raw::greeted(server.address, LONG_MS).await;
    let mut bytes = asked(1, &create("/before"));
    bytes.extend(asked(2, &Request::CloseSession));
    bytes.extend(asked(3, &create("/after")));
    bytes.extend_from_slice(&[0xff; 100]);
    raw.send(&bytes).await;
    let said = raw.closed().await;
    // Two replies: a path, and nothing.
    assert_eq!(said.len(), (4 + 16 + 4 + "/before".len()) + (4 + 16));
    let mut probe = server.client().await;
    assert!(crate::harness::is_there(&mut probe, "/before").await);
    assert!(!crate::harness::is_there(&mut probe, "/after").await);
}
