//! `incumbent` on Kubernetes: on a double of the API server, and, if `INCUMBENT_TEST_KUBECONFIG`
//! names the kubeconfig of one, on a real one, in the namespace `INCUMBENT_TEST_NAMESPACE`
//! (`default` without).
//!
//! Each test has a cluster of its own; `cluster.rs` makes and removes it. What is in `deploy` is
//! tested here, too.

mod cluster;
mod look;
mod manifests;
mod purge;
mod roles;
mod takeover;

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
