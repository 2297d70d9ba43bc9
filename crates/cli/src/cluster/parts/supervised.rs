//! A part that ends with the process that started it, whatever ended that.

use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal};

use crate::exit::Failure;

/// Lets the system kill this process when its parent, which has this process id, ends. `up` starts
/// its children from the thread that lives as long as it does. Tasks end with their TaskManager.
///
/// # Errors
///
/// The parent has already ended.
pub(super) fn end_with(supervisor: Option<i32>) -> Result<(), Failure> {
    let Some(supervisor) = supervisor else {
        return Ok(());
    };
    set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(|errno| Failure::new("cannot follow the end of `incumbent up`").because(errno))?;
    // It may have ended just before: then this process has another parent by now.
    match getppid().map(Pid::as_raw_nonzero) {
        Some(parent) if parent.get() == supervisor => Ok(()),
        _ => Err(Failure::new(format!(
            "the process {supervisor} has ended, which was to supervise this one"
        ))),
    }
}
