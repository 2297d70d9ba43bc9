//! The nodes and what runs on them: one look at everything, again and again.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::command::Start;
use super::process::Processes;
use super::schedule::{Room, place};
use super::{KubeletOptions, Order, controllers, statuses};
use crate::request::access::User;
use crate::store::resource::Resource;
use crate::store::{Key, Store};
use crate::world::{World, now};

/// Pause before a container that has ended starts again, where its pod wants that.
const AGAIN_AFTER: Duration = Duration::from_millis(200);

/// How long a pod may take to end that does not say.
const GRACE: u64 = 30;

pub(super) struct Machine {
    world: Arc<World>,
    server: String,
    options: KubeletOptions,
    vanished: Vec<String>,
    /// By the ids of the pods.
    pods: BTreeMap<String, Local>,
    addresses: u32,
    /// The first bytes of addresses, so that doubles do not share one.
    network: (u8, u8),
}

/// A pod on a node.
struct Local {
    key: Key,
    node: String,
    ip: String,
    come_at: Instant,
    process: Option<Processes>,
    restarts: u32,
    /// When its container starts again.
    again_at: Option<Instant>,
    /// When it is killed, as it was told to end.
    kill_at: Option<Instant>,
    has_ended: bool,
    /// What was last written of a container that does not start.
    waiting: Option<Value>,
}

#[expect(
    clippy::disallowed_methods,
    reason = "processes have no clock that could be paused"
)]
fn instant() -> Instant {
    Instant::now()
}

impl Machine {
    pub(super) fn new(world: Arc<World>, server: String, options: KubeletOptions) -> Self {
        let nodes = Resource::of_plural("nodes").expect("there are nodes");
        for name in &options.nodes {
            let now = now();
            let node = json!({
                "kind": "Node", "apiVersion": "v1", "spec": {},
                "metadata": {"name": name, "uid": now.uid, "creationTimestamp": now.time},
                "status": {"conditions": [{"type": "Ready", "status": "True"}]},
            });
            world.with_store(|store| store.commit(Key::new(nodes, "", name), Some(node)));
        }
        Self {
            world,
            server,
            options,
            vanished: Vec::new(),
            pods: BTreeMap::new(),
            addresses: 0,
            network: (rand::random_range(64..250), rand::random_range(1..250)),
        }
    }

    pub(super) fn obey(&mut self, order: Order) {
        // The answer is waited for.
        match order {
            Order::Kill(pod, done) => {
                let killed = self.named(&pod).and_then(|local| local.process.as_mut());
                let _ = done.send(killed.map(Processes::kill_all).is_some());
            }
            Order::Evict(pod, done) => {
                let _ = done.send(self.evict(&pod));
            }
            Order::Vanish(node, done) => {
                let is_there = self.options.nodes.contains(&node);
                if is_there && !self.vanished.contains(&node) {
                    self.stop_all(&node, true);
                    self.vanished.push(node);
                }
                let _ = done.send(is_there);
            }
            Order::Return(node, done) => {
                let had_vanished = self.vanished.contains(&node);
                self.vanished.retain(|it| *it != node);
                self.stop_all(&node, false);
                let _ = done.send(had_vanished);
            }
            Order::Image(image, program, done) => {
                match program {
                    Some(program) => drop(self.options.images.insert(image, program)),
                    None => drop(self.options.images.remove(&image)),
                }
                let _ = done.send(true);
            }
            Order::Pid(pod, done) => {
                let process = self.named(&pod).and_then(|local| local.process.as_ref());
                let _ = done.send(process.map(Processes::pid));
            }
        }
    }

    /// Kills everything.
    pub(super) fn end(mut self) {
        for local in self.pods.values_mut() {
            if let Some(process) = &mut local.process {
                process.kill_all();
            }
        }
    }

    /// Looks at everything once.
    pub(super) fn look(&mut self) {
        self.world.with_store(controllers::look);
        self.nodes_that_were_deleted();
        let pods = Resource::of_plural("pods").expect("there are pods");
        let all: Vec<(Key, Arc<Value>)> = {
            let state = self.world.state();
            let all = state.store.list(pods, "");
            all.map(|(key, pod)| (key.clone(), pod.clone())).collect()
        };
        self.forget_removed(&all);
        for (key, pod) in all {
            let uid = text(&pod["metadata"]["uid"]);
            match pod["spec"]["nodeName"]
                .as_str()
                .filter(|node| !node.is_empty())
            {
                None => self.schedule(&key, &pod),
                Some(node) if self.vanished.iter().any(|it| it == node) => {}
                Some(node) if self.options.nodes.iter().any(|it| it == node) => {
                    let node = node.to_owned();
                    self.look_at(key, &pod, uid, node);
                }
                Some(_) => {}
            }
        }
    }

