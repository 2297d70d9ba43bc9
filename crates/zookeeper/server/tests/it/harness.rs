//! Starts servers in this process, and sends requests to them.

use std::future::Future;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use incumbent_leader_server::{Monitor, Options, ServeError, Server};
use incumbent_zk_probe::{Error, Probe, again, new_session};
use incumbent_zk_proto::{
    Acl, Code, ConnectRequest, ConnectResponse, Create, CreateKind, Request, Response,
};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Far more than anything here takes, even on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A session that no test outlives.
pub(crate) const LONG_MS: i32 = 40_000;

pub(crate) const EPHEMERAL: i32 = 1;
pub(crate) const SEQUENTIAL: i32 = 2;

/// A server that runs in this process.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) tls_address: Option<SocketAddr>,
    pub(crate) monitor: Monitor,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<Result<(), ServeError>>,
}

impl Running {
    pub(crate) async fn start(options: Options) -> Self {
        crate::raw::listen_to_the_log();
        let server = Server::bind(options).await.unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        Self {
            address: server.addresses()[0],
            tls_address: server.tls_address(),
            monitor: server.monitor(),
            stop,
            serving: tokio::spawn(server.run(async {
                let _ = stopped.await;
            })),
        }
    }

    /// Stops it.
    pub(crate) async fn stop(self) {
        self.stop.send(()).unwrap();
        soon(self.serving).await.unwrap().unwrap();
    }

    /// Waits until it ends by itself.
    pub(crate) async fn ended(self) -> Result<(), ServeError> {
        soon(self.serving).await.unwrap()
    }

    pub(crate) async fn client(&self) -> Probe {
        client(self.address).await
    }

    pub(crate) async fn client_with(&self, timeout_ms: i32) -> Probe {
        connect(self.address, &new_session(timeout_ms))
            .await
            .unwrap()
    }

    pub(crate) async fn come_back(&self, granted: &ConnectResponse) -> Result<Probe, Error> {
        connect(self.address, &again(granted)).await
    }
}

/// Options for a server with this directory and small files.
pub(crate) fn kept_in(dir: &Path) -> Options {
    Options {
        data_dir: Some(dir.to_owned()),
        journal: small_journal(),
        max_frame: 64 << 10,
        ..Options::local()
    }
}

fn small_journal() -> incumbent_journal::Options {
    incumbent_journal::Options {
        segment_bytes: 2 << 20,
        buffer_bytes: 512 << 10,
        ..incumbent_journal::Options::default()
    }
}

/// The result of a future that must come within [`PATIENCE`].
#[track_caller]
pub(crate) fn soon<T>(future: impl Future<Output = T>) -> impl Future<Output = T> {
    let caller = std::panic::Location::caller();
    async move {
        match tokio::time::timeout(PATIENCE, future).await {
            Ok(done) => done,
            Err(_) => panic!("{caller}: nothing came in {PATIENCE:?}"),
        }
    }
}

/// Waits until a condition holds.
#[track_caller]
pub(crate) fn until(what: &str, mut condition: impl FnMut() -> bool) -> impl Future<Output = ()> {
    let looking = async move {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let caller = std::panic::Location::caller();
    async move {
        if tokio::time::timeout(PATIENCE, looking).await.is_err() {
            panic!("{caller}: waited {PATIENCE:?} until {what}");
        }
    }
}

pub(crate) async fn connect(
    address: SocketAddr,
    request: &ConnectRequest<'_>,
) -> Result<Probe, Error> {
    soon(Probe::connect(address, request)).await
}

pub(crate) async fn client(address: SocketAddr) -> Probe {
    connect(address, &new_session(LONG_MS)).await.unwrap()
}

/// Sends a request. Returns the reply or its error.
#[track_caller]
pub(crate) fn ask(
    probe: &mut Probe,
    request: &Request<'_>,
) -> impl Future<Output = Result<Response, Code>> {
    let asked = soon(probe.call(request));
    async move {
        let reply = asked.await.unwrap();
        let code = reply.code();
        reply.result.map_err(|_| code.expect("a code with a name"))
    }
}

/// Sends a request that must not be refused.
#[track_caller]
pub(crate) fn done(probe: &mut Probe, request: &Request<'_>) -> impl Future<Output = Response> {
    let caller = std::panic::Location::caller();
    let asked = ask(probe, request);
    async move {
        asked
            .await
            .unwrap_or_else(|code| panic!("{caller}: refused: {code:?}"))
    }
}

/// Whether a node exists.
pub(crate) async fn is_there(probe: &mut Probe, path: &str) -> bool {
    let exists = Request::Exists { path, watch: false };
    match ask(probe, &exists).await {
        Ok(_) => true,
        Err(Code::NoNode) => false,
        Err(code) => panic!("{path}: {code:?}"),
    }
}

/// The data of a node that exists.
pub(crate) async fn data(probe: &mut Probe, path: &str) -> Vec<u8> {
    match done(probe, &Request::GetData { path, watch: false }).await {
        Response::Data(data, _) => data.unwrap_or_default().to_vec(),
        other => panic!("{other:?}"),
    }
}

pub(crate) fn create(path: &str) -> Request<'_> {
    create_with(path, 0, b"x")
}

pub(crate) fn create_with<'a>(path: &'a str, flags: i32, data: &'a [u8]) -> Request<'a> {
    Request::Create(Create {
        path,
        data: Some(data),
        acl: vec![Acl::open()],
        flags,
        kind: CreateKind::Plain,
    })
}

pub(crate) fn set<'a>(path: &'a str, data: &'a [u8]) -> Request<'a> {
    Request::SetData {
        path,
        data: Some(data),
        version: -1,
    }
}

pub(crate) fn delete(path: &str) -> Request<'_> {
    Request::Delete { path, version: -1 }
}

pub(crate) fn get_data(path: &str) -> Request<'_> {
    Request::GetData { path, watch: false }
}

pub(crate) fn children(path: &str) -> Request<'_> {
    Request::GetChildren {
        path,
        watch: false,
        stat: false,
    }
}
