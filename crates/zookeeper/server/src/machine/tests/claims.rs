//! What ZooKeeper's documentation promises, claim by claim.

use std::time::Duration;

use incumbent_zk_proto::{
    AddMode, Code, ConnectRequest, CreateKind, EventKind, Malformed, MultiResult, Request,
    Response, SetWatches, perms,
};

use super::super::{Refused, SessionId};
use super::*;

const CREATED: i32 = EventKind::Created.number();
const DELETED: i32 = EventKind::Deleted.number();
const CHANGED: i32 = EventKind::DataChanged.number();
const CHILDREN: i32 = EventKind::ChildrenChanged.number();

#[test]
fn sequential_names_count_all_creations_below_a_parent() {
    let mut world = World::new();
    let a = world.client();
    world.create(a, "/p", 0).unwrap();
    assert_eq!(world.create(a, "/p/x-", 2).unwrap(), "/p/x-0000000000");
    world.create(a, "/p/other", 0).unwrap();
    world.ask(a, &delete("/p/other", -1)).unwrap();
    assert_eq!(world.create(a, "/p/", 3).unwrap(), "/p/0000000002");
}

#[test]
fn ephemeral_nodes_go_with_their_session_in_one_change() {
    let mut world = World::new();
    let (a, b) = (world.client(), world.client());
    world.create(a, "/p", 0).unwrap();
    world.create(a, "/p/e1", 1).unwrap();
    world.create(a, "/p/e2", 1).unwrap();
    assert_eq!(
        world.create(b, "/p/e1/below", 0),
        Err(Code::NoChildrenForEphemerals)
    );
    let before = world.machine.zxid();
    world.ask(a, &Request::CloseSession).unwrap();
    assert_eq!(world.machine.zxid(), before + 1);
    assert!(world.children(b, "/p").is_empty());
    assert_eq!(world.recorded.closed, [(a.connection, Closed::ByClient)]);
    assert!(world.come_back(a).is_none());
}

#[test]
fn a_silent_session_expires_and_its_connection_is_closed() {
    let mut world = World::new();
    let a = world.client();
    world.create(a, "/e", 1).unwrap();
    world.wait(Duration::from_secs(9));
    world.ask(a, &Request::Ping).unwrap();
    world.wait(Duration::from_secs(9));
    assert!(world.recorded.closed.is_empty());
    world.wait(Duration::from_secs(1));
    assert_eq!(world.recorded.closed, [(a.connection, Closed::Expired)]);
    assert!(!world.machine.tree.contains("/e"));
}

#[test]
fn a_session_comes_back_with_its_password_and_without_watches() {
    let mut world = World::new();
    let a = world.client();
    world.create(a, "/e", 1).unwrap();
    let watch = Request::GetData {
        path: "/e",
        watch: true,
    };
    world.ask(a, &watch).unwrap();
    world.machine.disconnect(a.connection, true, world.now);
    assert!(world.attach(a.session, &[9; 16]).is_none());
    let back = world.come_back(a).unwrap();
    assert_eq!(back.session, a.session);
    world.ask(back, &set("/e", -1)).unwrap();
    assert!(world.events().is_empty());
    // A second connection takes the session, and the first one is closed.
    let again = world.come_back(a).unwrap();
    assert_eq!(world.recorded.closed, [(back.connection, Closed::Moved)]);
    world.machine.disconnect(back.connection, true, world.now);
    world.ask(again, &Request::Ping).unwrap();
}

#[test]
fn with_a_grace_a_closed_connection_costs_the_session_and_silence_does_not() {
    let options = Options {
        disconnect_grace: Some(Duration::from_millis(500)),
        ..Options::default()
    };
    for (closed, expires) in [(true, true), (false, false)] {
        let mut world = World::with(options.clone());
        let a = world.client();
        world.machine.disconnect(a.connection, closed, world.now);
        world.wait(Duration::from_millis(499));
        assert_eq!(world.machine.sessions.len(), 1);
        world.wait(Duration::from_millis(1));
        assert_eq!(world.machine.sessions.len(), usize::from(!expires));
    }
    let mut world = World::with(options);
    let a = world.client();
    world.machine.disconnect(a.connection, true, world.now);
    world.wait(Duration::from_millis(400));
    world.come_back(a).unwrap();
    world.wait(Duration::from_secs(5));
    assert_eq!(world.machine.sessions.len(), 1);
}

