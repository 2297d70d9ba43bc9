use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::*;
use crate::fixtures;

const ID: &str = "8b5f5a4e-1c55-4f0c-9d2e-000000000001";

fn leader(address: &str) -> Option<Leader> {
    Some(Leader {
        session: ID.parse().unwrap(),
        address: address.to_owned(),
    })
}

#[test]
fn leaders_that_java_wrote_are_read() {
    let made = fixtures::made();
    let read = |name: &str| connection_info(&made[name]);
    assert_eq!(
        read("leader-ipv6").unwrap(),
        leader("http://[2001:db8::1]:8081")
    );
    assert_eq!(
        read("leader-letters").unwrap(),
        leader("http://höst.中😀\0:1")
    );
    let long = format!("http://{}", "a".repeat(3000));
    assert_eq!(read("leader-long").unwrap(), leader(&long));
    assert_eq!(read("leader-nobody").unwrap(), None);
    assert_eq!(connection_info(b"").unwrap(), None);
    assert_eq!(
        read("leader-no-id"),
        Err(DecodeError::Missing("session id"))
    );
    assert_eq!(
        read("leader-not-an-id"),
        Err(DecodeError::Missing("session id"))
    );
    assert_eq!(
        read("leader-no-address"),
        Err(DecodeError::Missing("address"))
    );
    assert_eq!(read("handle-file"), Err(DecodeError::Missing("address")));
}

#[test]
fn a_leader_that_is_cut_anywhere_is_an_error() {
    for name in ["leader-ipv6", "leader-letters", "leader-long"] {
        let bytes = &fixtures::made()[name];
        for length in 1..bytes.len() {
            assert!(
                connection_info(&bytes[..length]).is_err(),
                "{name} {length}"
            );
        }
    }
}

#[test]
fn handles_that_flink_wrote_are_read() {
    let retrievable = "org.apache.flink.runtime.state.RetrievableStreamStateHandle";
    let file = StateHandle {
        outermost: retrievable.into(),
        class: "org.apache.flink.runtime.state.filesystem.FileStateHandle".into(),
        path: Some("s3://bucket/ha/cluster/completedCheckpoint0f".into()),
        size: Some(4711),
        deleting: false,
    };
    let relative = StateHandle {
        outermost: retrievable.into(),
        class: "org.apache.flink.runtime.state.filesystem.RelativeFileStateHandle".into(),
        path: Some("hdfs://name:8020/chk-3/_metadata".into()),
        size: Some(12),
        deleting: false,
    };
    let memory = StateHandle {
        outermost: retrievable.into(),
        class: "org.apache.flink.runtime.state.memory.ByteStreamStateHandle".into(),
        path: Some("in memory".into()),
        size: Some(3),
        deleting: false,
    };
    let made = fixtures::made();
    for (name, expected) in [("file", file), ("relative", relative), ("memory", memory)] {
        let read = |kind: &str| state_handle(&made[&*format!("{kind}-{name}")]).unwrap();
        assert_eq!(read("handle"), expected);
        let kept = StateHandle {
            outermost: "org.apache.flink.kubernetes.highavailability.KubernetesStateHandleStore$StateHandleWithDeleteMarker".into(),
            ..expected
        };
        assert_eq!(read("kept"), kept);
        let deleting = StateHandle {
            deleting: true,
            ..kept
        };
        assert_eq!(read("deleting"), deleting);
    }
}

#[test]
fn a_handle_that_is_cut_anywhere_is_an_error() {
    for (name, bytes) in fixtures::made() {
        if name.starts_with("kept") || name.starts_with("handle") {
            for length in 0..bytes.len() {
                assert!(state_handle(&bytes[..length]).is_err(), "{name} {length}");
            }
        }
    }
}

#[test]
fn an_object_that_is_no_handle_is_told_by_its_class() {
    let handle = state_handle(&fixtures::made()["leader-no-address"]).unwrap();
    assert_eq!((&*handle.class, handle.path), ("java.util.UUID", None));
    let error = base64_handle("no base64").unwrap_err();
    assert_eq!(error, DecodeError::Base64);
}

