//! Incumbent records in Kubernetes: in ConfigMaps, through the API that each cluster has. No
//! ZooKeeper and no etcd of your own.
//!
//! ```text
//! kubernetes://default/demo                  the address: a namespace, and the id of a cluster
//!
//! configmaps/demo.jm--root                   the root of the group jm: who leads, and where
//!   metadata.annotations
//!     incumbent/cluster, group, item         exactly which key it keeps
//!     incumbent/write                        differs in each write
//!     control-plane.alpha.kubernetes.io/leader   the same as a lock that other tools know
//!   data.root.json                           the body, as it is
//! configmaps/demo.jm--floor                  the floor
//! configmaps/demo.jm.jobs.17                 the record jobs/17: data.record.json
//! configmaps/demo.jm.a-b--x9f0c5a7be1d24430ab17   the record A_b: no name in Kubernetes, so shortened and hashed
//! leases/demo.jm--root                       the root with root=lease: in an annotation, and its holder in the spec
//! ```
//!
//! These commands show all of them, and their bodies:
//!
//! ```sh
//! kubectl get configmaps -l app.kubernetes.io/managed-by=incumbent,app.kubernetes.io/instance=demo
//! kubectl get configmaps -l app.kubernetes.io/managed-by=incumbent,app.kubernetes.io/instance=demo -o yaml
//! ```
//!
//! Labels: `app.kubernetes.io/name`, `managed-by`, `instance` (the cluster), `component` (`root`,
//! `floor`, `record`), and `incumbent/group`.
//!
//! # How it works
//!
//! - **Versions** are `uid:resourceVersion`. A replacement (PUT) and a deletion name both, and the
//!   server compares both; neither can be sent without. Each write has a random annotation, because
//!   the server keeps the old version if nothing else changed.
//! - **A create** is a POST, which fails if the name is taken. A write is one request, and no read
//!   precedes it.
//! - **A read** is a GET without a `resourceVersion`: the newest state, by a quorum of etcd. A
//!   **list** asks for metadata only, in parts of 500, and starts again if the server drops its
//!   history before the last part.
//! - **A watch** is one for each backend, for all groups, by labels, metadata only, with bookmarks.
//!   Each time it starts, it reports that anything may have changed. Hints carry key and version.
//! - **Outcomes** come from one table, in `api/outcome.rs`. Nothing is sent twice, and a request
//!   that was not sent is known as such.
//! - **Limits**: `qps` and `burst`, for everything but roots and floors. `Retry-After` is obeyed,
//!   separately for roots and records.
//! - **Credentials** are loaded as `kubectl` loads them, and renewed after a refusal: see
//!   [`Connection`].
//! - **The leader's pod**, with `pod=on`, is a further proof of its end: see [`Pod`].
//!
//! # What holds, and what does not
//!
//! - **Nobody owns the objects**, unless `owner=` names an owner: they outlive
//!   `kubectl delete deployment`.
//! - **Sizes**: a body may have 512 KiB, a root in a Lease 180 KiB. One record is one object, so no
//!   object grows with the number of records.
//! - **Changes by others** to our objects are new versions. Labels, annotations and finalizers that
//!   others add are lost with the next write, which replaces the whole object.
//! - **Objects of others** that have the name of one of ours are never changed; reads name them.
//! - **A restored etcd** goes back in versions and keeps ids. After restoring one, restart the
//!   processes that used it, as for every other client of the API.
//! - **Rights** (in a Role): `get`, `list`, `watch`, `create`, `update` on `configmaps`; with
//!   `root=lease` on `leases` too; `delete` for what erases; `get` on the owner's kind with
//!   `owner=`; `get` and `watch` on `pods` with `pod=on`. A missing one is named, at the start if
//!   the server answers a `SelfSubjectAccessReview`.
//!
//! ```no_run
//! use incumbent_backend::{Backend, Expected, Key, Swapped};
//! use incumbent_backend_kubernetes::KubernetesBackend;
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let store = KubernetesBackend::open(&"kubernetes://default/demo".parse()?)?;
//! let key = Key::root("jm".parse()?);
//! let Swapped::Committed(first) = store.swap(&key, Expected::Absent, b"{}").await? else { panic!("it was empty") };
//! assert_eq!(store.read(&key).await?.map(|found| found.version), Some(first));
//! # Ok(()) }
//! ```
//!
//! # Where things are
//!
//! ```text
//! backend.rs, session.rs   the contract, and a cluster's records
//!   object/                objects: names.rs, what is in them (content.rs), versions, owners
//!   api/                   requests: write.rs, list.rs; outcome.rs has the table
//!   access/                kubeconfigs and credentials -> a connection
//!   follow/                the watch, and the leader's pod
//! rights.rs                whether the role suffices
//! ```
//!
//! A ConfigMap is written in `api/write.rs` and made in `object/content.rs`. The
//! reasons for all this: `docs/design/0008-kubernetes-backend.md`.

mod access;
mod api;
mod backend;
mod error;
mod follow;
mod object;
mod rights;
mod session;
mod settings;

pub use access::{Access, Connection, quietly};
pub use backend::KubernetesBackend;
pub use error::KubernetesError;
pub use follow::pod::Pod;
