//! Finds PostgreSQL's programs, and the user that they may run as.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::running;

/// If this is set, to any value, a missing PostgreSQL fails the test instead of skipping it.
const REQUIRED: &str = "INCUMBENT_REQUIRE_FOREIGN";

/// Where Debian's package has its programs; they are not in the search path.
const DEBIAN: &str = "/usr/lib/postgresql/15/bin";

#[derive(Clone)]
pub(crate) struct Install {
    bin: PathBuf,
    /// The user and the group that the server runs as, if this process is root's.
    pub(crate) user: Option<(u32, u32)>,
}

impl Install {
    /// Returns the installed programs, or reports that they are missing and returns `None`.
    ///
    /// # Panics
    ///
    /// If nothing is installed and `INCUMBENT_REQUIRE_FOREIGN` is set.
    pub(crate) fn find() -> Option<Self> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let bin = std::iter::once(PathBuf::from(DEBIAN))
            .chain(std::env::split_paths(&path))
            .find(|bin| PROGRAMS.iter().all(|name| bin.join(name).is_file()));
        let user = match rustix::process::geteuid().is_root() {
            true => Some(user("postgres").or_else(|| user("nobody"))),
            false => None,
        };
        match (bin, user) {
            (Some(bin), None) => Some(Self { bin, user: None }),
            (Some(bin), Some(Some(user))) => Some(Self {
                bin,
                user: Some(user),
            }),
            (Some(_), Some(None)) => {
                running::skip("user postgres", REQUIRED, "run .ci/servers");
                None
            }
            (None, _) => {
                running::skip("PostgreSQL 15", REQUIRED, "run .ci/servers");
                None
            }
        }
    }

    /// A command that runs this program, with the rights of a user who is not root.
    pub(crate) fn command(&self, program: &str) -> Command {
        let program = self.bin.join(program);
        let Some((user, group)) = self.user else {
            return Command::new(program);
        };
        let mut command = Command::new("setpriv");
        command
            .arg(format!("--reuid={user}"))
            .arg(format!("--regid={group}"))
            .args(["--clear-groups", "--"])
            .arg(program);
        command
    }

    /// Lets the server write to this directory.
    pub(crate) fn give(&self, directory: &Path) -> std::io::Result<()> {
        match self.user {
            Some((user, group)) => std::os::unix::fs::chown(directory, Some(user), Some(group)),
            None => Ok(()),
        }
    }
}

const PROGRAMS: [&str; 4] = ["postgres", "initdb", "psql", "pg_isready"];

/// The ids of a user and of its group.
fn user(name: &str) -> Option<(u32, u32)> {
    let users = std::fs::read_to_string("/etc/passwd").ok()?;
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next()? == name).then_some(())?;
        let _password = fields.next()?;
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    })
}
