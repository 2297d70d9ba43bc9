use k8s_openapi::api::core::v1::ConfigMap;

use super::*;
use crate::data::Value;
use crate::fixtures::{KILLED, MAPS, ZNODES, maps, stopped, tree};
use crate::{kubernetes, zookeeper};

const FROM: &str = "zookeeper://h:2181/flink/cluster";
const TO: &str = "kubernetes://default/other";

fn target() -> Places {
    Places::Kubernetes {
        address: TO.into(),
        cluster: "other".into(),
        marker: DeleteMarker::Since1_19,
    }
}

fn source() -> Contents {
    zookeeper::contents(FROM, &stopped(tree(ZNODES[2].1)))
}

fn empty() -> Contents {
    kubernetes::contents(TO, "other", &[])
}

fn side(contents: &Contents) -> Side<'_> {
    Side {
        contents,
        life: Life::Nobody,
        missing_rights: Vec::new(),
    }
}

fn planned(from: &Contents, to: &Contents) -> Migration {
    plan(&side(from), &side(to), &target())
}

/// The ConfigMaps that a whole copy of these contents has.
fn copy(of: &Contents, annotations: &[(&str, String)]) -> Vec<ConfigMap> {
    let maps = kubernetes::data("other", &of.entries, DeleteMarker::Since1_19)
        .unwrap()
        .into_iter();
    let maps = maps.map(|(name, data)| {
        let mut map = ConfigMap {
            data: Some(data),
            ..ConfigMap::default()
        };
        if name.ends_with("cluster-config-map") {
            let annotations = annotations.iter();
            let annotations = annotations.map(|(key, text)| ((*key).to_owned(), text.clone()));
            map.metadata.annotations = Some(annotations.collect());
        }
        map.metadata.name = Some(name);
        map
    });
    maps.collect()
}

fn gate(fingerprint: String) -> (&'static str, String) {
    let from = FROM.into();
    let gate = Gate::Copying { from, fingerprint };
    ("incumbent/closed", gate.text())
}

/// As a Flink that has taken another checkpoint.
fn count_on(maps: &mut [ConfigMap]) {
    let data = maps.iter_mut().filter_map(|map| map.data.as_mut());
    let mut counters = data.filter_map(|data| data.get_mut("counter"));
    *counters.next().unwrap() = "1000".into();
}

/// The kinds of refusals, and what they name.
fn refused(planned: &Migration) -> Vec<(RefusalKind, &str)> {
    assert_eq!(
        planned.state == MigrationState::Refused,
        !planned.refusals.is_empty()
    );
    let refusals = planned.refusals.iter();
    refusals.map(|it| (it.kind, it.key.as_str())).collect()
}

#[test]
fn every_entry_of_a_stopped_flink_moves_and_nothing_of_leaders_does() {
    for (_, lines) in ZNODES {
        let mut source = zookeeper::contents(FROM, &tree(lines));
        // As if they had ended just now.
        source.in_use.clear();
        let planned = planned(&source, &empty());
        assert_eq!(planned.refusals, []);
        assert_eq!(planned.state, MigrationState::NotBegun);
        let what: Vec<_> = planned.moves.iter().map(|it| it.what.as_str()).collect();
        assert!(
            what.iter().any(|it| it.starts_with("checkpoint ")),
            "{what:?}"
        );
        assert!(what.contains(&"counter") && what.len() >= 3, "{what:?}");
        assert!(planned.moves.iter().all(|it| !it.done && !it.deleting));
        assert!(planned.moves.iter().all(|it| it.to.starts_with("other-")));
        assert!(planned.left.iter().all(|it| it.key.starts_with("/leader/")));
        assert_eq!(planned.left.len(), 6);
    }
}