#[test]
fn values_of_config_maps_are_read() {
    let value = format!("{ID},pekko.tcp://flink@jm:6123/user/rpc/a,b");
    assert_eq!(
        leader_value(&value).unwrap(),
        leader("pekko.tcp://flink@jm:6123/user/rpc/a,b")
    );
    assert_eq!(leader_value("").unwrap(), None);
    for text in [ID, "http://a:1", "x,http://a:1", &format!("{ID},"), ","] {
        assert!(leader_value(text).is_err(), "{text}");
    }
    assert_eq!(decimal_counter("17").unwrap(), 17);
    assert_eq!(checkpoint_id("0000000000000000042").unwrap(), 42);
    for text in ["", "+1", "-1", "1.0", "99999999999999999999", "x"] {
        assert!(decimal_counter(text).is_err(), "{text}");
        assert!(checkpoint_id(text).is_err(), "{text}");
    }
}

#[test]
fn a_counter_of_curator_has_four_bytes() {
    assert_eq!(shared_count(&[0, 0, 1, 2]).unwrap(), 258);
    for bytes in [&[][..], &[0, 0, 1], &[0, 0, 0, 1, 2], &[0xff; 4]] {
        assert!(shared_count(bytes).is_err(), "{bytes:?}");
    }
}

#[test]
fn both_forms_of_the_lock_are_read() {
    let old = lock(r#"{"holderIdentity":"a","leaseDuration":15.000000000,"acquireTime":"t","renewTime":"u","leaderTransitions":3}"#).unwrap();
    assert_eq!(old.holder.as_deref(), Some("a"));
    assert_eq!(old.transitions, Some(3));
    assert!(old.lease_duration.unwrap().starts_with("15"));
    let new = lock(r#"{"holderIdentity":"","leaseDuration":"PT15S"}"#).unwrap();
    assert_eq!(
        (new.holder, new.lease_duration.as_deref()),
        (None, Some("PT15S"))
    );
    for text in ["", "a", "[]", r#"{"holderIdentity":1}"#] {
        assert!(lock(text).is_err(), "{text}");
    }
}

#[test]
fn a_lease_is_read_in_both_forms_and_in_no_other() {
    let lease = |text: &str| {
        let written = serde_json::json!({ "leaseDuration": text });
        lock(&written.to_string()).unwrap().lease()
    };
    for (text, seconds) in [
        ("15.000000000", 15.0),
        ("PT15S", 15.0),
        ("PT1M30.5S", 90.5),
        ("PT2H", 7200.0),
    ] {
        assert_eq!(lease(text).unwrap().as_secs_f64(), seconds, "{text}");
    }
    for text in [
        "", "PT", "15s", "P1D", "-15", "PTS", "PT1S1M", "NaN", "1e300",
    ] {
        assert_eq!(lease(text), None, "{text}");
    }
    assert_eq!(lock("{}").unwrap().lease(), None);
    let number = lock(r#"{"leaseDuration":15.0}"#).unwrap();
    assert_eq!(number.lease().unwrap().as_secs(), 15);
}

/// Bytes changed in a few places are mostly still a stream, with other objects in it.
#[test]
fn no_bytes_make_it_panic() {
    let seed = rand::random();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let made: Vec<_> = fixtures::made().into_values().collect();
    for _ in 0..20_000 {
        let mut bytes = made[random.random_range(0..made.len())].clone();
        for _ in 0..random.random_range(1..4) {
            let at = random.random_range(0..bytes.len());
            bytes[at] = random.random();
        }
        let _ = connection_info(&bytes);
        let _ = state_handle(&bytes);
        let _ = shared_count(&bytes);
        let text = String::from_utf8_lossy(&bytes);
        let _ = base64_handle(&text);
        let _ = leader_value(&text);
        let _ = lock(&text);
        let _ = decimal_counter(&text);
    }
}
