//! Numbers that look random and depend on the number of an event alone.

/// SplitMix64, by Steele, Lea and Flood: a counter and a mixing function. Whatever the machine, and
/// whatever the release of a library, the same seed gives the same numbers.
pub(crate) struct Random {
    state: u64,
}

impl Random {
    pub(crate) fn of_event(number: u64) -> Self {
        // Neighbours must not share a part of their sequences, which start a step apart.
        Self {
            state: mix(number ^ 0x6a09_e667_f3bc_c908),
        }
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.state)
    }

    /// From 0 to before this, which is not 0.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        // The high half of a product is as even as the number it is made of.
        let wide = u128::from(self.next()) * u128::from(end);
        u64::try_from(wide >> 64).expect("the high half of a product of u64s is a u64")
    }

    pub(crate) fn one_of<'a>(&mut self, all: &[&'a str]) -> &'a str {
        let index = self.below(all.len() as u64);
        all[usize::try_from(index).expect("an index of a slice is a usize")]
    }

    /// Appends so many small letters.
    pub(crate) fn letters(&mut self, count: u64, to: &mut String) {
        let mut left = count;
        while left > 0 {
            // Thirteen letters of 26 are a little less than 64 bits.
            let mut bits = self.next();
            for _ in 0..left.min(13) {
                to.push(char::from(b'a' + (bits % 26) as u8));
                bits /= 26;
            }
            left -= left.min(13);
        }
    }

    /// A price in cents: each of the decades from 1 to 1,000,000 is as likely as the others.
    pub(crate) fn price(&mut self) -> i64 {
        let decade = 100 * 10_u64.pow(u32::try_from(self.below(6)).expect("it is below 6"));
        let price = decade + self.below(decade * 9);
        i64::try_from(price).expect("it is at most 100 million")
    }
}

fn mix(seed: u64) -> u64 {
    let mut mixed = seed;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
