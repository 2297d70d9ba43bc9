//! Copies the data of a stopped cluster to another store. The deciding is in `plan/`.
//!
//! Order, and why nothing is ever half: the *gate* of the target is closed first, so that no Flink
//! starts on a part of the data; then that of the source, so that no Flink goes on with what is
//! copied. Then entries are created, each where none is, and read back. Only then the target's gate
//! opens. Killed at any moment, the same command goes on: it creates what is missing.

mod end;

use crate::address::FlinkAddress;
use crate::data::{DeleteMarker, Gate};
use crate::error::FlinkError;
use crate::model::FlinkCluster;
use crate::plan::{Migration, MigrationState, Side, plan};
use crate::{files, judge};
pub(crate) use end::{End, Seen};

/// What [`plan_migration`] and [`migrate`] look at besides the stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MigrationOptions {
    /// On Kubernetes, watch the locks until they are renewed, or their lease has passed. Without
    /// it, nothing can be applied.
    pub wait: bool,
    /// Look whether the files that handles point to are there, if their scheme is `file`, and
    /// refuse if one is not.
    pub files: bool,
    /// What the Flink that starts at the target knows, if that is Kubernetes.
    pub marker: DeleteMarker,
}

/// How far [`migrate`] is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MigrationStep {
    /// No Flink elects a leader at the target before it is complete.
    TargetClosed,
    /// No Flink elects a leader at the source any more.
    SourceClosed,
    /// So many nodes or keys were written, in all.
    Copied(usize),
    /// The target reads as the source does.
    Verified,
    /// A Flink may start at the target.
    TargetOpened,
}

/// Says what [`migrate`] would do, and writes nothing.
///
/// # Errors
///
/// As [`inspect`](crate::inspect()); [`FlinkError::Nothing`] if there is no such source, and
/// [`FlinkError::Named`] if source and target are the same.
///
/// # Cancel safety
///
/// Dropping the future loses nothing.
pub async fn plan_migration(
    from: &FlinkAddress,
    to: &FlinkAddress,
    options: MigrationOptions,
) -> Result<Migration, FlinkError> {
    let ends = Ends::of(from, to)?;
    Ok(Box::pin(ends.look(options)).await?.2)
}

/// Copies the HA data of a stopped Flink cluster to another store, so that Flink's next start there
/// recovers its jobs. Returns what was planned, with the state that it ended in; if that is
/// [`MigrationState::Refused`], nothing was written.
///
/// Every write creates an entry where none is, or replaces one that is still as it was read. The
/// source keeps all of its data; only its gate is closed.
///
/// # Errors
///
/// As [`plan_migration`], and:
///
/// - [`FlinkError::Refused`], [`FlinkError::Rejected`], [`FlinkError::Unavailable`],
///   [`FlinkError::Unknown`]: mend the cause, and do the same again: it goes on.
/// - [`FlinkError::Changed`], [`FlinkError::Differs`]: another process writes. Until the same is
///   done again with success, the target stays closed.
///
/// # Cancel safety
///
/// Dropping the future stops in the middle. Do the same again: it goes on.
pub async fn migrate(
    from: &FlinkAddress,
    to: &FlinkAddress,
    options: MigrationOptions,
    step: &(dyn Fn(MigrationStep) + Sync),
) -> Result<Migration, FlinkError> {
    let ends = Ends::of(from, to)?;
    let options = MigrationOptions {
        wait: true,
        ..options
    };
    let (source, target, mut planned) = Box::pin(ends.look(options)).await?;
    match planned.state {
        MigrationState::Refused | MigrationState::Complete => return Ok(planned),
        MigrationState::NotBegun | MigrationState::HalfDone => {}
    }
    let fingerprint = source.contents.fingerprint();
    if target.contents.gate.is_none() {
        let gate = Gate::Copying {
            from: planned.from.clone(),
            fingerprint: fingerprint.clone(),
        };
        ends.to.close(&target, &gate).await?;
    }
    step(MigrationStep::TargetClosed);
    if source.contents.gate.is_none() {
        let gate = Gate::Moved {
            to: planned.to.clone(),
            fingerprint: fingerprint.clone(),
        };
        ends.from.close(&source, &gate).await?;
    }
    step(MigrationStep::SourceClosed);
    let source = ends.unchanged_source(&fingerprint).await?;
    let target = ends.to.read().await?;
    let is_ours =
        |gate: &Gate| matches!(gate, Gate::Copying { fingerprint: of, .. } if *of == fingerprint);
    // Another process has completed the copy, or has removed it.
    if !target.contents.gate.as_ref().is_some_and(is_ours) {
        return Err(FlinkError::Changed(ends.to.address()));
    }
    let count = std::sync::atomic::AtomicUsize::new(0);
    let copied = |more: usize| {
        let before = count.fetch_add(more, std::sync::atomic::Ordering::Relaxed);
        step(MigrationStep::Copied(before + more));
    };
    ends.to
        .fill(&target, &source.contents.entries, options.marker, &copied)
        .await?;
    let written = ends.to.read().await?;
    is_copy(&source, &written)?;
    // A JobManager that was paused may still have written: nothing keeps it from that.
    ends.unchanged_source(&fingerprint).await?;
    step(MigrationStep::Verified);
    ends.to.open(&written).await?;
    step(MigrationStep::TargetOpened);
    planned.state = MigrationState::Complete;
    for moved in &mut planned.moves {
        moved.done = true;
    }
    Ok(planned)
}

