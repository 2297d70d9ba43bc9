//! Messages on their way: between JobManagers, TaskManagers and the store.

use incumbent_cluster_core::leader::LeaderEvent;
use incumbent_cluster_core::message::{Order, Refused, Report};

use super::job_manager::{Acknowledged, JobManagerMail};
use super::task_manager::TaskManagerMail;
use super::world::{Event, Process, Request, SentOrder, World, host_of};
use crate::clock::{Instant, MILLISECOND};
use crate::faults::nanos;
use crate::store::Call;

/// How long a leader waits for the answer to an order.
const ORDER_PATIENCE: u64 = 1000 * MILLISECOND;

/// A write arrives at most so many leases after its sender gave it up.
const LATEST_LEASES: u64 = 3;

impl World {
    pub(super) fn send_call(&mut self, request: Box<Request>) {
        let (host, process) = request.from;
        let is_write = !matches!(request.call, Call::Read);
        let late = self.dice.chance(self.plan.faults.late_write);
        let refused = self.dice.chance(self.plan.faults.refused);
        let lost = self.is_lost(self.job_managers[host].store_cut_until);
        let delay = self.delay();
        if self.is_chaos && refused {
            let mail = JobManagerMail::Refused {
                request: request.request,
            };
            return self.after(delay, Event::JobManager((host, process), mail));
        }
        if self.is_chaos && late && is_write {
            let lateness = self
                .dice
                .range(0, LATEST_LEASES * nanos(self.plan.timing.lease()));
            return self.after(lateness, Event::Arrive(request));
        }
        if !lost {
            self.after(delay, Event::Arrive(request));
        }
    }

    pub(super) fn arrive(&mut self, request: Request) {
        let (host, process) = request.from;
        let reply = self.write(request.item, request.call);
        if self.is_lost(self.job_managers[host].store_cut_until) {
            return;
        }
        let mail = JobManagerMail::Reply {
            request: request.request,
            reply,
        };
        let delay = self.delay();
        self.after(delay, Event::JobManager((host, process), mail));
    }

    pub(super) fn send_list(&mut self, from: (usize, Process), request: u64) {
        if !self.is_lost(self.job_managers[from.0].store_cut_until) {
            let delay = self.delay();
            self.after(delay, Event::List { from, request });
        }
    }

    pub(super) fn list(&mut self, from: (usize, Process), request: u64) {
        let jobs = self.jobs_in_store();
        if !self.is_lost(self.job_managers[from.0].store_cut_until) {
            let delay = self.delay();
            self.after(
                delay,
                Event::JobManager(from, JobManagerMail::Listed { request, jobs }),
            );
        }
    }

    pub(super) fn send_order(&mut self, from: (usize, Process), address: &str, order: Order) {
        let to = host_of(address);
        let number = self.number();
        self.orders.insert(number, SentOrder { from, to, order });
        self.after(ORDER_PATIENCE, Event::OrderGivenUp(number));
        if !self.is_lost_between(from.0, to) {
            let delay = self.delay();
            self.after(delay, Event::OrderArrives(number));
        }
    }

    pub(super) fn order_arrives(&mut self, number: u64) {
        let Some(sent) = self.orders.get(&number) else {
            return;
        };
        let (to, order) = (sent.to, Box::new(sent.order.clone()));
        match self.task_managers[to].process() {
            Some(process) => {
                let request = number;
                let mail = TaskManagerMail::Ordered { order, request };
                self.after(0, Event::TaskManager((to, process), mail));
            }
            None => self.order_given_up(number, "connection refused"),
        }
    }

    pub(super) fn send_order_answer(&mut self, request: u64, refused: Option<Refused>) {
        let Some(sent) = self.orders.get(&request) else {
            return;
        };
        if !self.is_lost_between(sent.from.0, sent.to) {
            let delay = self.delay();
            self.after(delay, Event::OrderAnswered { request, refused });
        }
    }

