//! What a migration would do, and why it must not. Pure: the contents of two stores in, a plan out.

mod places;
mod refusal;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::Serialize;

pub use refusal::{Refusal, RefusalKind};

use crate::data::{Contents, DeleteMarker, Gate, Item, Noted};
use crate::model::ProblemKind;
pub(crate) use places::Places;

/// Most names in one sentence.
const MOST_NAMED: usize = 10;

/// What a migration would do, or why it must not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Migration {
    /// The address that it copies from, without login and options.
    pub from: String,
    /// The address that it copies to.
    pub to: String,
    /// How far it is.
    pub state: MigrationState,
    /// Why it must not be done. Empty if it may.
    pub refusals: Vec<Refusal>,
    /// Every entry that moves.
    pub moves: Vec<Move>,
    /// What is not copied.
    pub left: Vec<Left>,
    /// What is to be known before and after.
    pub notes: Vec<String>,
}

/// How far a migration is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum MigrationState {
    /// The target is empty.
    NotBegun,
    /// The target is an unfinished copy of this very source. The same command goes on.
    HalfDone,
    /// The target has everything, and Flink may start there.
    Complete,
    /// It must not be done.
    Refused,
}

/// An entry that moves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Move {
    /// The job, or the application.
    pub id: String,
    /// `job graph`, `execution plan`, `application`, `checkpoint 7`, `counter`.
    pub what: String,
    /// Its key in the source.
    pub from: String,
    /// Its key in the target.
    pub to: String,
    /// The value of a counter, or the file that a handle points to.
    pub value: String,
    /// Whether its removal has begun: it moves as it is, and Flink does not use it.
    pub deleting: bool,
    /// Whether the target has it already.
    pub done: bool,
}

/// An entry that is not copied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Left {
    /// Its key in the source.
    pub key: String,
    /// Why not.
    pub why: String,
}

/// Whether somebody leads a cluster, and how that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    /// Nobody does.
    Nobody,
    /// Somebody does, or may: why.
    Leads(String),
    /// It was not watched whether the holder of the lock is alive.
    NotWatched(String),
}

/// One end of a migration.
pub(crate) struct Side<'a> {
    pub(crate) contents: &'a Contents,
    pub(crate) life: Life,
    /// Rights that are missing, as far as the store tells.
    pub(crate) missing_rights: Vec<String>,
}

/// Decides whether everything that the source has may be copied to the target, and lists it.
pub(crate) fn plan(from: &Side<'_>, to: &Side<'_>, places: &Places) -> Migration {
    let mut refusals = of_source(from, to);
    let state = of_target(from, to, &mut refusals);
    if let Err(Noted { key, why }) = places.check(&from.contents.entries) {
        refusals.push(Refusal::of(RefusalKind::TooLarge, key, why));
    }
    let is_of_2 = |item: &&Item| matches!(item, Item::Plan { .. } | Item::Application { .. });
    if places.marker() == Some(DeleteMarker::UpTo1_18)
        && let Some(item) = from.contents.entries.keys().find(is_of_2)
    {
        let key = &from.contents.entries[item].key;
        let why = "a Flink 2 wrote it, and one up to 1.18 cannot read it: name the version of the \
                   Flink that starts at the target, or none";
        refusals.push(Refusal::of(RefusalKind::Version, key, why));
    }
    for (side, address) in [(from, source(from)), (to, places.address())] {
        if let Life::Leads(why) | Life::NotWatched(why) = &side.life {
            let why = why.clone();
            refusals.insert(0, Refusal::of(RefusalKind::InUse, address, why));
        }
        let missing = side.missing_rights.iter();
        refusals.extend(missing.map(|right| Refusal::of(RefusalKind::Rights, address, right)));
    }
    Migration {
        from: source(from).to_owned(),
        to: places.address().to_owned(),
        state: if refusals.is_empty() {
            state
        } else {
            MigrationState::Refused
        },
        refusals,
        moves: moves(from.contents, to.contents, places),
        left: left(from.contents),
        notes: notes(from.contents, places),
    }
}

