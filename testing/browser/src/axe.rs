//! axe-core's rules, on what the page shows.

use serde_json::Value;

use crate::browser::{Browser, text};
use crate::install;

/// Runs all rules, and returns what violates one: `rule: where: what to do`.
const RUN: &str = "
    return axe.run(document, {resultTypes: ['violations']}).then(found => found.violations.flatMap(rule =>
        rule.nodes.map(node => `${rule.id}: ${node.target.join(' ')}: ${node.failureSummary}`)));
";

impl Browser {
    /// What breaks axe-core's rules about pages that everybody can use. Nothing, after a report, if
    /// axe-core is not installed.
    ///
    /// # Panics
    ///
    /// If it is not installed while `INCUMBENT_REQUIRE_FOREIGN` is set.
    #[track_caller]
    pub fn axe(&self) -> Vec<String> {
        if self.run("return typeof axe", &[]) == "undefined" {
            let Some(rules) = install::axe() else {
                return Vec::new();
            };
            // As a script of the driver: the page's own policy would refuse it.
            self.run(&format!("{rules}; window.axe = axe"), &[]);
        }
        let found: Vec<Value> = self.run(RUN, &[]).as_array().cloned().unwrap_or_default();
        found.iter().map(text).collect()
    }
}
