//! The routes of the records API, and what each answers.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use incumbent::{Record, RecordName, Stamp};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::office::Office;
use super::problem::{self, LARGEST_BODY, Problem};
use crate::show;

/// Longest text of the HTTP framework about a request that it refuses.
const LONGEST_REJECTION: usize = 4096;

type Shared = State<Arc<Office>>;
type Open = Record<Box<RawValue>>;

pub(super) fn routes(office: Arc<Office>) -> Router {
    Router::new()
        .route("/openapi.json", get(openapi))
        .route("/v1/leader", get(leader))
        .route("/v1/term", get(term))
        .route("/v1/records", get(list))
        .route(
            "/v1/records/{*name}",
            get(read).post(open).put(put).patch(patch).delete(delete),
        )
        .fallback(async || Problem::no_such_path())
        .method_not_allowed_fallback(async || Problem::no_such_path())
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .layer(axum::middleware::map_response(as_problem))
        .with_state(office)
}

/// Turns a refusal of the HTTP framework into a problem like all others.
async fn as_problem(response: Response) -> Response {
    let status = response.status();
    let said = response.headers().get(header::CONTENT_TYPE);
    let problem = said.is_some_and(|said| said == problem::CONTENT_TYPE);
    if problem || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let text = axum::body::to_bytes(response.into_body(), LONGEST_REJECTION).await;
    let text = text.unwrap_or_default();
    Problem::rejected(status, &String::from_utf8_lossy(&text)).into_response()
}

async fn openapi() -> Response {
    (
        [(header::CONTENT_TYPE, "application/json")],
        include_str!("openapi.json"),
    )
        .into_response()
}

async fn leader(State(office): Shared) -> Json<Value> {
    Json(show::view_json(&office.group.observe().view()))
}

async fn term(State(office): Shared) -> Result<Json<Value>, Problem> {
    let leadership = office.leadership().await?;
    Ok(Json(json!({
        "group": office.group.name(),
        "holder": office.group.holder(),
        "epoch": office.seal.epoch,
        "nonce": office.seal.nonce,
        "valid_for_seconds": leadership.guard().remaining().as_secs_f64(),
    })))
}

#[derive(Deserialize)]
struct Prefix {
    #[serde(default)]
    prefix: String,
}

/// The names of all records, deleted ones included.
async fn list(State(office): Shared, Query(query): Query<Prefix>) -> Result<Json<Value>, Problem> {
    let names = office.group.records().await?;
    let names: Vec<_> = names
        .iter()
        .filter(|name| name.as_str().starts_with(&query.prefix))
        .collect();
    Ok(Json(json!({ "names": names })))
}

/// Reads without sealing: a write of an older leader may still follow.
async fn read(State(office): Shared, Path(name): Path<String>) -> Result<Response, Problem> {
    let name = parse(&name)?;
    match office.group.read::<Box<RawValue>>(&name).await? {
        Some(found) => {
            let sealed = found.stamp.seal() == office.seal;
            Ok(answer(&name, Some(&*found.data), found.stamp, sealed))
        }
        None => Err(Problem::not_found(name.as_str())),
    }
}

/// Seals the record for this term, and reads it by that. Opening it again costs a read.
async fn open(State(office): Shared, Path(name): Path<String>) -> Result<Response, Problem> {
    with_open(&office, &name, async |_| Ok(())).await
}

async fn put(
    State(office): Shared,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let data = from_json(&body)?;
    with_open(&office, &name, async |record: &mut Open| {
        check(&headers, record)?;
        Ok(record.commit(data).await?)
    })
    .await
}

/// Changes some keys of the data and leaves the others, in one commit: a JSON merge patch
/// (RFC 7396).
async fn patch(
    State(office): Shared,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let patch: Value = from_json(&body)?;
    with_open(&office, &name, async |record: &mut Open| {
        check(&headers, record)?;
        let mut data: Value = record
            .data()
            .map_or(Ok(Value::Null), |data| serde_json::from_str(data.get()))
            .map_err(bad)?;
        json_patch::merge(&mut data, &patch);
        let data = serde_json::value::to_raw_value(&data).map_err(bad)?;
        Ok(record.commit(data).await?)
    })
    .await
}

async fn delete(
    State(office): Shared,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    with_open(&office, &name, async |record: &mut Open| {
        check(&headers, record)?;
        Ok(record.delete().await?)
    })
    .await
}

/// Opens the record unless this term has opened it, does the work, and answers what it is then.
async fn with_open(
    office: &Office,
    name: &str,
    work: impl AsyncFnOnce(&mut Open) -> Result<(), Problem>,
) -> Result<Response, Problem> {
    let name = parse(name)?;
    office
        .answer(async {
            let cell = office.cell(&name).await?;
            let mut slot = cell.lock().await;
            let record = match slot.as_mut() {
                Some(record) => {
                    record.refresh().await?;
                    record
                }
                None => slot.insert(office.leadership().await?.open(&name).await?),
            };
            work(record).await?;
            Ok(answer(
                &name,
                record.data().map(|data| &**data),
                record.stamp(),
                true,
            ))
        })
        .await
}

/// Checks that the record is what the caller expects.
fn check(headers: &HeaderMap, record: &Open) -> Result<(), Problem> {
    let name = record.name().as_str();
    if let Some(expected) = headers.get(header::IF_MATCH) {
        let same = expected.as_bytes() == etag(&record.stamp().to_string()).as_bytes();
        return if same {
            Ok(())
        } else {
            Err(Problem::changed(name))
        };
    }
    match headers
        .get(header::IF_NONE_MATCH)
        .map(|value| value.as_bytes())
    {
        Some(b"*") if record.data().is_none() => Ok(()),
        Some(b"*") => Err(Problem::changed(name)),
        Some(_) => Err(Problem::bad("If-None-Match can only be *")),
        None => Err(Problem::precondition_required(name)),
    }
}

/// The answer about a record. The data are byte for byte what was written.
#[derive(Serialize)]
struct Found<'a> {
    name: &'a RecordName,
    exists: bool,
    data: Option<&'a RawValue>,
    etag: &'a str,
    sealed: bool,
}

fn answer(name: &RecordName, data: Option<&RawValue>, stamp: Stamp, sealed: bool) -> Response {
    let etag = etag(&stamp.to_string());
    let found = Found {
        name,
        exists: data.is_some(),
        data,
        etag: &etag,
        sealed,
    };
    ([(header::ETAG, etag.clone())], Json(found)).into_response()
}

fn etag(stamp: &str) -> String {
    format!("\"{stamp}\"")
}

fn from_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(body)
        .map_err(|error| Problem::bad(format!("the body is not JSON: {error}")))
}

fn parse(name: &str) -> Result<RecordName, Problem> {
    name.parse()
        .map_err(|error: incumbent::BadName| Problem::bad(error.to_string()))
}

fn bad(error: serde_json::Error) -> Problem {
    Problem::bad(error.to_string())
}
