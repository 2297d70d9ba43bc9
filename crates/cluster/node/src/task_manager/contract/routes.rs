//! The routes of the task socket. Its OpenAPI document is made from the same list.

use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::extract::Request;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::{get, post, put};
use utoipa::openapi::HttpMethod::{Get, Post, Put};

use super::TaskContract;
use super::events::{NDJSON, events};
use super::query_requests::{self, QueryLine};
use super::standing::TaskEvent;
use super::types::{FileView, Named, Peers, RestoreView, TaskIdentity};
use super::{download, requests, upload};
use crate::api::{Document, Problem, Route, as_problem};
use crate::query::RankAnswer;

const ABOUT: &str = "What a task says to its TaskManager and is told by it: HTTP on the Unix socket that \
     INCUMBENT_TASK_SOCKET names. Every request may be sent again. Errors are \
     application/problem+json; of a 503, the same request again after Retry-After is right.";

const OUTAGE: (u16, &str) = (503, "The blobs do not answer; send the same request again");

/// Made once: each task has the same.
static MADE: LazyLock<(Router<Arc<TaskContract>>, String)> = LazyLock::new(|| {
    let mut document = Document::new();
    let router = document
        .router(routes())
        .fallback(async |request: Request| {
            let path = request.uri().path();
            Problem::not_found(format!(
                "The task socket has no path {path:?}. /v1/openapi.json says which there are."
            ))
        })
        .layer(axum::middleware::map_response(as_problem));
    (
        router,
        document.into_json_about("Incumbent task socket", ABOUT),
    )
});

pub(super) fn router() -> Router<Arc<TaskContract>> {
    MADE.0.clone()
}

/// The OpenAPI document of the task socket, as JSON.
pub fn task_document() -> &'static str {
    &MADE.1
}

fn routes() -> Vec<Route<Arc<TaskContract>>> {
    const FILE: &str = "/v1/checkpoints/{n}/{file}";
    const RESTORED: &str = "/v1/restore/{rank}/{file}";
    const BYTES: &str = "application/octet-stream";
    vec![
        Route::new(&[Get], "/v1/task", get(requests::identity), "task", "Who the task is")
            .answers::<TaskIdentity>(200, "The task"),
        Route::new(&[Post], "/v1/ready", post(requests::ready), "ready", "Wait until the gang is ready")
            .says(
                "Say it when what was restored is published. The answer comes when all ranks have said it. \
                 If the connection breaks meanwhile, ask again.",
            )
            .answers::<Peers>(200, "All ranks are ready")
            .fails(&[(409, "The job does not checkpoint")]),
        Route::new(&[Get], "/v1/events", get(events), "events", "What the task is asked and told")
            .says(
                "Lines of JSON, for as long as the reader stays. A new reader is first told what stands: the \
                 last number that was committed, a higher one that was aborted, what is asked for and not \
                 acknowledged, `stop`. A slow reader is told the outcome and not the way: `committed 8` says \
                 that 7 is as well. `stop` is the last line.",
            )
            .gives_lines::<TaskEvent>(200, NDJSON, "Events, one a line")
            .fails(&[(409, "The job does not checkpoint")]),
        Route::new(&[Put], FILE, put(upload::put_file), "put_file", "Store a file of a checkpoint")
            .says(
                "`n` is the number that was asked for, or `final` for the last files (POST /v1/finish). The \
                 same name again replaces the file, one upload at a time. If an upload fails, what was \
                 stored under the name before stays.",
            )
            .takes_bytes("The file, at most 16 GiB")
            .answers::<FileView>(201, "It is durable")
            .fails(&[
                (400, "The name is none, or the body broke off; nothing was kept"),
                (408, "Nothing came for 30 s; nothing was kept"),
                (409, "By type: never-asked, aborted, acknowledged, being-stored, finished, not-checkpointing"),
                (413, "The file is too large, or there are too many"),
                OUTAGE,
            ]),
        Route::new(&[Post], "/v1/checkpoints/{n}/ack", post(requests::ack), "ack", "Acknowledge a checkpoint")
            .says(
                "The part has the files that the body names, or all that were stored for the number. It cannot \
                 be changed afterwards. The same acknowledgement again is answered in the same way.",
            )
            .may_take::<Named>("The names of the files; may be left out")
            .gives(200, &[], "It counts, if all other ranks acknowledge as well: `committed` will say so")
            .fails(&[(
                409,
                "By type: never-asked, aborted, acknowledged (with other files), no-such-file, being-stored, \
                 finished, not-checkpointing",
            )]),
        Route::new(&[Post], "/v1/finish", post(requests::finish), "finish", "Nothing more will come of the task")
            .says(
                "Its last files (PUT /v1/checkpoints/final/…) are in all later checkpoints. It goes on to read \
                 events, publishes what is committed, and exits with 0 when it is told to stop.",
            )
            .may_take::<Named>("The names of the files; may be left out")
            .gives(200, &[], "It has finished")
            .fails(&[(409, "By type: no-such-file, being-stored, finished (with other files), not-checkpointing")]),
        Route::new(&[Get], "/v1/restore", get(download::restore), "restore", "What to start from")
            .says("The files of all ranks: there may have been another number of them.")
            .answers::<RestoreView>(200, "A checkpoint")
            .fails(&[
                (404, "The task starts from nothing"),
                (500, "It is gone or altered; the task is ended"),
                OUTAGE,
            ]),
        Route::new(&[Get], RESTORED, get(download::restore_file), "restore_file", "A file to start from")
            .says("An answer that is shorter than its Content-Length is not whole: ask again.")
            .gives(200, &[BYTES], "The file")
            .fails(&[
                (404, "There is no such file in the checkpoint"),
                (500, "It is gone or altered; the task is ended"),
                OUTAGE,
            ]),
        Route::new(&[Put], "/v1/metrics", put(requests::metrics), "task_metrics", "Show metrics")
            .says(
                "They are shown by the TaskManager, with the labels `job` and `rank`, until others come or the \
                 task ends.",
            )
            .takes_text("OpenMetrics text, at most 64 KiB")
            .gives(200, &[], "They are shown")
            .fails(&[(400, "A line cannot be read; says which"), (413, "Too large")]),
        Route::new(&[Put], "/v1/progress", put(requests::progress), "progress", "Say something to people")
            .takes_text("One line of at most 200 bytes")
            .gives(200, &[], "It is shown with the next report to the leader")
            .fails(&[(400, "It is not one line of text"), (413, "Too long")]),
        Route::new(&[Get], "/v1/queries", get(query_requests::lines), "queries", "What is asked of the state")
            .says(
                "Lines of JSON, for as long as the reader stays: a key, a range of keys, or a list of the names \
                 of states. A task that reads them answers queries. A new reader takes the place of the one \
                 before, and is given all that waits. Unlike most, it is there for every job.",
            )
            .gives_lines::<QueryLine>(200, NDJSON, "Queries, one a line"),
        Route::new(&[Post], "/v1/queries/{id}", post(query_requests::answer), "answer_query", "Answer a query")
            .says("`entries` of a key or a range, `states` of a list, or `refused` with the reason.")
            .takes::<RankAnswer>("The answer, at most 1 MiB")
            .gives(200, &[], "It is passed on to the node that asked")
            .fails(&[
                (400, "The answer cannot be read; the node that asked is told"),
                (404, "Nobody waits for it: it was answered, or came late"),
                (413, "Too large; the node that asked is told"),
            ]),
        Route::new(&[Get], "/v1/openapi.json", get(document), "task_openapi", "This document")
            .gives(200, &["application/json"], "The document"),
    ]
}

async fn document() -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], task_document())
}
