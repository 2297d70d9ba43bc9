//! The limits of the tree. They stop growth and nothing else: a change that adds no bytes always
//! has room, so leaders can renew, hand over and clean up on a server that is full.

use incumbent_zk_proto::Code;

use super::Machine;

impl Machine {
    /// Refuses one node too many, or a node that would take more memory than is left.
    pub(super) fn check_room_for_node(&self, bytes: usize) -> Result<(), Code> {
        if self.tree.len() >= self.options.max_nodes {
            return Err(Code::QuotaExceeded);
        }
        self.check_growth(0, bytes)
    }

    /// Refuses a change from so many bytes to more than are left. Nodes do not count here.
    pub(super) fn check_growth(&self, before: usize, after: usize) -> Result<(), Code> {
        let added = after.saturating_sub(before);
        if added > 0 && self.tree.bytes() + added > self.options.max_bytes {
            return Err(Code::QuotaExceeded);
        }
        Ok(())
    }
}
