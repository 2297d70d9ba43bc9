//! Several changes in one request: all are made, or none.

use incumbent_zk_proto::{Code, Create, MultiResult, Request};

use super::change::Moment;
use super::connection::Requester;
use super::write::{Outcome, Pending, wants_stat};
use super::{Machine, path};

/// The most comparisons of identities for one request. Lists may be long, clients may have many
/// identities, and a request may name the same node any number of times, while other clients wait.
pub(super) const MOST_LOOKS: usize = 1 << 24;

impl Machine {
    /// Makes all changes, or none.
    pub(super) fn transaction(
        &mut self,
        who: &Requester<'_>,
        requests: &[Request<'_>],
        at: Moment,
        pending: &mut Pending,
    ) -> Vec<MultiResult> {
        let mut results = Vec::with_capacity(requests.len());
        let mut looks = 0;
        for (index, request) in requests.iter().enumerate() {
            looks += self.looks(who, request);
            let step = if looks <= MOST_LOOKS {
                self.step(who, request, at, pending)
            } else {
                Err(Code::QuotaExceeded)
            };
            match step {
                Ok(done) => results.push(result(done, request)),
                Err(code) => {
                    self.take_back(std::mem::take(pending).undo);
                    results.fill(MultiResult::Refused(None));
                    results.push(MultiResult::Refused(Some(code)));
                    let after = MultiResult::Refused(Some(Code::RuntimeInconsistency));
                    results.resize(requests.len().max(index + 1), after);
                    return results;
                }
            }
        }
        results
    }

    /// An upper bound of the comparisons of identities that part of a request needs.
    pub(super) fn looks(&self, who: &Requester<'_>, part: &Request<'_>) -> usize {
        let path = match *part {
            Request::Create(Create { path, .. }) | Request::Delete { path, .. } => {
                match path.rfind('/') {
                    Some(0) => path::ROOT,
                    slash => &path[..slash.unwrap_or(0)],
                }
            }
            Request::SetData { path, .. }
            | Request::Check { path, .. }
            | Request::GetData { path, .. }
            | Request::GetChildren { path, .. } => path,
            _ => return 0,
        };
        let entries = self.tree.get(path).map_or(0, |node| node.acl.len());
        entries * who.ids.len()
    }
}

fn result(done: Outcome, request: &Request<'_>) -> MultiResult {
    match done {
        Outcome::Created { path, stat } => MultiResult::Created {
            path: path.as_ref().into(),
            // As in ZooKeeper from 3.9.0 on, where the kind of the request and the kind of the node
            // both ask for it.
            stat: (wants_stat(request) || fades(request)).then_some(stat),
        },
        Outcome::Deleted => MultiResult::Deleted,
        Outcome::DataSet(stat) | Outcome::AclSet(stat) => MultiResult::DataSet(stat),
        Outcome::Checked => MultiResult::Checked,
    }
}

/// Whether the node is a container or has a time to live.
fn fades(request: &Request<'_>) -> bool {
    matches!(request, Request::Create(create) if matches!(create.flags, 4..=6))
}
