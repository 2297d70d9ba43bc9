//! Claims about a store whose server or network fails. The caller causes the failure.

use std::time::Duration;

use futures::StreamExt;
use incumbent_backend::{Backend, Expected, Failure, Swapped, Unread, WatchStream, causes};
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout};

use crate::calls::{IN_TIME, create, key, read, swap};

/// How often a server is restarted.
pub const RESTARTS: u64 = 3;

/// All restarts and writes take seconds. Without a limit, a server that stays away would be waited
/// for without end.
const COMES_BACK: Duration = Duration::from_secs(120);

/// Acknowledged writes between two restarts.
const WRITES: u64 = 30;

/// A server that is killed and restarted again and again loses no acknowledged write. The writer
/// continues as `ha` would: it settles an unknown outcome by reading.
///
/// # Panics
///
/// If a write was lost.
pub async fn restarts_lose_nothing(
    backend: &impl Backend,
    restart: impl Fn() + Clone + Send + 'static,
) {
    let key = key("@root");
    create(backend, &key, b"0").await;
    let (progress, mut seen) = watch::channel(0);
    let killer = tokio::spawn(async move {
        for _ in 0..RESTARTS {
            let before = *seen.borrow();
            let enough = seen.wait_for(|acknowledged| *acknowledged >= before + WRITES);
            enough.await.expect("the writer goes on");
            spawn_blocking(restart.clone()).await.expect("it restarts");
        }
    });
    let writer = async {
        let mut acknowledged = 0_u64;
        let mut last = 0;
        while acknowledged < last + WRITES {
            progress.send_replace(acknowledged);
            if !killer.is_finished() {
                last = acknowledged;
            }
            let found = match backend.read(&key).await {
                Ok(found) => found.expect("it was created"),
                Err(Unread::Unavailable(_)) => continue,
                Err(error) => panic!("{error}"),
            };
            let at = String::from_utf8_lossy(&found.body);
            let at: u64 = at.parse().expect("bodies are numbers");
            assert!(at >= acknowledged, "{at} is older than {acknowledged}");
            let next = (at + 1).to_string();
            let expected = Expected::At(&found.version);
            match backend.swap(&key, expected, next.as_bytes()).await {
                Ok(Swapped::Committed(_)) => acknowledged = at + 1,
                Ok(Swapped::Conflict) => panic!("nothing else writes"),
                Err(Failure::Unknown(_) | Failure::NotApplied(_)) => {}
                Err(error) => panic!("{error}"),
            }
        }
    };
    timeout(COMES_BACK, writer)
        .await
        .expect("the server comes back");
    killer.await.expect("it restarted the server");
}

/// Without a server nothing is read or written, no call hangs, and each error states the known
/// outcome. `kill` ends the server.
///
/// # Panics
///
/// If a call answers otherwise.
pub async fn without_a_server_each_call_says_so_in_time(
    backend: &impl Backend,
    kill: impl FnOnce(),
) {
    let key = key("a");
    let version = create(backend, &key, b"1").await;
    kill();
    let swapped = async {
        loop {
            // The first call may already have been sent.
            match backend.swap(&key, Expected::At(&version), b"2").await {
                Err(Failure::Unknown(_)) => {}
                other => return other,
            }
        }
    };
    let swapped = timeout(IN_TIME, swapped).await.expect("it ends");
    assert!(
        matches!(swapped, Err(Failure::NotApplied(_))),
        "{swapped:?}"
    );
    let found = timeout(IN_TIME, backend.read(&key)).await.expect("it ends");
    let why = causes(&found.expect_err("there is no server"));
    assert!(why.contains("not connected to 127.0.0.1"), "{why}");
    let listed = timeout(IN_TIME, backend.list(key.group())).await;
    assert!(matches!(listed, Ok(Err(Unread::Unavailable(_)))));
    let erased = timeout(IN_TIME, backend.erase(&key, &version)).await;
    assert!(matches!(erased, Ok(Err(Failure::NotApplied(_)))));
}

/// If the answer to a write is lost, its outcome is unknown, and it may have happened. `mute` lets
/// requests pass but no answers; `open` ends that; `cut` ends all connections, if the test is about
/// a loss that the client notices.
///
/// # Panics
///
/// If the outcome is another one.
pub async fn a_lost_answer_is_unknown(
    backend: &impl Backend,
    mute: impl FnOnce(),
    cut: Option<impl FnOnce()>,
    open: impl FnOnce(),
) {
    let key = key("a");
    let first = create(backend, &key, b"1").await;
    mute();
    let mut asked = backend.swap(&key, Expected::At(&first), b"2");
    if let Some(cut) = cut {
        let early = timeout(Duration::from_millis(200), &mut asked).await;
        assert!(early.is_err(), "no answer passes");
        cut();
    }
    let swapped = timeout(IN_TIME, asked).await.expect("it ends");
    assert!(matches!(swapped, Err(Failure::Unknown(_))), "{swapped:?}");
    open();
    let found = read(backend, &key).await.expect("it was created");
    assert_eq!(found.body, b"2");
    // The caller settles the outcome by repeating the same swap.
    assert_eq!(swap(backend, &key, &first, b"2").await, Swapped::Conflict);
}

/// If a server's connections are lost as soon as they are made, the backend pauses between
/// attempts. `cut` ends all connections. `hints` come from a watch over them, which begins anew on
/// each connection.
///
/// # Panics
///
/// If the backend reconnects faster.
pub async fn a_flapping_server_is_left_alone(mut hints: WatchStream, cut: impl Fn()) {
    const CONNECTIONS: usize = 6;
    // Half of the sum of the pauses: 50, 100, 200, 400 and 800 ms. A busy machine takes longer.
    const SHORTEST: Duration = Duration::from_millis(775);
    let connected = async |hints: &mut WatchStream| {
        let hint = timeout(IN_TIME, hints.next()).await;
        hint.expect("it connects again").expect("it never ends");
    };
    connected(&mut hints).await;
    let begun = Instant::now();
    for _ in 1..CONNECTIONS {
        cut();
        connected(&mut hints).await;
    }
    let within = begun.elapsed();
    assert!(
        within >= SHORTEST,
        "{CONNECTIONS} connections in {within:?}"
    );
}

/// The log must have one line for each connection and one for each loss, alternating, starting with
/// the first connection. The number of lines must match [`RESTARTS`].
///
/// # Panics
///
/// If there are other lines.
pub fn one_line_for_each_loss_and_return(lines: &[String], connected: &str, lost: &str) {
    for (n, line) in lines.iter().enumerate() {
        let (is, only) = if n % 2 == 0 {
            (connected, "one line for each return")
        } else {
            (lost, "one line for each loss")
        };
        assert!(line.contains(is), "{only}: {lines:#?}");
    }
    assert_eq!(lines.len() as u64, 2 * RESTARTS + 1, "{lines:#?}");
}
