//! `incumbent records`: look at records, and change them.
//!
//! Beside a command of `incumbent run` it speaks to the records API, so that writes carry the
//! command's own term. Elsewhere it reads the backend, and writes by leading for a moment, or by
//! force.

use std::io::Read;
use std::process::ExitCode;
use std::time::Duration;

use axum::http::{Method, StatusCode};
use futures::{StreamExt, stream};
use http_body_util::Full;
use hyper::Request;
use hyper::body::Bytes;
use incumbent::{Group, RecordName, View};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::args::{Common, Output, RecordsArgs, RecordsCommand, WriteHow};
use crate::diagnostics::say;
use crate::exit::{Code, Failure};
use crate::http::{self, Target};
use crate::{api, place, show};

/// Records that are read at a time for a list.
const AT_A_TIME: usize = 16;

/// How long to try to lead for one write.
const CAMPAIGN: Duration = Duration::from_secs(5);

pub(crate) async fn records(common: &Common, args: RecordsArgs) -> Result<ExitCode, Failure> {
    match args.command {
        RecordsCommand::Ls { prefix, output } => {
            list(&place::present_group(common).await?, &prefix, output).await?
        }
        RecordsCommand::Get { name, default } => {
            let data = match Beside::command(common) {
                Some(api) => Some(api.open(&name).await?)
                    .filter(|found| found.exists)
                    .map(|found| found.data),
                None => {
                    let group = place::present_group(common).await?;
                    group
                        .read::<Box<RawValue>>(&name)
                        .await?
                        .map(|found| found.data)
                }
            };
            let default = default.as_deref().map(parse).transpose()?;
            let Some(data) = data.or(default) else {
                return Err(Failure::new(format!("{name} does not exist")).code(Code::NotFound));
            };
            show::stored_json(data.get())?;
        }
        RecordsCommand::Put { name, json, how } => {
            let data = parse(&if json == "-" { stdin()? } else { json })?;
            write(common, &name, Some(data), how).await?;
        }
        RecordsCommand::Rm { name, how } => write(common, &name, None, how).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn list(group: &Group, prefix: &str, output: Output) -> Result<(), Failure> {
    let mut rows = Vec::new();
    let names = group.records().await?;
    let names = names
        .iter()
        .filter(|name| name.as_str().starts_with(prefix));
    let read = stream::iter(names)
        .map(async |name| Ok::<_, Failure>((name, group.read::<Box<RawValue>>(name).await?)));
    let mut read = std::pin::pin!(read.buffered(AT_A_TIME));
    while let Some((name, found)) = read.next().await.transpose()? {
        let Some(found) = found else {
            continue;
        };
        let (epoch, data) = (found.stamp.epoch(), found.data);
        if output.is_json() {
            show::json_line(&json!({
                "name": name, "epoch": epoch, "bytes": data.get().len(),
                "stamp": found.stamp.to_string(),
            }))?;
        } else {
            let short: String = data.get().chars().take(60).collect();
            let more = if short.len() < data.get().len() {
                "…"
            } else {
                ""
            };
            rows.push(vec![
                name.to_string(),
                epoch.to_string(),
                data.get().len().to_string(),
                format!("{short}{more}"),
            ]);
        }
    }
    if !output.is_json() {
        show::line(show::table(&["RECORD", "EPOCH", "BYTES", "DATA"], rows))?;
    }
    Ok(())
}

async fn write(
    common: &Common,
    name: &RecordName,
    data: Option<Box<RawValue>>,
    how: WriteHow,
) -> Result<(), Failure> {
    let expected = match &how.expect {
        Some(json) => Expected::Data(value(&parse(json)?)?),
        None if how.if_absent => Expected::Absent,
        None => Expected::Anything,
    };
    if how.force {
        let group = place::group(common).await?;
        tracing::warn!(record = %name, "writing without leading: a leader that has it open must read it again, and may overwrite this");
        return Ok(group.overwrite_by_hand(name, data).await?);
    }
    match Beside::command(common) {
        Some(api) => api.write(name, data, &expected).await,
        None => lead_and_write(place::group(common).await?, name, data, &expected).await,
    }
}

/// Leads for one write, if nobody else does.
async fn lead_and_write(
    group: Group,
    name: &RecordName,
    data: Option<Box<RawValue>>,
    expected: &Expected,
) -> Result<(), Failure> {
    let candidate = group.candidate()?;
    let patience = tokio::spawn(async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        say(format!("waiting up to {CAMPAIGN:?} to lead for this write"));
    });
    let campaign = tokio::select! {
        campaign = tokio::time::timeout(CAMPAIGN, candidate.campaign()) => campaign.ok(),
        _ = tokio::signal::ctrl_c() => None,
    };
    patience.abort();
    let Some(leadership) = campaign else {
        let who = match group.observe().view() {
            View::Active(leader) | View::Activating(leader) => {
                format!("{} leads at epoch {}", leader.holder, leader.epoch)
            }
            View::None => {
                "the backend does not answer, or the last leader's lease has not ended".into()
            }
        };
        // A claim that is on the way must not leave a lease behind.
        drop(candidate);
        group.close().await;
        let advice = "write beside its command, or with --force";
        return Err(
            Failure::new(format!("{who}; nothing was written: {advice}")).code(Code::Refused),
        );
    };
    let written = async {
        let mut record = leadership.open::<Box<RawValue>>(name).await?;
        if !expected.met_by(record.data().map(|data| &**data)) {
            return Ok(false);
        }
        match data {
            Some(data) => record.commit(data).await?,
            None => record.delete().await?,
        }
        Ok::<_, incumbent::Error>(true)
    };
    let written = written.await;
    leadership.resign(None).await;
    match written? {
        true => Ok(()),
        false => Err(unexpected(name)),
    }
}

/// The records API of the command that this runs beside.
struct Beside {
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
    /// If this process is a command's, and means the command's own group.
    fn command(common: &Common) -> Option<Self> {
        let same = |name, value: Option<&str>| std::env::var(name).ok().as_deref() == value;
        if !same("INCUMBENT_HA", common.ha.as_deref())
            || !same("INCUMBENT_GROUP", Some(&common.group))
        {
            return None;
        }
        if let Some(path) = std::env::var_os(api::SOCKET) {
            return Some(Self {
                target: Target::Unix(path.into()),
                token: None,
            });
        }
        let address = http::host_and_port(&std::env::var(api::URL).ok()?).ok()?;
        Some(Self {
            target: Target::Tcp(address),
            token: std::env::var(api::TOKEN).ok(),
        })
    }

    async fn open(&self, name: &RecordName) -> Result<Shown, Failure> {
        let answer = self.ask(Method::POST, name, None, Bytes::new()).await?;
        serde_json::from_slice(&answer)
            .map_err(|error| Failure::new("the records API answered nonsense").because(error))
    }

    async fn write(
        &self,
        name: &RecordName,
        data: Option<Box<RawValue>>,
        expected: &Expected,
    ) -> Result<(), Failure> {
        let found = self.open(name).await?;
        if !expected.met_by(found.data()) {
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
                // A write may have gone through; a command that asks must not take it for granted
                // either way.
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
            .unwrap_or("the records API refused without a reason");
        Err(Failure::new(text).code(match answer.status() {
            StatusCode::CONFLICT | StatusCode::PRECONDITION_FAILED => Code::Refused,
            StatusCode::GATEWAY_TIMEOUT => Code::Unknown,
            StatusCode::SERVICE_UNAVAILABLE => Code::Unavailable,
            _ => Code::Failed,
        }))
    }
}

/// What the record must be for a write to be made.
enum Expected {
    Anything,
    Absent,
    Data(Value),
}

impl Expected {
    fn met_by(&self, found: Option<&RawValue>) -> bool {
        match (self, found) {
            (Self::Anything, _) | (Self::Absent, None) => true,
            // What cannot be taken apart is not equal to anything.
            (Self::Data(expected), Some(found)) => {
                value(found).is_ok_and(|found| found == *expected)
            }
            (Self::Absent, Some(_)) | (Self::Data(_), None) => false,
        }
    }
}

fn value(raw: &RawValue) -> Result<Value, Failure> {
    serde_json::from_str(raw.get()).map_err(|error| {
        Failure::new("the JSON cannot be compared")
            .because(error)
            .code(Code::Usage)
    })
}

fn unexpected(name: &RecordName) -> Failure {
    Failure::new(format!(
        "{name} is not what was expected; nothing was written"
    ))
    .code(Code::Refused)
}

fn parse(text: &str) -> Result<Box<RawValue>, Failure> {
    let parsed = serde_json::from_str(text);
    parsed.map_err(|error| {
        Failure::new(format!(
            "{text:?} is not JSON; text needs quotes of its own"
        ))
        .because(error)
        .code(Code::Usage)
    })
}

fn stdin() -> Result<String, Failure> {
    let mut text = String::new();
    std::io::stdin()
        .read_to_string(&mut text)
        .map_err(|error| Failure::new("cannot read standard input").because(error))?;
    Ok(text)
}
