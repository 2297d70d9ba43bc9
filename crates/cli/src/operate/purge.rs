//! `incumbent purge`: removes what groups have left behind.

use std::io::{BufRead, IsTerminal};
use std::process::ExitCode;

use incumbent::backend::{Erased, Listed};
use incumbent::{Group, GroupName, TermState};
use serde_json::json;

use crate::args::{Common, Output, PurgeArgs};
use crate::diagnostics::{ask, say};
use crate::exit::{Code, Failure};
use crate::{place, show};

/// How often progress is told, in keys.
const TELL_EVERY: usize = 500;

pub(crate) async fn purge(common: &Common, args: PurgeArgs) -> Result<ExitCode, Failure> {
    let store = place::present(common).await?;
    let names: Vec<GroupName> = match args.all_groups {
        true => store.groups().await?,
        false => vec![place::group_name(common)?],
    };
    let mut found = Vec::new();
    for name in names {
        let group = store.group_with(name.as_str(), place::options(common)?)?;
        let everything = group.everything().await?;
        refuse_led(&group, &everything, args.force).await?;
        found.push((group, everything));
    }
    let total = found.iter().map(|(_, listed)| listed.len()).sum();
    tell(&found, args.output)?;
    if total == 0 {
        say(format!("there is nothing to remove in {}", store.address()));
        return Ok(ExitCode::SUCCESS);
    }
    if !args.yes {
        confirm(total, store.address())?;
    }
    let mut done = 0;
    for (group, everything) in &found {
        for listed in everything {
            match group.erase_by_hand(listed).await? {
                Erased::Gone => done += 1,
                // The root goes first: whoever has begun to lead meanwhile is met there.
                Erased::Conflict => {
                    let why = format!(
                        "{} was written meanwhile; {done} of {total} were removed; stop everybody and try again",
                        listed.key
                    );
                    return Err(Failure::new(why).code(Code::Refused));
                }
                Erased::Kept => {
                    let why = format!(
                        "nothing was removed: {} keeps tombstones; stop everybody, and remove it by hand",
                        store.address()
                    );
                    return Err(Failure::new(why));
                }
            }
            if done % TELL_EVERY == 0 {
                say(format!("{done} of {total} removed"));
            }
        }
    }
    say(format!(
        "{done} of {total} removed from {}",
        store.address()
    ));
    Ok(ExitCode::SUCCESS)
}

async fn refuse_led(group: &Group, everything: &[Listed], force: bool) -> Result<(), Failure> {
    let leads = |state| matches!(state, TermState::Activating | TermState::Active);
    match group.root().await {
        Ok(Some(root)) if leads(root.state) && !force => {
            let why = format!(
                "{} leads {} at epoch {}, or did not resign; stop it, or say --force",
                root.holder,
                group.name(),
                root.epoch
            );
            Err(Failure::new(why).code(Code::Refused))
        }
        // It may be kept elsewhere, and somebody lead by it.
        Ok(None) if !everything.is_empty() && !force => {
            let why = format!(
                "{} has records here and no root; if the address lacks an option that its nodes have, as root=lease, add it; \
                 if the root was removed by hand, say --force",
                group.name()
            );
            Err(Failure::new(why).code(Code::Refused))
        }
        Ok(_) => Ok(()),
        // What cannot be understood may be removed by whoever insists.
        Err(incumbent::Error::Damaged { .. }) if force => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn tell(found: &[(Group, Vec<Listed>)], output: Output) -> Result<(), Failure> {
    let rows = found
        .iter()
        .flat_map(|(_, everything)| everything)
        .map(|listed| [listed.key.group().as_str(), listed.key.item()]);
    if output.is_json() {
        for [group, item] in rows {
            show::json_line(&json!({ "group": group, "item": item }))?;
        }
    } else {
        let rows = rows.map(|row| row.map(str::to_owned).to_vec()).collect();
        show::line(show::table(&["GROUP", "ITEM"], rows))?;
    }
    Ok(())
}

fn confirm(total: usize, address: &str) -> Result<(), Failure> {
    if !std::io::stdin().is_terminal() {
        let why = "nothing was removed: say --yes, as nobody can be asked here";
        return Err(Failure::new(why).code(Code::Usage));
    }
    ask(format!(
        "Remove these {total} from {address}, for good? Type yes: "
    ));
    let mut answer = String::new();
    let read = std::io::stdin().lock().read_line(&mut answer);
    match read {
        Ok(_) if answer.trim() == "yes" => Ok(()),
        _ => Err(Failure::new("nothing was removed").code(Code::Refused)),
    }
}
