//! PostgreSQL is out: nothing fails, checkpoints go on, and everything is written afterwards.

use incumbent_servers::postgres::{Options, Postgres as Server};
use incumbent_stream::Writer;
use incumbent_stream_postgres::Postgres;

use crate::kit::{at, open, row, until};

fn sink(server: &Server) -> Postgres {
    Postgres::new(format!("{} sslmode=disable", server.config()))
        .table("counts")
        .columns(["word", "n"])
}

#[test]
fn an_outage_is_no_failure() {
    let Some(server) = Server::start(Options::default()) else {
        return;
    };
    server
        .sql("CREATE TABLE counts (word text, n bigint)")
        .unwrap();
    let mut writer = open(&sink(&server), &at(1, 0, 1), &[]).unwrap();
    writer.write(vec![row("a", 0)]).unwrap();
    server.kill();
    for number in 1..=3 {
        writer.write(vec![row("a", number)]).unwrap();
        let staged = writer.stage(number.unsigned_abs()).unwrap();
        writer.commit(number.unsigned_abs()).unwrap();
        assert_eq!(staged.len(), usize::try_from(number).unwrap());
    }
    assert!(writer.held_bytes() > 0);
    server.restart();
    writer.close().unwrap();
    assert_eq!(writer.held_bytes(), 0);
    assert_eq!(
        server.sql("SELECT count(*), sum(n) FROM counts").unwrap(),
        "4|6"
    );
    // Not one of these is a session that was lost.
    writer.write(vec![row("b", 1)]).unwrap();
    server
        .sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
         WHERE application_name LIKE 'incumbent %'",
        )
        .unwrap();
    writer.stage(4).unwrap();
    writer.commit(4).unwrap();
    writer.close().unwrap();
    assert_eq!(server.sql("SELECT count(*) FROM counts").unwrap(), "5");
}

#[test]
fn a_rank_waits_for_a_server_before_it_is_ready() {
    let Some(server) = Server::start(Options::default()) else {
        return;
    };
    server
        .sql("CREATE TABLE counts (word text, n bigint)")
        .unwrap();
    server.kill();
    std::thread::scope(|scope| {
        let opened = scope.spawn(|| open(&sink(&server), &at(1, 0, 1), &[]).map(drop));
        server.restart();
        until("it is open", || opened.is_finished());
        opened.join().unwrap().unwrap();
    });
}

#[test]
fn what_is_given_up_with_the_attempt_ends_its_thread() {
    let Some(server) = Server::start(Options::default()) else {
        return;
    };
    server
        .sql("CREATE TABLE counts (word text, n bigint)")
        .unwrap();
    let mut writer = open(&sink(&server), &at(1, 0, 1), &[]).unwrap();
    writer.write(vec![row("a", 1)]).unwrap();
    let staged = writer.stage(1).unwrap();
    server.kill();
    writer.commit(1).unwrap();
    drop(writer);
    server.restart();
    open(&sink(&server), &at(2, 0, 1), &staged).unwrap();
    assert_eq!(server.sql("SELECT count(*) FROM counts").unwrap(), "1");
}
