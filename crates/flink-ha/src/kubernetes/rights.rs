//! Whether this account may do what a migration needs, asked before anything is written.

use incumbent_backend_kubernetes::quietly;
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};
use kube::Api;
use kube::api::PostParams;

use super::cluster::Cluster;

/// The verbs on ConfigMaps that are missing, each with a sentence. A server that does not answer
/// such questions has none missing: the writes then tell.
pub(crate) async fn missing(cluster: &Cluster, verbs: &[&str]) -> Vec<String> {
    let reviews: Api<SelfSubjectAccessReview> = Api::all(cluster.maps.clone().into_client());
    let mut missing = Vec::new();
    for verb in verbs {
        let asked = SelfSubjectAccessReview {
            spec: SelfSubjectAccessReviewSpec {
                resource_attributes: Some(ResourceAttributes {
                    namespace: Some(cluster.namespace().to_owned()),
                    verb: Some((*verb).to_owned()),
                    group: Some(String::new()),
                    resource: Some("configmaps".into()),
                    ..ResourceAttributes::default()
                }),
                ..SelfSubjectAccessReviewSpec::default()
            },
            ..SelfSubjectAccessReview::default()
        };
        let answer = quietly(reviews.create(&PostParams::default(), &asked)).await;
        let allowed = answer.ok().and_then(|answer| answer.status);
        if allowed.is_some_and(|status| !status.allowed) {
            missing.push(format!(
                "this account lacks the right to {verb} ConfigMaps in the namespace {}",
                cluster.namespace()
            ));
        }
    }
    missing
}