    /// A person who deletes a node cuts it off.
    fn nodes_that_were_deleted(&mut self) {
        let nodes = Resource::of_plural("nodes").expect("there are nodes");
        let gone: Vec<String> = {
            let state = self.world.state();
            let is_gone = |name: &&String| state.store.get(&Key::new(nodes, "", name)).is_none();
            self.options.nodes.iter().filter(is_gone).cloned().collect()
        };
        for node in gone {
            if !self.vanished.contains(&node) {
                self.stop_all(&node, true);
                self.vanished.push(node);
            }
        }
    }

    /// A pod whose object is gone is ended at once, whatever it does.
    fn forget_removed(&mut self, all: &[(Key, Arc<Value>)]) {
        let there: Vec<&str> = (all.iter())
            .filter_map(|(_, pod)| pod["metadata"]["uid"].as_str())
            .collect();
        let vanished = &self.vanished;
        self.pods.retain(|uid, local| {
            let stays = there.contains(&uid.as_str()) || vanished.contains(&local.node);
            if !stays && let Some(process) = &mut local.process {
                process.kill_all();
            }
            stays
        });
    }

    fn schedule(&mut self, key: &Key, pod: &Value) {
        let scheduler = pod["spec"]["schedulerName"]
            .as_str()
            .unwrap_or("default-scheduler");
        if scheduler != "default-scheduler" || !pod["metadata"]["deletionTimestamp"].is_null() {
            return;
        }
        let rooms: BTreeMap<String, Room> = (self.options.nodes.iter())
            .map(|node| {
                let here = self
                    .pods
                    .values()
                    .filter(|it| it.node == *node && !it.has_ended);
                let room = Room {
                    pods: here.count(),
                    most: self.options.pods_per_node,
                    has_vanished: self.vanished.contains(node),
                    ..Room::default()
                };
                (node.clone(), room)
            })
            .collect();
        let mut after = pod.clone();
        match place(pod, &rooms) {
            Ok(node) => {
                after["spec"]["nodeName"] = json!(node);
                statuses::condition(&mut after, "PodScheduled", true, "", "");
                let uid = text(&pod["metadata"]["uid"]);
                self.add(key.clone(), uid, node);
            }
            Err(why) => {
                let known = pod["status"]["conditions"].as_array().into_iter().flatten();
                if known.into_iter().any(|one| one["message"] == why) {
                    return;
                }
                statuses::condition(&mut after, "PodScheduled", false, "Unschedulable", &why);
                self.event(pod, "Warning", "FailedScheduling", &why);
            }
        }
        self.write(key, after);
    }

    fn add(&mut self, key: Key, uid: String, node: String) {
        self.addresses += 1;
        let (a, b) = self.network;
        let [.., c, d] = (self.addresses + self.addresses / 250).to_be_bytes();
        let ip = format!("127.{a}.{}.{}", b.wrapping_add(c).max(1), d.max(1));
        self.pods.insert(
            uid,
            Local {
                key,
                node,
                ip,
                come_at: instant() + self.options.pull,
                process: None,
                restarts: 0,
                again_at: None,
                kill_at: None,
                has_ended: false,
                waiting: None,
            },
        );
    }

    fn look_at(&mut self, key: Key, pod: &Value, uid: String, node: String) {
        if !self.pods.contains_key(&uid) {
            self.add(key.clone(), uid.clone(), node);
        }
        let mut local = self.pods.remove(&uid).expect("it was added");
        if pod["metadata"]["deletionTimestamp"].is_null() {
            self.go_on(&mut local, pod);
        } else if Self::leave(&mut local, pod) {
            self.world.with_store(|store| store.commit(key, None));
            return;
        }
        self.pods.insert(uid, local);
    }

    /// Gets a pod further that is to run.
    fn go_on(&mut self, local: &mut Local, pod: &Value) {
        if local.has_ended {
            return;
        }
        let again = pod["spec"]["restartPolicy"].as_str().unwrap_or("Always");
        if let Some(process) = &mut local.process {
            let Some(code) = process.ended() else {
                return;
            };
            // What is beside it starts again with it.
            process.kill_all();
            local.process = None;
            let starts_again = again == "Always" || (again == "OnFailure" && code != 0);
            if starts_again {
                local.restarts += 1;
                local.again_at = Some(instant() + AGAIN_AFTER);
            }
            return self.report_end(local, pod, code, starts_again);
        }
        let is_time = local.again_at.unwrap_or(local.come_at) <= instant();
        if is_time {
            self.begin(local, pod);
        } else if local.again_at.is_none() {
            let creating = json!({"waiting": {"reason": "ContainerCreating"}});
            self.wait(local, pod, creating);
        }
    }

