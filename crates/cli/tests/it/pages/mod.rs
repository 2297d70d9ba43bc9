//! The pages, in a real browser on real processes.
//!
//! Needs Debian's chromium and chromium-driver; `.ci/servers` installs them, and axe-core. Pictures
//! of all pages are in `target/tmp/pages` afterwards.

mod foreign;
mod group;
mod site;
mod story;
mod token;
mod walk;
mod weight;
