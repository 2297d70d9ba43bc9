//! Who leads, as all commands show it.

use anstyle::{AnsiColor, Style};
use incumbent::View;
use serde_json::{Value, json};

/// The word for a view, and its colour.
pub(crate) fn view_word(view: &View) -> (&'static str, Style) {
    match view {
        View::None => ("none", AnsiColor::Red.on_default()),
        View::Activating(_) => ("activating", AnsiColor::Yellow.on_default()),
        View::Active(_) => ("active", AnsiColor::Green.on_default()),
    }
}

/// A view as JSON, as `observe` prints it and the records API answers it.
pub(crate) fn view_json(view: &View) -> Value {
    let state = view_word(view).0;
    match view {
        View::None => json!({ "state": state }),
        View::Activating(leader) | View::Active(leader) => json!({
            "state": state,
            "epoch": leader.epoch,
            "holder": leader.holder,
            "nonce": leader.nonce,
            "endpoints": leader.endpoints,
            "since": leader.since,
        }),
    }
}
