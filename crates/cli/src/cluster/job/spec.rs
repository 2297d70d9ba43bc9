//! A job, as the command line and a job file say it.

use std::path::{Path, PathBuf};

use incumbent_cluster_core::{Artifact, Isolation, JobId, JobSpec, Restart, job_file};

use super::args::RunJobArgs;
use super::artifact::{Program, program};
use super::restore;
use super::stream::is_stream_job;
use crate::exit::{Code, Failure};

/// How long a task may take to end after SIGTERM, if its job does not say.
const GRACE_MS: u64 = 10_000;

/// A job to submit.
#[derive(Debug)]
pub(super) struct Wanted {
    /// Without its artifact, and without what it starts from.
    pub(super) spec: JobSpec,
    /// The file to upload.
    pub(super) upload: Option<PathBuf>,
    /// What it starts from, as people say it.
    pub(super) restore: Option<String>,
}

/// What the command line says.
///
/// # Errors
///
/// It cannot be a job.
pub(super) fn wanted(args: &RunJobArgs, id: JobId) -> Result<Wanted, Failure> {
    let mut wanted = match &args.file {
        Some(file) => super::file::read(file)?,
        None if args.command.is_empty() => {
            return Err(bad(
                "there is nothing to run: add -- COMMAND, as in `incumbent job run -- ./program`, or a job file, as in \
                 `incumbent job run job.toml`",
            ));
        }
        None => of_command(args)?,
    };
    if args.file.is_none()
        && let Some(program) = &wanted.upload
        && is_stream_job(program).map_err(|cause| unreadable(program, cause))?
    {
        // All its effects go through checkpoints.
        wanted.spec.checkpoints.get_or_insert_default();
        wanted.spec.isolation = Isolation::Fenced;
    }
    let spec = &mut wanted.spec;
    if let Some(name) = &args.name {
        spec.name.clone_from(name);
    }
    if spec.name.is_empty() {
        spec.name = usual_name(&spec.command, wanted.upload.as_deref(), id);
    }
    if let Some(tasks) = args.tasks {
        spec.tasks = tasks;
    }
    if args.fenced {
        spec.isolation = Isolation::Fenced;
    }
    if args.checkpoints || args.checkpoint_interval.is_some() {
        let wanted = spec.checkpoints.get_or_insert_default();
        let interval = args
            .checkpoint_interval
            .map(|interval| interval.as_millis());
        let interval = interval.map(|ms| u64::try_from(ms).unwrap_or(u64::MAX));
        wanted.interval_ms = interval.or(wanted.interval_ms);
    }
    if let Some(from) = &args.restore {
        wanted.restore = Some(from.clone());
    }
    if let Some(from) = &wanted.restore {
        restore::check(from)?;
        if spec.checkpoints.is_none() {
            return Err(bad(
                "a job without checkpoints starts with nothing: add --checkpoints if its tasks speak the task contract, \
                 or leave out what it is to start from",
            ));
        }
    }
    for text in &args.env {
        let (name, value) = variable(text)?;
        spec.env.insert(name, value);
    }
    if let Some(artifact) = &args.artifact {
        if let Some(other) = wanted.upload.filter(|other| !is_same(other, artifact)) {
            return Err(bad(&format!(
                "a job has one artifact, and both {} and {} are to be uploaded; name the program without a directory, or \
                 put both into one archive",
                other.display(),
                artifact.display()
            )));
        }
        wanted.upload = Some(artifact.clone());
    }
    check(&wanted)?;
    Ok(wanted)
}

/// Refuses what any node would refuse, before anything is uploaded.
fn check(wanted: &Wanted) -> Result<(), Failure> {
    let mut spec = wanted.spec.clone();
    // What it will be is known once it is read.
    spec.artifact = wanted.upload.as_deref().map(|path| Artifact {
        digest: "0".repeat(64),
        name: path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned(),
        size: 0,
    });
    let problems = job_file::check(&spec);
    let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
    match problems.is_empty() {
        true => Ok(()),
        false => Err(bad(&format!(
            "this cannot be a job: {}",
            problems.join("; ")
        ))),
    }
}

fn of_command(args: &RunJobArgs) -> Result<Wanted, Failure> {
    let mut command = args.command.clone();
    let mut upload = None;
    if let Some(first) = command.first_mut() {
        match program(first)? {
            Program::There(name) => *first = name,
            Program::Here(path) => {
                *first = "{artifact}".into();
                upload = Some(path);
            }
        }
    }
    let spec = JobSpec {
        name: String::new(),
        tasks: 1,
        command,
        artifact: None,
        env: Default::default(),
        env_files: Default::default(),
        restart: Restart::default(),
        isolation: Isolation::default(),
        grace_ms: GRACE_MS,
        endpoints: Vec::new(),
        checkpoints: None,
        restore: None,
    };
    Ok(Wanted {
        spec,
        upload,
        restore: None,
    })
}

/// A variable of the environment: `K=V`.
fn variable(text: &str) -> Result<(String, String), Failure> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        // It may be a secret: it is not repeated.
        _ => Err(bad(
            "a value of --env is no variable; write K=V, as in --env LEVEL=debug",
        )),
    }
}

fn unreadable(path: &Path, cause: std::io::Error) -> Failure {
    Failure::new(format!("cannot read {}", path.display())).because(cause)
}

/// The name of the program and six digits of the id: unique enough, and the same for a repeated
/// submission.
fn usual_name(command: &[String], upload: Option<&std::path::Path>, id: JobId) -> String {
    let program = match upload {
        Some(path) => path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned(),
        None => {
            let first = command.first().map_or("job", String::as_str);
            first.rsplit('/').next().unwrap_or(first).to_owned()
        }
    };
    let allowed = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let program: String = program.chars().filter(allowed).take(40).collect();
    let program = program.trim_start_matches(['.', '-']);
    let program = if program.is_empty() { "job" } else { program };
    format!("{program}-{}", &id.to_string()[..6])
}

fn is_same(a: &std::path::Path, b: &std::path::Path) -> bool {
    let real = |path: &std::path::Path| path.canonicalize().ok();
    real(a).is_some() && real(a) == real(b)
}

fn bad(why: &str) -> Failure {
    Failure::new(why).code(Code::Usage)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_without_a_name_is_called_after_its_program() {
        let id = JobId::new(0xabcdef << 104);
        let name = |command: &str, upload: Option<&str>| {
            usual_name(&[command.to_owned()], upload.map(std::path::Path::new), id)
        };
        assert_eq!(name("sh", None), "sh-abcdef");
        assert_eq!(name("/usr/bin/python3", None), "python3-abcdef");
        assert_eq!(name("{artifact}", Some("/x/count.sh")), "count.sh-abcdef");
        assert_eq!(name("…", None), "job-abcdef");
    }
}
