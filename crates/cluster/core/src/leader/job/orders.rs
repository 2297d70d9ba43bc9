//! What is ordered for a job, by what its record says (R3).

use std::collections::BTreeSet;

use incumbent_core::Time;

use super::rank::RankState;
use super::{Job, Write};
use crate::leader::LeaderAction;
use crate::leader::nodes::Nodes;
use crate::message::{Command, Deploy};
use crate::{JobRecord, JobState, NodeNonce};

impl Job {
    /// Gives the orders that the record calls for and that were not given yet.
    ///
    /// While a commit is under way none is given: what it says is not known to be so, and what was
    /// before may not be so any more.
    pub(in crate::leader) fn give_orders(
        &mut self,
        nodes: &mut Nodes,
        now: Time,
        out: &mut Vec<LeaderAction>,
    ) {
        if !matches!(self.write, Write::Idle | Write::Pausing(_)) {
            return;
        }
        match self.record.state {
            JobState::Running | JobState::Stopping if self.record.is_to_run() => {
                self.deploy(nodes, now, out);
                self.give_contract_orders(nodes, now, out);
            }
            JobState::Running
            | JobState::Restarting
            | JobState::Stopping
            | JobState::Suspended
            | JobState::Finished
            | JobState::Failed
            | JobState::Canceled => self.end(nodes, now, out),
            JobState::Waiting => {}
        }
    }

    fn deploy(&mut self, nodes: &mut Nodes, now: Time, out: &mut Vec<LeaderAction>) {
        let mut peers = None;
        for rank in 0..self.ranks.len() {
            let seen = &self.ranks[rank];
            let Some(nonce) = self.nonce_of(rank) else {
                continue;
            };
            let is_wanted = seen.state == RankState::Absent && seen.deploy.is_none();
            // What has failed is not begun: the end of the attempt comes next.
            if !is_wanted || self.failure.is_some() || !nodes.takes_orders(nonce, now) {
                continue;
            }
            let peers = peers.get_or_insert_with(|| peers_of(&self.record)).clone();
            let deploy = self.deploy_of(rank, peers);
            let seq = nodes.order(nonce, Command::Deploy(Box::new(deploy)), out);
            self.ranks[rank].may_start = true;
            self.ranks[rank].deploy = Some(seq);
        }
    }

    fn end(&mut self, nodes: &mut Nodes, now: Time, out: &mut Vec<LeaderAction>) {
        for rank in 0..self.ranks.len() {
            let Some(nonce) = self.nonce_of(rank) else {
                continue;
            };
            let task = self.task(rank);
            let grace_ms = self.record.spec.grace_ms;
            let seen = &mut self.ranks[rank];
            if seen.is_over() {
                let is_ended = matches!(seen.state, RankState::Ended(_));
                if is_ended && !seen.is_forgotten {
                    seen.is_forgotten = true;
                    nodes.forget(nonce, task);
                }
                continue;
            }
            let is_known = seen.state != RankState::Unreported;
            if is_known && seen.end.is_none() && nodes.takes_orders(nonce, now) {
                let seq = nodes.order(nonce, Command::End { task, grace_ms }, out);
                seen.end = Some(seq);
            }
        }
    }

    /// Orders to this TaskManager did not arrive: they are given again when it takes orders.
    pub(in crate::leader) fn undelivered(&mut self, to: NodeNonce, seq: u64) {
        self.contract_undelivered(to, seq);
        for rank in 0..self.ranks.len() {
            if self.nonce_of(rank) == Some(to) {
                let seen = &mut self.ranks[rank];
                seen.deploy = seen.deploy.filter(|given| *given != seq);
                seen.end = seen.end.filter(|given| *given != seq);
            }
        }
    }

    /// The TaskManagers that the record places ranks on.
    pub(in crate::leader) fn placed_on(&self) -> BTreeSet<NodeNonce> {
        self.record.nodes.iter().map(|node| node.nonce).collect()
    }

    fn deploy_of(&self, rank: usize, peers: Vec<String>) -> Deploy {
        let spec = &self.record.spec;
        let placement = self.record.placements[rank];
        let pairs = |map: &std::collections::BTreeMap<String, String>| {
            map.iter()
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect()
        };
        Deploy {
            task: self.task(rank),
            slot: placement.slot,
            port: placement.port,
            name: spec.name.clone(),
            tasks: self.record.tasks(),
            peers,
            command: spec.command.clone(),
            env: pairs(&spec.env),
            env_files: pairs(&spec.env_files),
            artifact: spec.artifact.clone(),
            is_checkpointing: spec.checkpoints.is_some(),
            restore: self.record.restore_point(),
            isolation: spec.isolation,
            grace_ms: spec.grace_ms,
        }
    }
}

/// `host:port` of each rank: the host of its TaskManager, and the port of the record.
pub(in crate::leader) fn peers_of(record: &JobRecord) -> Vec<String> {
    let peer = |placement: &crate::record::Placement| {
        let address = record
            .nodes
            .get(placement.node as usize)
            .map_or("", |node| node.address.as_str());
        // An IPv6 address is in brackets there.
        let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
        format!("{host}:{}", placement.port)
    };
    record.placements.iter().map(peer).collect()
}
