//! The parts of a JobManager that have a leader.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

/// How many digits the id of a job has.
const JOB_ID_LENGTH: usize = 32;

/// A part of a JobManager that has a leader. Since Flink 1.15 one process leads all of them;
/// before, each has an election of its own.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Component {
    /// The REST API and the web UI: `restserver`.
    RestServer,
    /// The part that accepts jobs: `dispatcher`.
    Dispatcher,
    /// The part that manages TaskManagers: `resourcemanager`.
    ResourceManager,
    /// The master of a job, by the job's id: `job-…`.
    Job(String),
    /// A part unknown to this version of the crate, by the name that Flink gives it.
    Other(String),
}

impl Component {
    /// Whether it is a part of the cluster itself, and not of one job.
    pub(crate) fn is_of_cluster(&self) -> bool {
        matches!(
            self,
            Self::RestServer | Self::Dispatcher | Self::ResourceManager
        )
    }

    /// The name in the keys of ConfigMaps since 1.15.
    pub(crate) fn in_config_map(&self) -> String {
        self.to_string()
    }

    /// The name of its znode below `leader`.
    pub(crate) fn in_zookeeper(&self) -> String {
        match self {
            Self::RestServer => "rest_server".into(),
            Self::Dispatcher => "dispatcher".into(),
            Self::ResourceManager => "resource_manager".into(),
            Self::Job(id) => format!("job-{id}"),
            Self::Other(name) => name.clone(),
        }
    }

    /// The name of its own ConfigMap, which it had before 1.15.
    pub(crate) fn own_config_map(&self, cluster: &str) -> String {
        match self {
            Self::Job(id) => format!("{cluster}-{id}-jobmanager-leader"),
            other => format!("{cluster}-{other}-leader"),
        }
    }
}

/// Accepts any name that Flink gives a component, on either store.
impl FromStr for Component {
    type Err = Infallible;

    fn from_str(name: &str) -> Result<Self, Infallible> {
        Ok(match name {
            "restserver" | "rest_server" => Self::RestServer,
            "dispatcher" => Self::Dispatcher,
            "resourcemanager" | "resource_manager" => Self::ResourceManager,
            _ => match name.strip_prefix("job-").unwrap_or(name) {
                id if is_job_id(id) => Self::Job(id.into()),
                _ => Self::Other(name.into()),
            },
        })
    }
}

impl fmt::Display for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RestServer => f.write_str("restserver"),
            Self::Dispatcher => f.write_str("dispatcher"),
            Self::ResourceManager => f.write_str("resourcemanager"),
            Self::Job(id) => write!(f, "job-{id}"),
            Self::Other(name) => f.write_str(name),
        }
    }
}

/// Whether this is the id of a job, or of an application, as Flink writes it.
pub(crate) fn is_job_id(text: &str) -> bool {
    let digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    text.len() == JOB_ID_LENGTH && text.bytes().all(digit)
}
