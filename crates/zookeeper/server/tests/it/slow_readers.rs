//! Clients that do not read, or ask for more than they can read at once.

use std::time::Duration;

use incumbent_leader_server::Options;
use incumbent_zk_probe::Frame;
use incumbent_zk_proto::{AddMode, Code, Request, Response};

use crate::harness::{
    LONG_MS, Running, ask, client, create, create_with, data, done, get_data, set, soon, until,
};
use crate::raw::{Raw, asked};

fn small_backlog() -> Options {
    let mut options = Options {
        max_backlog: 256 << 10,
        greeting_timeout: Duration::from_millis(300),
        ..Options::local()
    };
    options.machine.min_session_timeout = Duration::from_millis(400);
    options
}

#[tokio::test]
async fn answers_far_longer_than_the_backlog_come_to_who_reads() {
    let server = Running::start(small_backlog()).await;
    let mut probe = server.client().await;
    let long = vec![b'x'; 1_000_000];
    done(&mut probe, &create_with("/n", 0, &long)).await;
    // One reply alone is more than may wait, and these are fifty.
    for _ in 0..50 {
        probe.push(&get_data("/n"));
    }
    probe.flush().await.unwrap();
    for _ in 0..50 {
        let Frame::Reply(reply) = soon(probe.receive()).await.unwrap() else {
            panic!("nothing is watched")
        };
        let Ok(Response::Data(Some(data), _)) = reply.result else {
            panic!("{reply:?}")
        };
        assert_eq!(data.len(), long.len());
    }
}

#[tokio::test]
async fn who_pipelines_without_reading_is_not_read_and_takes_little_memory() {
    let server = Running::start(small_backlog()).await;
    let mut other = server.client().await;
    done(&mut other, &create_with("/n", 0, &vec![b'x'; 100_000])).await;
    let mut deaf = Raw::greeted(server.address, 400).await;
    let before = server.monitor.report();
    let request = asked(1, &get_data("/n"));
    let many = request.repeat(10_000);
    // The buffers of the sockets are finite: they hold what the server does not read.
    let sending = tokio::spawn(async move {
        deaf.send(&many).await;
        deaf
    });
    let monitor = server.monitor.clone();
    // Its session ends by silence, and then its connection, although it reads nothing.
    until("it is gone", || monitor.report().connections == 1).await;
    assert_eq!(monitor.report().summary.sessions, 1);
    // Of the thousand megabytes of replies, only as many were made as the sockets and the backlog
    // hold.
    let made = monitor.report().replies - before.replies;
    assert!(made < 500, "{made}");
    assert_eq!(data(&mut other, "/n").await.len(), 100_000);
    let deaf = sending.await.unwrap();
    deaf.closed_because("did not read the last replies in time")
        .await;
}

#[tokio::test]
async fn who_does_not_read_events_is_closed_by_the_backlog() {
    let server = Running::start(small_backlog()).await;
    let mut writer = server.client().await;
    // A long path makes events long.
    let path = format!("/{}", "p".repeat(20_000));
    done(&mut writer, &create(&path)).await;
    let mut deaf = Raw::greeted(server.address, LONG_MS).await;
    let watch = Request::AddWatch {
        path: "/",
        mode: AddMode::Recursive,
    };
    deaf.send(&asked(1, &watch)).await;
    let monitor = server.monitor.clone();
    until("it watches", || monitor.report().summary.watches == 1).await;
    let mut count = 0_u32;
    while monitor.report().connections == 2 {
        done(&mut writer, &set(&path, b"y")).await;
        count += 1;
        assert!(count < 5_000, "it is never closed");
    }
    assert_eq!(monitor.report().summary.watches, 0);
    deaf.closed_because("the client does not read").await;
}

#[tokio::test]
async fn a_reader_that_is_slow_all_the_time_is_served() {
    let server = Running::start(small_backlog()).await;
    let mut probe = server.client().await;
    done(&mut probe, &create_with("/n", 0, &vec![b'x'; 50_000])).await;
    // Always one to twenty requests are on their way: sent replies are not kept.
    let mut left = 400;
    while left > 0 || probe.in_flight() > 0 {
        while left > 0 && probe.in_flight() < 20 {
            probe.push(&get_data("/n"));
            left -= 1;
        }
        probe.flush().await.unwrap();
        soon(probe.receive()).await.unwrap();
    }
    assert_eq!(server.monitor.report().outstanding, 0);
}

#[tokio::test]
async fn an_answer_that_would_be_absurd_is_refused() {
    let mut options = Options::local();
    options.machine.max_reply = 2 << 20;
    let server = Running::start(options).await;
    let mut probe = client(server.address).await;
    done(&mut probe, &create_with("/n", 0, &vec![b'x'; 500_000])).await;
    // Each part takes a few bytes of the request, and half a megabyte of the reply.
    let parts = |count| Request::MultiRead(vec![get_data("/n"); count]);
    assert!(ask(&mut probe, &parts(4)).await.is_ok());
    for count in [5, 5_000, 40_000] {
        let answer = ask(&mut probe, &parts(count)).await;
        assert_eq!(answer, Err(Code::QuotaExceeded), "{count}");
    }
    done(&mut probe, &set("/n", b"on")).await;
}

/// Reading one long reply takes several time-outs, in which the server reads no pings.
#[tokio::test]
async fn a_client_that_reads_one_long_answer_keeps_its_session() {
    const PARTS: usize = 48;
    let server = Running::start(small_backlog()).await;
    let mut other = server.client().await;
    done(&mut other, &create_with("/n", 0, &vec![b'x'; 1_000_000])).await;
    let mut slow = Raw::greeted(server.address, 1_200).await;
    slow.send(&asked(1, &Request::MultiRead(vec![get_data("/n"); PARTS])))
        .await;
    let mut piece = vec![0; 512 << 10];
    let mut left = PARTS * 1_000_000;
    let started = std::time::Duration::from_millis(4_000);
    let pause = started / u32::try_from(left / piece.len()).unwrap();
    while left > 0 {
        tokio::time::sleep(pause).await;
        let read = soon(tokio::io::AsyncReadExt::read(&mut slow.stream, &mut piece)).await;
        let read = read.unwrap();
        assert!(read > 0, "closed with {left} bytes left");
        left = left.saturating_sub(read);
    }
    assert_eq!(server.monitor.report().summary.expired_sessions, 0);
}
