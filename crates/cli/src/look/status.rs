//! `incumbent status`: who leads now.

use std::process::ExitCode;
use std::time::Duration;

use incumbent::{Group, HolderName, Root, TermState};
use serde_json::{Value, json};

use crate::args::{Common, StatusArgs};
use crate::diagnostics::say;
use crate::exit::{Code, Failure};
use crate::show::escape::printable;
use crate::{place, show};

/// How often the root is looked at while waiting for a renewal.
const LOOK: Duration = Duration::from_millis(50);

/// Whether somebody leads, as far as can be told from here.
enum Leader {
    /// Nobody has led yet, or the last leader resigned.
    None,
    /// It says the nonce of its term, and these stand by.
    Answers(Vec<HolderName>),
    /// It cannot be asked, but it renews its lease.
    Renews,
    /// It neither answers nor renews. Others may take over when its lease ends.
    Silent(String),
}

pub(crate) async fn status(common: &Common, args: StatusArgs) -> Result<ExitCode, Failure> {
    let group = place::present_group(common).await?;
    let root = group.root().await?;
    let records = group.records().await?.len();
    let leader = judge(&group, root.as_ref()).await?;
    let code = match leader {
        Leader::Answers(_) | Leader::Renews => ExitCode::SUCCESS,
        Leader::None | Leader::Silent(_) => ExitCode::from(Code::NoLeader as u8),
    };
    if args.output.is_json() {
        show::json_line(&as_json(common, root.as_ref(), &leader, records))?;
    } else {
        show::line(as_table(common, root.as_ref(), &leader, records)?)?;
    }
    Ok(code)
}

async fn judge(group: &Group, root: Option<&Root>) -> Result<Leader, Failure> {
    let Some(root) = root.filter(|root| root.state != TermState::Released) else {
        return Ok(Leader::None);
    };
    let why = match &root.liveness {
        None => "it offers no liveness endpoint".to_owned(),
        Some(liveness) => match incumbent::sign_of_life(&liveness.address).await {
            Ok(sign) if sign.nonce == Some(root.nonce) => {
                return Ok(Leader::Answers(sign.standbys));
            }
            Ok(_) => "its liveness endpoint is in another term".to_owned(),
            Err(error) => format!("its liveness endpoint does not answer: {error}"),
        },
    };
    // Renewals come several times in a lease.
    let patience = root.lease() / 2;
    say(format!(
        "{}: {why}; waiting up to {patience:?} for a renewal",
        root.holder
    ));
    let renewed = async {
        loop {
            tokio::time::sleep(LOOK).await;
            let now = group.root().await?;
            if now.is_none_or(|now| (now.nonce, now.seq) != (root.nonce, root.seq)) {
                return Ok::<_, incumbent::Error>(());
            }
        }
    };
    match tokio::time::timeout(patience, renewed).await {
        Ok(changed) => changed.map(|()| Leader::Renews).map_err(Failure::from),
        Err(_) => Ok(Leader::Silent(format!("{why}; no renewal in {patience:?}"))),
    }
}

fn as_json(common: &Common, root: Option<&Root>, leader: &Leader, records: usize) -> Value {
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
        Leader::None => {}
        Leader::Answers(standbys) => {
            json["alive"] = json!(true);
            json["standbys"] = json!(standbys);
        }
        Leader::Renews => json["alive"] = json!(true),
        Leader::Silent(why) => {
            json["alive"] = json!(false);
            json["silence"] = json!(why);
        }
    }
    json
}

fn as_table(
    common: &Common,
    root: Option<&Root>,
    leader: &Leader,
    records: usize,
) -> Result<String, Failure> {
    let mut rows = vec![
        ("address", place::address(common)?),
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
        Leader::None => {}
        Leader::Answers(standbys) if standbys.is_empty() => {
            rows.push(("alive", "yes; nobody stands by".into()))
        }
        Leader::Answers(standbys) => {
            let names: Vec<_> = standbys.iter().map(HolderName::as_str).collect();
            rows.push(("alive", format!("yes; standing by: {}", names.join(" "))));
        }
        Leader::Renews => rows.push(("alive", "it renews its lease".into())),
        Leader::Silent(why) => rows.push(("alive", format!("no sign of life: {why}"))),
    }
    rows.push(("records", format!("{records}, deleted ones included")));
    let rows = rows
        .into_iter()
        .map(|(name, value)| format!("{name:<9} {}", printable(&value)));
    Ok(rows.collect::<Vec<_>>().join("\n"))
}
