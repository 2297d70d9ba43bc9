//! Writes a record by leading for a moment.

use std::time::Duration;

use incumbent::{Group, RecordName, View};
use serde_json::value::RawValue;

use super::expected::{Expected, unexpected};
use crate::diagnostics::say;
use crate::exit::{Code, Failure};

/// How long to try to lead for one write.
const CAMPAIGN: Duration = Duration::from_secs(5);

/// After this time, people are told why the command waits.
const SILENCE: Duration = Duration::from_secs(1);

/// Leads for one write, if nobody else does.
pub(super) async fn lead_and_write(
    group: Group,
    name: &RecordName,
    data: Option<Box<RawValue>>,
    expected: &Expected,
) -> Result<(), Failure> {
    let candidate = group.candidate()?;
    let patience = tokio::spawn(async {
        tokio::time::sleep(SILENCE).await;
        say(format!("waiting up to {CAMPAIGN:?} to lead for this write"));
    });
    let campaign = tokio::select! {
        campaign = tokio::time::timeout(CAMPAIGN, candidate.campaign()) => campaign.ok(),
        _ = tokio::signal::ctrl_c() => None,
    };
    patience.abort();
    let Some(leadership) = campaign else {
        let who = match group.observe().view() {
            View::Active(leader) | View::Activating(leader) => {
                format!("{} leads at epoch {}", leader.holder, leader.epoch)
            }
            View::None => {
                "the store does not answer, or the last leader's lease has not ended".into()
            }
        };
        // A claim that was already sent must not leave a lease behind.
        drop(candidate);
        group.close().await;
        let advice = "write from inside its command, or with --force";
        return Err(
            Failure::new(format!("{who}; nothing was written: {advice}")).code(Code::Refused),
        );
    };
    let written = async {
        let mut record = leadership.open::<Box<RawValue>>(name).await?;
        if !expected.is_met_by(record.data().map(|data| &**data)) {
            return Ok(false);
        }
        match data {
            Some(data) => record.commit(data).await?,
            None => record.delete().await?,
        }
        Ok::<_, incumbent::Error>(true)
    };
    let written = written.await;
    leadership.resign(None).await;
    if written? {
        Ok(())
    } else {
        Err(unexpected(name))
    }
}