#[test]
fn timeouts_are_negotiated_within_the_limits() {
    let mut world = World::new();
    for (wanted, given) in [
        (0, 4_000),
        (-5, 4_000),
        (10_000, 10_000),
        (i32::MAX, 40_000),
    ] {
        let (_, answer) = world.greet(&ConnectRequest {
            last_zxid_seen: 0,
            timeout_ms: wanted,
            session: 0,
            password: &[],
            read_only: Some(true),
        });
        assert_eq!((answer.timeout_ms, answer.read_only), (given, Some(false)));
    }
}

#[test]
fn who_has_seen_more_is_sent_away_unless_nothing_is_kept() {
    let ahead = ConnectRequest {
        last_zxid_seen: 1 << 40,
        timeout_ms: 10_000,
        session: 0,
        password: &[],
        read_only: None,
    };
    let mut world = World::new();
    let refused = world.machine.connect(
        ConnectionId(1),
        vec![],
        &ahead,
        [0; 16],
        world.now,
        &mut world.recorded,
    );
    assert!(matches!(refused, Err(Refused::Behind { .. })));
    let mut world = World::with(Options {
        forgetful: true,
        ..Options::default()
    });
    world.greet(&ahead);
    assert_eq!(world.machine.zxid(), (1 << 40) + 1);
}

#[test]
fn a_transaction_happens_whole_or_not_at_all() {
    let mut world = World::new();
    let a = world.client();
    world.create(a, "/p", 0).unwrap();
    world.create(a, "/q", 4).unwrap();
    let before = everything(&world.machine);
    let watch = Request::AddWatch {
        path: "/",
        mode: AddMode::Recursive,
    };
    world.ask(a, &watch).unwrap();
    let failing = Request::Multi(vec![
        create("/p/x", 1),
        set("/p", 0),
        delete("/q", 0),
        create("/q", 5),
        create("/p/y", 0),
    ]);
    let results = world.ask(a, &failing).unwrap();
    assert_eq!(
        results,
        Response::Multi(vec![
            MultiResult::Refused(None),
            MultiResult::Refused(None),
            MultiResult::Refused(None),
            MultiResult::Refused(Some(Code::BadArguments)),
            MultiResult::Refused(Some(Code::RuntimeInconsistency)),
        ])
    );
    assert_eq!(everything(&world.machine), before);
    assert!(world.events().is_empty());
    let working = Request::Multi(vec![
        create("/p/x-", 3),
        create("/p/x-", 2),
        set("/p", 0),
        Request::Check {
            path: "/p",
            version: 1,
        },
        delete("/q", 0),
        create("/q", 0),
    ]);
    let zxid = world.machine.zxid();
    let Ok(Response::Multi(results)) = world.ask(a, &working) else {
        panic!("not done");
    };
    let MultiResult::Created { path, stat: None } = &results[1] else {
        panic!("{results:?}");
    };
    // The failed transaction has used no number.
    assert_eq!(path, "/p/x-0000000001");
    assert_eq!(world.machine.zxid(), zxid + 1);
    let kinds: Vec<_> = world
        .events()
        .into_iter()
        .map(|(_, kind, _)| kind)
        .collect();
    assert_eq!(kinds, [CREATED, CREATED, CHANGED, DELETED, CREATED]);
}

#[test]
fn ephemeral_nodes_are_listed_by_how_their_paths_begin() {
    let mut world = World::new();
    let (a, b) = (world.client(), world.client());
    world.create(a, "/x1", 1).unwrap();
    world.create(a, "/y", 1).unwrap();
    world.create(b, "/x2", 1).unwrap();
    for (prefix, count) in [
        ("", 2),
        ("/", 2),
        ("\0", 2),
        (" /", 2),
        ("/x", 1),
        (" /x", 0),
    ] {
        let listed = world.ask(a, &Request::GetEphemerals { prefix });
        let Ok(Response::Ephemerals(paths)) = listed else {
            panic!("{listed:?}");
        };
        assert_eq!(paths.len(), count, "{prefix:?}");
    }
}

