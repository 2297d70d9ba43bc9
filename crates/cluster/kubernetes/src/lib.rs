//! TaskManagers that Kubernetes makes: pods while slots are missing.
//!
//! ```text
//!   the leader's term ── what jobs need ──► run.rs ── events + time ──► Pods (pure)
//!          ▲                                  ▲                           │ actions
//!          └── what is done, and why not ─────┴── calls.rs, follow.rs ◄───┘
//!                                                 create, delete, list, watch, events
//! ```
//!
//! What is decided is in [`incumbent_cluster_core::pods`]. This crate makes pods from a template
//! (`template/`), understands what the API shows of them (`status.rs`), and sends requests, each
//! once (`calls.rs`).
//!
//! # What holds
//!
//! - **Only a leader under a valid guard sends anything**, and what a term has begun is dropped
//!   when it is over. What was on its way then is harmless: names carry the epoch, a deletion
//!   names the id of its pod, and the next leader adopts what it finds.
//! - **The pods go with their owner**, usually the Deployment of the JobManagers: the garbage
//!   collector of Kubernetes deletes them. Records have no owner and stay.
//! - **A template is refused as a whole**, at the start, with all that is wrong with it.
//!
//! # Rights
//!
//! | verbs | on | for |
//! |---|---|---|
//! | get, list, watch, create, delete | pods | everything |
//! | list | events | why a pod that waits for its volumes does not start; not needed |
//! | get | replicasets (apps) | finding the Deployment, unless the owner is named |
//! | get | the owner's kind | an owner that is named |
//! | get | configmaps | a template in a ConfigMap |

mod calls;
mod events;
mod follow;
mod owner;
mod places;
mod quantity;
mod run;
mod status;
mod template;

pub use owner::OwnerWanted;
pub use places::{KubernetesPods, OpenError, PodsOptions, TemplateSource};
pub use template::{PodSettings, Refusals, SlotResources};
