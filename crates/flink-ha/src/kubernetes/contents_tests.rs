use super::*;
use crate::fixtures::{KILLED, MAPS, OLDER_MAPS, maps};

const ID: &str = "cluster";

/// What Flink wrote, without the entries of leaders.
fn written(maps: &[ConfigMap]) -> BTreeMap<String, BTreeMap<String, String>> {
    let maps = maps.iter().map(|map| {
        let data = map.data.clone().unwrap_or_default().into_iter();
        let data = data.filter(|(key, _)| !key.starts_with(LEADER));
        (map.metadata.name.clone().unwrap(), data.collect())
    });
    maps.collect()
}

#[test]
fn what_is_taken_from_config_maps_makes_the_same_config_maps_byte_for_byte() {
    for (_, json) in MAPS {
        let maps = maps(json);
        let found = contents("source", ID, &maps);
        assert_eq!((&found.damaged[..], &found.unknown[..]), (&[][..], &[][..]));
        assert_eq!(found.of_leaders.len(), 4);
        assert!(found.electable && found.gate.is_none());
        assert_eq!(
            data(ID, &found.entries, DeleteMarker::Since1_19).unwrap(),
            written(&maps)
        );
    }
}

/// Some of it was copied there by this crate, and the rest is the Flink's that went on with it.
#[test]
fn what_flink_wrote_after_a_migration_has_the_same_form() {
    for (_, json) in KILLED {
        let maps = maps(json);
        let found = contents("source", ID, &maps);
        assert_eq!((&found.damaged[..], &found.unknown[..]), (&[][..], &[][..]));
        assert!(found.electable && found.gate.is_none());
        assert_eq!(
            data(ID, &found.entries, DeleteMarker::Since1_19).unwrap(),
            written(&maps)
        );
    }
}

#[test]
fn a_closed_gate_takes_the_place_of_the_lock_and_opens_to_a_free_one() {
    let maps = maps(MAPS[2].1);
    let main = maps.iter().find(|map| {
        let name = map.metadata.name.as_deref();
        name == Some("cluster-cluster-config-map")
    });
    let gate = Gate::Copying {
        from: "there".into(),
        fingerprint: "f".into(),
    };
    let shut = closed(ID, main.unwrap().clone(), &gate);
    let annotations = shut.metadata.annotations.as_ref().unwrap();
    assert!(!annotations.contains_key(LOCK));
    let found = contents("source", ID, std::slice::from_ref(&shut));
    assert_eq!(found.gate, Some(gate));
    let election = &found.cluster.elections[0];
    assert!(election.lock.is_none());
    // `inspect` says so, and not that a person has to add an annotation.
    let kinds = found.cluster.problems.iter().map(|it| it.kind.name());
    assert!(
        kinds.clone().any(|kind| kind == "closed") && kinds.clone().all(|kind| kind != "no-leader")
    );
    let open = opened(shut);
    let found = contents("source", ID, &[open]);
    assert_eq!(found.gate, None);
    let lock = found.cluster.elections[0].lock.as_ref().unwrap();
    assert_eq!(
        (lock.holder.as_ref(), lock.lease().unwrap().as_secs()),
        (None, 15)
    );
}

#[test]
fn maps_of_a_flink_before_1_15_are_not_moved() {
    let found = contents("source", ID, &maps(OLDER_MAPS));
    assert!(found.entries.is_empty());
    assert!(
        found
            .damaged
            .iter()
            .all(|it| it.why.contains("before 1.15"))
    );
    assert_eq!(found.damaged.len(), 4);
}

#[test]
fn damaged_values_are_named_and_do_not_move() {
    let mut maps = maps(MAPS[1].1);
    let mut named = Vec::new();
    for map in &mut maps {
        let name = map.metadata.name.clone().unwrap();
        for (key, value) in map.data.iter_mut().flatten() {
            if !key.starts_with(LEADER) {
                *value = format!("*{value}");
                named.push(format!("{name}/{key}"));
            }
        }
    }
    let found = contents("source", ID, &maps);
    assert!(found.entries.is_empty());
    let keys: Vec<_> = found.damaged.into_iter().map(|it| it.key).collect();
    assert_eq!(keys, named);
    assert_eq!(keys.len(), 3);
}