#[test]
fn plain_watches_tell_once_and_say_what_happened() {
    let mut world = World::new();
    let (a, b) = (world.client(), world.client());
    let exists = |path| Request::Exists { path, watch: true };
    assert_eq!(world.ask(a, &exists("/n")), Err(Code::NoNode));
    let list = Request::GetChildren {
        path: "/",
        watch: true,
        stat: true,
    };
    world.ask(a, &list).unwrap();
    world.create(b, "/n", 0).unwrap();
    let at = a.connection;
    assert_eq!(
        world.events(),
        [(at, CREATED, "/n".into()), (at, CHILDREN, "/".into())]
    );
    world.ask(a, &exists("/n")).unwrap();
    world.ask(b, &set("/n", 0)).unwrap();
    world.ask(b, &set("/n", 1)).unwrap();
    assert_eq!(world.events(), [(at, CHANGED, "/n".into())]);
    // A read of a node that does not exist sets no watch.
    let get = Request::GetData {
        path: "/none",
        watch: true,
    };
    assert_eq!(world.ask(a, &get), Err(Code::NoNode));
    world.create(b, "/none", 0).unwrap();
    assert!(world.events().is_empty());
}

#[test]
fn watches_set_again_tell_what_was_missed() {
    let mut world = World::new();
    let (a, b) = (world.client(), world.client());
    for path in ["/data", "/child", "/gone", "/same"] {
        world.create(b, path, 0).unwrap();
    }
    let seen = world.machine.zxid();
    world.ask(b, &set("/data", 0)).unwrap();
    world.create(b, "/child/x", 0).unwrap();
    world.ask(b, &delete("/gone", 0)).unwrap();
    world.create(b, "/new", 0).unwrap();
    let again = Request::SetWatches(SetWatches {
        relative_zxid: seen,
        data: vec!["/data", "/gone", "/same"],
        exist: vec!["/new", "/never"],
        child: vec!["/child", "/same"],
        persistent: Some((vec!["/p"], vec!["/r"])),
    });
    world.ask(a, &again).unwrap();
    let told: Vec<_> = world.events().into_iter().map(|(_, k, p)| (k, p)).collect();
    assert_eq!(
        told,
        [
            (CHANGED, "/data".into()),
            (DELETED, "/gone".into()),
            (CREATED, "/new".into()),
            (CHILDREN, "/child".into()),
        ]
    );
    world.ask(b, &set("/same", 0)).unwrap();
    world.create(b, "/r", 0).unwrap();
    world.create(b, "/r/below", 0).unwrap();
    assert_eq!(world.events().len(), 3);
}

#[test]
fn lists_are_enforced_and_events_go_only_to_those_who_may_read() {
    let mut world = World::new();
    let (a, b) = (world.client(), world.client());
    let auth = Request::Auth {
        scheme: "digest",
        auth: b"alice:secret",
    };
    world.ask(a, &auth).unwrap();
    let mine = Request::Create(incumbent_zk_proto::Create {
        path: "/mine",
        data: None,
        acl: vec![Acl {
            perms: perms::ALL,
            id: Id {
                scheme: "auth".into(),
                id: String::new(),
            },
        }],
        flags: 0,
        kind: CreateKind::WithStat,
    });
    world.ask(a, &mine).unwrap();
    for (client, works) in [(a, true), (b, false)] {
        let watch = Request::AddWatch {
            path: "/mine",
            mode: AddMode::Persistent,
        };
        world.ask(client, &watch).unwrap();
        for request in [
            Request::GetData {
                path: "/mine",
                watch: false,
            },
            set("/mine", -1),
            Request::GetAcl { path: "/mine" },
        ] {
            let answer = world.ask(client, &request);
            assert_eq!(answer.is_ok(), works, "{request:?}");
            assert!(works || answer == Err(Code::NoAuth));
        }
    }
    let told: Vec<_> = world.events().into_iter().map(|(to, ..)| to).collect();
    assert_eq!(told, [a.connection]);
    let wrong = Request::Auth {
        scheme: "unknown",
        auth: b"",
    };
    assert_eq!(world.ask(b, &wrong), Err(Code::AuthFailed));
    assert_eq!(world.recorded.closed, [(b.connection, Closed::AuthFailed)]);
}

