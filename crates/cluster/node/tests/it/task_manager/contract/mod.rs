//! The task socket, with tasks that are processes under a leader that does what the tests say.

mod bad_input;
mod checkpoints;
mod client;
mod curl;
mod events;
mod leaders;
mod outages;
mod queries;
mod restore;
mod shown;
mod sockets;