/// Its job went on at the other side, there and back.
#[test]
fn what_a_real_flink_left_behind_when_it_was_killed_moves_both_ways() {
    let checkpoints = |planned: &Migration| {
        let moves = planned.moves.iter();
        moves
            .filter(|it| it.what.starts_with("checkpoint "))
            .count()
    };
    for (znodes, json) in KILLED {
        let source = zookeeper::contents(FROM, &tree(znodes));
        assert_eq!(source.in_use, []);
        let there = planned(&source, &empty());
        assert_eq!((refused(&there), checkpoints(&there)), (vec![], 3));
        let source = kubernetes::contents(TO, "cluster", &maps(json));
        let nothing = zookeeper::contents(FROM, &zookeeper::Tree::new());
        let places = Places::ZooKeeper {
            address: FROM.into(),
            base: "/back/cluster".into(),
        };
        let back = plan(&side(&source), &side(&nothing), &places);
        assert_eq!((refused(&back), checkpoints(&back)), (vec![], 3));
    }
}

#[test]
fn who_leads_or_may_lead_on_either_side_refuses() {
    let (source, empty) = (source(), empty());
    for (life, kind) in [
        (Life::Leads("why".into()), RefusalKind::InUse),
        (Life::NotWatched("why".into()), RefusalKind::InUse),
    ] {
        let mut from = side(&source);
        from.life = life.clone();
        let found = plan(&from, &side(&empty), &target());
        assert_eq!(refused(&found), [(kind, FROM)]);
        let mut to = side(&empty);
        to.life = life;
        let found = plan(&side(&source), &to, &target());
        assert_eq!(refused(&found), [(kind, TO)]);
    }
}

#[test]
fn missing_rights_are_named_before_anything_is_written() {
    let (source, empty) = (source(), empty());
    let mut to = side(&empty);
    to.missing_rights = vec!["one".into(), "two".into()];
    let found = plan(&side(&source), &to, &target());
    assert_eq!(
        refused(&found),
        [(RefusalKind::Rights, TO), (RefusalKind::Rights, TO)]
    );
    assert_eq!(found.refusals[1].why, "two");
}

#[test]
fn a_target_with_data_of_its_own_refuses_and_names_them() {
    let source = source();
    let mut others = maps(MAPS[0].1);
    for map in &mut others {
        let name = map.metadata.name.take().unwrap();
        map.metadata.name = Some(name.replacen("cluster", "other", 1));
    }
    let target = kubernetes::contents(TO, "other", &others);
    let found = planned(&source, &target);
    assert_eq!(refused(&found), [(RefusalKind::NotEmpty, TO)]);
    assert!(
        found.refusals[0].why.contains("/jobGraph-"),
        "{:?}",
        found.refusals
    );
    // The same data are not its own copy, if the source does not say that it was moved there.
    let lock = ("control-plane.alpha.kubernetes.io/leader", "{}".to_owned());
    let target = kubernetes::contents(TO, "other", &copy(&source, &[lock]));
    assert_eq!(
        refused(&planned(&source, &target)),
        [(RefusalKind::NotEmpty, TO)]
    );
}

#[test]
fn a_flink_that_ran_there_without_jobs_leaves_the_target_empty() {
    let map = copy(&Contents::default(), &[]).remove(0);
    let target = kubernetes::contents(TO, "other", &[map]);
    assert_eq!(planned(&source(), &target).state, MigrationState::NotBegun);
}

#[test]
fn its_own_half_done_copy_goes_on_at_any_part() {
    let source = source();
    let whole = copy(&source, &[gate(source.fingerprint())]);
    let (of_cluster, of_jobs): (Vec<_>, Vec<_>) = whole.iter().cloned().partition(|map| {
        let name = map.metadata.name.as_ref();
        name.unwrap().ends_with("-cluster-config-map")
    });
    assert_eq!(of_jobs.len(), 1);
    // Without the ConfigMap of the job, or with it.
    for maps in [&of_cluster, &whole] {
        let target = kubernetes::contents(TO, "other", maps);
        let found = planned(&source, &target);
        assert_eq!(
            (refused(&found), found.state),
            (vec![], MigrationState::HalfDone)
        );
        let done = found.moves.iter().filter(|it| it.done).count();
        assert_eq!(done, target.entries.len());
        assert_eq!(done == found.moves.len(), maps.len() == whole.len());
    }
}

