//! Nexmark: a generator of persons, auctions and bids, and its queries as jobs.
