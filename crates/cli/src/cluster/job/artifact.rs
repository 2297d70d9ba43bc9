//! Files of jobs: found here, digested, and uploaded unless the cluster has them.

use std::fs::Metadata;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hyper::Method;
use hyper::header::CONTENT_LENGTH;
use incumbent_cluster_core::Artifact;
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use crate::cluster::client::{Answer, Ask, Client, ClientError, Upload};
use crate::diagnostics;
use crate::exit::{Code, Failure};
use crate::show::bytes;
use crate::show::escape::printable;

/// A shorter upload shows no progress.
const PATIENCE: Duration = Duration::from_secs(1);

/// How often progress is shown.
const PROGRESS: Duration = Duration::from_millis(100);

/// How much of a file is digested at a time.
const PIECE: usize = 64 * 1024;

/// Directories of programs that belong to a machine. They are not uploaded: a copy of them seldom
/// works elsewhere, and every TaskManager has its own.
const OF_THE_MACHINE: [&str; 7] = ["/usr", "/bin", "/sbin", "/lib", "/opt", "/nix", "/snap"];

/// What the first word of a command names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Program {
    /// A file here that the tasks need a copy of.
    Here(PathBuf),
    /// A program that the machines of the TaskManagers have.
    There(String),
}

/// Finds out what the first word of a command names.
///
/// # Errors
///
/// It names a file here that no task could execute, or one that does not exist.
pub(super) fn program(word: &str) -> Result<Program, Failure> {
    if !word.contains('/') || word.starts_with('{') {
        return Ok(Program::There(word.to_owned()));
    }
    let path = Path::new(word);
    let bad =
        |why: &str| Failure::new(format!("cannot run {word} as a job: {why}")).code(Code::Usage);
    let found = match std::fs::metadata(path) {
        Ok(found) => found,
        // Another machine may have it.
        Err(_) if path.is_absolute() => return Ok(Program::There(word.to_owned())),
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => {
            return Err(bad(
                "there is no such file here; a program that the TaskManagers have is named without a directory, or from the \
                 root",
            ));
        }
        Err(cause) => return Err(bad(&cause.to_string())),
    };
    if found.is_dir() {
        return Err(bad("it is a directory"));
    }
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let real = path.canonicalize().unwrap_or_else(|_| whole.clone());
    if OF_THE_MACHINE.iter().any(|dir| real.starts_with(dir)) {
        return Ok(Program::There(whole.to_string_lossy().into_owned()));
    }
    if !is_executable(&found) {
        return Err(bad(&format!(
            "it is not executable; chmod +x it, or name its interpreter: sh {word}"
        )));
    }
    Ok(Program::Here(whole))
}

fn is_executable(found: &Metadata) -> bool {
    found.permissions().mode() & 0o111 != 0
}

/// Sees to it that the cluster has this file, or this directory as one file, and returns what names
/// it there.
///
/// # Errors
///
/// The file cannot be read, changes while it is read, or the cluster does not take it.
pub(super) async fn upload(client: &Client, path: &Path) -> Result<Artifact, Failure> {
    let pack = if path.is_dir() {
        Some(packed(path).await?)
    } else {
        None
    };
    let file = pack.as_ref().map_or(path, NamedTempFile::path);
    let mut artifact = digested(file).await?;
    if pack.is_some() {
        let whole = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let name = whole.file_name().unwrap_or("artifact".as_ref());
        artifact.name = format!("{}.zip", name.to_string_lossy());
    }
    let at = format!("/v1/artifacts/{}", artifact.digest);
    match client.open(&Ask::new(Method::HEAD, &at)).await {
        Ok(answer) if is_whole(&answer, &artifact) => return Ok(artifact),
        // Missing, or cut short. Or it cannot be known: an answer to HEAD has no body to say why,
        // and the upload will be told.
        Ok(_) | Err(ClientError::Problem(_)) => {}
        Err(error) => return Err(error.into()),
    }
    let sent = Arc::new(AtomicU64::new(0));
    let body = Upload::File {
        path: file.to_owned(),
        length: artifact.size,
        sent: Arc::clone(&sent),
    };
    let ask = Ask::new(Method::PUT, at).body(body);
    let done = with_progress(client.whole(&ask), &artifact, &sent).await;
    done.map_err(|error| match error {
        ClientError::Problem(problem) => {
            let code = problem.code();
            let why = format!("cannot upload {}: {}", path.display(), problem.detail);
            Failure::new(why).code(code)
        }
        error => error.into(),
    })?;
    Ok(artifact)
}

