//! Where checkpoints and savepoints lie, as `docs/design/0013-checkpoints.md` draws it.
//!
//! A path is *below its root*: `jobs/<job>/<incarnation>/checkpoints/`, or
//! `savepoints/<savepoint>/`. What a manifest or a listing says of it is a foreign text, and is
//! only used if it is spelled as it is spelled here.

use incumbent_cluster_core::checkpoint::{CheckpointId, PartKind, PartPlace, is_file_name};
use incumbent_cluster_core::{Attempt, Incarnation, JobId, Rank, SavepointId};
use incumbent_core::Epoch;
use object_store::path::Path;

use super::{cut_short, is_random, job, number, path, random};
use crate::error::Error;

pub(super) const CHECKPOINTS: &str = "checkpoints";
pub(super) const SAVEPOINTS: &str = "savepoints";

/// The directory of last files (R6), where others have the number.
const FINAL: &str = "final";

const MANIFEST: &str = "manifest-";
const JSON: &str = ".json";

/// Says of a savepoint that it was committed.
const MARKER: &str = "savepoint.json";

/// A file whose path below the root of checkpoints is spelled as ours are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Known<'a> {
    /// Of which attempt.
    pub(crate) attempt: Attempt,
    /// Of which checkpoint; `None` if it is a last file.
    pub(crate) number: Option<u64>,
    /// What it is.
    pub(crate) kind: Kind<'a>,
}

/// What a file of a checkpoint is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind<'a> {
    /// What names the others.
    Manifest,
    /// What a task has stored.
    File {
        /// Whose it is.
        rank: Rank,
        /// The name that the task gave it.
        name: &'a str,
    },
}

/// What is in the directory of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// A checkpoint.
    Number(u64),
    /// Last files.
    Final,
}

/// All checkpoints of one incarnation of a job.
pub(crate) fn checkpoints(id: JobId, incarnation: Incarnation) -> Path {
    job(id, incarnation).join(CHECKPOINTS)
}

/// All savepoints.
pub(crate) fn savepoints() -> Path {
    path(&[SAVEPOINTS])
}

/// Everything of one savepoint.
pub(crate) fn savepoint(id: SavepointId) -> Path {
    savepoints().join(id.to_string())
}

/// The file that says that a savepoint was committed.
pub(crate) fn marker(id: SavepointId) -> Path {
    savepoint(id).join(MARKER)
}

/// What the paths in a manifest are relative to.
pub(crate) fn root(id: &CheckpointId) -> Path {
    match id.savepoint {
        Some(savepoint) => self::savepoint(savepoint),
        None => checkpoints(id.job, id.incarnation),
    }
}

/// Draws the path of a file, relative to its root. No two calls draw the same.
pub(crate) fn draw_file(place: PartPlace, name: &str) -> Result<String, Error> {
    if !is_file_name(name) {
        return Err(Error::Name {
            what: "the name of a file of a checkpoint",
            name: cut_short(name),
            allowed: "1 to 128 letters, digits, ., _ or -, not beginning with a dot, are allowed",
        });
    }
    let dir = match place.kind {
        PartKind::Numbered => checkpoint_dir(&place.checkpoint),
        PartKind::Last => format!("{}/{FINAL}", place.checkpoint.attempt),
    };
    Ok(format!("{dir}/{}/{name}-{}", place.rank.0, random()))
}

/// The root of a file that is to be stored.
pub(crate) fn root_of_part(place: PartPlace) -> Path {
    let mut checkpoint = place.checkpoint;
    if place.kind == PartKind::Last {
        // The last files of a rank are for all checkpoints of the attempt, so they are in none.
        checkpoint.savepoint = None;
    }
    root(&checkpoint)
}

/// Draws the name of a manifest.
pub(crate) fn draw_manifest(epoch: Epoch) -> String {
    format!("{MANIFEST}{}-{}{JSON}", epoch.get(), random())
}

/// A manifest of this name; `None` if no manifest has such a name.
pub(crate) fn manifest(id: &CheckpointId, object: &str) -> Option<Path> {
    is_manifest(object).then(|| below(&root(id), &format!("{}/{object}", checkpoint_dir(id))))
}

