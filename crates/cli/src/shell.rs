//! `incumbent completions` and `incumbent man`.

use std::process::ExitCode;

use clap::Args;

use crate::exit::Failure;
use crate::show;

#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell.
    pub(crate) shell: clap_complete::Shell,
}

/// Prints the script that completes this command line.
pub(crate) fn completions(
    args: &CompletionsArgs,
    mut command: clap::Command,
) -> Result<ExitCode, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, "incumbent", &mut script);
    show::print(&script)?;
    Ok(ExitCode::SUCCESS)
}

/// Prints the manual page of the program, followed by those of its commands.
pub(crate) fn man(mut command: clap::Command) -> Result<ExitCode, Failure> {
    command.build();
    let mut page = Vec::new();
    let failed = |cause| Failure::new("cannot write the manual page").because(cause);
    clap_mangen::Man::new(command.clone())
        .render(&mut page)
        .map_err(failed)?;
    pages_below(&command, "incumbent", &mut page).map_err(failed)?;
    show::print(&page)?;
    Ok(ExitCode::SUCCESS)
}

fn pages_below(command: &clap::Command, name: &str, page: &mut Vec<u8>) -> std::io::Result<()> {
    for sub in command
        .get_subcommands()
        .filter(|sub| sub.get_name() != "help")
    {
        let name = format!("{name}-{}", sub.get_name());
        clap_mangen::Man::new(sub.clone().name(name.clone())).render(page)?;
        pages_below(sub, &name, page)?;
    }
    Ok(())
}
