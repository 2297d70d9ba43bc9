//! A limit stops growth and nothing else. Here are those of the machine; those of connections, of
//! the log and of the disk are in `tests/it/limits.rs`.

use incumbent_zk_proto::{Acl, AddMode, Code, ConnectRequest, Id, MultiResult, Request, perms};

use super::super::Refused;
use super::*;

/// A client that leads, with an ephemeral node, and another client.
struct Full {
    world: World,
    leader: Client,
    other: Client,
}

/// One limit.
struct Limit {
    name: &'static str,
    options: Options,
    /// Fills the server up to the limit.
    fill: fn(&mut Full),
    /// A request that is refused then.
    grow: fn(&mut Full) -> Result<(), Code>,
}

const DATA: &[u8] = b"0123456789";

fn node<'a>(path: &'a str, data: &'a [u8], flags: i32) -> Request<'a> {
    Request::Create(Create {
        path,
        data: Some(data),
        acl: vec![Acl::open()],
        flags,
        kind: CreateKind::Plain,
    })
}

fn put<'a>(path: &'a str, data: &'a [u8]) -> Request<'a> {
    Request::SetData {
        path,
        data: Some(data),
        version: -1,
    }
}

fn watch(path: &str) -> Request<'_> {
    Request::Exists { path, watch: true }
}

impl Full {
    fn new(options: Options) -> Self {
        let mut world = World::with(options);
        let (leader, other) = (world.client(), world.client());
        let mut full = Self {
            world,
            leader,
            other,
        };
        full.passes("a group", &node("/group", DATA, 0));
        full.passes("a leader", &node("/group/leader", DATA, 1));
        full.passes("a root record", &node("/group/root", DATA, 0));
        full.passes("a watch", &watch("/group/root"));
        full
    }

    fn passes(&mut self, what: &str, request: &Request<'_>) {
        let answer = self.world.ask(self.leader, request);
        let refused = match &answer {
            Ok(Response::Multi(results)) => results
                .iter()
                .any(|result| matches!(result, MultiResult::Refused(_))),
            Ok(_) => false,
            Err(code) => *code == Code::QuotaExceeded,
        };
        assert!(!refused, "{what}: {answer:?}");
    }

    fn grow(&mut self, request: &Request<'_>) -> Result<(), Code> {
        self.world.ask(self.leader, request).map(drop)
    }

    /// What must pass at every limit.
    fn life(&mut self) {
        let leader = self.leader;
        self.passes("a ping", &Request::Ping);
        self.passes("a renewal of the same length", &put("/group/root", DATA));
        self.passes("a renewal that is shorter", &put("/group/root", b"x"));
        self.passes("an empty one", &put("/group/root", b""));
        let (path, version) = ("/group/root", -1);
        let acl = vec![Acl::open()];
        self.passes("the same list", &Request::SetAcl { path, acl, version });
        let renew = vec![Request::Check { path, version }, put(path, b"")];
        self.passes("a transaction", &Request::Multi(renew));
        // The client had this watch, and got its event.
        self.passes("a watch once more", &watch("/group/root"));
        let read = Request::GetData { path, watch: false };
        self.passes("a read", &read);
        let again = self.world.come_back(leader).expect("its session lives");
        self.leader = again;
        self.passes("a watch after a reconnect", &watch("/group/root"));
        self.passes("a deletion", &delete("/group/root", -1));
        self.world.ask(again, &Request::CloseSession).unwrap();
        assert!(!self.world.machine.tree.contains("/group/leader"));
        assert!(self.world.come_back(again).is_none());
    }
}

