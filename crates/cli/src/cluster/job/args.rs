//! The command line of `incumbent job`.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::BoolishValueParser;
use clap::{Args, Subcommand};

use super::rescale::RescaleArgs;
use super::resume::ResumeArgs;
use super::savepoint::MakeSavepointArgs;
use super::state::StateArgs;
use super::stop::StopArgs;
use crate::cluster::client::ClusterArgs;
use crate::settings::Output;

const HELP: &str = "\
Try it. In one terminal:
  incumbent up
In another:
  incumbent job run --name hello --tasks 2 -- sh -c 'while :; do date; sleep 1; done'
  incumbent job logs hello --follow
  incumbent job why hello
  incumbent job cancel hello

Jobs whose tasks speak the task contract (--checkpoints, or [checkpoints] in a job file) keep what they know:
  incumbent job run examples/jobs/count.toml
  incumbent job rescale count 3
  incumbent job stop count
  incumbent job resume count

A job is named by its id or by its name. A name is unique among the jobs that have not ended; among those
that have, it means the newest.

Exit codes:
  0  done          1  failed       2  bad usage, or a job that cannot be    3  no JobManager leads
  4  refused: the name is taken, the job has ended, a token is missing      5  outcome unknown
  6  no such job, node or log                                               7  no cluster, or no answer in time
`job run --wait` and `job run --follow` exit as the job does; see `incumbent job run --help`.";

/// Run jobs on a cluster, and look after them.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct JobArgs {
    #[command(subcommand)]
    pub(crate) command: JobCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum JobCommand {
    /// Submit a job: a command, or a job file.
    Run(Box<RunJobArgs>),
    /// List jobs, the newest first.
    Ls {
        /// List only jobs that have not ended.
        #[arg(long, env = "INCUMBENT_JOB_LIVE", value_parser = BoolishValueParser::new())]
        live: bool,
        #[command(flatten)]
        cluster: ClusterArgs,
        #[command(flatten)]
        output: Output,
    },
    /// Show a job and its tasks.
    Show {
        #[command(flatten)]
        job: JobRef,
        #[command(flatten)]
        cluster: ClusterArgs,
        #[command(flatten)]
        output: Output,
    },
    /// Print what the tasks of a job print.
    Logs(LogsArgs),
    /// Show what a job knows: its states, their keys and values.
    State(StateArgs),
    /// Say in words why a job does not run, or why it ended, or what in it is slow.
    Why {
        #[command(flatten)]
        job: JobRef,
        #[command(flatten)]
        cluster: ClusterArgs,
    },
    /// End a job for good.
    Cancel {
        #[command(flatten)]
        job: JobRef,
        /// Wait until it has ended.
        #[arg(long, env = "INCUMBENT_JOB_WAIT", value_parser = BoolishValueParser::new())]
        wait: bool,
        #[command(flatten)]
        cluster: ClusterArgs,
    },
    /// Stop a job with a savepoint; it can be resumed.
    Stop(StopArgs),
    /// Let a suspended job go on.
    Resume(ResumeArgs),
    /// Give a job another number of tasks.
    Rescale(RescaleArgs),
    /// Make a savepoint of a job, which goes on.
    Savepoint(MakeSavepointArgs),
    /// End the present attempt of a job and begin the next one.
    Restart {
        #[command(flatten)]
        job: JobRef,
        #[command(flatten)]
        cluster: ClusterArgs,
    },
    /// Forget a job that has ended.
    Rm {
        #[command(flatten)]
        job: JobRef,
        #[command(flatten)]
        cluster: ClusterArgs,
    },
}

#[derive(Clone, Debug, Args)]
pub(crate) struct JobRef {
    /// The job: its id, or its name.
    #[arg(value_name = "ID|NAME")]
    pub(crate) job: String,
}

