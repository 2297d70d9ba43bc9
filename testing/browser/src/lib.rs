//! A real browser for tests: Debian's chromium, driven by `chromedriver` over the [WebDriver
//! protocol](https://www.w3.org/TR/webdriver2/), without a window.
//!
//! ```no_run
//! use incumbent_browser::{Browser, PHONE, Theme};
//!
//! let Some(browser) = Browser::start() else { return };
//! browser.show_as(PHONE, Theme::Dark);
//! browser.open("http://127.0.0.1:8081/");
//! browser.see("JobManagers");
//! browser.click("Jobs");
//! assert_eq!(browser.console().errors(), [""; 0]);
//! ```
//!
//! Methods block. They panic if the page is not as they expect, with what the page shows: this
//! crate is for tests. They wait for what is to come and never for a time.
//!
//! The protocol is JSON over HTTP, of which a dozen requests are needed; the crates that speak all
//! of it bring a client with TLS, an asynchronous runtime and a licence that we do not use.

mod axe;
mod browser;
mod console;
mod driver;
mod install;
mod look;
mod page;
mod wire;

pub use browser::{Browser, Options};
pub use console::Console;
pub use look::{DESK, PHONE, Size, Theme};