/// A file that a manifest names, in the root of its checkpoint; `None` if this is no such file.
pub(crate) fn file(id: &CheckpointId, object: &str, name: &str) -> Option<Path> {
    let known = match id.savepoint {
        Some(_) => known_of_savepoint(object)?,
        None => known(object)?,
    };
    let is_it = matches!(known.kind, Kind::File { name: found, .. } if found == name);
    is_it.then(|| below(&root(id), object))
}

/// What the rest of a path below `checkpoints/` names, if we wrote it.
pub(crate) fn known(rest: &str) -> Option<Known<'_>> {
    let (attempt, rest) = rest.split_once('/')?;
    let (part, rest) = rest.split_once('/')?;
    let number = match self::part(part)? {
        Part::Number(number) => Some(number),
        Part::Final => None,
    };
    known_in(Attempt(super::number(attempt)?), number, rest)
}

/// The same, below the directory of a savepoint. Its marker is not among them.
pub(crate) fn known_of_savepoint(rest: &str) -> Option<Known<'_>> {
    let (owner, rest) = rest.split_once('/')?;
    let (job, incarnation) = owner.split_once('-')?;
    job.parse::<JobId>().ok()?;
    incarnation.parse::<Incarnation>().ok()?;
    let (checkpoint, rest) = rest.split_once('/')?;
    let (attempt, number) = checkpoint.split_once('-')?;
    let attempt = Attempt(self::number(attempt)?);
    known_in(attempt, Some(self::number(number)?), rest)
}

/// Whether this is the marker, below the directory of a savepoint.
pub(crate) fn is_marker(rest: &str) -> bool {
    rest == MARKER
}

/// What the name of a directory in that of an attempt says.
pub(crate) fn part(name: &str) -> Option<Part> {
    if name == FINAL {
        return Some(Part::Final);
    }
    number(name).map(Part::Number)
}

/// A path below another one. The rest was spelled by us, or checked.
pub(crate) fn below(root: &Path, rest: &str) -> Path {
    root.parts()
        .chain(rest.split('/').map(Into::into))
        .collect()
}

fn known_in(attempt: Attempt, number: Option<u64>, rest: &str) -> Option<Known<'_>> {
    let kind = match rest.split_once('/') {
        None if number.is_some() && is_manifest(rest) => Kind::Manifest,
        None => return None,
        Some((rank, drawn)) => {
            let (name, random) = drawn.rsplit_once('-')?;
            let is_ours = is_file_name(name) && is_random(random);
            let rank = Rank(self::number(rank).filter(|_| is_ours)?);
            Kind::File { rank, name }
        }
    };
    Some(Known {
        attempt,
        number,
        kind,
    })
}

/// The directory of a checkpoint, relative to its root.
fn checkpoint_dir(id: &CheckpointId) -> String {
    let CheckpointId {
        job,
        incarnation,
        attempt,
        number,
        savepoint,
    } = id;
    match savepoint {
        Some(_) => format!("{job}-{incarnation}/{attempt}-{number}"),
        None => format!("{attempt}/{number}"),
    }
}

