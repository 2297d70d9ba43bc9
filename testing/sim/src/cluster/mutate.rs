//! What a leader is told, orders and commits when a rule is left out.

use std::collections::BTreeSet;

use incumbent_cluster_core::checkpoint::Goal;
use incumbent_cluster_core::leader::LeaderEvent;
use incumbent_cluster_core::message::{Command, ContractOrder, Order};
use incumbent_cluster_core::{JobId, JobRecord, JobState};

use super::mode::ClusterMutation;
use super::outbox::Outbox;

/// What the leader learns.
pub(super) fn event(mut event: LeaderEvent, out: &Outbox<'_>) -> LeaderEvent {
    if let (LeaderEvent::Reported { report, .. }, ClusterMutation::NumbersAgain) =
        (&mut event, out.plan.mutation)
    {
        for task in &mut report.tasks {
            task.contract.seen = 0;
        }
    }
    event
}

/// What it orders. `numbers` are of the checkpoints that this term has committed.
pub(super) fn order(order: &mut Order, numbers: &BTreeSet<(JobId, u64)>, out: &Outbox<'_>) {
    match (&mut order.command, out.plan.mutation) {
        (Command::Deploy(deploy), ClusterMutation::AdoptInHaste) => {
            deploy.isolation = out.job_plan(deploy.task.job).isolation;
        }
        (Command::Deploy(deploy), ClusterMutation::RestoreOlder) => {
            let mut records = out.table.iter().rev();
            let record = records.find(|record| record.id == deploy.task.job);
            if let Some(record) = record
                && let [.., older, _] = &record.checkpoints[..]
            {
                deploy.restore = Some(older.restore_point(record.id, record.incarnation));
            }
        }
        (Command::Contract { gang, order: told }, ClusterMutation::CommittedNotRepeated) => {
            if let ContractOrder::Committed { number } = told
                && !numbers.contains(&(gang.job, *number))
            {
                order.command = Command::Forget { tasks: Vec::new() };
            }
        }
        _ => {}
    }
}

/// What it commits.
pub(super) fn commit(record: &mut JobRecord, out: &Outbox<'_>) {
    match out.plan.mutation {
        ClusterMutation::AdoptInHaste => {
            record.spec.isolation = out.job_plan(record.id).isolation;
        }
        ClusterMutation::ClosedUnpublished => {
            if let Some(closing) = record.closing.take() {
                record.state = match closing.goal {
                    Goal::Suspended => JobState::Suspended,
                    Goal::Finished => JobState::Finished,
                };
            }
        }
        ClusterMutation::ExitFinishes => {
            let cause = record.cause.as_ref();
            let is_exit = cause.is_some_and(|cause| cause.exit_code == Some(0));
            if is_exit && record.state == JobState::Restarting {
                record.state = JobState::Finished;
            }
        }
        _ => {}
    }
}
