//! `incumbent status`: who leads now.

use std::process::ExitCode;

use incumbent::{Root, State};
use serde_json::json;

use crate::args::{Common, StatusArgs};
use crate::exit::{Code, Failure};
use crate::{place, show};

/// Whether the holder can be seen to live.
enum Alive {
    /// It answers, and these stand by.
    Yes(Vec<String>),
    No(std::io::Error),
    NotOffered,
}

pub(crate) async fn status(common: &Common, args: StatusArgs) -> Result<ExitCode, Failure> {
    let group = place::group(common).await?;
    let root = group.root().await?;
    let records = group.records().await?.len();
    let alive = match root.as_ref().and_then(|root| root.liveness.as_ref()) {
        Some(liveness) => incumbent::standbys(&liveness.address)
            .await
            .map_or_else(Alive::No, Alive::Yes),
        None => Alive::NotOffered,
    };
    let leads = root
        .as_ref()
        .is_some_and(|root| root.state != State::Released)
        && !matches!(alive, Alive::No(_));
    show::line(match args.output.is_json() {
        true => as_json(common, root.as_ref(), &alive, records),
        false => as_table(common, root.as_ref(), &alive, records)?,
    });
    Ok(if leads {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(Code::NoLeader as u8)
    })
}

fn as_json(common: &Common, root: Option<&Root>, alive: &Alive, records: usize) -> String {
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
    match alive {
        Alive::Yes(standbys) => {
            json["alive"] = json!(true);
            json["standbys"] = json!(standbys);
        }
        Alive::No(error) => {
            json["alive"] = json!(false);
            json["alive_error"] = json!(error.to_string());
        }
        Alive::NotOffered => {}
    }
    json.to_string()
}

fn as_table(
    common: &Common,
    root: Option<&Root>,
    alive: &Alive,
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
                State::Activating => "activating",
                State::Active => "active",
                State::Released => "released: nobody leads",
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
    match alive {
        Alive::Yes(standbys) if standbys.is_empty() => {
            rows.push(("alive", "yes; nobody stands by".into()))
        }
        Alive::Yes(standbys) => {
            rows.push(("alive", format!("yes; standing by: {}", standbys.join(" "))))
        }
        Alive::No(error) => rows.push(("alive", format!("not seen: {error}"))),
        Alive::NotOffered => {}
    }
    rows.push(("records", records.to_string()));
    let rows = rows
        .into_iter()
        .map(|(name, value)| format!("{name:<9} {value}"));
    Ok(rows.collect::<Vec<_>>().join("\n"))
}
