//! Connections of clients: accepted, served, drained.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt as _;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use http::StatusCode;
use http::header::{CONNECTION, HeaderValue};
use http::{Request, Version};
use hyper::body::{Body as _, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use crate::answer::flow::{Flow, Streams};
use crate::answer::tunnel::{Tunnel, Tunnels};
use crate::client::listener::Listener;
use crate::client::refusal::Refusal;
use crate::forward::forward;
use crate::lanes::Lanes;
use crate::request::activity::{Activity, Busy};
use crate::request::client::Client;
use crate::request::client::Peer;
use crate::request::tape::source;
use crate::shared::Shared;
use crate::stream::insertions::Insertions;
use crate::stream::{self, Stream};

/// How long not to accept after the system refused to: it has no more descriptors, and needs time
/// to get some back.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How often a connection of HTTP/2 is asked whether it lives, and how long it may take to say so.
const PING: Duration = Duration::from_secs(20);
/// How long a handshake of TLS may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long before the end of a shutdown what still waits for a leader or its answer is answered,
/// so that the answers arrive; a quarter of it at most.
const LAST_ANSWERS: Duration = Duration::from_secs(1);
/// How long a connection that is idle when a shutdown begins may still send a request, which may be
/// on its way; a tenth of the shutdown at most.
const LAST_REQUEST: Duration = Duration::from_millis(250);
/// How many fields hyper reads if nothing is said.
const USUAL_FIELDS: usize = 100;

/// What else a connection has to do with than its requests.
enum Interruption {
    /// The gateway ends.
    Stop,
    /// The gateway ends, and the connection has been idle since.
    End,
    /// It is time to see whether it is idle. HTTP/1.1 looks after itself once its first byte has
    /// come; this is for all others that say nothing.
    Look,
}

pub(crate) async fn run(
    shared: Arc<Shared>,
    lanes: Option<Lanes>,
    listeners: Vec<Listener>,
    shutdown: impl Future<Output = ()>,
) {
    let (stop, stopping) = watch::channel(false);
    let mut doors = JoinSet::new();
    let lanes = lanes.map(Arc::new);
    for listener in listeners {
        let (shared, lanes, stopping) = (Arc::clone(&shared), lanes.clone(), stopping.clone());
        doors.spawn(accept(shared, lanes, listener, stopping));
    }
    let following = async {
        match &shared.front {
            Some(front) => front.follow().await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = shutdown => {}
        () = following => {}
    }
    let _ = stop.send(true);
    let mut drained = pin!(async { while doors.join_next().await.is_some() {} });
    let drain = shared.options.times.drain;
    let notice = LAST_ANSWERS.min(drain / 4);
    if timeout(drain - notice, drained.as_mut()).await.is_ok() {
        return;
    }
    shared.wait_no_longer();
    if timeout(notice, drained).await.is_err() {
        tracing::info!("the time to shut down is over; cutting the connections that are left");
    }
    // Dropping the doors ends what is left behind them.
}

/// Accepts until told to stop; then waits for its connections.
async fn accept(
    shared: Arc<Shared>,
    lanes: Option<Arc<Lanes>>,
    listener: Listener,
    mut stopping: watch::Receiver<bool>,
) {
    let Listener { socket, tls } = listener;
    let mut connections = JoinSet::new();
    loop {
        let accepted = async {
            loop {
                match socket.accept().await {
                    Ok(accepted) => return accepted,
                    // The client may be gone already. Other errors pass, too.
                    Err(error) => {
                        tracing::debug!(%error, "cannot accept a connection; retrying in 50 ms");
                        sleep(ACCEPT_PAUSE).await;
                    }
                }
            }
        };
        let (stream, peer) = tokio::select! {
            accepted = accepted => accepted,
            Some(_) = connections.join_next() => continue,
            () = stopped(&mut stopping) => break,
        };
        // The one that was accepted waits here, the others in the queue of the system.
        let permit = tokio::select! {
            permit = Arc::clone(&shared.doors).acquire_owned() => permit.expect("nobody closes it"),
            () = stopped(&mut stopping) => break,
        };
        let (shared, stopping) = (Arc::clone(&shared), stopping.clone());
        let Some(lanes) = &lanes else {
            connections.spawn(connection(shared, stream, peer, tls, permit, stopping));
            continue;
        };
        // It is told of by the runtime that it was accepted in; the other one has to hear of it
        // instead.
        let Ok(stream) = stream.into_std() else {
            continue;
        };
        let served = async move {
            match TcpStream::from_std(stream) {
                Ok(stream) => connection(shared, stream, peer, tls, permit, stopping).await,
                Err(error) => tracing::debug!(%error, "cannot serve a connection"),
            }
        };
        connections.spawn_on(served, lanes.next());
    }
    drop(socket);
    while connections.join_next().await.is_some() {}
}

async fn connection(
    shared: Arc<Shared>,
    stream: TcpStream,
    address: SocketAddr,
    tls: bool,
    _permit: OwnedSemaphorePermit,
    stopping: watch::Receiver<bool>,
) {
    let _counted = Counted::new(&shared);
    stream::prepare(&stream);
    let stall = shared.options.times.stall;
    let activity = Arc::new(Activity::default());
    let front = shared.front.as_ref().filter(|_| tls);
    let (stream, certificate) = match front {
        None => (Stream::plain(stream, stall).lingering(&activity), None),
        Some(front) => {
            let accepted = TlsAcceptor::from(front.now()).accept(stream);
            let Ok(Ok(stream)) = timeout(HANDSHAKE, accepted).await else {
                tracing::debug!(%address, "a client did not complete the TLS handshake; closing its connection");
                return;
            };
            let shown = stream.get_ref().1.peer_certificates();
            let shown = shown.and_then(|chain| chain.first());
            let certificate = shown.map(|first| Bytes::copy_from_slice(first));
            (Stream::tls(stream, stall).lingering(&activity), certificate)
        }
    };
    let insertions = Insertions::default();
    let heard = Arc::<AtomicBool>::default();
    let stream = stream
        .with_insertions(insertions.clone())
        .noting(Arc::clone(&heard));
    let peer = Peer {
        address,
        tls,
        certificate,
    };
    let client = Arc::new(Client::new(peer).with_insertions(insertions));
    let place: Arc<Mutex<Option<Tunnel>>> = Arc::default();
    serve(&shared, stream, client, &heard, &place, activity, stopping).await;
    let tunnel = place.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(tunnel) = tunnel {
        tunnel.await;
    }
}

async fn serve(
    shared: &Arc<Shared>,
    stream: Stream,
    client: Arc<Client>,
    heard: &Arc<AtomicBool>,
    place: &Arc<Mutex<Option<Tunnel>>>,
    activity: Arc<Activity>,
    stopping: watch::Receiver<bool>,
) {
    let service = service_fn(|request: Request<Incoming>| {
        let (shared, client) = (Arc::clone(shared), Arc::clone(&client));
        let tunnels = Tunnels::Connection(Arc::clone(place));
        let busy = Busy::new(&activity, heard);
        let stopping = stopping.clone();
        async move {
            let has_body = !request.body().is_end_stream();
            let is_http2 = request.version() == Version::HTTP_2;
            let request = request.map(source);
            let response = forward(&shared, request, &client, tunnels).await;
            let mut response =
                response.map(|answer| answer.of(busy, has_body).flowing(Flow::current()));
            if *stopping.borrow()
                && !is_http2
                && response.status() != StatusCode::SWITCHING_PROTOCOLS
            {
                let close = HeaderValue::from_static("close");
                response.headers_mut().insert(CONNECTION, close);
            }
            Ok::<_, Infallible>(response)
        }
    });
    let builder = builder(shared);
    let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
    let mut connection: Pin<&mut _> = pin!(connection);
    let head = shared.options.times.head;
    let last_request = LAST_REQUEST.min(shared.options.times.drain / 10);
    // Asked only when they have something to say, and not with everything that happens on the
    // connection.
    let mut interruptions = FuturesUnordered::<BoxFuture<'_, Interruption>>::new();
    let mut stop = stopping.clone();
    interruptions.push(Box::pin(async move {
        stopped(&mut stop).await;
        Interruption::Stop
    }));
    let look = || async move {
        sleep(head).await;
        Interruption::Look
    };
    interruptions.push(Box::pin(look()));
    loop {
        let interruption = tokio::select! {
            biased;
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(address = %client.peer.address, %error, "a connection ended early");
                    let has_begun = heard.load(Ordering::Relaxed);
                    if let Some(refusal) = Refusal::of(&*error, has_begun) {
                        refusal.report(&client.peer);
                    }
                }
                return;
            }
            Some(interruption) = interruptions.next() => interruption,
        };
        match interruption {
            Interruption::Stop if activity.is_busy() => connection.as_mut().graceful_shutdown(),
            // A request may be on its way already. It is answered, and told that it is the last.
            Interruption::Stop => interruptions.push(Box::pin(async move {
                sleep(last_request).await;
                Interruption::End
            })),
            Interruption::End => connection.as_mut().graceful_shutdown(),
            Interruption::Look if activity.look_idle() => {
                connection.as_mut().graceful_shutdown();
                // A connection that has not even begun to speak HTTP does not end by that.
                let _ = timeout(ACCEPT_PAUSE, connection.as_mut()).await;
                return;
            }
            Interruption::Look => interruptions.push(Box::pin(look())),
        }
    }
}

async fn stopped(stopping: &mut watch::Receiver<bool>) {
    // A sender that is gone means the same.
    let _ = stopping.wait_for(|stopping| *stopping).await;
}

fn builder(shared: &Shared) -> auto::Builder<Streams> {
    let limits = &shared.options.limits;
    let head = limits.longest_head();
    let mut builder = auto::Builder::new(Streams::new(shared.options.times.stall));
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(shared.options.times.head)
        .max_buf_size(head);
    // Said to be what it is anyway, it takes room from the heap for every request.
    if limits.fields != USUAL_FIELDS {
        builder.http1().max_headers(limits.fields);
    }
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.streams)
        .max_header_list_size(u32::try_from(2 * head).unwrap_or(u32::MAX))
        .keep_alive_interval(PING)
        .keep_alive_timeout(PING);
    builder
}

/// A connection that is there.
struct Counted(Arc<Shared>);

impl Counted {
    fn new(shared: &Arc<Shared>) -> Self {
        shared.connections.fetch_add(1, Ordering::SeqCst);
        metrics::gauge!("incumbent_gateway_connections").increment(1);
        Self(Arc::clone(shared))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::SeqCst);
        metrics::gauge!("incumbent_gateway_connections").decrement(1);
    }
}
