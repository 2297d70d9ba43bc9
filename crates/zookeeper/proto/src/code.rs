//! Error codes, as `KeeperException.Code` of ZooKeeper's Java client numbers them.

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $number:literal,)*) => {
        /// Why a request was refused.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Code {
            $($(#[$doc])* $name,)*
        }

        impl Code {
            /// The number on the wire.
            pub const fn number(self) -> i32 {
                match self {
                    $(Self::$name => $number,)*
                }
            }

            /// The code of a number, if it is one that is known here.
            pub const fn from_number(number: i32) -> Option<Self> {
                match number {
                    $($number => Some(Self::$name),)*
                    _ => None,
                }
            }
        }
    };
}

codes! {
    /// The server failed.
    SystemError = -1,
    /// In a transaction: not attempted, because an earlier part was refused.
    RuntimeInconsistency = -2,
    /// The request could not be read.
    MarshallingError = -5,
    /// The server does not do this.
    Unimplemented = -6,
    /// The arguments are impossible.
    BadArguments = -8,
    /// The server has no such session.
    UnknownSession = -12,
    /// There is no such node.
    NoNode = -101,
    /// The access control list of the node does not allow it.
    NoAuth = -102,
    /// The node has another version.
    BadVersion = -103,
    /// Ephemeral nodes have no children.
    NoChildrenForEphemerals = -108,
    /// The node exists.
    NodeExists = -110,
    /// The node has children.
    NotEmpty = -111,
    /// The session is over.
    SessionExpired = -112,
    /// The access control list is invalid.
    InvalidAcl = -114,
    /// The client failed to authenticate, or the scheme is unknown.
    AuthFailed = -115,
    /// There is no such watch.
    NoWatcher = -121,
    /// The ensemble cannot be changed.
    ReconfigDisabled = -123,
    /// A limit of the server was reached.
    QuotaExceeded = -125,
}
