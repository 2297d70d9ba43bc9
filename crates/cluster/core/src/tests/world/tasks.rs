//! What a TaskManager does for its machine, at once.

use super::{Message, Process, World};
use crate::leader::LeaderEvent;
use crate::message::{Acked, EndedHow};
use crate::task_manager::{Said, TaskManagerAction, TaskManagerEvent};
use crate::{NodeNonce, TaskId};

impl World {
    pub(super) fn step_node(&mut self, nonce: NodeNonce, event: TaskManagerEvent) {
        let now = self.now();
        let Some(node) = self.nodes.get_mut(&nonce) else {
            return;
        };
        if node.is_dead {
            return;
        }
        let order = match &event {
            TaskManagerEvent::Ordered(order) => Some(order.clone()),
            _ => None,
        };
        let actions = node.machine.step(now, event);
        for (at, action) in actions.into_iter().enumerate() {
            match action {
                TaskManagerAction::Accept => {
                    let (to, seq) = (nonce, order.as_ref().unwrap().seq);
                    assert_eq!(at, 0);
                    let event = LeaderEvent::Delivered { to, seq };
                    self.queue.push_back(Message::Leader(event));
                }
                TaskManagerAction::Refuse(why) => {
                    assert_eq!(at, 0);
                    let order = order.clone().unwrap();
                    self.trace.push(format!("refused: {why}"));
                    let by = nonce;
                    let event = LeaderEvent::OrderRefused { by, order, why };
                    self.queue.push_back(Message::Leader(event));
                }
                action => self.perform_of_node(nonce, action),
            }
        }
    }

    pub(super) fn perform_of_node(&mut self, nonce: NodeNonce, action: TaskManagerAction) {
        let node = self.nodes.get_mut(&nonce).unwrap();
        let event = match action {
            TaskManagerAction::Accept | TaskManagerAction::Refuse(_) => unreachable!(),
            TaskManagerAction::Heard => return,
            TaskManagerAction::NotHeard(why) => {
                return self.trace.push(format!("not heard: {why}"));
            }
            TaskManagerAction::TellTask { task, what } => {
                return self.app_told(nonce, task, what);
            }
            TaskManagerAction::CopyLast {
                task, number, part, ..
            } => {
                let said = Said::Acked(Acked { number, part });
                return self.queue.push_back(Message::Said(nonce, task, said));
            }
            TaskManagerAction::Start {
                deploy,
                isolated_at,
            } => {
                let app = self.app_started(nonce, &deploy);
                self.next_pid += 1;
                let pid = self.next_pid;
                let process = Process {
                    pid,
                    isolated_at,
                    slot: deploy.slot,
                    is_exclusive: deploy.isolation.is_exclusive(),
                    app,
                };
                let node = self.nodes.get_mut(&nonce).unwrap();
                let before = node.processes.insert(deploy.task, process);
                assert!(before.is_none(), "a task is started once");
                let task = deploy.task;
                TaskManagerEvent::Started { task, pid }
            }
            TaskManagerAction::Extend { task, isolated_at } => {
                if let Some(process) = node.processes.get_mut(&task) {
                    process.isolated_at = Some(isolated_at);
                }
                return;
            }
            TaskManagerAction::End { .. } if node.is_stubborn => return,
            TaskManagerAction::End { task, .. } => {
                node.processes.remove(&task);
                TaskManagerEvent::Ended {
                    task,
                    how: EndedHow::Ordered,
                    last_lines: Vec::new(),
                }
            }
            TaskManagerAction::Send { report, .. } => {
                if node.is_cut || self.leader.is_none() {
                    let seq = report.seq;
                    TaskManagerEvent::Unacknowledged { seq }
                } else {
                    let name = report.node.as_ref().map(|info| info.name.clone());
                    let address = name.map(|name| format!("{name}:9000"));
                    let event = LeaderEvent::Reported { report, address };
                    return self.queue.push_back(Message::Leader(event));
                }
            }
            TaskManagerAction::Reserve { slot } => {
                node.next_port += 1;
                let port = node.next_port;
                TaskManagerEvent::Reserved { slot, port }
            }
            TaskManagerAction::Exit => {
                node.has_exited = true;
                return self.kill(nonce);
            }
            TaskManagerAction::Tell(story) => return self.stories.push(story),
        };
        self.queue.push_back(Message::Node(nonce, event));
    }

    /// A TaskManager dies, and its tasks with it.
    pub(in crate::tests) fn kill(&mut self, nonce: NodeNonce) {
        let node = self.nodes.get_mut(&nonce).unwrap();
        node.is_dead = true;
        node.processes.clear();
        self.prove(nonce);
    }

    pub(super) fn prove(&mut self, nonce: NodeNonce) {
        let is_proven = self
            .nodes
            .get(&nonce)
            .is_none_or(|node| node.is_dead && node.has_proof);
        if is_proven && self.watched.contains(&nonce) {
            self.queue
                .push_back(Message::Leader(LeaderEvent::Dead(nonce)));
        }
    }

    /// A process ends by itself.
    pub(in crate::tests) fn exit(&mut self, task: TaskId, code: i32, lines: &[&str]) {
        let nonce = self.place_of(task).expect("the task runs");
        let node = self.nodes.get_mut(&nonce).unwrap();
        node.processes.remove(&task);
        self.ended(nonce, task, EndedHow::Exited { code }, lines);
        self.settle();
    }

    pub(super) fn ended(&mut self, nonce: NodeNonce, task: TaskId, how: EndedHow, lines: &[&str]) {
        let last_lines = lines.iter().map(|line| (*line).to_owned()).collect();
        let event = TaskManagerEvent::Ended {
            task,
            how,
            last_lines,
        };
        self.queue.push_back(Message::Node(nonce, event));
    }

    pub(in crate::tests) fn place_of(&self, task: TaskId) -> Option<NodeNonce> {
        let mut nodes = self.nodes.iter();
        nodes.find_map(|(nonce, node)| node.processes.contains_key(&task).then_some(*nonce))
    }
}
