//! Runs the committed corpus, and random changes of it, without a fuzzer.

use std::path::PathBuf;

use incumbent_zk_fuzz::TARGETS;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

/// Changes of each seed.
const ROUNDS: usize = 60;

fn seeds(target: &str) -> Vec<Vec<u8>> {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../../fuzz/corpus")
        .join(target);
    let mut files: Vec<_> = std::fs::read_dir(&dir)
        .expect("the corpus is there")
        .map(|entry| entry.expect("it can be read").path())
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{} is empty", dir.display());
    let read = |file| std::fs::read(file).expect("it can be read");
    files.iter().map(read).collect()
}

fn change(rng: &mut SmallRng, bytes: &mut Vec<u8>, other: &[u8]) {
    for _ in 0..rng.random_range(1..6) {
        let at = rng.random_range(0..=bytes.len());
        match rng.random_range(0..6) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, rng.random()),
            2 => bytes.extend_from_slice(&other[rng.random_range(0..=other.len())..]),
            3 => drop(bytes.drain(at..(at + 4).min(bytes.len()))),
            4 if at + 4 <= bytes.len() => {
                let edge = [-1, 0, 1, i32::MAX, i32::MIN, 255][rng.random_range(0..6)];
                bytes[at..at + 4].copy_from_slice(&i32::to_be_bytes(edge));
            }
            _ if at < bytes.len() => bytes[at] = rng.random(),
            _ => {}
        }
    }
}

#[test]
fn nothing_is_found_in_the_corpus_and_near_it() {
    for (name, run) in TARGETS {
        let seeds = seeds(name);
        let mut rng = SmallRng::seed_from_u64(1);
        for seed in &seeds {
            run(seed);
            for _ in 0..ROUNDS {
                let mut bytes = seed.clone();
                let other = &seeds[rng.random_range(0..seeds.len())];
                change(&mut rng, &mut bytes, other);
                run(&bytes);
            }
        }
    }
}
