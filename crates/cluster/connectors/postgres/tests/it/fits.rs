//! What is looked at before a rank is ready.

use incumbent_servers::postgres::{Options, Postgres as Server};
use incumbent_stream::{Sink, Writer};
use incumbent_stream_postgres::Postgres;

use crate::kit::{Database, at, open, row};

fn refusal(sink: &Postgres) -> String {
    open(sink, &at(1, 0, 1), &[])
        .err()
        .expect("it does not fit")
        .to_string()
}

#[test]
fn what_does_not_fit_is_listed() {
    let Some(database) = Database::new() else {
        return;
    };
    database.sql("ALTER TABLE counts ADD at timestamptz NOT NULL");
    let sink = database.sink().columns(["word", "m"]);
    let text = refusal(&sink);
    assert!(
        text.contains("no column m; there are word, n, at"),
        "{text}"
    );
    assert!(text.contains("column at must not be null"), "{text}");
    let text = refusal(&database.sink().table("none"));
    assert!(text.contains("there is no such table"), "{text}");
    let text = refusal(&Postgres::new("host=127.0.0.1"));
    assert!(
        text.contains("has no table") && text.contains("has no columns"),
        "{text}"
    );
}

#[test]
fn keys_of_an_upsert_need_an_index() {
    let Some(database) = Database::new() else {
        return;
    };
    let text = refusal(&database.sink().upsert(["word"]));
    assert!(text.contains("no unique or exclusion constraint"), "{text}");
    let text = refusal(&database.sink().upsert(["other"]));
    assert!(text.contains("other is a key of upsert"), "{text}");
}

#[test]
fn a_user_without_rights_learns_what_to_run() {
    let Some(database) = Database::new() else {
        return;
    };
    let user = format!("poor_{}", database.name);
    database.sql(&format!("CREATE ROLE {user} LOGIN"));
    let config = database.server.config_of(&database.name);
    let config = config.replace("user=postgres", &format!("user={user}"));
    let sink = database.sink_at(&config);
    let text = refusal(&sink);
    assert!(
        text.contains("CREATE TABLE \"incumbent_progress\" (job text"),
        "{text}"
    );
    let make = text
        .split("run ")
        .nth(1)
        .unwrap()
        .split("; GRANT")
        .next()
        .unwrap();
    database.sql(make);
    let text = refusal(&sink);
    assert!(
        text.contains("GRANT SELECT, INSERT, UPDATE ON \"public\".\"counts\""),
        "{text}"
    );
    let grant = text.split("run ").nth(1).unwrap();
    database.sql(&grant.replace("the user of the sink", &user));
    open(&sink, &at(1, 0, 1), &[]).unwrap();
}

#[test]
fn several_ranks_make_the_progress_table_at_the_same_time() {
    let Some(database) = Database::new() else {
        return;
    };
    let sink = database.sink();
    std::thread::scope(|scope| {
        for rank in 0..4 {
            let sink = &sink;
            scope.spawn(move || open(sink, &at(1, rank, 4), &[]).map(drop).unwrap());
        }
    });
}

#[test]
fn a_record_that_is_no_row_is_refused() {
    #[derive(serde::Serialize)]
    struct More {
        word: String,
        m: i64,
    }
    let Some(database) = Database::new() else {
        return;
    };
    let mut writer = Sink::<More>::open(&database.sink(), &at(1, 0, 1), vec![]).unwrap();
    let more = More {
        word: "a".to_owned(),
        m: 1,
    };
    let refused = writer.write(vec![more]).unwrap_err();
    assert!(refused.to_string().contains("no column m"), "{refused}");
}

#[test]
fn passwords_are_in_files_and_never_in_the_job() {
    let Some(database) = Database::new() else {
        return;
    };
    let config = database.server.config_of(&database.name);
    let text = refusal(&database.sink_at(&format!("{config} password=secret")));
    assert!(
        text.contains("password_file") && !text.contains("secret"),
        "{text}"
    );
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "secret\n").unwrap();
    let sink = database.sink().password_file(file.path());
    open(&sink, &at(1, 0, 1), &[]).unwrap();
    assert!(!format!("{sink:?}").contains("secret"));
    let text = refusal(&database.sink().password_file("/nowhere/at/all"));
    assert!(text.contains("/nowhere/at/all"), "{text}");
}

#[test]
fn tls_is_verified() {
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(vec!["localhost".to_owned()])
        .unwrap()
        .self_signed(&key)
        .unwrap();
    let (certificate, key) = (certificate.pem(), key.serialize_pem());
    let Some(server) = Server::start(Options::default().tls(&certificate, key)) else {
        return;
    };
    server
        .sql("CREATE TABLE counts (word text, n bigint)")
        .unwrap();
    let ca = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(ca.path(), certificate).unwrap();
    let port = server.socket().port();
    let sink = |config: &str| {
        Postgres::new(format!(
            "hostaddr=127.0.0.1 port={port} user=postgres {config}"
        ))
        .table("counts")
        .columns(["word", "n"])
    };
    let good = sink("host=localhost sslmode=require").ca(ca.path());
    let mut writer = open(&good, &at(1, 0, 1), &[]).unwrap();
    writer.write(vec![row("a", 1)]).unwrap();
    writer.stage(1).unwrap();
    writer.commit(1).unwrap();
    writer.close().unwrap();
    let encrypted = "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
                     WHERE application_name LIKE 'incumbent counts%'";
    assert_eq!(server.sql(encrypted).unwrap(), "t");
    for bad in [
        sink("host=localhost"),
        sink("host=other sslmode=require").ca(ca.path()),
    ] {
        let text = refusal(&bad);
        assert!(
            text.contains("TLS:") && text.contains("sslmode=disable"),
            "{text}"
        );
    }
    let Some(plain) = Database::new() else { return };
    let config = plain.server.config_of(&plain.name);
    let strict = Postgres::new(format!("{config} sslmode=require"))
        .table("counts")
        .columns(["n"]);
    let text = refusal(&strict);
    assert!(text.contains("does not support TLS"), "{text}");
}
