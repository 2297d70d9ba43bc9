//! The routes of the records API, and what each answers.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use incumbent::{Epoch, Record, RecordName, Stamp};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::desk::Desk;
use super::problem::{self, EPOCH_HEADER, LARGEST_BODY, Problem};
use super::role::RoleView;
use crate::show;

/// Longest text of the HTTP framework about a request that it refuses.
const LONGEST_REJECTION: usize = 4096;

type Shared = State<Arc<Desk>>;
type Open = Record<Box<RawValue>>;

pub(crate) fn routes(desk: Arc<Desk>) -> Router {
    Router::new()
        .route("/openapi.json", get(openapi))
        .route("/v1/leader", get(leader))
        .route("/v1/term", get(term))
        .route("/v1/role", get(role))
        .route("/v1/role/events", get(role_events))
        .route("/v1/role/acknowledge", post(acknowledge))
        .route("/v1/records", get(list))
        .route(
            "/v1/records/{*name}",
            get(read).post(open).put(put).patch(patch).delete(delete),
        )
        .fallback(async || Problem::no_such_path())
        .method_not_allowed_fallback(async || Problem::wrong_method())
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .layer(axum::middleware::map_response(as_problem))
        .with_state(desk)
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

async fn leader(State(desk): Shared) -> Json<Value> {
    Json(show::view_json(&desk.group.observe().view()))
}

async fn term(State(desk): Shared) -> Result<Json<Value>, Problem> {
    let office = desk.office()?;
    let leadership = office.leadership().await?;
    Ok(Json(json!({
        "group": office.group.name(),
        "holder": office.group.holder(),
        "epoch": office.seal.epoch,
        "nonce": office.seal.nonce,
        "valid_for_seconds": leadership.guard().remaining().as_secs_f64(),
    })))
}

async fn role(State(desk): Shared) -> Json<RoleView> {
    Json(desk.board.ask())
}

/// Lines of JSON, one for each change, beginning with how it is.
async fn role_events(State(desk): Shared) -> Response {
    let media = [(header::CONTENT_TYPE, "application/x-ndjson")];
    (media, desk.board.follow()).into_response()
}

#[derive(Deserialize)]
struct Number {
    number: u64,
}

/// The command has stopped leading, as it was asked to. Answered when this node has given up the
/// term, if it is the command's turn.
async fn acknowledge(
    State(desk): Shared,
    Query(Number { number }): Query<Number>,
) -> Result<Json<RoleView>, Problem> {
    match desk.board.acknowledge(number).await {
        true => Ok(Json(desk.board.view())),
        false => Err(Problem::not_asked(number, &desk.board.view())),
    }
}

#[derive(Deserialize)]
struct Prefix {
    #[serde(default)]
    prefix: String,
}

/// The names of all records, deleted ones included.
async fn list(State(desk): Shared, Query(query): Query<Prefix>) -> Result<Json<Value>, Problem> {
    let names = desk.group.records().await?;
    let names: Vec<_> = names
        .iter()
        .filter(|name| name.as_str().starts_with(&query.prefix))
        .collect();
    Ok(Json(json!({ "names": names })))
}

/// Reads without sealing: a write of an older leader may still follow.
async fn read(State(desk): Shared, Path(name): Path<String>) -> Result<Response, Problem> {
    let name = parse(&name)?;
    match desk.group.read::<Box<RawValue>>(&name).await? {
        Some(found) => {
            let office = desk.office();
            let sealed = office.is_ok_and(|office| found.stamp.seal() == office.seal);
            Ok(answer(&name, Some(&*found.data), found.stamp, sealed))
        }
        None => Err(Problem::not_found(name.as_str())),
    }
}

/// Seals the record for this term, and reads it by that. Opening it again costs a read.
async fn open(
    State(desk): Shared,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    with_open(&desk, &headers, &name, async |_| Ok(())).await
}

async fn put(
    State(desk): Shared,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let data = from_json(&body)?;
    with_open(&desk, &headers, &name, async |record: &mut Open| {
        check(&headers, record)?;
        Ok(record.commit(data).await?)
    })
    .await
}

/// Changes some keys of the data and leaves the others, in one commit: a JSON merge patch
/// (RFC 7396).
async fn patch(
    State(desk): Shared,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let patch: Value = from_json(&body)?;
    with_open(&desk, &headers, &name, async |record: &mut Open| {
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
    State(desk): Shared,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    with_open(&desk, &headers, &name, async |record: &mut Open| {
        check(&headers, record)?;
        Ok(record.delete().await?)
    })
    .await
}

/// Opens the record unless this term has opened it, does the work, and answers what it is then.
async fn with_open(
    desk: &Desk,
    headers: &HeaderMap,
    name: &str,
    work: impl AsyncFnOnce(&mut Open) -> Result<(), Problem>,
) -> Result<Response, Problem> {
    let name = parse(name)?;
    let epoch = epoch_of(headers)?;
    if desk.outlives_terms && epoch.is_none() && headers.contains_key(header::IF_NONE_MATCH) {
        return Err(Problem::epoch_required(name.as_str()));
    }
    let office = desk.office_of(epoch)?;
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

/// The term in which a request is to be done, if it says so.
fn epoch_of(headers: &HeaderMap) -> Result<Option<Epoch>, Problem> {
    let Some(said) = headers.get(EPOCH_HEADER) else {
        return Ok(None);
    };
    let number = said.to_str().ok().and_then(|text| text.parse().ok());
    match number {
        Some(number) => Ok(Some(Epoch::new(number))),
        None => Err(Problem::bad(format!("{EPOCH_HEADER} must be a number"))),
    }
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
