//! JobManagers on one store, which is in memory or in a directory.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use incumbent::backend::Backend;
use incumbent::{Creation, Epoch, Store, Timing, TimingOptions};
use incumbent_backend_memory::MemoryBackend;
use incumbent_cluster_core::leader::{Answer, Question};
use incumbent_cluster_core::record::{JobRecord, JobState};
use incumbent_cluster_core::view::{ClusterView, JobView};
use incumbent_cluster_core::{Incarnation, Isolation, JobId, JobSpec};
use incumbent_cluster_node::{JobManager, JobManagerHandle, Node, NodeOptions};
use incumbent_conformance::{Faults, Unreliable};
use incumbent_gateway::worker::{WorkerNonce, answer};
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tower_service::Service as _;

use super::counting::Counting;

/// Generous: nothing here takes so long unless it fails. Hundreds of jobs take a minute on a
/// machine that has a tenth of one core for them.
pub(super) const PATIENCE: Duration = Duration::from_secs(300);

/// A lease that a busy machine keeps, and that a test can wait for.
const LEASE: Duration = Duration::from_secs(3);

/// Pause between two looks at what is waited for.
const LOOK: Duration = Duration::from_millis(10);

/// Where the records of one test are.
pub(super) enum Place {
    Memory(Arc<Counting<MemoryBackend>>, tempfile::TempDir),
    Directory(tempfile::TempDir),
    Server(Server),
}

/// Records on a server, and blobs in a directory.
pub(super) struct Server {
    pub(super) address: String,
    pub(super) dir: tempfile::TempDir,
    /// What ends with the test.
    pub(super) _keep: Box<dyn std::any::Any + Send + Sync>,
}

/// A JobManager, with its own connection to the store.
pub(super) struct Manager {
    pub(super) node: Node,
    pub(super) handle: JobManagerHandle,
    /// What cuts it off from the store, if that is in memory.
    store: Option<Unreliable>,
    running: JoinHandle<()>,
    serving: JoinHandle<()>,
    stop: Option<oneshot::Sender<()>>,
}

impl Place {
    pub(super) fn memory() -> Self {
        let address = "memory:".parse().unwrap();
        let backend = Arc::new(Counting::new(MemoryBackend::open(&address).unwrap()));
        Self::Memory(backend, tempfile::tempdir().unwrap())
    }

    pub(super) fn directory() -> Self {
        Self::Directory(tempfile::tempdir().unwrap())
    }

    /// How often the record of this job was written, if they are in memory.
    pub(super) fn writes(&self, job: JobId) -> usize {
        match self {
            Self::Memory(backend, _) => backend.writes(&job.record()),
            Self::Directory(_) | Self::Server(_) => panic!("nobody counts"),
        }
    }

    /// The directory of the blobs.
    pub(super) fn blobs(&self) -> PathBuf {
        let (Self::Memory(_, dir) | Self::Directory(dir) | Self::Server(Server { dir, .. })) = self;
        dir.path().join("blobs")
    }

    /// A node without a part.
    pub(super) async fn node(&self, name: &str, bound: SocketAddr) -> Node {
        self.node_with(name, bound, |_| {}).await
    }

    /// The same, started with other options than the rest.
    pub(super) async fn node_with(
        &self,
        name: &str,
        bound: SocketAddr,
        change: impl FnOnce(&mut NodeOptions),
    ) -> Node {
        self.open(name, bound, LEASE, change).await.0
    }

    async fn open(
        &self,
        name: &str,
        bound: SocketAddr,
        lease: Duration,
        change: impl FnOnce(&mut NodeOptions),
    ) -> (Node, Option<Unreliable>) {
        let (store, unreliable) = match self {
            Self::Memory(backend, _) => {
                let backend: Arc<dyn Backend> = backend.clone();
                let unreliable = Unreliable::around(backend, 1, Faults::NONE);
                (Store::on(unreliable.clone()), Some(unreliable))
            }
            Self::Directory(dir) => {
                let address = format!("file://{}", dir.path().join("ha").display());
                (incumbent::open(&address).await.unwrap(), None)
            }
            Self::Server(server) => (incumbent::open(&server.address).await.unwrap(), None),
        };
        let blobs = format!("file://{}", self.blobs().display());
        let mut options = NodeOptions::new("memory:", blobs, bound);
        options.name = Some(name.to_owned());
        options.timing = Timing::new(TimingOptions::for_lease(lease)).unwrap();
        change(&mut options);
        let node = Node::on(store, options, bound).await.unwrap();
        (node, unreliable)
    }

