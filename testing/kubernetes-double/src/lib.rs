//! A test double of the Kubernetes API server: ConfigMaps, Leases, Pods, Deployments, StatefulSets,
//! Roles, RoleBindings and namespaces, in memory, with the rules of the real server and with faults
//! on demand; and of what acts on pods there ([`Kubelet`]).
//!
//! The claims in `tests/it` hold for it and for real API servers alike. By
//! itself nothing acts on the objects. It has no admission but for a quota of pods and no TLS, and
//! gives objects few defaults; see the README.
//!
//! ```no_run
//! use incumbent_kubernetes_double::{Double, Fault, How, Match, Options, Verb};
//!
//! # async fn example() {
//! let double = Double::start(Options::default()).await;
//! println!("{}", double.url());
//! // The first answer to a PUT of a ConfigMap is lost.
//! double.inject(Fault { on: Match::on(Verb::Update, "configmaps"), skip: 0, times: Some(1), how: How::CutAfter });
//! # }
//! ```
//!
//! Start reading at [`Double`]; inside, at `serve.rs`, which has the way of one request:
//!
//! ```text
//! server.rs   sockets -> serve.rs   the way of one request
//!   request/  taking requests apart, users and roles, answers
//!   act/      reading, writing, patching, deleting, watching
//!   store/    objects, their rules, revisions and history
//!   kubelet/  nodes, which start pods as processes; controllers
//! fault.rs, seen.rs, world.rs   faults, the log, what requests share
//! ```

mod act;
mod double;
mod fault;
mod kubelet;
mod options;
mod request;
mod seen;
mod serve;
mod server;
mod store;
mod verb;
mod world;

pub use double::Double;
pub use fault::{Fault, FaultId, How, Match};
pub use kubelet::{Kubelet, KubeletOptions};
pub use options::Options;
pub use request::access::Rule;
pub use seen::Seen;
pub use verb::Verb;
