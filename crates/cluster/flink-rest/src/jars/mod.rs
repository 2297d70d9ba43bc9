//! `/jars`: programs that are uploaded, listed, run and forgotten.
//!
//! A program is kept as an artifact, by its digest. Its id here says all that is needed to run it,
//! so any node runs what another one took. Only the list is this node's own.

mod id;
mod program;
mod run;
mod shelf;
mod upload;

use std::collections::HashMap;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::http::header::HOST;
use axum::routing::{delete, get, post};
use serde_json::json;

use crate::ask::{self, Ask, Flink};
use crate::errors::{Answer, Failure, ok};
use id::JarId;
pub use shelf::MOST_LISTED;
pub(crate) use shelf::Shelf;
pub use upload::MOST_UPLOADS;

type Params = Query<HashMap<String, String>>;

pub(crate) fn routes() -> Router<Flink> {
    Router::new()
        .route("/jars", get(list))
        .route("/jars/upload", post(upload::upload))
        .route("/jars/{jar}", delete(remove))
        .route("/jars/{jar}/plan", get(plan).post(plan))
        .route("/jars/{jar}/run", post(run))
}

async fn list(State(flink): State<Flink>, headers: HeaderMap) -> Answer {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let files = flink.shelf.all().into_iter().map(|(id, uploaded)| {
        json!({
            "id": id.to_string(),
            "name": id.name(),
            "uploaded": uploaded,
            "entry": [{ "name": id.name(), "description": null }],
        })
    });
    ok(json!({
        "address": format!("http://{}", host.unwrap_or("localhost")),
        "files": files.collect::<Vec<_>>(),
    }))
}

/// Forgets it. The file stays while a job needs it, and the cluster removes what none does.
async fn remove(State(flink): State<Flink>, Path(jar): Path<String>) -> Answer {
    let id: JarId = parse(&jar)?;
    match flink.shelf.forget(&id) {
        true => ok(json!({})),
        false => Err(absent(&jar)),
    }
}

async fn plan(
    State(flink): State<Flink>,
    Path(jar): Path<String>,
    Query(query): Params,
    body: Body,
) -> Answer {
    let (id, _) = found(&flink, &jar).await?;
    let wanted = run::Wanted::of(&query, ask::body(body).await?)?;
    ok(json!({ "plan": run::plan(&id, &wanted) }))
}

async fn run(
    State(flink): State<Flink>,
    ask: Ask,
    Path(jar): Path<String>,
    Query(query): Params,
    body: Body,
) -> Answer {
    let (id, size) = found(&flink, &jar).await?;
    let wanted = run::Wanted::of(&query, ask::body(body).await?)?;
    let job = wanted.job()?;
    let spec = run::spec(&id, size, job, &wanted)?;
    ask.put(&format!("/v1/jobs/{job}"), &spec).await?;
    ok(json!({ "jobid": job.to_string() }))
}

/// A program that is still there, and its size.
async fn found(flink: &Flink, jar: &str) -> Result<(JarId, u64), Failure> {
    let id = parse(jar)?;
    let artifact = flink.blobs.artifact(id.digest).await;
    match artifact.map_err(|error| upload::of_blobs(&error))? {
        Some(artifact) => Ok((id, artifact.size)),
        None => Err(absent(jar)),
    }
}

fn parse(jar: &str) -> Result<JarId, Failure> {
    jar.parse().map_err(|_| absent(jar))
}

fn absent(jar: &str) -> Failure {
    Failure::bad_request(format!("Jar file {jar} does not exist"))
}
