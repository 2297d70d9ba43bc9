//! Pure decisions of the cluster.
