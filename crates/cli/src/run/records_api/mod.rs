//! The records API: a small HTTP server beside the command, for programs in any language. Each term
//! has its own, so that a process that is left from an earlier term cannot write in a later one.
//!
//! `openapi.json` describes the API and is served by it. `listen.rs` makes sure that only the user
//! of the command reaches it, `office.rs` holds the leadership and the open records, `handlers.rs`
//! answers requests, `problem.rs` turns errors into answers.

mod handlers;
mod listen;
mod office;
mod problem;
#[cfg(test)]
mod tests;
mod variables;

pub(crate) use listen::Server;
pub(crate) use office::Office;
pub(crate) use variables::{SOCKET, TOKEN, URL};
