//! Runs the conformance suite on a real etcd. Each handle has its own connection, like a separate
//! process.

use incumbent_backend_etcd::EtcdBackend;
use incumbent_conformance::Place;
use incumbent_servers::etcd::Etcd;

fn place() -> Option<Place> {
    let server = Etcd::shared()?;
    let base = format!("/conformance/{:016x}", rand::random::<u64>());
    let address = format!("etcd://{}{base}", server.address());
    let address = address.parse().expect("it is an address");
    let open =
        move || std::future::ready(EtcdBackend::open(&address).expect("the address is good"));
    let place = Place::new(open).remove_by_hand(move |key| {
        let key = format!("{base}/{}//{}", key.group(), key.item());
        async move {
            let removed = server.ctl(&["del", &key]).expect("it is there");
            assert_eq!(removed, "1\n");
        }
    });
    Some(place)
}

mod bare {
    incumbent_conformance::bare!(super::place());
}

mod unreliable {
    incumbent_conformance::unreliable!(super::place());
}
