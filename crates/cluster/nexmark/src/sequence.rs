//! [`Sequence`]: what happens, one event after the other.

use crate::model::{Auction, Bid, Event, Person};
use crate::random::Random;

/// Of 50 events, one is a person, three are auctions, and the rest are bids.
const CYCLE: u64 = 50;
const PERSONS: u64 = 1;
const AUCTIONS: u64 = 3;

/// The first of all numbers of persons, auctions and categories.
const FIRST_PERSON: u64 = 1000;
const FIRST_AUCTION: u64 = 1000;
const FIRST_CATEGORY: u64 = 10;
const CATEGORIES: u64 = 5;

/// So many of the newest persons sell and bid, and so many of the newest auctions are open.
const ACTIVE_PERSONS: u64 = 1000;
const OPEN_AUCTIONS: u64 = 100;

/// So many may be named before they are there: streams are not in order.
const LEAD: u64 = 10;

/// One in so many persons and auctions is hot. Three of four sellers and bidders are, and half of
/// the auctions that are bid on.
const HOT: u64 = 100;

/// How large events are on average, in bytes, counted as other generators do.
const PERSON_BYTES: u64 = 200;
const AUCTION_BYTES: u64 = 500;
const BID_BYTES: u64 = 100;

/// 2026-01-01, when the first event happens if nothing else is said.
const BEGIN: i64 = 1_767_225_600_000;

/// 10,000 events in a second of event time, if nothing else is said.
const GAP_MICROS: u64 = 100;

const FIRST_NAMES: [&str; 11] = [
    "Peter", "Paul", "Luke", "John", "Saul", "Vicky", "Kate", "Julie", "Sarah", "Deiter", "Walter",
];
const LAST_NAMES: [&str; 9] = [
    "Shultz", "Abrams", "Spencer", "White", "Bartels", "Walton", "Smith", "Jones", "Noris",
];
const CITIES: [&str; 10] = [
    "Phoenix",
    "Los Angeles",
    "San Francisco",
    "Boise",
    "Portland",
    "Bend",
    "Redmond",
    "Seattle",
    "Kent",
    "Cheyenne",
];
const STATES: [&str; 6] = ["AZ", "CA", "ID", "OR", "WA", "WY"];
const HOT_CHANNELS: [&str; 4] = ["Google", "Facebook", "Baidu", "Apple"];

/// So many other channels there are.
const CHANNELS: u64 = 10_000;

/// All events, each by its number: the same number gives the same event, on every machine and in
/// every release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sequence {
    begin: i64,
    gap_micros: u64,
    disorder: u64,
}

impl Sequence {
    /// From 2026 on, 10,000 events in a second of event time, in their order.
    pub const fn new() -> Self {
        Self {
            begin: BEGIN,
            gap_micros: GAP_MICROS,
            disorder: 1,
        }
    }

    /// The time of the first event, in milliseconds since 1970.
    #[must_use]
    pub const fn begin(mut self, millis: i64) -> Self {
        self.begin = millis;
        self
    }

    /// The time from one event to the next, in microseconds of event time.
    #[must_use]
    pub const fn gap_micros(mut self, micros: u64) -> Self {
        self.gap_micros = micros;
        self
    }

    /// Mixes each so many events among themselves, so that they come out of order: an event is late
    /// by less than `events` times the gap. 1 mixes nothing, and is also what 0 means.
    #[must_use]
    pub const fn disorder(mut self, events: u64) -> Self {
        self.disorder = if events == 0 { 1 } else { events };
        self
    }

    /// The event with this number, from 0 on.
    pub fn event(&self, number: u64) -> Event {
        let number = self.place(number);
        let mut random = Random::of_event(number);
        let time = self.time(number);
        match number % CYCLE {
            at if at < PERSONS => Event::Person(person(number, time, &mut random)),
            at if at < PERSONS + AUCTIONS => {
                // Twice as long as it takes until so many others are open, at most.
                let open = OPEN_AUCTIONS * CYCLE / AUCTIONS * self.gap_micros / 1000;
                let expires = time + 1 + signed(random.below((open * 2).max(1)));
                Event::Auction(auction(number, time, expires, &mut random))
            }
            _ => Event::Bid(bid(number, time, &mut random)),
        }
    }

