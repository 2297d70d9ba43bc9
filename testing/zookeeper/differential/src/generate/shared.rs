//! Requests about nodes that all scripts share: reads, and writes that are refused.

use incumbent_zk_proto::{Acl, CreateKind};

use super::{Maker, pools};
use crate::script::{Ask, Expect, NodePath};

impl Maker {
    pub(super) fn shared(&mut self) -> Ask {
        let how = self.dice.between(0, 9);
        // `known::EMPTY_PATH`.
        let shared = if how < 5 {
            &pools::SHARED[1..]
        } else {
            pools::SHARED
        };
        let path = NodePath::Exact((*self.dice.pick(shared)).to_owned());
        let version = Expect::Exactly(pools::NEVER);
        match how {
            0 => Ask::Exists { path, watch: false },
            1 => Ask::GetData { path, watch: false },
            2 => Ask::GetChildren {
                path,
                watch: false,
                stat: self.dice.percent(50),
            },
            3 => Ask::GetAcl { path },
            4 => Ask::GetAllChildrenNumber { path },
            5 => Ask::SetData {
                path,
                data: None,
                version,
            },
            6 => Ask::SetAcl {
                path,
                acl: vec![Acl::open()],
                version,
            },
            7 => Ask::Delete { path, version },
            8 => Ask::Delete {
                path,
                version: Expect::Any,
            },
            // Never a write that could succeed.
            _ => {
                if path.path("") == "/zookeeper/nothing" {
                    Ask::Exists { path, watch: false }
                } else {
                    Ask::Create {
                        path,
                        data: None,
                        acl: vec![Acl::open()],
                        flags: *self.dice.pick(&[0, 1, 4, 9]),
                        kind: CreateKind::Plain,
                    }
                }
            }
        }
    }
}
