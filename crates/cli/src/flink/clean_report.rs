//! What `incumbent flink clean` prints for people. Pure: text from findings.

use incumbent_flink_ha::{Cleaning, Finding};

use super::report::wrapped;
use crate::show::escape::printable;

pub(super) fn cleaning(cleaning: &Cleaning) -> String {
    let mut parts = vec![printable(&cleaning.source).into_owned()];
    if let Some(why) = &cleaning.in_use {
        parts.push(format!(
            "A JobManager leads, or may:\n{}",
            wrapped(&printable(why))
        ));
    }
    if cleaning.findings.is_empty() {
        parts.push("Nothing was found that no job needs.".into());
    }
    parts.extend(cleaning.findings.iter().map(finding));
    parts.join("\n\n")
}

fn finding(finding: &Finding) -> String {
    let word = match &finding.kept {
        None => "REMOVE",
        Some(_) => "KEEP",
    };
    let word = match (word, finding.kind.name()) {
        ("REMOVE", "counter") => "SET",
        (word, _) => word,
    };
    let mut lines = vec![format!("{word} {}", finding.kind.name())];
    let keys = finding.keys.iter();
    lines.extend(keys.map(|key| format!("  {}", printable(key))));
    lines.push(wrapped(&printable(&format!("why: {}", finding.why))));
    lines.push(wrapped(&printable(&format!("then: {}", finding.follows))));
    if let Some(kept) = &finding.kept {
        lines.push(wrapped(&printable(&format!("kept: {kept}"))));
    }
    let files = finding.files.iter();
    lines.extend(files.map(|file| format!("  file: {} (stays)", printable(file))));
    lines.join("\n")
}
