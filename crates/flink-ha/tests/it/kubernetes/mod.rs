//! ConfigMaps, in the test double of the API server.

mod follow;
mod inspect;

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use incumbent_flink_ha::{
    Clusters, Component, FlinkAddress, FlinkError, InspectOptions, ProblemKind, Renewal, Severity,
    clusters,
};
use incumbent_kubernetes_double::{Double, Fault, How, Match, Options, Rule, Verb};
use incumbent_servers::free_port;
use serde_json::{Value, json};
use tempfile::NamedTempFile;

use crate::{ONE, TWO, inspect, leaders, next, some};

pub(crate) const MAPS: [&str; 4] = [
    include_str!("../../fixtures/kubernetes-1.14.6.json"),
    include_str!("../../fixtures/kubernetes-1.20.3.json"),
    include_str!("../../fixtures/kubernetes-2.2.1.json"),
    include_str!("../../fixtures/kubernetes-2.3.0.json"),
];

const CLUSTER: &str = "cluster-cluster-config-map";

pub(crate) struct Store {
    pub(crate) double: Double,
    kubeconfig: NamedTempFile,
}

impl Store {
    pub(crate) async fn start() -> Self {
        Self::of(None).await
    }

    pub(crate) async fn of(user: Option<(&str, Vec<Rule>)>) -> Self {
        Self::at(Options::default().listen, user).await
    }

    /// For a user with this token and these rights.
    async fn at(listen: SocketAddr, user: Option<(&str, Vec<Rule>)>) -> Self {
        let options = Options {
            listen,
            ..Options::default()
        };
        let double = Double::start(options).await;
        let token = user.map(|(token, rules)| {
            double.allow(token, "gateway", rules);
            token
        });
        let kubeconfig = NamedTempFile::new().unwrap();
        std::fs::write(kubeconfig.path(), double.kubeconfig(token)).unwrap();
        Self { double, kubeconfig }
    }

    /// With the ConfigMaps that a Flink has written.
    pub(crate) async fn with(json: &str) -> Self {
        let store = Self::start().await;
        let list: Value = serde_json::from_str(json).unwrap();
        for map in list["items"].as_array().unwrap() {
            let name = map["metadata"]["name"].as_str().unwrap().to_owned();
            store.put(&name, map.clone());
        }
        store
    }

    /// Replaces the server by an empty one at the same port.
    fn begin_anew(&mut self, listen: SocketAddr) {
        // The port is free when the old one is gone.
        drop(std::mem::replace(
            &mut self.double,
            Double::start_now(Options::default()),
        ));
        self.double = Double::start_now(Options {
            listen,
            ..Options::default()
        });
    }

    fn address(&self) -> FlinkAddress {
        self.address_of("default/cluster")
    }

    pub(crate) fn address_of(&self, path: &str) -> FlinkAddress {
        let file = self.kubeconfig.path().display();
        let address = format!("kubernetes://{path}?kubeconfig={file}");
        address.parse().unwrap()
    }

    pub(crate) fn put(&self, name: &str, mut map: Value) {
        map["apiVersion"] = "v1".into();
        map["kind"] = "ConfigMap".into();
        self.double.put_by_hand("configmaps", "default", name, map);
    }

    /// Puts a leader, and an annotation as an elector renews it.
    fn lead(&self, leader: &str, renewed: u32) {
        let lock = json!({ "holderIdentity": "a", "renewTime": renewed.to_string() });
        self.lead_with(leader, &lock);
    }

    fn lead_with(&self, leader: &str, annotation: &Value) {
        let metadata = json!({
            "labels": { "app": "cluster", "type": "flink-native-kubernetes" },
            "annotations": { "control-plane.alpha.kubernetes.io/leader": annotation.to_string() },
        });
        let data = json!({ "org.apache.flink.k8s.leader.restserver": leader });
        self.put(CLUSTER, json!({ "metadata": metadata, "data": data }));
    }

    fn remove(&self) {
        self.double
            .delete_by_hand("configmaps", "default", CLUSTER)
            .unwrap();
    }

    fn assert_only_read(&self) {
        for seen in self.double.seen() {
            let read = matches!(seen.verb, Verb::Get | Verb::List | Verb::Watch);
            assert!(read && seen.resource == "configmaps", "{seen:?}");
        }
    }
}
