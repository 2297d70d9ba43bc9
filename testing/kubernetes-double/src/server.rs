//! The sockets: listening, connections, going down and coming back. It has its own thread, so it
//! answers even while its test blocks.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use http_body_util::BodyExt as _;
use hyper::Request;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::request::status::Refusal;
use crate::world::World;

/// How many connections may wait to be accepted.
const BACKLOG: u32 = 1024;
/// The largest body that is read. The real server's limit.
const BODY: usize = 3 * 1024 * 1024;
/// How much of a larger body is still received, so that its sender reads the refusal.
const BODY_DRAINED: usize = 64 * 1024 * 1024;

/// An order to the thread, which answers when it is done.
pub(crate) struct Order {
    pub(crate) what: What,
    pub(crate) done: std::sync::mpsc::SyncSender<io::Result<()>>,
}

/// What an order is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// Refuse connections, and cut those that are there.
    GoDown,
    /// Listen again.
    ComeBack,
}

/// The door to the port.
enum Door {
    Open(TcpListener),
    /// Bound, so that no other process gets the port, and not listening, so that connections are
    /// refused.
    Shut(TcpSocket),
}

/// Binds the port.
pub(crate) fn bind(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    // The port is bound again after the connections on it were cut.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

/// Serves until the sender of orders is gone.
pub(crate) async fn serve(world: Arc<World>, socket: TcpSocket, mut orders: mpsc::Receiver<Order>) {
    let Ok(address) = socket.local_addr() else {
        return;
    };
    let Ok(listener) = socket.listen(BACKLOG) else {
        return;
    };
    let (mut door, mut connections) = (Door::Open(listener), JoinSet::new());
    loop {
        tokio::select! {
            order = orders.recv() => {
                let Some(order) = order else { return };
                let (now, result) = match (order.what, door) {
                    (What::GoDown, Door::Open(listener)) => {
                        drop(listener);
                        connections.shutdown().await;
                        // The port was this process's a moment ago.
                        (Door::Shut(bind(address).expect("the port is free again")), Ok(()))
                    }
                    (What::ComeBack, Door::Shut(socket)) => {
                        (Door::Open(socket.listen(BACKLOG).expect("a bound socket can listen")), Ok(()))
                    }
                    (_, door) => (door, Ok(())),
                };
                door = now;
                // The receiver may be gone.
                let _ = order.done.send(result);
            }
            accepted = accept(&door) => {
                let world = world.clone();
                connections.spawn(connection(world, accepted));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn accept(door: &Door) -> TcpStream {
    let Door::Open(listener) = door else {
        return std::future::pending().await;
    };
    loop {
        // A client may leave before it is accepted.
        if let Ok((stream, _)) = listener.accept().await {
            return stream;
        }
    }
}

async fn connection(world: Arc<World>, stream: TcpStream) {
    // Watches send little and often.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request: Request<Incoming>| {
        let world = world.clone();
        async move {
            let (parts, body) = request.into_parts();
            let body = read(body).await;
            world.answer(&parts, body).await
        }
    });
    // An error means that the client or a fault cut the connection.
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn read(mut body: Incoming) -> Result<Bytes, Refusal> {
    let (mut whole, mut length) = (Vec::new(), 0);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Refusal::bad_request(error.to_string()))?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        length += data.len();
        if length > BODY_DRAINED {
            break;
        }
        if length <= BODY {
            whole.extend_from_slice(&data);
        }
    }
    if length > BODY {
        let message = format!("Request entity too large: limit is {BODY}");
        return Err(Refusal::new(413, "RequestEntityTooLarge", message));
    }
    Ok(Bytes::from(whole))
}
