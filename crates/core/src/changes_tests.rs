use super::*;

fn name(text: &str) -> RecordName {
    text.parse().unwrap()
}

fn version(text: &str) -> Option<Version> {
    Some(Version::new(text))
}

fn written(names: &[&str]) -> Option<Vec<Change>> {
    Some(names.iter().map(|n| Change::Written(name(n))).collect())
}

fn list(told: &mut Told, listed: &[(&str, &str)]) {
    let listed = listed.iter().map(|(n, v)| (name(n), Version::new(*v)));
    told.listed(listed);
}

/// A reader that was told of these records.
fn told(listed: &[(&str, &str)]) -> Told {
    let mut told = Told::new();
    told.begin();
    list(&mut told, listed);
    assert!(told.take().is_some());
    told
}

#[test]
fn the_present_state_comes_first_even_if_it_is_nothing_and_then_once() {
    let mut told = Told::new();
    told.begin();
    told.hint(name("b"), version("1"));
    assert_eq!(told.take(), None, "hints say nothing of the others");
    list(&mut told, &[("a", "1"), ("b", "1")]);
    assert_eq!(told.take(), written(&["a", "b"]));
    assert_eq!(told.take(), None);
    let mut empty = Told::new();
    empty.begin();
    list(&mut empty, &[]);
    assert_eq!((empty.take(), empty.take()), (written(&[]), None));
}

#[test]
fn nothing_is_told_twice_without_a_reason() {
    let mut told = told(&[("a", "1")]);
    told.hint(name("a"), version("2"));
    told.hint(name("a"), version("3"));
    assert_eq!(told.take(), written(&["a"]));
    told.hint(name("a"), version("3"));
    told.begin();
    list(&mut told, &[("a", "3")]);
    assert_eq!(told.take(), None);
}

#[test]
fn a_change_without_a_hint_is_found_by_the_next_listing() {
    let mut told = told(&[("a", "1"), ("b", "1"), ("c", "1")]);
    told.begin();
    list(&mut told, &[("a", "1"), ("b", "2"), ("d", "1")]);
    let gone = Change::Gone(name("c"));
    let [b, d] = ["b", "d"].map(|n| Change::Written(name(n)));
    assert_eq!(told.take(), Some(vec![b, gone, d]));
}

/// It may have looked before the record was created.
#[test]
fn a_listing_that_was_under_way_does_not_take_back_what_was_hinted() {
    let mut told = told(&[("a", "1")]);
    told.begin();
    told.hint(name("new"), version("1"));
    told.hint(name("a"), version("2"));
    list(&mut told, &[("a", "1")]);
    assert_eq!(told.take(), written(&["a", "new"]));
    told.begin();
    list(&mut told, &[("a", "2"), ("new", "1")]);
    assert_eq!(told.take(), None);
}

/// What was hinted late may have been older than what came after it.
#[test]
fn a_hint_that_names_no_version_or_an_old_one_is_followed_by_certainty() {
    for late in [None, version("1")] {
        let mut told = told(&[("a", "2")]);
        told.hint(name("a"), late);
        assert_eq!(told.take(), written(&["a"]));
        told.begin();
        list(&mut told, &[("a", "2")]);
        assert_eq!(told.take(), written(&["a"]));
        told.begin();
        list(&mut told, &[("a", "2")]);
        assert_eq!(told.take(), None);
    }
}

/// A store whose records are written and erased at random, with hints that are lost, late or
/// without a version, and listings that look at one record after the other.
#[test]
fn after_a_last_listing_the_reader_was_told_of_everything_since_it_happened() {
    for seed in 0..2000 {
        Scene::new(seed).play();
    }
}

struct Scene {
    dice: u64,
    step: u64,
    /// The version of each record, if it is there.
    store: BTreeMap<RecordName, Option<u64>>,
    changed: BTreeMap<RecordName, u64>,
    /// When the reader was told last, and whether the record was called there.
    heard: BTreeMap<RecordName, (u64, bool)>,
    late: Vec<(RecordName, Option<u64>)>,
    /// One that is under way.
    listing: Option<Listing>,
    told: Told,
}

struct Listing {
    seen: Vec<(RecordName, Version)>,
    left: Vec<RecordName>,
}

impl Scene {
    fn new(seed: u64) -> Self {
        let names = ["a", "b", "c", "d"].map(name);
        Self {
            dice: seed,
            step: 0,
            store: names.into_iter().map(|name| (name, None)).collect(),
            changed: BTreeMap::new(),
            heard: BTreeMap::new(),
            late: Vec::new(),
            listing: None,
            told: Told::new(),
        }
    }

    /// A number below `of`, from a generator that is good enough here.
    fn throw(&mut self, of: u64) -> u64 {
        self.dice = self
            .dice
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.dice >> 33) % of
    }

    fn play(mut self) {
        for _ in 0..60 {
            self.step += 1;
            match self.throw(6) {
                0 | 1 => self.write(),
                2 => self.hint(),
                3 | 4 => self.list(),
                _ => self.hear(),
            }
        }
        while self.listing.is_some() {
            self.list();
        }
        // The last one; nothing happens any more.
        self.list();
        while self.listing.is_some() {
            self.list();
        }
        self.step += 1;
        self.hear();
        for (name, at) in &self.changed {
            let heard = self.heard.get(name);
            match self.store[name] {
                Some(_) => assert!(
                    heard.is_some_and(|(heard, there)| heard > at && *there),
                    "{name} was written at {at}, and told: {heard:?}"
                ),
                // What came and went may never have been told.
                None => assert!(heard.is_none_or(|(_, there)| !there), "{name} is gone"),
            }
        }
    }

    fn write(&mut self) {
        let name = ["a", "b", "c", "d"][self.throw(4) as usize]
            .parse::<RecordName>()
            .unwrap();
        let there = self.store[&name].is_some();
        let version = (!there || self.throw(3) > 0).then_some(self.step);
        self.store.insert(name.clone(), version);
        self.changed.insert(name.clone(), self.step);
        match self.throw(3) {
            0 => {}
            1 => self.late.push((name, None)),
            _ => self.late.push((name, version)),
        }
    }

    fn hint(&mut self) {
        if !self.late.is_empty() {
            let which = self.throw(self.late.len() as u64) as usize;
            let (name, version) = self.late.remove(which);
            let version = version.map(|version| Version::new(version.to_string()));
            self.told.hint(name, version);
        }
    }

    fn list(&mut self) {
        match &mut self.listing {
            None => {
                self.told.begin();
                let names = self.store.keys().cloned().collect();
                let seen = Vec::new();
                self.listing = Some(Listing { seen, left: names });
            }
            Some(Listing { seen, left }) => match left.pop() {
                Some(name) => {
                    let version = self.store[&name];
                    seen.extend(version.map(|v| (name, Version::new(v.to_string()))));
                }
                None => {
                    let seen = std::mem::take(seen);
                    self.listing = None;
                    self.told.listed(seen);
                }
            },
        }
    }

    fn hear(&mut self) {
        for change in self.told.take().into_iter().flatten() {
            let there = matches!(change, Change::Written(_));
            self.heard.insert(change.name().clone(), (self.step, there));
        }
    }
}

#[test]
fn a_record_that_comes_and_goes_unread_is_told_as_it_is() {
    let mut told = told(&[]);
    told.hint(name("a"), version("1"));
    told.begin();
    list(&mut told, &[]);
    assert_eq!(told.take(), Some(vec![Change::Gone(name("a"))]));
    told.hint(name("a"), version("2"));
    assert_eq!(told.take(), written(&["a"]));
}
