//! A random sequence of operations, compared with a map.

use std::collections::BTreeMap;

use incumbent_backend::{Expected, Swapped, Version};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::words::{fresh_group, key, list, pace, read, stored, swap};
use crate::{Handle, Place};

/// Operations per seed. They use few keys, so that they meet.
const OPERATIONS: usize = 150;
const ITEMS: [&str; 4] = ["@root", "a", "a/b", "b"];

/// The state that the backend should have, and earlier states.
#[derive(Default)]
struct Model {
    present: BTreeMap<&'static str, (Version, Vec<u8>)>,
    past: Vec<Version>,
}

/// Runs the operations through three handles, one at a time.
pub async fn random_operations_agree_with_a_model(place: Place) {
    let handles = [place.open().await, place.open().await, place.open().await];
    for seed in 0..4 {
        random_run(&handles, seed).await;
    }
}

async fn random_run(handles: &[Handle; 3], seed: u64) {
    let mut dice = StdRng::seed_from_u64(seed);
    let (group, mut model) = (fresh_group(), Model::default());
    for step in 0..OPERATIONS {
        let handle = &handles[dice.random_range(0..handles.len())];
        let item = ITEMS[dice.random_range(0..ITEMS.len())];
        let key = key(&group, item);
        match dice.random_range(0..10) {
            0..4 => {
                let expected = model
                    .present
                    .get(item)
                    .and_then(|(version, body)| stored(version, body));
                assert_eq!(
                    read(handle, &key).await,
                    expected,
                    "seed {seed}, step {step}, {item}"
                );
            }
            4 => {
                let expected: Vec<(String, Version)> = model
                    .present
                    .iter()
                    .map(|(item, (version, _))| ((*item).to_owned(), version.clone()))
                    .collect();
                assert_eq!(
                    list(handle, &group).await,
                    expected,
                    "seed {seed}, step {step}"
                );
            }
            _ => {
                let claimed = model.some_version(&mut dice, item);
                let expected = claimed.as_ref().map_or(Expected::Absent, Expected::At);
                pace(handle, 1).await;
                let body = vec![dice.random::<u8>(); dice.random_range(0..64)];
                let swapped = swap(handle, &key, expected, &body).await;
                assert!(
                    model.agrees(item, claimed, body, swapped),
                    "seed {seed}, step {step}, {item}"
                );
            }
        }
    }
}

impl Model {
    /// Usually the current version, otherwise an earlier one, or none.
    fn some_version(&self, dice: &mut StdRng, item: &str) -> Option<Version> {
        match dice.random_range(0..10) {
            0 => None,
            1 | 2 if !self.past.is_empty() => {
                Some(self.past[dice.random_range(0..self.past.len())].clone())
            }
            _ => self.present.get(item).map(|(version, _)| version.clone()),
        }
    }

    fn agrees(
        &mut self,
        item: &'static str,
        claimed: Option<Version>,
        body: Vec<u8>,
        swapped: Swapped,
    ) -> bool {
        let present = self.present.get(item).map(|(version, _)| version.clone());
        match swapped {
            Swapped::Committed(version) => {
                self.past.extend(present.clone());
                self.present.insert(item, (version, body));
                claimed == present
            }
            Swapped::Conflict => claimed != present,
        }
    }
}
