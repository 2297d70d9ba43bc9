//! The differences between two correct servers that are allowed, and how scripts and comparisons
//! allow for them. All other differences are errors.

/// One allowed difference.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    /// What differs.
    pub what: &'static str,
    /// The issue of ZooKeeper, or what this server does on purpose.
    pub why: &'static str,
    /// How scripts or comparisons allow for it.
    pub how: &'static str,
}

/// Modes of watches.
pub const MODES_PER_WATCHER: Known = Known {
    what: "a standard watch beside a persistent one on the same path of the same session",
    why: "ZOOKEEPER-4466, fixed in 3.9.0: before, the later one replaces the mode of the earlier one; ours keeps both",
    how: "a session sets watches of one mode only on any one path, and takes persistent ones away with `Any`",
};

/// Zxids of events.
pub const EVENT_ZXID: Known = Known {
    what: "the zxid in the header of an event",
    why: "ZOOKEEPER-4655, from 3.9.0 on, as ours: the change that triggered it; -1 before",
    how: "compared only if both sides say one",
};

/// Zxids that refused writes consume.
pub const REFUSED_ZXID: Known = Known {
    what: "the zxid in the header of an answer that changed nothing",
    why: "ZooKeeper logs refused writes, pure checks and empty transactions as transactions; ours logs changes only",
    how: "compared by the last change known before it; zxids of changes are compared exactly, by order",
};

/// Order of deletions at the end of a session.
pub const ORDER_OF_EPHEMERALS: Known = Known {
    what: "the order of events when a session with several ephemeral nodes is closed",
    why: "ZooKeeper keeps them in a hash set",
    how: "events between two answers of that step are sorted",
};

/// Order of lists without an order.
pub const ORDER_OF_IDENTITIES: Known = Known {
    what: "the order of children, ephemeral nodes, identities, and of entries that `auth` stands for",
    why: "ZooKeeper keeps them in hash sets",
    how: "sorted; of access control lists, neighbours of the same scheme and permissions only",
};

/// Nodes that are not the script's.
pub const SHARED_NODES: Known = Known {
    what: "children, their versions and counts of `/` and `/zookeeper`",
    why: "every script creates its root there, and scripts run beside each other",
    how: "other scripts' roots are left out; these fields of their stats are not compared",
};

/// Requests that end ZooKeeper.
pub const TTL_OF_ANOTHER_MODE: Known = Known {
    what: "creations of kind 21 with a time to live that cannot be, and the flags of another mode",
    why: "ZooKeeper 3.8.0 checks the time only if the mode has one, logs the transaction, and ends when it applies it: for \
          good, because it reads it again at the next start; ours refuses it",
    how: "not in scripts",
};

/// Requests that keep ZooKeeper busy for ever.
pub const NULL_WATCHES: Known = Known {
    what: "watches on a path that is null",
    why: "ZooKeeper 3.8.0 takes them, cannot take them away when the connection ends, and never closes its socket: a thread \
          spins; ours refuses the request",
    how: "not in scripts",
};

/// What pipelined requests see of earlier ones.
pub const PREPARED_TOO_EARLY: Known = Known {
    what: "requests sent right behind a change of an access control list, or behind a creation whose flags are not of its kind",
    why: "ZooKeeper checks a request before the ones ahead of it are applied, against what it thinks they will do, and that \
          lacks the new list and takes the flags for the kind: the answer depends on how fast it is. Ours does one after the \
          other",
    how: "such a request is the last of those that are sent at once",
};

/// Watches of other sessions.
pub const CHECKS_OF_OTHERS: Known = Known {
    what: "asking whether a watch is set that only another session has set",
    why: "ZooKeeper 3.8.0 says yes: it looks whether anybody watches the path; ours says whether this session does",
    how: "each session asks only about a node that no other session watches",
};

/// Handshakes with a wrong password.
pub const WRONG_PASSWORD: Known = Known {
    what: "a handshake with the number of a session that is connected, and a wrong password",
    why: "ZooKeeper ends the rightful connection before it looks at the password; ours looks first",
    how: "the session is disconnected before",
};

/// Answers ahead of a request that is too long.
pub const TOO_LONG: Known = Known {
    what: "answers to requests that were sent right ahead of one that is longer than `jute.maxbuffer`",
    why: "ZooKeeper closes the connection when it reads the length, whatever is still to be sent; ours sends it first",
    how: "such a request is sent alone",
};

/// Characters beyond U+FFFF.
pub const SURROGATES: Known = Known {
    what: "the path that `sync` gives back, if it has characters beyond U+FFFF",
    why: "ZooKeeper writes each as two of three bytes, which is not UTF-8; no node has such a name",
    how: "not in scripts",
};

