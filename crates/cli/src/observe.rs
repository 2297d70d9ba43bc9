//! `incumbent observe`: who leads, as it changes.

use std::process::ExitCode;

use incumbent::View;

use crate::args::{Common, ObserveArgs};
use crate::exit::Failure;
use crate::{place, show};

pub(crate) async fn observe(common: &Common, args: ObserveArgs) -> Result<ExitCode, Failure> {
    let group = place::group(common).await?;
    let json = args.output.is_json();
    let mut observer = group.observe();
    if !json {
        show::line(format!(
            "{:<24}  {:>6}  {:<10}  {:<24}  ENDPOINTS",
            "TIME", "EPOCH", "STATE", "HOLDER"
        ));
    }
    // Nothing is known before the first answer: the state then is what is worth the first line.
    while group.silence().is_none() {
        tokio::select! {
            () = tokio::time::sleep(std::time::Duration::from_millis(5)) => {}
            _ = tokio::signal::ctrl_c() => return Ok(ExitCode::SUCCESS),
        }
    }
    let mut lines = 0;
    while args.lines.is_none_or(|most| lines < most) {
        let view = tokio::select! {
            view = observer.next() => view,
            _ = tokio::signal::ctrl_c() => break,
        };
        let text = match json {
            true => as_json(&view),
            false => as_row(&view),
        };
        if !show::line(text) {
            break;
        }
        lines += 1;
    }
    Ok(ExitCode::SUCCESS)
}

fn as_json(view: &View) -> String {
    let mut json = show::json(view);
    json["time"] = show::now().into();
    json.to_string()
}

fn as_row(view: &View) -> String {
    let (word, style) = show::word(view);
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
                leader.holder.to_string(),
                endpoints.join(" "),
            )
        }
    };
    format!(
        "{:<24}  {epoch:>6}  {style}{word:<10}{style:#}  {holder:<24}  {endpoints}",
        show::now()
    )
}
