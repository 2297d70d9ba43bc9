//! The kinds of objects that are asked for, and where the API has them.

/// A kind of object.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Resource {
    /// Where its API begins.
    pub(crate) api: &'static str,
    /// As `apiVersion` says it.
    pub(crate) version: &'static str,
    pub(crate) kind: &'static str,
    /// As paths, roles and answers say it.
    pub(crate) plural: &'static str,
}

pub(crate) static CONFIG_MAPS: Resource = core("ConfigMap", "configmaps");
pub(crate) static PODS: Resource = core("Pod", "pods");
pub(crate) static SERVICES: Resource = core("Service", "services");
pub(crate) static LEASES: Resource = Resource {
    api: "/apis/coordination.k8s.io/v1",
    version: "coordination.k8s.io/v1",
    kind: "Lease",
    plural: "leases",
};
pub(crate) static DEPLOYMENTS: Resource = apps("Deployment", "deployments");
pub(crate) static STATEFUL_SETS: Resource = apps("StatefulSet", "statefulsets");
pub(crate) static REPLICA_SETS: Resource = apps("ReplicaSet", "replicasets");
pub(crate) static JOBS: Resource = Resource {
    api: "/apis/batch/v1",
    version: "batch/v1",
    kind: "Job",
    plural: "jobs",
};

const fn core(kind: &'static str, plural: &'static str) -> Resource {
    Resource {
        api: "/api/v1",
        version: "v1",
        kind,
        plural,
    }
}

const fn apps(kind: &'static str, plural: &'static str) -> Resource {
    Resource {
        api: "/apis/apps/v1",
        version: "apps/v1",
        kind,
        plural,
    }
}
