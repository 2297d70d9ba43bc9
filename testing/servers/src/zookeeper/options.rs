//! The options of a ZooKeeper server.

use std::path::PathBuf;

/// The configuration of a plain test server. Lines that are added later come after these and win.
const CONFIG: &[&str] = &[
    "tickTime=2000",
    // Allows sessions as short as tests need them.
    "minSessionTimeout=500",
    "maxSessionTimeout=120000",
    "maxClientCnxns=0",
    "admin.enableServer=false",
    "4lw.commands.whitelist=*",
    "extendedTypesEnabled=true",
    // KiB of log that the server reserves at once. Some file systems write the default of 64 MiB in
    // full.
    "preAllocSize=256",
];

/// Flags for a small JVM that starts fast. Choose other flags for benchmarks.
const JVM_FLAGS: &[&str] = &["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"];

/// The options of a [`ZooKeeper`](crate::zookeeper::ZooKeeper). The defaults suit most tests.
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
    /// Adds a line of `zoo.cfg`, such as `tickTime=500`. If a name occurs several times, the last
    /// line wins, even over the defaults.
    ///
    /// Do not set `dataDir`, `clientPort` and `clientPortAddress`: the server adds them last.
    pub fn config(mut self, line: impl Into<String>) -> Self {
        self.config.push(line.into());
        self
    }

    /// Replaces the default JVM flags.
    pub fn jvm_flags<S: Into<String>>(mut self, flags: impl IntoIterator<Item = S>) -> Self {
        self.jvm_flags = flags.into_iter().map(Into::into).collect();
        self
    }

    /// Adds a system property of the JVM, such as `zookeeper.forceSync` with the value `no`.
    pub fn property(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.properties.push((name.into(), value.into()));
        self
    }

    /// Sets the directory for snapshots and logs. It is created if it does not exist, and kept. The
    /// default is a temporary directory that is removed.
    pub fn data_dir(mut self, directory: impl Into<PathBuf>) -> Self {
        self.data_dir = Some(directory.into());
        self
    }

    /// Sets the server's log level: `error`, `warn` (the default), `info`, `debug`, `trace`.
    pub fn log_level(mut self, level: impl Into<String>) -> Self {
        self.log_level = level.into();
        self
    }
}
