//! Finds Java and ZooKeeper where Debian's packages install them.

use std::path::{Path, PathBuf};

use crate::running;

/// If this is set, to any value, a missing ZooKeeper fails the test instead of skipping it.
const REQUIRED: &str = "INCUMBENT_REQUIRE_ZOOKEEPER";

/// The manifest of this jar names the jars it needs.
const JAR: &str = "/usr/share/java/zookeeper.jar";

/// Jars that it also needs, if they are installed: for its log lines, and a part of Netty, which
/// its secure ports need and its manifest omits.
const EXTRAS: &[&str] = &[
    "/usr/share/java/slf4j-simple.jar",
    "/usr/share/java/netty-codec.jar",
];

pub(crate) struct Install {
    pub(crate) java: PathBuf,
    pub(crate) classpath: String,
}

impl Install {
    /// Returns the installed programs, or reports that they are missing and returns `None`.
    ///
    /// # Panics
    ///
    /// If nothing is installed and `INCUMBENT_REQUIRE_ZOOKEEPER` is set.
    pub(crate) fn find() -> Option<Self> {
        let java = java();
        let missing = match &java {
            Some(_) if Path::new(JAR).exists() => None,
            Some(_) => Some(JAR),
            None => Some("java"),
        };
        if let Some(missing) = missing {
            running::skip(missing, REQUIRED, "apt install zookeeper");
            return None;
        }
        let extras = EXTRAS.iter().filter(|jar| Path::new(jar).exists());
        let classpath: Vec<&str> = std::iter::once(&JAR).chain(extras).copied().collect();
        let classpath = classpath.join(":");
        java.map(|java| Self { java, classpath })
    }
}

fn java() -> Option<PathBuf> {
    if let Some(home) = std::env::var_os("JAVA_HOME") {
        let java = Path::new(&home).join("bin/java");
        if java.exists() {
            return Some(java);
        }
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|directory| directory.join("java"))
        .find(|java| java.exists())
}
