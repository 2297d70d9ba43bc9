//! The configuration file: any flag of any command, as the value it has when neither the command
//! line nor the environment sets it.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgAction, CommandFactory, FromArgMatches};

use crate::args::{Cli, Command};
use crate::exit::{Code, Failure};
use crate::{diagnostics, show};

/// What the command line asks for.
pub(crate) enum Parsed {
    Run(Box<Cli>),
    /// Help or a mistake, which has been printed: end with this code.
    Answered(ExitCode),
}

/// Parses the command line, with the configuration file behind it.
pub(crate) fn parse() -> Result<Parsed, Failure> {
    let mut command = Cli::command();
    if let Err(error) = command.clone().try_get_matches()
        && matches!(
            error.kind(),
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
        )
    {
        return answered(&error);
    }
    if let Some(path) = path() {
        let text = std::fs::read_to_string(&path).map_err(|cause| {
            Failure::new(format!("cannot read {}", path.display()))
                .because(cause)
                .code(Code::Usage)
        })?;
        command = with_file(command, &path, &text)?;
    }
    let parsed = command.try_get_matches().and_then(|matches| {
        let cli = Cli::from_arg_matches(&matches)?;
        Ok((matches, cli))
    });
    let (matches, mut cli) = match parsed {
        Ok(parsed) => parsed,
        Err(error) => return answered(&error),
    };
    if let (Command::Run(run), Some((_, flags))) = (&mut cli.command, matches.subcommand()) {
        let said = |flag| flags.value_source(flag) > Some(ValueSource::DefaultValue);
        // What is said goes before the opposite in the file.
        run.ready_now &= said("ready_now") || !said("ready");
        run.no_liveness &=
            said("no_liveness") || !(said("liveness_listen") || said("liveness_address"));
    }
    Ok(Parsed::Run(Box::new(cli)))
}

/// Prints what the parser has to say: help or the version, or what is wrong with the command line.
fn answered(error: &clap::Error) -> Result<Parsed, Failure> {
    let text = error.render();
    if !error.use_stderr() {
        show::styled(&text.ansi().to_string())?;
        return Ok(Parsed::Answered(ExitCode::SUCCESS));
    }
    if diagnostics::is_coloured() {
        diagnostics::say_text(&text.ansi().to_string());
    } else {
        diagnostics::say_text(&text.to_string());
    }
    Ok(Parsed::Answered(ExitCode::from(Code::Usage as u8)))
}

/// The file that was named, or the usual one if it exists.
fn path() -> Option<PathBuf> {
    let mut args = std::env::args_os().skip(1).take_while(|arg| arg != "--");
    while let Some(arg) = args.next() {
        match arg.to_str() {
            Some("--config") => return args.next().map(PathBuf::from),
            Some(text) if text.starts_with("--config=") => {
                return text.strip_prefix("--config=").map(PathBuf::from);
            }
            _ => {}
        }
    }
    if let Some(path) = std::env::var_os("INCUMBENT_CONFIG").filter(|path| !path.is_empty()) {
        return Some(path.into());
    }
    let home = std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".config")))?;
    Some(home.join("incumbent/config.toml")).filter(|path| path.exists())
}

/// Top-level keys are flags of every command, tables are commands.
fn with_file(command: clap::Command, path: &Path, text: &str) -> Result<clap::Command, Failure> {
    let bad = |why: String| Failure::new(format!("{}: {why}", path.display())).code(Code::Usage);
    let table: toml::Table = text
        .parse()
        .map_err(|error: toml::de::Error| bad(error.to_string()))?;
    with_table(command, table).map_err(bad)
}

/// Keys are flags of this command, tables are the commands below it.
fn with_table(mut command: clap::Command, table: toml::Table) -> Result<clap::Command, String> {
    for (key, value) in table {
        command = match value {
            toml::Value::Table(table) => {
                if command.find_subcommand(&key).is_none() {
                    return Err(format!("there is no command {key:?}"));
                }
                let mut trouble = None;
                command = command.mut_subcommand(&key, |sub| {
                    with_table(sub.clone(), table).unwrap_or_else(|why| {
                        trouble = Some(format!("[{key}] {why}"));
                        sub
                    })
                });
                match trouble {
                    Some(why) => return Err(why),
                    None => command,
                }
            }
            value => with_default(command, &key, &value)?,
        };
    }
    Ok(command)
}

fn with_default(
    command: clap::Command,
    flag: &str,
    value: &toml::Value,
) -> Result<clap::Command, String> {
    let arg = command
        .get_arguments()
        .find(|arg| arg.get_long() == Some(flag));
    let Some(arg) = arg else {
        return Err(format!("there is no flag {flag:?}"));
    };
    let (id, many) = (
        arg.get_id().clone(),
        matches!(arg.get_action(), ArgAction::Append),
    );
    let one = |value: &toml::Value| match value {
        toml::Value::String(text) => Ok(text.clone()),
        toml::Value::Boolean(yes) => Ok(yes.to_string()),
        toml::Value::Integer(number) => Ok(number.to_string()),
        other => Err(format!("{flag}: {other} is no text, number or truth value")),
    };
    let values = match value {
        toml::Value::Array(values) if many => {
            values.iter().map(one).collect::<Result<Vec<_>, _>>()?
        }
        toml::Value::Array(_) => return Err(format!("{flag} takes one value")),
        value => vec![one(value)?],
    };
    Ok(command.mut_arg(id, |arg| arg.default_values(values)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(file: &str, args: &[&str]) -> Result<Cli, String> {
        let command = with_file(Cli::command(), Path::new("x.toml"), file)
            .map_err(|failure| format!("{failure:?}"))?;
        let matches = command
            .try_get_matches_from(args)
            .map_err(|error| error.to_string())?;
        Cli::from_arg_matches(&matches).map_err(|error| error.to_string())
    }

    const FILE: &str = r#"
        group = "ours"
        lease = "5s"
        [run]
        publish = ["web=a:1", "rpc=a:2"]
        ready-now = true
    "#;

    #[test]
    fn the_file_sets_what_the_command_line_does_not() {
        let cli = parse(FILE, &["incumbent", "run", "--lease", "9s", "--", "true"]).unwrap();
        assert_eq!(
            (cli.common.group.as_str(), cli.common.lease.as_secs()),
            ("ours", 9)
        );
        let Command::Run(run) = cli.command else {
            panic!()
        };
        assert_eq!((run.publish.len(), run.ready_now), (2, true));
        let cli = parse(
            FILE,
            &["incumbent", "run", "--publish", "web=b:1", "--", "true"],
        )
        .unwrap();
        let Command::Run(run) = cli.command else {
            panic!()
        };
        assert_eq!(run.publish.len(), 1);
    }

    #[test]
    fn mistakes_in_the_file_are_named() {
        for (file, word) in [
            ("grup = 'x'", "grup"),
            ("[fly]\nx = 1", "fly"),
            ("[run]\nredy = 1", "redy"),
            ("[records.put]\nforse = true", "forse"),
            ("[records.putt]\nforce = true", "putt"),
            ("group = ['a', 'b']", "one value"),
            ("group = 1.5", "1.5"),
            ("group = ", "x.toml"),
        ] {
            let error = parse(file, &["incumbent", "status"]).unwrap_err();
            assert!(error.contains(word), "{error}");
        }
        assert!(
            parse("lease = 'soon'", &["incumbent", "status"])
                .unwrap_err()
                .contains("soon")
        );
    }
}
