//! What is wrong with a cluster's data as a whole, on either store.

mod elections;
mod jobs;
mod leaders;

#[cfg(test)]
mod tests;

use crate::model::{FlinkCluster, ProblemKind};

/// Adds the problems that only show when entries are put together, and sorts all problems.
pub(crate) fn judge(cluster: &mut FlinkCluster) {
    let mut found = elections::problems(cluster);
    found.extend(leaders::problems(cluster));
    found.extend(jobs::problems(cluster));
    cluster.problems.append(&mut found);
    sort(cluster);
}

/// Adds the problems of files, once they were looked at.
pub(crate) fn files(cluster: &mut FlinkCluster) {
    let found = jobs::problems(cluster).into_iter();
    let found = found.filter(|problem| problem.kind == ProblemKind::File);
    cluster.problems.extend(found);
    sort(cluster);
}

/// Sorts the problems, the worst first, and leaves each only once.
pub(crate) fn sort(cluster: &mut FlinkCluster) {
    cluster.problems.sort();
    cluster.problems.dedup();
}
