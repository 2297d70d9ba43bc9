//! The contract of an API server, as claims. Each is checked on the double and, if
//! `INCUMBENT_TEST_KUBECONFIG` names a kubeconfig, on a real API server. The claims about faults
//! and dropped history are only for the double: a real server does not fail on demand.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod api;
mod deletions;
mod double_only;
mod faults;
mod kubectl;
mod lists;
mod objects;
mod patches;
mod pods;
mod refusals;
mod roles;
mod validation;
mod watches;

/// Makes two tests of every claim: one on the double, one on a real server.
macro_rules! claims {
    ($($claim:ident)*) => {
        mod on_the_double {
            $(#[tokio::test]
            async fn $claim() {
                let (_double, api) = crate::api::Api::of_double().await;
                api.check(super::$claim).await;
            })*
        }
        mod on_a_real_server {
            $(#[tokio::test]
            async fn $claim() {
                let Some(api) = crate::api::Api::of_real_server(stringify!($claim)).await else { return };
                api.check(super::$claim).await;
            })*
        }
    };
}
pub(crate) use claims;
