//! Places for the conformance suite: on the double, or on the API server of a kubeconfig.

#![allow(dead_code, reason = "each test program uses what it needs")]

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use incumbent_backend::{Address, Backend, Erased, Key};
use incumbent_backend_kubernetes::KubernetesBackend;
use incumbent_conformance::Place;
use incumbent_kubernetes_double::{Double, Options};
use tempfile::NamedTempFile;

/// A kubeconfig in a file, which is deleted when this is dropped.
pub(crate) fn kubeconfig(double: &Double, token: Option<&str>) -> NamedTempFile {
    let mut file = NamedTempFile::new().expect("a file can be made");
    file.write_all(double.kubeconfig(token).as_bytes())
        .expect("it can be written");
    file
}

/// An address in the namespace of the kubeconfig.
pub(crate) fn address(kubeconfig: &std::path::Path, cluster: &str, options: &str) -> Address {
    let path = kubeconfig.to_str().expect("it is text");
    let address = format!("kubernetes:///{cluster}?kubeconfig={path}&{options}");
    address
        .trim_end_matches('&')
        .parse()
        .expect("it is an address")
}

/// A place on a double of its own.
pub(crate) async fn on_double(options: &str) -> Place {
    let double = Double::start(Options::default()).await;
    let file = kubeconfig(&double, None);
    on(file.path().to_owned(), options).keeping((double, file))
}

/// A place on the server that `INCUMBENT_TEST_KUBECONFIG` names, if it is set.
pub(crate) fn on_real(options: &str) -> Option<Place> {
    let path = std::env::var_os("INCUMBENT_TEST_KUBECONFIG")?;
    Some(on(path.into(), options))
}

/// Each claim has its own cluster there.
fn on(kubeconfig: PathBuf, options: &str) -> Place {
    let cluster = format!("it-{:016x}", rand::random::<u64>());
    let address = address(&kubeconfig, &cluster, options);
    let by_hand = open(&address);
    let opened = address.clone();
    Place::new(move || std::future::ready(open(&opened)))
        .remove_by_hand(move |key| {
            let by_hand = by_hand.clone();
            async move { remove(&by_hand, &key).await }
        })
        .keeping(Cleaned(Arc::new(open(&address))))
}

fn open(address: &Address) -> KubernetesBackend {
    KubernetesBackend::open(address).expect("the address is good")
}

async fn remove(by_hand: &KubernetesBackend, key: &Key) {
    let found = by_hand
        .read(key)
        .await
        .expect("it is read")
        .expect("it exists");
    let erased = by_hand
        .erase(key, &found.version)
        .await
        .expect("nothing is in the way");
    assert_eq!(erased, Erased::Gone);
}

/// Leaves nothing behind on a server that others use too.
struct Cleaned(Arc<KubernetesBackend>);

impl Drop for Cleaned {
    fn drop(&mut self) {
        if std::env::var_os("INCUMBENT_TEST_KUBECONFIG").is_none() {
            return;
        }
        let backend = Arc::clone(&self.0);
        let clean = async move {
            for group in backend.groups().await.unwrap_or_default() {
                for listed in backend.list(&group).await.unwrap_or_default() {
                    let _ = backend.erase(&listed.key, &listed.version).await;
                }
            }
        };
        // The test's runtime is multi-threaded.
        tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(clean));
    }
}
