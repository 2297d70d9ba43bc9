//! The configuration file: any flag of any command. It has the last word after the command line and
//! the environment.

use std::ops::Range;
use std::path::{Path, PathBuf};

use clap::ArgAction;

use crate::exit::{Code, Failure};

/// The parser with the values of the file as its defaults, if there is a file.
pub(super) fn behind(command: clap::Command) -> Result<clap::Command, Failure> {
    let Some(path) = path() else {
        return Ok(command);
    };
    let text = std::fs::read_to_string(&path).map_err(|cause| {
        Failure::new(format!("cannot read {}", path.display()))
            .because(cause)
            .code(Code::Usage)
    })?;
    with_file(command, &path, &text)
}

/// The file of `--config` or `INCUMBENT_CONFIG`, otherwise the usual one if it exists.
pub(super) fn path() -> Option<PathBuf> {
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
        .map_err(|error: toml::de::Error| bad(syntax(&error, text)))?;
    with_table(command, table).map_err(bad)
}

/// What is wrong, and where. The library's own text repeats the line, which may hold a password.
fn syntax(error: &toml::de::Error, text: &str) -> String {
    let place = error
        .span()
        .map_or_else(String::new, |span| place(&span, text));
    format!("it is not TOML{place}; write text as in ha = \"file:///dir\"")
}

fn place(span: &Range<usize>, text: &str) -> String {
    let before = text.get(..span.start).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    format!(", line {line}, column {column}")
}

/// Keys are flags of this command, tables are the commands below it.
fn with_table(mut command: clap::Command, table: toml::Table) -> Result<clap::Command, String> {
    for (key, value) in table {
        command = match value {
            toml::Value::Table(table) => {
                if command.find_subcommand(&key).is_none() {
                    return Err(format!(
                        "there is no command {key:?}; a table is named after one, as in [run]"
                    ));
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
        return Err(format!("this command has no flag {flag:?}"));
    };
    let (id, many) = (
        arg.get_id().clone(),
        matches!(arg.get_action(), ArgAction::Append),
    );
    let one = |value: &toml::Value| match value {
        toml::Value::String(text) => Ok(text.clone()),
        toml::Value::Boolean(yes) => Ok(yes.to_string()),
        toml::Value::Integer(number) => Ok(number.to_string()),
        toml::Value::Array(_)
        | toml::Value::Table(_)
        | toml::Value::Float(_)
        | toml::Value::Datetime(_) => {
            Err(format!("{flag} takes text, a whole number, true or false"))
        }
    };
    let values = match value {
        toml::Value::Array(values) if many => {
            values.iter().map(one).collect::<Result<Vec<_>, _>>()?
        }
        toml::Value::Array(_) => return Err(format!("{flag} takes one value, not a list")),
        value => vec![one(value)?],
    };
    Ok(command.mut_arg(id, |arg| arg.default_values(values)))
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, FromArgMatches};

    use super::*;
    use crate::command_line::cli::{Cli, Command};

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
            ("group = 1.5", "group takes text"),
            ("group = ", "x.toml: it is not TOML, line 1, column 9"),
            ("\n\nha = x", "line 3, column 6"),
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
