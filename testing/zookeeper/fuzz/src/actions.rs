//! Reads bytes as actions of clients.

use incumbent_zk_proto::{
    Acl, AddMode, Create, CreateKind, Id, RemoveKind, Request, SetWatches, perms,
};

use crate::world::World;

/// Reads bytes as actions of clients and lets a machine handle them. Then a new machine replays the
/// log, and must become the same.
pub fn machine(bytes: &[u8]) {
    let mut bytes = Bytes(bytes);
    let mut world = World::new();
    world.connect(5_000);
    // Enough for any fault; a longer input is only slower.
    for _ in 0..400 {
        let Some(what) = bytes.byte() else { break };
        let which = what >> 4;
        match what & 15 {
            0 => world.connect(i32::from(bytes.small()) * 256),
            1 => world.come_back(which, bytes.small() != 0),
            2 => world.disconnect(which, bytes.small() & 1 == 0),
            3 => world.wait(u32::from(bytes.small()) * 50),
            4 => world.held_up(u32::from(bytes.small()) * 50),
            5 => {
                let length = usize::from(bytes.small());
                world.send(which, bytes.take(length));
            }
            _ => {
                let mut frame = Vec::new();
                request(&mut bytes).write_frame(i32::from(which), &mut frame);
                world.send(which, &frame);
            }
        }
    }
    world.check();
}

/// What is left of the input.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    /// Zero at the end.
    fn small(&mut self) -> u8 {
        self.byte().unwrap_or(0)
    }

    fn take(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        taken
    }

    fn pick<T: Copy>(&mut self, all: &[T]) -> T {
        all[usize::from(self.small()) % all.len()]
    }

    /// Often one that exists.
    fn path(&mut self) -> &'a str {
        const PATHS: &[&str] = &[
            "/a",
            "/b",
            "/a/x",
            "/a/y",
            "/a/x/1",
            "/b/z",
            "/a/",
            "/",
            "/zookeeper",
            "/zookeeper/quota",
            "/zookeeper/config",
            "bad",
            "",
            "/a//b",
            "/a/x0000000000",
        ];
        self.pick(PATHS)
    }

    fn version(&mut self) -> i32 {
        self.pick(&[-1, 0, 1, 2, -2, i32::MAX])
    }

    fn data(&mut self) -> Option<&'a [u8]> {
        const LONG: [u8; 4_000] = [b'x'; 4_000];
        let length = self.small();
        match length {
            255 => None,
            200.. => Some(&LONG[..usize::from(length - 199) * 70]),
            length => Some(self.take(usize::from(length % 8))),
        }
    }

    fn acl(&mut self) -> Vec<Acl> {
        let count = self.small() % 4;
        let one = |bytes: &mut Self| {
            let (scheme, id) = bytes.pick(&[
                ("world", "anyone"),
                ("auth", ""),
                ("ip", "127.0.0.1"),
                ("ip", "10.0.0.0/8"),
                ("digest", "a:b"),
                ("digest", "bad"),
                ("x509", "CN=a"),
                ("super", ""),
            ]);
            Acl {
                perms: bytes.pick(&[perms::ALL, perms::READ, perms::ALL, 0, -1, 30]),
                id: Id {
                    scheme: scheme.into(),
                    id: id.into(),
                },
            }
        };
        match count {
            // Mostly open, so that something happens.
            0 | 1 => vec![Acl::open()],
            count => (2..count + 1).map(|_| one(self)).collect(),
        }
    }
}

fn write<'a>(bytes: &mut Bytes<'a>) -> Request<'a> {
    let path = bytes.path();
    match bytes.small() % 8 {
        0..4 => Request::Create(Create {
            path,
            data: bytes.data(),
            acl: bytes.acl(),
            flags: i32::from(bytes.small() % 9) - 1,
            kind: match bytes.small() % 6 {
                0 => CreateKind::WithStat,
                1 => CreateKind::Container,
                2 => CreateKind::Ttl(i64::from(bytes.small()) * 100 - 1),
                _ => CreateKind::Plain,
            },
        }),
        4 => Request::Delete {
            path,
            version: bytes.version(),
        },
        5 | 6 => Request::SetData {
            path,
            data: bytes.data(),
            version: bytes.version(),
        },
        _ => Request::Check {
            path,
            version: bytes.version(),
        },
    }
}

fn request<'a>(bytes: &mut Bytes<'a>) -> Request<'a> {
    let what = bytes.small();
    let watch = what & 128 != 0;
    let kind = RemoveKind::from_number(1 + i32::from(what % 5)).expect("1 to 5");
    match what % 24 {
        0..6 => write(bytes),
        6..9 => {
            let count = bytes.small() % 6;
            Request::Multi((0..count).map(|_| write(bytes)).collect())
        }
        9 => Request::GetData {
            path: bytes.path(),
            watch,
        },
        10 => Request::Exists {
            path: bytes.path(),
            watch,
        },
        11 => Request::GetChildren {
            path: bytes.path(),
            watch,
            stat: what & 64 != 0,
        },
        12 => Request::AddWatch {
            path: bytes.path(),
            mode: bytes.pick(&[AddMode::Persistent, AddMode::Recursive]),
        },
        13 => Request::RemoveWatches {
            path: bytes.path(),
            kind,
        },
        14 => Request::CheckWatches {
            path: bytes.path(),
            kind,
        },
        15 => Request::SetAcl {
            path: bytes.path(),
            acl: bytes.acl(),
            version: bytes.version(),
        },
        16 => Request::GetAcl { path: bytes.path() },
        17 => Request::SetWatches(SetWatches {
            relative_zxid: i64::from(bytes.small()),
            data: vec![bytes.path()],
            exist: vec![bytes.path()],
            child: vec![bytes.path()],
            persistent: watch.then(|| (vec![bytes.path()], vec![bytes.path()])),
        }),
        18 => {
            let count = bytes.small() % 40;
            let path = bytes.path();
            let read = Request::GetData { path, watch };
            Request::MultiRead(vec![read; usize::from(count)])
        }
        19 => Request::Auth {
            scheme: bytes.pick(&["digest", "ip", "digest", "bad", "x509"]),
            auth: bytes.pick(&[&b"a:b"[..], b"c:d", b"e:f", b"g:h", b"\xff", b""]),
        },
        20 => Request::GetEphemerals {
            prefix: bytes.path(),
        },
        21 => Request::GetAllChildrenNumber { path: bytes.path() },
        22 => bytes
            .pick(&[&Request::Ping, &Request::WhoAmI, &Request::Reconfig])
            .clone(),
        _ => Request::CloseSession,
    }
}
