//! What `up` starts: the command line of each child.

use std::ffi::OsString;
use std::path::Path;

use super::args::UpArgs;
use crate::cluster::USUAL_LOG;
use crate::cluster::places::Places;
use crate::exit::Failure;
use crate::settings::{Common, LogFormat};

/// What a child is. TaskManagers end first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    JobManager,
    TaskManager,
}

/// A child, however often it is started.
#[derive(Clone, Debug)]
pub(super) struct ChildSpec {
    pub(super) kind: Kind,
    pub(super) name: String,
    pub(super) args: Vec<OsString>,
}

/// All children, JobManagers first.
///
/// # Errors
///
/// The address of the store or the blobs cannot be written down.
pub(super) fn children(
    common: &Common,
    args: &UpArgs,
    places: &Places,
) -> Result<Vec<ChildSpec>, Failure> {
    let ha = places.ha(common)?;
    let blobs = places.blobs(args.blobs.as_deref())?;
    // Other machines have a tm-1, too.
    let host = if is_on_this_machine(&ha) {
        String::new()
    } else {
        format!("{}-", host())
    };
    let shared = shared(common, args, &ha, &blobs);
    let job_managers = (1..=args.job_managers).map(|number| {
        let name = format!("{host}jm-{number}");
        let own = flags(&[("--holder", &name)]);
        ChildSpec {
            kind: Kind::JobManager,
            args: [vec!["job-manager".into()], shared.clone(), own].concat(),
            name,
        }
    });
    let slots = args.slots.to_string();
    let task_managers = (1..=args.task_managers).map(|number| {
        let name = format!("{host}tm-{number}");
        // All of them end at the same time: there is nowhere to move a task to.
        let mut own = flags(&[
            ("--name", &name),
            ("--slots", &slots),
            ("--drain-timeout", "0s"),
        ]);
        own.extend(file("--dir", Some(&places.tasks().join(&name))));
        ChildSpec {
            kind: Kind::TaskManager,
            args: [vec!["task-manager".into()], shared.clone(), own].concat(),
            name,
        }
    });
    Ok(job_managers.chain(task_managers).collect())
}

/// The flags that all of them have.
fn shared(common: &Common, args: &UpArgs, ha: &str, blobs: &str) -> Vec<OsString> {
    let supervisor = std::process::id().to_string();
    let mut all = flags(&[
        ("--ha", ha),
        ("--blobs", blobs),
        ("--group", &common.group),
        ("--listen", "127.0.0.1:0"),
        ("--supervisor", &supervisor),
        ("--log", common.log.as_deref().unwrap_or(USUAL_LOG)),
        ("--log-format", format_of(common.log_format)),
    ]);
    for (flag, duration) in [
        ("--lease", Some(common.lease)),
        ("--renew-deadline", common.renew_deadline),
        ("--hard-deadline", common.hard_deadline),
        ("--retry-period", common.retry_period),
        ("--request-timeout", common.request_timeout),
    ] {
        let text = duration.map(|duration| humantime::format_duration(duration).to_string());
        all.extend(text.into_iter().flat_map(|text| flags(&[(flag, &text)])));
    }
    for (flag, path) in [
        ("--config", &common.config),
        ("--token-file", &args.token.token_file),
        ("--cert", &args.tls.files.cert),
        ("--key", &args.tls.files.key),
        ("--client-ca", &args.tls.files.client_ca),
        ("--ca", &args.tls.ca),
    ] {
        all.extend(file(flag, path.as_deref()));
    }
    all
}

fn flags(pairs: &[(&str, &str)]) -> Vec<OsString> {
    let pairs = pairs.iter();
    pairs
        .map(|(flag, value)| format!("{flag}={value}").into())
        .collect()
}

fn file(flag: &str, path: Option<&Path>) -> Option<OsString> {
    let mut text = OsString::from(flag);
    text.push("=");
    text.push(path?);
    Some(text)
}

fn format_of(format: LogFormat) -> &'static str {
    match format {
        LogFormat::Text => "text",
        LogFormat::Json => "json",
    }
}

fn is_on_this_machine(ha: &str) -> bool {
    ha.starts_with("file:") || ha.starts_with("embedded:")
}

fn host() -> String {
    let name = rustix::system::uname();
    name.nodename().to_string_lossy().into_owned()
}
