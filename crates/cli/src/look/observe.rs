//! `incumbent observe`: who leads, as it changes.

use std::process::ExitCode;

use incumbent::View;
use serde_json::Value;
use tokio::signal::unix::{SignalKind, signal};

use super::args::ObserveArgs;
use crate::exit::Failure;
use crate::settings::Common;
use crate::show::Reader;
use crate::show::escape::printable;
use crate::{show, store};

pub(crate) async fn observe(common: &Common, args: ObserveArgs) -> Result<ExitCode, Failure> {
    let group = store::group(common).await?;
    let is_json = args.output.is_json();
    let mut observer = group.observe();
    if !is_json {
        show::line(format!(
            "{:<24}  {:>6}  {:<10}  {:<24}  ENDPOINTS",
            "TIME", "EPOCH", "STATE", "HOLDER"
        ))?;
    }
    // Listened to from now on, so that no signal is missed while a line is printed.
    let mut interrupt = signal(SignalKind::interrupt())
        .map_err(|cause| Failure::new("cannot listen for signals").because(cause))?;
    let mut lines = 0;
    while args.lines.is_none_or(|most| lines < most) {
        let view = tokio::select! {
            view = observer.next() => view,
            _ = interrupt.recv() => break,
        };
        let print = move || {
            if is_json {
                show::json_line(&as_json(&view))
            } else {
                show::styled_line(as_row(&view))
            }
        };
        let reader = tokio::select! {
            printed = show::in_background(print) => printed?,
            _ = interrupt.recv() => break,
        };
        if reader == Reader::Left {
            break;
        }
        lines += 1;
    }
    Ok(ExitCode::SUCCESS)
}

fn as_json(view: &View) -> Value {
    let mut json = show::view_json(view);
    json["time"] = show::now().into();
    json
}

fn as_row(view: &View) -> String {
    let (word, style) = show::view_word(view);
    let (epoch, holder, endpoints) = match view {
        View::None => ("-".into(), "-".into(), String::new()),
        View::Activating(leader) | View::Active(leader) => {
            let endpoints: Vec<_> = leader
                .endpoints
                .iter()
                .map(|(name, address)| format!("{name}={address}"))
                .collect();
            (
                leader.epoch.to_string(),
                printable(leader.holder.as_str()).into_owned(),
                printable(&endpoints.join(" ")).into_owned(),
            )
        }
    };
    format!(
        "{:<24}  {epoch:>6}  {style}{word:<10}{style:#}  {holder:<24}  {endpoints}",
        show::now()
    )
}
