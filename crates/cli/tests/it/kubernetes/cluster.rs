//! An API server, a cluster of Incumbent there, and the processes that use it.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use incumbent_kubernetes_double::{Double, Options};
use serde_json::{Value, json};

use crate::harness::{Done, Node, Place, eventually, finished, until};

/// The kubeconfig of a real server.
const KUBECONFIG: &str = "INCUMBENT_TEST_KUBECONFIG";

/// The namespace to use there.
const NAMESPACE: &str = "INCUMBENT_TEST_NAMESPACE";

/// The kinds of labelled objects that a test creates. All of them are deleted at its end.
const KINDS: &str = "configmaps,leases,roles,rolebindings,deployments,pods";

/// A cluster with its own name, and a place for the processes that use it.
pub(super) struct Cluster {
    pub(super) place: Place,
    /// Its name: all of its objects have it in the label `app.kubernetes.io/instance`.
    pub(super) id: String,
    pub(super) namespace: String,
    server: Server,
}

enum Server {
    Double(Double),
    /// The path of its kubeconfig.
    Real(PathBuf),
}

impl Cluster {
    pub(super) fn on_the_double() -> Self {
        let double = Double::start_now(Options::default());
        let cluster = Self::new(Server::Double(double), "default".into());
        if let Server::Double(double) = &cluster.server {
            fs::write(cluster.kubeconfig(), double.kubeconfig(None)).unwrap();
        }
        cluster
    }

    /// `None`, with a message, if there is no real server.
    pub(super) fn on_a_real_server(claim: &str) -> Option<Self> {
        let Some(path) = std::env::var_os(KUBECONFIG) else {
            eprintln!("SKIPPED {claim} on a real API server: {KUBECONFIG} names none");
            return None;
        };
        has_kubectl(claim).then_some(())?;
        let namespace = std::env::var(NAMESPACE).unwrap_or_else(|_| "default".into());
        Some(Self::new(Server::Real(path.into()), namespace))
    }

    fn new(server: Server, namespace: String) -> Self {
        let id = format!("it-{:08x}", rand::random::<u32>());
        Self {
            place: Place::new(),
            id,
            namespace,
            server,
        }
    }

    pub(super) fn address(&self) -> String {
        format!("kubernetes://{}/{}", self.namespace, self.id)
    }

    /// The kubeconfig of a user with all rights.
    pub(super) fn kubeconfig(&self) -> PathBuf {
        match &self.server {
            Server::Double(_) => self.place.path("kubeconfig"),
            Server::Real(path) => path.clone(),
        }
    }

    /// `incumbent` with these arguments, here.
    pub(super) fn command(&self, args: &[&str]) -> Command {
        let mut command = self.place.incumbent(args);
        command
            .env("INCUMBENT_HA", self.address())
            .env("KUBECONFIG", self.kubeconfig());
        command
    }

    /// Runs `incumbent` to its end.
    pub(super) fn ask(&self, args: &[&str]) -> Done {
        finished(self.command(args))
    }

    /// As [`Place::node`].
    pub(super) fn node(&self, name: &str, flags: &[&str], script: &str) -> Node {
        let run = [&["run", "--holder", name], flags].concat();
        let mut command = self.command(&run);
        command.args(["--", "sh", "-c", script]);
        self.place.start(name, command)
    }

    /// As [`Place::status`].
    pub(super) fn status(&self) -> Value {
        self.ask(&["status"]).json()
    }

    /// As [`Place::active`].
    pub(super) fn active(&self, holder: &str) -> Value {
        eventually(&format!("{holder} is active"), || {
            let status = self.status();
            (status["state"] == "active" && status["holder"] == holder).then_some(status)
        })
    }

