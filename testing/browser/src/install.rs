//! Finds the browser, its driver and axe-core.

use std::path::PathBuf;

use incumbent_servers::skip;

/// If this is set, to any value, a missing browser fails the test instead of skipping it.
const REQUIRED: &str = "INCUMBENT_REQUIRE_FOREIGN";

/// A path below the target directory, where `.ci/servers` installs axe-core: a Python package that
/// ships it as one file.
const AXE: &str = "foreign/axe-0.1.8/axe_playwright_python/axe.min.js";

/// The programs.
pub(crate) struct Install {
    pub(crate) chromium: PathBuf,
    pub(crate) chromedriver: PathBuf,
}

impl Install {
    /// Returns what is installed, or reports what is missing and returns `None`.
    ///
    /// # Panics
    ///
    /// If something is missing and `INCUMBENT_REQUIRE_FOREIGN` is set.
    pub(crate) fn find() -> Option<Self> {
        let Some(chromium) = program("chromium") else {
            skip("chromium", REQUIRED, "apt-get install chromium");
            return None;
        };
        let Some(chromedriver) = program("chromedriver") else {
            skip("chromedriver", REQUIRED, "apt-get install chromium-driver");
            return None;
        };
        Some(Self {
            chromium,
            chromedriver,
        })
    }
}

/// The rules of axe-core as a script, or a report that they are missing.
///
/// # Panics
///
/// If they are missing and `INCUMBENT_REQUIRE_FOREIGN` is set.
pub(crate) fn axe() -> Option<String> {
    let test = std::env::current_exe().unwrap_or_default();
    let found = test
        .ancestors()
        .find_map(|above| std::fs::read_to_string(above.join(AXE)).ok());
    if found.is_none() {
        skip("axe-core", REQUIRED, "run .ci/servers");
    }
    found
}

fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|directory| directory.join(name))
        .find(|program| program.is_file())
}
