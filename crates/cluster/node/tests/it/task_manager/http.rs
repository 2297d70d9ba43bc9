//! A task's own HTTP.

use axum::body::Body;
use http::{HeaderMap, Request, StatusCode};

use super::harness::{Cluster, eventually};

/// A server in a few lines of Python that shows what it was asked, and sets a cookie.
const SERVER: &str = r#"
import http.server, os
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get('Content-Length') or 0))
        names = ' '.join(sorted(name.lower() for name in self.headers))
        text = f'{self.path} [{body.decode()}] {names}'.encode()
        self.send_response(203)
        self.send_header('Set-Cookie', 'a=b')
        self.send_header('X-Mine', 'yes')
        self.send_header('Content-Length', str(len(text)))
        self.end_headers()
        self.wfile.write(text)
http.server.HTTPServer(('127.0.0.1', int(os.environ['INCUMBENT_PORT'])), Handler).serve_forever()
"#;

fn request(body: &'static str) -> Request<Body> {
    let mut request = Request::post("/").body(Body::from(body)).unwrap();
    let fields = [
        ("cookie", "secret"),
        ("authorization", "Bearer secret"),
        ("x-asked", "1"),
    ];
    for (name, value) in fields {
        request.headers_mut().insert(name, value.parse().unwrap());
    }
    request
}

fn has(headers: &HeaderMap, name: &str, value: &str) -> bool {
    headers.get(name).is_some_and(|found| found == value)
}

#[tokio::test]
#[expect(clippy::print_stderr, reason = "skipped aloud")]
async fn a_task_is_asked_at_its_port_without_our_secrets_and_answers_from_a_sandbox() {
    if std::process::Command::new("python3")
        .arg("-V")
        .output()
        .is_err()
    {
        eprintln!("SKIPPED: there is no python3");
        return;
    }
    let (cluster, leader, _process) = Cluster::running(&[]).await;
    let server = cluster.path("server.py");
    std::fs::write(&server, SERVER).unwrap();
    let deploy = leader.deploy(&["python3", server.to_str().unwrap()]);
    let (head, _) = leader.http(&deploy, "web/", request("")).await;
    assert_eq!(head.status, StatusCode::NOT_FOUND, "no such task yet");
    leader.run(&deploy).await;
    let port = deploy.port;
    eventually("it listens", || {
        std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
    })
    .await;
    let (head, text) = leader.http(&deploy, "web/a%2Fb?c=d", request("body")).await;
    assert_eq!(head.status.as_u16(), 203);
    assert!(text.starts_with("/a%2Fb?c=d [body] "), "{text}");
    assert!(text.contains("x-asked"), "{text}");
    for secret in ["cookie", "authorization", "incumbent"] {
        assert!(!text.contains(secret), "{text}");
    }
    assert!(has(&head.headers, "x-mine", "yes"));
    assert!(has(&head.headers, "content-security-policy", "sandbox"));
    assert!(!head.headers.contains_key("set-cookie"));
    let (_, text) = leader.http(&deploy, "web", request("")).await;
    assert!(text.starts_with("/ [] "), "{text}");
}

#[tokio::test]
async fn a_task_that_does_not_listen_is_said() {
    let (_cluster, leader, _process) = Cluster::running(&[]).await;
    let deploy = leader.deploy(&["sleep", "1000"]);
    leader.run(&deploy).await;
    let (head, text) = leader.http(&deploy, "web/", request("")).await;
    assert_eq!(head.status, StatusCode::BAD_GATEWAY);
    assert!(text.contains("does not listen"), "{text}");
    leader.end(&deploy, 0).await;
    leader.ended(&deploy).await;
    let (head, text) = leader.http(&deploy, "web/", request("")).await;
    assert_eq!(head.status, StatusCode::SERVICE_UNAVAILABLE, "{text}");
}
