//! Single requests.

use incumbent_zk_proto::{Acl, CreateKind, RemoveKind};

use super::{Maker, WatchClass, pools};
use crate::script::{Ask, Expect, NodePath, Payload};

#[derive(Clone, Copy)]
enum AskKind {
    Create,
    Delete,
    Exists,
    GetData,
    SetData,
    GetAcl,
    SetAcl,
    GetChildren,
    Sync,
    Ping,
    Multi,
    MultiRead,
    CheckWatches,
    RemoveWatches,
    SetWatches,
    GetEphemerals,
    Count,
    AddWatch,
    WhoAmI,
    Shared,
}

const KINDS: &[(u32, AskKind)] = &[
    (24, AskKind::Create),
    (12, AskKind::Delete),
    (10, AskKind::Exists),
    (9, AskKind::GetData),
    (12, AskKind::SetData),
    (5, AskKind::GetAcl),
    (4, AskKind::SetAcl),
    (10, AskKind::GetChildren),
    (1, AskKind::Sync),
    (1, AskKind::Ping),
    (12, AskKind::Multi),
    (3, AskKind::MultiRead),
    (3, AskKind::CheckWatches),
    (4, AskKind::RemoveWatches),
    (2, AskKind::SetWatches),
    (2, AskKind::GetEphemerals),
    (2, AskKind::Count),
    (7, AskKind::AddWatch),
    (1, AskKind::WhoAmI),
    (3, AskKind::Shared),
];

impl Maker {
    /// A request that neither ends the connection nor changes the identities of the client.
    pub(super) fn ask(&mut self) -> Ask {
        match self.dice.weighted(KINDS) {
            AskKind::Create => self.create(false),
            AskKind::Delete => self.delete(),
            AskKind::Exists => {
                let path = self.place();
                let watch = self.watch(&path);
                Ask::Exists { path, watch }
            }
            AskKind::GetData => self.get_data(),
            AskKind::SetData => self.set_data(),
            AskKind::GetAcl => Ask::GetAcl { path: self.place() },
            AskKind::SetAcl => Ask::SetAcl {
                path: self.removable(),
                acl: self.acl(40),
                version: self.expect(),
            },
            AskKind::GetChildren => {
                let stat = self.dice.percent(60);
                self.get_children(stat)
            }
            AskKind::Sync => {
                let path = self.place();
                // `known::SURROGATES`.
                let beyond = path.path("").chars().any(|c| c > '\u{ffff}');
                Ask::Sync {
                    path: if beyond { self.node() } else { path },
                }
            }
            AskKind::Ping => Ask::Ping,
            AskKind::Multi => {
                let count = self.dice.between(0, 5);
                Ask::Multi((0..count).map(|_| self.part()).collect())
            }
            AskKind::MultiRead => {
                let count = self.dice.between(0, 4);
                let part = |_| {
                    if self.dice.percent(50) {
                        self.get_data()
                    } else {
                        self.get_children(false)
                    }
                };
                Ask::MultiRead((0..count).map(part).collect())
            }
            AskKind::CheckWatches => {
                let path = self.own();
                let kind = self.watch_kind(&path);
                Ask::CheckWatches { path, kind }
            }
            AskKind::RemoveWatches => {
                let path = self.place();
                let kind = self.watch_kind(&path);
                Ask::RemoveWatches { path, kind }
            }
            AskKind::SetWatches => self.set_watches(),
            AskKind::GetEphemerals => Ask::GetEphemerals {
                prefix: if self.dice.percent(20) {
                    NodePath::Exact("/".to_owned())
                } else {
                    self.place()
                },
            },
            AskKind::Count => Ask::GetAllChildrenNumber { path: self.place() },
            AskKind::AddWatch => self.add_watch(),
            AskKind::WhoAmI => Ask::WhoAmI,
            AskKind::Shared => self.shared(),
        }
    }

    fn create(&mut self, part: bool) -> Ask {
        let flags = if self.dice.percent(4) {
            *self.dice.pick(pools::NO_MODES)
        } else {
            *self.dice.pick(pools::MODES)
        };
        // Mostly with the kind that fits.
        let fitting = self.dice.percent(90);
        let kind = match (flags, fitting) {
            (4, true) => CreateKind::Container,
            (5 | 6, true) => CreateKind::Ttl(self.ttl(20)),
            // `known::TTL_IN_TRANSACTION`.
            (5 | 6, false) if part => CreateKind::Ttl(self.ttl(20)),
            (_, false) if part => *self.dice.pick(&[
                CreateKind::Plain,
                CreateKind::WithStat,
                CreateKind::Container,
            ]),
            (_, true) => *self.dice.pick(&[CreateKind::Plain, CreateKind::WithStat]),
            // `known::EPHEMERAL_CONTAINER`.
            (1 | 3, false) => CreateKind::Ttl(self.ttl(0)),
            (_, false) => {
                // A valid one, with the flags of another mode: `known::TTL_OF_ANOTHER_MODE`.
                let ttl = CreateKind::Ttl(self.ttl(0));
                *self.dice.pick(&[
                    CreateKind::Plain,
                    CreateKind::WithStat,
                    CreateKind::Container,
                    ttl,
                ])
            }
        };
        let path = self.place();
        // Directly below `/`, the number would be that of a shared node.
        let flags = match (path == NodePath::Below(String::new()), flags) {
            (true, 2 | 3) => flags - 2,
            (true, 6) => 5,
            _ => flags,
        };
        Ask::Create {
            path,
            data: self.data(),
            acl: self.acl(5),
            flags,
            kind,
        }
    }

