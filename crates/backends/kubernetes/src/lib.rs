//! Incumbent records in Kubernetes: in ConfigMaps, through the API that each cluster has. No
//! ZooKeeper, and no etcd of one's own.
//!
//! ```text
//! kubernetes://default/demo                  the address: a namespace, and the id of a cluster
//!
//! configmaps/demo.jm--root                   the root of the group jm: who leads, and where
//!   metadata.annotations
//!     incumbent/cluster, group, item         which key it keeps, exactly
//!     incumbent/write                        differs in each write
//!     control-plane.alpha.kubernetes.io/leader   the same as a lock that other tools know
//!   data.root.json                           the body, as it is
//! configmaps/demo.jm--floor                  the floor
//! configmaps/demo.jm.jobs.17                 the record jobs/17: data.record.json
//! configmaps/demo.jm.a-b--x9f0c5a7be1d24430ab17   the record A_b: what is no name of Kubernetes is shortened and hashed
//! leases/demo.jm--root                       the root with root=lease: in an annotation, and its holder in the spec
//! ```
//!
//! `kubectl get configmaps -l
//! app.kubernetes.io/managed-by=incumbent,app.kubernetes.io/instance=demo` shows them all, `-o
//! yaml` their bodies. Labels: `app.kubernetes.io/name`, `managed-by`, `instance` (the cluster), `component` (`root`, `floor`, `record`), and `incumbent/group`.
//!
//! # How it works
//!
//! - **Versions** are `uid:resourceVersion`. A replacement (PUT) and a deletion name both, and the
//!   server compares both; neither can be written without. Each write has a random annotation: the
//!   server leaves the version as it is if nothing else is new.
//! - **A create** is a POST, which fails if the name is taken. A write is one request, and nothing
//!   is read before it.
//! - **A read** is a GET without a `resourceVersion`: the newest state, by a quorum of etcd. A
//!   **list** asks for metadata only, in parts of 500, and begins anew if the server forgets its
//!   moment before the end.
//! - **A watch** is one for each backend, of all groups, on labels, metadata only, with bookmarks.
//!   After each beginning it says that anything may have changed. Hints carry key and version.
//! - **Outcomes**: one table, in `outcome.rs`. Nothing is sent twice; what was not sent is known
//!   not to be.
//! - **Limits of our own**: `qps` and `burst`, for all but roots and floors. `Retry-After` is
//!   obeyed, apart for roots and records.
//! - **The leader's pod**, with `pod=on`, as a further proof of its end: see [`Pod`].
//!
//! # What holds, and what does not
//!
//! - **Nobody owns the objects**, unless `owner=` says so: they outlive
//!   `kubectl delete deployment`.
//! - **Sizes**: a body may have 512 KiB, a root in a Lease 180 KiB. One record is one object, so
//!   none grows with the number of records.
//! - **Others' changes** to our objects are new versions. Labels, annotations and finalizers that
//!   somebody adds go with the next write, which replaces the object as a whole.
//! - **Objects of others** where ours would be are never touched; reads name them.
//! - **A restored etcd** goes back in versions and keeps ids. Whoever restores one restarts the
//!   processes that used it, as for every other user of the API.
//! - **Rights** (in a Role): `get`, `list`, `watch`, `create`, `update` on `configmaps`; with
//!   `root=lease` on `leases` too; `delete` for what erases; `get` on the owner's kind with
//!   `owner=`; `get` and `watch` on `pods` with `pod=on`. A missing one is named.
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
//! Start reading in `outcome.rs` and `api.rs`, then `names.rs` and `content.rs`; the watch is in
//! `watch.rs`, pods are in `pod.rs`. Why it is so: `docs/design/0008-kubernetes-backend.md`.

mod access;
mod api;
mod backend;
mod error;
mod follow;
mod object;
mod session;
mod settings;

pub use access::{Access, Connection, quietly};
pub use backend::KubernetesBackend;
pub use error::KubernetesError;
pub use follow::pod::Pod;