    /// Where the event that comes at this place belongs: another of its group.
    fn place(&self, number: u64) -> u64 {
        let within = number % self.disorder;
        number - within + reversed(within, self.disorder)
    }

    fn time(&self, number: u64) -> i64 {
        self.begin + signed(number * self.gap_micros / 1000)
    }
}

impl Default for Sequence {
    fn default() -> Self {
        Self::new()
    }
}

/// A permutation of the numbers below `size`: the last comes first, then the first, and so on.
fn reversed(at: u64, size: u64) -> u64 {
    if at.is_multiple_of(2) {
        size - 1 - at / 2
    } else {
        at / 2
    }
}

fn person(number: u64, time: i64, random: &mut Random) -> Person {
    let name = format!(
        "{} {}",
        random.one_of(&FIRST_NAMES),
        random.one_of(&LAST_NAMES)
    );
    let mut email_address = String::with_capacity(17);
    random.letters(7, &mut email_address);
    email_address.push('@');
    random.letters(5, &mut email_address);
    email_address.push_str(".com");
    let [a, b, c, d] = std::array::from_fn(|_| random.below(10_000));
    let credit_card = format!("{a:04} {b:04} {c:04} {d:04}");
    let (city, state) = (random.one_of(&CITIES), random.one_of(&STATES));
    let size = 8 + name.len() + email_address.len() + credit_card.len() + city.len() + 2;
    Person {
        id: signed(FIRST_PERSON + newest_person(number)),
        name,
        email_address,
        credit_card,
        city: city.to_owned(),
        state: state.to_owned(),
        date_time: time,
        extra: extra(PERSON_BYTES.saturating_sub(size as u64), random),
    }
}

fn auction(number: u64, time: i64, expires: i64, random: &mut Random) -> Auction {
    let (mut item_name, mut description) = (String::with_capacity(20), String::with_capacity(100));
    random.letters(20, &mut item_name);
    random.letters(100, &mut description);
    let initial_bid = random.price();
    let seller = match random.below(4) {
        0 => some_person(number, random),
        _ => newest_person(number) / HOT * HOT,
    };
    Auction {
        id: signed(FIRST_AUCTION + newest_auction(number)),
        reserve: initial_bid + random.price(),
        initial_bid,
        date_time: time,
        expires,
        seller: signed(FIRST_PERSON + seller),
        category: signed(FIRST_CATEGORY + random.below(CATEGORIES)),
        extra: extra(AUCTION_BYTES - 8 * 6 - 120, random),
        item_name,
        description,
    }
}

fn bid(number: u64, time: i64, random: &mut Random) -> Bid {
    let auction = match random.below(2) {
        0 => some_auction(number, random),
        _ => newest_auction(number) / HOT * HOT,
    };
    let bidder = match random.below(4) {
        0 => some_person(number, random),
        // Another than the hot seller.
        _ => newest_person(number) / HOT * HOT + 1,
    };
    let (channel, page) = match random.below(2) {
        0 => {
            let channel = random.below(CHANNELS);
            (format!("channel-{channel}"), channel)
        }
        _ => {
            let hot = random.below(HOT_CHANNELS.len() as u64);
            let name = HOT_CHANNELS[usize::try_from(hot).expect("it is below 4")];
            (name.to_owned(), CHANNELS + hot)
        }
    };
    let mut of_page = Random::of_event(page);
    let mut url = String::with_capacity(72);
    url.push_str("https://www.nexmark.com/");
    for ending in ["/", "/", "/item.htm?query=1"] {
        of_page.letters(5, &mut url);
        url.push_str(ending);
    }
    if channel.starts_with("channel-") {
        url.push_str(&format!("&channel_id={page}"));
    }
    Bid {
        auction: signed(FIRST_AUCTION + auction),
        bidder: signed(FIRST_PERSON + bidder),
        price: random.price(),
        channel,
        url,
        date_time: time,
        extra: extra(BID_BYTES - 8 * 4, random),
    }
}

