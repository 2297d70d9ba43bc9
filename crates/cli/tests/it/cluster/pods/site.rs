//! An API server with kubelets, and JobManagers that ask it for TaskManagers.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

use incumbent_kubernetes_double::{Double, Kubelet, KubeletOptions, Options};
use serde_json::{Value, json};

use crate::cluster::running::{get, tasks};
use crate::harness::{Done, Node, Place, eventually, finished, until};

/// The image of TaskManagers.
pub(super) const IMAGE: &str = "incumbent:test";

/// The namespace of everything.
pub(super) const NAMESPACE: &str = "default";

/// All of it. It ends when it is dropped.
pub(super) struct Site {
    // First the processes that ask.
    pub(super) managers: Vec<Node>,
    pub(super) kubelet: Kubelet,
    pub(super) double: Double,
    pub(super) place: Place,
}

impl Site {
    /// With two nodes, and no JobManager yet.
    pub(super) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(super) fn with(set: impl FnOnce(&mut KubeletOptions)) -> Self {
        let place = Place::new();
        let double = Double::start_now(Options::default());
        std::fs::write(place.path("kubeconfig"), double.kubeconfig(None)).unwrap();
        let mut options = KubeletOptions::new(place.path("kubelet"));
        let program = PathBuf::from(env!("CARGO_BIN_EXE_incumbent"));
        options.images.insert(IMAGE.to_owned(), program);
        let mark = place.path("").display().to_string();
        options.env = BTreeMap::from([
            // By this the place finds what is left of a pod.
            (
                "E2E_PLACE".to_owned(),
                mark.trim_end_matches('/').to_owned(),
            ),
        ]);
        set(&mut options);
        Self {
            managers: Vec::new(),
            kubelet: Kubelet::start(&double, options),
            double,
            place,
        }
    }

    /// A JobManager that asks for pods, ready to start.
    pub(super) fn manager_command(&self, name: &str, flags: &[&str]) -> Command {
        let mut command = self
            .place
            .incumbent(&["job-manager", "--task-managers", "kubernetes"]);
        command
            .args(["--holder", name])
            .args(["--pod-prefix", "demo", "--pod-owner", "none"])
            .args(flags)
            .env("KUBECONFIG", self.place.path("kubeconfig"))
            .env("INCUMBENT_TASK_MANAGER_IMAGE", IMAGE)
            .env("INCUMBENT_BLOBS", self.blobs());
        command
    }

    fn blobs(&self) -> String {
        format!("file://{}", self.place.path("blobs").display())
    }

    /// Starts a JobManager. Returns when it says where it listens.
    pub(super) fn manager(&mut self, name: &str, flags: &[&str]) {
        let command = self.manager_command(name, flags);
        let node = self.place.start(name, command);
        self.managers.push(node);
        self.place.noted(&format!("{name}.out"));
    }

    /// Where any JobManager that runs answers.
    pub(super) fn url(&mut self) -> String {
        let running = self.managers.iter_mut().find_map(|node| {
            let name = node.name.clone();
            node.is_running().then_some(name)
        });
        let name = running.expect("a JobManager runs");
        let note = self.place.noted(&format!("{name}.out"));
        note.lines().next().unwrap().to_owned()
    }

    /// The process of the JobManager that leads.
    pub(super) fn leader(&mut self) -> usize {
        let url = self.url();
        let pid = eventually("somebody leads", || {
            get(&url, "/v1/cluster")?["leader"]["pid"].as_i64()
        });
        let found = self
            .managers
            .iter()
            .position(|node| i64::from(node.pid()) == pid);
        found.expect("the leader is one of ours")
    }

    pub(super) fn incumbent(&mut self, args: &[&str]) -> Command {
        let url = self.url();
        let mut command = self.place.incumbent(args);
        command.env("INCUMBENT_CLUSTER", url);
        command
    }

    pub(super) fn ask(&mut self, args: &[&str]) -> Done {
        finished(self.incumbent(args))
    }

    /// Submits `sh -c SCRIPT`.
    pub(super) fn run(&mut self, flags: &[&str], script: &str) -> Value {
        let all = [&["job", "run"], flags, &["--", "sh", "-c", script]].concat();
        self.ask(&all).assert_code(0).json()
    }

    pub(super) fn show(&mut self, job: &str) -> Value {
        self.ask(&["job", "show", job]).assert_code(0).json()
    }

    /// Waits until all tasks run, and returns the job.
    #[track_caller]
    pub(super) fn runs(&mut self, job: &str, attempt: u64) -> Value {
        eventually(&format!("{job} runs in attempt {attempt}"), || {
            let view = self.show(job);
            let is_up = view["state"] == "running"
                && view["attempt"].as_u64() >= Some(attempt)
                && tasks(&view).iter().all(|task| task["state"] == "running");
            is_up.then_some(view)
        })
    }

    /// Waits until `job why` says this.
    #[track_caller]
    pub(super) fn says(&mut self, job: &str, words: &str) -> String {
        eventually(&format!("job why {job} says {words:?}"), || {
            let done = self.ask(&["job", "why", job]);
            done.out.contains(words).then_some(done.out)
        })
    }

    /// The pods of TaskManagers, as they are.
    pub(super) fn pods(&self) -> Vec<Value> {
        let names = self.double.names("pods", NAMESPACE);
        let all = names
            .iter()
            .filter_map(|name| self.double.object("pods", NAMESPACE, name));
        all.filter(|pod| pod["metadata"]["labels"]["app.kubernetes.io/component"] == "task-manager")
            .collect()
    }

    /// Waits until there are so many, and none of them is about to go.
    #[track_caller]
    pub(super) fn has_pods(&self, count: usize) -> Vec<Value> {
        eventually(&format!("there are {count} pods"), || {
            let pods = self.pods();
            let stays = |pod: &Value| pod["metadata"]["deletionTimestamp"].is_null();
            (pods.len() == count && pods.iter().all(stays)).then_some(pods)
        })
    }

    /// Lets nobody have more than so many pods.
    pub(super) fn quota(&self, pods: u32) {
        let quota = json!({
            "kind": "ResourceQuota", "apiVersion": "v1", "metadata": {},
            "spec": {"hard": {"pods": pods.to_string()}},
        });
        self.double
            .put_by_hand("resourcequotas", NAMESPACE, "few", quota);
    }

    pub(super) fn no_quota(&self) {
        self.double
            .delete_by_hand("resourcequotas", NAMESPACE, "few");
    }

    /// Waits until the pods of TaskManagers are gone.
    #[track_caller]
    pub(super) fn has_none(&self) {
        until("all pods are gone", || self.pods().is_empty());
    }
}

pub(super) fn name(pod: &Value) -> String {
    pod["metadata"]["name"].as_str().unwrap().to_owned()
}

pub(super) fn node(pod: &Value) -> String {
    pod["spec"]["nodeName"].as_str().unwrap().to_owned()
}
