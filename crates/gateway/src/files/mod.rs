//! Static files that any node serves itself: [`Files`].
//!
//! ```text
//!   Assets, or a directory ──► table.rs ──────────────► Files ◄── a request
//!                              read once, hashed,         │ negotiate.rs: which coding; does the client have it
//!                              compressed once            ▼
//!                                                       200, 304, 308, 404, 405
//! ```
//!
//! All files are in memory and found by their exact names. No request reaches a file system, so
//! none can climb out of a directory. All answers come from one state of the directory, even while
//! somebody writes to it. Use another server for large downloads.

mod negotiate;
mod table;

use std::convert::Infallible;
use std::fmt;
use std::future::{Ready, ready};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderValue,
    LOCATION, VARY, X_CONTENT_TYPE_OPTIONS,
};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{Either, Full};
use percent_encoding::percent_decode_str;
use serde_json::json;
use tower_layer::Layer;
use tower_service::Service;

pub use table::FilesError;
use table::{File, Table};

/// The file that answers for a directory.
const INDEX: &str = "index.html";

/// Files that are part of the program: paths and contents, such as those of `include_bytes!`.
///
/// ```
/// use incumbent_gateway::{Assets, Files};
///
/// const ASSETS: Assets = Assets::new(&[
///     ("/index.html", b"<!doctype html><title>Hello</title>"),
///     ("/hello.css", b"body { color: green }"),
/// ]);
/// let files = Files::embedded(ASSETS);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Assets(&'static [(&'static str, &'static [u8])]);

/// Serves files. A tower service that is cheap to clone and never fails.
///
/// - It answers `GET` and `HEAD`, any other method with 405, and unknown paths with 404. Both are
///   problems like the gateway's.
/// - Each file has a strong `ETag` made from its content alone, so that all nodes have the same. A
///   client that has the file gets 304.
/// - Caches keep a file with a hash in its name (`app-3f9a0c1b.js`) for a year without asking
///   again. They ask for all other files each time, which costs little with an `ETag`.
///   [`immutable`](Self::immutable) sets other rules.
/// - A file that compression makes smaller is compressed for clients that accept it: with gzip, and
///   with brotli if the directory has the same name with `.br` at its end. A file with `.gz` is
///   used in the same way. Those files are not served under their own names.
/// - A path that ends in `/` gets its `index.html`; a directory without the `/` gets 308.
///
/// Ranges are not supported: the answer is the whole file.
#[derive(Clone)]
pub struct Files {
    table: Arc<Table>,
    single_page: bool,
}

/// Answers requests for files, and leaves all others to a service.
///
/// In front of [`NodeLayer`](crate::NodeLayer), each node serves the files itself, no matter who
/// leads. It takes only `GET` and `HEAD` of existing files, and asks for no token.
#[derive(Clone)]
pub struct FilesLayer(Files);

/// The service of a [`FilesLayer`].
#[derive(Clone)]
pub struct WithFiles<S> {
    inner: S,
    files: Files,
}

impl Assets {
    /// These files. A path without `/` at its beginning is served as if it had one.
    pub const fn new(files: &'static [(&'static str, &'static [u8])]) -> Self {
        Self(files)
    }
}

impl fmt::Debug for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Files")
    }
}

impl Files {
    /// Serves files that are part of the program. Compresses them, so call it once.
    pub fn embedded(assets: Assets) -> Self {
        let files = assets.0.iter().map(|(path, content)| {
            let path = format!("/{}", path.trim_start_matches('/'));
            (path, Bytes::from_static(content))
        });
        Self::of(Table::new(files.collect()))
    }

    /// Serves the present files of a directory and of those below it. Later changes have no effect.
    ///
    /// It leaves out names that begin with a dot (but not `.well-known`), and, with a warning,
    /// names that are not UTF-8 and symbolic links that lead out of the directory.
    ///
    /// # Errors
    ///
    /// [`FilesError`]: the directory cannot be read, or is too large.
    ///
    /// # Cancel safety
    ///
    /// Safe: reading goes on for a while in the background.
    pub async fn directory(path: impl Into<PathBuf>) -> Result<Self, FilesError> {
        let path = path.into();
        let reading = tokio::task::spawn_blocking(move || table::read(&path).map(Table::new));
        let table = reading.await.expect("reading a directory does not panic");
        table.map(Self::of)
    }

    fn of(table: Table) -> Self {
        Self {
            table: Arc::new(table),
            single_page: false,
        }
    }

    /// Answers with `/index.html` if a path names no file and its last part has no dot: for
    /// applications that read the path in the browser.
    #[must_use]
    pub fn single_page(mut self) -> Self {
        self.single_page = true;
        self
    }

