//! `incumbent job cancel`, `restart` and `rm`.

use std::process::ExitCode;

use hyper::Method;
use incumbent_cluster_core::view::JobView;
use serde_json::{Value, json};

use super::describe::standing;
use super::find::{find, named, path};
use super::wait::until_ended;
use crate::cluster::client::{Ask, Client, ClientError};
use crate::diagnostics::say;
use crate::exit::Failure;
use crate::show;

pub(super) async fn cancel(client: &Client, job: &str, wait: bool) -> Result<ExitCode, Failure> {
    let id = find(client, job).await?.id;
    let wanted = json!({ "state": "canceled" });
    let mut view = want(client, &id, &wanted)
        .await
        .map_err(|error| named(error, job))?;
    if wait {
        view = until_ended(client, &id, |_| ()).await?;
    }
    show::line(standing(&view))?;
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn restart(client: &Client, job: &str) -> Result<ExitCode, Failure> {
    let view = find(client, job).await?;
    // Named, so that a repeated request restarts nothing twice.
    let wanted = json!({ "state": "running", "after_attempt": view.attempt });
    let view = want(client, &view.id, &wanted)
        .await
        .map_err(|error| named(error, job))?;
    show::line(standing(&view))?;
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn remove(client: &Client, job: &str) -> Result<ExitCode, Failure> {
    let view = find(client, job).await?;
    let ask = Ask::new(Method::DELETE, path(&view.id));
    client
        .whole(&ask)
        .await
        .map_err(|error| named(error, job))?;
    say(format!("{} ({}) is forgotten", view.name, view.id));
    Ok(ExitCode::SUCCESS)
}

/// Says what is wanted of a job, and returns how it stands once that is written down.
async fn want(client: &Client, id: &str, wanted: &Value) -> Result<JobView, ClientError> {
    let ask = Ask::new(Method::PUT, format!("{}/desired", path(id))).json(wanted);
    client.json(&ask).await
}
