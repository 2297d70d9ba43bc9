//! Ranks that lose each other.

use crate::gang::Gang;
use crate::job::{LENGTH, allow};

#[test]
fn when_a_rank_is_killed_the_others_end_and_say_that_the_cause_is_elsewhere() {
    let dir = tempfile::tempdir().unwrap();
    allow(dir.path(), 30);
    let mut gang = Gang::start(dir.path(), 1, 3, None);
    gang.checkpoint(1);
    let (_fake, mut killed) = gang.members.remove(1);
    killed.kill().unwrap();
    killed.wait().unwrap();
    for (code, said) in gang.ended() {
        assert_eq!(code, Some(75), "{said}");
        let last = said.lines().last().unwrap();
        assert!(
            last.starts_with("this task ends with 75: another task of this job has gone: "),
            "{said}"
        );
    }
}

#[test]
fn the_rank_that_panicked_is_told_from_those_that_lost_it() {
    let dir = tempfile::tempdir().unwrap();
    allow(dir.path(), LENGTH);
    let gang = Gang::with_fault(dir.path(), 1, 3, None, &|_| "panic");
    let mut codes: Vec<_> = gang.ended().into_iter().map(|(code, _)| code).collect();
    codes.sort_unstable();
    assert_eq!(
        codes,
        [Some(75), Some(75), Some(101)],
        "one rank has the key"
    );
}
