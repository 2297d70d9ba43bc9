//! The pages: HTML, CSS and ES modules as they are served. No build step makes them, and they load
//! nothing from elsewhere.
//!
//! ```text
//!   assets/index.html   one shell for all pages
//!          *.css        base.css (colours, text), parts.css (what pages are made of), narrow.css
//!          main.js      which page is shown; one file a page: overview.js, jobs.js, job.js, …
//!          dom.js       makes elements: text is always text, so a script in a name is one more name
//!          api.js, live.js, time.js, chart.js …   what pages share
//! ```
//!
//! They ask `/v1` for what they show, as any other client does. Every node serves the same files,
//! so a page survives the node that it came from.

use axum::Router;
use axum::http::header::{CONTENT_SECURITY_POLICY, HeaderValue};
use axum::response::Response;
use incumbent_gateway::{Assets, Files};

/// What a browser lets a page do: nothing but its own scripts, styles, images and questions. No
/// script and no style may be in a document or an attribute, and no other page may frame it.
pub const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                          img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// Where the pages begin, and where their files are. They hold nothing secret, and a person needs
/// them to log in: they ask for no token.
pub const PATHS: [&str; 2] = ["/", "/ui/"];

/// Names and contents of files in `assets`, served under `/ui/`.
macro_rules! assets {
    ($($name:literal),* $(,)?) => {
        Assets::new(&[
            ("/index.html", include_bytes!("../assets/index.html")),
            $((concat!("/ui/", $name), include_bytes!(concat!("../assets/", $name)))),*
        ])
    };
}

const ASSETS: Assets = assets![
    "base.css",
    "parts.css",
    "narrow.css",
    "icon.svg",
    "main.js",
    "actions.js",
    "api.js",
    "attempts.js",
    "chart.js",
    "checkpoints.js",
    "dom.js",
    "job.js",
    "jobfile.js",
    "jobs.js",
    "leadership.js",
    "live.js",
    "login.js",
    "logs.js",
    "lookup.js",
    "metrics.js",
    "nodes.js",
    "others.js",
    "overview.js",
    "parts.js",
    "records.js",
    "sha256.js",
    "submit.js",
    "tasks.js",
    "time.js",
    "upload.js",
];

/// The routes of the pages: `/` and `/ui/…`.
pub fn pages() -> Router {
    let files = Files::embedded(ASSETS);
    Router::new()
        .route_service("/", files.clone())
        .route_service("/ui/{*path}", files)
        .layer(axum::middleware::map_response(with_policy))
}

/// Whether a path is one of the pages.
pub fn is_page(path: &str) -> bool {
    path == PATHS[0] || path.starts_with(PATHS[1])
}

async fn with_policy(mut response: Response) -> Response {
    let policy = HeaderValue::from_static(POLICY);
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, policy);
    response
}

#[cfg(test)]
mod tests;
