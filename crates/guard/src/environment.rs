//! The environment of a command on its way from the runner to the shim.
//!
//! Guard and shim do not have it as their own. A loader variable of the command would otherwise
//! change the guard, and a variable of the runner that the command must not see could be read from
//! `/proc/GUARD/environ`. Command lines are public, so it travels in a file in memory: the block of
//! `NAME=VALUE` texts, each ended by a zero byte, that the kernel shows of a process, too.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;

use rustix::fs::{MemfdFlags, memfd_create};

/// The variables of the runner that guard and shim keep: the loader may need them to start this
/// executable.
const KEPT: [&str; 1] = ["LD_LIBRARY_PATH"];

/// The environment of the guard itself.
pub(crate) fn of_guard() -> impl Iterator<Item = (&'static str, OsString)> {
    KEPT.into_iter()
        .filter_map(|name| Some((name, std::env::var_os(name)?)))
}

/// A file in memory, closed on exec, that holds these variables.
pub(crate) fn pack(variables: &BTreeMap<OsString, OsString>) -> io::Result<OwnedFd> {
    let mut file = File::from(memfd_create("environment", MemfdFlags::CLOEXEC)?);
    file.write_all(&block(variables))?;
    Ok(file.into())
}

/// The variables in such a file.
pub(crate) fn unpack(file: OwnedFd) -> io::Result<Vec<(OsString, OsString)>> {
    let mut file = File::from(file);
    let mut block = Vec::new();
    // Runner, guard and shim share the position in it.
    file.rewind()?;
    file.read_to_end(&mut block)?;
    Ok(parse(&block))
}

fn block(variables: &BTreeMap<OsString, OsString>) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in variables {
        for part in [name.as_os_str(), OsStr::new("="), value, OsStr::new("\0")] {
            block.extend_from_slice(part.as_encoded_bytes());
        }
    }
    block
}

fn parse(block: &[u8]) -> Vec<(OsString, OsString)> {
    block
        .split(|&byte| byte == 0)
        .filter_map(|variable| {
            // A process may inherit a name that begins with `=`, but none is empty.
            let name = 1 + variable.get(1..)?.iter().position(|&byte| byte == b'=')?;
            let text = |bytes: &[u8]| OsString::from_vec(bytes.to_vec());
            Some((text(&variable[..name]), text(&variable[name + 1..])))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_variable_arrives_as_it_was() {
        let odd = OsString::from_vec(b"\xff\n'\"= =".to_vec());
        let variables = BTreeMap::from([
            ("A".into(), "1".into()),
            ("EMPTY".into(), OsString::new()),
            ("ODD \u{fc}".into(), odd),
            ("=X".into(), "=".into()),
            ("LONG".into(), "x".repeat(300_000).into()),
        ]);
        let arrived = unpack(pack(&variables).unwrap()).unwrap();
        assert_eq!(arrived, Vec::from_iter(variables));
    }

    #[test]
    fn no_variable_is_none() {
        assert_eq!(unpack(pack(&BTreeMap::new()).unwrap()).unwrap(), []);
    }
}
