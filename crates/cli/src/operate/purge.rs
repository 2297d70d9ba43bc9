//! `incumbent purge`: removes what groups have stored.

use std::io::{BufRead, IsTerminal};
use std::process::ExitCode;

use incumbent::backend::{Erased, Listed};
use incumbent::{Group, GroupName, Store, TermState};
use serde_json::json;

use super::args::PurgeArgs;
use crate::diagnostics::{ask, say, say_text};
use crate::exit::{Code, Failure};
use crate::settings::{Common, Output};
use crate::{show, store};

/// A group, and everything that it has stored.
type Found = (Group, Vec<Listed>);

pub(crate) async fn purge(common: &Common, args: PurgeArgs) -> Result<ExitCode, Failure> {
    let store = store::existing(common).await?;
    let found = everything(common, &args, &store).await?;
    let total = found.iter().map(|(_, listed)| listed.len()).sum();
    if total == 0 {
        say(format!("there is nothing to remove in {}", store.address()));
        return Ok(ExitCode::SUCCESS);
    }
    // Known before anybody is asked.
    if store.address().starts_with("file:") {
        return Err(kept(store.address()));
    }
    if !args.yes {
        confirm(&found, total, store.address())?;
    }
    let mut removed = 0;
    for (group, listed) in &found {
        for item in listed {
            let done = format!("{removed} of {total} were removed");
            remove(group, item, &done, store.address()).await?;
            removed += 1;
            print_removed(item, args.output)?;
        }
    }
    say(format!(
        "{removed} of {total} removed from {}",
        store.address()
    ));
    Ok(ExitCode::SUCCESS)
}

async fn everything(
    common: &Common,
    args: &PurgeArgs,
    store: &Store,
) -> Result<Vec<Found>, Failure> {
    let names: Vec<GroupName> = if args.all_groups {
        store.groups().await?
    } else {
        vec![store::group_name(common)?]
    };
    let mut found = Vec::new();
    for name in names {
        let group = store.group_with(name.as_str(), store::options(common)?)?;
        let listed = group.everything().await?;
        refuse_led(&group, &listed, args.force).await?;
        found.push((group, listed));
    }
    Ok(found)
}

/// Refuses to remove the records of a group that has a leader, unless forced.
async fn refuse_led(group: &Group, listed: &[Listed], force: bool) -> Result<(), Failure> {
    let leads = |state| matches!(state, TermState::Activating | TermState::Active);
    match group.root().await {
        Ok(Some(root)) if leads(root.state) && !force => {
            let why = format!(
                "{} leads {} at epoch {}, or did not resign; stop it, or add --force",
                root.holder,
                group.name(),
                root.epoch
            );
            Err(Failure::new(why).code(Code::Refused))
        }
        // The root may be kept elsewhere, and somebody may lead by it.
        Ok(None) if !listed.is_empty() && !force => {
            let why = format!(
                "{} has records here and no root; if the nodes use an address with another option, as root=lease, use the \
                 same address; if the root was removed by hand, add --force",
                group.name()
            );
            Err(Failure::new(why).code(Code::Refused))
        }
        Ok(_) => Ok(()),
        // A damaged root may be removed by force.
        Err(incumbent::Error::Damaged { .. }) if force => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Shows what would be removed, and asks.
fn confirm(found: &[Found], total: usize, address: &str) -> Result<(), Failure> {
    if !std::io::stdin().is_terminal() {
        let why = "nothing was removed: standard input is not a terminal, so add --yes to confirm";
        return Err(Failure::new(why).code(Code::Usage));
    }
    let rows = found
        .iter()
        .flat_map(|(_, listed)| listed)
        .map(|item| vec![item.key.group().to_string(), item.key.item().to_owned()]);
    say_text(&format!(
        "{}\n",
        show::table(&["GROUP", "ITEM"], rows.collect())
    ));
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

async fn remove(group: &Group, item: &Listed, done: &str, address: &str) -> Result<(), Failure> {
    match group.erase_by_hand(item).await? {
        Erased::Gone => Ok(()),
        // The root goes first, so a leader that has started meanwhile is noticed there.
        Erased::Conflict => {
            let why = format!(
                "{} was written meanwhile; {done}; stop all nodes and try again",
                item.key
            );
            Err(Failure::new(why).code(Code::Refused))
        }
        Erased::Kept => Err(kept(address)),
    }
}

/// What a store that removes no keys says.
fn kept(address: &str) -> Failure {
    Failure::new(format!(
        "nothing was removed: {address} keeps tombstones; stop all nodes, and remove it by hand"
    ))
}

fn print_removed(item: &Listed, output: Output) -> Result<(), Failure> {
    let (group, item) = (item.key.group(), item.key.item());
    if output.is_json() {
        show::json_line(&json!({ "group": group, "item": item, "removed": true }))?;
    } else {
        show::line(format!("removed {group}/{item}"))?;
    }
    Ok(())
}
