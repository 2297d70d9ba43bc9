//! `incumbent records`: look at records, and change them.
//!
//! Inside a command of `incumbent run` it uses the records API, so that writes carry the command's
//! own term (`beside.rs`). Elsewhere it reads the store, and writes by leading for a moment
//! (`lead.rs`), or by force.

mod args;
mod beside;
mod expected;
mod lead;
mod list;

use std::io::Read;
use std::process::ExitCode;

use incumbent::RecordName;
use serde_json::value::RawValue;

use crate::exit::{Code, Failure};
use crate::settings::Common;
use crate::{show, store};
pub(crate) use args::RecordsArgs;
use args::{RecordsCommand, WriteHow};
use beside::Beside;
use expected::Expected;

pub(crate) async fn records(common: &Common, args: RecordsArgs) -> Result<ExitCode, Failure> {
    match args.command {
        RecordsCommand::Ls { prefix, output } => {
            list::list(&store::existing_group(common).await?, &prefix, output).await?
        }
        RecordsCommand::Get { name, default } => {
            let default = default.as_deref().map(parse).transpose()?;
            let Some(data) = read(common, &name).await?.or(default) else {
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

async fn read(common: &Common, name: &RecordName) -> Result<Option<Box<RawValue>>, Failure> {
    if let Some(api) = Beside::command(common) {
        return api.read(name).await;
    }
    let group = store::existing_group(common).await?;
    let found = group.read::<Box<RawValue>>(name).await?;
    Ok(found.map(|found| found.data))
}

async fn write(
    common: &Common,
    name: &RecordName,
    data: Option<Box<RawValue>>,
    how: WriteHow,
) -> Result<(), Failure> {
    let expected = match &how.expect {
        Some(json) => Expected::data(&parse(json)?)?,
        None if how.if_absent => Expected::Absent,
        None => Expected::Anything,
    };
    if how.force {
        let group = store::group(common).await?;
        tracing::warn!(record = %name, "writing without leading: a leader that has opened the record must open it again");
        return Ok(group.overwrite_by_hand(name, data).await?);
    }
    match Beside::command(common) {
        Some(api) => api.write(name, data, &expected).await,
        None => lead::lead_and_write(store::group(common).await?, name, data, &expected).await,
    }
}

/// Does not repeat the text: it may be a secret.
fn parse(text: &str) -> Result<Box<RawValue>, Failure> {
    let parsed = serde_json::from_str(text);
    parsed.map_err(|error: serde_json::Error| {
        let (line, column) = (error.line(), error.column());
        Failure::new(format!(
            "the data is not JSON (line {line}, column {column}); text needs quotes of its own, as in '\"text\"'"
        ))
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