#[test]
fn who_has_the_super_digest_may_do_everything() {
    let mut world = World::with(Options {
        super_digest: Some("super:D/InIHSb7yEEbrWz8b9l71RjZJU=".into()),
        ..Options::default()
    });
    let a = world.client();
    let set = set("/zookeeper/config", -1);
    assert_eq!(world.ask(a, &set), Err(Code::NoAuth));
    let auth = Request::Auth {
        scheme: "digest",
        auth: b"super:test",
    };
    world.ask(a, &auth).unwrap();
    world.ask(a, &set).unwrap();
}

#[test]
fn containers_and_nodes_with_a_time_to_live_fade() {
    let mut world = World::new();
    let a = world.client();
    let alive = |world: &mut World| {
        for _ in 0..7 {
            world.wait(Duration::from_secs(9));
            world.ask(a, &Request::Ping).unwrap();
        }
    };
    world.create(a, "/c", 4).unwrap();
    let ttl = |path, ttl| {
        Request::Create(incumbent_zk_proto::Create {
            path,
            data: None,
            acl: vec![Acl::open()],
            flags: 5,
            kind: CreateKind::Ttl(ttl),
        })
    };
    world.ask(a, &ttl("/t", 90_000)).unwrap();
    world.ask(a, &ttl("/u", 1_000)).unwrap();
    world.create(a, "/u/child", 0).unwrap();
    alive(&mut world);
    // One never had a child, the time of one is not over, and one has a child.
    assert_eq!(world.children(a, "/"), ["c", "t", "u", "zookeeper"]);
    world.create(a, "/c/x", 0).unwrap();
    world.ask(a, &delete("/c/x", 0)).unwrap();
    alive(&mut world);
    assert_eq!(world.children(a, "/"), ["u", "zookeeper"]);
    assert_eq!(world.ask(a, &ttl("/bad", 0)), Err(Code::BadArguments));
}

#[test]
fn what_is_no_request_closes_the_connection_and_touches_no_other() {
    let mut world = World::new();
    let (a, b) = (world.client(), world.client());
    world
        .machine
        .handle(a.connection, &[0, 0, 0], world.now, &mut world.recorded);
    let [(closed, Closed::Malformed(_))] = world.recorded.closed[..] else {
        panic!("{:?}", world.recorded.closed);
    };
    assert_eq!(closed, a.connection);
    world.ask(b, &Request::Ping).unwrap();
    // The session continues: the client may come back.
    assert!(world.machine.sessions.get(SessionId(a.session)).is_some());
}

#[test]
fn what_a_lone_server_has_not_is_refused() {
    let mut world = World::new();
    let a = world.client();
    assert_eq!(
        world.ask(a, &Request::Reconfig),
        Err(Code::ReconfigDisabled)
    );
    assert_eq!(world.ask(a, &Request::Sasl), Err(Code::AuthFailed));
    let mut frame = Vec::new();
    incumbent_zk_proto::RequestHeader { xid: 3, op: 999 }.write(&mut frame);
    world
        .machine
        .handle(a.connection, &frame, world.now, &mut world.recorded);
    let (_, header, _) = world.recorded.replies.last().unwrap();
    assert_eq!(header.err, Code::Unimplemented.number());
    // Nothing after it is handled.
    let [(closed, Closed::Malformed(Malformed::Unknown { number: 999, .. }))] =
        world.recorded.closed[..]
    else {
        panic!("{:?}", world.recorded.closed);
    };
    assert_eq!(closed, a.connection);
}
