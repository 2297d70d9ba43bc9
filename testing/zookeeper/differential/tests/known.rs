//! Checks what `known` says of single requests, on both servers.

use incumbent_differential::{ours, reference};
use incumbent_zk_probe::{Error, Probe, new_session};
use incumbent_zk_proto::jute::{Reader, Write};
use incumbent_zk_proto::{
    Acl, AddMode, Create, CreateKind, EventKind, Id, ReplyHeader, Request, perms, xid,
};

/// What a server does with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reaction {
    /// Answers with this error, or with 0, and continues.
    Answers(i32),
    /// Answers a transaction whose only part is refused with this error.
    AnswersPart(i32),
    /// Continues without an answer.
    Nothing,
    /// Answers with this error and closes the connection.
    AnswersAndCloses(i32),
    /// Closes the connection.
    Closes,
}
use Reaction::{Answers, AnswersAndCloses, AnswersPart, Closes, Nothing};

fn create<'a>(path: &'a str, acl: Acl, flags: i32, kind: CreateKind) -> Request<'a> {
    Request::Create(Create {
        path,
        data: None,
        acl: vec![acl],
        flags,
        kind,
    })
}

/// Asks on a connection of its own, with a persistent watch on `/n`, and pings after it.
async fn does(address: &str, op: i32, body: &[u8]) -> Reaction {
    let session = new_session(10_000);
    let mut probe = Probe::connect(address, &session).await.expect("it serves");
    for (path, flags, kind) in [
        ("/n", 0, CreateKind::Plain),
        ("/c", 4, CreateKind::Container),
    ] {
        let create = create(path, Acl::open(), flags, kind);
        probe.call(&create).await.expect("it answers");
    }
    let (path, mode) = ("/n", AddMode::Persistent);
    let watch = Request::AddWatch { path, mode };
    probe.call(&watch).await.expect("it answers");
    probe.send_op(1000, op, body).await.expect("it is there");
    let mut answer = None;
    // The connection may be closed before that.
    let _ = probe.send(&Request::Ping).await;
    loop {
        let frame = match probe.receive_bytes().await {
            Ok(frame) => frame,
            Err(Error::Closed | Error::Io(_)) => {
                return answer.map_or(Closes, |(err, _)| AnswersAndCloses(err));
            }
            Err(error) => panic!("{error}"),
        };
        let mut reader = Reader::new(frame);
        let header = ReplyHeader::read(&mut reader).expect("every frame has one");
        match header.xid {
            1000 => {
                // The first part of a transaction that is refused.
                let part = (op == 14 && header.err == 0).then(|| {
                    reader.bytes::<9>().expect("the header of the part");
                    reader.int().expect("why it was refused")
                });
                answer = Some((header.err, part));
            }
            xid::EVENT => {}
            xid::PING => {
                return match answer {
                    None => Nothing,
                    Some((_, Some(part))) => AnswersPart(part),
                    Some((err, None)) => Answers(err),
                };
            }
            other => panic!("{other}"),
        }
    }
}

fn body(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut out);
    out
}

fn path_and(path: &str, number: i32) -> Vec<u8> {
    body(|out| {
        out.string(path);
        out.int(number);
    })
}

fn transaction(part: &Request<'_>) -> Vec<u8> {
    let part = std::slice::from_ref(part);
    body(|out| Request::Multi(part.to_vec()).write(out))
}

fn ip6() -> Acl {
    let (scheme, id) = ("ip".to_owned(), "::1".to_owned());
    Acl {
        perms: perms::ALL,
        id: Id { scheme, id },
    }
}

