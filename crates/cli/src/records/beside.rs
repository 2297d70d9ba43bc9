//! Reads and writes through the records API of `incumbent run`.

use axum::http::{Method, StatusCode};
use http_body_util::Full;
use hyper::Request;
use hyper::body::Bytes;
use incumbent::RecordName;
use serde_json::Value;
use serde_json::value::RawValue;

use super::expected::{Expected, unexpected};
use crate::exit::{Code, Failure};
use crate::http::{self, Target};
use crate::run::records_api::{SOCKET, TOKEN, URL};
use crate::settings::Common;

/// The records API of the command that this program runs in.
pub(super) struct Beside {
    target: Target,
    token: Option<String>,
}

/// A record as the API shows it.
#[derive(serde::Deserialize)]
struct Shown {
    exists: bool,
    data: Box<RawValue>,
    etag: String,
}

impl Shown {
    fn data(&self) -> Option<&RawValue> {
        self.exists.then_some(&*self.data)
    }
}

impl Beside {
    /// The API, if this process belongs to a command and uses the command's own store and group.
    pub(super) fn command(common: &Common) -> Option<Self> {
        let is_same = |name, value: Option<&str>| std::env::var(name).ok().as_deref() == value;
        if !is_same("INCUMBENT_HA", common.ha.as_deref())
            || !is_same("INCUMBENT_GROUP", Some(&common.group))
        {
            return None;
        }
        if let Some(path) = std::env::var_os(SOCKET) {
            return Some(Self {
                target: Target::Unix(path.into()),
                token: None,
            });
        }
        let address = http::host_and_port(&std::env::var(URL).ok()?).ok()?;
        Some(Self {
            target: Target::Tcp(address),
            token: std::env::var(TOKEN).ok(),
        })
    }

    /// Opens the record; `None` if it does not exist.
    pub(super) async fn read(&self, name: &RecordName) -> Result<Option<Box<RawValue>>, Failure> {
        let found = self.open(name).await?;
        Ok(found.exists.then_some(found.data))
    }

    async fn open(&self, name: &RecordName) -> Result<Shown, Failure> {
        let answer = self.ask(Method::POST, name, None, Bytes::new()).await?;
        serde_json::from_slice(&answer).map_err(|error| {
            Failure::new("cannot understand the answer of the records API").because(error)
        })
    }

    pub(super) async fn write(
        &self,
        name: &RecordName,
        data: Option<Box<RawValue>>,
        expected: &Expected,
    ) -> Result<(), Failure> {
        let found = self.open(name).await?;
        if !expected.is_met_by(found.data()) {
            return Err(unexpected(name));
        }
        let (method, body) = match data {
            Some(data) => (Method::PUT, data.get().to_owned()),
            None => (Method::DELETE, String::new()),
        };
        self.ask(method, name, Some(&found.etag), body.into())
            .await
            .map(drop)
    }

    async fn ask(
        &self,
        method: Method,
        name: &RecordName,
        etag: Option<&str>,
        body: Bytes,
    ) -> Result<Bytes, Failure> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("/v1/records/{name}"))
            .header("host", "records");
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if let Some(etag) = etag {
            request = request.header("if-match", etag);
        }
        let request = request
            .body(Full::new(body))
            .expect("names, tokens and tags are header text");
        let sent = http::send(&self.target, request).await;
        let answer = sent.map_err(|error| {
            let code = match (&error, etag) {
                (http::HttpError::Connect(_), _) | (_, None) => Code::Unavailable,
                // A write may have happened; its outcome is unknown.
                (_, Some(_)) => Code::Unknown,
            };
            Failure::new("the records API did not answer")
                .because(error)
                .code(code)
        })?;
        if answer.status().is_success() {
            return Ok(answer.into_body());
        }
        let problem: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
        let text = problem["detail"]
            .as_str()
            .unwrap_or("the records API refused the request without a reason");
        Err(Failure::new(text).code(match answer.status() {
            StatusCode::CONFLICT | StatusCode::PRECONDITION_FAILED => Code::Refused,
            StatusCode::GATEWAY_TIMEOUT => Code::Unknown,
            StatusCode::SERVICE_UNAVAILABLE => Code::Unavailable,
            _ => Code::Failed,
        }))
    }
}
