//! `incumbent job-manager` and `incumbent task-manager`: one process of a cluster each.

mod args;
mod supervised;

use std::path::PathBuf;
use std::process::ExitCode;

use incumbent_cluster_node::NodeOptions;
use incumbent_gateway::{ServerTls, UpstreamTls};

use super::places::Places;
use crate::exit::{Code, Failure};
use crate::settings::{ClientToken, Common};
use crate::signals::Signals;
use crate::store;
use args::PartArgs;
pub(crate) use args::{DEFAULT_SLOTS, JobManagerArgs, MOST_SLOTS, NodeTlsArgs, TaskManagerArgs};

pub(crate) async fn job_manager(
    common: &Common,
    args: JobManagerArgs,
) -> Result<ExitCode, Failure> {
    supervised::end_with(args.part.supervisor)?;
    let mut signals = signals()?;
    let options = options(common, &args.part)?;
    let _ = (&mut signals, options);
    Err(Failure::new("JobManagers are not there yet"))
}

pub(crate) async fn task_manager(
    common: &Common,
    args: TaskManagerArgs,
) -> Result<ExitCode, Failure> {
    supervised::end_with(args.part.supervisor)?;
    let mut signals = signals()?;
    let mut options = options(common, &args.part)?;
    if let Some(name) = args.name {
        options.name = Some(name);
    }
    options.dir = Some(tasks_dir(args.dir)?);
    let _ = (&mut signals, options, args.slots);
    Err(Failure::new("TaskManagers are not there yet"))
}

fn signals() -> Result<Signals, Failure> {
    Signals::new().map_err(|cause| Failure::new("cannot listen for signals").because(cause))
}

fn tasks_dir(named: Option<PathBuf>) -> Result<PathBuf, Failure> {
    match named {
        Some(dir) => Ok(dir),
        None => Ok(Places::new(None)?.tasks()),
    }
}

/// What the node crate needs to know of a part.
fn options(common: &Common, part: &PartArgs) -> Result<NodeOptions, Failure> {
    let places = || Places::new(None);
    let ha = match &common.ha {
        Some(address) => address.clone(),
        None => places()?.ha(common)?,
    };
    let blobs = match &part.blobs {
        Some(url) => url.clone(),
        None => places()?.blobs(None)?,
    };
    let mut options = NodeOptions::new(ha, blobs, part.listen);
    options.advertise.clone_from(&part.advertise);
    complete(&mut options, common, &part.token, &part.tls)?;
    Ok(options)
}

/// Adds what all nodes have in common, the front of `up` included.
pub(super) fn complete(
    options: &mut NodeOptions,
    common: &Common,
    token: &ClientToken,
    tls: &NodeTlsArgs,
) -> Result<(), Failure> {
    options.group.clone_from(&common.group);
    options.name = common.holder.as_ref().map(ToString::to_string);
    options.timing = store::options(common)?.timing;
    options.token = token.read()?;
    options.tls = server_tls(tls)?;
    options.upstream_tls = UpstreamTls {
        by_default: options.tls.is_some(),
        ca: tls.ca.clone(),
        // A node whose clients need a certificate shows its own to the other nodes.
        identity: tls.files.cert.clone().zip(tls.files.key.clone()),
        name: None,
    };
    Ok(())
}

fn server_tls(tls: &NodeTlsArgs) -> Result<Option<ServerTls>, Failure> {
    let files = &tls.files;
    match (&files.cert, &files.key) {
        (Some(certificate), Some(key)) => Ok(Some(ServerTls {
            certificate: certificate.clone(),
            key: key.clone(),
            client_ca: files.client_ca.clone(),
            pass_certificate: false,
        })),
        (None, None) if files.client_ca.is_none() => Ok(None),
        (None, None) => Err(bad(
            "--client-ca is for connections with TLS; add --cert FILE and --key FILE",
        )),
        _ => Err(bad("--cert and --key go together; add the missing one")),
    }
}

fn bad(why: &str) -> Failure {
    Failure::new(why).code(Code::Usage)
}
