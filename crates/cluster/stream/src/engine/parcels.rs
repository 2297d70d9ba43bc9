//! [`Parcels`]: how records are put together for each of the ranks.

use timely::container::{ContainerBuilder, LengthPreservingContainerBuilder, PushInto};

/// A parcel takes about this much memory, at most.
const LARGEST: usize = 64 << 10;

/// Puts records together until the turn of the operator ends, or the parcel is large. Each parcel
/// is a message, which wakes a thread here and two on the other rank: timely's own builder makes
/// one of each 8 KiB, and of what is left.
pub(super) struct Parcels<T> {
    open: Vec<T>,
    /// The last one that was given. Of one that was encoded, the memory is left.
    given: Vec<T>,
}

impl<T> Default for Parcels<T> {
    fn default() -> Self {
        Self {
            open: Vec::new(),
            given: Vec::new(),
        }
    }
}

impl<T> Parcels<T> {
    /// How many records make the largest one.
    const MOST: usize = match LARGEST.checked_div(size_of::<T>()) {
        Some(0) => 1,
        Some(most) => most,
        None => LARGEST,
    };

    fn give(&mut self) -> Option<&mut Vec<T>> {
        self.given.clear();
        // The next one is probably as large.
        self.given.reserve(self.open.len());
        std::mem::swap(&mut self.given, &mut self.open);
        Some(&mut self.given)
    }
}

impl<T> PushInto<T> for Parcels<T> {
    #[inline]
    fn push_into(&mut self, record: T) {
        self.open.push(record);
    }
}

impl<T: Clone + 'static> ContainerBuilder for Parcels<T> {
    type Container = Vec<T>;

    #[inline]
    fn extract(&mut self) -> Option<&mut Vec<T>> {
        match self.open.len() < Self::MOST {
            true => None,
            false => self.give(),
        }
    }

    fn finish(&mut self) -> Option<&mut Vec<T>> {
        match self.open.is_empty() {
            true => None,
            false => self.give(),
        }
    }
}

/// What goes in comes out.
impl<T: Clone + 'static> LengthPreservingContainerBuilder for Parcels<T> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_record_is_in_one_parcel_and_none_is_larger_than_it_may_be() {
        let mut parcels = Parcels::<u64>::default();
        let mut seen: Vec<u64> = Vec::new();
        let mut number = 0;
        for record in 0..100_000 {
            parcels.push_into(record);
            while let Some(parcel) = parcels.extract() {
                assert!(parcel.len() * size_of::<u64>() <= LARGEST);
                number += 1;
                // Some takers leave the memory with what is in it, others take it.
                match number % 2 {
                    0 => seen.extend_from_slice(parcel),
                    _ => seen.append(&mut std::mem::take(parcel)),
                }
            }
        }
        assert!(number > 2);
        while let Some(parcel) = parcels.finish() {
            seen.extend_from_slice(parcel);
        }
        assert!(seen.into_iter().eq(0..100_000));
    }
}