fn source<'a>(side: &'a Side<'_>) -> &'a str {
    &side.contents.cluster.source
}

/// Why the source cannot be copied, whatever the target has.
fn of_source(from: &Side<'_>, to: &Side<'_>) -> Vec<Refusal> {
    let mut found = Vec::new();
    let contents = from.contents;
    let of_source = |kind, why: String| Refusal::of(kind, source(from), why);
    if contents.damaged.is_empty() && !contents.entries.keys().any(Item::starts) {
        let why = "no job and no application is stored there";
        found.push(of_source(RefusalKind::Nothing, why.into()));
    }
    match &contents.gate {
        None => {}
        Some(Gate::Moved { to: other, .. }) if *other == to.contents.cluster.source => {}
        Some(gate @ Gate::Moved { .. }) => found.push(of_source(
            RefusalKind::Closed,
            format!(
                "{}. If no Flink has run there, `incumbent flink reopen {}` makes this the \
                 original again",
                gate.why(),
                source(from)
            ),
        )),
        Some(gate) => found.push(of_source(RefusalKind::Closed, gate.why())),
    }
    let damaged = contents.damaged.iter();
    found.extend(damaged.map(|Noted { key, why }| Refusal::of(RefusalKind::Damaged, key, why)));
    for problem in &contents.cluster.problems {
        let kind = match problem.kind {
            ProblemKind::CounterBehind => RefusalKind::Counter,
            ProblemKind::File => RefusalKind::Damaged,
            _ => continue,
        };
        found.push(Refusal::of(kind, &problem.key, &problem.reason));
    }
    found
}

/// How far the copy is, and why the target cannot take it.
fn of_target(from: &Side<'_>, to: &Side<'_>, refusals: &mut Vec<Refusal>) -> MigrationState {
    let (source, target) = (from.contents, to.contents);
    let address = &target.cluster.source;
    let mut refuse = |kind, why: String| refusals.push(Refusal::of(kind, address, why));
    match &target.gate {
        None if target.is_empty() => MigrationState::NotBegun,
        // Without the gate of the source it is no copy of this command's: it may be the source.
        None if source.gate.is_some()
            && target.electable
            && target.damaged.is_empty()
            && target.values() == source.values() =>
        {
            MigrationState::Complete
        }
        None => {
            refuse(RefusalKind::NotEmpty, format!("it has {}", some_of(target)));
            MigrationState::Refused
        }
        Some(Gate::Copying { fingerprint, .. }) if *fingerprint == source.fingerprint() => {
            let (theirs, ours) = (target.values(), source.values());
            let other = theirs
                .iter()
                .find(|(item, value)| ours.get(*item) != Some(value));
            if let Some((item, _)) = other {
                let key = target.entries[*item].key.clone();
                refuse(RefusalKind::NotEmpty, format!("{key} is not of this copy"));
            }
            for Noted { key, why } in &target.damaged {
                refuse(
                    RefusalKind::NotEmpty,
                    format!("{key} is not of this copy: {why}"),
                );
            }
            MigrationState::HalfDone
        }
        Some(Gate::Copying { from, .. }) => {
            let why = format!(
                "it is an unfinished copy of other data, or of {from} as it was earlier; \
                 `incumbent flink clean {address}` removes that"
            );
            refuse(RefusalKind::NotEmpty, why);
            MigrationState::Refused
        }
        Some(gate) => {
            refuse(RefusalKind::Closed, gate.why());
            MigrationState::Refused
        }
    }
}

/// What a store has, in words.
fn some_of(contents: &Contents) -> String {
    let entries = contents.entries.values().map(|entry| &entry.key);
    let keys: Vec<_> = entries
        .chain(contents.damaged.iter().map(|damaged| &damaged.key))
        .map(String::as_str)
        .collect();
    let count = keys.len();
    let named = keys[..count.min(MOST_NAMED)].join(", ");
    if count > MOST_NAMED {
        format!("{count} entries: {named}, …")
    } else {
        named
    }
}

