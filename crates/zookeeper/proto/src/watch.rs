//! Watches and their events.

use std::sync::Arc;

use crate::jute::{Malformed, Reader, Write};

/// The state in every event: the client is connected (`KeeperState.SyncConnected`).
const CONNECTED: i32 = 3;

macro_rules! numbered {
    ($(#[$outer:meta])* $type:ident, $what:literal { $($(#[$doc:meta])* $name:ident = $number:literal,)* }) => {
        $(#[$outer])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $type {
            $($(#[$doc])* $name,)*
        }

        impl $type {
            /// The number on the wire.
            pub const fn number(self) -> i32 {
                match self {
                    $(Self::$name => $number,)*
                }
            }

            /// The value of a number.
            ///
            /// # Errors
            ///
            /// [`Malformed::Unknown`].
            pub const fn from_number(number: i32) -> Result<Self, Malformed> {
                match number {
                    $($number => Ok(Self::$name),)*
                    number => Err(Malformed::Unknown { what: $what, number }),
                }
            }
        }
    };
}

numbered! {
    /// What happened to a node.
    EventKind, "an event of kind" {
        /// It was created.
        Created = 1,
        /// It was deleted.
        Deleted = 2,
        /// Its data was set.
        DataChanged = 3,
        /// A child was created or deleted.
        ChildrenChanged = 4,
    }
}

numbered! {
    /// How a persistent watch is set.
    AddMode, "a watch of mode" {
        /// On one node.
        Persistent = 0,
        /// On a node and everything below it, without changes of children.
        Recursive = 1,
    }
}

numbered! {
    /// The watches that a client asks about or removes.
    RemoveKind, "a watch of kind" {
        /// Those on children.
        Children = 1,
        /// Those on data and existence.
        Data = 2,
        /// All.
        Any = 3,
        /// Those that are persistent on one node.
        Persistent = 4,
        /// Those that are persistent and recursive.
        Recursive = 5,
    }
}

/// An event for a client that watches.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WatchEvent {
    /// What happened.
    pub kind: EventKind,
    /// The node.
    pub path: Arc<str>,
}

impl WatchEvent {
    /// Reads one.
    ///
    /// # Errors
    ///
    /// [`Malformed`].
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let kind = EventKind::from_number(reader.int()?)?;
        let _state = reader.int()?;
        Ok(Self {
            kind,
            path: reader.string()?.into(),
        })
    }

    /// Writes it.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.int(self.kind.number());
        out.int(CONNECTED);
        out.string(&self.path);
    }
}
