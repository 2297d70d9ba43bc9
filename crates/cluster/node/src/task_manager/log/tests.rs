//! What a log promises its readers.

use std::sync::atomic::{AtomicBool, Ordering};

use futures::StreamExt;
use tempfile::TempDir;
use tokio::time::Instant;

use super::files::Kept;
use super::*;

struct Fixture {
    _dir: TempDir,
    log: TaskLog,
    files: LogFiles,
}

fn log(file: u64, files: u32) -> Fixture {
    let dir = TempDir::new().unwrap();
    let log = TaskLog::new(dir.path().to_owned());
    let files = LogFiles::new(log.clone(), LogLimits { file, files });
    Fixture {
        _dir: dir,
        log,
        files,
    }
}

impl Fixture {
    fn print(&mut self, text: &str) {
        let kept = self.files.append(Instant::now(), text.as_bytes());
        assert!(matches!(kept, Kept::All), "{kept:?}");
    }

    /// Everything from here to the present end.
    async fn read(&self, from: LogFrom) -> Vec<LogPiece> {
        let read = LogRead {
            from,
            is_following: false,
        };
        let pieces = self.log.read(read).map(Result::unwrap);
        pieces.collect().await
    }

    async fn text(&self, from: LogFrom) -> String {
        let pieces = self.read(from).await;
        let text = pieces.iter().map(|piece| match piece {
            LogPiece::Bytes { bytes, .. } => String::from_utf8(bytes.to_vec()).unwrap(),
            LogPiece::Dropped { from, to } => format!("[{from}..{to}]"),
        });
        text.collect()
    }
}

#[tokio::test]
async fn offsets_never_repeat_and_a_reader_is_told_what_was_dropped() {
    let mut fixture = log(10, 2);
    for number in 0..10 {
        fixture.print(&format!("line{number}\n"));
    }
    assert_eq!(fixture.log.end(), 60);
    assert!(fixture.log.size() <= 20, "{}", fixture.log.size());
    assert_eq!(
        fixture.text(LogFrom::Offset(0)).await,
        "[0..48]line8\nline9\n",
        "ten bytes hold one line and not half of another"
    );
    assert_eq!(fixture.text(LogFrom::Offset(56)).await, "ne9\n");
    assert_eq!(fixture.read(LogFrom::Offset(60)).await, []);
    assert_eq!(fixture.read(LogFrom::Offset(1000)).await, []);
}

#[tokio::test]
async fn a_line_longer_than_a_file_is_cut_and_not_lost() {
    let mut fixture = log(10, 3);
    fixture.print("ab\n0123456789abcdef");
    fixture.print("gh\n");
    assert_eq!(
        fixture.text(LogFrom::Offset(0)).await,
        "ab\n0123456789abcdefgh\n"
    );
}

#[tokio::test]
async fn a_tail_begins_with_whole_lines_across_files() {
    let mut fixture = log(10, 3);
    for number in 0..4 {
        fixture.print(&format!("line{number}\n"));
    }
    fixture.print("rest");
    for (lines, expected) in [
        (0, ""),
        (1, "rest"),
        (2, "line3\nrest"),
        (3, "line2\nline3\nrest"),
    ] {
        assert_eq!(fixture.text(LogFrom::Tail(lines)).await, expected);
    }
    let all = fixture.text(LogFrom::Tail(u64::MAX)).await;
    assert!(all.ends_with("line2\nline3\nrest"), "{all}");
    fixture.print("\n");
    assert_eq!(fixture.text(LogFrom::Tail(1)).await, "rest\n");
}

#[tokio::test]
async fn a_tail_is_found_and_read_even_if_its_files_are_given_up_between_the_steps() {
    let mut fixture = log(10, 2);
    for number in 0..10 {
        fixture.print(&format!("line{number}\n"));
    }
    let snapshot = Snapshot::of(&fixture.log).unwrap();
    assert_eq!(snapshot.end(), 60);
    let print_much = |fixture: &mut Fixture| {
        for _ in 0..10 {
            fixture.print("later\n");
        }
    };
    print_much(&mut fixture);
    let begin = snapshot.begin_of_lines(2).unwrap();
    assert_eq!(begin, 48);
    print_much(&mut fixture);
    let first = snapshot.piece(begin, 1000).unwrap();
    let bytes = Bytes::from_static(b"line8\n");
    assert_eq!(first, Some(LogPiece::Bytes { offset: 48, bytes }));
    print_much(&mut fixture);
    assert_eq!(snapshot.last_bytes(1000).unwrap(), b"line8\nline9\n");
}

#[tokio::test]
async fn what_is_gone_after_the_first_piece_of_a_tail_is_told() {
    let mut fixture = log(10, 2);
    for number in 0..10 {
        fixture.print(&format!("line{number}\n"));
    }
    let read = LogRead {
        from: LogFrom::Tail(2),
        is_following: true,
    };
    let mut pieces = Box::pin(fixture.log.read(read));
    assert_eq!(pieces.next().await.unwrap().unwrap().end(), 54);
    for _ in 0..10 {
        fixture.print("later\n");
    }
    let dropped = pieces.next().await.unwrap().unwrap();
    assert_eq!(dropped, LogPiece::Dropped { from: 54, to: 108 });
}

