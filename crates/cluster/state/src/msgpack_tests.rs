//! What comes back as it was, and what does not.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::*;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Order {
    id: u64,
    name: String,
    price: f64,
    note: Option<String>,
    tags: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
enum Event {
    Empty,
    One(u8),
    Two(i64, String),
    Named { from: u8, to: Option<u8> },
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind")]
enum Tagged {
    A { x: i32 },
    B { x: String },
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Untagged {
    Number(i64),
    Text(String),
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Unit;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Flat {
    id: u8,
    #[serde(flatten)]
    rest: BTreeMap<String, i32>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Nested {
    inner: Option<Box<Nested>>,
}

#[track_caller]
fn comes_back<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: T) {
    let mut bytes = to_vec(&value).unwrap();
    assert_eq!(length(&bytes).unwrap(), bytes.len());
    assert_eq!(decode::<T>(&bytes).unwrap(), value);
    // It is one value, whatever is behind it; and cut anywhere, it is none.
    let whole = bytes.len();
    bytes.extend_from_slice(b"\xc1\xff\x00");
    assert_eq!(length(&bytes).unwrap(), whole);
    for end in 0..whole {
        assert_eq!(length(&bytes[..end]), Err(Damaged::CUT));
        assert!(decode::<T>(&bytes[..end]).is_err());
    }
}

fn order() -> Order {
    Order {
        id: 70_000,
        name: "screws, 4 × 40".to_owned(),
        price: 1.25,
        note: None,
        tags: vec!["a".to_owned(), "x".repeat(300)],
    }
}

#[test]
fn values_of_usual_types_come_back() {
    comes_back(order());
    comes_back((
        0_u8,
        -1_i8,
        u64::MAX,
        i64::MIN,
        1.5_f32,
        f64::INFINITY,
        'ß',
        true,
        (),
    ));
    comes_back(u128::MAX);
    comes_back(i128::MIN);
    comes_back(vec![
        Event::Empty,
        Event::One(1),
        Event::Two(-7, "x".to_owned()),
    ]);
    comes_back(vec![
        Event::Named { from: 1, to: None },
        Event::Named {
            from: 1,
            to: Some(2),
        },
    ]);
    comes_back(vec![Tagged::A { x: -1 }, Tagged::B { x: "y".to_owned() }]);
    comes_back(vec![Untagged::Number(5), Untagged::Text("5".to_owned())]);
    comes_back(Unit);
    comes_back(Flat {
        id: 1,
        rest: [("a".to_owned(), 2)].into(),
    });
    comes_back("10.1.2.3".parse::<IpAddr>().unwrap());
    comes_back(std::time::Duration::new(5, 7));
    comes_back(HashMap::from([
        ((1, 2), "a".to_owned()),
        ((3, 4), "b".to_owned()),
    ]));
    comes_back(BTreeMap::from([(Event::One(1), 1), (Event::Empty, 2)]));
    comes_back(BTreeMap::from([(None, 1), (Some(3), 2)]));
    comes_back(
        (0..70_000)
            .collect::<Vec<u32>>()
            .into_iter()
            .step_by(7_000)
            .collect::<Vec<_>>(),
    );
    comes_back(Some(Some(1)));
    assert!(decode::<f64>(&to_vec(&f64::NAN).unwrap()).unwrap().is_nan());
}

#[test]
fn some_of_nothing_comes_back_as_none() {
    let back: Option<Option<u8>> = decode(&to_vec(&Some(None::<u8>)).unwrap()).unwrap();
    assert_eq!(back, None);
    let back: Option<()> = decode(&to_vec(&Some(())).unwrap()).unwrap();
    assert_eq!(back, None);
}

#[test]
fn fields_may_be_added_with_a_default_and_left_out_and_not_renamed() {
    #[derive(Debug, PartialEq, Deserialize)]
    struct More {
        id: u64,
        #[serde(default)]
        weight: Option<f64>,
    }
    let bytes = to_vec(&order()).unwrap();
    let more: More = decode(&bytes).unwrap();
    assert_eq!(
        more,
        More {
            id: 70_000,
            weight: None
        }
    );

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "it cannot be read")]
    struct Renamed {
        number: u64,
    }
    let error = decode::<Renamed>(&bytes).unwrap_err().to_string();
    assert!(error.contains("missing field `number`"), "{error}");

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "it cannot be read")]
    struct Retyped {
        id: String,
    }
    assert!(decode::<Retyped>(&bytes).is_err());
    // An integer may have another width, if the value fits.
    assert_eq!(decode::<u8>(&to_vec(&200_u64).unwrap()).unwrap(), 200);
    assert!(decode::<u8>(&to_vec(&300_u64).unwrap()).is_err());
}

#[test]
fn what_is_nested_too_deeply_is_an_error() {
    let wrap = |inner, _| Nested {
        inner: Some(Box::new(inner)),
    };
    let nested = |depth| (0..depth).fold(Nested { inner: None }, wrap);
    comes_back(nested(100));
    let mut deep = vec![0x91; 100_000];
    deep.push(0xc0);
    assert_eq!(length(&deep), Ok(deep.len()));
    assert!(decode::<Vec<serde_json::Value>>(&deep).is_err());
}

#[test]
fn what_may_be_nested_too_deeply_is_known_when_it_is_written() {
    let wrap = |inner, _| Nested {
        inner: Some(Box::new(inner)),
    };
    for depth in [0, 1, 100, 200, 252, 253, 254, 255, 256, 300] {
        let value = (0..depth).fold(Nested { inner: None }, wrap);
        // Something wide is before it and something behind it: neither makes it deeper.
        let bytes = to_vec(&(vec![vec![1, 2]; 300], value, [0; 9])).unwrap();
        let comes_back = decode::<(Vec<Vec<u8>>, Nested, [u8; 9])>(&bytes).is_ok();
        let is_deep = is_deep(&bytes).unwrap();
        assert!(comes_back || is_deep, "{depth} levels are lost");
        assert_eq!(is_deep, depth >= 253, "{depth}");
    }
}

#[test]
fn damaged_bytes_never_panic() {
    let value = (
        order(),
        Event::Two(1, "x".to_owned()),
        u128::MAX,
        HashMap::from([(1, "a")]),
    );
    let bytes = to_vec(&value).unwrap();
    for at in 0..bytes.len() {
        for with in 0..=255 {
            let mut bytes = bytes.clone();
            bytes[at] = with;
            let _ = length(&bytes);
            let _ = crate::to_json(&bytes);
            let _ = decode::<(Order, Event, u128, HashMap<i32, String>)>(&bytes);
        }
    }
}
