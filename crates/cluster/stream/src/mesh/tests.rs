//! Ranks that meet, and strangers that come meanwhile.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread::JoinHandle;
use std::time::Duration;

use super::*;

/// Long enough for a machine that is busy with other things.
const LONG: Duration = Duration::from_secs(60);

fn of(rank: u32, tasks: u32) -> Greeting {
    Greeting {
        job: "5".repeat(32),
        attempt: 3,
        rank,
        tasks,
        program: 7,
    }
}

fn port() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

fn meeting(
    listener: TcpListener,
    greeting: Greeting,
    peers: &[String],
) -> JoinHandle<Result<Mesh>> {
    let peers = peers.to_vec();
    std::thread::spawn(move || Mesh::meet(listener, greeting, &peers, LONG))
}

fn connected(mesh: &Mesh) -> Vec<bool> {
    mesh.sockets.iter().map(Option::is_some).collect()
}

/// Waits until the other side has closed.
fn closed(mut stream: TcpStream) {
    stream.set_read_timeout(Some(LONG)).unwrap();
    // What it may have said before.
    let _ = stream.read_to_end(&mut Vec::new()).map_err(|error| {
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{error}");
    });
}

#[test]
fn four_ranks_meet_and_each_can_speak_to_each() {
    let (listeners, addresses): (Vec<_>, Vec<_>) = (0..4).map(|_| port()).unzip();
    let peers: Vec<_> = addresses.iter().map(SocketAddr::to_string).collect();
    let meetings: Vec<_> = (0..)
        .zip(listeners)
        .map(|(rank, listener)| meeting(listener, of(rank, 4), &peers))
        .collect();
    let meshes: Vec<_> = meetings
        .into_iter()
        .map(|meeting| meeting.join().unwrap().unwrap())
        .collect();
    for (rank, mesh) in meshes.iter().enumerate() {
        for (peer, socket) in mesh.sockets.iter().enumerate() {
            match socket.as_ref() {
                Some(mut socket) => socket.write_all(&[rank as u8, peer as u8]).unwrap(),
                None => assert_eq!(rank, peer),
            }
        }
    }
    for (rank, mesh) in meshes.iter().enumerate() {
        for (peer, socket) in mesh.sockets.iter().enumerate() {
            let Some(mut socket) = socket.as_ref() else {
                continue;
            };
            let mut said = [0; 2];
            socket.read_exact(&mut said).unwrap();
            assert_eq!(said, [peer as u8, rank as u8]);
        }
    }
}

#[test]
fn strangers_neither_block_the_start_nor_end_it() {
    let (zero, at_zero) = port();
    let (one, at_one) = port();
    let peers = [at_zero.to_string(), at_one.to_string()];
    let waiting = meeting(zero, of(0, 2), &peers);

    // One that scans, one that says nothing, one that says half, one that speaks HTTP.
    drop(TcpStream::connect(at_zero).unwrap());
    let silent = TcpStream::connect(at_zero).unwrap();
    let mut half = TcpStream::connect(at_zero).unwrap();
    half.write_all(b"incmsh01").unwrap();
    let mut http = TcpStream::connect(at_zero).unwrap();
    http.write_all(b"GET / HTTP/1.1\r\nhost: somebody\r\ncontent-type: nothing of ours\r\n\r\n")
        .unwrap();
    closed(http);
    // Impostors: of another job, another attempt, another size, as a rank that it is not.
    let job = "6".repeat(32);
    for impostor in [
        Greeting { job, ..of(1, 2) },
        Greeting {
            attempt: 2,
            ..of(1, 2)
        },
        of(1, 3),
        of(0, 2),
        of(9, 2),
    ] {
        let stream = TcpStream::connect(at_zero).unwrap();
        let refused = impostor.dialed(&stream, 0).unwrap_err();
        assert!(
            matches!(refused, greeting::Stranger::Silent(_)),
            "{refused:?}"
        );
    }
    assert!(!waiting.is_finished());

    let other = meeting(one, of(1, 2), &peers);
    assert_eq!(connected(&waiting.join().unwrap().unwrap()), [false, true]);
    assert_eq!(connected(&other.join().unwrap().unwrap()), [true, false]);
    closed(silent);
    closed(half);
}

#[test]
fn a_rank_that_comes_late_is_waited_for() {
    let (zero, at_zero) = port();
    let (one, at_one) = port();
    let peers = [at_zero.to_string(), at_one.to_string()];
    // Nobody answers at first, then somebody else does.
    drop(zero);
    let early = meeting(one, of(1, 2), &peers);
    let somebody = TcpListener::bind(at_zero).unwrap();
    drop(somebody.accept().unwrap());
    drop(somebody);
    let zero = TcpListener::bind(at_zero).unwrap();
    let late = meeting(zero, of(0, 2), &peers);
    assert_eq!(connected(&early.join().unwrap().unwrap()), [true, false]);
    assert_eq!(connected(&late.join().unwrap().unwrap()), [false, true]);
}

#[test]
fn a_rank_that_never_comes_is_named() {
    let (one, at_one) = port();
    let (gone, at_gone) = port();
    drop(gone);
    let peers = [
        at_gone.to_string(),
        at_one.to_string(),
        "nowhere:1".to_owned(),
    ];
    let within = Duration::from_millis(300);
    let error = Mesh::meet(one, of(1, 3), &peers, within).unwrap_err();
    let Error::Peers(why) = error else {
        panic!("{error}");
    };
    let why = why.to_string();
    assert!(
        why.contains(&format!("rank 0 at {at_gone} was not reached: ")),
        "{why}"
    );
    assert!(
        why.contains("rank 2 at nowhere:1 did not connect to this one"),
        "{why}"
    );
}

#[test]
fn a_rank_with_another_executable_ends_the_start_on_both_sides() {
    let (zero, at_zero) = port();
    let (one, at_one) = port();
    let peers = [at_zero.to_string(), at_one.to_string()];
    let waiting = meeting(zero, of(0, 2), &peers);
    let other = Greeting {
        program: 8,
        ..of(1, 2)
    };
    let dialing = meeting(one, other, &peers);
    for side in [waiting, dialing] {
        let error = side.join().unwrap().unwrap_err();
        assert!(matches!(error, Error::Malformed(_)), "{error}");
        assert!(error.to_string().contains("another executable"));
    }
}

#[test]
fn the_port_is_closed_when_all_have_met() {
    let (zero, at_zero) = port();
    let (one, at_one) = port();
    let peers = [at_zero.to_string(), at_one.to_string()];
    let meetings = [
        meeting(zero, of(0, 2), &peers),
        meeting(one, of(1, 2), &peers),
    ];
    let _meshes = meetings.map(|meeting| meeting.join().unwrap().unwrap());
    // The thread that accepts ends by itself, soon.
    while let Ok(stream) = TcpStream::connect(at_zero) {
        drop(stream);
        std::thread::yield_now();
    }
}