#[test]
fn a_half_done_copy_of_other_data_or_with_other_entries_refuses() {
    let source = source();
    let target = |maps: &[ConfigMap]| kubernetes::contents(TO, "other", maps);
    let other = copy(&source, &[gate("other".into())]);
    let found = planned(&source, &target(&other));
    assert_eq!(refused(&found), [(RefusalKind::NotEmpty, TO)]);
    assert!(found.refusals[0].why.contains("incumbent flink clean"));
    let mut changed = copy(&source, &[gate(source.fingerprint())]);
    count_on(&mut changed);
    let found = planned(&source, &target(&changed));
    assert_eq!(refused(&found), [(RefusalKind::NotEmpty, TO)]);
    assert!(
        found.refusals[0]
            .why
            .contains("/counter is not of this copy")
    );
}

#[test]
fn a_finished_copy_is_complete_until_a_flink_has_run_there() {
    let mut source = source();
    source.gate = Some(Gate::Moved {
        to: TO.into(),
        fingerprint: source.fingerprint(),
    });
    let lock = ("control-plane.alpha.kubernetes.io/leader", "{}".to_owned());
    let mut maps = copy(&source, &[lock]);
    let target = kubernetes::contents(TO, "other", &maps);
    assert_eq!(planned(&source, &target).state, MigrationState::Complete);
    count_on(&mut maps);
    let target = kubernetes::contents(TO, "other", &maps);
    assert_eq!(
        refused(&planned(&source, &target)),
        [(RefusalKind::NotEmpty, TO)]
    );
}

#[test]
fn a_source_that_was_moved_elsewhere_or_is_a_copy_refuses() {
    let mut source = source();
    let gates = [
        Gate::Moved {
            to: "elsewhere".into(),
            fingerprint: String::new(),
        },
        Gate::Copying {
            from: "elsewhere".into(),
            fingerprint: String::new(),
        },
        Gate::Unreadable,
    ];
    for gate in gates {
        source.gate = Some(gate);
        let found = planned(&source, &empty());
        assert_eq!(refused(&found), [(RefusalKind::Closed, FROM)]);
    }
    // A target that was moved away itself takes nothing.
    source.gate = None;
    let mut target = empty();
    target.gate = Some(Gate::Unreadable);
    assert_eq!(
        refused(&planned(&source, &target)),
        [(RefusalKind::Closed, TO)]
    );
}

#[test]
fn damaged_handles_refuse_and_each_is_named() {
    let nodes = || stopped(tree(ZNODES[2].1));
    let handles: Vec<_> = source()
        .entries
        .values()
        .filter(|entry| entry.handle.is_some())
        .map(|entry| entry.key.clone())
        .collect();
    assert_eq!(handles.len(), 3);
    for key in &handles {
        for data in [
            &b""[..],
            b"text",
            &nodes()[key].data[..60],
            &nodes()[key].data[4..],
        ] {
            let mut nodes = nodes();
            nodes.get_mut(key).unwrap().data = data.to_vec();
            let source = zookeeper::contents(FROM, &nodes);
            let found = planned(&source, &empty());
            assert!(
                refused(&found).contains(&(RefusalKind::Damaged, key.as_str())),
                "{key}: {:?}",
                found.refusals
            );
        }
    }
}

