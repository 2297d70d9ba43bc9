//! What happens in the auction house.

use serde::{Deserialize, Serialize};

/// Something that happened. As JSON, an object with one field, which says what:
/// `{"bid":{"auction":1000,…}}`.
///
/// A job that needs only some fields reads events of smaller types: what these leave out is
/// skipped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Event<P = Person, A = Auction, B = Bid> {
    /// Somebody has registered.
    Person(P),
    /// Somebody offers something.
    Auction(A),
    /// Somebody bids on it.
    Bid(B),
}

/// Something that happened at a time.
pub trait Happened {
    /// When it happened, in milliseconds since 1970.
    fn date_time(&self) -> i64;
}

/// Of something that is not needed, when it happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Other {
    /// In milliseconds since 1970.
    pub date_time: i64,
}

/// Somebody who sells or bids.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Person {
    /// From 1000 on, each once.
    pub id: i64,
    /// First and last name.
    pub name: String,
    /// Made up.
    pub email_address: String,
    /// Made up: four groups of four digits.
    pub credit_card: String,
    /// One of ten.
    pub city: String,
    /// One of six of the United States, two letters.
    pub state: String,
    /// When they registered, in milliseconds since 1970.
    pub date_time: i64,
    /// Letters that make the record as large as it should be.
    pub extra: String,
}

/// Something that is sold to the highest bidder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Auction {
    /// From 1000 on, each once.
    pub id: i64,
    /// Letters.
    pub item_name: String,
    /// More letters.
    pub description: String,
    /// The least bid, in cents.
    pub initial_bid: i64,
    /// The least at which it is sold, in cents.
    pub reserve: i64,
    /// When it was opened, in milliseconds since 1970.
    pub date_time: i64,
    /// When it closes.
    pub expires: i64,
    /// The [`Person`] who sells.
    pub seller: i64,
    /// One of five, from 10 on.
    pub category: i64,
    /// Letters that make the record as large as it should be.
    pub extra: String,
}

/// A bid on an [`Auction`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Bid {
    /// The auction. A few are not open yet.
    pub auction: i64,
    /// The [`Person`] who bids. A few have not registered yet.
    pub bidder: i64,
    /// In cents.
    pub price: i64,
    /// Where they came from.
    pub channel: String,
    /// By which page.
    pub url: String,
    /// When it was made, in milliseconds since 1970.
    pub date_time: i64,
    /// Letters that make the record as large as it should be.
    pub extra: String,
}

impl<P, A, B> Event<P, A, B> {
    /// The person, if it is one.
    pub fn person(self) -> Option<P> {
        match self {
            Self::Person(person) => Some(person),
            Self::Auction(_) | Self::Bid(_) => None,
        }
    }

    /// The auction, if it is one.
    pub fn auction(self) -> Option<A> {
        match self {
            Self::Auction(auction) => Some(auction),
            Self::Person(_) | Self::Bid(_) => None,
        }
    }

    /// The bid, if it is one.
    pub fn bid(self) -> Option<B> {
        match self {
            Self::Bid(bid) => Some(bid),
            Self::Person(_) | Self::Auction(_) => None,
        }
    }
}

impl<P: Happened, A: Happened, B: Happened> Happened for Event<P, A, B> {
    fn date_time(&self) -> i64 {
        match self {
            Self::Person(person) => person.date_time(),
            Self::Auction(auction) => auction.date_time(),
            Self::Bid(bid) => bid.date_time(),
        }
    }
}

macro_rules! happened {
    ($($type:ty),*) => {
        $(impl Happened for $type {
            fn date_time(&self) -> i64 {
                self.date_time
            }
        })*
    };
}

happened!(Person, Auction, Bid, Other);
