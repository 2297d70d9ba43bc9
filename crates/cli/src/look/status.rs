//! `incumbent status`: who leads now.

use std::process::ExitCode;
use std::time::Duration;

use incumbent::backend::redacted;
use incumbent::{Group, HolderName, Root, TermState};
use serde_json::{Value, json};

use super::args::StatusArgs;

use crate::diagnostics::say;
use crate::exit::{Code, Failure};
use crate::settings::Common;
use crate::show::escape::printable;
use crate::{show, store};

/// How often the root is read while waiting for a renewal.
const POLL: Duration = Duration::from_millis(50);

/// Whether a leader is alive, as seen from here.
enum SignOfLeader {
    /// Nobody has led yet, or the last leader resigned.
    None,
    /// Its liveness endpoint answers with the nonce of its term; these stand by.
    Answers(Vec<HolderName>),
    /// Its liveness endpoint cannot be reached, but it renews its lease.
    Renews,
    /// It neither answers nor renews. Standbys may take over when its lease ends.
    Silent(String),
}

pub(crate) async fn status(common: &Common, args: StatusArgs) -> Result<ExitCode, Failure> {
    let group = store::existing_group(common).await?;
    let root = group.root().await?;
    let records = group.records().await?.len();
    let leader = judge(&group, root.as_ref()).await?;
    let code = match leader {
        SignOfLeader::Answers(_) | SignOfLeader::Renews => ExitCode::SUCCESS,
        SignOfLeader::None | SignOfLeader::Silent(_) => ExitCode::from(Code::NoLeader as u8),
    };
    if args.output.is_json() {
        show::json_line(&as_json(common, root.as_ref(), &leader, records))?;
    } else {
        show::line(as_table(common, root.as_ref(), &leader, records)?)?;
    }
    Ok(code)
}

/// Asks the liveness endpoint, and if it does not answer, waits for a renewal.
async fn judge(group: &Group, root: Option<&Root>) -> Result<SignOfLeader, Failure> {
    let Some(root) = root.filter(|root| root.state != TermState::Released) else {
        return Ok(SignOfLeader::None);
    };
    let why = match &root.liveness {
        None => "it has no liveness endpoint".to_owned(),
        Some(liveness) => match incumbent::sign_of_life(&liveness.address).await {
            Ok(sign) if sign.nonce == Some(root.nonce) => {
                return Ok(SignOfLeader::Answers(sign.standbys));
            }
            Ok(_) => "its liveness endpoint belongs to another term".to_owned(),
            Err(error) => format!("its liveness endpoint does not answer: {error}"),
        },
    };
    // A leader renews several times in each lease.
    let patience = root.lease() / 2;
    say(format!(
        "{}: {why}; waiting up to {patience:?} for a renewal",
        root.holder
    ));
    let renewed = async {
        loop {
            tokio::time::sleep(POLL).await;
            let now = group.root().await?;
            if now.is_none_or(|now| (now.nonce, now.seq) != (root.nonce, root.seq)) {
                return Ok::<_, incumbent::Error>(());
            }
        }
    };
    match tokio::time::timeout(patience, renewed).await {
        Ok(changed) => changed
            .map(|()| SignOfLeader::Renews)
            .map_err(Failure::from),
        Err(_) => Ok(SignOfLeader::Silent(format!(
            "{why}; no renewal in {patience:?}"
        ))),
    }
}

fn as_json(common: &Common, root: Option<&Root>, leader: &SignOfLeader, records: usize) -> Value {
    let mut json = json!({ "group": common.group, "state": "none", "records": records });
    if let Some(root) = root {
        json["state"] = json!(root.state);
        json["epoch"] = json!(root.epoch);
        json["holder"] = json!(root.holder);
        json["nonce"] = json!(root.nonce);
        json["endpoints"] = json!(root.endpoints);
        json["since"] = json!(root.since);
        json["renewed"] = json!(root.renewed);
        json["lease_seconds"] = json!(root.lease().as_secs_f64());
        json["preferred"] = json!(root.preferred);
    }
    match leader {
        SignOfLeader::None => {}
        SignOfLeader::Answers(standbys) => {
            json["alive"] = json!(true);
            json["standbys"] = json!(standbys);
        }
        SignOfLeader::Renews => json["alive"] = json!(true),
        SignOfLeader::Silent(why) => {
            json["alive"] = json!(false);
            json["silence"] = json!(why);
        }
    }
    json
}

fn as_table(
    common: &Common,
    root: Option<&Root>,
    leader: &SignOfLeader,
    records: usize,
) -> Result<String, Failure> {
    let mut rows = vec![
        ("address", redacted(&store::address(common)?)),
        ("group", common.group.clone()),
    ];
    match root {
        None => rows.push(("state", "nobody has led yet".into())),
        Some(root) => {
            let state = match root.state {
                TermState::Activating => "activating",
                TermState::Active => "active",
                TermState::Released => "released: nobody leads",
            };
            rows.extend([
                ("state", state.into()),
                ("epoch", root.epoch.to_string()),
                ("holder", root.holder.to_string()),
            ]);
            rows.extend(
                root.endpoints
                    .iter()
                    .map(|(name, address)| ("endpoint", format!("{name}={address}"))),
            );
            rows.extend([
                ("since", format!("{} (its clock)", root.since)),
                ("renewed", format!("{} (its clock)", root.renewed)),
                (
                    "lease",
                    humantime::format_duration(root.lease()).to_string(),
                ),
            ]);
        }
    }
    match leader {
        SignOfLeader::None => {}
        SignOfLeader::Answers(standbys) if standbys.is_empty() => {
            rows.push(("alive", "yes; nobody stands by".into()))
        }
        SignOfLeader::Answers(standbys) => {
            let names: Vec<_> = standbys.iter().map(HolderName::as_str).collect();
            rows.push(("alive", format!("yes; standing by: {}", names.join(" "))));
        }
        SignOfLeader::Renews => rows.push(("alive", "it renews its lease".into())),
        SignOfLeader::Silent(why) => rows.push(("alive", format!("no sign of life: {why}"))),
    }
    rows.push(("records", format!("{records}, deleted ones included")));
    let rows = rows
        .into_iter()
        .map(|(name, value)| format!("{name:<9} {}", printable(&value)));
    Ok(rows.collect::<Vec<_>>().join("\n"))
}
