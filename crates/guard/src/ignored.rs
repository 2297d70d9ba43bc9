//! Which signals are ignored.

use std::fs;

/// The signals that this process ignores. A program that it becomes or starts ignores them, too.
///
/// `nohup`, or a shell that runs a script in the background, wants these signals to have no effect.
/// So check this before you catch a signal.
#[derive(Clone, Copy, Debug)]
pub struct Ignored(u64);

impl Ignored {
    /// The signals that are ignored at present; none if `/proc` cannot be read.
    pub fn now() -> Self {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        Self(parse(&status).unwrap_or_default())
    }

    /// Whether the signal of this number is ignored.
    pub fn has(self, number: i32) -> bool {
        (1..=64).contains(&number) && (self.0 >> (number - 1)) & 1 == 1
    }
}

fn parse(status: &str) -> Option<u64> {
    let mask = status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))?;
    u64::from_str_radix(mask.trim(), 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_bit_is_signal_1() {
        let status = "Name:\tx\nSigBlk:\tffffffffffffffff\nSigIgn:\t8000000000001001\n";
        let ignored = Ignored(parse(status).unwrap());
        let numbers: Vec<_> = (-1..=70).filter(|&number| ignored.has(number)).collect();
        assert_eq!(numbers, [1, 13, 64]);
        assert_eq!(parse("Name:\tx\n"), None);
    }
}
