//! Which operator runs on this thread, for the last words of a panic.

use std::cell::RefCell;
use std::rc::Rc;

thread_local! {
    static PRESENT: RefCell<Option<Rc<str>>> = const { RefCell::new(None) };
}

/// Says that this operator runs now, or none. Returns which ran before.
pub(crate) fn enter(name: Option<Rc<str>>) -> Option<Rc<str>> {
    PRESENT.replace(name)
}

/// The operator that runs on this thread.
pub(super) fn present() -> Option<String> {
    // Also while the thread ends.
    let present =
        PRESENT.try_with(|present| present.try_borrow().ok()?.as_deref().map(str::to_owned));
    present.ok().flatten()
}
