//! `incumbent node drain` and `incumbent node forget`.

use std::io::{BufRead, IsTerminal};
use std::process::ExitCode;

use hyper::{Method, StatusCode};
use serde_json::json;

use crate::cluster::client::{Ask, Client, ClientError, segment};
use crate::diagnostics::{ask, say};
use crate::exit::{Code, Failure};

pub(super) async fn drain(client: &Client, node: &str) -> Result<ExitCode, Failure> {
    want(client, node, "draining").await?;
    say(format!(
        "{node} takes no more tasks; those that it has are moved, and then it ends"
    ));
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn forget(client: &Client, node: &str, yes: bool) -> Result<ExitCode, Failure> {
    if !yes {
        confirm(node)?;
    }
    want(client, node, "forgotten").await?;
    say(format!(
        "{node} is forgotten; jobs that waited for it go on"
    ));
    Ok(ExitCode::SUCCESS)
}

async fn want(client: &Client, node: &str, state: &str) -> Result<(), Failure> {
    let path = format!("/v1/nodes/{}/desired", segment(node));
    let wanted = Ask::new(Method::PUT, path).json(&json!({ "state": state }));
    let done = client.whole(&wanted).await;
    done.map(drop).map_err(|error| match error {
        ClientError::Problem(problem) if problem.status == StatusCode::NOT_FOUND => {
            let why = format!(
                "there is no TaskManager {node:?}; `incumbent node ls` lists those that there are"
            );
            Failure::new(why).code(Code::NotFound)
        }
        error => error.into(),
    })
}

fn confirm(node: &str) -> Result<(), Failure> {
    let what = format!(
        "If {node}, or a task that it has started, still runs somewhere, exclusive jobs will run twice."
    );
    if !std::io::stdin().is_terminal() {
        let why = format!(
            "nothing was done: {what} Standard input is not a terminal, so add --yes to confirm"
        );
        return Err(Failure::new(why).code(Code::Usage));
    }
    ask(format!("{what} Is it gone for good? Type yes: "));
    let mut answer = String::new();
    let read = std::io::stdin().lock().read_line(&mut answer);
    match read {
        Ok(_) if answer.trim() == "yes" => Ok(()),
        _ => Err(Failure::new("nothing was done").code(Code::Refused)),
    }
}
