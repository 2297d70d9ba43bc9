use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::json;

use super::*;

#[track_caller]
fn shown(value: impl Serialize) -> Value {
    to_json(&msgpack::to_vec(&value).unwrap()).unwrap()
}

#[test]
fn values_are_shown_as_serde_json_would() {
    #[derive(Serialize)]
    enum Event {
        Empty,
        One(u8),
        Named { from: Option<u8> },
    }
    #[derive(Serialize)]
    struct All {
        events: (Event, Event, Event),
        numbers: (u8, i8, u16, i16, u32, i32, u64, i64, f32, f64),
        text: &'static str,
        nothing: (),
    }
    let all = All {
        events: (Event::Empty, Event::One(7), Event::Named { from: None }),
        numbers: (
            200,
            -100,
            60_000,
            -30_000,
            1 << 31,
            i32::MIN,
            u64::MAX,
            i64::MIN,
            0.5,
            -1e300,
        ),
        text: "ß",
        nothing: (),
    };
    assert_eq!(shown(&all), serde_json::to_value(&all).unwrap());
    for number in (0..64).flat_map(|bits| [1_i64 << bits, (1_i64 << bits).wrapping_neg()]) {
        assert_eq!(shown(number), json!(number));
        assert_eq!(shown(number.wrapping_sub(1)), json!(number.wrapping_sub(1)));
    }
}

#[test]
fn what_json_has_not_is_shown_as_a_string() {
    assert_eq!(shown(f64::NAN), json!("NaN"));
    assert_eq!(
        shown([f32::INFINITY, f32::NEG_INFINITY]),
        json!(["Infinity", "-Infinity"])
    );
    assert_eq!(shown(1_u128), json!("0x00000000000000000000000000000001"));
    let map = BTreeMap::from([((1, "a"), 1), ((2, "b"), 2)]);
    assert_eq!(shown(map), json!({"[1,\"a\"]": 1, "[2,\"b\"]": 2}));
    assert_eq!(shown(BTreeMap::from([(true, 1)])), json!({"true": 1}));
    assert_eq!(
        to_json(b"\xd4\xfe\x07"),
        Ok(json!({"extension": -2, "bytes": "0x07"}))
    );
    assert_eq!(
        to_json(b"\xc7\x02\x05\x01\xff"),
        Ok(json!({"extension": 5, "bytes": "0x01ff"}))
    );
}

#[test]
fn what_is_no_value_is_an_error() {
    for bytes in [
        &b""[..],
        b"\xc1",
        b"\xa2a",
        b"\xa1\xff",
        b"\x01\x01",
        b"\x81\x01",
        b"\xdf\xff\xff\xff\xff",
    ] {
        assert!(to_json(bytes).is_err(), "{bytes:?}");
    }
    let nested = |depth: usize| [vec![0x91; depth], vec![0xc0]].concat();
    assert!(to_json(&nested(128)).is_ok());
    assert!(to_json(&nested(129)).is_err());
    assert!(to_json(&nested(10_000_000)).is_err());
}
