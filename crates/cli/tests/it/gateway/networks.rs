//! Several hosts on one machine: network namespaces with veth pairs between them.
//!
//! A namespace lives as long as a shell in it, which ends with this process in any case. Nothing
//! has a global name, so names cannot clash and nothing is left behind. Needs root, `ip`, `unshare`
//! and `nsenter`.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::harness::{Done, Place, finished};

use super::front::missing;

/// A host. Its processes see their own interfaces, and names that only this host knows.
pub(crate) struct Host {
    shell: Child,
    /// The names that are known here, in the format of a hosts file.
    names: Option<String>,
}

/// Whether hosts cannot be made here. If so, prints the reason.
pub(crate) fn impossible() -> bool {
    let tools = [
        ("ip", "-V"),
        ("unshare", "-V"),
        ("nsenter", "-V"),
        ("curl", "--version"),
    ];
    if tools.iter().any(|(program, flag)| missing(program, flag)) {
        return true;
    }
    let made = Command::new("unshare")
        .args(["--net", "--mount", "true"])
        .output();
    let is_possible = made.is_ok_and(|made| made.status.success());
    if !is_possible {
        eprintln!("SKIPPED a test of the gateway in several networks: namespaces need root");
    }
    !is_possible
}

impl Host {
    pub(crate) fn new() -> Self {
        let script = "ip link set lo up && echo up && read never";
        let mut shell = Command::new("unshare")
            .args(["--net", "--mount", "sh", "-c", script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = String::new();
        let out = shell.stdout.take().unwrap();
        BufReader::new(out).read_line(&mut said).unwrap();
        assert_eq!(said, "up\n");
        Self { shell, names: None }
    }

    /// A host that knows these names, given as lines of a hosts file.
    pub(crate) fn that_knows(place: &Place, names: &str) -> Self {
        let mut host = Self::new();
        let file = place.path(&format!("hosts-{}", host.shell.id()));
        std::fs::write(&file, format!("127.0.0.1 localhost\n{names}\n")).unwrap();
        host.names = Some(file.display().to_string());
        host.run(&["mount", "--bind", &file.display().to_string(), "/etc/hosts"]);
        host
    }

    /// Joins two hosts by a cable: each gets an interface with these addresses.
    pub(crate) fn join(
        &self,
        name: &str,
        addresses: &[&str],
        other: &Host,
        others_name: &str,
        others: &[&str],
    ) {
        let (own_id, others_id) = (self.shell.id().to_string(), other.shell.id().to_string());
        let link = ["link", "add", name, "netns", &own_id, "type", "veth"];
        let peer = ["peer", "name", others_name, "netns", &others_id];
        let mut add = Command::new("ip");
        add.args(link).args(peer);
        finished(add).assert_code(0);
        for (host, name, addresses) in [(self, name, addresses), (other, others_name, others)] {
            for address in addresses {
                // No other host can have the address.
                let nodad: &[&str] = if address.contains(':') {
                    &["nodad"]
                } else {
                    &[]
                };
                host.run(&[&["ip", "address", "add", address, "dev", name], nodad].concat());
            }
            host.run(&["ip", "link", "set", name, "up"]);
        }
    }

    /// Runs a command on this host, and asserts that it succeeds.
    #[track_caller]
    pub(crate) fn run(&self, words: &[&str]) -> Done {
        let mut command = Command::new(words[0]);
        command.args(&words[1..]);
        finished(self.has(command)).assert_code(0)
    }

    /// The same command, to run on this host.
    pub(crate) fn has(&self, command: Command) -> Command {
        let mut here = Command::new("nsenter");
        here.args(["--target", &self.shell.id().to_string(), "--net", "--mount"]);
        // Pass on the environment of the command, not that of the namespace's shell.
        if let Some(dir) = command.get_current_dir() {
            here.arg(format!("--wd={}", dir.display())).current_dir(dir);
        }
        here.arg("--")
            .arg(command.get_program())
            .args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => here.env(name, value),
                None => here.env_remove(name),
            };
        }
        here.stdin(Stdio::null());
        here
    }

    /// Writes a value to a kernel file under `/proc/sys` that belongs to this host.
    pub(crate) fn set(&self, file: &str, value: &str) {
        assert!(Path::new("/proc/sys").join(file).exists(), "{file}");
        self.run(&["sh", "-c", &format!("echo {value} > /proc/sys/{file}")]);
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}
