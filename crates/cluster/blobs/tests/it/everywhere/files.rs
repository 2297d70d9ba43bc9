//! Files of checkpoints.

use bytes::Bytes;
use futures::{StreamExt, stream};
use incumbent_cluster_blobs::{Digest, Error};
use object_store::ObjectStoreExt;

use super::{Place, at, everywhere, id, last, numbered, savepoint_id};
use crate::{content, pieces};

everywhere!(
    a_file_comes_back_as_it_was_stored,
    each_upload_has_an_object_of_its_own,
    a_body_that_breaks_off_leaves_nothing,
    a_file_beyond_the_limit_is_refused_before_its_end,
    a_bad_name_is_refused,
    a_file_that_was_altered_is_never_handed_out_whole,
    a_file_that_is_gone_is_named,
    an_object_elsewhere_is_not_read,
    a_copy_stands_on_its_own,
);

/// Longer than two parts of any store, and no multiple of one.
const LONG: usize = 17 * 1024 * 1024 + 5;

async fn a_file_comes_back_as_it_was_stored(place: Place) {
    let id = id(1, 5);
    for (name, length) in [
        ("empty", 0),
        ("one", 1),
        ("part", 1024 * 1024),
        ("large-part", 8 * 1024 * 1024),
        ("A.b_c-d", LONG),
    ] {
        let whole = content(length);
        let stored = place.store(numbered(id, 3), name, &whole).await;
        assert_eq!((stored.name.as_str(), stored.size), (name, length as u64));
        assert_eq!(stored.sha256, Digest::of(&whole).to_string());
        assert!(stored.object.starts_with(&format!("1/5/3/{name}-")));
        assert!(place.read(&id, &stored).await.unwrap() == whole, "{name}");
    }
    let stored = place.store(last(1, 3), "state", b"last").await;
    assert!(stored.object.starts_with("1/final/3/state-"));
    assert_eq!(place.read(&id, &stored).await.unwrap(), b"last");
}

async fn each_upload_has_an_object_of_its_own(place: Place) {
    let id = id(1, 5);
    let first = place.store(numbered(id, 0), "state", b"first").await;
    let second = place.store(numbered(id, 0), "state", b"second").await;
    assert_ne!(first.object, second.object);
    assert_eq!(place.read(&id, &first).await.unwrap(), b"first");
    assert_eq!(place.read(&id, &second).await.unwrap(), b"second");
}

async fn a_body_that_breaks_off_leaves_nothing(place: Place) {
    for length in [0, 10, 9 * 1024 * 1024] {
        let whole = content(length);
        let broken = pieces(&whole, 100_000).chain(stream::iter([Err(std::io::Error::other(
            "the task is gone",
        ))]));
        let refused = place
            .blobs
            .put_checkpoint_file(numbered(id(1, 5), 0), "state", broken)
            .await
            .unwrap_err();
        let Error::Sender { received, .. } = refused else {
            panic!("{refused:?}")
        };
        assert_eq!(received, length as u64);
        assert_eq!(place.files().await.unwrap_or_default(), [""; 0]);
    }
}

async fn a_file_beyond_the_limit_is_refused_before_its_end(place: Place) {
    let blobs = place.blobs.clone().with_largest_checkpoint_file(9 << 20);
    let endless = stream::repeat_with(|| Ok::<_, std::io::Error>(Bytes::from(vec![7; 65536])));
    let refused = blobs
        .put_checkpoint_file(numbered(id(1, 5), 0), "state", endless)
        .await
        .unwrap_err();
    assert!(
        matches!(refused, Error::TooLarge { limit, .. } if limit == 9 << 20),
        "{refused:?}"
    );
    assert!(
        refused.to_string().contains("file state of rank 0"),
        "{refused}"
    );
    assert_eq!(place.files().await.unwrap_or_default(), [""; 0]);
    let fits = content(9 << 20);
    blobs
        .put_checkpoint_file(numbered(id(1, 5), 0), "state", pieces(&fits, 1 << 20))
        .await
        .unwrap();
}

