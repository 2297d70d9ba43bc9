//! Claims that hold on the double and on a real API server alike, the one that
//! `INCUMBENT_TEST_KUBECONFIG` names.
//!
//! The conformance suite writes only records. These claims are about roots, in Leases too, and
//! about sizes and lists that servers limit.

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod place;

use std::path::PathBuf;
use std::time::Duration;

use futures::StreamExt;
use incumbent::backend::{Backend, Erased, Expected, Hint, Key, Swapped, Version};
use incumbent::{Group, Liveness, Options, Store, Timing, TimingOptions};
use incumbent_backend_kubernetes::KubernetesBackend;
use incumbent_kubernetes_double::Double;
use tempfile::NamedTempFile;
use tokio::time::timeout;

/// In which everything that a test waits for must come.
const IN_TIME: Duration = Duration::from_secs(60);

/// A cluster of its own on a server.
struct Scene {
    kubeconfig: PathBuf,
    cluster: String,
    _double: Option<(Double, NamedTempFile)>,
}

impl Scene {
    async fn each() -> Vec<Self> {
        let double = Double::start(incumbent_kubernetes_double::Options::default()).await;
        let file = place::kubeconfig(&double, None);
        let mut scenes = vec![Self::on(file.path().into(), Some((double, file)))];
        match std::env::var_os("INCUMBENT_TEST_KUBECONFIG") {
            Some(path) => scenes.push(Self::on(path.into(), None)),
            None => eprintln!("SKIPPED on a real server: INCUMBENT_TEST_KUBECONFIG is not set"),
        }
        scenes
    }

    fn on(kubeconfig: PathBuf, double: Option<(Double, NamedTempFile)>) -> Self {
        Self {
            kubeconfig,
            cluster: format!("it-{:016x}", rand::random::<u64>()),
            _double: double,
        }
    }

    fn open(&self, options: &str) -> KubernetesBackend {
        let address = place::address(&self.kubeconfig, &self.cluster, options);
        KubernetesBackend::open(&address).unwrap()
    }

    /// Leaves nothing behind.
    async fn clean(&self, options: &str) {
        let backend = self.open(options);
        for group in backend.groups().await.unwrap() {
            for listed in backend.list(&group).await.unwrap() {
                let _ = backend.erase(&listed.key, &listed.version).await.unwrap();
            }
        }
        assert_eq!(backend.groups().await.unwrap(), []);
    }
}

fn key(item: &str) -> Key {
    Key::of_item("g".parse().unwrap(), item).unwrap()
}

async fn swap(backend: &impl Backend, key: &Key, expected: Expected<'_>, body: &[u8]) -> Version {
    match backend.swap(key, expected, body).await.unwrap() {
        Swapped::Committed(version) => version,
        Swapped::Conflict => panic!("nobody else writes {key}"),
    }
}

/// A root behaves as any record, whatever kind of object keeps it.
#[tokio::test]
async fn a_root_is_created_replaced_sealed_and_removed() {
    for scene in Scene::each().await {
        for options in ["", "root=lease"] {
            let (backend, root) = (scene.open(options), key("@root"));
            let first = swap(&backend, &root, Expected::Absent, b"{}").await;
            let again = backend.swap(&root, Expected::Absent, b"{}").await.unwrap();
            assert_eq!(again, Swapped::Conflict);
            let second = swap(&backend, &root, Expected::At(&first), b"{}").await;
            assert_ne!(first, second, "the same body is a new version");
            let late = backend
                .swap(&root, Expected::At(&first), b"late")
                .await
                .unwrap();
            assert_eq!(late, Swapped::Conflict);
            let erased = backend.erase(&root, &first).await.unwrap();
            assert_eq!(erased, Erased::Conflict);
            assert_eq!(backend.erase(&root, &second).await.unwrap(), Erased::Gone);
            for at in [&first, &second] {
                let late = backend
                    .swap(&root, Expected::At(at), b"late")
                    .await
                    .unwrap();
                assert_eq!(
                    late,
                    Swapped::Conflict,
                    "what was deleted does not come back"
                );
                assert_eq!(backend.erase(&root, at).await.unwrap(), Erased::Conflict);
            }
            assert_eq!(backend.read(&root).await.unwrap(), None);
            let third = swap(&backend, &root, Expected::Absent, b"").await;
            let late = backend
                .swap(&root, Expected::At(&second), b"late")
                .await
                .unwrap();
            assert_eq!(late, Swapped::Conflict);
            assert_eq!(backend.erase(&root, &third).await.unwrap(), Erased::Gone);
        }
    }
}

