//! `incumbent job run FILE.toml`.

use std::path::Path;

use incumbent_cluster_core::job_file::{BadJobFile, LARGEST_FILE, parse};

use super::spec::Wanted;
use crate::diagnostics::say;
use crate::exit::{Code, Failure};

/// Reads a job file. Its artifact is looked for beside it.
///
/// # Errors
///
/// It cannot be read, or is not a job: with each line, its key, and what would be right.
pub(super) fn read(file: &Path) -> Result<Wanted, Failure> {
    let text = text(file)?;
    let read = parse(&text).map_err(|bad| refused(file, &bad))?;
    let beside = file.parent().unwrap_or(Path::new(""));
    Ok(Wanted {
        spec: read.spec,
        upload: read.artifact.map(|artifact| beside.join(artifact)),
        restore: read.restore,
    })
}

fn text(file: &Path) -> Result<String, Failure> {
    let failed = |cause: std::io::Error| {
        let what = format!("cannot read the job file {}", file.display());
        Failure::new(what).because(cause).code(Code::Usage)
    };
    let found = std::fs::metadata(file).map_err(failed)?;
    if found.len() > LARGEST_FILE as u64 {
        let what = format!(
            "{} is no job file: it has more than {LARGEST_FILE} bytes",
            file.display()
        );
        return Err(Failure::new(what).code(Code::Usage));
    }
    std::fs::read_to_string(file).map_err(failed)
}

/// Each problem has a line of its own; the last one is the error.
fn refused(file: &Path, bad: &BadJobFile) -> Failure {
    let text = bad.to_string();
    let mut lines: Vec<_> = text.lines().collect();
    let last = lines.pop().unwrap_or_default();
    for line in lines {
        say(format!("{}, {line}", file.display()));
    }
    Failure::new(format!("{}, {last}", file.display())).code(Code::Usage)
}

#[cfg(test)]
mod tests {
    use incumbent_cluster_core::job_file::reference;

    #[test]
    fn the_guide_has_every_key() {
        let guide = include_str!("../../../../../docs/guide/job-file.md");
        let reference = reference();
        assert!(
            guide.contains(&reference),
            "put this into the guide:\n{reference}"
        );
    }
}