/// Kind, body, what ZooKeeper 3.8.0 does, and what this server does.
fn cases() -> Vec<(i32, Vec<u8>, Reaction, Reaction)> {
    let read = |path: &str, watch: u8| {
        body(|out| {
            out.string(path);
            out.push(watch);
        })
    };
    let trailing = [read("/n", 0), vec![7]].concat();
    let null = [vec![0xff; 4], vec![0]].concat();
    let not_utf8 = body(|out| {
        out.buffer(Some(b"/\xff"));
        out.bool(false);
    });
    let plain_ttl = create("/none/t", Acl::open(), 5, CreateKind::Plain);
    let ttl_plain = create("/none/t", Acl::open(), 0, CreateKind::Ttl(5));
    let ip6 = create("/n", ip6(), 0, CreateKind::Plain);
    vec![
        // `TTL_IN_TRANSACTION`
        (14, transaction(&plain_ttl), Answers(-5), AnswersPart(-8)),
        (
            14,
            transaction(&ttl_plain),
            AnswersPart(-101),
            AnswersPart(-8),
        ),
        // `IPV6_LISTS`
        (1, body(|out| ip6.write(out)), Answers(-114), Answers(-110)),
        (14, transaction(&ip6), AnswersPart(-114), AnswersPart(-110)),
        // `EMPTY_PATH`
        (3, read("", 0), Answers(0), Answers(-101)),
        (4, read("", 0), Answers(0), Answers(-101)),
        (8, read("", 0), Answers(0), Answers(-101)),
        (12, read("", 0), Answers(0), Answers(-101)),
        // `NO_REQUEST`
        (3, body(|out| out.string("/n")), Answers(-5), Closes),
        (3, trailing, Answers(0), Closes),
        (4, null, Answers(-5), Closes),
        (106, path_and("/n", 7), Answers(-5), Closes),
        (18, path_and("/n", 6), Answers(-5), Closes),
        (3, read("/n", 2), Answers(0), Closes),
        (3, not_utf8, Answers(-101), Closes),
        (
            14,
            transaction(&Request::GetAcl { path: "/n" }),
            Answers(-5),
            Closes,
        ),
        // `PERSISTENT_KINDS`
        (17, path_and("/n", 4), Answers(-5), Answers(0)),
        (17, path_and("/n", 5), Answers(-5), Answers(-121)),
        (18, path_and("/n", 4), Answers(-5), Answers(0)),
        (18, path_and("/n", 5), Answers(-5), Answers(-121)),
        // `KINDS_OF_SERVERS`
        (20, b"/c".to_vec(), Answers(-8), AnswersAndCloses(-6)),
        (-10, vec![], Answers(-5), Answers(-5)),
        (-10, vec![0; 3], Answers(-5), Answers(-5)),
        // `LONE_CHECK`
        (13, path_and("/n", 0), Nothing, Answers(0)),
        (13, path_and("/n", 5), Answers(-103), Answers(-103)),
        // `SASL`
        (
            102,
            body(|out| out.buffer(Some(b"x"))),
            Answers(0),
            Answers(-115),
        ),
        (102, vec![], Closes, Answers(-115)),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn single_requests_are_answered_as_is_known() {
    let Some(reference) = reference() else { return };
    let ours = ours();
    let mut wrong = Vec::new();
    for (op, body, they, we) in cases() {
        let theirs = does(&reference.address(), op, &body).await;
        let own = does(ours.address(), op, &body).await;
        if (theirs, own) != (they, we) {
            wrong.push(format!("{op} {}: {theirs:?} {own:?}", body.escape_ascii()));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// CVE-2024-23944, which Debian has fixed in its 3.8.0 too.
#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_read_a_node_is_not_told_of_it() {
    let Some(reference) = reference() else { return };
    let ours = ours();
    for address in [&reference.address(), ours.address()] {
        let mut probe = Probe::connect(address, &new_session(10_000))
            .await
            .expect("it serves");
        let watch = Request::AddWatch {
            path: "/",
            mode: AddMode::Recursive,
        };
        probe.call(&watch).await.expect("it answers");
        let mut writable = Acl::open();
        writable.perms = perms::WRITE | perms::DELETE;
        for request in [
            create("/secret", writable, 0, CreateKind::Plain),
            create("/open", Acl::open(), 0, CreateKind::Plain),
            Request::SetData {
                path: "/secret",
                data: None,
                version: -1,
            },
            Request::Delete {
                path: "/secret",
                version: -1,
            },
        ] {
            let answer = probe.call(&request).await.expect("it answers");
            assert!(answer.result.is_ok(), "{request:?}: {answer:?}");
        }
        probe.ping().await.expect("it answers");
        let told: Vec<_> = probe
            .take_events()
            .into_iter()
            .map(|event| (event.event.kind, event.event.path.to_string()))
            .collect();
        assert_eq!(told, [(EventKind::Created, "/open".to_owned())]);
    }
}
