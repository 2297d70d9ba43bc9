//! The kinds of objects that the double stores.

/// One kind of object, and how its behaviour differs from others.
#[derive(Debug)]
pub(crate) struct Resource {
    pub(crate) group: &'static str,
    pub(crate) version: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) plural: &'static str,
    pub(crate) singular: &'static str,
    pub(crate) short: &'static [&'static str],
    /// The words that stand for several kinds: `all`.
    pub(crate) categories: &'static [&'static str],
    pub(crate) namespaced: bool,
    /// The names of the fields beside `kind`, `apiVersion`, `metadata` and `status`.
    pub(crate) fields: &'static [&'static str],
    /// It has a subresource `status`, and only that changes `status`.
    pub(crate) status: bool,
    /// A PUT to an absent object creates it.
    pub(crate) create_on_update: bool,
    /// A PUT without a resource version replaces whatever is there.
    pub(crate) unconditional_update: bool,
    /// `metadata.generation` counts the changes of `spec`.
    pub(crate) generation: bool,
}

const BASE: Resource = Resource {
    group: "",
    version: "v1",
    kind: "",
    plural: "",
    singular: "",
    short: &[],
    categories: &[],
    namespaced: true,
    fields: &["spec"],
    status: false,
    create_on_update: false,
    unconditional_update: true,
    generation: false,
};

/// Every resource there is.
pub(crate) static RESOURCES: [Resource; 17] = [
    Resource {
        kind: "ConfigMap",
        plural: "configmaps",
        singular: "configmap",
        short: &["cm"],
        fields: &["data", "binaryData", "immutable"],
        ..BASE
    },
    Resource {
        kind: "Namespace",
        plural: "namespaces",
        singular: "namespace",
        short: &["ns"],
        namespaced: false,
        status: true,
        ..BASE
    },
    Resource {
        kind: "Pod",
        plural: "pods",
        singular: "pod",
        short: &["po"],
        categories: &["all"],
        status: true,
        generation: true,
        ..BASE
    },
    Resource {
        kind: "Event",
        plural: "events",
        singular: "event",
        short: &["ev"],
        fields: &[
            "involvedObject",
            "reason",
            "message",
            "source",
            "firstTimestamp",
            "lastTimestamp",
            "count",
            "type",
            "eventTime",
            "series",
            "action",
            "related",
            "reportingComponent",
            "reportingInstance",
        ],
        create_on_update: true,
        ..BASE
    },
    Resource {
        kind: "Node",
        plural: "nodes",
        singular: "node",
        short: &["no"],
        namespaced: false,
        status: true,
        ..BASE
    },
    Resource {
        kind: "ServiceAccount",
        plural: "serviceaccounts",
        singular: "serviceaccount",
        short: &["sa"],
        fields: &[
            "automountServiceAccountToken",
            "secrets",
            "imagePullSecrets",
        ],
        ..BASE
    },
    Resource {
        kind: "Service",
        plural: "services",
        singular: "service",
        short: &["svc"],
        status: true,
        ..BASE
    },
    Resource {
        kind: "Secret",
        plural: "secrets",
        singular: "secret",
        fields: &["data", "stringData", "type", "immutable"],
        ..BASE
    },
    Resource {
        kind: "PersistentVolumeClaim",
        plural: "persistentvolumeclaims",
        singular: "persistentvolumeclaim",
        short: &["pvc"],
        status: true,
        ..BASE
    },
    Resource {
        kind: "ResourceQuota",
        plural: "resourcequotas",
        singular: "resourcequota",
        short: &["quota"],
        status: true,
        ..BASE
    },
    Resource {
        group: "coordination.k8s.io",
        kind: "Lease",
        plural: "leases",
        singular: "lease",
        create_on_update: true,
        unconditional_update: false,
        ..BASE
    },
    Resource {
        group: "apps",
        kind: "Deployment",
        plural: "deployments",
        singular: "deployment",
        short: &["deploy"],
        categories: &["all"],
        status: true,
        generation: true,
        ..BASE
    },
    Resource {
        group: "apps",
        kind: "StatefulSet",
        plural: "statefulsets",
        singular: "statefulset",
        short: &["sts"],
        categories: &["all"],
        status: true,
        generation: true,
        ..BASE
    },
    Resource {
        group: "apps",
        kind: "ReplicaSet",
        plural: "replicasets",
        singular: "replicaset",
        short: &["rs"],
        categories: &["all"],
        status: true,
        generation: true,
        ..BASE
    },
    Resource {
        group: "policy",
        kind: "PodDisruptionBudget",
        plural: "poddisruptionbudgets",
        singular: "poddisruptionbudget",
        short: &["pdb"],
        status: true,
        ..BASE
    },
    Resource {
        group: "rbac.authorization.k8s.io",
        kind: "Role",
        plural: "roles",
        singular: "role",
        fields: &["rules"],
        create_on_update: true,
        ..BASE
    },
    Resource {
        group: "rbac.authorization.k8s.io",
        kind: "RoleBinding",
        plural: "rolebindings",
        singular: "rolebinding",
        fields: &["subjects", "roleRef"],
        create_on_update: true,
        ..BASE
    },
];

impl Resource {
    /// By group, version and plural, as a path names it.
    pub(crate) fn of_path(group: &str, version: &str, plural: &str) -> Option<&'static Resource> {
        RESOURCES
            .iter()
            .find(|it| it.group == group && it.version == version && it.plural == plural)
    }

    /// By its plural alone, as tests name it.
    pub(crate) fn of_plural(plural: &str) -> Option<&'static Resource> {
        RESOURCES.iter().find(|it| it.plural == plural)
    }

    pub(crate) fn namespaces() -> &'static Resource {
        &RESOURCES[1]
    }

    /// `v1`, `coordination.k8s.io/v1`.
    pub(crate) fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.to_owned()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }

    /// `configmaps`, `leases.coordination.k8s.io`.
    pub(crate) fn qualified(&self) -> String {
        if self.group.is_empty() {
            self.plural.to_owned()
        } else {
            format!("{}.{}", self.plural, self.group)
        }
    }

    /// `ConfigMap`, `Lease.coordination.k8s.io`.
    pub(crate) fn qualified_kind(&self) -> String {
        if self.group.is_empty() {
            self.kind.to_owned()
        } else {
            format!("{}.{}", self.kind, self.group)
        }
    }
}
