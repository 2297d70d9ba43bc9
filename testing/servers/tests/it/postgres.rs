//! A real PostgreSQL starts, stops and restarts, for root too.

use std::net::TcpStream;

use incumbent_servers::postgres::{Options, Postgres};

#[test]
fn it_comes_back_where_it_was_and_is_gone_when_it_is_dropped() {
    let Some(server) = Postgres::start(Options::default()) else {
        return;
    };
    server.database("d");
    server
        .sql_in("d", "CREATE TABLE t (a int); INSERT INTO t VALUES (1)")
        .unwrap();
    server.kill();
    assert!(TcpStream::connect(server.socket()).is_err());
    server.restart();
    assert_eq!(server.sql_in("d", "SELECT a, a + 1 FROM t").unwrap(), "1|2");
    let error = server.sql("SELECT nothing").unwrap_err();
    assert!(error.to_string().contains("does not exist"), "{error}");
    let socket = server.socket();
    drop(server);
    assert!(TcpStream::connect(socket).is_err());
}