    /// A JobManager that campaigns.
    pub(super) async fn manager(&self, name: &str) -> Manager {
        self.manager_with(name, LEASE).await
    }

    /// The same, with another lease.
    pub(super) async fn manager_with(&self, name: &str, lease: Duration) -> Manager {
        let (listener, bound) = listen().await;
        let (node, store) = self.open(name, bound, lease, |_| {}).await;
        let manager = JobManager::new(node.clone()).unwrap();
        let handle = manager.handle();
        let serving = tokio::spawn(serve(listener, handle.router(), None));
        let (stop, stopped) = oneshot::channel();
        let running = tokio::spawn(manager.run(async move {
            // A sender that is gone ends it, too.
            let _ = stopped.await;
        }));
        Manager {
            node,
            handle,
            store,
            running,
            serving,
            stop: Some(stop),
        }
    }
}

impl Manager {
    /// Waits until it leads.
    pub(super) async fn leads(&self) {
        wait("it leads", async || self.node.role().guard().is_some()).await;
    }

    /// Ends it as a crash does, apart from the term that it gives up.
    pub(super) async fn crash(mut self) {
        self.running.abort();
        self.serving.abort();
        // What it was waiting for.
        let _ = (&mut self.running).await;
        let _ = (&mut self.serving).await;
    }

    /// Ends it in order.
    pub(super) async fn stop(mut self) {
        drop(self.stop.take());
        (&mut self.running).await.unwrap();
        self.serving.abort();
    }

    /// Cuts it off from the store.
    pub(super) fn cut(&self) {
        self.store.as_ref().unwrap().set_faults(Faults::CUT);
    }

    /// Lets its store lose requests and answers, or stops that.
    pub(super) fn rage(&self, is_raging: bool) {
        let faults = if is_raging {
            Faults::RAGING
        } else {
            Faults::NONE
        };
        self.store.as_ref().unwrap().set_faults(faults);
    }

    /// Lets its store do what it is asked, and lose the answers.
    pub(super) fn lose_answers(&self) {
        let faults = Faults {
            lost_answer: 1.0,
            ..Faults::NONE
        };
        self.store.as_ref().unwrap().set_faults(faults);
    }

    /// Lets each of its calls to the store take a while, up to this before it happens.
    pub(super) fn slow_store(&self, delay: Duration) {
        let faults = Faults {
            delay,
            ..Faults::NONE
        };
        self.store.as_ref().unwrap().set_faults(faults);
    }

    pub(super) async fn ask(&self, question: Question) -> Answer {
        let answer = tokio::time::timeout(PATIENCE, self.handle.ask(question));
        answer.await.expect("an answer in time").expect("it leads")
    }

    pub(super) async fn job(&self, id: JobId) -> JobView {
        match self.ask(Question::Job(id)).await {
            Answer::Job(job) => *job,
            other => panic!("{other:?}"),
        }
    }

    pub(super) async fn cluster(&self) -> ClusterView {
        match self.ask(Question::Cluster).await {
            Answer::Cluster(cluster) => *cluster,
            other => panic!("{other:?}"),
        }
    }

    /// Waits until the job is in this state.
    pub(super) async fn until(&self, id: JobId, state: JobState) -> JobView {
        let last = std::cell::RefCell::new(None);
        let reached = async || {
            let job = self.job(id).await;
            let is_reached = job.state == state;
            *last.borrow_mut() = Some(job);
            is_reached
        };
        let what = format!("job {id} is {state:?}");
        let waited = tokio::time::timeout(PATIENCE, poll(reached)).await;
        let last = last.into_inner();
        assert!(waited.is_ok(), "not reached: {what}; it is {last:#?}");
        last.unwrap()
    }
}

