//! The possible contents and lengths of a body.

use incumbent_backend::{Expected, Failure, Key};

use crate::words::{create, fresh_key, pace, read, replace, stored};
use crate::{Handle, Place};

/// Bodies may be empty, binary, or look like the end or the header of some format.
pub async fn bodies_of_any_bytes_are_kept(place: Place) {
    let (handle, key) = (place.open().await, fresh_key());
    let every_byte: Vec<u8> = (0..=255).collect();
    let bodies: [&[u8]; 7] = [
        b"",
        &every_byte,
        b"\n",
        b"\r\n\r\n",
        b"{\"json\":1}\n#incumbent 1 len=0 crc32=00000000\n",
        b"\0\0\0",
        b"",
    ];
    let mut version = create(&handle, &key, b"").await;
    for body in bodies {
        assert_eq!(
            read(&handle, &key).await.expect("it was created").version,
            version
        );
        pace(&handle, 1).await;
        version = replace(&handle, &key, &version, body).await;
        assert_eq!(read(&handle, &key).await, stored(&version, body));
    }
}

/// A body of exactly the limit is allowed, both to create and to replace.
pub async fn a_body_at_the_limit_is_kept(place: Place) {
    let (handle, key) = (place.open().await, fresh_key());
    let body: Vec<u8> = (0..handle.limits().largest_body)
        .map(|at| (at % 251) as u8)
        .collect();
    let version = create(&handle, &key, &body).await;
    assert!(
        read(&handle, &key).await == stored(&version, &body),
        "the created body is not what was written"
    );
    let version = replace(&handle, &key, &version, &body).await;
    assert!(
        read(&handle, &key).await == stored(&version, &body),
        "the replaced body is not what was written"
    );
}

/// One byte more is refused, and the error contains both numbers.
pub async fn a_body_above_the_limit_is_refused_and_nothing_is_written(place: Place) {
    let (handle, key) = (place.open().await, fresh_key());
    refuses_too_large(&handle, &key, Expected::Absent).await;
    assert_eq!(read(&handle, &key).await, None);
    let version = create(&handle, &key, b"small").await;
    refuses_too_large(&handle, &key, Expected::At(&version)).await;
    assert_eq!(read(&handle, &key).await, stored(&version, b"small"));
}

async fn refuses_too_large(handle: &Handle, key: &Key, expected: Expected<'_>) {
    let largest = handle.limits().largest_body;
    match handle.swap(key, expected, &vec![b'x'; largest + 1]).await {
        Err(Failure::TooLarge { size, limit }) => assert_eq!((size, limit), (largest + 1, largest)),
        other => panic!("a body above the limit was not refused as too large: {other:?}"),
    }
}
