use futures::StreamExt as _;
use http_body_util::{BodyExt as _, Full, StreamBody};

use super::*;

fn allowance(kept: usize, room: usize) -> Allowance {
    Allowance {
        kept,
        room: Arc::new(Semaphore::new(room)),
        longest: None,
        stall: Duration::from_secs(5),
    }
}

fn pieces(pieces: &'static [&'static str]) -> Source {
    let frames = futures::stream::iter(pieces)
        .map(|piece| Ok::<_, BoxError>(Frame::data(Bytes::from_static(piece.as_bytes()))));
    StreamBody::new(frames).boxed_unsync()
}

async fn all(playback: Playback) -> Result<Bytes, BoxError> {
    playback.collect().await.map(|all| all.to_bytes())
}

#[tokio::test]
async fn what_fits_is_played_again_and_again() {
    let tape = Tape::new(pieces(&["ab", "cd", "e"]), &allowance(5, 5));
    for _ in 0..3 {
        assert_eq!(tape.kept(), Kept::Whole);
        assert_eq!(all(tape.play(None)).await.unwrap(), "abcde");
    }
    assert!(tape.is_over());
}

#[tokio::test]
async fn a_part_that_was_read_comes_again_and_the_rest_follows() {
    let tape = Tape::new(pieces(&["ab", "cd", "e"]), &allowance(5, 5));
    let mut first = tape.play(None);
    assert_eq!(
        first.frame().await.unwrap().unwrap().into_data().unwrap(),
        "ab"
    );
    assert_eq!(all(tape.play(None)).await.unwrap(), "abcde");
    assert!(
        first.frame().await.unwrap().is_err(),
        "the first attempt is over"
    );
}

#[tokio::test]
async fn what_does_not_fit_streams_through_and_is_not_played_again() {
    for allowance in [allowance(4, 100), allowance(100, 4)] {
        let tape = Tape::new(pieces(&["ab", "cd", "e"]), &allowance);
        assert_eq!(all(tape.play(None)).await.unwrap(), "abcde");
        assert_eq!(tape.kept(), Kept::Cut);
        assert!(
            [4, 100].contains(&allowance.room.available_permits()),
            "all room is free again"
        );
    }
}

#[tokio::test]
async fn room_is_shared_and_given_back() {
    let allowance = allowance(100, 6);
    let first = Tape::new(pieces(&["abcd"]), &allowance);
    let second = Tape::new(pieces(&["abcd"]), &allowance);
    all(first.play(None)).await.unwrap();
    all(second.play(None)).await.unwrap();
    assert_eq!((first.kept(), second.kept()), (Kept::Whole, Kept::Cut));
    drop(first);
    assert_eq!(allowance.room.available_permits(), 6);
}

#[tokio::test]
async fn what_is_forgotten_midway_still_streams_to_its_end() {
    let tape = Tape::new(pieces(&["ab", "cd", "e"]), &allowance(5, 5));
    let mut first = tape.play(None);
    first.frame().await.unwrap().unwrap();
    first.frame().await.unwrap().unwrap();
    let second = tape.play(None);
    tape.forget();
    assert_eq!(all(second).await.unwrap(), "abcde");
    assert_eq!(tape.kept(), Kept::Cut);
}

#[tokio::test]
async fn a_body_that_is_too_long_or_broken_is_the_clients_fault() {
    let mut strict = allowance(5, 5);
    strict.longest = Some(3);
    let tape = Tape::new(pieces(&["ab", "cd"]), &strict);
    all(tape.play(None)).await.unwrap_err();
    assert_eq!(
        (tape.spoilt(), tape.kept()),
        (Some(Spoilt::TooLong), Kept::Cut)
    );

    let failing = futures::stream::iter([Err::<Frame<Bytes>, BoxError>("gone".into())]);
    let tape = Tape::new(StreamBody::new(failing).boxed_unsync(), &allowance(5, 5));
    all(tape.play(None)).await.unwrap_err();
    assert_eq!(tape.spoilt(), Some(Spoilt::Late));
}

#[tokio::test(start_paused = true)]
async fn a_body_that_stalls_is_given_up() {
    let silent = StreamBody::new(futures::stream::pending::<Result<Frame<Bytes>, BoxError>>());
    let tape = Tape::new(silent.boxed_unsync(), &allowance(5, 5));
    all(tape.play(None)).await.unwrap_err();
    assert_eq!(tape.spoilt(), Some(Spoilt::Late));
}

#[tokio::test]
async fn lengths_are_told_for_each_attempt() {
    let full = Full::new(Bytes::from_static(b"abcde")).map_err(|never| match never {});
    let tape = Tape::new(full.boxed_unsync(), &allowance(5, 5));
    for _ in 0..2 {
        let playback = tape.play(None);
        assert_eq!(playback.size_hint().exact(), Some(5));
        assert_eq!(all(playback).await.unwrap(), "abcde");
    }
    let empty = Full::new(Bytes::new())
        .map_err(|never| match never {})
        .boxed_unsync();
    assert!(
        Tape::new(empty, &allowance(5, 5))
            .play(None)
            .is_end_stream()
    );
}
