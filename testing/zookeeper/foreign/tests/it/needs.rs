//! What must be installed, and where.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// If set, a client that is not installed is a failure and not a skipped test.
const REQUIRED: &str = "INCUMBENT_REQUIRE_FOREIGN";

/// A directory below the target directory; `.ci/servers` fills it.
const KAZOO: &str = "foreign/kazoo-2.11.0";

pub(crate) const ZK_CLI: &str = "/usr/share/zookeeper/bin/zkCli.sh";

/// Their manifests name the jars that these need.
const JARS: [&str; 3] = [
    "/usr/share/java/curator-recipes.jar",
    "/usr/share/java/zookeeper.jar",
    "/usr/share/java/guava.jar",
];

/// Without it, the client warns that it has no log.
const SILENT_LOGGER: &str = "/usr/share/java/slf4j-nop.jar";

/// Small and quick to start, since many run at once.
pub(crate) const JVM_FLAGS: [&str; 3] = ["-Xmx128m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"];

/// Where kazoo is, if Python is there too.
pub(crate) fn kazoo() -> Option<PathBuf> {
    let path = target().join(KAZOO);
    (runs("python3", "--version")? && is_there(&path)?).then_some(path)
}

/// The class path for Curator, if Java and its compiler are there too.
pub(crate) fn curator() -> Option<String> {
    let there = runs("java", "-version")? && runs("javac", "-version")?;
    for jar in JARS {
        is_there(Path::new(jar))?;
    }
    let mut path = JARS.join(":");
    if Path::new(SILENT_LOGGER).exists() {
        path = format!("{path}:{SILENT_LOGGER}");
    }
    there.then_some(path)
}

/// Whether `zkCli.sh` can be run.
pub(crate) fn zk_cli() -> Option<()> {
    runs("java", "-version")?;
    is_there(Path::new(ZK_CLI))?;
    Some(())
}

/// The directory that everything is built in.
pub(crate) fn target() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let target = test.ancestors().nth(3);
    target.expect("a test is TARGET/PROFILE/deps/NAME").into()
}

fn runs(program: &str, flag: &str) -> Option<bool> {
    let mut command = Command::new(program);
    command
        .arg(flag)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    match command.status() {
        Ok(status) if status.success() => Some(true),
        _ => missing(program),
    }
}

fn is_there(path: &Path) -> Option<bool> {
    if path.exists() {
        Some(true)
    } else {
        missing(&path.display().to_string())
    }
}

/// Prints that a test is skipped.
fn missing<T>(what: &str) -> Option<T> {
    assert!(
        std::env::var_os(REQUIRED).is_none(),
        "{REQUIRED} is set, and there is no {what}: run .ci/servers"
    );
    // Not `eprintln!`: the output of a test that passes is not shown.
    let _ = writeln!(
        std::io::stderr(),
        "SKIPPED: there is no {what}; .ci/servers installs it"
    );
    None
}
