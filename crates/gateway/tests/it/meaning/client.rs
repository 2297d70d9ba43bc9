//! Clients of both versions.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request};
use tokio::net::TcpStream;

use super::message::{Fields, Message, Wire, head};
use super::{Spoken, Version};
use crate::harness::soon;

/// Sends a request in this version, and reads its answer.
pub(super) async fn ask(version: Version, to: SocketAddr, request: &Spoken) -> Message {
    let stream = TcpStream::connect(to).await.unwrap();
    match version {
        Version::One => soon(ask_by_hand(stream, request)).await,
        Version::Two => soon(ask_http2(stream, request)).await,
    }
}

async fn ask_by_hand(stream: TcpStream, request: &Spoken) -> Message {
    let mut wire = Wire::new(stream);
    if let Some(raw) = &request.raw {
        wire.write(raw).await;
        return wire.answer().await;
    }
    let mut fields = request.fields.clone();
    fields.insert(0, ("Host".into(), "some.name".into()));
    if request.wants_trailers {
        fields.push(("TE".into(), "trailers".into()));
        fields.push(("Connection".into(), "TE".into()));
    }
    let method = request.method();
    wire.write(&head(&format!("{method} /path HTTP/1.1"), &fields))
        .await;
    wire.write(&request.framed()).await;
    wire.answer().await
}

async fn ask_http2(stream: TcpStream, request: &Spoken) -> Message {
    let (sender, connection) = h2::client::Builder::new()
        .max_header_list_size(1024 * 1024)
        .handshake::<_, Bytes>(stream)
        .await
        .unwrap();
    let driven = tokio::spawn(connection);
    let mut head = Request::new(());
    *head.method_mut() = request.method().parse().unwrap();
    *head.uri_mut() = "http://some.name/path".parse().unwrap();
    *head.headers_mut() = map(&request.fields);
    if request.wants_trailers {
        head.headers_mut()
            .insert("te", HeaderValue::from_static("trailers"));
    }
    let has_end = request.body.is_empty() && request.trailers.is_empty();
    let mut sender = sender.ready().await.unwrap();
    let (mut answer, mut stream) = sender.send_request(head, has_end).unwrap();
    if !has_end {
        let body = Bytes::from(request.body.clone());
        stream.send_data(body, request.trailers.is_empty()).unwrap();
        if !request.trailers.is_empty() {
            stream.send_trailers(map(&request.trailers)).unwrap();
        }
    }
    let mut message = Message::default();
    let interim = std::future::poll_fn(|cx| answer.poll_informational(cx));
    if let Ok(Some(Ok(interim))) =
        tokio::time::timeout(std::time::Duration::from_millis(1), interim).await
    {
        let status = interim.status().as_str().to_owned();
        message.interim.push((status, list(interim.headers())));
    }
    let Ok(answer) = answer.await else {
        return message;
    };
    message.start = answer.status().as_str().to_owned();
    message.fields = list(answer.headers());
    read(answer.into_body(), &mut message).await;
    driven.abort();
    message
}

/// Reads a body of HTTP/2 to its end.
pub(super) async fn read(mut body: h2::RecvStream, message: &mut Message) {
    while let Some(data) = body.data().await {
        let Ok(data) = data else { return };
        let _ = body.flow_control().release_capacity(data.len());
        message.body.extend_from_slice(&data);
    }
    if let Ok(trailers) = body.trailers().await {
        message.trailers = trailers.as_ref().map(list).unwrap_or_default();
        message.is_whole = true;
    }
}

pub(super) fn map(fields: &Fields) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in fields {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        map.append(name, HeaderValue::from_str(value).unwrap());
    }
    map
}

pub(super) fn list(map: &HeaderMap) -> Fields {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    map.iter()
        .map(|(name, value)| (name.as_str().to_owned(), text(value)))
        .collect()
}
