//! A rank that ends at any point, and the next attempt: each row is there once.

use incumbent_servers::{Mode, Proxy};
use incumbent_stream::Sink;
use incumbent_stream::Writer;

use crate::kit::{Database, Row, at, open, row, staged};

#[test]
fn what_was_not_committed_is_never_written() {
    let Some(database) = Database::new() else {
        return;
    };
    let sink = database.sink();
    // Killed after writing, and after staging.
    let mut first = open(&sink, &at(1, 0, 1), &[]).unwrap();
    first.write(vec![row("lost", 1)]).unwrap();
    drop(first);
    let (mut second, _) = staged(&sink, &at(2, 0, 1), &[row("lost", 2)]);
    second.commit(0).unwrap();
    drop(second);
    let mut third = open(&sink, &at(3, 0, 1), &[]).unwrap();
    third.commit(9).unwrap();
    third.close().unwrap();
    assert_eq!(database.rows(), "");
}

#[test]
fn killed_between_the_commit_and_the_statement_the_next_attempt_writes() {
    let Some(database) = Database::new() else {
        return;
    };
    let sink = database.sink();
    let (old, staged) = staged(&sink, &at(1, 0, 1), &[row("a", 1), row("b", 2)]);
    drop(old);
    open(&sink, &at(2, 0, 1), &staged).unwrap();
    assert_eq!(database.rows(), "a 1,b 2");
    // And that one is killed as well.
    open(&sink, &at(3, 0, 1), &staged).unwrap();
    assert_eq!(database.rows(), "a 1,b 2");
}

#[test]
fn killed_after_the_statement_nothing_is_written_again() {
    let Some(database) = Database::new() else {
        return;
    };
    let sink = database.sink();
    let (mut old, staged) = staged(&sink, &at(1, 0, 1), &[row("a", 1)]);
    old.commit(1).unwrap();
    old.close().unwrap();
    drop(old);
    let mut new = open(&sink, &at(2, 0, 1), &staged).unwrap();
    new.write(vec![row("b", 2)]).unwrap();
    new.stage(2).unwrap();
    new.commit(2).unwrap();
    new.close().unwrap();
    assert_eq!(database.rows(), "a 1,b 2");
}

#[test]
fn a_lost_answer_is_no_second_row() {
    let Some(database) = Database::new() else {
        return;
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let proxy = runtime.block_on(Proxy::to(database.server.socket()));
    let port = proxy.address().rsplit_once(':').unwrap().1.to_owned();
    let sink = database.sink_at(&format!(
        "host=127.0.0.1 port={port} user=postgres dbname={}",
        database.name
    ));
    let (mut writer, _) = staged(&sink, &at(1, 0, 1), &[row("a", 1)]);
    proxy.set(Mode::Mute);
    writer.commit(1).unwrap();
    crate::kit::until("the statement was run", || database.rows() == "a 1");
    assert!(writer.held_bytes() > 0, "it cannot know that it was");
    // The connection breaks, and the answer never comes.
    proxy.cut();
    proxy.set(Mode::Open);
    writer.close().unwrap();
    assert_eq!(writer.held_bytes(), 0);
    assert_eq!(database.rows(), "a 1");
}

#[test]
fn other_numbers_of_ranks_and_their_predecessors_write_each_row_once() {
    let Some(database) = Database::new() else {
        return;
    };
    let sink = database.sink();
    let mut attempt = 0;
    let mut expected = Vec::new();
    for (before, after) in [(1, 3), (3, 2), (2, 4), (4, 1)] {
        attempt += 2;
        let mut all = Vec::new();
        let mut old = Vec::new();
        for rank in 0..before {
            let mut writer = open(&sink, &at(attempt, rank, before), &[]).unwrap();
            for number in 1..=2 {
                let word = format!("{attempt}-{rank}-{number}");
                expected.push(format!("{word} 0"));
                writer.write(vec![row(&word, 0)]).unwrap();
                all = match number {
                    1 => {
                        writer.stage(1).unwrap();
                        all
                    }
                    // It has what was staged for 1, which was aborted.
                    _ => [all, writer.stage(2).unwrap()].concat(),
                };
            }
            writer.write(vec![row("never", 0)]).unwrap();
            writer.stage(3).unwrap();
            old.push(writer);
        }
        // The old ones have their commit, and the new ones their checkpoint, at the same time.
        std::thread::scope(|scope| {
            for writer in &mut old {
                scope.spawn(|| writer.commit(2).and_then(|()| writer.close()).unwrap());
            }
            for rank in 0..after {
                let (sink, all) = (&sink, &all);
                scope.spawn(move || {
                    Sink::<Row>::open(sink, &at(attempt + 1, rank, after), all.clone()).map(drop)
                });
            }
        });
    }
    expected.sort();
    assert_eq!(database.rows(), expected.join(","));
}

#[test]
fn progress_is_a_row_for_each_rank() {
    let Some(database) = Database::new() else {
        return;
    };
    let sink = database.sink();
    let mut writer = open(&sink, &at(1, 0, 1), &[]).unwrap();
    for number in 1..=20 {
        writer.write(vec![row("a", 1)]).unwrap();
        writer.stage(number).unwrap();
        writer.commit(number).unwrap();
    }
    writer.close().unwrap();
    let progress = "SELECT sink, target, rank, attempt, batch FROM incumbent_progress";
    assert_eq!(database.sql(progress), "counts|public.counts|0|1|20");
    assert_eq!(database.sql("SELECT count(*) FROM counts"), "20");
}

#[test]
fn a_job_that_goes_on_from_the_savepoint_of_another_writes_nothing_again() {
    let Some(database) = Database::new() else {
        return;
    };
    let sink = database.sink();
    let (mut origin, staged) = staged(&sink, &at(7, 0, 1), &[row("a", 1)]);
    let mut heir = at(1, 0, 1);
    heir.job = "fedcba9876543210fedcba9876543210".to_owned();
    let mut writer = open(&sink, &heir, &staged).unwrap();
    assert_eq!(database.rows(), "a 1");
    origin.commit(1).unwrap();
    origin.close().unwrap();
    writer.write(vec![row("b", 1)]).unwrap();
    writer.stage(2).unwrap();
    writer.commit(2).unwrap();
    writer.close().unwrap();
    assert_eq!(database.rows(), "a 1,b 1");
}

#[test]
fn an_older_attempt_does_not_begin() {
    let Some(database) = Database::new() else {
        return;
    };
    let sink = database.sink();
    let (mut writer, _) = staged(&sink, &at(2, 0, 1), &[row("a", 1)]);
    writer.commit(1).unwrap();
    writer.close().unwrap();
    for attempt in [1, 2] {
        let refused = open(&sink, &at(attempt, 0, 1), &[]).err().unwrap();
        assert!(refused.to_string().contains("older"), "{refused}");
    }
    open(&sink, &at(3, 0, 1), &[]).unwrap();
}

#[test]
fn the_last_of_rows_with_one_key_counts() {
    let Some(database) = Database::new() else {
        return;
    };
    database.sql("ALTER TABLE counts ADD PRIMARY KEY (word)");
    let sink = database.sink().upsert(["word"]);
    let rows = [row("a", 1), row("b", 1), row("a", 2), row("a", 3)];
    let (mut writer, _) = staged(&sink, &at(1, 0, 1), &rows);
    writer.commit(1).unwrap();
    writer.write(vec![row("b", 7)]).unwrap();
    writer.stage(2).unwrap();
    writer.commit(2).unwrap();
    writer.close().unwrap();
    assert_eq!(database.rows(), "a 3,b 7");
}
