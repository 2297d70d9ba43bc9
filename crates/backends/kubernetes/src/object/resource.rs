//! The kinds of objects, and where the API has them.

/// A kind of object.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Resource {
    /// The path of its API.
    pub(crate) api: &'static str,
    /// The value of `apiVersion`.
    pub(crate) version: &'static str,
    pub(crate) kind: &'static str,
    /// Its name in paths, roles and answers.
    pub(crate) plural: &'static str,
    /// Whether its objects are in a namespace.
    pub(crate) is_namespaced: bool,
}

/// The kind of object that keeps the root of each group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RootKind {
    ConfigMap,
    Lease,
}

impl Resource {
    /// The API group, as roles name it; empty for the core group.
    pub(crate) fn group(&self) -> &'static str {
        self.version.split_once('/').map_or("", |(group, _)| group)
    }
}

pub(crate) static CONFIG_MAPS: Resource = core("ConfigMap", "configmaps");
pub(crate) static PODS: Resource = core("Pod", "pods");
pub(crate) static SERVICES: Resource = core("Service", "services");
pub(crate) static LEASES: Resource = Resource {
    api: "/apis/coordination.k8s.io/v1",
    version: "coordination.k8s.io/v1",
    kind: "Lease",
    plural: "leases",
    is_namespaced: true,
};
pub(crate) static DEPLOYMENTS: Resource = apps("Deployment", "deployments");
pub(crate) static STATEFUL_SETS: Resource = apps("StatefulSet", "statefulsets");
pub(crate) static REPLICA_SETS: Resource = apps("ReplicaSet", "replicasets");
pub(crate) static JOBS: Resource = Resource {
    api: "/apis/batch/v1",
    version: "batch/v1",
    kind: "Job",
    plural: "jobs",
    is_namespaced: true,
};
/// Answers whether this account may do something.
pub(crate) static ACCESS_REVIEWS: Resource = Resource {
    api: "/apis/authorization.k8s.io/v1",
    version: "authorization.k8s.io/v1",
    kind: "SelfSubjectAccessReview",
    plural: "selfsubjectaccessreviews",
    is_namespaced: false,
};
/// Answers which account this is.
pub(crate) static ACCOUNT_REVIEWS: Resource = Resource {
    api: "/apis/authentication.k8s.io/v1",
    version: "authentication.k8s.io/v1",
    kind: "SelfSubjectReview",
    plural: "selfsubjectreviews",
    is_namespaced: false,
};

const fn core(kind: &'static str, plural: &'static str) -> Resource {
    Resource {
        api: "/api/v1",
        version: "v1",
        kind,
        plural,
        is_namespaced: true,
    }
}

const fn apps(kind: &'static str, plural: &'static str) -> Resource {
    Resource {
        api: "/apis/apps/v1",
        version: "apps/v1",
        kind,
        plural,
        is_namespaced: true,
    }
}
