//! How a command prints.

use std::io::IsTerminal;

use clap::{Args, ValueEnum};

#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Output {
    /// Output format.
    #[arg(
        long,
        value_name = "FORMAT",
        default_value = "auto",
        env = "INCUMBENT_FORMAT"
    )]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A table on a terminal, JSON lines in a pipe.
    Auto,
    /// A table.
    Table,
    /// JSON.
    Json,
}

impl Output {
    /// Whether JSON was asked for by name.
    pub(crate) fn is_json_asked(self) -> bool {
        self.format == Format::Json
    }

    /// Whether a table was asked for by name.
    pub(crate) fn is_table_asked(self) -> bool {
        self.format == Format::Table
    }

    /// Whether to print JSON.
    pub(crate) fn is_json(self) -> bool {
        match self.format {
            Format::Json => true,
            Format::Table => false,
            Format::Auto => !std::io::stdout().is_terminal(),
        }
    }
}
