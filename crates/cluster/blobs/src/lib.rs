//! Files of the cluster.
