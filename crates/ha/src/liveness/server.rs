//! The leader's side.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, PoisonError};

use incumbent_core::Nonce;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, watch};

use super::{LONGEST_LINE, greeting};

/// Most standbys that are served; further ones wait for the lease.
const MOST_CONNECTIONS: usize = 4096;

/// Says the nonce of the present term to whoever connects, until it is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    listener: TcpListener,
    advertised: String,
    nonce: watch::Sender<Option<Nonce>>,
    task: tokio::task::JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Standbys {
    names: Mutex<BTreeMap<u64, String>>,
}

impl Server {
    /// Listens on `address`, and is known to others as `advertise`, a `host` or `host:port`.
    pub(crate) fn listen(address: SocketAddr, advertise: Option<&str>) -> std::io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let bound = listener.local_addr()?;
        let advertised = match advertise {
            Some(address) if has_port(address) => address.to_owned(),
            Some(host) => format!("{host}:{}", bound.port()),
            None => bound.to_string(),
        };
        let nonce = watch::Sender::new(None);
        let task = tokio::spawn(serve(
            tokio::net::TcpListener::from_std(listener.try_clone()?)?,
            nonce.subscribe(),
        ));
        Ok(Self {
            listener,
            advertised,
            nonce,
            task,
        })
    }

    /// Says this nonce from now on, and ends the connections that were told another one.
    pub(crate) fn say(&self, nonce: Option<Nonce>) {
        self.nonce
            .send_if_modified(|said| std::mem::replace(said, nonce) != nonce);
    }

    pub(crate) fn advertised(&self) -> &str {
        &self.advertised
    }

    /// The listening socket, for a process that holds it open until this leader's work has ended.
    pub(crate) fn socket(&self) -> std::io::Result<TcpListener> {
        self.listener.try_clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Whether `address` ends with a port. An IPv6 address without one is written in brackets.
fn has_port(address: &str) -> bool {
    address
        .rsplit_once(':')
        .is_some_and(|(_, port)| port.parse::<u16>().is_ok())
}

async fn serve(listener: tokio::net::TcpListener, nonce: watch::Receiver<Option<Nonce>>) {
    let standbys = Arc::new(Standbys::default());
    let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    // Connections end with this task, so that an ended leader is seen to be gone.
    let mut connections = tokio::task::JoinSet::new();
    for number in 0.. {
        while connections.try_join_next().is_some() {}
        let place = Arc::clone(&places)
            .acquire_owned()
            .await
            .expect("it is never closed");
        match listener.accept().await {
            Ok((stream, _)) => {
                let (nonce, standbys) = (nonce.clone(), Arc::clone(&standbys));
                connections.spawn(async move {
                    // Whatever goes wrong, the standby finds out by itself.
                    let _ = talk(stream, nonce, &standbys, number).await;
                    standbys.lock().remove(&number);
                    drop(place);
                });
            }
            Err(error) => {
                tracing::debug!(%error, "a standby could not be accepted");
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        }
    }
}

async fn talk(
    mut stream: TcpStream,
    mut nonce: watch::Receiver<Option<Nonce>>,
    standbys: &Standbys,
    number: u64,
) -> std::io::Result<()> {
    let said = *nonce.borrow_and_update();
    stream.write_all(greeting(said).as_bytes()).await?;
    let (reader, mut writer) = stream.split();
    let mut reader = BufReader::new(reader);
    loop {
        let mut line = String::new();
        let mut limited = (&mut reader).take(LONGEST_LINE);
        tokio::select! {
            _ = nonce.changed() => return Ok(()),
            read = limited.read_line(&mut line) => if read? == 0 { return Ok(()) },
        }
        let listed = match line.trim_end().split_once(' ') {
            Some(("standby", name)) => {
                standbys.lock().insert(number, name.to_owned());
                continue;
            }
            None if line.trim_end() == "who" => standbys.list(),
            _ => return Ok(()),
        };
        writer.write_all(listed.as_bytes()).await?;
    }
}

impl Standbys {
    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<u64, String>> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn list(&self) -> String {
        let mut text: String = self
            .lock()
            .values()
            .map(|name| format!("{name}\n"))
            .collect();
        text.push_str(".\n");
        text
    }
}
