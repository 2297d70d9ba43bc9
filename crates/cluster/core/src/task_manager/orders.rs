//! What a TaskManager does with an order: exactly one answer, and first.

use std::time::Duration;

use incumbent_core::Now;

use super::tasks::MOST_REMEMBERED;
use super::{TaskManager, TaskManagerAction};
use crate::message::{Command, Deploy, EndedHow, Order, Refused, TaskEnd};
use crate::moment::wall_text;
use crate::{Isolation, TaskId};

impl TaskManager {
    pub(super) fn ordered(&mut self, now: Now, order: Order, out: &mut Vec<TaskManagerAction>) {
        if let Err(refused) = self.take_order(&order) {
            return out.push(TaskManagerAction::Refuse(refused));
        }
        let mut then = Vec::new();
        out.push(match self.carry_out(now, order.command, &mut then) {
            Ok(()) => TaskManagerAction::Accept,
            Err(refused) => TaskManagerAction::Refuse(refused),
        });
        out.append(&mut then);
    }

    /// Whether an order is for this process, of the newest term, and in its turn.
    fn take_order(&mut self, order: &Order) -> Result<(), Refused> {
        if order.to != self.config.nonce {
            return Err(Refused::SomebodyElse {
                here: self.config.nonce,
            });
        }
        if self.raise(order.seal) {
            // Where this term takes reports, a view of the election or an order will say.
            self.leader = None;
        }
        let newest = self.seen.expect("raised above, if nothing was seen before");
        if newest != order.seal {
            return Err(Refused::Older { newest });
        }
        if order.seq <= self.last_order {
            return Err(Refused::Overtaken {
                seq: order.seq,
                newest: self.last_order,
            });
        }
        self.last_order = order.seq;
        Ok(())
    }

    fn carry_out(
        &mut self,
        now: Now,
        command: Command,
        out: &mut Vec<TaskManagerAction>,
    ) -> Result<(), Refused> {
        match command {
            Command::Report { leader } => {
                self.leader = Some(leader);
                self.reporting.begin_term();
            }
            Command::Deploy(deploy) => return self.deploy(now, deploy, out),
            Command::End { task, grace_ms } => self.end(now, task, grace_ms, out),
            Command::Forget { tasks } => {
                for task in tasks {
                    self.tasks.forget(task);
                }
            }
            Command::Contract { gang, order } => self.tasks.contract_ordered(gang, order, out),
            Command::Drain => self.drain(),
        }
        Ok(())
    }

    fn deploy(
        &mut self,
        now: Now,
        deploy: Box<Deploy>,
        out: &mut Vec<TaskManagerAction>,
    ) -> Result<(), Refused> {
        let (task, slot) = (deploy.task, deploy.slot);
        if self.tasks.state(task).is_some() {
            // It runs, or it has ended and is not started again: say so once more.
            self.tasks.touch(task);
            return Ok(());
        }
        if self.is_draining {
            return Err(Refused::Draining);
        }
        let remembered = self.tasks.remembered();
        if remembered >= MOST_REMEMBERED {
            return Err(Refused::Remembering { remembered });
        }
        if self.tasks.newer_than(task).is_some() {
            self.never(now, task, slot, EndedHow::Unknown);
            return Ok(());
        }
        if let Some(by) = self.tasks.in_slot(slot) {
            return Err(Refused::SlotTaken { slot, by });
        }
        let is_exclusive = matches!(deploy.isolation, Isolation::Exclusive { .. });
        if let Some(slot) = self.tasks.older_alive(task).filter(|_| is_exclusive) {
            let by = task.job;
            return Err(Refused::SlotTaken { slot, by });
        }
        let why = match self.ports.get(slot) {
            None => Some(format!("there is no slot {slot}")),
            Some(port) if port != deploy.port => Some(format!(
                "port {} of slot {slot} was taken by another program meanwhile",
                deploy.port
            )),
            Some(_) => None,
        };
        if let Some(why) = why {
            self.never(now, task, slot, EndedHow::NotStarted { why });
            return Ok(());
        }
        let isolated_at = self.isolated_at(deploy.isolation);
        if isolated_at.is_some_and(|at| at <= now.time) {
            // The order may be of a leader that is deposed, and the next one does not wait for this
            // task any more (R8).
            self.never(now, task, slot, EndedHow::Isolated);
            return Ok(());
        }
        self.tasks.starting(&deploy, isolated_at);
        out.push(TaskManagerAction::Start {
            deploy,
            isolated_at,
        });
        Ok(())
    }

    fn end(&mut self, now: Now, task: TaskId, grace_ms: u64, out: &mut Vec<TaskManagerAction>) {
        if self.tasks.ending(task) {
            let grace = Duration::from_millis(grace_ms);
            out.push(TaskManagerAction::End { task, grace });
        } else if self.tasks.state(task).is_some() {
            self.tasks.touch(task);
        } else {
            // An order to start it may still be on its way: it is remembered as ended.
            self.never(now, task, 0, EndedHow::Unknown);
        }
    }

    fn never(&mut self, now: Now, task: TaskId, slot: u32, how: EndedHow) {
        let end = TaskEnd {
            how,
            last_lines: Vec::new(),
            at: wall_text(now),
        };
        self.tasks.never(task, slot, end);
    }
}
