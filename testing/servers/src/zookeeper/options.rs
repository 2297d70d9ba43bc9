//! How a ZooKeeper is to be started.

use std::path::PathBuf;

/// What a plain server of tests is started with; whatever is set later comes after it and wins.
const CONFIG: &[&str] = &[
    "tickTime=2000",
    // Sessions as short as a test wants them.
    "minSessionTimeout=500",
    "maxSessionTimeout=120000",
    "maxClientCnxns=0",
    "admin.enableServer=false",
    "4lw.commands.whitelist=*",
    "extendedTypesEnabled=true",
    // KiB of log that are reserved at once: the default of 64 MiB is written in full by some file
    // systems.
    "preAllocSize=256",
];

/// A JVM that starts fast and is small; for figures, choose other flags.
const JVM_FLAGS: &[&str] = &["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"];

/// How a [`ZooKeeper`](crate::zookeeper::ZooKeeper) is started. The default is right for most
/// tests.
#[derive(Clone, Debug)]
#[must_use]
pub struct Options {
    pub(crate) config: Vec<String>,
    pub(crate) jvm_flags: Vec<String>,
    pub(crate) properties: Vec<(String, String)>,
    pub(crate) data_dir: Option<PathBuf>,
    pub(crate) log_level: String,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            config: CONFIG.iter().map(|&line| line.to_owned()).collect(),
            jvm_flags: JVM_FLAGS.iter().map(|&flag| flag.to_owned()).collect(),
            properties: Vec::new(),
            data_dir: None,
            log_level: "warn".to_owned(),
        }
    }
}

impl Options {
    /// One more line of `zoo.cfg`, as in `tickTime=500`. The last line of a name wins, over the
    /// defaults too.
    ///
    /// `dataDir`, `clientPort` and `clientPortAddress` are not for it: they come last and from
    /// elsewhere.
    pub fn config(mut self, line: impl Into<String>) -> Self {
        self.config.push(line.into());
        self
    }

    /// These flags of the JVM, in place of the default ones.
    pub fn jvm_flags<S: Into<String>>(mut self, flags: impl IntoIterator<Item = S>) -> Self {
        self.jvm_flags = flags.into_iter().map(Into::into).collect();
        self
    }

    /// One more system property of the JVM, as in `zookeeper.forceSync` and `no`.
    pub fn property(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.properties.push((name.into(), value.into()));
        self
    }

    /// Where snapshots and logs lie. It is created if need be, and kept; the default is a directory
    /// that is removed.
    pub fn data_dir(mut self, directory: impl Into<PathBuf>) -> Self {
        self.data_dir = Some(directory.into());
        self
    }

    /// What the server logs: `error`, `warn` (the default), `info`, `debug`, `trace`.
    pub fn log_level(mut self, level: impl Into<String>) -> Self {
        self.log_level = level.into();
        self
    }
}