#[tokio::test]
async fn a_tail_has_its_lines_however_fast_the_task_prints() {
    let Fixture {
        _dir,
        log,
        mut files,
    } = log(1000, 2);
    let mut print = move || {
        let kept = files.append(Instant::now(), "line\n".repeat(300).as_bytes());
        assert!(matches!(kept, Kept::All), "{kept:?}");
    };
    print();
    let is_enough = Arc::new(AtomicBool::new(false));
    let printing = std::thread::spawn({
        let is_enough = Arc::clone(&is_enough);
        move || {
            while !is_enough.load(Ordering::Relaxed) {
                print();
            }
        }
    });
    for _ in 0..3000 {
        let read = LogRead {
            from: LogFrom::Tail(1),
            is_following: false,
        };
        let pieces: Vec<_> = log.read(read).map(Result::unwrap).collect().await;
        let bytes = Bytes::from_static(b"line\n");
        assert!(
            matches!(&pieces[..], [LogPiece::Bytes { bytes: found, .. }] if *found == bytes),
            "{pieces:?}"
        );
        let end = log.last_bytes(64).unwrap();
        assert_eq!(end, "line\n".repeat(12).as_bytes());
    }
    is_enough.store(true, Ordering::Relaxed);
    printing.join().unwrap();
}

#[tokio::test]
async fn a_reader_that_does_not_follow_comes_to_an_end_however_much_is_printed_meanwhile() {
    let mut fixture = log(1000, 3);
    for from in [LogFrom::Offset(0), LogFrom::Tail(1)] {
        fixture.print("first\n");
        let until = fixture.log.end();
        let read = LogRead {
            from,
            is_following: false,
        };
        let mut pieces = std::pin::pin!(fixture.log.read(read));
        let mut end = 0;
        while let Some(piece) = pieces.next().await {
            end = piece.unwrap().end();
            assert!(end <= until, "{end} is after {until}");
            fixture.print("more\n");
        }
        assert_eq!(end, until);
    }
}

#[tokio::test]
async fn the_last_bytes_begin_with_a_line() {
    let mut fixture = log(1000, 2);
    fixture.print("one\ntwo\nthree\n");
    let last = |most| String::from_utf8(fixture.log.last_bytes(most).unwrap()).unwrap();
    assert_eq!(last(1000), "one\ntwo\nthree\n");
    assert_eq!(last(9), "three\n");
    assert_eq!(last(3), "ee\n", "rather a part than nothing");

    let mut fixture = log(4, 5);
    fixture.print("one\ntwo\nsix\n");
    let last = |most| String::from_utf8(fixture.log.last_bytes(most).unwrap()).unwrap();
    assert_eq!(last(1000), "one\ntwo\nsix\n", "across files");
    assert_eq!(last(6), "six\n");
}

#[tokio::test]
async fn a_follower_gets_everything_and_ends_when_the_task_has_ended() {
    let mut fixture = log(1000, 2);
    let read = LogRead {
        from: LogFrom::Offset(0),
        is_following: true,
    };
    let following = tokio::spawn(fixture.log.read(read).map(Result::unwrap).collect());
    for number in 0..100 {
        fixture.print(&format!("line{number}\n"));
        tokio::task::yield_now().await;
    }
    fixture.log.close();
    let pieces: Vec<LogPiece> = following.await.unwrap();
    let mut end = 0;
    for piece in &pieces {
        let LogPiece::Bytes { offset, bytes } = piece else {
            panic!("{piece:?}");
        };
        assert_eq!(*offset, end);
        end += bytes.len() as u64;
    }
    assert_eq!(end, fixture.log.end());
}

#[tokio::test]
async fn a_file_that_was_given_up_while_it_was_read_is_told_as_dropped() {
    let mut fixture = log(10, 2);
    fixture.print("line0\n");
    let read = LogRead {
        from: LogFrom::Offset(0),
        is_following: true,
    };
    let mut pieces = Box::pin(fixture.log.read(read));
    assert_eq!(pieces.next().await.unwrap().unwrap().end(), 6);
    for number in 1..10 {
        fixture.print(&format!("line{number}\n"));
    }
    let dropped = pieces.next().await.unwrap().unwrap();
    assert_eq!(dropped, LogPiece::Dropped { from: 6, to: 48 });
}

#[tokio::test]
async fn bytes_that_the_disk_refuses_are_counted_and_their_offsets_used_up() {
    let mut fixture = log(4, 5);
    fixture.print("one\n");
    // A directory that is gone takes no new file, and the open one has reached its limit.
    let dir = fixture.log.shared.dir.clone();
    let aside = dir.with_extension("aside");
    std::fs::rename(&dir, &aside).unwrap();
    let now = Instant::now();
    let kept = fixture.files.append(now, b"two\n");
    assert!(matches!(kept, Kept::Refused(Some(_))), "{kept:?}");
    let kept = fixture.files.append(now, b"three\n");
    assert!(matches!(kept, Kept::Refused(None)), "not asked: {kept:?}");
    std::fs::rename(&aside, &dir).unwrap();
    let tail = fixture.text(LogFrom::Tail(1)).await;
    assert_eq!(tail, "one\n[4..14]", "no tail begins with a gap");
    let last = fixture.log.last_bytes(1000).unwrap();
    assert_eq!(last, b"one\n", "what there is");
    let later = now + std::time::Duration::from_secs(2);
    assert!(matches!(fixture.files.append(later, b"four\n"), Kept::All));

    assert_eq!(fixture.text(LogFrom::Offset(0)).await, "one\n[4..14]four\n");
    assert_eq!(fixture.text(LogFrom::Tail(1)).await, "four\n");
    assert_eq!(fixture.text(LogFrom::Tail(2)).await, "one\n[4..14]four\n");
    let last = fixture.log.last_bytes(1000).unwrap();
    assert_eq!(last, b"four\n", "only what is after the gap");
}
