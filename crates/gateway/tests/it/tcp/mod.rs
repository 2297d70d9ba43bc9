//! TCP mode, between real sockets.

mod bounds;
mod passing;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use incumbent_gateway::{TcpGateway, TcpHandle, TcpOptions};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};

use crate::harness::{Cluster, soon, until};

pub(crate) fn options() -> TcpOptions {
    TcpOptions::to("db".parse().unwrap())
}

pub(crate) struct Front {
    pub(crate) address: SocketAddr,
    pub(crate) handle: TcpHandle,
    pub(crate) stop: Option<oneshot::Sender<()>>,
    pub(crate) task: JoinHandle<()>,
}

impl Front {
    pub(crate) async fn new(cluster: &Cluster, options: TcpOptions) -> Self {
        Self::on("127.0.0.1:0", cluster, options).await
    }

    pub(crate) async fn on(address: &str, cluster: &Cluster, options: TcpOptions) -> Self {
        let gateway = TcpGateway::new(&cluster.group(), options);
        let handle = gateway.handle();
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(gateway.run([listener], async {
            let _ = stopped.await;
        }));
        Self {
            address,
            handle,
            stop: Some(stop),
            task,
        }
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    pub(crate) async fn ready(&self) {
        until("somebody leads", || self.handle.status().is_ready).await;
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Says its name on every connection, then echoes; ends its half when the other one has ended.
pub(crate) struct Node {
    pub(crate) address: SocketAddr,
    pub(crate) accepted: Arc<AtomicUsize>,
    pub(crate) task: JoinHandle<()>,
}

impl Node {
    pub(crate) async fn new(name: &'static str) -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").await.unwrap(), name)
    }

    pub(crate) fn on(listener: TcpListener, name: &'static str) -> Self {
        let address = listener.local_addr().unwrap();
        let accepted = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&accepted);
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                counter.fetch_add(1, Ordering::SeqCst);
                connections.spawn(async move {
                    let (mut from, mut to) = stream.split();
                    to.write_all(name.as_bytes()).await?;
                    tokio::io::copy(&mut from, &mut to).await?;
                    to.shutdown().await
                });
            }
        });
        Self {
            address,
            accepted,
            task,
        }
    }

    pub(crate) fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }

    pub(crate) fn publishes(&self) -> [(&'static str, String); 1] {
        [("db", self.address.to_string())]
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub(crate) async fn lead(cluster: &Cluster, address: &str) -> incumbent::Leadership {
    cluster.lead(&[("db", address)]).await
}

pub(crate) async fn lead_at(cluster: &Cluster, node: &Node) -> incumbent::Leadership {
    let [(name, address)] = node.publishes();
    cluster.lead(&[(name, &address)]).await
}

pub(crate) async fn hears(stream: &mut TcpStream, wanted: &str) {
    let mut got = vec![0; wanted.len()];
    soon(stream.read_exact(&mut got)).await.unwrap();
    assert_eq!(String::from_utf8_lossy(&got), wanted);
}

pub(crate) async fn echoes(stream: &mut TcpStream, text: &str) {
    stream.write_all(text.as_bytes()).await.unwrap();
    hears(stream, text).await;
}

/// Waits for its end, and gives back what came before. An error is one of a connection that was
/// broken off.
pub(crate) async fn rest(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut rest = Vec::new();
    soon(stream.read_to_end(&mut rest)).await.map(|_| rest)
}

pub(crate) async fn is_reset(stream: &mut TcpStream) {
    let error = rest(stream).await.expect_err("it is broken off");
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
}