    /// Starts the containers, or says why they do not start.
    fn begin(&mut self, local: &mut Local, pod: &Value) {
        let containers = pod["spec"]["containers"].as_array().into_iter().flatten();
        let images = containers.map(|container| container["image"].as_str().unwrap_or_default());
        let absent = |image: &&str| !self.options.images.contains_key(*image);
        if let Some(image) = images.clone().find(absent) {
            let message = format!(
                "Back-off pulling image \"{image}\": ErrImagePull: failed to resolve reference \
                 \"{image}\": not found"
            );
            let state = json!({"waiting": {"reason": "ImagePullBackOff", "message": message}});
            if self.wait(local, pod, state) {
                let what = format!("Failed to pull image \"{image}\": not found");
                self.event(pod, "Warning", "Failed", &what);
            }
            return;
        }
        let started = self.commands(local, pod).and_then(|commands| {
            Processes::start(commands)
                .map_err(|error| format!("failed to create containerd task: {error}"))
        });
        match started {
            Ok(process) => {
                local.process = Some(process);
                local.again_at = None;
                local.waiting = None;
                let mut after = pod.clone();
                let running = json!({"running": {"startedAt": now().time}});
                after["status"]["phase"] = json!("Running");
                after["status"]["podIP"] = json!(local.ip);
                after["status"]["podIPs"] = json!([{"ip": local.ip}]);
                after["status"]["startTime"] = json!(now().time);
                statuses::containers(&mut after, &running, true, local.restarts);
                self.write(&local.key, after);
            }
            Err(why) if why.starts_with("MountVolume") => {
                // A real kubelet says so in an event only.
                let creating = json!({"waiting": {"reason": "ContainerCreating"}});
                self.wait(local, pod, creating);
                let is_told = local.again_at.is_some();
                local.again_at = Some(instant() + AGAIN_AFTER);
                if !is_told {
                    self.event(pod, "Warning", "FailedMount", &why);
                }
            }
            Err(why) => {
                let state =
                    json!({"waiting": {"reason": "CreateContainerConfigError", "message": why}});
                self.wait(local, pod, state);
            }
        }
    }

    /// The commands of all containers; the error is for the pod's status.
    fn commands(&self, local: &Local, pod: &Value) -> Result<Vec<Command>, String> {
        let namespace = text(&pod["metadata"]["namespace"]);
        let data = |plural: &str, name: &str| {
            let key = Key::new(Resource::of_plural(plural)?, &namespace, name);
            self.world
                .state()
                .store
                .get(&key)
                .map(|object| (*object).clone())
        };
        let containers = pod["spec"]["containers"].as_array().into_iter().flatten();
        let commands = containers.enumerate().map(|(at, container)| {
            let image = container["image"].as_str().unwrap_or_default();
            let name = match at {
                0 => local.key.name.clone(),
                _ => format!("{}.{}", local.key.name, text(&container["name"])),
            };
            let start = Start {
                pod,
                container,
                program: &self.options.images[image],
                ip: &local.ip,
                dir: self.options.dir.join(&text(&pod["metadata"]["uid"])[..8]),
                log: self.log(&namespace, &name),
                claims: self.options.dir.join("claims").join(&namespace),
                kubeconfig: self.kubeconfig(pod, &namespace),
                env: &self.options.env,
                data: &data,
            };
            start.command()
        });
        commands.collect()
    }

    fn log(&self, namespace: &str, name: &str) -> PathBuf {
        let logs = self.options.dir.join("logs").join(namespace);
        logs.join(format!("{name}.log"))
    }

