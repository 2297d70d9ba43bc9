//! Manifests.

use incumbent_cluster_blobs::{Digest, Error};
use incumbent_cluster_core::checkpoint::{ManifestPointer, RestorePoint};
use incumbent_core::Epoch;
use object_store::ObjectStoreExt;

use super::{Place, at, everywhere, id, point, savepoint_id};

everywhere!(
    a_manifest_comes_back_as_it_was_written,
    each_manifest_has_a_name_of_its_own,
    a_manifest_that_is_not_the_one_meant_is_refused,
    a_manifest_that_leads_elsewhere_is_refused,
    a_manifest_of_another_format_is_refused_as_such,
);

async fn a_manifest_comes_back_as_it_was_written(place: Place) {
    for id in [id(1, 5), savepoint_id(9, 1, 6)] {
        let (point, written) = place.checkpoint(id, 3).await;
        assert!(point.manifest.object.starts_with("manifest-7-"));
        assert_eq!(place.blobs.manifest(&point).await.unwrap(), written);
        for part in &written.ranks {
            place.read(&id, &part.files[0]).await.unwrap();
        }
    }
}

async fn each_manifest_has_a_name_of_its_own(place: Place) {
    let (point, mut manifest) = place.checkpoint(id(1, 5), 1).await;
    manifest.ranks[0].is_finished = true;
    let again = place.blobs.put_manifest(&manifest, Epoch::new(8)).await;
    assert_ne!(again.unwrap().object, point.manifest.object);
    let read = place.blobs.manifest(&point).await.unwrap();
    assert!(!read.ranks[0].is_finished);
}

async fn a_manifest_that_is_not_the_one_meant_is_refused(place: Place) {
    let (right, _) = place.checkpoint(id(1, 5), 2).await;
    let (other, _) = place.checkpoint(id(1, 6), 2).await;
    let with = |object: &str, sha256: &str| RestorePoint {
        manifest: ManifestPointer {
            object: object.to_owned(),
            sha256: sha256.to_owned(),
        },
        ..right.clone()
    };
    let (object, sha256) = (&right.manifest.object, &right.manifest.sha256);
    let gone = format!("manifest-1-{}.json", "0".repeat(32));
    let refused = place.blobs.manifest(&with(&gone, sha256)).await;
    assert!(
        matches!(refused, Err(Error::NotFound { .. })),
        "{refused:?}"
    );
    for wrong in [
        with(object, &other.manifest.sha256),
        with("../../../../../../cluster.json", sha256),
        with("", sha256),
        RestorePoint {
            tasks: 3,
            ..right.clone()
        },
    ] {
        let refused = place.blobs.manifest(&wrong).await.unwrap_err();
        assert!(matches!(refused, Error::Damaged { .. }), "{refused:?}");
        assert!(refused.to_string().contains("checkpoint 5"), "{refused}");
    }

    // That of another checkpoint, moved.
    let Some(raw) = place.raw() else { return };
    let from = at(&other.from, &format!("1/6/{}", other.manifest.object));
    let to = at(&right.from, &format!("1/5/{}", other.manifest.object));
    raw.copy(&from, &to).await.unwrap();
    let moved = with(&other.manifest.object, &other.manifest.sha256);
    let refused = place.blobs.manifest(&moved).await.unwrap_err();
    let said = refused.to_string();
    assert!(matches!(refused, Error::Damaged { .. }), "{refused:?}");
    assert!(said.contains("found checkpoint 6"), "{said}");
}

async fn a_manifest_that_leads_elsewhere_is_refused(place: Place) {
    let (right, manifest) = place.checkpoint(id(1, 5), 1).await;
    let file = |change: fn(&mut incumbent_cluster_core::checkpoint::StoredFile)| {
        let mut manifest = manifest.clone();
        change(&mut manifest.ranks[0].files[0]);
        manifest
    };
    let mut twice = manifest.clone();
    let again = twice.ranks[0].files[0].clone();
    twice.ranks[0].files.push(again);
    for bad in [
        file(|file| file.object = "../../../../cluster.json".to_owned()),
        file(|file| file.object = file.object.replace("1/5/", "1/5/../5/")),
        file(|file| file.name = "../state".to_owned()),
        file(|file| file.name = "other".to_owned()),
        file(|file| file.sha256 = "0".to_owned()),
        twice,
    ] {
        let refused = place.blobs.put_manifest(&bad, Epoch::new(7)).await;
        assert!(matches!(refused, Err(Error::Damaged { .. })), "{refused:?}");

        // Written by somebody else.
        let Some(raw) = place.raw() else { continue };
        let json = serde_json::to_vec(&bad).unwrap();
        let refused = read(&place, raw, &right, json).await;
        assert!(matches!(refused, Error::Damaged { .. }), "{refused:?}");
    }
}

async fn a_manifest_of_another_format_is_refused_as_such(place: Place) {
    let (right, manifest) = place.checkpoint(id(1, 5), 1).await;
    let Some(raw) = place.raw() else { return };
    let mut later = serde_json::to_value(&manifest).unwrap();
    later["format"] = 2.into();
    later["ranks"] = "something else".into();
    let refused = read(&place, raw, &right, later.to_string().into_bytes()).await;
    let said = refused.to_string();
    assert!(
        matches!(
            refused,
            Error::OtherVersion {
                found: 2,
                known: 1,
                ..
            }
        ),
        "{refused:?}"
    );
    assert!(said.contains("has format 2"), "{said}");
    for damaged in ["", "{", "[]", "{\"format\":1}"] {
        let refused = read(&place, raw, &right, damaged.into()).await;
        assert!(matches!(refused, Error::Damaged { .. }), "{refused:?}");
    }
}

/// The error of reading this content with a pointer that means it.
async fn read(
    place: &Place,
    raw: &dyn object_store::ObjectStore,
    right: &RestorePoint,
    json: Vec<u8>,
) -> Error {
    let pointer = ManifestPointer {
        object: right.manifest.object.clone(),
        sha256: Digest::of(&json).to_string(),
    };
    let id = right.from;
    let path = at(
        &id,
        &format!("{}/{}/{}", id.attempt, id.number, pointer.object),
    );
    raw.put(&path, json.into()).await.unwrap();
    let point = point(id, right.tasks, pointer);
    place.blobs.manifest(&point).await.unwrap_err()
}
