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
        build(&target, &["-p", "incumbent-cli"])?;
    }
    if !program.exists() {
        let program = program.display();
        return Err(format!("{program} was not built; name the program with --program").into());
    }
    Ok(program)
}

/// The release build of an example of a package, built if it is not there.
pub(crate) fn find_example(package: &str, name: &str) -> Result<PathBuf, Failure> {
    let target = target()?;
    let example = target.join("release").join("examples").join(name);
    if !example.exists() {
        build(&target, &["-p", package, "--example", name])?;
    }
    if !example.exists() {
        return Err(format!("{} was not built", example.display()).into());
    }
    Ok(example)
}

/// The release build of a binary of a package, built if it is not there.
pub(crate) fn find_binary(package: &str, name: &str) -> Result<PathBuf, Failure> {
    let target = target()?;
    let binary = target.join("release").join(name);
    if !binary.exists() {
        build(&target, &["-p", package, "--bin", name])?;
    }
    if !binary.exists() {
        return Err(format!("{} was not built", binary.display()).into());
    }
    Ok(binary)
}

/// Where cargo builds.
pub(crate) fn target() -> Result<PathBuf, Failure> {
    let own = std::env::current_exe()?;
    let profile = own.parent().ok_or("this program has no directory")?;
    let target = profile.parent().ok_or("this program has no directory")?;
    Ok(target.to_owned())
}

fn build(target: &Path, what: &[&str]) -> Result<(), Failure> {
    eprintln!(
        "building the program that is measured: cargo build --release {}",
        what.join(" ")
    );
    let built = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["build", "--release"])
        .args(what)
        .arg("--target-dir")
        .arg(target)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdout(Stdio::null())
        .status()?;
    if !built.success() {
        return Err("cargo failed".into());
    }
    Ok(())
}