    pub(super) fn order_answered(&mut self, request: u64, refused: Option<Refused>) {
        let Some(sent) = self.orders.remove(&request) else {
            return;
        };
        let (to, seq) = (sent.order.to, sent.order.seq);
        let event = match refused {
            None => LeaderEvent::Delivered { to, seq },
            Some(why) => LeaderEvent::OrderRefused {
                by: to,
                order: Box::new(sent.order),
                why,
            },
        };
        let mail = JobManagerMail::Leader(Box::new(event));
        self.after(0, Event::JobManager(sent.from, mail));
    }

    pub(super) fn order_given_up(&mut self, number: u64, why: &str) {
        let Some(sent) = self.orders.remove(&number) else {
            return;
        };
        let (to, order) = (sent.order.to, Box::new(sent.order));
        let why = why.to_owned();
        let event = LeaderEvent::Undelivered { to, order, why };
        let mail = JobManagerMail::Leader(Box::new(event));
        self.after(0, Event::JobManager(sent.from, mail));
    }

    pub(super) fn send_report(&mut self, from: (usize, Process), to: &str, report: Report) {
        let to = host_of(to);
        if !self.is_lost_between(to, from.0) {
            let delay = self.delay();
            let report = Box::new(report);
            let from = from.0;
            self.after(delay, Event::ReportArrives { from, to, report });
        }
    }

    pub(super) fn report_arrives(&mut self, from: usize, to: usize, report: Box<Report>) {
        let Some(process) = self.job_managers[to].process() else {
            return;
        };
        let address = report.is_full.then(|| format!("tm-{from}"));
        let event = LeaderEvent::Reported { report, address };
        let mail = JobManagerMail::Leader(Box::new(event));
        self.after(0, Event::JobManager((to, process), mail));
    }

    pub(super) fn send_ack(&mut self, from: usize, acknowledged: Acknowledged) {
        let hosts = &self.task_managers;
        let is_there = |host: &usize| {
            let running = hosts[*host].running.as_ref();
            running.is_some_and(|running| running.nonce == acknowledged.to)
        };
        let Some(to) = (0..hosts.len()).find(is_there) else {
            return;
        };
        if !self.is_lost_between(from, to) {
            let lease = nanos(self.plan.timing.lease());
            let late = self.dice.range(lease * 11 / 10, lease * 5 / 2);
            let is_late = self
                .late_acks
                .get(&to)
                .is_some_and(|until| self.now < *until);
            let delay = if self.is_chaos && is_late {
                late
            } else {
                self.delay()
            };
            self.after(delay, Event::AckArrives(acknowledged));
        }
    }

    pub(super) fn ack_arrives(&mut self, Acknowledged { to, ack }: Acknowledged) {
        for host in 0..self.task_managers.len() {
            if let Some(running) = &self.task_managers[host].running
                && running.nonce == to
            {
                let process = running.process;
                let mail = TaskManagerMail::Acknowledged(ack);
                return self.after(0, Event::TaskManager((host, process), mail));
            }
        }
    }

    /// Whether a message to or from the store is lost, for a host that is cut off until then.
    pub(super) fn is_lost(&mut self, cut_until: Instant) -> bool {
        let is_lost = self.dice.chance(self.plan.faults.lost);
        let is_cut = self.now < cut_until.max(self.outage_until);
        self.is_chaos && (is_lost || is_cut)
    }

    fn is_lost_between(&mut self, job_manager: usize, task_manager: usize) -> bool {
        let is_lost = self.dice.chance(self.plan.faults.lost);
        self.is_chaos && (is_lost || self.is_cut(job_manager, task_manager))
    }

    pub(super) fn is_cut(&self, job_manager: usize, task_manager: usize) -> bool {
        let cut = self.cut_pairs.get(&(job_manager, task_manager));
        self.is_chaos && cut.is_some_and(|(from, until)| (*from..*until).contains(&self.now))
    }

    pub(super) fn delay(&mut self) -> u64 {
        let is_slow = self.dice.chance(self.plan.faults.slow);
        let usual = self.dice.range(MILLISECOND / 10, 5 * MILLISECOND);
        if is_slow && self.is_chaos {
            self.dice
                .range(0, 2 * nanos(self.plan.timing.request_timeout()))
        } else {
            usual
        }
    }
}
