//! A server that was stopped (`SIGSTOP`) does not take its own sleep for silence of its clients.

use std::time::Duration;

use incumbent_zk_probe::again;

use crate::child::ServerProcess;
use crate::harness::{EPHEMERAL, client, connect, create_with, done, is_there, soon};

#[tokio::test]
async fn sessions_outlive_a_stop_longer_than_their_time_outs() {
    let server = ServerProcess::start(None).await;
    let mut other = client(server.address).await;
    let quick = incumbent_zk_probe::new_session(3_000);
    let mut stays = connect(server.address, &quick).await.unwrap();
    let mut returns = connect(server.address, &quick).await.unwrap();
    done(&mut stays, &create_with("/stays", EPHEMERAL, b"")).await;
    done(&mut returns, &create_with("/returns", EPHEMERAL, b"")).await;
    let granted = returns.granted().clone();
    let stopping = server.while_stopped(async {
        tokio::time::sleep(Duration::from_millis(4_000)).await;
        drop(returns);
    });
    stopping.await;
    soon(stays.ping()).await.unwrap();
    let mut returns = connect(server.address, &again(&granted)).await.unwrap();
    assert!(is_there(&mut returns, "/returns").await);
    assert!(is_there(&mut stays, "/stays").await);
    // After that, time counts as before.
    while is_there(&mut other, "/stays").await || is_there(&mut other, "/returns").await {}
}

#[tokio::test]
async fn short_stops_do_not_count_as_silence_either() {
    let server = ServerProcess::start(None).await;
    let quick = incumbent_zk_probe::new_session(2_000);
    let mut probe = connect(server.address, &quick).await.unwrap();
    done(&mut probe, &create_with("/mine", EPHEMERAL, b"")).await;
    // Each stop is too short to be told from a busy machine. Together they are longer than the
    // session's time-out.
    for _ in 0..27 {
        let stopped = server.while_stopped(tokio::time::sleep(Duration::from_millis(80)));
        stopped.await;
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    soon(probe.ping()).await.unwrap();
    assert!(is_there(&mut probe, "/mine").await);
}