#[tokio::test]
async fn the_largest_bodies_are_accepted_whatever_bytes_they_have() {
    for scene in Scene::each().await {
        let backend = scene.open("root=lease");
        for (item, size) in [("a", 512 * 1024), ("@root", 180 * 1024)] {
            let key = key(item);
            let mut at: Option<Version> = None;
            for byte in [b'x', b'"', b'\n', b'<', 0, 0xff] {
                let body = vec![byte; size];
                let expected = at.as_ref().map_or(Expected::Absent, Expected::At);
                at = Some(swap(&backend, &key, expected, &body).await);
                let found = backend.read(&key).await.unwrap().unwrap();
                assert!(found.body == body, "{item} of {byte}");
            }
        }
        scene.clean("root=lease").await;
    }
}

#[tokio::test]
async fn lists_of_several_parts_are_whole() {
    for scene in Scene::each().await {
        let backend = scene.open("qps=100000&burst=100000");
        let creates = (0..1100).map(|at| {
            let backend = backend.clone();
            async move {
                let key = key(&format!("jobs/{at}"));
                swap(&backend, &key, Expected::Absent, b"{}").await
            }
        });
        let created: Vec<_> = futures::stream::iter(creates)
            .buffer_unordered(16)
            .collect()
            .await;
        assert_eq!(
            backend.list(key("a").group()).await.unwrap().len(),
            created.len()
        );
        scene.clean("qps=100000&burst=100000").await;
    }
}

#[tokio::test]
async fn hints_name_what_was_written() {
    for scene in Scene::each().await {
        for options in ["", "root=lease"] {
            let backend = scene.open(options);
            let mut hints = backend.watch(key("a").group());
            // Each kind of object has its own watch, and each watch gives a hint when it starts.
            let watches = if options.is_empty() { 1 } else { 2 };
            for _ in 0..watches {
                let begun = timeout(IN_TIME, hints.next()).await;
                assert_eq!(begun.expect("it begins"), Some(Hint::anything()));
            }
            for item in ["@root", "a"] {
                let version = swap(&backend, &key(item), Expected::Absent, b"{}").await;
                let told = async {
                    loop {
                        let hint = hints.next().await.unwrap();
                        if hint.version.as_ref() == Some(&version) {
                            return hint.key;
                        }
                    }
                };
                let told = timeout(IN_TIME, told).await.expect("it is told");
                assert_eq!(told, Some(key(item)));
            }
            scene.clean(options).await;
        }
    }
}

fn node(backend: KubernetesBackend, name: &str) -> Group {
    let options = Options {
        holder: Some(name.parse().unwrap()),
        timing: Timing::new(TimingOptions::for_lease(Duration::from_secs(3))).unwrap(),
        liveness: Liveness::Off,
        ..Options::default()
    };
    Store::on(backend).group_with("g", options).unwrap()
}

/// Ten changes of leader: each leader sees what the one before wrote.
#[tokio::test]
async fn leaders_follow_one_another_and_lose_nothing() {
    for scene in Scene::each().await {
        for options in ["", "root=lease"] {
            let groups = [
                node(scene.open(options), "a"),
                node(scene.open(options), "b"),
            ];
            for round in 0..10_u64 {
                let group = &groups[usize::try_from(round % 2).unwrap()];
                let campaign = group.candidate().unwrap();
                let leadership = timeout(IN_TIME, campaign.campaign())
                    .await
                    .expect("it leads");
                assert_eq!(leadership.epoch().get(), round + 1);
                leadership.activate().await.unwrap();
                let mut count = leadership
                    .open::<u64>(&"count".parse().unwrap())
                    .await
                    .unwrap();
                assert_eq!(count.data().copied().unwrap_or(0), round);
                count.commit(round + 1).await.unwrap();
                leadership.resign(None).await;
            }
            drop(groups);
            scene.clean(options).await;
        }
    }
}