    fn delete(&mut self) -> Ask {
        Ask::Delete {
            path: self.removable(),
            version: self.expect(),
        }
    }

    fn get_data(&mut self) -> Ask {
        let path = self.place();
        let watch = self.watch(&path);
        Ask::GetData { path, watch }
    }

    fn get_children(&mut self, stat: bool) -> Ask {
        let path = self.place();
        let watch = self.watch(&path);
        Ask::GetChildren { path, watch, stat }
    }

    fn set_data(&mut self) -> Ask {
        Ask::SetData {
            path: self.place(),
            data: self.data(),
            version: self.expect(),
        }
    }

    fn part(&mut self) -> Ask {
        match self.dice.between(0, 9) {
            0..4 => self.create(true),
            4..6 => self.delete(),
            6..8 => self.set_data(),
            _ => Ask::Check {
                path: self.place(),
                version: self.expect(),
            },
        }
    }

    fn add_watch(&mut self) -> Ask {
        // Of nodes only: an odd path has a class too, and it is nearly always the wrong one.
        for _ in 0..20 {
            let path = self.node();
            if let WatchClass::Added(mode) = self.class(&path) {
                return Ask::AddWatch { path, mode };
            }
        }
        Ask::WhoAmI
    }

    fn watch_kind(&mut self, path: &NodePath) -> RemoveKind {
        let kinds: &[RemoveKind] = match self.class(path) {
            WatchClass::Standard => &[RemoveKind::Children, RemoveKind::Data, RemoveKind::Any],
            WatchClass::Added(_) | WatchClass::None => &[RemoveKind::Any],
        };
        *self.dice.pick(kinds)
    }

    fn watch(&mut self, path: &NodePath) -> bool {
        self.dice.percent(50) && self.class(path) == WatchClass::Standard
    }

    /// A node that may exist.
    pub(super) fn node(&mut self) -> NodePath {
        if self.dice.percent(10) {
            self.own()
        } else {
            NodePath::Below((*self.dice.pick(pools::NODES)).to_owned())
        }
    }

    /// Any path below the root, or no path at all.
    fn place(&mut self) -> NodePath {
        match self.dice.between(0, 99) {
            0..4 => NodePath::Below((*self.dice.pick(pools::ODD)).to_owned()),
            4 => NodePath::Exact((*self.dice.pick(pools::NO_PATHS)).to_owned()),
            _ => self.node(),
        }
    }

    /// As `place`, but seldom the root: deleting it would leave nothing to compare.
    fn removable(&mut self) -> NodePath {
        let place = self.place();
        if place == NodePath::Below(String::new()) && self.dice.percent(85) {
            self.place()
        } else {
            place
        }
    }

    fn expect(&mut self) -> Expect {
        match self.dice.between(0, 9) {
            0..5 => Expect::Any,
            5..8 => Expect::Seen,
            _ => Expect::Exactly(*self.dice.pick(&[
                0,
                1,
                2,
                3,
                -2,
                pools::NEVER,
                i32::MAX,
                i32::MIN,
            ])),
        }
    }

    fn data(&mut self) -> Option<Payload> {
        let data = match self.dice.between(0, 99) {
            0..15 => return None,
            15..30 => Vec::new(),
            30..85 => vec![b'x'; self.dice.between(1, 9)],
            85..99 => (0..=255).collect(),
            _ => vec![b'y'; *self.dice.pick(&[65_536, 1_000_000])],
        };
        Some(Payload(data))
    }

    fn acl(&mut self, unusual: u32) -> Vec<Acl> {
        match (self.dice.percent(unusual), self.dice.percent(70)) {
            (false, _) => vec![Acl::open()],
            (true, true) => self.dice.pick(&pools::lists()).clone(),
            (true, false) => self.dice.pick(&pools::bad_lists()).clone(),
        }
    }

    fn ttl(&mut self, unusual: u32) -> i64 {
        if self.dice.percent(unusual) {
            *self.dice.pick(pools::TTLS)
        } else {
            1_000_000
        }
    }
}
