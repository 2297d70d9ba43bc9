//! The contract, on the double: with the root in a ConfigMap and in a Lease. With
//! `INCUMBENT_TEST_KUBECONFIG` on a real server too.

mod place;

use incumbent_conformance::Place;

fn double(options: &str) -> Place {
    tokio::task::block_in_place(|| {
        tokio::runtime::Handle::current().block_on(place::on_double(options))
    })
}

mod bare {
    incumbent_conformance::bare!(super::double(""));
}

mod bare_with_lease {
    incumbent_conformance::bare!(super::double("root=lease"));
}

mod unreliable {
    incumbent_conformance::unreliable!(super::double(""));
}

mod unreliable_with_lease {
    incumbent_conformance::unreliable!(super::double("root=lease"));
}

mod real {
    incumbent_conformance::bare!(super::place::on_real(""));
}

mod real_with_lease {
    incumbent_conformance::bare!(super::place::on_real("root=lease"));
}

mod real_and_unreliable {
    incumbent_conformance::unreliable!(super::place::on_real(""));
}