    /// Decides by its path whether a file never changes under its name.
    #[must_use]
    pub fn immutable(mut self, is_immutable: impl Fn(&str) -> bool) -> Self {
        let mut table = Arc::unwrap_or_clone(self.table);
        table.set_immutable(is_immutable);
        self.table = Arc::new(table);
        self
    }

    /// The answer to this request.
    pub fn respond<B>(&self, request: &Request<B>) -> Response<Full<Bytes>> {
        if !is_read(request.method()) {
            let mut response = problem(
                StatusCode::METHOD_NOT_ALLOWED,
                "read-only",
                "Files are read-only",
                "Files are read with GET and HEAD.",
                request.method(),
            );
            let allowed = HeaderValue::from_static("GET, HEAD");
            response.headers_mut().insert(ALLOW, allowed);
            return response;
        }
        self.find(request).unwrap_or_else(|| {
            problem(
                StatusCode::NOT_FOUND,
                "not-found",
                "There is no such file",
                "No file has this path.",
                request.method(),
            )
        })
    }

    /// The answer to this request, if it reads an existing file.
    pub fn find<B>(&self, request: &Request<B>) -> Option<Response<Full<Bytes>>> {
        if !is_read(request.method()) {
            return None;
        }
        let raw = request.uri().path();
        let path = percent_decode_str(raw).decode_utf8().ok()?;
        let last = path.rsplit('/').next().unwrap_or_default();
        let table = &self.table;
        if last.is_empty() {
            if let Some(file) = table.file(&format!("{path}{INDEX}")) {
                return Some(serve(file, request));
            }
        } else if let Some(file) = table.file(&path) {
            return Some(serve(file, request));
        } else if table.file(&format!("{path}/{INDEX}")).is_some() {
            return redirect(raw, request.uri().query());
        }
        if self.single_page && !last.contains('.') {
            return Some(serve(table.file(&format!("/{INDEX}"))?, request));
        }
        None
    }
}

fn is_read(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

fn serve<B>(file: &File, request: &Request<B>) -> Response<Full<Bytes>> {
    let content = negotiate::choose(file, request.headers());
    let has_it = negotiate::has(request.headers(), &content.etag);
    let is_head = request.method() == Method::HEAD;
    let body = if has_it || is_head {
        Bytes::new()
    } else {
        content.bytes.clone()
    };
    let mut response = Response::new(Full::new(body));
    let headers = response.headers_mut();
    headers.insert(ETAG, content.etag.clone());
    headers.insert(CACHE_CONTROL, file.cache.clone());
    if file.is_coded() {
        headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
    }
    if has_it {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return response;
    }
    headers.insert(CONTENT_TYPE, file.kind.clone());
    headers.insert(CONTENT_LENGTH, HeaderValue::from(content.bytes.len()));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Some(coding) = content.coding {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static(coding));
    }
    response
}

/// To the same path with `/` at its end. Relative, so that it is right behind any proxy.
fn redirect(path: &str, query: Option<&str>) -> Option<Response<Full<Bytes>>> {
    let last = path.rsplit('/').next()?;
    let query = query.map_or_else(String::new, |query| format!("?{query}"));
    let location = HeaderValue::from_str(&format!("./{last}/{query}")).ok()?;
    let mut response = Response::new(Full::default());
    *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
    response.headers_mut().insert(LOCATION, location);
    Some(response)
}

fn problem(
    status: StatusCode,
    name: &str,
    title: &str,
    detail: &str,
    method: &Method,
) -> Response<Full<Bytes>> {
    let body = json!({
        "type": format!("urn:incumbent:problem:{name}"),
        "title": title,
        "status": status.as_u16(),
        "detail": detail,
    });
    let body = Bytes::from(body.to_string());
    let length = HeaderValue::from(body.len());
    let body = if *method == Method::HEAD {
        Bytes::new()
    } else {
        body
    };
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    let kind = HeaderValue::from_static("application/problem+json");
    headers.insert(CONTENT_TYPE, kind);
    headers.insert(CONTENT_LENGTH, length);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

impl<B> Service<Request<B>> for Files {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        ready(Ok(self.respond(&request)))
    }
}

impl FilesLayer {
    /// Answers with these files.
    pub fn new(files: Files) -> Self {
        Self(files)
    }
}

impl<S> Layer<S> for FilesLayer {
    type Service = WithFiles<S>;

    fn layer(&self, inner: S) -> WithFiles<S> {
        WithFiles {
            inner,
            files: self.0.clone(),
        }
    }
}

impl<S, B, R> Service<Request<B>> for WithFiles<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
    R: Send + 'static,
{
    type Response = Response<Either<Full<Bytes>, R>>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let found = self.files.find(&request);
        if let Some(response) = found {
            let response = response.map(Either::Left);
            return Box::pin(async move { Ok(response) });
        }
        let answer = self.inner.call(request);
        Box::pin(async move { Ok(answer.await?.map(Either::Right)) })
    }
}

#[cfg(test)]
mod tests;