/// Opens the gate of a cluster that was moved elsewhere, so that a Flink may lead there again.
/// Returns the address that it was moved to; `None` if its gate was open.
///
/// # Errors
///
/// As [`migrate`]; [`FlinkError::Closed`] if it is an unfinished copy, which no Flink may use.
///
/// # Cancel safety
///
/// Dropping the future leaves it open or closed.
pub async fn reopen(address: &FlinkAddress) -> Result<Option<String>, FlinkError> {
    let end = End::of(address)?;
    let seen = end.read().await?;
    match &seen.contents.gate {
        None if seen.is_nothing() => Err(end.nothing()),
        None => Ok(None),
        Some(Gate::Moved { to, .. }) => {
            end.open(&seen).await?;
            Ok(Some(to.clone()))
        }
        Some(gate) => Err(FlinkError::Closed {
            address: end.address(),
            why: gate.why(),
        }),
    }
}

/// Whether the target reads as the source does, by our own decoder.
fn is_copy(source: &Seen, target: &Seen) -> Result<(), FlinkError> {
    if let Some(damaged) = target.contents.damaged.first() {
        return Err(FlinkError::Differs(damaged.key.clone()));
    }
    let (theirs, ours) = (target.contents.values(), source.contents.values());
    let other = ours
        .iter()
        .find(|(item, value)| theirs.get(*item) != Some(value));
    if let Some((item, _)) = other {
        return Err(FlinkError::Differs(format!(
            "{} of {}",
            item.words(),
            item.owner()
        )));
    }
    let more = theirs.keys().find(|item| !ours.contains_key(*item));
    match more {
        Some(item) => Err(FlinkError::Differs(
            target.contents.entries[*item].key.clone(),
        )),
        None => Ok(()),
    }
}

struct Ends {
    from: End,
    to: End,
}

impl Ends {
    fn of(from: &FlinkAddress, to: &FlinkAddress) -> Result<Self, FlinkError> {
        if from.is_same_cluster(to) {
            let why = format!("source and target are the same, {to}: name another target");
            return Err(FlinkError::Named(why));
        }
        Ok(Self {
            from: End::of(from)?,
            to: End::of(to)?,
        })
    }

    async fn look(&self, options: MigrationOptions) -> Result<(Seen, Seen, Migration), FlinkError> {
        let (mut source, target) = tokio::try_join!(self.from.read(), self.to.read())?;
        if source.is_nothing() {
            return Err(self.from.nothing());
        }
        if options.files {
            look_at_files(&mut source.contents.cluster).await;
        }
        let (of_source, of_target) = tokio::try_join!(
            self.from.life(&source, options.wait),
            self.to.life(&target, options.wait)
        )?;
        let (missing_of_source, missing_of_target) = tokio::join!(
            self.from.missing_rights(&["update"]),
            self.to.missing_rights(&["create", "update"])
        );
        let from = Side {
            contents: &source.contents,
            life: of_source,
            missing_rights: missing_of_source,
        };
        let to = Side {
            contents: &target.contents,
            life: of_target,
            missing_rights: missing_of_target,
        };
        let planned = plan(&from, &to, &self.to.places(options.marker));
        Ok((source, target, planned))
    }

    /// The source, if it still is what was planned.
    async fn unchanged_source(&self, fingerprint: &str) -> Result<Seen, FlinkError> {
        let seen = self.from.read().await?;
        let closed = matches!(seen.contents.gate, Some(Gate::Moved { .. }));
        if seen.contents.fingerprint() == fingerprint && closed && seen.contents.damaged.is_empty()
        {
            Ok(seen)
        } else {
            Err(FlinkError::Changed(self.from.address()))
        }
    }
}

async fn look_at_files(cluster: &mut FlinkCluster) {
    files::look(cluster).await;
    judge::files(cluster);
}