/// A JobManager on a thread of its own, which can be stopped as a signal stops a process.
pub(super) struct Apart {
    pub(super) address: String,
    pub(super) epoch: Epoch,
    stops: tokio::sync::mpsc::UnboundedSender<Duration>,
    _thread: std::thread::JoinHandle<()>,
}

impl Apart {
    /// One that leads.
    pub(super) async fn leads(place: &Arc<Place>, name: &'static str) -> Self {
        let (stops, mut asked) = tokio::sync::mpsc::unbounded_channel();
        let (begun, begins) = oneshot::channel();
        let place = Arc::clone(place);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime.unwrap().block_on(async {
                let manager = place.manager(name).await;
                manager.leads().await;
                let epoch = manager.node.role().guard().unwrap().epoch();
                begun
                    .send((manager.node.address().to_owned(), epoch))
                    .unwrap();
                while let Some(time) = asked.recv().await {
                    // Nobody sends: it blocks this thread, and all that runs on it.
                    let (_sender, nothing) = std::sync::mpsc::channel::<()>();
                    let _ = nothing.recv_timeout(time);
                }
            });
        });
        let (address, epoch) = begins.await.unwrap();
        Self {
            address,
            epoch,
            stops,
            _thread: thread,
        }
    }

    /// Stops it for so long, from this moment on.
    pub(super) fn stop(&self, time: Duration) {
        self.stops.send(time).unwrap();
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        self.running.abort();
        self.serving.abort();
    }
}

pub(super) async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let bound = listener.local_addr().unwrap();
    (listener, bound)
}

/// Serves as the server of a node does: challenges for a process that has a nonce, and requests
/// that say where they come from.
pub(super) async fn serve(listener: TcpListener, router: Router, nonce: Option<WorkerNonce>) {
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let (stream, peer) = listener.accept().await.unwrap();
        connections.spawn(connection(stream, peer, router.clone(), nonce));
    }
}

async fn connection(
    mut stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    nonce: Option<WorkerNonce>,
) {
    let mut first = [0];
    let _ = stream.peek(&mut first).await;
    if let (b'i', Some(nonce)) = (first[0], nonce) {
        let _ = answer(&mut stream, nonce).await;
        return;
    }
    let service = service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        router.clone().call(request)
    });
    let builder = auto::Builder::new(TokioExecutor::new());
    let _ = builder
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

/// Waits until something is so.
pub(super) async fn wait(what: &str, is_so: impl AsyncFn() -> bool) {
    let waited = tokio::time::timeout(PATIENCE, poll(is_so)).await;
    assert!(waited.is_ok(), "waited in vain until {what}");
}

async fn poll(is_so: impl AsyncFn() -> bool) {
    while !is_so().await {
        tokio::time::sleep(LOOK).await;
    }
}

/// A job of so many tasks, as its owner describes it.
pub(super) fn spec(name: &str, tasks: u32) -> JobSpec {
    let spec = json!({ "name": name, "tasks": tasks, "command": ["sleep", "1000"] });
    serde_json::from_value(spec).unwrap()
}

/// The same, of a job whose next attempt may overlap the one before.
pub(super) fn fenced(name: &str, tasks: u32) -> JobSpec {
    JobSpec {
        isolation: Isolation::Fenced,
        ..spec(name, tasks)
    }
}

/// The same, of a job that checkpoints, far more often than any job of a person.
pub(super) fn checkpointing(name: &str, tasks: u32) -> JobSpec {
    let spec = json!({
        "name": name,
        "tasks": tasks,
        "command": ["sleep", "1000"],
        "checkpoints": { "interval_ms": 50 },
    });
    serde_json::from_value(spec).unwrap()
}

/// The record that a submission creates.
pub(super) fn record(id: JobId, spec: JobSpec) -> JobRecord {
    let submitted_at = "2026-01-01T00:00:00Z".to_owned();
    JobRecord::new(id, Incarnation::new(rand::random()), spec, submitted_at, 0)
}

/// Submits a job as any node does: without leading.
pub(super) async fn submit(node: &Node, spec: JobSpec) -> JobId {
    let id = JobId::new(rand::random());
    let created = node.group().create(&id.record(), &record(id, spec)).await;
    assert!(matches!(created.unwrap(), Creation::Created(_)));
    id
}
