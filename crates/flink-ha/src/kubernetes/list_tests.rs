use incumbent_kubernetes_double::{Double, Options};
use serde_json::json;

use super::*;
use crate::address::{FlinkAddress, Target};

/// Two parts of a list, and some more.
const MAPS: usize = 2 * PART as usize + 10;

#[tokio::test]
async fn a_cluster_is_read_in_parts_up_to_a_limit_of_bytes() {
    let double = Double::start(Options::default()).await;
    let labels = json!({ "app": "cluster", "type": "flink-native-kubernetes" });
    for number in 0..MAPS {
        let data = json!({ "key": "v".repeat(97) });
        let map = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "labels": labels }, "data": data });
        double.put_by_hand("configmaps", "default", &format!("map-{number}"), map);
    }
    let kubeconfig = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(kubeconfig.path(), double.kubeconfig(None)).unwrap();
    let file = kubeconfig.path().display();
    let address = format!("kubernetes://default/cluster?kubeconfig={file}");
    let address: FlinkAddress = address.parse().unwrap();
    let Target::Kubernetes(target) = address.target() else {
        panic!("{address}");
    };
    let cluster = Cluster::connect(target).unwrap();
    let selector = "app=cluster";
    let all = list(&cluster, selector, &mut ByteBudget::of(MAPS * 100))
        .await
        .unwrap();
    assert_eq!(all.len(), MAPS);
    let too_much = list(&cluster, selector, &mut ByteBudget::of(MAPS * 100 - 1)).await;
    let too_much = too_much.unwrap_err();
    let text = too_much.to_string();
    assert_eq!(
        text,
        format!("there are more than {} bytes of HA data", MAPS * 100 - 1)
    );
}
