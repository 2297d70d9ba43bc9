use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::*;

/// Generous: nothing here takes so long unless it fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// A worker that answers with this nonce, or only accepts.
async fn worker(on: &str, nonce: Option<WorkerNonce>) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind(on).await.unwrap();
    let address = listener.local_addr().unwrap();
    let task = tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            if let Some(nonce) = nonce {
                let _ = answer(&mut stream, nonce).await;
            }
        }
    });
    (address, task)
}

fn from(ip: &str) -> SocketAddr {
    SocketAddr::new(ip.parse().unwrap(), 53211)
}

#[tokio::test]
async fn a_worker_that_advertises_nothing_is_known_by_where_it_connects_from() {
    let (at, task) = worker("127.0.0.1:0", None).await;
    let found = verify(from("127.0.0.1"), None, at.port(), PATIENCE).await;
    assert_eq!(found.unwrap(), WorkerAddress::Seen(at));
    task.abort();
}

#[tokio::test]
async fn ipv4_seen_as_ipv6_is_ipv4() {
    let (at, task) = worker("127.0.0.1:0", None).await;
    let found = verify(from("::ffff:127.0.0.1"), None, at.port(), PATIENCE).await;
    assert_eq!(found.unwrap(), WorkerAddress::Seen(at));
    task.abort();
}

#[tokio::test]
async fn a_worker_is_known_by_ipv6() {
    if TcpListener::bind("[::1]:0").await.is_err() {
        eprintln!("SKIPPED a_worker_is_known_by_ipv6: there is no IPv6 here");
        return;
    }
    let nonce = WorkerNonce::random();
    let (at, task) = worker("[::1]:0", Some(nonce)).await;
    let found = verify_same(from("::1"), None, at.port(), nonce, PATIENCE).await;
    let found = found.unwrap();
    assert_eq!(found, WorkerAddress::Seen(at));
    assert_eq!(found.to_string(), format!("[::1]:{}", at.port()));
    let said = format!("[::1]:{}", at.port());
    let found = verify_same(from("192.0.2.1"), Some(&said), 1, nonce, PATIENCE).await;
    assert_eq!(found.unwrap().to_string(), said);
    task.abort();
}

#[tokio::test]
async fn a_worker_is_known_by_the_address_that_it_advertises() {
    let nonce = WorkerNonce::random();
    let (at, task) = worker("127.0.0.1:0", Some(nonce)).await;
    for said in [format!("127.0.0.1:{}", at.port()), "127.0.0.1".into()] {
        let found = verify_same(from("192.0.2.1"), Some(&said), at.port(), nonce, PATIENCE).await;
        assert_eq!(found.unwrap().to_string(), at.to_string(), "{said}");
    }
    let said = format!("localhost:{}", at.port());
    let found = verify_same(from("192.0.2.1"), Some(&said), 1, nonce, PATIENCE).await;
    assert_eq!(found.unwrap().to_string(), said);
    task.abort();
}

#[tokio::test]
async fn the_error_of_an_unreachable_worker_names_both_addresses_and_what_to_do() {
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = nobody.local_addr().unwrap();
    drop(nobody);
    let seen = verify(from("127.0.0.1"), None, at.port(), PATIENCE).await;
    let seen = seen.unwrap_err().to_string();
    assert!(seen.contains("from 127.0.0.1:53211"), "{seen}");
    assert!(
        seen.contains(&format!("at 127.0.0.1:{}", at.port())),
        "{seen}"
    );
    assert!(seen.contains("tell it what to advertise"), "{seen}");
    let advertised = verify(from("192.0.2.1"), Some("127.0.0.1"), at.port(), PATIENCE).await;
    let advertised = advertised.unwrap_err();
    assert!(
        matches!(&advertised, WorkerError::NotReached { is_advertised: true, source, .. }
        if source.kind() == io::ErrorKind::ConnectionRefused)
    );
    let advertised = advertised.to_string();
    assert!(advertised.contains("from 192.0.2.1:53211"), "{advertised}");
    assert!(
        advertised.contains(&format!("at 127.0.0.1:{}", at.port())),
        "{advertised}"
    );
    assert!(
        advertised.contains("the address that it advertises"),
        "{advertised}"
    );
}

