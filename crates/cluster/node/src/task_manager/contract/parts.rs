//! [`Parts`]: the files that a task stores for the checkpoint that it was asked for, and for its
//! end. Pure.
//!
//! An acknowledgement freezes a part: from then on it has these files and no others, so that an
//! acknowledgement that is said again says the same.

use std::collections::BTreeMap;

use incumbent_cluster_core::SavepointId;
use incumbent_cluster_core::checkpoint::{MOST_FILES, RankPart, StoredFile};
use incumbent_cluster_core::message::ContractOrder;

/// Which part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    /// That of this number.
    Number(u64),
    /// The last one (R6).
    Last,
}

/// The files of a task.
#[derive(Debug, Default)]
pub(super) struct Parts {
    pending: Option<(Asked, Part)>,
    last: Part,
    /// The part that was acknowledged last, if that was not aborted.
    acked: Option<(u64, RankPart)>,
    /// The highest number that was heard of.
    seen: u64,
}

/// What a task was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) number: u64,
    pub(super) savepoint: Option<SavepointId>,
}

#[derive(Debug, Default)]
struct Part {
    files: BTreeMap<String, File>,
    frozen: Option<RankPart>,
}

#[derive(Debug, Default)]
struct File {
    is_being_stored: bool,
    stored: Option<StoredFile>,
}

/// Why a task cannot do that. Nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Nobody asked for this number.
    NeverAsked { number: u64, asked: Option<u64> },
    /// It was aborted, or another one has taken its place.
    Aborted { number: u64 },
    /// It was acknowledged, with other files than that.
    Acknowledged { number: u64 },
    /// The task has said that nothing more will come.
    Finished,
    /// The part has as many files as it may have.
    TooMany,
    /// The file is being stored.
    BeingStored { file: String },
    /// There is no such file in this part.
    Missing { file: String },
}

impl Parts {
    pub(super) fn take(&mut self, order: ContractOrder) {
        match order {
            ContractOrder::Checkpoint { number, savepoint } => {
                self.seen = self.seen.max(number);
                self.pending = Some((Asked { number, savepoint }, Part::default()));
            }
            ContractOrder::Committed { number } => self.settle(number),
            ContractOrder::Aborted { number } => {
                self.settle(number);
                self.acked.take_if(|(acked, _)| *acked <= number);
            }
            ContractOrder::Begin | ContractOrder::Stop => {}
        }
    }

    fn settle(&mut self, number: u64) {
        self.seen = self.seen.max(number);
        self.pending.take_if(|(asked, _)| asked.number <= number);
    }

    /// What is pending.
    pub(super) fn asked(&self) -> Option<Asked> {
        self.pending.as_ref().map(|(asked, _)| *asked)
    }

    /// Whether files of this part are wanted.
    pub(super) fn check(&mut self, which: Which) -> Result<(), Refusal> {
        self.part(which).map(drop)
    }

    /// A file begins to come. `Some` is what was asked for; `None` if it is a last file.
    pub(super) fn begin(&mut self, which: Which, name: &str) -> Result<Option<Asked>, Refusal> {
        if self.last.frozen.is_some() {
            return Err(Refusal::Finished);
        }
        let asked = self.asked();
        let part = self.part(which)?;
        if part.frozen.is_some() {
            return Err(which.acknowledged());
        }
        if let Some(file) = part.files.get_mut(name) {
            if file.is_being_stored {
                let file = name.to_owned();
                return Err(Refusal::BeingStored { file });
            }
            file.is_being_stored = true;
        } else if part.files.len() < MOST_FILES {
            let file = File {
                is_being_stored: true,
                stored: None,
            };
            part.files.insert(name.to_owned(), file);
        } else {
            return Err(Refusal::TooMany);
        }
        Ok(asked.filter(|_| which != Which::Last))
    }

    /// It is durable. It takes the place of an earlier one of its name.
    pub(super) fn stored(&mut self, which: Which, stored: StoredFile) -> Result<(), Refusal> {
        let part = self.part(which)?;
        if part.frozen.is_some() {
            return Err(which.acknowledged());
        }
        let file = File {
            is_being_stored: false,
            stored: Some(stored),
        };
        let name = file.stored.as_ref().map(|stored| stored.name.clone());
        part.files.insert(name.unwrap_or_default(), file);
        Ok(())
    }

