//! Writes a record by leading for a moment.

use std::pin::pin;
use std::time::Duration;

use incumbent::{Candidate, Group, Leadership, RecordName, Root, TermState};
use serde_json::value::RawValue;

use super::expected::{Expected, unexpected};
use crate::diagnostics::say;
use crate::exit::{Code, Failure};

/// How often the command looks why it does not lead yet. After the first time, it says that it
/// waits.
const LOOK: Duration = Duration::from_secs(1);

/// How long it waits before it believes that somebody else leads, or that the store fails. A whole
/// number of looks.
const BELIEVE: Duration = Duration::from_secs(5);

/// Leads for one write, if nobody else does.
pub(super) async fn lead_and_write(
    group: Group,
    name: &RecordName,
    data: Option<Box<RawValue>>,
    expected: &Expected,
) -> Result<(), Failure> {
    let candidate = group.candidate()?;
    let leadership = match campaign(&group, &candidate).await {
        Ok(leadership) => leadership,
        Err(failure) => {
            // A claim that was already sent must not leave a lease behind.
            drop(candidate);
            group.close().await;
            return Err(failure);
        }
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

/// Waits until this process leads, for the lease of a leader that is gone too. Fails as soon as
/// it is known that this is in vain, and says why.
async fn campaign(group: &Group, candidate: &Candidate) -> Result<Leadership, Failure> {
    let first = group.root().await?;
    let lease = (first.as_ref()).map_or_else(|| group.timing().lease(), Root::lease);
    let most = BELIEVE.max(lease + group.timing().request_timeout());
    let mut won = pin!(candidate.campaign());
    let mut interrupted = pin!(tokio::signal::ctrl_c());
    let mut waited = Duration::ZERO;
    loop {
        tokio::select! {
            leadership = &mut won => return Ok(leadership),
            _ = &mut interrupted => return Err(refused("interrupted")),
            () = tokio::time::sleep(LOOK) => waited += LOOK,
        }
        if waited == LOOK {
            say("waiting to lead for this write");
        }
        if waited < BELIEVE {
            continue;
        }
        if let Some(trouble) = group.trouble() {
            let why = format!("{trouble}; nothing was written");
            return Err(Failure::new(why).code(Code::Unavailable));
        }
        // A leader that lives renews its root. One that is dead leaves it as it was.
        if let Some(root) = group.root().await?
            && first.as_ref() != Some(&root)
            && root.state != TermState::Released
            && root.holder != *group.holder()
        {
            let who = format!("{} leads at epoch {}", root.holder, root.epoch);
            return Err(refused(&who));
        }
        if waited >= most {
            return Err(refused(&format!(
                "this command did not lead within {}",
                humantime::format_duration(waited)
            )));
        }
        if waited == BELIEVE {
            let more = humantime::format_duration(most - waited);
            say(format!(
                "nobody is seen to lead, but the lease of the last leader has not ended; waiting up to {more}"
            ));
        }
    }
}

fn refused(why: &str) -> Failure {
    let advice = "write from inside its command, or with --force";
    Failure::new(format!("{why}; nothing was written: {advice}")).code(Code::Refused)
}