fn limits() -> Vec<Limit> {
    let standard = Options::default;
    vec![
        Limit {
            name: "max_nodes",
            options: Options {
                max_nodes: 8,
                ..standard()
            },
            fill: |full| full.passes("the last node", &node("/last", b"", 0)),
            grow: |full| full.grow(&node("/more", b"", 0)),
        },
        Limit {
            name: "max_bytes, by creating",
            options: Options {
                max_bytes: 10_000,
                ..standard()
            },
            fill: fill_bytes,
            grow: |full| full.grow(&node("/more", b"", 0)),
        },
        Limit {
            name: "max_bytes, by longer data",
            options: Options {
                max_bytes: 10_000,
                ..standard()
            },
            fill: fill_bytes,
            grow: |full| full.grow(&put("/group/root", &[b'x'; 5_000])),
        },
        Limit {
            name: "max_bytes, by a longer list",
            options: Options {
                max_bytes: 10_000,
                ..standard()
            },
            fill: fill_bytes,
            grow: |full| {
                let entry = |perms| Acl {
                    perms,
                    id: Id::anyone(),
                };
                let acl = (1..=perms::ALL).map(entry).collect();
                let (path, version) = ("/group/root", -1);
                full.grow(&Request::SetAcl { path, acl, version })
            },
        },
        Limit {
            name: "max_watches",
            options: Options {
                max_watches: 3,
                ..standard()
            },
            fill: |full| {
                full.passes("a watch", &watch("/a"));
                full.passes("a watch", &watch("/b"));
            },
            grow: |full| full.grow(&watch("/c")),
        },
        Limit {
            name: "max_watch_bytes",
            options: Options {
                max_watch_bytes: 2_000,
                ..standard()
            },
            fill: |full| {
                let long = format!("/{}", "p".repeat(800));
                full.passes("a long path", &watch(&long));
            },
            grow: |full| full.grow(&watch(&format!("/{}", "q".repeat(800)))),
        },
        Limit {
            name: "max_sessions",
            options: Options {
                max_sessions: 2,
                ..standard()
            },
            fill: |_| {},
            grow: |full| {
                let request = ConnectRequest {
                    last_zxid_seen: 0,
                    timeout_ms: 10_000,
                    session: 0,
                    password: &[0; 16],
                    read_only: None,
                };
                let (world, ids) = (&mut full.world, Vec::new());
                let refused = world.machine.connect(
                    ConnectionId(1_000),
                    ids,
                    &request,
                    [0; 16],
                    world.now,
                    &mut world.recorded,
                );
                match refused {
                    Err(Refused::TooManySessions { limit: 2 }) => Err(Code::QuotaExceeded),
                    other => panic!("{other:?}"),
                }
            },
        },
        Limit {
            name: "max_change",
            options: Options {
                max_change: 2_000,
                ..standard()
            },
            fill: |_| {},
            grow: |full| full.grow(&node("/more", &[b'x'; 3_000], 0)),
        },
        Limit {
            name: "max_reply",
            options: Options {
                max_reply: 100,
                ..standard()
            },
            fill: |full| {
                for index in 0..10 {
                    let path = format!("/group/member-{index}");
                    full.passes("a node", &node(&path, b"", 0));
                }
            },
            grow: |full| {
                let (path, watch, stat) = ("/group", false, false);
                full.grow(&Request::GetChildren { path, watch, stat })
            },
        },
    ]
}

/// Creates nodes until there is no room for one more.
fn fill_bytes(full: &mut Full) {
    let mut count = 0;
    loop {
        let path = format!("/fill-{count}");
        match full.grow(&node(&path, b"", 0)) {
            Ok(()) => count += 1,
            Err(code) => break assert_eq!(code, Code::QuotaExceeded),
        }
        assert!(count < 1_000, "it is never full");
    }
}

#[test]
fn at_every_limit_growth_is_refused_and_life_goes_on() {
    for limit in limits() {
        let mut full = Full::new(limit.options);
        (limit.fill)(&mut full);
        let refused = (limit.grow)(&mut full);
        assert_eq!(refused, Err(Code::QuotaExceeded), "{}", limit.name);
        full.life();
        // Another client can go on too.
        full.leader = full.other;
        full.passes(limit.name, &Request::Ping);
    }
}

#[test]
fn a_full_tree_can_still_be_watched() {
    let mut full = Full::new(Options {
        max_bytes: 10_000,
        ..Options::default()
    });
    fill_bytes(&mut full);
    full.passes("a watch on what is not there", &watch("/not/there"));
    let (path, mode) = ("/group", AddMode::Recursive);
    full.passes("a recursive watch", &Request::AddWatch { path, mode });
    let (path, watch) = ("/group/leader", true);
    full.passes("a read that watches", &Request::GetData { path, watch });
}

#[test]
fn deleting_and_creating_in_one_transaction_needs_no_room() {
    let mut full = Full::new(Options {
        max_nodes: 7,
        ..Options::default()
    });
    assert!(full.grow(&node("/more", b"", 0)).is_err());
    let swap = vec![delete("/group/root", -1), node("/group/next", DATA, 0)];
    full.passes("a swap", &Request::Multi(swap));
}

#[test]
fn a_known_identity_can_be_proven_again_at_the_limit_of_identities() {
    let mut full = Full::new(Options {
        max_identities: 2,
        ..Options::default()
    });
    let prove = |auth: &'static [u8]| Request::Auth {
        scheme: "digest",
        auth,
    };
    // The address counts too.
    full.passes("the last identity", &prove(b"a:b"));
    full.passes("the same once more", &prove(b"a:b"));
    assert_eq!(full.grow(&prove(b"c:d")), Err(Code::AuthFailed));
}
