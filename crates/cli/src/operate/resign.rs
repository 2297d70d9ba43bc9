//! `incumbent resign`: asks the present leader to hand over, and waits for the next one.

use std::process::ExitCode;

use incumbent::View;

use crate::args::{Common, ResignArgs};
use crate::diagnostics::say;
use crate::exit::{Code, Failure};
use crate::{place, show};

pub(crate) async fn resign(common: &Common, args: ResignArgs) -> Result<ExitCode, Failure> {
    let group = place::present_group(common).await?;
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
            let other = view
                .active()
                .is_some_and(|leader| args.to.as_ref().is_some_and(|to| *to != leader.holder));
            match other {
                false => Ok(ExitCode::SUCCESS),
                true => Err(Failure::new(format!(
                    "{} did not take it",
                    args.to.map_or_else(String::new, String::from)
                ))
                .code(Code::Refused)),
            }
        }
        Err(_) => {
            let timeout = humantime::format_duration(args.timeout);
            let view = described(&observer.view());
            Err(Failure::new(format!(
                "asked, but nobody else is active after {timeout}: {view}"
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
