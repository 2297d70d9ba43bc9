//! A store that the gateway may not read.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use http::Method;
use incumbent::backend::{
    Backend, Expected, Failure, Key, Listed, Reach, Stored, Swapped, Unread, WatchStream,
};
use incumbent::{GroupName, Limits, Store};
use incumbent_gateway::{Gateway, Listener};
use tokio::net::TcpListener;

use crate::harness::{options, send, soon, until};

/// A store that is empty, and lets itself be read if it is told to.
struct Guarded {
    is_open: Arc<AtomicBool>,
}

#[async_trait]
impl Backend for Guarded {
    fn limits(&self) -> Limits {
        Limits {
            largest_body: 1 << 20,
            shortest_interval: Duration::ZERO,
            regular_interval: Duration::ZERO,
            reach: Reach::Process,
        }
    }

    async fn read(&self, _: &Key) -> Result<Option<Stored>, Unread> {
        if self.is_open.load(Ordering::SeqCst) {
            return Ok(None);
        }
        Err(Unread::Unavailable(
            "403 Forbidden: user \"gateway\"".into(),
        ))
    }

    async fn swap(&self, _: &Key, _: Expected<'_>, _: &[u8]) -> Result<Swapped, Failure> {
        Err(Failure::NotApplied("403 Forbidden".into()))
    }

    async fn list(&self, _: &GroupName) -> Result<Vec<Listed>, Unread> {
        Ok(Vec::new())
    }

    fn watch(&self, _: &GroupName) -> WatchStream {
        Box::pin(futures::stream::pending())
    }
}

#[tokio::test]
async fn a_gateway_that_may_not_read_the_leader_does_not_say_that_nobody_leads() {
    let is_open = Arc::new(AtomicBool::new(false));
    let store = Store::on(Guarded {
        is_open: Arc::clone(&is_open),
    });
    let mut options = options();
    options.times.hold = Duration::from_millis(300);
    let gateway = Gateway::new(&store.group("demo").unwrap(), options).unwrap();
    let handle = gateway.handle();
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    let serving = gateway.run([Listener::plain(socket)], std::future::pending());
    let serving = tokio::spawn(serving);
    until("it has been refused", || {
        handle.status().leader == "unreadable"
    })
    .await;
    let reply = soon(send(address, Method::GET, "/", &[], ""))
        .await
        .unwrap();
    reply.is_problem(503, "unreadable");
    assert!(reply.text().contains(r#""processed":"no""#));
    assert!(!reply.text().contains("Forbidden"), "the log says that");

    is_open.store(true, Ordering::SeqCst);
    until("it can read", || handle.status().leader == "no leader").await;
    let reply = soon(send(address, Method::GET, "/", &[], ""))
        .await
        .unwrap();
    reply.is_problem(503, "no-leader");
    serving.abort();
}
