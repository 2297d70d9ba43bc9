//! How the command and its hooks are started.

use std::ffi::OsString;
use std::io;

use incumbent::{Candidate, Guard};
use incumbent_guard::{Deadlines, Environment, Spec};

use super::ROLE;
use super::machine::Which;
use crate::exit::Failure;
use crate::run::args::RunArgs;
use crate::run::records_api::{SOCKET, Server, TOKEN, URL};
use crate::run::term::deadlines;

/// The variable with the epoch of a term.
const EPOCH: &str = "INCUMBENT_EPOCH";

/// What a command needs to know that does not change.
pub(super) struct Surroundings<'a> {
    pub(super) args: &'a RunArgs,
    pub(super) address: &'a str,
    pub(super) candidate: &'a Candidate,
    pub(super) server: Option<&'a Server>,
}

impl Surroundings<'_> {
    /// The command: it stands by, and no deadline ends it.
    pub(super) fn command(&self) -> Result<Spec, Failure> {
        let (program, arguments) = self.args.command.split_first().expect("clap requires one");
        let mut env = self.environment();
        env.push((ROLE.into(), "standby".into()));
        Ok(Spec {
            args: arguments.to_vec(),
            env,
            ..self.spec(program, Deadlines::NEVER)?
        })
    }

    /// A hook of a term. It ends with the term, as the command would.
    pub(super) fn hook(&self, which: Which, guard: &Guard) -> Result<Spec, Failure> {
        let (text, role) = match which {
            Which::Lead => (&self.args.on_lead, "leader"),
            Which::Standby => (&self.args.on_standby, "stepping-down"),
        };
        let text = text.clone().expect("the machine runs hooks that there are");
        let mut env = self.environment();
        env.push((ROLE.into(), role.into()));
        env.push((EPOCH.into(), guard.epoch().to_string().into()));
        Ok(Spec {
            args: vec!["-c".into(), text],
            env,
            ..self.spec(&"sh".into(), bound(guard))?
        })
    }

    /// The guard of each holds the liveness endpoint until nothing of it is left.
    fn spec(&self, program: &OsString, deadlines: Deadlines) -> Result<Spec, Failure> {
        let failed = |cause: io::Error| {
            Failure::new("cannot pass the liveness endpoint on to the guard").because(cause)
        };
        let liveness = self.candidate.liveness_socket().map_err(failed)?;
        Ok(Spec {
            // This program may itself be the command of another `incumbent run`.
            environment: Environment::Inherited {
                without: [SOCKET, URL, TOKEN, EPOCH].map(OsString::from).into(),
            },
            liveness: liveness.map(Into::into),
            ..Spec::new(program, deadlines)
        })
    }

    fn environment(&self) -> Vec<(OsString, OsString)> {
        let group = self.candidate.group();
        let mut env: Vec<(OsString, OsString)> = vec![
            ("INCUMBENT_HOLDER".into(), group.holder().as_str().into()),
            ("INCUMBENT_GROUP".into(), group.name().as_str().into()),
            ("INCUMBENT_HA".into(), self.address.into()),
        ];
        env.extend(std::env::current_exe().map(|exe| ("INCUMBENT_EXE".into(), exe.into())));
        env.extend(
            self.server
                .into_iter()
                .flat_map(|server| server.env.clone()),
        );
        env
    }
}

/// The deadline of what is told: there is no SIGTERM before, as the command is asked in words.
pub(super) fn bound(guard: &Guard) -> Deadlines {
    let Deadlines { hard, .. } = deadlines(guard);
    Deadlines { term: hard, hard }
}
