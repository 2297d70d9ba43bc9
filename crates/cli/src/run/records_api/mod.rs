//! The records API: a small HTTP server beside the command, for programs in any language. Each term
//! has its own, so that a process that is left from an earlier term cannot write in a later one. A
//! command that stands by warm has one for all its terms: it is told which it leads (`role.rs`),
//! and `desk.rs` says whether it leads any.
//!
//! `openapi.json` describes the API and is served by it. `listen.rs` makes sure that only the user
//! of the command reaches it, `office.rs` holds the leadership and the open records, `handlers.rs`
//! answers requests, `problem.rs` turns errors into answers.

mod desk;
mod handlers;
mod listen;
mod office;
mod problem;
mod role;
#[cfg(test)]
mod tests;
mod variables;

pub(crate) use desk::Desk;
pub(crate) use handlers::routes;
pub(crate) use listen::{Server, same};
pub(crate) use office::Office;
pub(crate) use problem::Problem;
pub(crate) use role::{Acknowledgement, Role, Told};
pub(crate) use variables::{SOCKET, TOKEN, URL};
