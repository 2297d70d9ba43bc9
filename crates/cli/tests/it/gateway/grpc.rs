//! gRPC through the gateway, with a client and a server of tonic.

use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::{self, BoxStream};
use futures::{FutureExt as _, StreamExt as _};
use http::uri::PathAndQuery;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use tokio::net::TcpStream;
use tonic::body::Body;
use tonic::metadata::MetadataValue;
use tonic::{Code, Request, Response, Status, client, server};
use tonic_prost::ProstCodec;
use tower_service::Service;

use crate::harness::{Place, until};

use super::backend::{BoxBody, BoxError};
use super::front::{self, Front, standing_by};

#[derive(Clone, PartialEq, Message)]
pub(super) struct Words {
    #[prost(string, tag = "1")]
    text: String,
    #[prost(uint32, tag = "2")]
    times: u32,
}

type Codec = ProstCodec<Words, Words>;

/// Answers one call.
pub(super) async fn answer(request: http::Request<Incoming>) -> http::Response<BoxBody> {
    let mut grpc = server::Grpc::new(Codec::default());
    let response = match request.uri().path() {
        "/echo.Echo/Unary" => grpc.unary(Unary, request).await,
        _ => grpc.server_streaming(Streaming, request).await,
    };
    response.map(|body| body.map_err(BoxError::from).boxed_unsync())
}

struct Unary;

impl server::UnaryService<Words> for Unary {
    type Response = Words;
    type Future = BoxFuture<'static, Result<Response<Words>, Status>>;

    fn call(&mut self, request: Request<Words>) -> Self::Future {
        async move {
            let words = request.into_inner();
            if words.text == "missing" {
                return Err(Status::not_found("there are no such words"));
            }
            let mut response = Response::new(words);
            let holder = std::env::var("INCUMBENT_HOLDER").unwrap_or_default();
            let holder: MetadataValue<_> = holder.parse().unwrap();
            response.metadata_mut().insert("x-holder", holder);
            Ok(response)
        }
        .boxed()
    }
}

struct Streaming;

impl server::ServerStreamingService<Words> for Streaming {
    type Response = Words;
    type ResponseStream = BoxStream<'static, Result<Words, Status>>;
    type Future = BoxFuture<'static, Result<Response<Self::ResponseStream>, Status>>;

    fn call(&mut self, request: Request<Words>) -> Self::Future {
        let Words { text, times } = request.into_inner();
        let words = stream::iter(0..times).map(move |number| {
            let text = format!("{text} {number}");
            Ok(Words { text, times })
        });
        // The error after the messages is sent in the trailers.
        let end = Status::data_loss("that was all");
        let words = words.chain(stream::once(async { Err(end) })).boxed();
        async move { Ok(Response::new(words)) }.boxed()
    }
}

/// The HTTP connection of the client.
#[derive(Clone)]
struct Wire(SendRequest<Body>);

impl Service<http::Request<Body>> for Wire {
    type Response = http::Response<Incoming>;
    type Error = hyper::Error;
    type Future = BoxFuture<'static, Result<Self::Response, hyper::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), hyper::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        self.0.send_request(request).boxed()
    }
}

type Client = client::Grpc<Wire>;

async fn connect(front: &Front) -> Client {
    let stream = TcpStream::connect(&front.address).await.unwrap();
    let (sender, connection) = http2::Builder::new(TokioExecutor::new())
        .handshake(TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    client::Grpc::with_origin(Wire(sender), "http://any.name.example".parse().unwrap())
}

async fn unary(
    client: &mut Client,
    text: &str,
    key: Option<&str>,
) -> Result<Response<Words>, Status> {
    client.ready().await.unwrap();
    let mut request = Request::new(Words {
        text: text.to_owned(),
        times: 1,
    });
    if let Some(key) = key {
        request
            .metadata_mut()
            .insert("idempotency-key", key.parse().unwrap());
    }
    let path = PathAndQuery::from_static("/echo.Echo/Unary");
    let called = client.unary(request, path, Codec::default());
    tokio::time::timeout(Duration::from_secs(60), called)
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn unary_and_streaming_calls_pass_with_their_trailers() {
    let place = Place::new();
    let _a = front::node(&place, "a", &[]);
    place.active("a");
    let front = front::gateway(&place, &[]);
    let mut client = connect(&front).await;

    let response = unary(&mut client, "hello", None).await.unwrap();
    assert_eq!(response.metadata().get("x-holder").unwrap(), "a");
    // The status is in the trailers.
    assert_eq!(response.metadata().get("grpc-status").unwrap(), "0");
    assert_eq!(response.into_inner().text, "hello");

    let status = unary(&mut client, "missing", None).await.unwrap_err();
    assert_eq!(
        (status.code(), status.message()),
        (Code::NotFound, "there are no such words")
    );

    let words = Words {
        text: "many".into(),
        times: 1000,
    };
    let path = PathAndQuery::from_static("/echo.Echo/Stream");
    client.ready().await.unwrap();
    let streamed = client
        .server_streaming(Request::new(words), path, Codec::default())
        .await;
    let mut stream = streamed.unwrap().into_inner();
    for number in 0..1000 {
        let words: Words = stream.message().await.unwrap().unwrap();
        assert_eq!(words.text, format!("many {number}"));
    }
    let end = stream.message().await.unwrap_err();
    assert_eq!(
        (end.code(), end.message()),
        (Code::DataLoss, "that was all")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_with_a_key_never_fail_when_the_leader_changes() {
    let place = Place::new();
    let flags = ["--lease", "2s"];
    let _a = front::node(&place, "a", &flags);
    place.active("a");
    let _b = front::node(&place, "b", &flags);
    standing_by(&place, &["b"]);
    let front = front::gateway(&place, &[]);
    let calls = tokio::spawn({
        let mut client = connect(&front).await;
        async move {
            let mut holders = Vec::new();
            for number in 0.. {
                let text = format!("call {number}");
                let response = unary(&mut client, &text, Some(&text)).await?;
                let holder = response.metadata().get("x-holder").unwrap();
                let holder = holder.to_str().unwrap().to_owned();
                assert_eq!(response.into_inner().text, text);
                if holders.last() != Some(&holder) {
                    holders.push(holder);
                }
                if holders.len() == 3 {
                    break;
                }
            }
            Ok::<_, Status>(holders)
        }
    });
    let called = || place.note("seen").lines().count();
    for to in ["b", "a"] {
        let before = called();
        until("the leader is called", || called() > before + 20);
        place.ask(&["resign", "--to", to]).assert_code(0);
        place.active(to);
    }
    assert_eq!(calls.await.unwrap().unwrap(), ["a", "b", "a"]);
}
