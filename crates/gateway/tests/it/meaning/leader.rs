//! Leaders of both versions.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Response, StatusCode};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use super::client::{list, map, read};
use super::message::{Message, Wire, head};
use super::{Spoken, Version};

/// A leader that answers each request in the same way, and notes what it was asked.
pub(super) struct Leader {
    pub(super) address: SocketAddr,
    version: Version,
    asked: Arc<Mutex<Vec<Message>>>,
    task: JoinHandle<()>,
}

impl Leader {
    pub(super) async fn answering(version: Version, answer: Spoken) -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let asked: Arc<Mutex<Vec<Message>>> = Arc::default();
        let noted = Arc::clone(&asked);
        let answer = Arc::new(answer);
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = socket.accept().await.unwrap();
                let (answer, noted) = (Arc::clone(&answer), Arc::clone(&noted));
                match version {
                    Version::One => connections.spawn(by_hand(stream, answer, noted)),
                    Version::Two => connections.spawn(http2(stream, answer, noted)),
                };
            }
        });
        Self {
            address,
            version,
            asked,
            task,
        }
    }

    /// Where it is, as it publishes that.
    pub(super) fn url(&self) -> String {
        match self.version {
            Version::One => format!("http://{}", self.address),
            Version::Two => format!("h2c://{}", self.address),
        }
    }

    pub(super) fn asked(&self) -> Vec<Message> {
        self.asked.lock().unwrap().clone()
    }
}

impl Drop for Leader {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn by_hand(stream: TcpStream, answer: Arc<Spoken>, asked: Arc<Mutex<Vec<Message>>>) {
    let mut wire = Wire::new(stream);
    while let Some(request) = wire.request().await {
        asked.lock().unwrap().push(request);
        if let Some(raw) = &answer.raw {
            wire.write(raw).await;
            return;
        }
        for (status, fields) in &answer.interim {
            let first_line = format!("HTTP/1.1 {status} Some Reason");
            wire.write(&(head(&first_line, fields) + "\r\n")).await;
        }
        wire.write(&head("HTTP/1.1 200 OK", &answer.fields)).await;
        wire.write(&answer.framed()).await;
    }
}

async fn http2(stream: TcpStream, answer: Arc<Spoken>, asked: Arc<Mutex<Vec<Message>>>) {
    let Ok(mut connection) = h2::server::Builder::new()
        .max_header_list_size(1024 * 1024)
        .handshake::<_, Bytes>(stream)
        .await
    else {
        return;
    };
    let mut streams = JoinSet::new();
    while let Some(Ok((request, respond))) = connection.accept().await {
        streams.spawn(answer_http2(
            request,
            respond,
            Arc::clone(&answer),
            Arc::clone(&asked),
        ));
    }
}

async fn answer_http2(
    request: http::Request<h2::RecvStream>,
    mut respond: h2::server::SendResponse<Bytes>,
    answer: Arc<Spoken>,
    asked: Arc<Mutex<Vec<Message>>>,
) {
    let (parts, body) = request.into_parts();
    let mut message = Message {
        start: format!("{} {}", parts.method, parts.uri.path()),
        fields: list(&parts.headers),
        ..Message::default()
    };
    read(body, &mut message).await;
    asked.lock().unwrap().push(message);
    for (status, fields) in &answer.interim {
        let mut interim = Response::new(());
        *interim.status_mut() = status.parse::<StatusCode>().unwrap();
        *interim.headers_mut() = map(fields);
        respond.send_informational(interim).unwrap();
    }
    let mut head = Response::new(());
    *head.headers_mut() = map(&answer.fields);
    // What is refused is reset by the gateway.
    let Ok(mut stream) = respond.send_response(head, false) else {
        return;
    };
    let has_trailers = !answer.trailers.is_empty();
    let _ = stream.send_data(Bytes::from(answer.body.clone()), !has_trailers);
    if has_trailers {
        let _ = stream.send_trailers(map(&answer.trailers));
    }
}
