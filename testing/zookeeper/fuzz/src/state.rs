//! The state that outlives the process: entries of the log, and snapshots.

use std::collections::BTreeMap;

use incumbent_leader_server::machine::{Entry, Machine, Options, SessionId};
use incumbent_zk_proto::jute::Reader;
use incumbent_zk_proto::{Acl, Malformed, PASSWORD_BYTES};

/// Reads bytes as an entry of the log and as a snapshot, and makes a machine of each.
pub fn entry_and_snapshot(bytes: &[u8]) {
    if let Ok(entry) = Entry::read(bytes) {
        let mut out = Vec::new();
        entry.write(&mut out);
        assert_eq!(Entry::read(&out).as_ref(), Ok(&entry));
        // The machine may refuse it, but must not panic.
        let _ = Machine::new(Options::default(), 0).apply(entry);
    }
    let mut machine = Machine::new(Options::default(), 0);
    if machine.restore(bytes).is_ok() {
        assert_same(&machine, &restored(&machine));
    }
}

/// A machine that was restored from the snapshot of this one.
pub(crate) fn restored(machine: &Machine) -> Machine {
    let mut restored = Machine::new(Options::default(), 0);
    restored
        .restore(&snapshot(machine))
        .expect("it was just written");
    restored
}

fn snapshot(machine: &Machine) -> Vec<u8> {
    let mut out = Vec::new();
    machine
        .freeze()
        .write(&mut out)
        .expect("a vector takes everything");
    out
}

/// The state that outlives the process, in an order that does not depend on how it came to be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Everything {
    zxid: i64,
    nodes: BTreeMap<String, Vec<u8>>,
    /// Without their time-outs, which are negotiated with every connection.
    sessions: BTreeMap<i64, [u8; PASSWORD_BYTES]>,
    ephemerals: BTreeMap<SessionId, Vec<String>>,
    bytes: usize,
}

pub(crate) fn everything(machine: &Machine) -> Everything {
    let snapshot = snapshot(machine);
    let (zxid, sessions, nodes) = parse(&snapshot).expect("it was just written");
    let owners = machine.ephemeral_owners();
    let owned = |paths: Vec<&str>| paths.into_iter().map(str::to_owned).collect();
    let summary = machine.summary();
    assert_eq!(summary.nodes, nodes.len());
    assert_eq!(summary.sessions, sessions.len());
    Everything {
        zxid,
        nodes,
        sessions,
        ephemerals: owners.map(|(id, paths)| (id, owned(paths))).collect(),
        bytes: summary.bytes,
    }
}

pub(crate) fn assert_same(one: &Machine, other: &Machine) {
    assert_eq!(everything(one), everything(other));
}

type Parsed = (
    i64,
    BTreeMap<i64, [u8; PASSWORD_BYTES]>,
    BTreeMap<String, Vec<u8>>,
);

fn parse(snapshot: &[u8]) -> Result<Parsed, Malformed> {
    /// Before the zxid.
    const MAGIC: usize = 8;
    /// The fixed part of a node after its list: five times and zxids, three versions, the owner.
    const FIXED: usize = 5 * 8 + 3 * 4 + 8;
    let mut reader = Reader::new(&snapshot[MAGIC..]);
    let zxid = reader.long()?;
    let sessions = reader.vector(1, |reader| {
        let (session, _timeout) = (reader.long()?, reader.long()?);
        Ok((session, reader.bytes()?))
    })?;
    let nodes = reader.vector(1, |reader| {
        let path = reader.string()?.to_owned();
        let before = reader.rest();
        reader.buffer()?;
        Acl::read_list(reader)?;
        reader.bytes::<FIXED>()?;
        let length = before.len() - reader.rest().len();
        Ok((path, before[..length].to_vec()))
    })?;
    reader.end()?;
    Ok((
        zxid,
        sessions.into_iter().collect(),
        nodes.into_iter().collect(),
    ))
}
