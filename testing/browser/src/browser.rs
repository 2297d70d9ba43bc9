//! [`Browser`]: starting one, and what it is asked.

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::driver::Driver;
use crate::install::Install;
use crate::wire::Refused;

/// Far longer than a page takes for anything, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(180);
const POLL: Duration = Duration::from_millis(20);

/// How many times a browser is started. One that is short of memory or processor may not come up.
const STARTS: usize = 3;

/// A browser with one window, and a profile of its own. Dropping it ends it.
pub struct Browser {
    driver: Driver,
    session: String,
    _profile: TempDir,
}

/// How a browser is started.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Environment of the browser's processes.
    pub env: Vec<(String, String)>,
    /// Further flags of chromium.
    pub flags: Vec<String>,
}

impl Browser {
    /// Starts a browser. Returns `None`, with a message, if there is none on this machine.
    ///
    /// # Panics
    ///
    /// If it does not start, or if there is none while `INCUMBENT_REQUIRE_FOREIGN` is set.
    pub fn start() -> Option<Self> {
        Self::with(&Options::default())
    }

    /// As [`start`](Self::start), with options.
    ///
    /// # Panics
    ///
    /// As [`start`](Self::start).
    pub fn with(options: &Options) -> Option<Self> {
        let install = Install::find()?;
        let mut why = String::new();
        for _ in 0..STARTS {
            match Self::try_start(&install, options) {
                Ok(browser) => return Some(browser),
                Err(error) => why = error,
            }
        }
        panic!("the browser does not start: {why}")
    }

    fn try_start(install: &Install, options: &Options) -> Result<Self, String> {
        let words = |error: std::io::Error| error.to_string();
        let profile = tempfile::Builder::new()
            .prefix("browser-")
            .tempdir()
            .map_err(words)?;
        let mut command = Command::new(&install.chromedriver);
        // It keeps nothing in the home of the person who tests.
        command
            .envs(options.env.iter().cloned())
            .env("HOME", profile.path());
        let driver = Driver::start(&mut command).map_err(words)?;
        let mut flags: Vec<String> = [
            "--headless=new",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-extensions",
            "--no-first-run",
            "--no-default-browser-check",
            "--hide-scrollbars",
            "--lang=en-GB",
            // The browser ends with its driver, whatever kills that.
            "--remote-debugging-pipe",
        ]
        .map(str::to_owned)
        .into();
        flags.push(format!("--user-data-dir={}", profile.path().display()));
        if rustix::process::geteuid().is_root() {
            // Its sandbox refuses root. It only sees pages of the test.
            flags.push("--no-sandbox".to_owned());
        }
        flags.extend(options.flags.iter().cloned());
        let capabilities = json!({"capabilities": {"alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": {"binary": install.chromium, "args": flags},
            "goog:loggingPrefs": {"browser": "ALL"},
            "unhandledPromptBehavior": "accept",
        }}});
        let session = driver
            .wire
            .ask("POST", "/session", Some(&capabilities))
            .map_err(|refused| refused.to_string())?;
        let session = session["sessionId"].as_str().unwrap_or_default().to_owned();
        Ok(Self {
            driver,
            session,
            _profile: profile,
        })
    }

    /// Loads a page, and returns when it is loaded. What it fetches by itself may come later.
    #[track_caller]
    pub fn open(&self, url: &str) {
        self.post("url", &json!({"url": url}));
    }

    /// The address of the page.
    #[track_caller]
    pub fn address(&self) -> String {
        text(&self.get("url"))
    }

    /// The title of the page.
    #[track_caller]
    pub fn title(&self) -> String {
        text(&self.get("title"))
    }

    /// Loads the page again.
    #[track_caller]
    pub fn reload(&self) {
        self.post("refresh", &json!({}));
    }

    /// Goes back in the history.
    #[track_caller]
    pub fn back(&self) {
        self.post("back", &json!({}));
    }

    /// The cookies of the page, those that scripts cannot read too.
    #[track_caller]
    pub fn cookies(&self) -> Vec<Value> {
        self.get("cookie").as_array().cloned().unwrap_or_default()
    }

    /// Forgets the cookies of the page.
    #[track_caller]
    pub fn forget_cookies(&self) {
        self.ask("DELETE", "cookie", None);
    }

    /// Runs the body of a function in the page, with `arguments`, and returns what it returns. If
    /// that is a promise, what it becomes.
    #[track_caller]
    pub fn run(&self, script: &str, arguments: &[Value]) -> Value {
        self.post(
            "execute/sync",
            &json!({"script": script, "args": arguments}),
        )
    }

    /// A command of the browser's own protocol for developers.
    #[track_caller]
    pub fn command(&self, name: &str, parameters: Value) -> Value {
        self.post(
            "goog/cdp/execute",
            &json!({"cmd": name, "params": parameters}),
        )
    }

    /// Looks until there is a result, and panics with what the page shows if there is none.
    #[track_caller]
    #[expect(
        clippy::disallowed_methods,
        reason = "a browser has no clock that could be paused"
    )]
    pub fn eventually<T>(&self, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
        let start = Instant::now();
        loop {
            if let Some(found) = look() {
                return found;
            }
            assert!(
                start.elapsed() < PATIENCE,
                "not within {PATIENCE:?}: {what}\n--- {} shows:\n{}\n--- console:\n{}",
                self.address(),
                self.shown(),
                self.console()
            );
            std::thread::sleep(POLL);
        }
    }

    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> Value {
        self.ask("GET", path, None)
    }

    #[track_caller]
    pub(crate) fn post(&self, path: &str, body: &Value) -> Value {
        self.ask("POST", path, Some(body))
    }

    #[track_caller]
    fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Value {
        match self.try_ask(method, path, body) {
            Ok(value) => value,
            Err(refused) => panic!("{method} {path}: {refused}"),
        }
    }

    pub(crate) fn try_ask(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, Refused> {
        let path = format!("/session/{}/{path}", self.session);
        self.driver.wire.ask(method, &path, body)
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // In order, so that the profile is not written while it is removed.
        let _ = self
            .driver
            .wire
            .ask("DELETE", &format!("/session/{}", self.session), None);
    }
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
