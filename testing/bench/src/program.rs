//! Finds the program that is measured.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Failure;

/// The release build of `incumbent`, built if it is not there.
pub(crate) fn find(named: Option<&Path>) -> Result<PathBuf, Failure> {
    if let Some(path) = named {
        return Ok(path
            .canonicalize()
            .map_err(|error| format!("{}: {error}", path.display()))?);
    }
    let target = target()?;
    // Beside a debug build of this program lies a debug build of `incumbent`, whose figures mean
    // nothing.
    let program = target.join("release").join("incumbent");
    if !program.exists() {
        build(&target)?;
    }
    if !program.exists() {
        let program = program.display();
        return Err(format!("{program} was not built; name the program with --program").into());
    }
    Ok(program)
}

/// Where cargo builds.
pub(crate) fn target() -> Result<PathBuf, Failure> {
    let own = std::env::current_exe()?;
    let profile = own.parent().ok_or("this program has no directory")?;
    let target = profile.parent().ok_or("this program has no directory")?;
    Ok(target.to_owned())
}

fn build(target: &Path) -> Result<(), Failure> {
    eprintln!("building the program that is measured: cargo build --release -p incumbent-cli");
    let built = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["build", "--release", "-p", "incumbent-cli", "--target-dir"])
        .arg(target)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdout(Stdio::null())
        .status()?;
    if !built.success() {
        return Err("cargo failed".into());
    }
    Ok(())
}