/// The newest person at an event, counted from 0. Each cycle begins with one.
fn newest_person(number: u64) -> u64 {
    number / CYCLE
}

/// The newest auction at an event, counted from 0. The first, if there is none yet.
fn newest_auction(number: u64) -> u64 {
    let begun = (number % CYCLE + 1).saturating_sub(PERSONS).min(AUCTIONS);
    (number / CYCLE * AUCTIONS + begun).saturating_sub(1)
}

fn some_person(number: u64, random: &mut Random) -> u64 {
    let count = newest_person(number) + 1;
    let active = count.min(ACTIVE_PERSONS);
    count - active + random.below(active + LEAD)
}

fn some_auction(number: u64, random: &mut Random) -> u64 {
    let newest = newest_auction(number);
    let oldest = newest.saturating_sub(OPEN_AUCTIONS);
    oldest + random.below(newest - oldest + 1 + LEAD)
}

/// Letters: as many as are missing, a fifth more or less.
fn extra(missing: u64, random: &mut Random) -> String {
    let least = missing - missing / 5;
    let count = least + random.below(missing / 5 * 2 + 1);
    let mut extra = String::with_capacity(usize::try_from(count).unwrap_or_default());
    random.letters(count, &mut extra);
    extra
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).expect("numbers of events are far below the largest i64")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::Happened;

    #[test]
    fn the_same_number_gives_the_same_event_in_every_release() {
        let lines: String = (0..1000)
            .map(|number| serde_json::to_string(&Sequence::new().event(number)).unwrap() + "\n")
            .collect();
        // FNV-1a. If it changes, files that were written earlier no longer fit the generator.
        let digest = lines
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |digest, byte| {
                (digest ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
            });
        assert_eq!(digest, 0x340b_c2ca_58d8_d9fd, "{digest:#x}");
    }

    #[test]
    fn of_fifty_events_one_is_a_person_and_three_are_auctions() {
        let (mut persons, mut auctions) = (Vec::new(), Vec::new());
        for number in 0..50_000 {
            match Sequence::new().event(number) {
                Event::Person(person) => persons.push(person.id),
                Event::Auction(auction) => auctions.push(auction.id),
                Event::Bid(_) => {}
            }
        }
        assert_eq!(persons, (1000..2000).collect::<Vec<_>>());
        assert_eq!(auctions, (1000..4000).collect::<Vec<_>>());
    }

    #[test]
    fn times_rise_with_the_numbers_far_beyond_what_a_float_can_tell() {
        let sequence = Sequence::new().gap_micros(1000);
        for number in [0, 1, 1 << 24, (1 << 24) + 1, 1 << 40] {
            let time = sequence.event(number).date_time();
            assert_eq!(time, BEGIN + i64::try_from(number).unwrap());
        }
    }

    #[test]
    fn disorder_gives_the_same_events_in_another_order_and_none_is_later_than_said() {
        for size in [1, 2, 7, 100] {
            let sequence = Sequence::new().gap_micros(1000).disorder(size);
            let times: Vec<i64> = (0..700).map(|n| sequence.event(n).date_time()).collect();
            let all: BTreeSet<i64> = times.iter().copied().collect();
            assert_eq!(all.len(), 700);
            let mut latest = i64::MIN;
            for time in times {
                latest = latest.max(time);
                assert!(latest - time < i64::try_from(size).unwrap());
            }
        }
    }

    #[test]
    fn what_is_named_is_there_or_about_to_be() {
        for number in 0..100_000 {
            match Sequence::new().event(number) {
                Event::Person(_) => {}
                Event::Auction(auction) => {
                    assert!(auction.expires > auction.date_time);
                    assert!(auction.reserve > auction.initial_bid);
                    let newest = signed(FIRST_PERSON + newest_person(number) + LEAD);
                    assert!((1000..=newest).contains(&auction.seller), "{auction:?}");
                }
                Event::Bid(bid) => {
                    let newest = signed(FIRST_AUCTION + newest_auction(number) + LEAD);
                    assert!((1000..=newest).contains(&bid.auction), "{bid:?}");
                    assert!((100..=100_000_000).contains(&bid.price));
                }
            }
        }
    }
}
