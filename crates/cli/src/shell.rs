//! `incumbent completions` and `incumbent man`.

use std::process::ExitCode;

use clap::CommandFactory;

use crate::args::{Cli, CompletionsArgs};
use crate::exit::Failure;
use crate::show;

pub(crate) fn completions(args: &CompletionsArgs) -> Result<ExitCode, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "incumbent", &mut script);
    show::print(&script)?;
    Ok(ExitCode::SUCCESS)
}

/// The page of the program, and behind it those of its commands.
pub(crate) fn man() -> Result<ExitCode, Failure> {
    let mut command = Cli::command();
    command.build();
    let mut page = Vec::new();
    let failed = |cause| Failure::new("cannot write the manual page").because(cause);
    clap_mangen::Man::new(command.clone())
        .render(&mut page)
        .map_err(failed)?;
    for sub in command
        .get_subcommands()
        .filter(|sub| sub.get_name() != "help")
    {
        let name = format!("incumbent-{}", sub.get_name());
        clap_mangen::Man::new(sub.clone().name(name))
            .render(&mut page)
            .map_err(failed)?;
    }
    show::print(&page)?;
    Ok(ExitCode::SUCCESS)
}
