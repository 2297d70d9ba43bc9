//! The environment of a task. It begins empty, so that nothing of the TaskManager's leaks into it.

use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

use incumbent_cluster_core::message::Deploy;

/// What a task gets of the TaskManager's own environment, and what if that has none.
const INHERITED: [(&str, &str); 3] = [
    ("PATH", "/usr/local/bin:/usr/bin:/bin"),
    ("HOME", "/"),
    ("LANG", "C.UTF-8"),
];

/// Largest value that is read from a file: the kernel takes 128 KiB for one variable.
const LARGEST_VALUE: u64 = 64 * 1024;

/// What begins the names of the variables that say which task it is. A job cannot set them.
const OURS: &str = "INCUMBENT_";

/// The whole environment of a task.
pub(super) fn of_task(
    deploy: &Deploy,
    work: &Path,
    socket: &Path,
    env: Vec<(String, String)>,
    secrets: Vec<(String, OsString)>,
) -> Vec<(OsString, OsString)> {
    let inherited = INHERITED.map(|(name, default)| {
        let value = std::env::var_os(name).unwrap_or_else(|| default.into());
        (name.to_owned(), value)
    });
    let plain = env.into_iter().map(|(name, value)| (name, value.into()));
    let jobs_own = plain
        .chain(secrets)
        .filter(|(name, _)| !name.starts_with(OURS));
    let socket = ("TASK_SOCKET", socket.into());
    let ours = identity(deploy).map(|(name, value)| (name, value.into()));
    let ours = ours.chain([socket]);
    let ours = ours.map(|(name, value)| (format!("{OURS}{name}"), value));
    let whole = inherited
        .into_iter()
        .chain([("TMPDIR".to_owned(), work.into())])
        .chain(jobs_own)
        .chain(ours);
    whole.map(|(name, value)| (name.into(), value)).collect()
}

/// Which task it is.
fn identity(deploy: &Deploy) -> impl Iterator<Item = (&'static str, String)> {
    let task = deploy.task;
    let restore = deploy.restore.as_ref();
    let restore = restore.map(|point| ("RESTORE", point.from.number.to_string()));
    [
        ("JOB", task.job.to_string()),
        ("ATTEMPT", task.attempt.to_string()),
        ("RANK", task.rank.to_string()),
        ("TASKS", deploy.tasks.to_string()),
        ("PEERS", deploy.peers.join(",")),
        ("PORT", deploy.port.to_string()),
    ]
    .into_iter()
    .chain(restore)
}

/// Reads variables from files of this machine. Blocks.
///
/// # Errors
///
/// Says which file cannot be read, and never what is in one.
pub(super) fn read_files(files: &[(String, String)]) -> Result<Vec<(String, OsString)>, String> {
    let read = files.iter().map(|(name, path)| match read_file(Path::new(path)) {
        Ok(value) => Ok((name.clone(), value)),
        Err(why) => Err(format!(
            "cannot read {path} for the variable {name}: {why}; the file has to be on the machine \
             of each TaskManager that may run the job"
        )),
    });
    read.collect()
}

fn read_file(path: &Path) -> Result<OsString, String> {
    if !path.is_absolute() {
        return Err("its path is not absolute".to_owned());
    }
    // Before it is opened: opening a pipe would wait for somebody to write.
    let found = std::fs::metadata(path).map_err(|error| error.to_string())?;
    if !found.is_file() {
        return Err("it is not a file".to_owned());
    }
    let file = File::open(path).map_err(|error| error.to_string())?;
    let mut value = Vec::new();
    let mut limited = file.take(LARGEST_VALUE + 1);
    limited
        .read_to_end(&mut value)
        .map_err(|error| error.to_string())?;
    if value.len() as u64 > LARGEST_VALUE {
        return Err(format!("it has more than {LARGEST_VALUE} bytes"));
    }
    // Editors end a file with a newline that is not meant.
    if value.ends_with(b"\n") {
        value.pop();
        if value.ends_with(b"\r") {
            value.pop();
        }
    }
    if value.contains(&0) {
        return Err("it contains a zero byte".to_owned());
    }
    Ok(OsString::from_vec(value))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::*;

    #[test]
    fn values_of_files_come_without_the_newline_at_the_end() {
        let dir = TempDir::new().unwrap();
        for (content, expected) in [
            ("x", "x"),
            ("x\n", "x"),
            ("x\r\n", "x"),
            ("a\nb\n\n", "a\nb\n"),
        ] {
            let path = dir.path().join("secret");
            fs::write(&path, content).unwrap();
            let files = [("NAME".to_owned(), path.to_str().unwrap().to_owned())];
            let read = read_files(&files).unwrap();
            assert_eq!(read, [("NAME".to_owned(), OsString::from(expected))]);
        }
    }

    #[test]
    fn what_cannot_be_read_is_said_without_what_is_in_it() {
        let dir = TempDir::new().unwrap();
        let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
        fs::write(path("zero"), "sec\0ret").unwrap();
        fs::write(path("large"), "secret".repeat(20_000)).unwrap();
        for (path, why) in [
            (path("missing"), "No such file"),
            (path(""), "not a file"),
            (path("zero"), "zero byte"),
            (path("large"), "more than"),
            ("relative".to_owned(), "not absolute"),
        ] {
            let error = read_files(&[("TOKEN".to_owned(), path.clone())]).unwrap_err();
            assert!(error.contains(why) && error.contains("TOKEN"), "{error}");
            assert!(error.contains(&path) && !error.contains("sec"), "{error}");
        }
    }
}