    /// It was not stored. An earlier one of its name stays.
    pub(super) fn given_up(&mut self, which: Which, name: &str) {
        let Ok(part) = self.part(which) else { return };
        if let Some(file) = part.files.get_mut(name) {
            file.is_being_stored = false;
            if file.stored.is_none() {
                part.files.remove(name);
            }
        }
    }

    /// The part as it is acknowledged: with these files, or with all. It changes no more.
    pub(super) fn freeze(
        &mut self,
        which: Which,
        names: Option<&[String]>,
    ) -> Result<RankPart, Refusal> {
        if let (Which::Number(number), Some((acked, part))) = (which, &self.acked)
            && *acked == number
        {
            let is_same = is_same(part, names);
            return is_same.then(|| part.clone()).ok_or(which.acknowledged());
        }
        let part = self.part(which)?;
        if let Some(frozen) = &part.frozen {
            let is_same = is_same(frozen, names);
            return is_same.then(|| frozen.clone()).ok_or(which.acknowledged());
        }
        let mut files = match names {
            Some(names) => {
                let named = names.iter().map(|name| part.file(name));
                named.collect::<Result<Vec<_>, _>>()?
            }
            None => {
                let all = part.files.keys().map(|name| part.file(name));
                all.collect::<Result<Vec<_>, _>>()?
            }
        };
        files.sort_by(|one, other| one.name.cmp(&other.name));
        files.dedup_by(|one, other| one.name == other.name);
        let frozen = RankPart {
            is_finished: which == Which::Last,
            files,
        };
        part.frozen = Some(frozen.clone());
        if let Which::Number(number) = which {
            self.acked = Some((number, frozen.clone()));
        }
        Ok(frozen)
    }

    fn part(&mut self, which: Which) -> Result<&mut Part, Refusal> {
        let asked = self.asked().map(|asked| asked.number);
        let Which::Number(number) = which else {
            return Ok(&mut self.last);
        };
        let acked = self.acked.as_ref().map(|(acked, _)| *acked);
        let (is_acked, is_seen) = (acked == Some(number), number <= self.seen);
        match &mut self.pending {
            Some((pending, part)) if pending.number == number => Ok(part),
            _ if is_acked => Err(Refusal::Acknowledged { number }),
            _ if is_seen => Err(Refusal::Aborted { number }),
            _ => Err(Refusal::NeverAsked { number, asked }),
        }
    }
}

impl Part {
    fn file(&self, name: &str) -> Result<StoredFile, Refusal> {
        let file = name.to_owned();
        match self.files.get(name) {
            None => Err(Refusal::Missing { file }),
            Some(found) if found.is_being_stored => Err(Refusal::BeingStored { file }),
            Some(found) => found.stored.clone().ok_or(Refusal::Missing { file }),
        }
    }
}

impl Which {
    fn acknowledged(self) -> Refusal {
        match self {
            Self::Number(number) => Refusal::Acknowledged { number },
            Self::Last => Refusal::Finished,
        }
    }
}

