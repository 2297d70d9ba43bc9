//! Why TLS with the leader fails, reported once and with what to do: [`Secure`].

use incumbent::Epoch;
use incumbent_backend::outage::{News, Outage, Recovery};
use incumbent_tls::{Explanation, explain};

/// How many connections failed for a reason of TLS.
const FAILURES: &str = "incumbent_gateway_tls_failures_total";

/// Whether TLS with one address of the leader works.
#[derive(Debug, Default)]
pub(super) struct Secure(Outage);

impl Secure {
    /// Reports a failed connection, if it failed for a reason of TLS.
    pub(super) fn failed(
        &self,
        upstream: &str,
        epoch: Epoch,
        error: &(dyn std::error::Error + 'static),
    ) {
        let Some(Explanation { reason, advice }) = explain(error) else {
            return;
        };
        metrics::counter!(FAILURES, "reason" => reason).increment(1);
        // The advice may name the present time.
        if self.0.failed(reason) == News::Known {
            return;
        }
        let option = match reason {
            "authority" => " (--upstream-ca)",
            "name" => "; or set the name that is expected (--upstream-name)",
            "refused" => " (--upstream-cert, --upstream-key)",
            _ => "",
        };
        tracing::warn!(
            upstream,
            %epoch,
            reason,
            "cannot speak TLS with the leader: {advice}{option}; holding requests and retrying"
        );
    }

    /// Reports the end of an outage, now that the leader has answered.
    pub(super) fn worked(&self, upstream: &str, epoch: Epoch) {
        if let Recovery::Over { failures } = self.0.worked() {
            tracing::info!(upstream, %epoch, failures, "TLS with the leader works again");
        }
    }
}

/// Says what the metrics of TLS mean. To be called once a recorder is installed.
pub(crate) fn describe_metrics() {
    metrics::describe_counter!(
        FAILURES,
        "Connections to the leader that failed for a reason of TLS, by reason"
    );
}
