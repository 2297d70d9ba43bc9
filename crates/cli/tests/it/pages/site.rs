//! [`Site`]: a cluster, a browser that looks at it, and the faults that were found on the way.

use std::cell::{Cell, RefCell};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use incumbent_browser::{Browser, DESK, PHONE, Theme};
use serde_json::json;

use crate::cluster::running::Cluster;
use crate::harness::Place;

/// If this is set, pictures are taken of each size in each theme.
const ALL: &str = "PAGES_PICTURES";

/// A cluster, and a browser in front of one of its nodes.
pub(super) struct Site {
    pub(super) cluster: Cluster,
    pub(super) browser: Browser,
    faults: RefCell<Vec<String>>,
    /// How many pages were looked at.
    looked: Cell<u32>,
    _turn: MutexGuard<'static, ()>,
}

/// One browser at a time: several together are slower than one after the other.
pub(super) fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Site {
    /// With flags for `up`. `None`, after a message, if there is no browser.
    pub(super) fn with(flags: &[&str]) -> Option<Self> {
        Self::of(|| Cluster::with(Place::new(), flags))
    }

    /// In front of another cluster.
    pub(super) fn of(cluster: impl FnOnce() -> Cluster) -> Option<Self> {
        let turn = turn();
        let browser = Browser::start()?;
        browser.show_as(DESK, Theme::Light);
        Some(Self {
            cluster: cluster(),
            browser,
            faults: RefCell::default(),
            looked: Cell::default(),
            _turn: turn,
        })
    }

    /// Opens a page of the node that always answers.
    pub(super) fn open(&self, page: &str) {
        self.browser.open(&format!("{}/#/{page}", self.cluster.url));
    }

    /// Opens a part of a job.
    pub(super) fn open_job(&self, job: &str, part: &str) {
        let view = self.cluster.show(job);
        let id = view["id"].as_str().unwrap();
        self.open(format!("jobs/{id}/{part}").trim_end_matches('/'));
    }

    /// Looks at what is shown: on a phone and on a desk, light and dark. Nothing lies outside the
    /// window, axe-core has nothing to say, and neither has the console.
    pub(super) fn look(&self, name: &str) {
        self.hear(name, self.browser.console().errors());
        self.look_in_trouble(name);
    }

    /// The same while a node does not answer, which the console may say.
    pub(super) fn look_in_trouble(&self, name: &str) {
        let browser = &self.browser;
        for (size, theme) in [
            (PHONE, Theme::Light),
            (PHONE, Theme::Dark),
            (DESK, Theme::Dark),
            (DESK, Theme::Light),
        ] {
            browser.show_as(size, theme);
            let shot = format!("{name}-{}-{}", size.name, theme.name());
            // Each takes a while, and two show both sizes and both themes.
            if (size == PHONE) == (theme == Theme::Dark) || std::env::var_os(ALL).is_some() {
                browser.picture(&pictures().join(format!("{shot}.png")));
            }
            let wider = browser.overflow();
            if wider > 0 {
                self.hear(&shot, [format!("{wider} pixels wider than the window")]);
            }
            // Contrast depends on the theme, and what lies where on the size. One is enough for a
            // page, and the next page is looked at in the other.
            let is_turn = if self.looked.get().is_multiple_of(2) {
                (PHONE, Theme::Dark)
            } else {
                (DESK, Theme::Light)
            };
            if (size, theme) == is_turn {
                self.hear(&shot, browser.axe());
            }
        }
        self.looked.set(self.looked.get() + 1);
        self.hear(name, browser.console().errors_but_silence());
    }

    /// The same after the node has refused something, which the console says too.
    pub(super) fn look_refused(&self, name: &str) {
        let _ = self.browser.console();
        self.look_in_trouble(name);
    }

    /// Takes faults of what was being looked at, to be told at the end together.
    pub(super) fn hear(&self, what: &str, faults: impl IntoIterator<Item = String>) {
        let mut all = self.faults.borrow_mut();
        all.extend(faults.into_iter().map(|fault| format!("{what}: {fault}")));
    }

    /// All that was found. None is expected.
    #[track_caller]
    pub(super) fn assert_no_faults(&self) {
        let faults = self.faults.borrow();
        assert!(
            faults.is_empty(),
            "{} faults:\n{}",
            faults.len(),
            faults.join("\n")
        );
    }
}

/// Where pictures go.
pub(super) fn pictures() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("pages")
}

/// Marks the document, so that a test can see that it was never loaded again.
pub(super) fn mark(browser: &Browser) {
    browser.run(
        "window.mark = arguments[0]",
        &[json!("still the same document")],
    );
}

/// Whether the document is still the one that was marked.
pub(super) fn is_marked(browser: &Browser) -> bool {
    browser.run("return window.mark ?? null", &[]) == json!("still the same document")
}
