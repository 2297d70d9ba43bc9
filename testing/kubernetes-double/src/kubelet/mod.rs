//! A double of what acts on pods: scheduler, kubelets, the controllers of Deployments and
//! ReplicaSets, and the garbage collector. It starts the commands of pods as processes of this
//! machine, and reports how they are.
//!
//! ```text
//!   controllers.rs   Deployments -> ReplicaSets -> pods; what has no owner any more goes
//!   schedule.rs      a node for each pod
//!   command.rs       a pod's container -> a process: image, variables, volumes, account
//!   process.rs       the processes of a pod and all that they have started: signals, how it ended
//!   machine.rs       one look at everything, again and again
//! ```
//!
//! A pod is judged by its first container; the others are started and ended with it. A pod has an
//! address of its own in 127.0.0.0/8, so that all pods may listen on the same port.
//! There are no containers: nothing is mounted, and paths in variables and arguments that begin
//! with the path of a mount lead to a directory instead.

mod command;
mod controllers;
mod machine;
mod process;
mod schedule;
mod statuses;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::mpsc::{Sender, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::double::Double;
use machine::Machine;

/// How often everything is looked at.
const EVERY: Duration = Duration::from_millis(10);

/// How the kubelets are.
#[derive(Clone, Debug)]
pub struct KubeletOptions {
    /// The names of the nodes.
    pub nodes: Vec<String>,
    /// Most pods on each of them.
    pub pods_per_node: usize,
    /// The images that there are: each is a program of this machine, which is its entry point.
    /// Every other image never comes.
    pub images: BTreeMap<String, PathBuf>,
    /// Where pods have their directories and logs.
    pub dir: PathBuf,
    /// How long an image takes to come.
    pub pull: Duration,
    /// Variables that every process gets.
    pub env: BTreeMap<String, String>,
}

impl KubeletOptions {
    /// Two nodes, which have room, and this directory.
    pub fn new(dir: PathBuf) -> Self {
        Self {
            nodes: ["node-1", "node-2"].map(str::to_owned).to_vec(),
            pods_per_node: 110,
            images: BTreeMap::new(),
            dir,
            pull: Duration::ZERO,
            env: BTreeMap::new(),
        }
    }
}

/// Kubelets that run. When it is dropped, all processes of all pods are killed.
#[derive(Debug)]
pub struct Kubelet {
    orders: Option<Sender<Order>>,
    thread: Option<JoinHandle<()>>,
}

/// What is to be done, and where the answer goes.
enum Order {
    /// Kills the container of this pod, as a crash or the kernel does.
    Kill(String, SyncSender<bool>),
    /// The node ends the pod, as it is short of something.
    Evict(String, SyncSender<bool>),
    /// The node is cut off and says nothing any more: its processes stand still.
    Vanish(String, SyncSender<bool>),
    /// It is there again.
    Return(String, SyncSender<bool>),
    /// From now on this image is that program, or none.
    Image(String, Option<PathBuf>, SyncSender<bool>),
    /// The process of the container of this pod.
    Pid(String, SyncSender<Option<i32>>),
}

impl Kubelet {
    /// Starts kubelets for this double, in all its namespaces.
    ///
    /// # Panics
    ///
    /// If no thread can be had.
    pub fn start(double: &Double, options: KubeletOptions) -> Self {
        let (orders, received) = channel();
        let mut machine = Machine::new(double.world(), double.url(), options);
        let run = move || {
            loop {
                match received.recv_timeout(EVERY) {
                    Ok(order) => machine.obey(order),
                    Err(std::sync::mpsc::RecvTimeoutError::Timeout) => machine.look(),
                    Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => return machine.end(),
                }
            }
        };
        let thread = std::thread::Builder::new().name("kubelet-double".into());
        Self {
            orders: Some(orders),
            thread: Some(thread.spawn(run).expect("a thread starts")),
        }
    }

    /// `kill -9` for the container of this pod. Returns whether it ran.
    pub fn kill(&self, pod: &str) -> bool {
        self.order(|done| Order::Kill(pod.to_owned(), done))
    }

    /// Ends this pod as a node does that is short of memory. Returns whether it ran.
    pub fn evict(&self, pod: &str) -> bool {
        self.order(|done| Order::Evict(pod.to_owned(), done))
    }

    /// Cuts a node off, with all its pods: their processes stand still, and nothing is reported.
    /// Returns whether there is such a node.
    pub fn vanish(&self, node: &str) -> bool {
        self.order(|done| Order::Vanish(node.to_owned(), done))
    }

    /// The node is there again, and its processes go on. Returns whether it had vanished.
    pub fn come_back(&self, node: &str) -> bool {
        self.order(|done| Order::Return(node.to_owned(), done))
    }

    /// From now on this image is that program; without one it never comes.
    pub fn image(&self, image: &str, program: Option<PathBuf>) {
        self.order(|done| Order::Image(image.to_owned(), program, done));
    }

    /// The process id of the container of this pod, if it runs.
    pub fn pid(&self, pod: &str) -> Option<i32> {
        self.order(|done| Order::Pid(pod.to_owned(), done))
    }

    fn order<T>(&self, order: impl FnOnce(SyncSender<T>) -> Order) -> T {
        let (done, waited) = sync_channel(1);
        let orders = self
            .orders
            .as_ref()
            .expect("it is there until it is dropped");
        assert!(
            orders.send(order(done)).is_ok(),
            "the kubelet's thread has ended"
        );
        waited
            .recv()
            .expect("the kubelet's thread carries out orders")
    }
}

impl Drop for Kubelet {
    fn drop(&mut self) {
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            // A panic was reported when it happened.
            let _ = thread.join();
        }
    }
}
