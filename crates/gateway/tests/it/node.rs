//! The layer inside of a node.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::routing::{any, get};
use http::{Method, StatusCode};
use incumbent::Leadership;
use incumbent_gateway::{Gateway, NodeLayer, Peer, Role};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinHandle;

use crate::harness::{Cluster, Reply, options, send, soon, until};

/// One piece after the other, for ever.
async fn endless() -> axum::body::Body {
    let pieces = futures::stream::unfold((), async |()| {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        Some((Ok::<_, std::convert::Infallible>("piece"), ()))
    });
    axum::body::Body::from_stream(pieces)
}

/// A node that answers what it can, and passes on the rest.
struct Node {
    address: SocketAddr,
    role: Role,
    working: Arc<Semaphore>,
    go_on: Arc<Notify>,
    serving: JoinHandle<()>,
}

impl Node {
    async fn new(cluster: &Cluster, name: &'static str, passes_on: bool) -> Self {
        let role = Role::default();
        let gateway = Gateway::new(&cluster.group(), options()).unwrap();
        let mut layer = NodeLayer::new(role.clone())
            .peer(|extensions| Some(Peer::plain(extensions.get::<ConnectInfo<SocketAddr>>()?.0)));
        if passes_on {
            layer = layer.pass_on(gateway.handle());
        }
        let (working, go_on) = (Arc::new(Semaphore::new(0)), Arc::new(Notify::new()));
        let (says, waits) = (Arc::clone(&working), Arc::clone(&go_on));
        let slow = async move || {
            says.add_permits(1);
            waits.notified().await;
            name
        };
        let led = Router::new()
            .route("/lead", any(async move || name))
            .route("/slow", any(slow))
            .route("/endless", get(endless))
            .layer(layer);
        // What every node answers itself.
        let routes = led.route("/own", get(async move || name));
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let service = routes.into_make_service_with_connect_info::<SocketAddr>();
        let serving = tokio::spawn(async move { axum::serve(socket, service).await.unwrap() });
        Self {
            address,
            role,
            working,
            go_on,
            serving,
        }
    }

    async fn lead(&self, cluster: &Cluster) -> Leadership {
        let leadership = cluster.campaign().await;
        self.role.leads(leadership.guard());
        let address = self.address.to_string();
        leadership
            .publish(&"web".parse().unwrap(), &address)
            .await
            .unwrap();
        leadership.activate().await.unwrap();
        leadership
    }

    async fn get(&self, path: &str) -> Reply {
        self.send(Method::GET, path, &[]).await
    }

    async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)]) -> Reply {
        soon(send(self.address, method, path, headers, ""))
            .await
            .unwrap()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

#[tokio::test]
async fn any_node_answers_what_it_can_and_passes_on_the_rest() {
    let cluster = Cluster::new().await;
    let (one, two) = (
        Node::new(&cluster, "one", true).await,
        Node::new(&cluster, "two", true).await,
    );
    let leadership = one.lead(&cluster).await;
    for node in [&one, &two] {
        assert_eq!(node.get("/lead").await.text(), "one");
    }
    assert_eq!(two.get("/own").await.text(), "two");
    leadership.resign(None).await;
    let _second = two.lead(&cluster).await;
    until("the first sees it", || one.role.guard().is_none()).await;
    for node in [&one, &two] {
        assert_eq!(node.get("/lead").await.text(), "two");
    }
}

#[tokio::test]
async fn a_node_answers_for_its_own_term_only() {
    let cluster = Cluster::new().await;
    let node = Node::new(&cluster, "one", true).await;
    let meant = async |epoch: &str| {
        node.send(Method::POST, "/lead", &[("incumbent-epoch", epoch)])
            .await
    };
    let before = meant("1").await;
    before.is_problem(421, "not-leading");
    assert_eq!(before.headers["incumbent-epoch"], "0", "it has never led");
    let leadership = node.lead(&cluster).await;
    assert_eq!(meant("1").await.text(), "one");
    for wrong in ["0", "2", "x", ""] {
        let reply = meant(wrong).await;
        reply.is_problem(421, "not-leading");
        assert_eq!(reply.headers["incumbent-epoch"], "1");
    }
    leadership.resign(None).await;
    meant("1").await.is_problem(421, "not-leading");
}

/// The handler works on, but what it says is not said any more.
#[tokio::test]
async fn a_node_never_answers_as_leader_after_its_term() {
    let cluster = Cluster::new().await;
    let node = Node::new(&cluster, "one", false).await;
    let mut terms = 0;
    for (method, status, name) in [
        (Method::GET, 421, "not-leading"),
        (Method::POST, 503, "term-ended"),
    ] {
        let leadership = node.lead(&cluster).await;
        terms += 1;
        let (address, epoch) = (node.address, leadership.epoch().to_string());
        assert_eq!(epoch, terms.to_string());
        let asked = tokio::spawn(async move {
            send(address, method, "/slow", &[("incumbent-epoch", &epoch)], "")
                .await
                .unwrap()
        });
        soon(node.working.acquire()).await.unwrap().forget();
        leadership.resign(None).await;
        node.go_on.notify_one();
        soon(asked).await.unwrap().is_problem(status, name);
    }
}

/// Through a gateway: the old leader's late answer is replaced by the new leader's, if that is safe.
#[tokio::test]
async fn a_get_that_outlives_a_term_is_answered_by_the_next_leader() {
    let cluster = Cluster::new().await;
    let (one, two) = (
        Node::new(&cluster, "one", false).await,
        Node::new(&cluster, "two", false).await,
    );
    let front = cluster.gateway().await;
    let leadership = one.lead(&cluster).await;
    let address = front.address;
    let asked = |method: Method| {
        tokio::spawn(async move { send(address, method, "/slow", &[], "").await.unwrap() })
    };
    let (safe, once) = (asked(Method::GET), asked(Method::POST));
    soon(one.working.acquire_many(2)).await.unwrap().forget();
    leadership.resign(None).await;
    one.go_on.notify_waiters();
    soon(once).await.unwrap().is_problem(503, "term-ended");
    until("the other is held", || front.handle.status().held == 1).await;
    let _second = two.lead(&cluster).await;
    soon(two.working.acquire()).await.unwrap().forget();
    two.go_on.notify_one();
    assert_eq!(soon(safe).await.unwrap().text(), "two");
}

#[tokio::test]
async fn a_node_that_passes_nothing_on_says_that_it_does_not_lead() {
    let cluster = Cluster::new().await;
    let node = Node::new(&cluster, "one", false).await;
    let reply = node.get("/lead").await;
    assert_eq!(reply.status, StatusCode::MISDIRECTED_REQUEST);
}

#[tokio::test]
async fn a_body_that_has_begun_ends_with_the_term() {
    let cluster = Cluster::new().await;
    let node = Node::new(&cluster, "one", false).await;
    let leadership = node.lead(&cluster).await;
    let mut stream = tokio::net::TcpStream::connect(node.address).await.unwrap();
    let request = b"GET /endless HTTP/1.1\r\nHost: h\r\nIncumbent-Epoch: 1\r\n\r\n";
    stream.write_all(request).await.unwrap();
    crate::harness::read_until(&mut stream, "piece").await;
    leadership.resign(None).await;
    let mut rest = Vec::new();
    // The connection breaks, without the last chunk.
    let _ = soon(stream.read_to_end(&mut rest)).await;
    assert!(!rest.ends_with(b"0\r\n\r\n"));
}
