use std::fs;
use std::io::Read as _;

use http::HeaderMap;
use http_body_util::BodyExt as _;

use super::*;

const PAGE: &[u8] = b"<!doctype html><title>Page</title>";
const LONG: [u8; 4000] = [b'a'; 4000];
const ASSETS: Assets = Assets::new(&[
    ("/index.html", PAGE),
    ("/docs/index.html", b"docs"),
    ("app-3f9a0c1b.js", &LONG),
    ("/app.js", &LONG),
    ("/app.js.br", b"pretend"),
    ("/a b.txt", b"spaced"),
    ("/logo.png", &[0x89, b'P', b'N', b'G']),
]);

struct Reply {
    status: u16,
    headers: HeaderMap,
    body: Bytes,
}

impl Reply {
    fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }
}

async fn ask(files: &Files, method: &str, path: &str, headers: &[(&str, &str)]) -> Reply {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = files.clone().call(request.body(()).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    Reply {
        status: parts.status.as_u16(),
        headers: parts.headers,
        body: body.collect().await.unwrap().to_bytes(),
    }
}

async fn get(files: &Files, path: &str) -> Reply {
    ask(files, "GET", path, &[]).await
}

fn unpacked(bytes: &[u8]) -> Vec<u8> {
    let mut all = Vec::new();
    flate2::read::GzDecoder::new(bytes)
        .read_to_end(&mut all)
        .unwrap();
    all
}

#[tokio::test]
async fn files_are_served_with_their_types() {
    let files = Files::embedded(ASSETS);
    for (path, kind, body) in [
        ("/", "text/html; charset=utf-8", PAGE),
        ("/index.html?x=1", "text/html; charset=utf-8", PAGE),
        ("/docs/", "text/html; charset=utf-8", b"docs"),
        ("/app.js", "text/javascript; charset=utf-8", &LONG),
        ("/a%20b.txt", "text/plain; charset=utf-8", b"spaced"),
        ("/logo.png", "image/png", &[0x89, b'P', b'N', b'G']),
    ] {
        let reply = get(&files, path).await;
        assert_eq!(reply.status, 200, "{path}");
        assert_eq!(reply.header("content-type"), kind, "{path}");
        assert_eq!(reply.header("x-content-type-options"), "nosniff");
        assert_eq!(reply.header("content-length"), body.len().to_string());
        assert_eq!(reply.body, body, "{path}");
    }
}

#[tokio::test]
async fn head_is_get_without_the_body() {
    let files = Files::embedded(ASSETS);
    let (head, get) = (
        ask(&files, "HEAD", "/app.js", &[]).await,
        get(&files, "/app.js").await,
    );
    assert_eq!((head.status, &head.headers), (200, &get.headers));
    assert!(head.body.is_empty());
}

#[tokio::test]
async fn who_has_it_is_not_sent_it_again() {
    let files = Files::embedded(ASSETS);
    let tag = get(&files, "/").await.header("etag").to_owned();
    assert!(tag.starts_with('"') && tag.ends_with('"'), "strong: {tag}");
    for condition in [tag.clone(), format!("\"x\", W/{tag}"), "*".into()] {
        let reply = ask(&files, "GET", "/", &[("if-none-match", &condition)]).await;
        assert_eq!((reply.status, reply.body.len()), (304, 0), "{condition}");
        assert_eq!(reply.header("etag"), tag);
        assert_eq!(reply.header("cache-control"), "no-cache");
    }
    let reply = ask(&files, "GET", "/", &[("if-none-match", "\"x\"")]).await;
    assert_eq!(reply.status, 200);
}

#[tokio::test]
async fn only_names_with_a_hash_are_kept_for_long() {
    let files = Files::embedded(ASSETS);
    let cache = async |path| get(&files, path).await.header("cache-control").to_owned();
    assert_eq!(
        cache("/app-3f9a0c1b.js").await,
        "public, max-age=31536000, immutable"
    );
    assert_eq!(cache("/app.js").await, "no-cache");
    assert_eq!(cache("/").await, "no-cache");
    let files = Files::embedded(ASSETS).immutable(|path| path == "/logo.png");
    let reply = get(&files, "/logo.png").await;
    assert!(reply.header("cache-control").ends_with("immutable"));
    assert_eq!(
        get(&files, "/app-3f9a0c1b.js")
            .await
            .header("cache-control"),
        "no-cache"
    );
}

#[test]
fn hashes_are_told_from_dates_versions_and_words() {
    for name in [
        "/app.3f9a0c1b.js",
        "/x/app-BZ4h_x1Q.css",
        "/main-JAM4DS2V.js",
        "/a.0123456789abcdef.min.js",
    ] {
        assert!(table::has_hash(name), "{name}");
    }
    for name in [
        "/index-3f9a0c1b.html",
        "/a-20261121.json",
        "/jquery-3.6.0.min.js",
        "/facade.js",
        "/a-deadbeef.js",
        "/logo-Version2.png",
        "/3f9a0c1b.js",
        "/README",
        "/app-3f9a0c1b",
        "/a-release10.js",
    ] {
        assert!(!table::has_hash(name), "{name}");
    }
}

#[tokio::test]
async fn what_shrinks_is_compressed_for_those_who_accept_it() {
    let files = Files::embedded(ASSETS);
    for (accepted, coding) in [
        ("gzip", "gzip"),
        ("x-gzip", "gzip"),
        ("gzip, br", "br"),
        ("gzip, br;q=0.5", "gzip"),
        ("*", "br"),
        ("*, br;q=0", "gzip"),
        ("gzip;q=0, identity", ""),
        ("gzip;q=0.1, identity;q=0.9", ""),
        ("zstd", ""),
        ("identity;q=0", ""),
        ("gzip;q=nonsense", ""),
        ("", ""),
    ] {
        let reply = ask(&files, "GET", "/app.js", &[("accept-encoding", accepted)]).await;
        assert_eq!(reply.header("content-encoding"), coding, "{accepted}");
        assert_eq!(reply.header("vary"), "accept-encoding");
        match coding {
            "gzip" => assert_eq!(unpacked(&reply.body), LONG),
            "br" => assert_eq!(reply.body, "pretend"),
            _ => assert_eq!(reply.body, &LONG[..]),
        }
    }
    // What is compressed is something else, to caches.
    let gzip = ask(&files, "GET", "/app.js", &[("accept-encoding", "gzip")]).await;
    assert_ne!(
        gzip.header("etag"),
        get(&files, "/app.js").await.header("etag")
    );
    let again = [
        ("accept-encoding", "gzip"),
        ("if-none-match", gzip.header("etag")),
    ];
    assert_eq!(ask(&files, "GET", "/app.js", &again).await.status, 304);
    // What does not shrink is not, and does not vary.
    let image = ask(&files, "GET", "/logo.png", &[("accept-encoding", "gzip")]).await;
    assert_eq!(
        (image.header("content-encoding"), image.header("vary")),
        ("", "")
    );
    assert_eq!(get(&files, "/app.js.br").await.status, 404);
}

#[tokio::test]
async fn what_is_not_there_and_what_cannot_be_done_are_problems() {
    let files = Files::embedded(ASSETS);
    for (method, path, status, kind) in [
        ("GET", "/none", 404, "not-found"),
        ("GET", "//index.html", 404, "not-found"),
        ("GET", "/%ff", 404, "not-found"),
        ("POST", "/", 405, "read-only"),
        ("DELETE", "/none", 405, "read-only"),
    ] {
        let reply = ask(&files, method, path, &[]).await;
        assert_eq!(reply.status, status);
        assert_eq!(reply.header("content-type"), "application/problem+json");
        let body: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
        assert_eq!(body["type"], format!("urn:incumbent:problem:{kind}"));
        assert_eq!(
            reply.header("allow"),
            if status == 405 { "GET, HEAD" } else { "" }
        );
    }
}

#[tokio::test]
async fn a_directory_without_its_slash_is_redirected_relatively() {
    let files = Files::embedded(ASSETS);
    let reply = get(&files, "/docs?a=b").await;
    assert_eq!(
        (reply.status, reply.header("location")),
        (308, "./docs/?a=b")
    );
}

#[tokio::test]
async fn a_single_page_answers_for_all_paths_but_files() {
    let files = Files::embedded(ASSETS).single_page();
    assert_eq!(get(&files, "/jobs/17").await.body, PAGE);
    assert_eq!(get(&files, "/jobs/").await.body, PAGE);
    assert_eq!(get(&files, "/none.js").await.status, 404);
    assert_eq!(ask(&files, "POST", "/jobs/17", &[]).await.status, 405);
}

#[tokio::test]
async fn a_directory_is_served_and_nothing_outside_of_it() {
    let outside = tempfile::tempdir().unwrap();
    let root = outside.path().join("root");
    fs::create_dir_all(root.join("sub/.git")).unwrap();
    fs::create_dir(root.join(".well-known")).unwrap();
    fs::write(outside.path().join("secret.txt"), "secret").unwrap();
    fs::write(root.join("sub/page.html"), PAGE).unwrap();
    fs::write(root.join("sub/.git/config"), "secret").unwrap();
    fs::write(root.join(".env"), "secret").unwrap();
    fs::write(root.join(".well-known/x"), "known").unwrap();
    let link = |to: &str, name: &str| std::os::unix::fs::symlink(to, root.join(name)).unwrap();
    link("../secret.txt", "out.txt");
    link("..", "up");
    link("nowhere", "dangling");
    link(".", "self");
    link("sub/page.html", "inside.html");
    let files = Files::directory(&root).await.unwrap();
    assert_eq!(get(&files, "/sub/page.html").await.body, PAGE);
    assert_eq!(get(&files, "/inside.html").await.body, PAGE);
    assert_eq!(get(&files, "/.well-known/x").await.body, "known");
    for path in [
        "/out.txt",
        "/up/secret.txt",
        "/dangling",
        "/.env",
        "/sub/.git/config",
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/..%2fsecret.txt",
        "/sub/..%2f..%2fsecret.txt",
        "/sub/../../secret.txt",
        "/..%5csecret.txt",
        "/sub/page.html/",
        "/sub/page.html%00.txt",
        "/sub",
        "/sub/",
    ] {
        let reply = get(&files, path).await;
        assert_eq!(reply.status, 404, "{path}");
        assert!(
            !reply.body.windows(6).any(|part| part == b"secret"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn siblings_are_used_if_they_are_what_they_should_be() {
    let root = tempfile::tempdir().unwrap();
    let packed = |bytes: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        std::io::Write::write_all(&mut encoder, bytes).unwrap();
        encoder.finish().unwrap()
    };
    let good = packed(&LONG);
    fs::write(root.path().join("good.bin"), LONG).unwrap();
    fs::write(root.path().join("good.bin.gz"), &good).unwrap();
    fs::write(root.path().join("old.bin"), LONG).unwrap();
    fs::write(root.path().join("old.bin.gz"), packed(&[b'b'; 4000])).unwrap();
    let files = Files::directory(root.path()).await.unwrap();
    let accept = [("accept-encoding", "gzip")];
    assert_eq!(ask(&files, "GET", "/good.bin", &accept).await.body, good);
    assert_eq!(
        ask(&files, "GET", "/old.bin", &accept).await.body,
        &LONG[..]
    );
}

#[tokio::test]
async fn a_directory_that_is_not_there_is_an_error_that_names_it() {
    let Err(error) = Files::directory("/nonexistent/directory").await else {
        panic!("it is not there");
    };
    assert_eq!(error.to_string(), "cannot read /nonexistent/directory");
}

#[derive(Clone)]
struct Inner;

impl Service<Request<()>> for Inner {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        ready(Ok(Response::new(Full::from("inner"))))
    }
}

#[tokio::test]
async fn in_front_of_a_service_only_files_are_taken_from_it() {
    let mut service = FilesLayer::new(Files::embedded(ASSETS)).layer(Inner);
    for (method, path, body) in [
        ("GET", "/index.html", PAGE),
        ("GET", "/api", b"inner"),
        ("POST", "/index.html", b"inner"),
    ] {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .body(())
            .unwrap();
        let response = service.call(request).await.unwrap();
        let got = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(got, body, "{method} {path}");
    }
}
