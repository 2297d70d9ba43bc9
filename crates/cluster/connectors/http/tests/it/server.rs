//! A server that answers as a test says, and ranks that send to it.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use incumbent_stream::outbox::Outbox;
use incumbent_stream::{At, BoxError, Sink, Staged, Waker};
use incumbent_stream_http::Http;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// What a server does with a request.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// A status, headers with their line ends, and a body.
    Status(u16, &'static str, &'static str),
    /// It takes the request and breaks the connection.
    Lose,
    /// It takes the request and says nothing, until the client breaks the connection.
    Hang,
}

pub(crate) const OK: Answer = Answer::Status(200, "", "");

/// A request that arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Arrived {
    pub(crate) key: String,
    pub(crate) body: String,
    pub(crate) headers: BTreeMap<String, String>,
}

type Decide = Arc<dyn Fn(usize, &Arrived) -> Answer + Send + Sync>;

#[derive(Clone)]
pub(crate) struct Server {
    address: SocketAddr,
    arrived: Arc<Mutex<Vec<Arrived>>>,
}

impl Server {
    /// Answers the request with this number, from 0, as the function says.
    pub(crate) fn start(
        decide: impl Fn(usize, &Arrived) -> Answer + Send + Sync + 'static,
    ) -> Self {
        Self::begin(decide, |serving, stream, decide| {
            serving.serve(stream, decide)
        })
    }

    /// The same over TLS.
    pub(crate) fn start_tls(
        config: ServerConfig,
        decide: impl Fn(usize, &Arrived) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let config = Arc::new(config);
        Self::begin(decide, move |serving, stream, decide| {
            let session = ServerConnection::new(Arc::clone(&config)).unwrap();
            serving.serve(StreamOwned::new(session, stream), decide);
        })
    }

    fn begin(
        decide: impl Fn(usize, &Arrived) -> Answer + Send + Sync + 'static,
        serve: impl Fn(&Self, TcpStream, &Decide) + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Self {
            address: listener.local_addr().unwrap(),
            arrived: Arc::default(),
        };
        let (serving, decide) = (server.clone(), Arc::new(decide) as Decide);
        let serve = Arc::new(serve);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (serving, decide) = (serving.clone(), Arc::clone(&decide));
                let serve = Arc::clone(&serve);
                std::thread::spawn(move || serve(&serving, stream, &decide));
            }
        });
        server
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/records?token=hidden", self.address)
    }

    /// By this name of the address where it listens, over TLS.
    pub(crate) fn secure_url(&self, name: &str) -> String {
        format!(
            "https://{name}:{}/records?token=hidden",
            self.address.port()
        )
    }

    pub(crate) fn arrived(&self) -> Vec<Arrived> {
        self.arrived.lock().unwrap().clone()
    }

    /// The bodies by key: what a server has that remembers keys.
    pub(crate) fn remembered(&self) -> BTreeMap<String, String> {
        let mut all = BTreeMap::new();
        for Arrived { key, body, .. } in self.arrived() {
            let before = all.insert(key.clone(), body.clone());
            assert!(
                before.is_none_or(|before| before == body),
                "{key} has two bodies"
            );
        }
        all
    }

    fn serve(&self, mut stream: impl Read + Write, decide: &Decide) {
        let mut bytes = Vec::new();
        while let Some(request) = read(&mut stream, &mut bytes) {
            let number = {
                let mut arrived = self.arrived.lock().unwrap();
                arrived.push(request.clone());
                arrived.len() - 1
            };
            match decide(number, &request) {
                Answer::Status(status, headers, body) => {
                    let length = body.len();
                    let _ = write!(
                        stream,
                        "HTTP/1.1 {status} X\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
                    );
                }
                Answer::Lose => return,
                Answer::Hang => {
                    let _ = stream.read(&mut [0]);
                    return;
                }
            }
        }
    }
}

fn read(stream: &mut impl Read, bytes: &mut Vec<u8>) -> Option<Arrived> {
    loop {
        let mut headers = [httparse::EMPTY_HEADER; 32];
        let mut request = httparse::Request::new(&mut headers);
        if let Ok(httparse::Status::Complete(head)) = request.parse(bytes) {
            let all = request.headers.iter().map(|header| {
                let value = String::from_utf8_lossy(header.value).into_owned();
                (header.name.to_ascii_lowercase(), value)
            });
            let headers = all.collect::<BTreeMap<_, _>>();
            let length = headers.get("content-length")?.parse::<usize>().ok()?;
            if bytes.len() >= head + length {
                let body = bytes[head..head + length].to_vec();
                bytes.drain(..head + length);
                return Some(Arrived {
                    key: headers.get("idempotency-key")?.clone(),
                    body: String::from_utf8(body).ok()?,
                    headers,
                });
            }
        }
        let mut more = [0; 4096];
        match stream.read(&mut more) {
            Ok(count @ 1..) => bytes.extend_from_slice(&more[..count]),
            _ => return None,
        }
    }
}

pub(crate) fn at(attempt: u64, rank: u32, tasks: u32) -> At {
    At {
        name: "alerts".to_owned(),
        job: "0123456789abcdef0123456789abcdef".to_owned(),
        attempt,
        rank,
        tasks,
        waker: Waker::new(|| ()),
    }
}

pub(crate) fn open(sink: &Http, at: &At, staged: &[Staged]) -> Result<Outbox<u64>, BoxError> {
    sink.open(at, staged.to_vec())
}
