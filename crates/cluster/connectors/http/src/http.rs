//! [`Http`]: the sink, as the author of a job describes it.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use incumbent_stream::outbox::Outbox;
use incumbent_stream::{At, BoxError, Sink, Staged};
use reqwest::header::{HeaderName, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, StatusCode, Url};
use serde::Serialize;

use crate::carrier::ToHttp;
use crate::error::Error;

/// How many requests of a rank are under way at a time, if the author does not say it.
const IN_FLIGHT: usize = 8;

/// How long an answer may take, if the author does not say it.
const TIMEOUT: Duration = Duration::from_secs(30);

/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Sends each record as a POST, at least once: see [`crate`].
#[derive(Clone, Debug)]
#[must_use]
pub struct Http {
    url: String,
    headers: Vec<(String, String)>,
    header_files: Vec<(String, PathBuf)>,
    ca: Option<PathBuf>,
    pub(crate) batch: Option<NonZeroUsize>,
    in_flight: usize,
    timeout: Duration,
    done: Vec<u16>,
    skips_refused: bool,
}

/// What is known of a sink when its description has been checked.
pub(crate) struct Target {
    pub(crate) client: Client,
    pub(crate) url: Url,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    /// Headers whose values are read from files before each batch.
    pub(crate) header_files: Vec<(HeaderName, PathBuf)>,
    pub(crate) in_flight: usize,
    pub(crate) done: Vec<StatusCode>,
    pub(crate) skips_refused: bool,
}

impl Http {
    /// Where records go: an URL with `http` or `https`. It is shown to people, so it has no
    /// password.
    pub fn post(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            headers: Vec::new(),
            header_files: Vec::new(),
            ca: None,
            batch: None,
            in_flight: IN_FLIGHT,
            timeout: TIMEOUT,
            done: Vec::new(),
            skips_refused: false,
        }
    }

    /// Adds a header to each request.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Adds a header whose value is in a file, such as `Authorization`. The file is read again
    /// before each batch.
    pub fn header_file(mut self, name: impl Into<String>, file: impl Into<PathBuf>) -> Self {
        self.header_files.push((name.into(), file.into()));
        self
    }

    /// The file of a CA, in PEM, that may sign the server's certificate, besides the system's. A
    /// certificate of another one, or for another name, or out of its time, is refused: the attempt
    /// fails, and nothing is sent.
    pub fn ca(mut self, file: impl Into<PathBuf>) -> Self {
        self.ca = Some(file.into());
        self
    }

    /// Sends up to so many records as an array, with one key. Without this, each record is a
    /// request of its own.
    pub fn batch(mut self, records: NonZeroUsize) -> Self {
        self.batch = Some(records);
        self
    }

    /// How many requests of a rank may be under way at a time; 8 by default. With 1, they come in
    /// order.
    pub fn in_flight(mut self, requests: usize) -> Self {
        self.in_flight = requests.max(1);
        self
    }

    /// How long the answer to a request may take; 30 s by default. Then it is sent again.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// A status that means that the request was done before, such as 409 for some servers.
    pub fn done_if(mut self, status: u16) -> Self {
        self.done.push(status);
        self
    }

    /// Drops records that the server refuses. Each is logged, with its key and the answer.
    pub fn skip_refused(mut self) -> Self {
        self.skips_refused = true;
        self
    }

    fn target(&self, at: &At) -> Result<Target, String> {
        let url = Url::parse(&self.url).map_err(|error| format!("its URL: {error}"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(format!(
                "its URL has the scheme {}: use http or https",
                url.scheme()
            ));
        }
        if url.password().is_some() || !url.username().is_empty() {
            return Err(
                "its URL has a user, and is shown to people: put the header \
                        Authorization into a file and name that with header_file"
                    .to_owned(),
            );
        }
        if HeaderValue::from_str(&at.name).is_err() {
            return Err("its name is part of a header: use ASCII".to_owned());
        }
        let name = |name: &str| {
            let parsed = HeaderName::try_from(name);
            parsed.map_err(|_| format!("{name} is not the name of a header"))
        };
        let mut headers = Vec::new();
        for (header, value) in &self.headers {
            let value = HeaderValue::from_str(value)
                .map_err(|_| format!("the value of {header} is not one of a header"))?;
            headers.push((name(header)?, value));
        }
        let mut header_files = Vec::new();
        for (header, file) in &self.header_files {
            secret(file)?;
            header_files.push((name(header)?, file.clone()));
        }
        let mut done = Vec::new();
        for &status in &self.done {
            let status = StatusCode::from_u16(status);
            done.push(status.map_err(|_| "done_if: this is not a status".to_owned())?);
        }
        Ok(Target {
            client: self.client()?,
            url,
            headers,
            header_files,
            in_flight: self.in_flight,
            done,
            skips_refused: self.skips_refused,
        })
    }

    fn client(&self) -> Result<Client, String> {
        let mut client = Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(self.timeout)
            .pool_max_idle_per_host(self.in_flight)
            // A POST that is redirected would become a GET.
            .redirect(Policy::none())
            .user_agent("incumbent");
        if let Some(file) = &self.ca {
            let failed = |why: String| format!("the CA {}: {why}", file.display());
            let pem = std::fs::read(file).map_err(|error| failed(error.to_string()))?;
            let certificate =
                Certificate::from_pem(&pem).map_err(|error| failed(error.to_string()))?;
            client = client.tls_certs_merge([certificate]);
        }
        client.build().map_err(|error| error.to_string())
    }
}

/// The value of a header that is in a file.
pub(crate) fn secret(file: &PathBuf) -> Result<HeaderValue, String> {
    let failed = |why: String| format!("the file {}: {why}", file.display());
    let text = std::fs::read_to_string(file).map_err(|error| failed(error.to_string()))?;
    let mut value = HeaderValue::from_str(text.trim_end())
        .map_err(|_| failed("it does not have the value of a header".to_owned()))?;
    value.set_sensitive(true);
    Ok(value)
}

impl<T: Serialize + Send + 'static> Sink<T> for Http {
    type Writer = Outbox<T>;

    fn open(&self, at: &At, staged: Vec<Staged>) -> Result<Outbox<T>, BoxError> {
        let target = self.target(at).map_err(Error::Described)?;
        let carrier = ToHttp::new(target, self.batch)?;
        let encode = |record: &T, line: &mut Vec<u8>| Ok(serde_json::to_writer(line, record)?);
        Outbox::open(at, staged, encode, carrier)
    }
}