    /// Waits until the leader sees these nodes stand by.
    pub(super) fn stand_by(&self, names: &[&str]) {
        let standing = || {
            let status = self.status();
            let seen = status["standbys"].as_array().cloned().unwrap_or_default();
            names
                .iter()
                .all(|name| seen.iter().any(|it| it.as_str() == Some(name)))
        };
        until(&format!("{names:?} stand by"), standing);
    }

    /// The present state of an object.
    pub(super) fn object(&self, resource: &str, name: &str) -> Option<Value> {
        match &self.server {
            Server::Double(double) => double.object(resource, &self.namespace, name),
            Server::Real(_) => {
                let found = self.kubectl(&["get", resource, name, "--ignore-not-found", "-o=json"]);
                let found = found.assert_code(0);
                (!found.out.is_empty()).then(|| found.json())
            }
        }
    }

    /// Creates an object with full rights, independent of any role.
    pub(super) fn put(&self, resource: &str, mut object: Value) {
        object["metadata"]["labels"] = json!({ "app.kubernetes.io/instance": self.id });
        object["metadata"]["namespace"] = self.namespace.as_str().into();
        match &self.server {
            Server::Double(double) => {
                let name = object["metadata"]["name"].as_str().unwrap().to_owned();
                double.put_by_hand(resource, &self.namespace, &name, object);
            }
            Server::Real(_) => {
                let file = self.place.path("object.json");
                fs::write(&file, object.to_string()).unwrap();
                let applied = self.kubectl(&["apply", "-f", file.to_str().unwrap()]);
                applied.assert_code(0);
            }
        }
    }

    /// Removes an object with full rights, independent of any role.
    pub(super) fn remove(&self, resource: &str, name: &str) {
        match &self.server {
            Server::Double(double) => {
                double
                    .delete_by_hand(resource, &self.namespace, name)
                    .expect("it is there");
            }
            Server::Real(_) => {
                let removed = self.kubectl(&["delete", resource, name, "--wait=false"]);
                removed.assert_code(0);
            }
        }
    }

    /// Runs kubectl to its end.
    pub(super) fn kubectl(&self, args: &[&str]) -> Done {
        let mut command = self.place.program("kubectl");
        command
            .env("KUBECONFIG", self.kubeconfig())
            .args(["--namespace", &self.namespace])
            .args(args);
        finished(command)
    }

    /// Waits until this user has this right: a real server applies roles a moment later.
    pub(super) fn wait_for_right(&self, user: &str, verb: &str, resource: &str) {
        if matches!(self.server, Server::Double(_)) {
            return;
        }
        until(&format!("{user} may {verb} {resource}"), || {
            let asked = ["auth", "can-i", verb, resource, "--as", user];
            self.kubectl(&asked).out.trim() == "yes"
        });
    }

    /// The path of a kubeconfig for this user.
    pub(super) fn kubeconfig_of(&self, user: &str) -> PathBuf {
        let text = match &self.server {
            Server::Double(double) => double.kubeconfig(None),
            // The copy includes the contents of the files that it names.
            Server::Real(_) => {
                let view = ["config", "view", "--raw", "--flatten", "--minify"];
                self.kubectl(&view).assert_code(0).out
            }
        };
        let mut config: Value = serde_saphyr::from_str(&text).unwrap();
        config["users"][0]["user"]["as"] = user.into();
        let path = self.place.path(&user.replace(':', "-"));
        fs::write(&path, config.to_string()).unwrap();
        path
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Server::Real(_) = self.server {
            let label = format!("app.kubernetes.io/instance={}", self.id);
            let _ = self.kubectl(&["delete", KINDS, "--selector", &label, "--wait=false"]);
        }
    }
}

/// Whether there is a kubectl; if not, prints that the claim is skipped.
pub(super) fn has_kubectl(claim: &str) -> bool {
    let found = Command::new("kubectl")
        .args(["version", "--client"])
        .output();
    let is_there = found.is_ok_and(|output| output.status.success());
    if !is_there {
        eprintln!("SKIPPED {claim}: there is no kubectl");
    }
    is_there
}
