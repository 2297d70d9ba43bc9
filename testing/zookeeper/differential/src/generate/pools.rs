//! The values that scripts are made of: few, so that sessions meet.

use incumbent_zk_proto::{Acl, Id, perms};

/// Paths below the root of the script.
pub(super) const NODES: &[&str] = &[
    "",
    "/a",
    "/a",
    "/b",
    "/c",
    "/a/x",
    "/a/x",
    "/a/y",
    "/b/x",
    "/a/x/q",
    "/ä",
    // The names of sequential nodes.
    "/a0000000000",
    "/a/x0000000000",
    "/a/x0000000001",
    "/b/x0000000001",
    // The nodes that single sessions watch, for the other sessions.
    "/w0",
    "/w1",
];

/// The beginning of the name of a node that only one session watches; the number of the session
/// follows.
pub(super) const WATCHED_BY: &str = "/w";

/// Paths below the root that are odd, on both sides of every border.
pub(super) const ODD: &[&str] = &[
    "/a/",
    "/",
    "//b",
    "/a//x",
    "/./a",
    "/../a",
    "/a/.",
    "/a/..",
    "/.a",
    "/a..b",
    "/a/...",
    "/\0",
    "/a\0b",
    "/\u{1}",
    "/a\u{1f}",
    "/\u{20}",
    "/\u{7e}",
    "/\u{7f}",
    "/\u{80}",
    "/\u{9f}",
    "/\u{a0}",
    "/\u{d7ff}",
    "/\u{e000}",
    "/\u{f8fe}",
    "/\u{f8ff}",
    "/\u{f900}",
    "/\u{ffef}",
    "/\u{fff0}",
    "/\u{fffd}",
    "/\u{fffe}",
    "/\u{ffff}",
    "/\u{10000}",
    "/\u{1f600}",
    "/\u{10ffff}",
    "/%",
    "/ a\n",
];

/// Texts that are no paths.
pub(super) const NO_PATHS: &[&str] = &["a", "//", "a/b", ".", "./a", "\0"];

/// Nodes that all scripts share. They are read, and written only in ways that are refused. The
/// first is never read.
pub(super) const SHARED: &[&str] = &[
    "",
    "/",
    "/zookeeper",
    "/zookeeper/config",
    "/zookeeper/quota",
    "/zookeeper/nothing",
];

/// A version that no node ever has.
pub(super) const NEVER: i32 = 77;

/// Flags of creations, valid and invalid.
pub(super) const MODES: &[i32] = &[0, 0, 0, 0, 1, 1, 2, 2, 3, 4, 5, 6];
pub(super) const NO_MODES: &[i32] = &[7, 8, -1, 100, i32::MAX, i32::MIN];

/// Times to live; the longest valid one is 2^40 - 1.
pub(super) const TTLS: &[i64] = &[
    1_000_000,
    3_600_000,
    0xff_ffff_ffff,
    0x100_0000_0000,
    0,
    -1,
    -2,
    i64::MAX,
    i64::MIN,
];

pub(super) const TIMEOUTS: &[i32] = &[
    0,
    1,
    -1,
    3_999,
    4_000,
    4_001,
    30_000,
    39_999,
    40_000,
    40_001,
    i32::MAX,
    i32::MIN,
];

/// Numbers of requests; -1 is missing because its answer would look like an event.
pub(super) const XIDS: &[i32] = &[0, 1, -2, -3, -4, -8, -100, i32::MAX, i32::MIN];

/// Schemes, proofs in them, and whether that ends the connection.
pub(super) const AUTHS: &[(&str, &[u8], bool)] = &[
    ("digest", b"alice:secret", false),
    ("digest", b"alice:secret", false),
    ("digest", b"alice:secret", false),
    ("digest", b"bob:hidden", false),
    ("digest", b"bob:hidden", false),
    ("digest", b"carol", false),
    ("digest", b"dave:with:colons", false),
    ("digest", b"", false),
    ("digest", b"super:guess", false),
    ("ip", b"10.0.0.1", false),
    ("world", b"anyone", true),
    ("auth", b"", true),
    ("nope", b"x", true),
    ("", b"", true),
];

/// The identities of [`AUTHS`] that lists name.
const ALICE: &str = "alice:aYXlLOpEooaV1cRAvUL1fp9Qt7E=";
const BOB: &str = "bob:t6EE4g1VcSWwVE0HlwKXoBOX6Vk=";

fn entry(perms: i32, scheme: &str, id: &str) -> Acl {
    let (scheme, id) = (scheme.to_owned(), id.to_owned());
    Acl {
        perms,
        id: Id { scheme, id },
    }
}

/// Valid lists.
pub(super) fn lists() -> Vec<Vec<Acl>> {
    let world = |perms| entry(perms, "world", "anyone");
    vec![
        vec![world(perms::READ)],
        vec![entry(perms::ALL, "digest", ALICE)],
        vec![world(perms::READ), entry(perms::ALL, "digest", ALICE)],
        vec![
            entry(perms::READ | perms::ADMIN, "digest", ALICE),
            entry(perms::WRITE, "digest", BOB),
        ],
        vec![entry(perms::ALL, "auth", "")],
        vec![entry(perms::READ, "auth", "ignored"), world(perms::ALL)],
        vec![entry(perms::ALL, "ip", "127.0.0.1")],
        vec![entry(perms::ALL, "ip", "127.0.0.1/8"), world(perms::READ)],
        vec![entry(perms::ALL, "ip", "10.0.0.0/8"), world(perms::READ)],
        vec![world(perms::READ | perms::CREATE)],
        vec![world(perms::READ | perms::DELETE)],
        vec![world(perms::WRITE)],
        vec![world(perms::ADMIN)],
        vec![world(perms::READ), world(perms::WRITE), world(perms::READ)],
        vec![Acl::open(), Acl::open()],
    ]
}

/// Lists that are refused, or nearly so.
pub(super) fn bad_lists() -> Vec<Vec<Acl>> {
    let all = |scheme, id| vec![entry(perms::ALL, scheme, id)];
    vec![
        vec![],
        all("world", "somebody"),
        all("", ""),
        all("nope", "x"),
        all("sasl", "alice"),
        all("super", ""),
        all("digest", ""),
        all("digest", "alice"),
        all("digest", ":"),
        all("digest", "a:b:c"),
        all("ip", ""),
        all("ip", "nonsense"),
        all("ip", "300.1.1.1"),
        all("ip", "10.0.0.0/33"),
        all("ip", "10.0.0.0/-1"),
        all("ip", "10.0.0.0/x"),
        all("ip", "10.0.0.0/8/8"),
        all("ip", "10.0.0"),
        vec![Acl::open(), entry(perms::ALL, "nope", "x")],
        vec![entry(0, "world", "anyone")],
        vec![entry(32, "world", "anyone")],
        vec![entry(-1, "world", "anyone")],
    ]
}
