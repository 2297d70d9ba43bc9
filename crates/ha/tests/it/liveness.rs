//! Liveness endpoints and probes, for everybody.

use std::time::Duration;

use incumbent::{
    LivenessAddress, LivenessProbe, LivenessServer, LivenessState, Nonce, OpenError, ProbeOptions,
    SignOfDeath, Stakes,
};
use tokio::net::TcpListener;
use tokio::time::timeout;

/// So long that only a fault makes a test wait for it.
const PATIENCE: Duration = Duration::from_secs(60);

fn nonce(number: u128) -> Nonce {
    Nonce::new(number)
}

fn server(said: u128) -> LivenessServer {
    let server = LivenessServer::listen(LivenessServer::loopback(), None).unwrap();
    server.say(Some(nonce(said)));
    server
}

fn probe(address: &LivenessAddress, wanted: u128, stakes: Stakes) -> LivenessProbe {
    let options = ProbeOptions::new("tester".parse().unwrap(), stakes);
    LivenessProbe::start(address.clone(), nonce(wanted), options)
}

async fn until(probe: &mut LivenessProbe, wanted: LivenessState) {
    let reached = async {
        while probe.state() != wanted {
            probe.changed().await;
        }
    };
    let state = timeout(PATIENCE, reached).await;
    state.unwrap_or_else(|_| panic!("{:?} and not {wanted:?}", probe.state()));
}

#[tokio::test]
async fn a_process_that_is_gone_is_proven_dead_at_once() {
    let server = server(1);
    let mut probe = probe(server.address(), 1, Stakes::High);
    until(&mut probe, LivenessState::Connected).await;
    drop(server);
    let sign = timeout(PATIENCE, probe.dead()).await.unwrap();
    assert_eq!(sign, SignOfDeath::Refused);
    assert_eq!(probe.state(), LivenessState::Dead(SignOfDeath::Refused));
}

#[tokio::test]
async fn another_nonce_is_a_proof_too() {
    let server = server(1);
    let mut probe = probe(server.address(), 1, Stakes::High);
    until(&mut probe, LivenessState::Connected).await;
    server.say(Some(nonce(2)));
    let sign = timeout(PATIENCE, probe.dead()).await.unwrap();
    assert_eq!(sign, SignOfDeath::AnotherNonce);
}

/// As a guard does, until the tasks of a dead process are gone.
#[tokio::test]
async fn nothing_is_proven_while_a_copy_of_the_socket_is_held() {
    let server = server(1);
    let address = server.address().clone();
    let mut first = probe(&address, 1, Stakes::High);
    until(&mut first, LivenessState::Connected).await;
    let held = server.socket().unwrap();
    drop(server);
    until(&mut first, LivenessState::Unknown).await;
    // A second one has been connected to the held socket when it hears nothing; the kernel accepts.
    let second = probe(&address, 1, Stakes::High);
    let silent = timeout(Duration::from_millis(200), second.dead()).await;
    assert!(silent.is_err() && first.state() == LivenessState::Unknown);
    drop(held);
    for probe in [first, second] {
        let sign = timeout(PATIENCE, probe.dead()).await.unwrap();
        assert_eq!(sign, SignOfDeath::Refused);
    }
}

/// In another network, this address may be somebody else's.
#[tokio::test]
async fn an_address_where_the_process_was_never_met_proves_nothing() {
    let server = server(1);
    let elsewhere = LivenessAddress {
        scope: Some("another boot/net:[1]".into()),
        ..server.address().clone()
    };
    drop(server);
    let never_met = probe(&elsewhere, 1, Stakes::Low);
    let silent = timeout(Duration::from_millis(300), never_met.dead()).await;
    assert!(silent.is_err());
}

#[tokio::test]
async fn at_an_advertised_address_death_is_proven_only_if_little_is_at_stake() {
    let server = LivenessServer::listen(LivenessServer::loopback(), Some("127.0.0.1")).unwrap();
    server.say(Some(nonce(1)));
    assert!(server.address().advertised && server.address().scope.is_none());
    let [mut low, mut high] =
        [Stakes::Low, Stakes::High].map(|stakes| probe(server.address(), 1, stakes));
    until(&mut low, LivenessState::Connected).await;
    until(&mut high, LivenessState::Connected).await;
    drop(server);
    timeout(PATIENCE, low.dead()).await.unwrap();
    until(&mut high, LivenessState::Unknown).await;
}

#[tokio::test]
async fn what_listens_there_and_says_nothing_sensible_proves_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let _ = stream.try_write(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    });
    let address = LivenessAddress {
        address,
        scope: server(1).address().scope.clone(),
        advertised: false,
    };
    let probe = probe(&address, 1, Stakes::Low);
    let silent = timeout(Duration::from_millis(300), probe.dead()).await;
    assert!(silent.is_err() && probe.state() == LivenessState::Unknown);
}

/// As many as a leader of many TaskManagers holds.
#[tokio::test]
async fn two_hundred_probes_are_all_told() {
    let server = server(1);
    let mut probes: Vec<LivenessProbe> = (0..200)
        .map(|_| probe(server.address(), 1, Stakes::High))
        .collect();
    for probe in &mut probes {
        until(probe, LivenessState::Connected).await;
    }
    drop(server);
    for probe in &probes {
        timeout(PATIENCE, probe.dead()).await.unwrap();
    }
}

#[tokio::test]
async fn a_port_that_is_taken_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let taken = listener.local_addr().unwrap();
    match LivenessServer::listen(taken, None) {
        Err(OpenError::Liveness { address, .. }) => assert_eq!(address, taken.to_string()),
        other => panic!("{other:?}"),
    }
}
