//! Random worlds: what is promised holds while everything goes wrong, and afterwards everything
//! that can run runs, and nothing is left that nobody needs.

use super::SECOND;
use super::world::{Faults, Mutation, World};

/// How many worlds there are; `PODS_SEEDS=5000` tries more.
const SEEDS: u64 = 24;

fn seeds() -> u64 {
    let named = std::env::var("PODS_SEEDS").ok();
    named.map_or(SEEDS, |number| number.parse().unwrap())
}

/// What a world with this seed breaks, if it breaks anything.
fn broken(seed: u64, mutation: Mutation) -> Option<String> {
    let mut world = World::new(seed, mutation, Faults::ALL);
    for round in 0..4 {
        world.submit(1 + u32::try_from((seed + round) % 4).unwrap());
        world.submit(2);
        world.run(40 * SECOND);
        if round % 2 == 1 {
            world.cancel_all();
            // The next jobs come about when idle TaskManagers are told to leave.
            world.run((11 + u32::try_from(seed % 12).unwrap()) * SECOND);
        }
    }
    world.submit(3);
    world.submit(4);
    world.run(30 * SECOND);
    world.heal();
    world.run(200 * SECOND);
    if world.broken.is_none() && !world.all_run() {
        return Some("a gang that fits does not run".to_owned());
    }
    world.cancel_all();
    world.run(200 * SECOND);
    if world.broken.is_none() && world.count() > 0 {
        return Some(format!("{} pods are left that nobody needs", world.count()));
    }
    world.broken
}

#[test]
fn who_asked_for_which_pod_never_matters() {
    for seed in 0..seeds() {
        if let Some(why) = broken(seed, Mutation::None) {
            panic!("seed {seed}: {why}");
        }
    }
}

#[test]
fn without_trouble_exactly_what_is_missing_is_made() {
    let mut world = World::new(1, Mutation::None, Faults::NONE);
    world.submit(3);
    world.submit(4);
    world.run(60 * SECOND);
    assert!(world.all_run() && world.broken.is_none());
    assert_eq!((world.asks, world.count()), (4, 4));
    world.cancel_all();
    world.run(100 * SECOND);
    assert_eq!((world.count(), world.deletes), (0, 4));
}

#[test]
fn each_mutation_breaks_a_promise() {
    for mutation in [
        Mutation::NamesWithoutEpoch,
        Mutation::UnknownIsRefused,
        Mutation::OwnPodsOnly,
        Mutation::AsksBeforeListing,
        Mutation::SilenceIsDeath,
        Mutation::ReleasesByDeletion,
    ] {
        let found = (0..seeds()).find_map(|seed| broken(seed, mutation));
        assert!(found.is_some(), "{mutation:?} is not noticed");
    }
}