fn is_manifest(name: &str) -> bool {
    let drawn = name
        .strip_prefix(MANIFEST)
        .and_then(|rest| rest.strip_suffix(JSON))
        .and_then(|rest| rest.split_once('-'));
    drawn.is_some_and(|(epoch, random)| number::<u64>(epoch).is_some() && is_random(random))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DRAWN: &str = "0123456789abcdef0123456789abcdef";

    fn id(savepoint: Option<u128>) -> CheckpointId {
        CheckpointId {
            job: JobId::new(1),
            incarnation: Incarnation::new(2),
            attempt: Attempt(3),
            number: 40,
            savepoint: savepoint.map(SavepointId::new),
        }
    }

    fn place(savepoint: Option<u128>, kind: PartKind) -> PartPlace {
        PartPlace {
            checkpoint: id(savepoint),
            rank: Rank(5),
            kind,
        }
    }

    #[test]
    fn every_path_that_is_drawn_is_known_again() {
        let job = "00000000000000000000000000000001";
        let root = format!("jobs/{job}/0000000000000002/checkpoints");
        let saved = "savepoints/00000000000000000000000000000009".to_owned();
        for (savepoint, kind, dir, at) in [
            (None, PartKind::Numbered, "3/40/5/".to_owned(), &root),
            (None, PartKind::Last, "3/final/5/".to_owned(), &root),
            (
                Some(9),
                PartKind::Numbered,
                format!("{job}-0000000000000002/3-40/5/"),
                &saved,
            ),
            (Some(9), PartKind::Last, "3/final/5/".to_owned(), &root),
        ] {
            let place = place(savepoint, kind);
            let drawn = draw_file(place, "a-b.c").unwrap();
            assert!(drawn.starts_with(&format!("{dir}a-b.c-")), "{drawn}");
            assert_ne!(drawn, draw_file(place, "a-b.c").unwrap());
            assert_eq!(root_of_part(place).as_ref(), at);
            let known = match dir.contains("3-40") {
                true => known_of_savepoint(&drawn).unwrap(),
                false => known(&drawn).unwrap(),
            };
            assert_eq!(known.attempt, Attempt(3));
            let (rank, name) = (Rank(5), "a-b.c");
            assert_eq!(known.kind, Kind::File { rank, name });
        }
        let drawn = draw_manifest(Epoch::new(7));
        assert!(drawn.starts_with("manifest-7-"), "{drawn}");
        let path = manifest(&id(None), &drawn).unwrap();
        assert_eq!(path.as_ref(), format!("{root}/3/40/{drawn}"));
        let path = manifest(&id(Some(9)), &drawn).unwrap();
        let dir = format!("{saved}/{job}-0000000000000002/3-40");
        assert_eq!(path.as_ref(), format!("{dir}/{drawn}"));
        let rest = format!("3/40/{drawn}");
        let known = known(&rest).unwrap();
        assert_eq!((known.number, known.kind), (Some(40), Kind::Manifest));
    }

    #[test]
    fn what_a_manifest_says_cannot_lead_out_of_its_root() {
        for bad in [
            "",
            "..",
            "../../../../cluster.json",
            "/etc/passwd",
            "3/40/5/../state",
            &format!("3/40/../5/state-{DRAWN}"),
            &format!("../3/40/5/state-{DRAWN}"),
            &format!("3/40/5//state-{DRAWN}"),
            &format!("3/40/5/x/state-{DRAWN}"),
            &format!("3/40/5/.state-{DRAWN}"),
            &format!("3/40/05/state-{DRAWN}"),
            &format!("+3/40/5/state-{DRAWN}"),
            &format!("3/40/5/state-{DRAWN}#1"),
            &format!("3/40/5/state-{}", DRAWN.to_uppercase()),
            "3/40/5/state",
            &format!("3/40/manifest-1-{DRAWN}.json"),
        ] {
            assert_eq!(file(&id(None), bad, "state"), None, "{bad}");
            assert_eq!(file(&id(Some(9)), bad, "state"), None, "{bad}");
        }
        let good = format!("3/40/5/state-{DRAWN}");
        assert!(file(&id(None), &good, "state").is_some());
        assert_eq!(file(&id(None), &good, "other"), None);
        // Each root has its own spelling.
        assert_eq!(file(&id(Some(9)), &good, "state"), None);
        for bad in [
            "manifest.json",
            "../manifest-1-x.json",
            &format!("manifest-01-{DRAWN}.json"),
            &format!("manifest-1-{DRAWN}.json#1"),
            &format!("x/manifest-1-{DRAWN}.json"),
        ] {
            assert_eq!(manifest(&id(None), bad), None, "{bad}");
        }
    }

    #[test]
    fn a_bad_name_is_refused_and_cut_short() {
        let long = "x".repeat(1000);
        for bad in ["", "..", ".x", "a/b", "a#1", "ä", &long] {
            let refused = draw_file(place(None, PartKind::Numbered), bad).unwrap_err();
            assert!(matches!(refused, Error::Name { .. }), "{refused:?}");
            assert!(refused.to_string().len() < 250, "{refused}");
        }
    }
}
