//! `incumbent` on Kubernetes: on a double of the API server, and on a real one if
//! `INCUMBENT_TEST_KUBECONFIG` names its kubeconfig, in the namespace `INCUMBENT_TEST_NAMESPACE`
//! (without it, `default`).
//!
//! Each test has its own cluster, which `cluster.rs` creates and deletes. The manifests in `deploy`
//! are tested here too.

mod cluster;
mod look;
mod manifests;
mod purge;
mod roles;
mod sidecar;
mod takeover;
mod whole;

/// Makes two tests of every claim: one on the double, one on a real server.
macro_rules! claims {
    ($($claim:ident)*) => {
        mod on_the_double {
            $(#[test]
            fn $claim() {
                super::$claim(&crate::kubernetes::cluster::Cluster::on_the_double());
            })*
        }
        mod on_a_real_server {
            $(#[test]
            fn $claim() {
                let cluster = crate::kubernetes::cluster::Cluster::on_a_real_server(stringify!($claim));
                if let Some(cluster) = cluster {
                    super::$claim(&cluster);
                }
            })*
        }
    };
}
use claims;
