//! What a task needs before it has a process: its directory, its artifact, its environment.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use incumbent::backend::{Pace, jitter};
use incumbent_backend::causes;
use incumbent_cluster_blobs::{Digest, Error};
use incumbent_cluster_core::Artifact as ArtifactSpec;
use incumbent_cluster_core::message::Deploy;

use super::expand::expand;
use super::{NoProcess, Shared, environment};
use crate::task_manager::artifacts::Artifact;
use crate::task_manager::work_dir::make_dir;

/// The task's own directory, below the directory of everything that is about it.
pub(super) const WORK: &str = "work";

/// Its log.
pub(in super::super) const LOG: &str = "log";

/// Pauses between attempts to fetch an artifact from blobs that do not answer. Whether they answer
/// at all is asked once for all tasks; this is for one that cannot be fetched although they do.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// What to do if this machine's disk is full.
const ROOM: &str = "; make room there, or start the TaskManager with another --dir";

/// What a task is started from.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) program: OsString,
    pub(super) args: Vec<OsString>,
    pub(super) env: Vec<(OsString, OsString)>,
    pub(super) work: PathBuf,
    /// Kept in the cache while the task runs.
    pub(super) artifact: Option<Artifact>,
}

/// The artifact of a task, if it has one. Waits for blobs that do not answer.
pub(super) async fn artifact(
    shared: &Shared,
    deploy: &Deploy,
) -> Result<Option<Artifact>, NoProcess> {
    match &deploy.artifact {
        Some(artifact) => fetch(shared, artifact).await.map(Some),
        None => Ok(None),
    }
}

/// Everything else.
pub(super) async fn prepare(
    shared: &Shared,
    deploy: &Deploy,
    socket: &Path,
    artifact: Option<Artifact>,
) -> Result<Prepared, NoProcess> {
    let dir = shared.work_dir.of_task(deploy.task);
    let (work, log) = (dir.join(WORK), dir.join(LOG));
    let artifact = match (artifact, &deploy.artifact) {
        (Some(artifact), Some(spec)) => Some((artifact, work.join(name(spec)?))),
        _ => None,
    };
    let expanded = expand(deploy, artifact.as_ref().map(|(_, path)| path.as_path()));
    let expanded = expanded.map_err(NoProcess::NotStarted)?;
    let (command, env) = (expanded.command, expanded.env);
    let mut command = command.into_iter().map(OsString::from);
    let program = command.next().ok_or_else(|| {
        NoProcess::NotStarted("its command is empty; name a program in the job".to_owned())
    })?;
    let args = command.collect();
    let env_files = deploy.env_files.clone();
    let (task, socket) = (deploy.clone(), socket.to_owned());
    // Files may be slow, and this one waits for its turn anyway.
    let prepared = tokio::task::spawn_blocking(move || {
        let made = make_dir(&work).and_then(|()| make_dir(&log));
        made.map_err(|error| not_made(&dir, &error))?;
        if let Some((artifact, to)) = &artifact {
            let placed = artifact.place(to);
            placed.map_err(|error| not_made(to, &error))?;
        }
        let secrets = environment::read_files(&env_files)?;
        Ok(Prepared {
            program,
            args,
            env: environment::of_task(&task, &work, &socket, env, secrets),
            work,
            artifact: artifact.map(|(artifact, _)| artifact),
        })
    });
    match prepared.await {
        Ok(prepared) => prepared.map_err(NoProcess::NotStarted),
        // Only when the process ends.
        Err(_) => Err(NoProcess::Ordered),
    }
}

/// The artifact. Waits for blobs that do not answer: an outage is no failure of a task (R4).
async fn fetch(shared: &Shared, artifact: &ArtifactSpec) -> Result<Artifact, NoProcess> {
    let digest: Digest = artifact.digest.parse().map_err(|bad| {
        NoProcess::NotStarted(format!("{:?} names no artifact: {bad}", artifact.digest))
    })?;
    let mut pace = Pace::new(FIRST_PAUSE, LONGEST_PAUSE);
    loop {
        match shared.artifacts.get(digest).await {
            Ok(artifact) => return Ok(artifact),
            Err(error) if error.is_outage() => {
                shared.blob_health.failed(&causes(&error));
                tokio::time::sleep(pace.after_failure(jitter())).await;
                shared.blob_health.well().await;
            }
            Err(error) => {
                let (name, why) = (&artifact.name, causes(&error));
                let what_to_do = what_to_do(&error, digest);
                return Err(NoProcess::NotStarted(format!(
                    "cannot fetch its artifact {name}: {why}{what_to_do}"
                )));
            }
        }
    }
}

fn what_to_do(error: &Error, digest: Digest) -> String {
    match error {
        Error::NotFound { .. } => "; submit the job again with the file".to_owned(),
        // A copy that is there is not sent again.
        Error::Damaged { .. } => {
            format!("; replace it by PUT /v1/artifacts/{digest} with the file on any node")
        }
        Error::TooLarge { .. } => {
            "; raise the limit of this TaskManager, or make the file smaller".to_owned()
        }
        Error::Target { .. } => ROOM.to_owned(),
        _ => String::new(),
    }
}

/// The name of an artifact in its task's directory, which must not lead out of it.
fn name(artifact: &ArtifactSpec) -> Result<&str, NoProcess> {
    let name = artifact.name.as_str();
    let is_plain = !name.is_empty() && !matches!(name, "." | "..") && !name.contains(['/', '\0']);
    is_plain.then_some(name).ok_or_else(|| {
        NoProcess::NotStarted(format!("{name:?} cannot be the name of its artifact"))
    })
}

fn not_made(path: &Path, error: &io::Error) -> String {
    let what_to_do = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ROOM,
        _ => "",
    };
    format!("cannot make {}: {error}{what_to_do}", path.display())
}
