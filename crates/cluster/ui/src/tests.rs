use axum::body::Body;
use axum::http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use tower_service::Service as _;

use super::*;

/// Compressed, all files together: what a first visit costs.
const LARGEST_WHOLE: usize = 100 * 1024;

const FILES: [&str; 1] = ["index.html"];

async fn get(path: &str, fields: &[(&str, &str)]) -> axum::http::Response<Body> {
    let mut request = Request::get(path);
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::empty()).unwrap();
    pages().call(request).await.unwrap()
}

async fn text(path: &str) -> String {
    let body = get(path, &[]).await.into_body().collect().await.unwrap();
    String::from_utf8(body.to_bytes().into()).unwrap()
}

/// What a file loads: the text between these marks.
fn loaded<'a>(text: &'a str, before: &str, after: char) -> Vec<&'a str> {
    let parts = text.split(before).skip(1);
    parts.filter_map(|part| part.split(after).next()).collect()
}

/// The names of all files under `/ui/`.
fn names() -> Vec<String> {
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/assets");
    let files = std::fs::read_dir(dir).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    names.filter(|name| !FILES.contains(&&name[..])).collect()
}

#[tokio::test]
async fn every_file_is_served_with_its_type_a_policy_and_a_tag() {
    for (path, kind) in [
        ("/".to_owned(), "text/html"),
        ("/ui/base.css".to_owned(), "text/css"),
        ("/ui/main.js".to_owned(), "text/javascript"),
        ("/ui/icon.svg".to_owned(), "image/svg+xml"),
    ]
    .into_iter()
    .chain(names().into_iter().map(|name| (format!("/ui/{name}"), "")))
    {
        let answer = get(&path, &[]).await;
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        let headers = answer.headers();
        assert_eq!(headers["content-security-policy"], POLICY, "{path}");
        let given = headers["content-type"].to_str().unwrap();
        assert!(given.starts_with(kind), "{path}: {given}");
        let tag = headers["etag"].to_str().unwrap().to_owned();
        let again = get(&path, &[("if-none-match", &tag)]).await;
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED, "{path}");
    }
}

#[tokio::test]
async fn a_first_visit_is_small() {
    let mut whole = 0;
    for path in names()
        .iter()
        .map(|name| format!("/ui/{name}"))
        .chain(["/".into()])
    {
        let answer = get(&path, &[("accept-encoding", "gzip")]).await;
        whole += answer.into_body().collect().await.unwrap().to_bytes().len();
    }
    assert!(whole < LARGEST_WHOLE, "{whole} bytes");
}

#[tokio::test]
async fn pages_have_no_script_or_style_of_their_own_and_load_nothing_from_elsewhere() {
    let shell = text("/").await;
    for tag in ["<style", "style=", "onclick", "onload", "javascript:"] {
        assert!(!shell.contains(tag), "{tag}");
    }
    for script in loaded(&shell, "<script", '>') {
        assert!(script.contains("src=\"ui/"), "{script}");
    }
    for name in names() {
        let text = text(&format!("/ui/{name}")).await;
        for unsafe_way in [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "new Function",
        ] {
            assert!(!text.contains(unsafe_way), "{name} has {unsafe_way}");
        }
        let foreign = ["http://", "https://", "@import"];
        let is_ours = |at: &str| at.starts_with("www.w3.org/");
        for mark in foreign {
            let at = loaded(&text, mark, '\n');
            assert!(at.iter().all(|at| is_ours(at)), "{name} loads from {at:?}");
        }
    }
}

#[tokio::test]
async fn every_module_that_is_imported_is_there_and_loaded_ahead() {
    let shell = text("/").await;
    for name in names().iter().filter(|name| name.ends_with(".js")) {
        assert!(
            shell.contains(&format!("\"ui/{name}\"")),
            "the shell does not load {name} ahead"
        );
        let module = text(&format!("/ui/{name}")).await;
        for imported in loaded(&module, "from './", '\'') {
            let answer = get(&format!("/ui/{imported}"), &[]).await;
            assert_eq!(answer.status(), StatusCode::OK, "{name} imports {imported}");
        }
    }
}

#[tokio::test]
async fn what_is_no_file_of_a_page_is_not_served() {
    for path in [
        "/ui/",
        "/ui/none.js",
        "/ui/../Cargo.toml",
        "/ui/%2e%2e/src/lib.rs",
    ] {
        assert_eq!(
            get(path, &[]).await.status(),
            StatusCode::NOT_FOUND,
            "{path}"
        );
    }
    assert!(is_page("/") && is_page("/ui/main.js"));
    assert!(!is_page("/v1/jobs") && !is_page("/ui") && !is_page("/uix"));
}