const RUN_HELP: &str = "\
Each task is a process in a slot of a TaskManager. Its environment is empty but for PATH, HOME, LANG, TMPDIR,
what --env says, and INCUMBENT_JOB, INCUMBENT_ATTEMPT, INCUMBENT_RANK, INCUMBENT_TASKS, INCUMBENT_PEERS and
INCUMBENT_PORT. Arguments may contain templates: {rank}, {tasks}, {attempt}, {port}, {peers:,}, {peer0.host},
{artifact}; write {{ for {. docs/guide/job-file.md lists them.

If the first word of COMMAND has a slash and is a file here, it is uploaded (once, by its digest), and each
task runs its copy. Otherwise the program must be on the TaskManagers. `incumbent job run` returns when the
job is written down: from then on it survives every JobManager. Repeating after an error is safe only with
the same --id.

A job is exclusive unless --fenced is given: two attempts never run at the same time, and a task that is
cut off from the JobManagers ends itself after 5 minutes. A fenced one starts elsewhere after 10 s.

Exit codes with --wait and --follow:
  0    finished: all tasks exited with 0
  N    failed: the exit code of the task that failed first, or 128 + the number of the signal that ended it
  121  canceled
  122  failed without an exit code: a task could not be started, or its TaskManager was lost
  125  this command failed: no cluster, refused, no answer
  130  interrupted with Ctrl-C: the job goes on
Without them: those of `incumbent job --help`.";

/// Submit a job.
#[derive(Debug, Args)]
#[command(after_help = RUN_HELP)]
pub(crate) struct RunJobArgs {
    /// A job file (TOML), instead of a command. Flags override what it says.
    // One of the two is needed. The parser would ask for the file only.
    #[arg(value_name = "FILE.toml", conflicts_with = "command")]
    pub(crate) file: Option<PathBuf>,

    /// Name of the job [default: the program's, and some digits of the id]
    #[arg(long, value_name = "NAME", env = "INCUMBENT_JOB_NAME")]
    pub(crate) name: Option<String>,

    /// How many tasks [default: 1, or what the file says]
    #[arg(long, value_name = "N", env = "INCUMBENT_JOB_TASKS")]
    pub(crate) tasks: Option<u32>,

    /// The job's effects refuse older attempts: the next attempt may begin although the old one
    /// may still run somewhere.
    #[arg(long, env = "INCUMBENT_JOB_FENCED", value_parser = BoolishValueParser::new())]
    pub(crate) fenced: bool,

    /// The tasks speak the task contract: what they know is kept by checkpoints. Every second, or
    /// as often as the store of the cluster allows. A program made with incumbent-stream, which is
    /// uploaded, has them and is fenced without being told.
    #[arg(long, env = "INCUMBENT_JOB_CHECKPOINTS", value_parser = BoolishValueParser::new())]
    pub(crate) checkpoints: bool,

    /// As --checkpoints, with this time between two of them, as in 10s.
    #[arg(long, value_name = "DURATION", env = "INCUMBENT_JOB_CHECKPOINT_INTERVAL", value_parser = humantime::parse_duration)]
    pub(crate) checkpoint_interval: Option<Duration>,

    /// What to start from: a job (its newest checkpoint), JOB@N (its checkpoint N), or a savepoint
    /// by its id. Of this cluster, never a URL.
    #[arg(
        long,
        value_name = "JOB|JOB@N|SAVEPOINT",
        env = "INCUMBENT_JOB_RESTORE"
    )]
    pub(crate) restore: Option<String>,

    /// A file for the tasks, uploaded once by its digest. {artifact} in the command is its path.
    #[arg(long, value_name = "FILE", env = "INCUMBENT_JOB_ARTIFACT")]
    pub(crate) artifact: Option<PathBuf>,

    /// A variable of the tasks' environment. May be repeated.
    // Not parsed here: an error would repeat it, and it may be a secret.
    #[arg(long, value_name = "K=V")]
    pub(crate) env: Vec<String>,

    /// The id of the job, 32 hexadecimal digits. Submitting the same job under the same id twice
    /// makes one job [default: drawn at random]
    #[arg(long, value_name = "ID", env = "INCUMBENT_JOB_ID")]
    pub(crate) id: Option<String>,

    /// Wait until the job has ended, and exit as it does. Ctrl-C ends the waiting and not the job.
    #[arg(long, env = "INCUMBENT_JOB_WAIT", value_parser = BoolishValueParser::new())]
    pub(crate) wait: bool,

    /// As --wait, and print what the tasks print.
    #[arg(long, env = "INCUMBENT_JOB_FOLLOW", value_parser = BoolishValueParser::new())]
    pub(crate) follow: bool,

    #[command(flatten)]
    pub(crate) cluster: ClusterArgs,
    #[command(flatten)]
    pub(crate) output: Output,

    /// The program of each task, and its arguments.
    #[arg(last = true, value_name = "COMMAND")]
    pub(crate) command: Vec<String>,
}

/// Print what the tasks of a job print.
#[derive(Debug, Args)]
pub(crate) struct LogsArgs {
    #[command(flatten)]
    pub(crate) job: JobRef,

    /// Only the task of this rank [default: all]
    #[arg(long, value_name = "R", env = "INCUMBENT_LOGS_RANK")]
    pub(crate) rank: Option<u32>,

    /// The attempt [default: the present or last one; with --follow, those after it, too]
    #[arg(long, value_name = "A", env = "INCUMBENT_LOGS_ATTEMPT")]
    pub(crate) attempt: Option<u32>,

    /// Begin with the last N lines of each task [default: all that are kept]
    #[arg(long, value_name = "N", env = "INCUMBENT_LOGS_TAIL")]
    pub(crate) tail: Option<u64>,

    /// Go on with what is printed from now on, over all attempts, until the job has ended.
    #[arg(long, short, env = "INCUMBENT_LOGS_FOLLOW", value_parser = BoolishValueParser::new())]
    pub(crate) follow: bool,

    #[command(flatten)]
    pub(crate) cluster: ClusterArgs,
}
