//! `incumbent role`: for a COMMAND of `run --standby warm` that is a shell script.

mod args;

use std::process::ExitCode;

use axum::http::Method;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::body::Bytes;
use serde_json::Value;

use crate::exit::{Code, Failure};
use crate::http::{self, Target};
use crate::run::records_api::{SOCKET, TOKEN, URL};
use crate::show::{self, Reader};
pub(crate) use args::RoleArgs;
use args::RoleCommand;

/// Longest line of the stream.
const LONGEST_LINE: usize = 64 * 1024;

pub(crate) async fn role(args: RoleArgs) -> Result<ExitCode, Failure> {
    let api = Api::of_environment()?;
    let as_json = args.output.is_json_asked();
    match args.command {
        None => print(&api.ask(Method::GET, "/v1/role").await?, as_json).map(drop)?,
        Some(RoleCommand::Follow) => api.follow(as_json).await?,
        Some(RoleCommand::Acknowledge { number }) => {
            let number = match number {
                Some(number) => number,
                None => api.ask(Method::GET, "/v1/role").await?["number"]
                    .as_u64()
                    .unwrap_or(0),
            };
            let path = format!("/v1/role/acknowledge?number={number}");
            print(&api.ask(Method::POST, &path).await?, as_json)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// One line: words for `read`, or JSON.
fn print(role: &Value, as_json: bool) -> Result<Reader, Failure> {
    if as_json {
        return show::json_line(role);
    }
    let word = role["role"].as_str().unwrap_or("unknown");
    let epoch = role["epoch"]
        .as_u64()
        .map_or_else(|| "-".to_owned(), |epoch| epoch.to_string());
    show::line(format!("{word} {} {epoch}", role["number"]))
}

struct Api {
    target: Target,
    token: Option<String>,
}

impl Api {
    fn of_environment() -> Result<Self, Failure> {
        if let Some(path) = std::env::var_os(SOCKET) {
            return Ok(Self {
                target: Target::Unix(path.into()),
                token: None,
            });
        }
        let address = std::env::var(URL)
            .ok()
            .and_then(|url| http::host_and_port(&url).ok());
        match address {
            Some(address) => Ok(Self {
                target: Target::Tcp(address),
                token: std::env::var(TOKEN).ok(),
            }),
            None => {
                let why = format!(
                    "this is for the COMMAND of `incumbent run`: neither {SOCKET} nor {URL} is in the environment"
                );
                Err(Failure::new(why).code(Code::Usage))
            }
        }
    }

    fn request(&self, method: Method, path: &str) -> Request<Full<Bytes>> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "records");
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        request
            .body(Full::default())
            .expect("paths and tokens are header text")
    }

    async fn ask(&self, method: Method, path: &str) -> Result<Value, Failure> {
        let answer = http::send(&self.target, self.request(method, path)).await;
        let answer = answer.map_err(|cause| no_answer().because(cause))?;
        let body: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
        match answer.status().is_success() {
            true => Ok(body),
            false => {
                let why = body["detail"]
                    .as_str()
                    .unwrap_or("refused, without a reason");
                Err(Failure::new(why).code(Code::Refused))
            }
        }
    }

    /// Prints each role until the API, or the reader, is gone.
    async fn follow(&self, as_json: bool) -> Result<(), Failure> {
        let request = self.request(Method::GET, "/v1/role/events");
        let (answer, _driver) = http::open(&self.target, request)
            .await
            .map_err(|cause| no_answer().because(cause))?;
        let mut body = answer.into_body();
        let mut line = Vec::new();
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame
                .map_err(drop)
                .and_then(|frame| frame.into_data().map_err(drop))
            else {
                break;
            };
            for &byte in &data {
                if byte != b'\n' {
                    line.push(byte);
                    continue;
                }
                let role = serde_json::from_slice(&std::mem::take(&mut line)).unwrap_or_default();
                if show::in_background(move || print(&role, as_json)).await? == Reader::Left {
                    return Ok(());
                }
            }
            if line.len() > LONGEST_LINE {
                break;
            }
        }
        Err(no_answer())
    }
}

fn no_answer() -> Failure {
    Failure::new("the records API answers no more; this node is ending").code(Code::Unavailable)
}
