//! Parses the command line, with the configuration file behind it.

use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{CommandFactory, FromArgMatches};
use incumbent::backend::redacted;

use super::cli::{Cli, Command};
use super::config_file;
use crate::exit::{Code, Failure};
use crate::settings::DEFAULT_GROUP;
use crate::show::escape::printable;
use crate::{diagnostics, show};

/// What the command line asks for.
pub(crate) enum Parsed {
    Run(Box<Cli>),
    /// Help or a mistake, which has been printed: end with this code.
    Answered(ExitCode),
}

/// The parser. Its help does not show the values of environment variables: an address may hold a
/// password.
pub(crate) fn command() -> clap::Command {
    without_env_values(Cli::command())
}

fn without_env_values(command: clap::Command) -> clap::Command {
    command
        .mut_args(|arg| arg.hide_env_values(true))
        .mut_subcommands(without_env_values)
}

/// Parses the command line. What it does not set is set by the environment, and then by the
/// configuration file.
pub(crate) fn parse() -> Result<Parsed, Failure> {
    let mut command = command();
    if let Err(error) = command.clone().try_get_matches()
        && matches!(
            error.kind(),
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
        )
    {
        return answered(error);
    }
    command = config_file::behind(command)?;
    let parsed = command.clone().try_get_matches().and_then(|matches| {
        let cli = Cli::from_arg_matches(&matches)?;
        Ok((matches, cli))
    });
    let (matches, mut cli) = match parsed {
        Ok(parsed) => parsed,
        Err(mut error) => {
            name_source(&mut error, &command);
            return answered(error);
        }
    };
    if let (Command::Run(run), Some((_, flags))) = (&mut cli.command, matches.subcommand()) {
        let is_set = |flag| flags.value_source(flag) > Some(ValueSource::DefaultValue);
        // A flag replaces its opposite in the file.
        run.ready_now &= is_set("ready_now") || !is_set("ready");
        run.no_liveness &=
            is_set("no_liveness") || !(is_set("liveness_listen") || is_set("liveness_address"));
    }
    // A program that runs without --group on the same store does not campaign to be a JobManager.
    let is_part = matches!(
        cli.command,
        Command::Up(_) | Command::JobManager(_) | Command::TaskManager(_)
    );
    let flags = matches.subcommand().map(|(_, flags)| flags);
    let is_named =
        flags.and_then(|flags| flags.value_source("group")) > Some(ValueSource::DefaultValue);
    if is_part && cli.common.group == DEFAULT_GROUP && !is_named {
        incumbent_cluster_node::DEFAULT_GROUP.clone_into(&mut cli.common.group);
    }
    Ok(Parsed::Run(Box::new(cli)))
}

/// Names the variable or the file that a wrong value comes from, if it was not typed: the parser
/// names the flag in any case.
fn name_source(error: &mut clap::Error, command: &clap::Command) {
    let is_about_a_value = matches!(
        error.kind(),
        ErrorKind::ValueValidation | ErrorKind::InvalidValue
    );
    let Some(ContextValue::String(shown)) = error.get(ContextKind::InvalidArg) else {
        return;
    };
    // As in `--lease <DURATION>`.
    let flag = shown
        .strip_prefix("--")
        .and_then(|text| text.split([' ', '=', '[']).next());
    let Some(flag) = flag.filter(|_| is_about_a_value) else {
        return;
    };
    let typed: Vec<String> = std::env::args_os()
        .skip(1)
        .map(|arg| arg.to_string_lossy().into_owned())
        .take_while(|arg| arg != "--")
        .collect();
    let mut last = command;
    let mut commands = vec![command];
    for arg in &typed {
        if let Some(below) = last.find_subcommand(arg) {
            last = below;
            commands.push(below);
        }
    }
    let arg = commands.iter().rev().find_map(|command| {
        command
            .get_arguments()
            .find(|arg| arg.get_long() == Some(flag))
    });
    let Some(arg) = arg else {
        return;
    };
    let is_typed = typed.iter().any(|text| match text.strip_prefix("--") {
        Some(long) => long.split('=').next() == Some(flag),
        None => arg
            .get_short()
            .is_some_and(|short| text.starts_with('-') && text.contains(short)),
    });
    if is_typed {
        return;
    }
    let variable = arg
        .get_env()
        .filter(|name| std::env::var_os(name).is_some());
    let source = match (variable, config_file::path()) {
        (Some(name), _) => name.to_string_lossy().into_owned(),
        (None, Some(file)) => format!("{flag} in {}", file.display()),
        (None, None) => return,
    };
    error.insert(ContextKind::InvalidArg, ContextValue::String(source));
}

/// Prints what the parser has to say: help or the version, or what is wrong with the command line.
fn answered(mut error: clap::Error) -> Result<Parsed, Failure> {
    if !error.use_stderr() {
        show::styled(&error.render().ansi().to_string())?;
        return Ok(Parsed::Answered(ExitCode::SUCCESS));
    }
    let values: Vec<_> = error
        .context()
        .filter_map(|(kind, value)| match value {
            ContextValue::String(value) if is_given(kind) => Some((kind, value.clone())),
            _ => None,
        })
        .collect();
    for (kind, value) in values {
        let value = ContextValue::String(printable(&value).into_owned());
        error.insert(kind, value);
    }
    let text = error.render();
    let text = if diagnostics::is_coloured() {
        text.ansi().to_string()
    } else {
        text.to_string()
    };
    diagnostics::say_text(&redacted(&text));
    Ok(Parsed::Answered(ExitCode::from(Code::Usage as u8)))
}

/// Whether this part of a message repeats what was given on the command line or in a variable.
fn is_given(kind: ContextKind) -> bool {
    matches!(
        kind,
        ContextKind::InvalidValue | ContextKind::InvalidArg | ContextKind::InvalidSubcommand
    )
}