/// Times to live in transactions.
pub const TTL_IN_TRANSACTION: Known = Known {
    what: "parts of transactions that have flags 5 or 6 (a time to live) or are of kind 21, but not both",
    why: "ZooKeeper cannot read such flags in another kind, and answers the whole request with -5; of kind 21 with other flags \
          it looks at the nodes first. Ours refuses the part with BadArguments at once, as outside a transaction",
    how: "not in scripts",
};

/// Kinds and flags that contradict each other.
pub const EPHEMERAL_CONTAINER: Known = Known {
    what: "creations of kind 19 (a container) with the flags 1 or 3 (ephemeral), outside transactions",
    why: "ZooKeeper checks them as ephemeral nodes and makes containers; ours goes by the flags, as both do in transactions",
    how: "not in scripts",
};

/// Access control lists with IPv6 addresses.
pub const IPV6_LISTS: Known = Known {
    what: "access control lists with IPv6 addresses, and so what is refused first in a request that has one",
    why: "ZOOKEEPER-4240, fixed in 3.9.4: before, there are none, and the list is refused; ours knows them",
    how: "not in scripts",
};

/// The empty path as a name of the root.
pub const EMPTY_PATH: Known = Known {
    what: "reading the node whose path is empty",
    why: "in ZooKeeper it is the root, by an entry of its map that is not meant for clients; ours has no such node",
    how: "not in scripts; writes are, which both refuse",
};

/// Malformed bodies.
pub const NO_REQUEST: Known = Known {
    what: "bodies that are too short or too long, or hold what cannot be: null as a path, an unknown mode or kind of watch, a \
           boolean of 2, text that is not UTF-8, a part of a transaction that cannot be one",
    why: "ZooKeeper answers -5 and goes on, or overlooks it; ours closes the connection with a reason in its log: a client \
          that sends this does not speak the protocol",
    how: "not in scripts",
};

/// Kinds that mean persistent watches only.
pub const PERSISTENT_KINDS: Known = Known {
    what: "asking for, or taking away, watches of the kinds 4 and 5 (persistent, and recursive)",
    why: "ZOOKEEPER-4472, from 3.9.0 on, as ours; before, they are unknown and answered with -5",
    how: "not in scripts",
};

/// Requests that a server makes for itself.
pub const KINDS_OF_SERVERS: Known = Known {
    what: "requests of the kinds 20 (delete a container) and -10 (create a session)",
    why: "ZooKeeper takes these from clients although they are meant for itself. 3.8.0 answers the first with BadArguments, \
          whatever the path; 3.9 deletes the node without looking at its access control list. Both answer the second with -5 \
          if it has no body, as ours does, and else with a handshake in the middle of a session. Ours refuses both",
    how: "not in scripts",
};

/// Stats of what a transaction creates.
pub const CREATE2_IN_TRANSACTION: Known = Known {
    what: "the result of a part of a transaction of kind 15 (create2) whose node does not fade",
    why: "ZOOKEEPER-4026, fixed in 3.7.2, 3.8.2 and 3.9.0, as ours: type 15 with path and stat; before, type 1 with the path \
          only",
    how: "the stat is compared if both servers send one",
};

/// A check outside a transaction.
pub const LONE_CHECK: Known = Known {
    what: "a check (13) outside a transaction that finds what it expects",
    why: "ZooKeeper 3.8.0 never answers it, and from 3.9.3 on it answers Unimplemented and closes the connection; ours answers \
          that it is so",
    how: "not in scripts",
};

/// SASL without a configuration for it.
pub const SASL: Known = Known {
    what: "requests of kind 102 (SASL)",
    why: "a ZooKeeper that is not set up for it answers an empty token, and goes on as if nothing had been said; ours answers \
          AuthFailed, for the client is not who it believes to be",
    how: "not in scripts",
};

/// All allowed differences.
pub const ALL: &[Known] = &[
    MODES_PER_WATCHER,
    EVENT_ZXID,
    REFUSED_ZXID,
    ORDER_OF_EPHEMERALS,
    ORDER_OF_IDENTITIES,
    SHARED_NODES,
    TTL_OF_ANOTHER_MODE,
    NULL_WATCHES,
    PREPARED_TOO_EARLY,
    CHECKS_OF_OTHERS,
    WRONG_PASSWORD,
    TOO_LONG,
    SURROGATES,
    TTL_IN_TRANSACTION,
    EPHEMERAL_CONTAINER,
    IPV6_LISTS,
    EMPTY_PATH,
    NO_REQUEST,
    PERSISTENT_KINDS,
    KINDS_OF_SERVERS,
    CREATE2_IN_TRANSACTION,
    LONE_CHECK,
    SASL,
];
