//! Where the records are, and the group in them: the same for every command.

use std::path::PathBuf;

use incumbent::{BadName, Group, GroupName, Options, Reach, Store, Timing, TimingOptions};

use crate::args::Common;
use crate::exit::{Code, Failure};

/// The address that was given, or that of a directory of the user's own.
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
            "there is no home directory to keep records in; say --ha file:///dir",
        )
        .code(Code::Usage));
    };
    match path.to_str() {
        Some(path) => Ok(format!(
            "file://{}",
            path.replace('%', "%25").replace('?', "%3F")
        )),
        None => Err(
            Failure::new("the home directory is not UTF-8; say --ha file:///dir").code(Code::Usage),
        ),
    }
}

/// The place, to take part there for long. It may be served by this process from now on.
pub(crate) async fn store(common: &Common) -> Result<Store, Failure> {
    open(&address(common)?).await
}

/// The group, to look at it for long, or to write something once. A directory that is not there is
/// made: who leads may come later.
pub(crate) async fn group(common: &Common) -> Result<Group, Failure> {
    let options = options(common)?;
    let store = visited(common).await?;
    Ok(store.group_with(&common.group, options)?)
}

/// The group, to look at what is there now.
pub(crate) async fn present_group(common: &Common) -> Result<Group, Failure> {
    let options = options(common)?;
    let store = present(common).await?;
    Ok(store.group_with(&common.group, options)?)
}

/// The place, to look at what is there now. One that is not there is not made: the address may be
/// mistyped.
pub(crate) async fn present(common: &Common) -> Result<Store, Failure> {
    let address = address(common)?;
    if !incumbent::is_there(&address).await? {
        let why = format!(
            "there is no store at {address}; correct --ha, or begin with `incumbent run`, which makes one"
        );
        return Err(Failure::new(why).code(Code::Usage));
    }
    visited(common).await
}

/// The place, to look at it or to change something once.
async fn visited(common: &Common) -> Result<Store, Failure> {
    let mut address = address(common)?;
    // Whoever finds a server of so short a life would lose it at once.
    if address.starts_with("embedded:") {
        address.push_str(if address.contains('?') { "&" } else { "?" });
        address.push_str("serve=no");
    }
    open(&address).await
}

async fn open(address: &str) -> Result<Store, Failure> {
    let store = incumbent::open(address).await?;
    if store.limits().reach == Reach::Process {
        let why = format!(
            "{} is inside one process, and nobody else would see it; name a place that others reach",
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