/// Whether what the cluster has can be the file. Its content is checked where a task needs it.
fn is_whole(answer: &Answer, artifact: &Artifact) -> bool {
    let length = answer.response.headers().get(CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    length == Some(artifact.size)
}

async fn packed(dir: &Path) -> Result<NamedTempFile, Failure> {
    let dir = dir.to_owned();
    let packed = tokio::task::spawn_blocking(move || super::pack::packed(&dir));
    packed
        .await
        .unwrap_or_else(|error| Err(Failure::new("cannot pack the artifact").because(error)))
}

async fn digested(path: &Path) -> Result<Artifact, Failure> {
    let path = path.to_owned();
    let read = tokio::task::spawn_blocking(move || {
        let failed = |cause: std::io::Error| {
            let what = format!("cannot read the artifact {}", path.display());
            Failure::new(what).because(cause).code(Code::Usage)
        };
        let mut file = std::fs::File::open(&path).map_err(failed)?;
        let (mut hash, mut size) = (Sha256::new(), 0);
        let mut piece = vec![0; PIECE];
        loop {
            let length = file.read(&mut piece).map_err(failed)?;
            if length == 0 {
                break;
            }
            hash.update(&piece[..length]);
            size += length as u64;
        }
        let name = path.file_name().unwrap_or(path.as_os_str());
        Ok(Artifact {
            digest: hex(&hash.finalize()),
            name: name.to_string_lossy().into_owned(),
            size,
        })
    });
    read.await
        .unwrap_or_else(|error| Err(Failure::new("cannot read the artifact").because(error)))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Shows on a terminal how far an upload is, if it takes a while.
async fn with_progress<T>(
    upload: impl Future<Output = T>,
    artifact: &Artifact,
    sent: &AtomicU64,
) -> T {
    let mut upload = std::pin::pin!(upload);
    if !diagnostics::is_terminal() {
        return upload.await;
    }
    if let Ok(done) = tokio::time::timeout(PATIENCE, &mut upload).await {
        return done;
    }
    loop {
        let sent = sent.load(Ordering::Relaxed);
        diagnostics::say_progress(&format!(
            "uploading {}: {} {} of {}",
            printable(&artifact.name),
            bar(sent, artifact.size),
            bytes(sent),
            bytes(artifact.size),
        ));
        if let Ok(done) = tokio::time::timeout(PROGRESS, &mut upload).await {
            diagnostics::end_progress();
            return done;
        }
    }
}

/// A bar of 20 characters.
fn bar(done: u64, all: u64) -> String {
    let filled = (done.min(all) * 20).checked_div(all).unwrap_or(20);
    let filled = usize::try_from(filled).unwrap_or(20);
    format!("[{}{}]", "=".repeat(filled), " ".repeat(20 - filled))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_of_the_machine_are_not_uploaded() {
        for (word, there) in [
            ("sh", "sh"),
            ("{artifact}", "{artifact}"),
            ("/none/x", "/none/x"),
        ] {
            assert_eq!(program(word).unwrap(), Program::There(there.into()));
        }
        assert_eq!(
            program("/bin/sh").unwrap(),
            Program::There("/bin/sh".into())
        );
    }

    #[test]
    fn a_file_that_no_task_could_execute_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
        std::fs::write(at("plain"), "text").unwrap();
        let why = program(&at("plain")).unwrap_err().message();
        assert!(why.contains("not executable; chmod +x"), "{why}");
        let why = program(dir.path().to_str().unwrap()).unwrap_err().message();
        assert!(why.contains("a directory"), "{why}");
        let why = program("./no-such-file").unwrap_err().message();
        assert!(why.contains("no such file here"), "{why}");
        std::fs::set_permissions(at("plain"), PermissionsExt::from_mode(0o755)).unwrap();
        assert_eq!(
            program(&at("plain")).unwrap(),
            Program::Here(at("plain").into())
        );
    }

    #[test]
    fn a_bar_is_as_full_as_the_upload() {
        assert_eq!(bar(0, 10), format!("[{}]", " ".repeat(20)));
        assert_eq!(
            bar(5, 10),
            format!("[{}{}]", "=".repeat(10), " ".repeat(10))
        );
        assert_eq!(bar(0, 0), format!("[{}]", "=".repeat(20)));
    }
}
