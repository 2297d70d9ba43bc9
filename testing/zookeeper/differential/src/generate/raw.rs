//! Requests that no client would send, except malformed ones: `known::NO_REQUEST`.

use incumbent_zk_proto::Op;
use incumbent_zk_proto::jute::Write;

use super::Maker;
use crate::script::Act;

/// Kinds that do not exist, or that only servers use, except those that ZooKeeper accepts from
/// clients: `known::KINDS_OF_SERVERS`.
const NO_OPS: &[i32] = &[0, -1, -2, 10, 23, 24, 99, 108, 999, i32::MAX, i32::MIN];

impl Maker {
    pub(super) fn raw(&mut self) -> Act {
        if self.dice.percent(60) {
            self.online[self.session] = false;
            Act::Raw(*self.dice.pick(NO_OPS), vec![0; self.dice.between(0, 9)])
        } else {
            Act::Raw(Op::Reconfig.number(), reconfig())
        }
    }
}

/// Asks to add a server.
fn reconfig() -> Vec<u8> {
    let mut body = Vec::new();
    body.string("server.5=localhost:1234:1235;1236");
    body.string("");
    body.string("");
    body.long(-1);
    body
}