#[test]
fn a_counter_that_is_behind_or_gone_refuses() {
    let mut nodes = stopped(tree(ZNODES[0].1));
    let job = source_job(&nodes);
    let counter = format!("/jobs/{job}/checkpoint_id_counter");
    nodes.get_mut(&counter).unwrap().data = 1_u32.to_be_bytes().to_vec();
    let behind = zookeeper::contents(FROM, &nodes);
    assert_eq!(
        refused(&planned(&behind, &empty())),
        [(RefusalKind::Counter, &*job)]
    );
    nodes.remove(&counter);
    let gone = zookeeper::contents(FROM, &nodes);
    assert_eq!(
        refused(&planned(&gone, &empty())),
        [(RefusalKind::Counter, &*job)]
    );
}

fn source_job(nodes: &zookeeper::Tree) -> String {
    let contents = zookeeper::contents(FROM, nodes);
    contents.cluster.jobs.keys().next().unwrap().clone()
}

#[test]
fn a_source_without_anything_to_start_refuses() {
    let mut nodes = stopped(tree(ZNODES[0].1));
    nodes.retain(|path, _| !path.starts_with("/jobgraphs/"));
    let found = planned(&zookeeper::contents(FROM, &nodes), &empty());
    assert_eq!(refused(&found), [(RefusalKind::Nothing, FROM)]);
}

#[test]
fn a_flink_that_reads_no_execution_plan_is_refused() {
    let places = Places::Kubernetes {
        address: TO.into(),
        cluster: "other".into(),
        marker: DeleteMarker::UpTo1_18,
    };
    let planned = |source| plan(&side(source), &side(&empty()), &places);
    let of_2 = source();
    assert_eq!(refused(&planned(&of_2))[0].0, RefusalKind::Version);
    let of_1_20 = zookeeper::contents(FROM, &stopped(tree(ZNODES[0].1)));
    let found = planned(&of_1_20);
    assert_eq!(refused(&found), []);
    assert!(found.notes[0].contains("start a Flink 1.18"), "{found:?}");
}

#[test]
fn more_jobs_than_a_config_map_holds_refuse() {
    let mut source = source();
    let (item, entry) = source
        .entries
        .iter()
        .find(|(item, _)| item.starts())
        .unwrap();
    let (item, entry) = (item.clone(), entry.clone());
    assert!(matches!(item, Item::Plan { .. }));
    for number in 0..1200 {
        let job = format!("{number:032x}");
        source.entries.insert(Item::Plan { job }, entry.clone());
    }
    let found = planned(&source, &empty());
    assert_eq!(
        refused(&found),
        [(RefusalKind::TooLarge, "other-cluster-config-map")]
    );
}

#[test]
fn a_counter_beyond_31_bits_does_not_go_to_zookeeper() {
    let mut source = kubernetes::contents(TO, "cluster", &maps(MAPS[2].1));
    for (item, entry) in &mut source.entries {
        if matches!(item, Item::Counter { .. }) {
            entry.value = Value::Counter(1 << 31);
        }
    }
    let places = Places::ZooKeeper {
        address: FROM.into(),
        base: "/flink/cluster".into(),
    };
    let empty = zookeeper::contents(FROM, &zookeeper::Tree::new());
    let found = plan(&side(&source), &side(&empty), &places);
    assert_eq!(refused(&found)[0].0, RefusalKind::TooLarge);
}

#[test]
fn a_path_that_does_not_end_in_the_cluster_id_of_the_files_is_noted() {
    let source = kubernetes::contents(TO, "cluster", &maps(MAPS[2].1));
    let empty = zookeeper::contents(FROM, &zookeeper::Tree::new());
    let notes = |base: &str| {
        let places = Places::ZooKeeper {
            address: FROM.into(),
            base: base.into(),
        };
        plan(&side(&source), &side(&empty), &places).notes
    };
    let directories = files(&source);
    let last = directories[0].rsplit('/').next().unwrap();
    let right = notes(&format!("/flink/{last}"));
    let wrong = notes("/flink/elsewhere");
    assert_eq!(wrong.len(), right.len() + 1);
    assert!(wrong.last().unwrap().contains(last), "{wrong:?}");
}
