//! The routes that any node answers itself. They never pass the leader, so they answer while nobody
//! leads.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::{any, get, post, put};
use incumbent_cluster_core::JobSpec;
use incumbent_cluster_core::view::{CheckpointsView, JobView};
use utoipa::openapi::HttpMethod::{Delete, Get, Head, Patch, Post, Put};
use utoipa::openapi::schema::Type;

use super::job_file::{self, JobFileView};
use super::job_metrics::{self, JobMetrics};
use super::route::Route;
use super::types::ArtifactView;
use super::types::{StateNames, StateRange, StateValue, Why};
use super::{Api, artifacts, checkpoints, logs, metrics, state, submit, task_http, why};

pub(super) fn routes() -> Vec<Route<Arc<Api>>> {
    const ARTIFACT: &str = "/v1/artifacts/{digest}";
    const HTTP: &str = "/v1/jobs/{job}/tasks/{rank}/http";
    const BYTES: &str = "application/octet-stream";
    let blobs = (503, "The blobs do not answer");
    vec![
        Route::new(&[Put], "/v1/jobs/{job}", put(submit::submit), "submit_job", "Submit a job")
            .says(
                "The client draws the id, 32 hexadecimal digits, before its first try, and repeats the request \
                 until it is answered: the same id and specification is the same job. Also while nobody leads: \
                 the job is written down, and starts when somebody does.",
            )
            .takes::<JobSpec>("The job, at most 64 KiB")
            .answers::<JobView>(201, "It is written down")
            .answers::<JobView>(200, "It was written down before")
            .fails(&[
                (400, "The body is no JSON, or the id is none"),
                (409, "The id is another job's"),
                (410, "The id was a job's that was removed"),
                (413, "The job is too large"),
                (422, "The job cannot be run as it is; `errors` names each wrong field"),
                (503, "The store does not answer"),
            ]),
        Route::new(
            &[Get],
            "/v1/jobs/{job}/checkpoints",
            get(checkpoints::of_job),
            "list_checkpoints",
            "The checkpoints of a job",
        )
        .says(
            "While nobody leads, a job that is named by its id is answered from its record: without what is \
             pending, and without the last that was aborted.",
        )
        .answers::<CheckpointsView>(200, "What is kept, what is pending, and what went wrong last")
        .fails(&[(404, "No such job, or it makes no checkpoints"), (500, "The record of the job is damaged")]),
        Route::new(&[Get], "/v1/jobs/{job}/why", get(why::of_job), "explain_job", "Why a job is as it is, in words")
            .answers::<Why>(200, "The reasons")
            .fails(&[(404, "No such job"), (500, "The record of the job is damaged")]),
        Route::new(&[Get], "/v1/jobs/{job}/metrics", get(job_metrics::of_job), "job_metrics", "The metrics of the tasks of a job")
            .says("What its tasks show, and the processor time and memory that they take. TaskManagers that do not answer are named.")
            .answers::<JobMetrics>(200, "The newest values")
            .fails(&[(404, "No such job"), (500, "The record of the job is damaged")]),
        Route::new(&[Post], "/v1/job-file", post(job_file::read), "read_job_file", "Read a job file")
            .says("Says what it stands for, and submits nothing. Upload the artifact, add it to the specification, and submit that.")
            .takes_text("A job file, in TOML")
            .answers::<JobFileView>(200, "What it stands for")
            .fails(&[(422, "It is no job file; `errors` names each wrong line")]),
        of_state(
            Route::new(&[Get], "/v1/jobs/{job}/state", get(state::names), "state_names", "The names of the states of a job")
                .answers::<StateNames>(200, "The names"),
        ),
        of_state(
            Route::new(&[Get], "/v1/jobs/{job}/state/{state}", get(state::range), "state_range", "Some keys of a state, in order")
                .says("Keys in the order of their JSON: null, booleans, numbers, strings, arrays, objects.")
                .query("from", Type::String, "The first key; without it, from the beginning")
                .query("to", Type::String, "The key before which it ends; without it, to the end")
                .query("limit", Type::Integer, "Most entries: 1 to 1000, usually 100")
                .query("key-type", Type::String, KEY_TYPE)
                .answers::<StateRange>(200, "The lowest keys of the range, with their values"),
        ),
        of_state(
            Route::new(&[Get], "/v1/jobs/{job}/state/{state}/{key}", get(state::value), "state_value", "The value of a key")
                .query("key-type", Type::String, KEY_TYPE)
                .answers::<StateValue>(200, "The value"),
        ),
        Route::new(&[Put], ARTIFACT, put(artifacts::upload), "upload_artifact", "Upload a file of jobs")
            .takes_bytes("The file, at most 1 GiB")
            .answers::<ArtifactView>(201, "It is kept")
            .answers::<ArtifactView>(200, "It was there before")
            .fails(&[
                (408, "The body did not arrive in time"),
                (413, "The file is too large"),
                (422, "The content has another digest; nothing was kept"),
                blobs,
                (507, "The blobs are full"),
            ]),
        Route::new(&[Get, Head], ARTIFACT, get(artifacts::download), "artifact", "A file of jobs")
            .gives(200, &[BYTES], "The file")
            .fails(&[(404, "No such file"), blobs]),
        of_log(
            Route::new(&[Get], "/v1/jobs/{job}/logs", get(logs::of_job), "job_logs", "The logs of all tasks of a job")
                .query("rank", Type::Integer, "Only this rank"),
        ),
        of_log(Route::new(
            &[Get],
            "/v1/jobs/{job}/tasks/{rank}/logs",
            get(logs::of_task),
            "task_logs",
            "The log of a task",
        )),
        Route::new(&[Get], HTTP, get(task_http::to_slash), "to_task_http", "To the first page of a task")
            .gives(308, &[], "The same with a slash at its end"),
        task_http("/v1/jobs/{job}/tasks/{rank}/http/", "task_http_root"),
        task_http("/v1/jobs/{job}/tasks/{rank}/http/{*path}", "task_http"),
        Route::new(&[Get], "/v1/metrics", get(metrics::all), "metrics", "The metrics of all nodes")
            .says("Each series has a label `node`. Nodes that do not answer in time are left out, and named.")
            .gives(200, &["text/plain"], "Metrics for Prometheus"),
        Route::new(&[Get], "/v1/openapi.json", get(document), "openapi", "This document")
            .gives(200, &["application/json"], "The document"),
        Route::new(
            &[Get],
            "/v1/task-openapi.json",
            get(task_document),
            "task_contract",
            "The document of the task contract: of the socket that each task has",
        )
        .gives(200, &["application/json"], "The document"),
    ]
}

