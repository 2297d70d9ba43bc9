//! The store that `--ha` names, and the group in it: opened in the same way by every command.

use std::path::PathBuf;

use incumbent::{BadName, Group, GroupName, Options, Reach, Store, Timing, TimingOptions};

use crate::exit::{Code, Failure};
use crate::settings::Common;

/// The address of `--ha`, otherwise that of a directory of the user's own.
pub(crate) fn address(common: &Common) -> Result<String, Failure> {
    if let Some(address) = &common.ha {
        return Ok(address.clone());
    }
    let state = std::env::var_os("XDG_STATE_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute());
    let state =
        state.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".local/state")));
    let Some(path) = state.map(|state| state.join("incumbent")) else {
        return Err(Failure::new(
            "neither HOME nor XDG_STATE_HOME is set, so there is no directory for records; add --ha file:///dir",
        )
        .code(Code::Usage));
    };
    match path.to_str() {
        Some(path) => Ok(format!(
            "file://{}",
            path.replace('%', "%25").replace('?', "%3F")
        )),
        None => Err(Failure::new(
            "the path of the home directory is not UTF-8; add --ha file:///dir",
        )
        .code(Code::Usage)),
    }
}

/// Opens the store to campaign in it. With `embedded:` this process may serve it from now on.
pub(crate) async fn open(common: &Common) -> Result<Store, Failure> {
    open_address(&address(common)?).await
}

/// Opens the group to observe it, or to write once. A directory that does not exist is created: the
/// first leader may come later.
pub(crate) async fn group(common: &Common) -> Result<Group, Failure> {
    let options = options(common)?;
    let store = open_as_guest(common).await?;
    Ok(store.group_with(&common.group, options)?)
}

/// Opens the group to look at what is there now; see [`existing`].
pub(crate) async fn existing_group(common: &Common) -> Result<Group, Failure> {
    let options = options(common)?;
    let store = existing(common).await?;
    Ok(store.group_with(&common.group, options)?)
}

/// Opens the store to look at what is there now. A directory that does not exist is an error and is
/// not created: the address may be mistyped.
pub(crate) async fn existing(common: &Common) -> Result<Store, Failure> {
    let address = address(common)?;
    if !incumbent::is_there(&address).await? {
        let why = format!(
            "there is no store at {address}; correct --ha, or start with `incumbent run`, which creates one"
        );
        return Err(Failure::new(why).code(Code::Usage));
    }
    open_as_guest(common).await
}

/// Opens the store without ever serving it: this process ends soon, and its clients would lose the
/// server.
async fn open_as_guest(common: &Common) -> Result<Store, Failure> {
    let mut address = address(common)?;
    if address.starts_with("embedded:") {
        address.push_str(if address.contains('?') { "&" } else { "?" });
        address.push_str("serve=no");
    }
    open_address(&address).await
}

async fn open_address(address: &str) -> Result<Store, Failure> {
    let store = incumbent::open(address).await?;
    if store.limits().reach == Reach::Process {
        let why = format!(
            "the store {} exists only inside one process, so no other process can see it; use an address that others \
             reach, as file:///dir",
            store.address()
        );
        return Err(Failure::new(why).code(Code::Usage));
    }
    Ok(store)
}

pub(crate) fn group_name(common: &Common) -> Result<GroupName, Failure> {
    let name = common.group.parse();
    name.map_err(|error: BadName| Failure::new(error.to_string()).code(Code::Usage))
}

/// Name and timing of this candidate.
pub(crate) fn options(common: &Common) -> Result<Options, Failure> {
    let usual = TimingOptions::for_lease(common.lease);
    let timing = Timing::new(TimingOptions {
        renew_deadline: common.renew_deadline.unwrap_or(usual.renew_deadline),
        hard_deadline: common.hard_deadline.unwrap_or(usual.hard_deadline),
        retry: common.retry_period.unwrap_or(usual.retry),
        request_timeout: common.request_timeout.unwrap_or(usual.request_timeout),
        ..usual
    });
    let timing = timing.map_err(|error| Failure::new(error.to_string()).code(Code::Usage))?;
    Ok(Options {
        holder: common.holder.clone(),
        timing,
        ..Options::default()
    })
}
