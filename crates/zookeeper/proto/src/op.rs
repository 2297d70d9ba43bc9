//! The kinds of requests.

macro_rules! ops {
    ($($(#[$doc:meta])* $name:ident = $number:literal,)*) => {
        /// The kind of a request, as `ZooDefs.OpCode` of ZooKeeper numbers it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Op {
            $($(#[$doc])* $name,)*
        }

        impl Op {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The number on the wire.
            pub const fn number(self) -> i32 {
                match self {
                    $(Self::$name => $number,)*
                }
            }

            /// The kind with this number, if it is known here.
            pub const fn from_number(number: i32) -> Option<Self> {
                match number {
                    $($number => Some(Self::$name),)*
                    _ => None,
                }
            }
        }
    };
}

ops! {
    /// Creates a node.
    Create = 1,
    /// Deletes a node.
    Delete = 2,
    /// Asks for a node's stat; the node may not exist.
    Exists = 3,
    /// Asks for a node's data.
    GetData = 4,
    /// Replaces a node's data.
    SetData = 5,
    /// Asks for a node's access control list.
    GetAcl = 6,
    /// Replaces a node's access control list.
    SetAcl = 7,
    /// Asks for the names of a node's children.
    GetChildren = 8,
    /// Waits until all earlier writes of anybody can be read.
    Sync = 9,
    /// Shows that the client lives.
    Ping = 11,
    /// Asks for the names of a node's children, and its stat.
    GetChildren2 = 12,
    /// Checks a node's version.
    Check = 13,
    /// Several writes: all or none.
    Multi = 14,
    /// Creates a node and asks for its stat.
    Create2 = 15,
    /// Changes the members of an ensemble.
    Reconfig = 16,
    /// Asks whether a watch is set.
    CheckWatches = 17,
    /// Removes a watch.
    RemoveWatches = 18,
    /// Creates a container.
    CreateContainer = 19,
    /// Creates a node with a time to live.
    CreateTtl = 21,
    /// Several reads at once.
    MultiRead = 22,
    /// Proves an identity.
    Auth = 100,
    /// Sets watches again after a reconnect.
    SetWatches = 101,
    /// One step of a SASL dialogue.
    Sasl = 102,
    /// Asks for the ephemeral nodes of this session.
    GetEphemerals = 103,
    /// Asks how many nodes are below a node.
    GetAllChildrenNumber = 104,
    /// Sets watches of all kinds again after a reconnect.
    SetWatches2 = 105,
    /// Sets a persistent watch.
    AddWatch = 106,
    /// Asks for the identities of the client.
    WhoAmI = 107,
    /// Ends the session.
    CloseSession = -11,
}
