use incumbent_stream::Job;
use incumbent_stream_files::Files;
use serde::{Deserialize, Serialize};

use super::events;
use crate::{Event, Other};

const STATES: [&str; 3] = ["OR", "ID", "CA"];
const CATEGORY: i64 = 10;

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Seller {
    id: i64,
    name: String,
    city: String,
    state: String,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct OfSeller {
    id: i64,
    seller: i64,
    category: i64,
}

/// Something to buy nearby.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// Of the seller.
    pub name: String,
    /// Of the seller.
    pub city: String,
    /// Of the seller.
    pub state: String,
    /// The auction.
    pub id: i64,
}

/// Who sells in Oregon, Idaho or California, in category 10, and which auctions? A person and an
/// auction belong together whenever they come.
pub fn q3(job: &Job<'_>, input: &str, output: &str) {
    let events = events::<Seller, OfSeller, Other>(job, input);
    let sellers = (events.flat_map(Event::person))
        .filter(|person| STATES.contains(&person.state.as_str()))
        .key_by(|person| person.id);
    let auctions = (events.flat_map(Event::auction))
        .filter(|auction| auction.category == CATEGORY)
        .key_by(|auction| auction.seller);
    sellers
        .join("offers", &auctions)
        .forever()
        .apply(|_, seller, auction| Offer {
            name: seller.name.clone(),
            city: seller.city.clone(),
            state: seller.state.clone(),
            id: auction.id,
        })
        .sink("results", Files::ndjson(output));
}