    /// What the process uses in place of the account that a real pod finds in a file.
    fn kubeconfig(&self, pod: &Value, namespace: &str) -> String {
        let account = pod["spec"]["serviceAccountName"]
            .as_str()
            .unwrap_or("default");
        let user = format!("system:serviceaccount:{namespace}:{account}");
        let token = format!("token-of-{namespace}-{account}");
        let mut state = self.world.state();
        if state.users.with(&token).is_none() {
            state.users.allow(&token, User::new(&user, Vec::new()));
        }
        format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: pod\n\
             clusters: [{{name: double, cluster: {{server: \"{}\"}}}}]\n\
             users: [{{name: pod, user: {{token: {token:?}}}}}]\n\
             contexts: [{{name: pod, context: {{cluster: double, user: pod, namespace: {namespace}}}}}]\n",
            self.server
        )
    }

    /// Reports that a container waits. Returns whether that is news.
    fn wait(&self, local: &mut Local, pod: &Value, state: Value) -> bool {
        if local.waiting.as_ref() == Some(&state) {
            return false;
        }
        let mut after = pod.clone();
        statuses::containers(&mut after, &state, false, local.restarts);
        self.write(&local.key, after);
        local.waiting = Some(state);
        true
    }

    fn report_end(&self, local: &mut Local, pod: &Value, code: i32, starts_again: bool) {
        let reason = if code == 0 { "Completed" } else { "Error" };
        let mut after = pod.clone();
        let state = json!({"terminated": {
            "exitCode": code, "reason": reason, "finishedAt": now().time,
        }});
        statuses::containers(&mut after, &state, false, local.restarts);
        if !starts_again {
            local.has_ended = true;
            after["status"]["phase"] = json!(if code == 0 { "Succeeded" } else { "Failed" });
        }
        self.write(&local.key, after);
    }

    /// Gets a pod further that is to end. Returns whether it has ended.
    fn leave(local: &mut Local, pod: &Value) -> bool {
        let Some(process) = &mut local.process else {
            return true;
        };
        if process.all_ended() {
            return true;
        }
        let grace = pod["metadata"]["deletionGracePeriodSeconds"]
            .as_u64()
            .unwrap_or(GRACE);
        let until = instant() + Duration::from_secs(grace);
        let Some(kill_at) = local.kill_at else {
            process.terminate();
            local.kill_at = Some(until);
            return false;
        };
        // A deletion may be repeated with less time.
        if kill_at.min(until) <= instant() {
            process.kill_all();
            return true;
        }
        false
    }

    fn evict(&mut self, name: &str) -> bool {
        let Some((uid, mut local)) = self.take(name) else {
            return false;
        };
        let found = self.world.state().store.get(&local.key);
        if let Some(pod) = found {
            let mut after = (*pod).clone();
            let ended = json!({"terminated": {"exitCode": 137, "reason": "Error", "finishedAt": now().time}});
            statuses::containers(&mut after, &ended, false, local.restarts);
            let why =
                "The node was low on resource: memory. Threshold quantity: 100Mi, available: 20Mi.";
            after["status"]["phase"] = json!("Failed");
            after["status"]["reason"] = json!("Evicted");
            after["status"]["message"] = json!(why);
            self.event(&pod, "Warning", "Evicted", why);
            // Before its end, which others notice at once.
            self.write(&local.key, after);
        }
        let did_run = local.process.take().map(|mut it| it.kill_all()).is_some();
        local.has_ended = true;
        self.pods.insert(uid, local);
        did_run
    }

    fn take(&mut self, name: &str) -> Option<(String, Local)> {
        let found = self.pods.iter().find(|(_, local)| local.key.name == name);
        let uid = found.map(|(uid, _)| uid.clone())?;
        let local = self.pods.remove(&uid)?;
        Some((uid, local))
    }

    fn named(&mut self, name: &str) -> Option<&mut Local> {
        self.pods.values_mut().find(|local| local.key.name == name)
    }

    fn stop_all(&self, node: &str, is_stopped: bool) {
        let here = self.pods.values().filter(|local| local.node == node);
        for process in here.filter_map(|local| local.process.as_ref()) {
            process.stop_all(is_stopped);
        }
    }

    fn event(&self, pod: &Value, kind: &str, reason: &str, message: &str) {
        let now = now();
        let event = statuses::event(pod, &now.uid, &now.time, kind, reason, message);
        let events = Resource::of_plural("events").expect("there are events");
        let key = Key::new(
            events,
            &text(&pod["metadata"]["namespace"]),
            &text(&event["metadata"]["name"]),
        );
        self.world
            .with_store(|store| store.commit(key, Some(event)));
    }

    /// Writes spec and status of a pod, over what is there by now.
    fn write(&self, key: &Key, after: Value) {
        self.world.with_store(|store: &mut Store| {
            let Some(before) = store.get(key) else {
                return;
            };
            if before["metadata"]["uid"] != after["metadata"]["uid"] {
                return;
            }
            let mut object = (*before).clone();
            object["spec"]["nodeName"] = after["spec"]["nodeName"].clone();
            object["status"] = after["status"].clone();
            store.commit(key.clone(), Some(object));
        });
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