/// Whether these names, if there are any, are those of the part.
fn is_same(part: &RankPart, names: Option<&[String]>) -> bool {
    names.is_none_or(|names| {
        let has = |name: &String| part.files.iter().any(|file| file.name == *name);
        names.iter().all(has) && part.files.iter().all(|file| names.contains(&file.name))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Which = Which::Number(1);

    fn asked(number: u64) -> ContractOrder {
        let savepoint = None;
        ContractOrder::Checkpoint { number, savepoint }
    }

    fn file(name: &str, object: &str) -> StoredFile {
        StoredFile {
            name: name.to_owned(),
            object: object.to_owned(),
            size: 1,
            sha256: String::new(),
        }
    }

    fn store(parts: &mut Parts, which: Which, name: &str) {
        parts.begin(which, name).unwrap();
        parts.stored(which, file(name, name)).unwrap();
    }

    fn names(part: &RankPart) -> Vec<&str> {
        part.files.iter().map(|file| file.name.as_str()).collect()
    }

    fn owned(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn files_come_only_for_the_number_that_was_asked_for() {
        let mut parts = Parts::default();
        let asked_for = None;
        let never = |number, asked| Err(Refusal::NeverAsked { number, asked });
        assert_eq!(parts.begin(ONE, "a"), never(1, asked_for));
        parts.take(asked(1));
        assert_eq!(parts.begin(Which::Number(2), "a"), never(2, Some(1)));
        store(&mut parts, ONE, "a");
        parts.take(asked(2));
        let aborted = Refusal::Aborted { number: 1 };
        assert_eq!(parts.begin(ONE, "b"), Err(aborted.clone()));
        assert_eq!(parts.freeze(ONE, None), Err(aborted.clone()));
        assert_eq!(parts.stored(ONE, file("b", "b")), Err(aborted));
        parts.take(ContractOrder::Aborted { number: 2 });
        assert!(parts.begin(Which::Number(2), "a").is_err());
    }

    #[test]
    fn an_acknowledged_part_changes_no_more() {
        let mut parts = Parts::default();
        parts.take(asked(1));
        store(&mut parts, ONE, "b");
        store(&mut parts, ONE, "a");
        parts.begin(ONE, "late").unwrap();
        let being_stored = Refusal::BeingStored {
            file: "late".to_owned(),
        };
        assert_eq!(parts.freeze(ONE, None), Err(being_stored));
        let part = parts.freeze(ONE, Some(&owned(&["b", "a", "b"]))).unwrap();
        assert_eq!(names(&part), ["a", "b"]);
        let refused = Refusal::Acknowledged { number: 1 };
        assert_eq!(parts.begin(ONE, "c"), Err(refused.clone()));
        assert_eq!(parts.stored(ONE, file("late", "x")), Err(refused.clone()));
        assert_eq!(parts.freeze(ONE, None).as_ref(), Ok(&part));
        let same = owned(&["a", "b"]);
        assert_eq!(parts.freeze(ONE, Some(&same)).as_ref(), Ok(&part));
        parts.take(ContractOrder::Committed { number: 1 });
        assert_eq!(parts.freeze(ONE, None).as_ref(), Ok(&part));
        let other = owned(&["a"]);
        assert_eq!(parts.freeze(ONE, Some(&other)), Err(refused));
    }

    #[test]
    fn an_aborted_acknowledgement_is_none() {
        let mut parts = Parts::default();
        parts.take(asked(1));
        parts.freeze(ONE, None).unwrap();
        parts.take(ContractOrder::Aborted { number: 1 });
        let aborted = Err(Refusal::Aborted { number: 1 });
        assert_eq!(parts.freeze(ONE, None), aborted);
    }

    #[test]
    fn a_file_has_one_upload_at_a_time_and_the_last_one_that_succeeds_counts() {
        let mut parts = Parts::default();
        parts.take(asked(1));
        parts.begin(ONE, "a").unwrap();
        assert!(matches!(
            parts.begin(ONE, "a"),
            Err(Refusal::BeingStored { .. })
        ));
        parts.given_up(ONE, "a");
        let missing = owned(&["a"]);
        assert!(matches!(
            parts.freeze(ONE, Some(&missing)),
            Err(Refusal::Missing { .. })
        ));
        parts.begin(ONE, "a").unwrap();
        parts.stored(ONE, file("a", "first")).unwrap();
        parts.begin(ONE, "a").unwrap();
        parts.given_up(ONE, "a");
        parts.begin(ONE, "a").unwrap();
        parts.stored(ONE, file("a", "second")).unwrap();
        let part = parts.freeze(ONE, None).unwrap();
        assert_eq!(part.files, [file("a", "second")]);
    }

    #[test]
    fn a_part_has_a_limit_of_files() {
        let mut parts = Parts::default();
        parts.take(asked(1));
        for number in 0..MOST_FILES {
            store(&mut parts, ONE, &format!("f{number}"));
        }
        assert_eq!(parts.begin(ONE, "more"), Err(Refusal::TooMany));
        store(&mut parts, ONE, "f7");
        assert_eq!(parts.freeze(ONE, None).unwrap().files.len(), MOST_FILES);
    }

    #[test]
    fn nothing_comes_after_the_last_part() {
        let mut parts = Parts::default();
        store(&mut parts, Which::Last, "end");
        parts.take(asked(1));
        store(&mut parts, ONE, "a");
        let last = parts.freeze(Which::Last, None).unwrap();
        assert!(last.is_finished);
        assert_eq!(parts.begin(ONE, "b"), Err(Refusal::Finished));
        assert_eq!(parts.begin(Which::Last, "b"), Err(Refusal::Finished));
        assert_eq!(parts.freeze(Which::Last, None), Ok(last));
        let other = owned(&["other"]);
        assert_eq!(
            parts.freeze(Which::Last, Some(&other)),
            Err(Refusal::Finished)
        );
    }
}
