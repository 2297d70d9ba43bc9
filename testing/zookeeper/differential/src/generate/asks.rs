//! Single requests.

use incumbent_zk_proto::{Acl, CreateKind, RemoveKind};

use super::{Maker, WatchClass, pools};
use crate::script::{Ask, Expect, Payload, Place};

#[derive(Clone, Copy)]
enum Kind {
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

const KINDS: &[(u32, Kind)] = &[
    (24, Kind::Create),
    (12, Kind::Delete),
    (10, Kind::Exists),
    (9, Kind::GetData),
    (12, Kind::SetData),
    (5, Kind::GetAcl),
    (4, Kind::SetAcl),
    (10, Kind::GetChildren),
    (1, Kind::Sync),
    (1, Kind::Ping),
    (12, Kind::Multi),
    (3, Kind::MultiRead),
    (3, Kind::CheckWatches),
    (4, Kind::RemoveWatches),
    (2, Kind::SetWatches),
    (2, Kind::GetEphemerals),
    (2, Kind::Count),
    (7, Kind::AddWatch),
    (1, Kind::WhoAmI),
    (3, Kind::Shared),
];

impl Maker {
    /// A request that neither ends the connection nor changes the identities of the client.
    pub(super) fn ask(&mut self) -> Ask {
        match self.dice.weighted(KINDS) {
            Kind::Create => self.create(false),
            Kind::Delete => self.delete(),
            Kind::Exists => {
                let path = self.place();
                let watch = self.watch(&path);
                Ask::Exists { path, watch }
            }
            Kind::GetData => self.get_data(),
            Kind::SetData => self.set_data(),
            Kind::GetAcl => Ask::GetAcl { path: self.place() },
            Kind::SetAcl => Ask::SetAcl {
                path: self.removable(),
                acl: self.acl(40),
                version: self.expect(),
            },
            Kind::GetChildren => {
                let stat = self.dice.percent(60);
                self.get_children(stat)
            }
            Kind::Sync => {
                let path = self.place();
                // `known::SURROGATES`.
                let beyond = path.path("").chars().any(|c| c > '\u{ffff}');
                Ask::Sync {
                    path: if beyond { self.node() } else { path },
                }
            }
            Kind::Ping => Ask::Ping,
            Kind::Multi => {
                let count = self.dice.between(0, 5);
                Ask::Multi((0..count).map(|_| self.part()).collect())
            }
            Kind::MultiRead => {
                let count = self.dice.between(0, 4);
                let part = |_| match self.dice.percent(50) {
                    true => self.get_data(),
                    false => self.get_children(false),
                };
                Ask::MultiRead((0..count).map(part).collect())
            }
            Kind::CheckWatches => {
                let path = self.own();
                let kind = self.watch_kind(&path);
                Ask::CheckWatches { path, kind }
            }
            Kind::RemoveWatches => {
                let path = self.place();
                let kind = self.watch_kind(&path);
                Ask::RemoveWatches { path, kind }
            }
            Kind::SetWatches => self.set_watches(),
            Kind::GetEphemerals => Ask::GetEphemerals {
                prefix: match self.dice.percent(20) {
                    true => Place::Exact("/".to_owned()),
                    false => self.place(),
                },
            },
            Kind::Count => Ask::GetAllChildrenNumber { path: self.place() },
            Kind::AddWatch => self.add_watch(),
            Kind::WhoAmI => Ask::WhoAmI,
            Kind::Shared => self.shared(),
        }
    }

    fn create(&mut self, part: bool) -> Ask {
        let flags = match self.dice.percent(4) {
            true => *self.dice.pick(pools::NO_MODES),
            false => *self.dice.pick(pools::MODES),
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
        let flags = match (path == Place::Below(String::new()), flags) {
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

    fn watch_kind(&mut self, path: &Place) -> RemoveKind {
        let kinds: &[RemoveKind] = match self.class(path) {
            WatchClass::Standard => &[RemoveKind::Children, RemoveKind::Data, RemoveKind::Any],
            WatchClass::Added(_) | WatchClass::None => &[RemoveKind::Any],
        };
        *self.dice.pick(kinds)
    }

    fn watch(&mut self, path: &Place) -> bool {
        self.dice.percent(50) && self.class(path) == WatchClass::Standard
    }

    /// A node that may exist.
    pub(super) fn node(&mut self) -> Place {
        match self.dice.percent(10) {
            true => self.own(),
            false => Place::Below((*self.dice.pick(pools::NODES)).to_owned()),
        }
    }

    /// Any path below the root, or no path at all.
    fn place(&mut self) -> Place {
        match self.dice.between(0, 99) {
            0..4 => Place::Below((*self.dice.pick(pools::ODD)).to_owned()),
            4 => Place::Exact((*self.dice.pick(pools::NO_PATHS)).to_owned()),
            _ => self.node(),
        }
    }

    /// As `place`, but seldom the root: deleting it would leave nothing to compare.
    fn removable(&mut self) -> Place {
        let place = self.place();
        match place == Place::Below(String::new()) && self.dice.percent(85) {
            true => self.place(),
            false => place,
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
        match self.dice.percent(unusual) {
            true => *self.dice.pick(pools::TTLS),
            false => 1_000_000,
        }
    }
}