async fn a_bad_name_is_refused(place: Place) {
    for bad in [
        "",
        "..",
        ".hidden",
        "a/b",
        "../../../cluster.json",
        "a#1",
        "ä",
    ] {
        let refused = place
            .blobs
            .put_checkpoint_file(numbered(id(1, 5), 0), bad, pieces(b"x", 1))
            .await
            .unwrap_err();
        assert!(matches!(refused, Error::Name { .. }), "{bad}: {refused:?}");
        assert!(!refused.is_outage());
    }
    assert_eq!(place.files().await.unwrap_or_default(), [""; 0]);
}

async fn a_file_that_was_altered_is_never_handed_out_whole(place: Place) {
    let id = id(1, 5);
    let whole = content(LONG);
    let stored = place.store(numbered(id, 0), "state", &whole).await;
    let Some(raw) = place.raw() else { return };
    let mut altered = whole.clone();
    altered[LONG - 1] ^= 1;
    let shorter = whole[..LONG - 1].to_vec();
    let longer = [&whole[..], b"x"].concat();
    for (damaged, most) in [(altered, LONG - 1), (shorter, 0), (longer, 0), (vec![], 0)] {
        let to = at(&id, &stored.object);
        raw.put(&to, damaged.into()).await.unwrap();
        let parts = place.blobs.read_checkpoint_file(&id, &stored);
        let parts: Vec<_> = parts.collect().await;
        let (end, before) = parts.split_last().unwrap();
        let received: usize = before.iter().map(|part| part.as_ref().unwrap().len()).sum();
        assert!(received <= most, "{received}");
        let Err(refused @ Error::Damaged { .. }) = end else {
            panic!("{end:?}")
        };
        let said = refused.to_string();
        for part in ["file state", "checkpoint 5", "attempt 1", &stored.sha256] {
            assert!(said.contains(part), "{said}");
        }
        assert!(!refused.is_outage());
    }
}

async fn a_file_that_is_gone_is_named(place: Place) {
    let id = id(1, 5);
    let mut stored = place.store(numbered(id, 0), "state", b"x").await;
    stored.object = format!("1/5/0/state-{}", "0".repeat(32));
    let refused = place.read(&id, &stored).await.unwrap_err();
    assert!(matches!(refused, Error::NotFound { .. }), "{refused:?}");
    assert!(refused.to_string().contains("file state of checkpoint 5"));
    let refused = place
        .blobs
        .copy_checkpoint_file(&id, &stored, numbered(savepoint_id(9, 1, 6), 0))
        .await
        .unwrap_err();
    assert!(matches!(refused, Error::NotFound { .. }), "{refused:?}");
}

async fn an_object_elsewhere_is_not_read(place: Place) {
    let id = id(1, 5);
    let stored = place.store(numbered(id, 0), "state", b"x").await;
    for elsewhere in [
        "../../../../cluster.json",
        "1/5/0/../../../../../../cluster.json",
        "/etc/passwd",
        "1/5/0/other",
        "",
    ] {
        let mut file = stored.clone();
        file.object = elsewhere.to_owned();
        let refused = place.read(&id, &file).await.unwrap_err();
        assert!(matches!(refused, Error::Damaged { .. }), "{refused:?}");
        let to = numbered(savepoint_id(9, 1, 6), 0);
        let refused = place.blobs.copy_checkpoint_file(&id, &file, to).await;
        assert!(matches!(refused, Err(Error::Damaged { .. })), "{refused:?}");
    }
}

async fn a_copy_stands_on_its_own(place: Place) {
    let from = id(1, 5);
    let to = savepoint_id(9, 1, 6);
    for length in [0, 10, LONG] {
        let whole = content(length);
        let stored = place.store(last(1, 3), "state", &whole).await;
        let copied = place
            .blobs
            .copy_checkpoint_file(&from, &stored, numbered(to, 3))
            .await
            .unwrap();
        assert_eq!((&copied.name, copied.size), (&stored.name, stored.size));
        assert_eq!(copied.sha256, stored.sha256);
        if let Some(raw) = place.raw() {
            raw.delete(&at(&from, &stored.object)).await.unwrap();
            let files = place.files().await.unwrap();
            assert!(files.iter().all(|name| name.starts_with("savepoints/")));
        }
        assert!(place.read(&to, &copied).await.unwrap() == whole);
    }
}
