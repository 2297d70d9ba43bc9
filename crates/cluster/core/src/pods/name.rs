//! Names of pods.

use incumbent_core::Epoch;

/// Longest name of a cluster in names of pods: with epoch and number it stays a label of DNS, which
/// the host name of a pod is.
const LONGEST: usize = 30;

/// A name that pods cannot have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} cannot begin the names of pods: lower case letters, digits and hyphens inside, at most \
     {LONGEST} characters"
)]
pub struct BadPodsName(String);

/// The name of a pod. No two leaders have the same epoch, and no leader uses a number twice.
pub fn pod_name(cluster: &str, epoch: Epoch, number: u64) -> String {
    format!("{cluster}-taskmanager-{}-{number}", epoch.get())
}

/// Refuses what cannot begin the names of pods.
///
/// # Errors
///
/// [`BadPodsName`].
pub fn check_name(name: &str) -> Result<(), BadPodsName> {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let is_good = (1..=LONGEST).contains(&name.len())
        && name.bytes().all(inner)
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && !name.ends_with('-');
    if is_good {
        Ok(())
    } else {
        Err(BadPodsName(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_name_is_a_label_of_dns() {
        let cluster = "a".repeat(LONGEST);
        assert!(check_name(&cluster).is_ok());
        let name = pod_name(&cluster, Epoch::new(9_999_999_999), 999_999_999);
        assert!(name.len() <= 63, "{name}: {}", name.len());
    }

    #[test]
    fn what_no_pod_can_be_called_is_refused() {
        let long = "a".repeat(LONGEST + 1);
        for bad in ["", "A", "1a", "a.b", "a_b", "a-", "-a", &long] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }
}
