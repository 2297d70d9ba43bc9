//! The layer inside a node.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::routing::{any, get};
use futures::StreamExt as _;
use http::{Method, StatusCode};
use incumbent::Leadership;
use incumbent_gateway::{Gateway, NodeLayer, Peer, Role};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinHandle;

use crate::harness::{Cluster, Reply, options, read_until, send, soon, until};

/// One piece after the other, for ever.
async fn endless() -> axum::body::Body {
    let pieces = futures::stream::unfold((), async |()| {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        Some((Ok::<_, std::convert::Infallible>("piece"), ()))
    });
    axum::body::Body::from_stream(pieces)
}

/// One piece, and then nothing more.
async fn silent() -> axum::body::Body {
    let piece = futures::stream::iter([Ok::<_, std::convert::Infallible>("piece")]);
    axum::body::Body::from_stream(piece.chain(futures::stream::pending()))
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
            .route("/silent", get(silent))
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

/// What it had begun may be done, so it does not say that nothing was. Nor does it wait for a
/// handler that waits.
#[tokio::test]
async fn a_node_never_answers_as_leader_after_its_term() {
    let cluster = Cluster::new().await;
    let node = Node::new(&cluster, "one", false).await;
    let mut terms = 0;
    for method in [Method::GET, Method::PUT, Method::POST] {
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
        let reply = soon(asked).await.unwrap();
        reply.is_problem(503, "term-ended");
        assert!(reply.text().contains(r#""processed":"unknown""#));
        assert_eq!(reply.headers["incumbent-term-ended"], terms.to_string());
    }
}

/// What comes directly, as from a load balancer, does not fail in a hand-over either.
#[tokio::test]
async fn a_get_straight_to_a_node_that_outlives_its_term_is_passed_on_to_the_next_leader() {
    let cluster = Cluster::new().await;
    let (one, two) = (
        Node::new(&cluster, "one", true).await,
        Node::new(&cluster, "two", false).await,
    );
    let leadership = one.lead(&cluster).await;
    let address = one.address;
    let asked = |method: Method, headers: &'static [(&str, &str)], body: &'static str| {
        tokio::spawn(async move { send(address, method, "/slow", headers, body).await.unwrap() })
    };
    let key = &[("idempotency-key", "k")];
    let passed_on = [asked(Method::GET, &[], ""), asked(Method::POST, key, "")];
    let not = [
        asked(Method::POST, &[], ""),
        asked(Method::PUT, &[], "body"),
        asked(Method::GET, &[("incumbent-epoch", "1")], ""),
    ];
    soon(one.working.acquire_many(5)).await.unwrap().forget();
    leadership.resign(None).await;
    for asked in not {
        soon(asked).await.unwrap().is_problem(503, "term-ended");
    }
    let _second = two.lead(&cluster).await;
    soon(two.working.acquire_many(2)).await.unwrap().forget();
    two.go_on.notify_waiters();
    for asked in passed_on {
        assert_eq!(soon(asked).await.unwrap().text(), "two");
    }
}

/// For a moment nobody believes that it leads: neither it nor, after its 421, the gateway.
#[tokio::test]
async fn a_node_that_learns_late_that_it_leads_is_asked_again() {
    let cluster = Cluster::new().await;
    let node = Node::new(&cluster, "one", false).await;
    let front = cluster.gateway().await;
    let leadership = cluster.lead(&[("web", &node.address.to_string())]).await;
    let address = front.address;
    let asked =
        tokio::spawn(async move { send(address, Method::POST, "/lead", &[], "").await.unwrap() });
    until("it is held", || front.handle.status().held == 1).await;
    node.role.leads(leadership.guard());
    assert_eq!(soon(asked).await.unwrap().text(), "one");
}

/// Through a gateway: the old leader's late answer is replaced by the new leader's, if that is
/// safe.
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
    let asked = |method: Method, headers: &'static [(&str, &str)]| {
        tokio::spawn(async move { send(address, method, "/slow", headers, "").await.unwrap() })
    };
    let safe = [
        asked(Method::GET, &[]),
        asked(Method::POST, &[("idempotency-key", "k")]),
    ];
    let once = asked(Method::POST, &[]);
    soon(one.working.acquire_many(3)).await.unwrap().forget();
    leadership.resign(None).await;
    let reply = soon(once).await.unwrap();
    reply.is_problem(503, "term-ended");
    assert!(!reply.headers.contains_key("incumbent-term-ended"));
    until("the others are held", || front.handle.status().held == 2).await;
    let _second = two.lead(&cluster).await;
    soon(two.working.acquire_many(2)).await.unwrap().forget();
    two.go_on.notify_waiters();
    for safe in safe {
        assert_eq!(soon(safe).await.unwrap().text(), "two");
    }
}

/// Its handler may have done all of it, and it cannot be sent again.
#[tokio::test]
async fn a_put_that_outlives_a_term_and_was_not_kept_is_not_said_to_be_not_processed() {
    let cluster = Cluster::new().await;
    let node = Node::new(&cluster, "one", false).await;
    let mut options = options();
    options.limits.kept_body = 3;
    let front = cluster.gateway_with(options).await;
    let leadership = node.lead(&cluster).await;
    let address = front.address;
    let asked = tokio::spawn(async move {
        send(address, Method::PUT, "/slow", &[], "four")
            .await
            .unwrap()
    });
    soon(node.working.acquire()).await.unwrap().forget();
    leadership.resign(None).await;
    let reply = soon(asked).await.unwrap();
    assert!(matches!(reply.status.as_u16(), 502 | 503), "{reply:?}");
    assert!(
        reply.text().contains(r#""processed":"unknown""#),
        "{reply:?}"
    );
}

#[tokio::test]
async fn a_node_that_passes_nothing_on_says_that_it_does_not_lead() {
    let cluster = Cluster::new().await;
    let node = Node::new(&cluster, "one", false).await;
    let reply = node.get("/lead").await;
    assert_eq!(reply.status, StatusCode::MISDIRECTED_REQUEST);
}

#[tokio::test]
async fn a_body_that_has_begun_ends_with_the_term_also_if_it_is_silent() {
    for path in ["/endless", "/silent"] {
        let cluster = Cluster::new().await;
        let node = Node::new(&cluster, "one", false).await;
        let leadership = node.lead(&cluster).await;
        let mut stream = tokio::net::TcpStream::connect(node.address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: h\r\nIncumbent-Epoch: 1\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        read_until(&mut stream, "piece").await;
        leadership.resign(None).await;
        let mut rest = Vec::new();
        // The connection breaks, without the last chunk.
        let _ = soon(stream.read_to_end(&mut rest)).await;
        assert!(!rest.ends_with(b"0\r\n\r\n"));
    }
}
