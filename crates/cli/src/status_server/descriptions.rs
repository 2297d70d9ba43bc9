//! What the metrics of nodes and of the leader server mean.

use metrics::{describe_counter, describe_gauge, describe_histogram};

/// To be called once a recorder is installed.
pub(super) fn describe() {
    describe_gauge!("incumbent_role", "1 while this node leads, otherwise 0");
    describe_gauge!("incumbent_epoch", "The highest epoch that this node knows");
    describe_counter!("incumbent_terms_total", "Terms that this node has led");
    describe_counter!(
        "incumbent_root_writes_total",
        "Claims, renewals and changes of the root record, by outcome"
    );
    describe_counter!(
        "incumbent_record_writes_total",
        "Opens, commits and deletes of records, by outcome"
    );
    describe_counter!(
        crate::diagnostics::LOST,
        "Lines of the log that were lost, because nobody read them fast enough or they could not be \
         written"
    );
    describe_histogram!(
        "incumbent_takeover_seconds",
        "From the moment a term could be claimed until it was held"
    );
    describe_histogram!(
        "incumbent_renewal_margin_seconds",
        "How much of the renew deadline was left when a renewal was acknowledged"
    );
    for (name, unit) in [
        (
            "incumbent_server_requests_total",
            "Requests that were received",
        ),
        (
            "incumbent_server_replies_total",
            "Replies and events that were sent",
        ),
    ] {
        describe_counter!(name, unit);
    }
    for (name, unit) in [
        ("incumbent_server_connections", "Connections"),
        ("incumbent_server_sessions", "Sessions, connected or not"),
        ("incumbent_server_nodes", "Nodes in the tree"),
        ("incumbent_server_ephemeral_nodes", "Ephemeral nodes"),
        (
            "incumbent_server_bytes",
            "About how much memory the nodes take",
        ),
        ("incumbent_server_watches", "Watches"),
        (
            "incumbent_server_watch_bytes",
            "About how much memory the watches take",
        ),
        (
            "incumbent_server_outstanding_requests",
            "Requests without an answer yet",
        ),
        ("incumbent_server_zxid", "The newest change"),
    ] {
        describe_gauge!(name, unit);
    }
    describe_histogram!(
        "incumbent_server_latency_seconds",
        "From a request's arrival until its answer could be sent"
    );
}