#[tokio::test]
async fn another_process_at_the_same_address_is_not_the_worker() {
    let nonce = WorkerNonce::random();
    let (other, task) = worker("127.0.0.1:0", Some(WorkerNonce::random())).await;
    let found = verify_same(from("127.0.0.1"), None, other.port(), nonce, PATIENCE).await;
    let error = found.unwrap_err();
    assert!(matches!(error, WorkerError::SomebodyElse { .. }), "{error}");
    assert!(error.to_string().contains("127.0.0.1:53211"), "{error}");
    task.abort();
    // One that speaks another protocol, and closes.
    let (foreign, task) = worker("127.0.0.1:0", None).await;
    let found = verify_same(from("127.0.0.1"), None, foreign.port(), nonce, PATIENCE).await;
    assert!(matches!(found, Err(WorkerError::SomebodyElse { .. })));
    task.abort();
}

#[tokio::test]
async fn a_silent_listener_is_not_waited_for_and_has_an_error_of_its_own() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = silent.local_addr().unwrap();
    let soon = Duration::from_millis(50);
    let found = verify_same(
        from("127.0.0.1"),
        None,
        at.port(),
        WorkerNonce::random(),
        soon,
    )
    .await;
    let error = found.unwrap_err();
    assert!(matches!(error, WorkerError::Silent { .. }), "{error}");
    let error = error.to_string();
    for words in [
        "from 127.0.0.1:53211",
        &format!("at 127.0.0.1:{}", at.port()),
        "took the connection and sent nothing",
    ] {
        assert!(error.contains(words), "{error}");
    }
}

/// Connecting there would reach a process on the manager's own host.
#[tokio::test]
async fn a_bind_address_is_refused() {
    let (here, task) = worker("0.0.0.0:0", None).await;
    let port = here.port();
    for said in [
        "0.0.0.0",
        "::",
        "[::]",
        "::ffff:0.0.0.0",
        "224.0.0.1",
        "ff02::1",
        "255.255.255.255",
        &format!("0.0.0.0:{port}"),
        &format!("[::]:{port}"),
    ] {
        let found = verify(from("192.0.2.1"), Some(said), port, PATIENCE).await;
        let error = found.unwrap_err();
        assert!(
            matches!(error, WorkerError::BindAddress { .. }),
            "{said}: {error}"
        );
        let error = error.to_string();
        assert!(error.contains("192.0.2.1:53211"), "{error}");
        assert!(error.contains("others cannot connect there"), "{error}");
    }
    for said in [None, Some("127.0.0.1")] {
        let found = verify(from("127.0.0.1"), said, 0, PATIENCE).await;
        assert!(
            matches!(found, Err(WorkerError::BindAddress { .. })),
            "{said:?}"
        );
    }
    // Old forms of the same.
    for said in ["0", "0.0", "0x0", "00000000000", "0."] {
        let found = verify(from("192.0.2.1"), Some(said), port, PATIENCE).await;
        assert!(
            matches!(found, Err(WorkerError::NoAddress { .. })),
            "{said}: {found:?}"
        );
    }
    task.abort();
}

#[tokio::test]
async fn text_that_is_no_address_is_not_tried() {
    for said in [
        "", ":1", "h:", "h:0", "h:65536", "a b", "[::1", "[::1]1", "[x]", "h/x", "u@h", "a:1:2",
    ] {
        let found = verify(from("192.0.2.1"), Some(said), 1, PATIENCE).await;
        let error = found.unwrap_err();
        assert!(
            matches!(error, WorkerError::NoAddress { .. }),
            "{said:?}: {error}"
        );
        assert!(error.to_string().contains("192.0.2.1:53211"));
    }
}

#[test]
fn a_nonce_is_carried_as_text_and_stays_out_of_logs() {
    let nonce = WorkerNonce::random();
    assert_eq!(nonce.to_string().parse(), Ok(nonce));
    assert_eq!(format!("{nonce:?}"), "WorkerNonce(…)");
    for text in [
        "",
        "00",
        "+0000000000000000000000000000000",
        "zz000000000000000000000000000000",
    ] {
        assert_eq!(text.parse::<WorkerNonce>(), Err(BadNonce));
    }
}