const KEY_TYPE: &str = "`json` or `text`: how keys are written. Without it, what is JSON (a number, true, false, a \
     quoted string, an array, an object) is that, and all else is a string";

fn of_state(route: Route<Arc<Api>>) -> Route<Arc<Api>> {
    route
        .query(
            "as-of",
            Type::String,
            "`live` (if not said): what the tasks know now, which is not committed yet. `checkpoint`: what the \
             newest committed checkpoint has; nothing needs to run",
        )
        .fails(&[
            (400, "The key fits no key of the state (`bad-key`), or the request is malformed"),
            (404, "By type: not-found (the job), unknown-state, no-such-key, no-checkpoint"),
            (409, "By type: not-running, not-queryable (the program answers no queries), other-format (of a checkpoint)"),
            (413, "The state is too large to be scanned for a range"),
            (502, "A TaskManager cannot be reached, or a task answered what is no answer; says which rank"),
            (503, "The store or the blobs do not answer, or too much is asked at a time"),
            (504, "A task did not answer in time; says which rank"),
        ])
}

fn of_log(route: Route<Arc<Api>>) -> Route<Arc<Api>> {
    route
        .says(
            "As text, or as server-sent events (`Accept: text/event-stream`): each line is an event \
             whose data is {rank, attempt, line}, `note` says that lines are missing, and `end` is \
             the last. `Last-Event-ID` goes on behind that event, at any node. What is followed goes \
             on with the next attempt, and ends when the job has.",
        )
        .query("attempt", Type::Integer, "Only this attempt; without it, the present one")
        .query("tail", Type::Integer, "Begin at the last so many lines of each rank")
        .query("follow", Type::Boolean, "Wait for more")
        .gives(200, &["text/plain", "text/event-stream"], "The lines")
        .fails(&[(400, "Too many ranks for one answer"), (404, "No such job, rank or attempt")])
}

fn task_http(path: &'static str, name: &str) -> Route<Arc<Api>> {
    let methods = [Get, Head, Post, Put, Patch, Delete];
    let passed = any(task_http::pass_on);
    Route::new(&methods, path, passed, name, "The HTTP endpoint of a task")
        .says(
            "The request is passed on to the port that the task was granted, without cookies and \
             Authorization; the answer loses Set-Cookie and is put into a sandbox. If the path \
             begins with the name of an endpoint of the job, the task does not get that part.",
        )
        .gives(200, &["*/*"], "What the task answers, whatever its status")
        .fails(&[
            (404, "No such job or rank"),
            (409, "The task does not run"),
            (502, "Its node cannot be reached"),
            (504, "The task did not answer in time"),
        ])
}

async fn task_document() -> impl IntoResponse {
    let document = crate::task_manager::task_document();
    ([(CONTENT_TYPE, "application/json")], document)
}

async fn document(State(api): State<Arc<Api>>) -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], api.document.clone())
}
