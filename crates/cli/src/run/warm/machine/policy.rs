//! [`Policy`]: what was asked for on the command line.

use std::time::Duration;

use crate::run::args::Restart;

/// What was asked for on the command line.
#[derive(Clone, Copy, Debug)]
pub(in crate::run::warm) struct Policy {
    pub(in crate::run::warm) restart: Restart,
    /// How long the command may take to stand by, or to end.
    pub(in crate::run::warm) stop_timeout: Duration,
    /// How long it may take to be ready, and a hook to lead.
    pub(in crate::run::warm) ready_timeout: Duration,
    /// How long it may be stopped by a signal.
    pub(in crate::run::warm) halt_timeout: Duration,
    pub(in crate::run::warm) has_lead_hook: bool,
    pub(in crate::run::warm) has_standby_hook: bool,
    pub(in crate::run::warm) signals_lead: bool,
    pub(in crate::run::warm) signals_standby: bool,
    /// Whether it is warm as soon as it runs.
    pub(in crate::run::warm) is_warm_at_once: bool,
    /// Whether the command is an application that somebody else runs: it can be told, and not
    /// ended.
    pub(in crate::run::warm) is_beside: bool,
}
