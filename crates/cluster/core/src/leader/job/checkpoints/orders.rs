//! What TaskManagers are told by the contract: what the record calls for and they do not know yet.

use incumbent_core::Time;

use super::pending::Stage;
use crate::NodeNonce;
use crate::leader::LeaderAction;
use crate::leader::job::Job;
use crate::leader::nodes::Nodes;
use crate::message::{Command, ContractOrder, Gang};

/// What one TaskManager was told, by the numbers of the orders. What did not arrive is taken out
/// again.
#[derive(Debug, Default)]
pub(super) struct Told {
    begin: Option<u64>,
    checkpoint: Option<Number>,
    committed: Option<Number>,
    aborted: Option<Number>,
    stop: Option<u64>,
}

/// A checkpoint that an order was about.
#[derive(Clone, Copy, Debug)]
struct Number {
    number: u64,
    seq: u64,
}

/// The ranks on one TaskManager that run.
#[derive(Clone, Debug, Default)]
struct Here {
    count: usize,
    /// One has not begun.
    waits_to_begin: bool,
    /// One has not acknowledged the pending checkpoint.
    misses: bool,
    /// The lowest number that one of them was told as committed.
    committed: u64,
    /// One was not told to stop.
    goes_on: bool,
}

impl Job {
    /// Gives the orders of the contract that are called for and were not given yet. No commit is
    /// under way.
    pub(in crate::leader) fn give_contract_orders(
        &mut self,
        nodes: &mut Nodes,
        now: Time,
        out: &mut Vec<LeaderAction>,
    ) {
        // What has failed is not told anything: the end of the attempt comes next.
        if self.checkpointing().is_none() || self.failure.is_some() {
            return;
        }
        let all_ready = self.are_all_ready();
        for (at, here) in self.running_by_node().into_iter().enumerate() {
            let nonce = self.record.nodes[at].nonce;
            if here.count == 0 || !nodes.takes_orders(nonce, now) {
                continue;
            }
            if all_ready && here.waits_to_begin && self.told(nonce).begin.is_none() {
                let seq = self.order_contract(nonce, ContractOrder::Begin, nodes, out);
                self.told(nonce).begin = Some(seq);
            }
            self.tell_outcome(nonce, &here, all_ready, nodes, out);
            self.ask(nonce, &here, nodes, out);
            self.tell_stop(nonce, &here, nodes, out);
        }
    }

    /// What became of checkpoints: `committed` for the newest one of the record, `aborted` for
    /// higher ones that will never be in it.
    fn tell_outcome(
        &mut self,
        nonce: NodeNonce,
        here: &Here,
        all_ready: bool,
        nodes: &mut Nodes,
        out: &mut Vec<LeaderAction>,
    ) {
        let newest = self.record.newest_checkpoint();
        // Those of an earlier attempt were told as committed by starting from them.
        let is_of_attempt = (self.record.checkpoints.last())
            .is_some_and(|last| last.attempt == self.record.attempt);
        let is_to_know = is_of_attempt || (self.record.closing.is_some() && all_ready);
        let told = is_told(self.told(nonce).committed, newest);
        if is_to_know && here.committed < newest && !told {
            let order = ContractOrder::Committed { number: newest };
            let seq = self.order_contract(nonce, order, nodes, out);
            self.told(nonce).committed = Some(Number {
                number: newest,
                seq,
            });
        }
        let aborted = self.checkpoints.aborted;
        if aborted > newest && !is_told(self.told(nonce).aborted, aborted) {
            let order = ContractOrder::Aborted { number: aborted };
            let seq = self.order_contract(nonce, order, nodes, out);
            self.told(nonce).aborted = Some(Number {
                number: aborted,
                seq,
            });
        }
    }

    fn ask(
        &mut self,
        nonce: NodeNonce,
        here: &Here,
        nodes: &mut Nodes,
        out: &mut Vec<LeaderAction>,
    ) {
        let Some(pending) = &self.checkpoints.pending else {
            return;
        };
        let (number, savepoint) = (pending.number, pending.purpose.savepoint());
        let is_asked = pending.stage == Stage::Asked && here.misses;
        if is_asked && !is_told(self.told(nonce).checkpoint, number) {
            let order = ContractOrder::Checkpoint { number, savepoint };
            let seq = self.order_contract(nonce, order, nodes, out);
            self.told(nonce).checkpoint = Some(Number { number, seq });
        }
    }

    /// When all ranks there have begun, and know that the last checkpoint is committed.
    fn tell_stop(
        &mut self,
        nonce: NodeNonce,
        here: &Here,
        nodes: &mut Nodes,
        out: &mut Vec<LeaderAction>,
    ) {
        let Some(closing) = self.record.closing else {
            return;
        };
        let may_stop = !here.waits_to_begin && here.committed >= closing.number && here.goes_on;
        if may_stop && self.told(nonce).stop.is_none() {
            let seq = self.order_contract(nonce, ContractOrder::Stop, nodes, out);
            self.told(nonce).stop = Some(seq);
        }
    }

    fn order_contract(
        &self,
        to: NodeNonce,
        order: ContractOrder,
        nodes: &mut Nodes,
        out: &mut Vec<LeaderAction>,
    ) -> u64 {
        let gang = Gang {
            job: self.record.id,
            incarnation: self.record.incarnation,
            attempt: self.record.attempt,
        };
        nodes.order(to, Command::Contract { gang, order }, out)
    }

    fn told(&mut self, nonce: NodeNonce) -> &mut Told {
        self.checkpoints.told.entry(nonce).or_default()
    }

    /// The ranks that run, by the number of their TaskManager in the record.
    fn running_by_node(&self) -> Vec<Here> {
        let mut all = vec![Here::default(); self.record.nodes.len()];
        for (at, rank) in self.ranks.iter().enumerate() {
            let place = self.record.placements.get(at).map(|place| place.node);
            let Some(here) = place.and_then(|node| all.get_mut(node as usize)) else {
                continue;
            };
            if !rank.runs() {
                continue;
            }
            let contract = &rank.contract;
            here.committed = match here.count {
                0 => contract.committed,
                _ => here.committed.min(contract.committed),
            };
            here.count += 1;
            here.waits_to_begin |= !contract.has_begun;
            here.goes_on |= !contract.was_stopped;
            here.misses |= (self.checkpoints.pending.as_ref()).is_some_and(|p| p.misses(at));
        }
        all
    }

    /// An order of the contract did not arrive: it is given again if it is still called for.
    pub(in crate::leader) fn contract_undelivered(&mut self, to: NodeNonce, seq: u64) {
        if let Some(told) = self.checkpoints.told.get_mut(&to) {
            let is_other = |number: &Number| number.seq != seq;
            told.begin = told.begin.filter(|given| *given != seq);
            told.stop = told.stop.filter(|given| *given != seq);
            told.checkpoint = told.checkpoint.filter(is_other);
            told.committed = told.committed.filter(is_other);
            told.aborted = told.aborted.filter(is_other);
        }
    }

    /// A TaskManager registers anew: what was on its way to it may never arrive.
    pub(in crate::leader) fn contract_orders_may_be_lost(&mut self, at: NodeNonce) {
        self.checkpoints.told.remove(&at);
    }
}

fn is_told(told: Option<Number>, number: u64) -> bool {
    told.is_some_and(|told| told.number >= number)
}