fn moves(source: &Contents, target: &Contents, places: &Places) -> Vec<Move> {
    let there = target.values();
    let mut moves: Vec<_> = source
        .entries
        .iter()
        .map(|(item, entry)| {
            use crate::data::Value;
            let (value, deleting) = match &entry.value {
                Value::Counter(next) => (next.to_string(), false),
                Value::Handle { deleting, .. } => {
                    let path = entry.handle.as_ref().and_then(|it| it.path.clone());
                    (
                        path.unwrap_or_else(|| "a handle without a file".into()),
                        *deleting,
                    )
                }
            };
            let done = there.get(item) == Some(&&entry.value);
            (
                (item.owner(), !item.starts(), item.clone()),
                Move {
                    id: item.owner().to_owned(),
                    what: item.words(),
                    from: entry.key.clone(),
                    to: places.key(item),
                    value,
                    deleting,
                    done,
                },
            )
        })
        .collect();
    moves.sort_by(|(one, _), (other, _)| one.cmp(other));
    moves.into_iter().map(|(_, moved)| moved).collect()
}

fn left(source: &Contents) -> Vec<Left> {
    let of_leaders = source.of_leaders.iter().map(|Noted { key, why }| Left {
        key: key.clone(),
        why: why.clone(),
    });
    let unknown = source.unknown.iter().map(|key| Left {
        key: key.clone(),
        why: "no known Flink writes it. If high-availability.zookeeper.path.jobgraphs, \
              ….path.execution-plans or ….path.applications is set in Flink's configuration, jobs \
              may be below it, and would be left behind"
            .into(),
    });
    of_leaders.chain(unknown).collect()
}

fn notes(source: &Contents, places: &Places) -> Vec<String> {
    let mut notes = Vec::new();
    let has = |starts: fn(&Item) -> bool| source.entries.keys().any(starts);
    let flink = match (
        has(|item| matches!(item, Item::Graph { .. })),
        has(|item| matches!(item, Item::Plan { .. })),
    ) {
        (true, false) if places.marker() == Some(DeleteMarker::Since1_19) => {
            "Its jobs are job graphs: start a Flink 1.19 or 1.20 there, not a Flink 2. A Flink 1.18 \
             knows other delete markers in ConfigMaps, and would find no job: with --flink 1.18, the \
             copy has those."
        }
        (true, false) if places.marker() == Some(DeleteMarker::UpTo1_18) => {
            "Its jobs are job graphs: start a Flink 1.18 there, or the older one that they are of. A \
             Flink 1.19 knows other delete markers in ConfigMaps, and would find no job: without \
             --flink 1.18, the copy has those."
        }
        (true, false) => "Its jobs are job graphs: start a Flink 1.x there, not a Flink 2.",
        (true, true) => {
            "It has job graphs and execution plans: Flink 1.x reads the former, Flink 2 the latter."
        }
        (false, _) => {
            "Its jobs are execution plans: start a Flink 2 there, of the same version or a newer one."
        }
    };
    notes.push(flink.to_owned());
    let without: Vec<_> = source
        .owners()
        .filter(|id| {
            let of_it = |item: &&Item| item.owner() == *id && item.starts();
            !source.entries.keys().any(|item| of_it(&item))
        })
        .map(str::to_owned)
        .collect();
    if !without.is_empty() {
        notes.push(format!(
            "No plan is stored of {}: Flink starts no such job, here or there. `incumbent flink \
             clean` removes what is left of it.",
            without.join(", ")
        ));
    }
    notes.push(
        "Files are not touched and not copied: Flink has to find them under the same \
         high-availability.storageDir, and under the same high-availability.cluster-id, by which it \
         looks for job results (job-result-store, application-result-store) and blobs. Keep both \
         as they are."
            .into(),
    );
    notes.extend(places.warning(&files(source)));
    notes
}

/// The directories that the files of handles are in.
fn files(source: &Contents) -> Vec<String> {
    let paths = source.entries.values().filter_map(|entry| {
        let path = entry.handle.as_ref()?.path.as_deref()?;
        Some(path.rsplit_once('/')?.0.to_owned())
    });
    let directories: BTreeMap<_, _> = paths.map(|path| (path, ())).collect();
    directories.into_keys().collect()
}
