//! `incumbent resign`: asks the present leader to hand over, and waits for the next one.

use std::process::ExitCode;

use incumbent::View;

use super::args::ResignArgs;

use crate::diagnostics::say;
use crate::exit::{Code, Failure};
use crate::settings::Common;
use crate::{show, store};

pub(crate) async fn resign(common: &Common, args: ResignArgs) -> Result<ExitCode, Failure> {
    let group = store::existing_group(common).await?;
    let mut observer = group.observe();
    let asked = group
        .ask_to_hand_over(args.to.clone(), group.holder().as_str())
        .await?;
    say(format!(
        "asked the leader of epoch {asked} to hand over; waiting for the next one"
    ));
    let next = observer.wait_for(|view| view.active().is_some_and(|leader| leader.epoch > asked));
    match tokio::time::timeout(args.timeout, next).await {
        Ok(view) => {
            show::line(described(&view))?;
            let holder = view.active().map(|leader| leader.holder.clone());
            match args.to {
                Some(to) if holder.as_ref() != Some(&to) => {
                    let why = format!("the leader handed over, but {to} did not become the leader");
                    Err(Failure::new(why).code(Code::Refused))
                }
                _ => Ok(ExitCode::SUCCESS),
            }
        }
        Err(_) => {
            let timeout = humantime::format_duration(args.timeout);
            let view = described(&observer.view());
            Err(Failure::new(format!(
                "the leader was asked to hand over, but nobody else is active after {timeout}: {view}"
            ))
            .code(Code::Unavailable))
        }
    }
}

fn described(view: &View) -> String {
    match view {
        View::None => "nobody leads".into(),
        View::Activating(leader) => {
            format!("{} is activating at epoch {}", leader.holder, leader.epoch)
        }
        View::Active(leader) => format!("{} leads at epoch {}", leader.holder, leader.epoch),
    }
}
