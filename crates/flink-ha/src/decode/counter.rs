//! Numbers of checkpoints.

use super::error::{DecodeError, shortened};

/// The id of the next checkpoint, as Curator's `SharedCount` stores it: four bytes.
///
/// # Errors
///
/// [`DecodeError::Number`] if it is anything else, or negative.
pub fn shared_count(bytes: &[u8]) -> Result<u64, DecodeError> {
    let number = <[u8; 4]>::try_from(bytes).ok().map(i32::from_be_bytes);
    let number = number.and_then(|number| u64::try_from(number).ok());
    number.ok_or_else(|| {
        let digits = bytes.iter().take(16).map(|byte| format!("{byte:02x}"));
        DecodeError::Number(digits.collect())
    })
}

/// The id of the next checkpoint, as a ConfigMap stores it: decimal digits.
///
/// # Errors
///
/// [`DecodeError::Number`] if it is anything else.
pub fn decimal_counter(text: &str) -> Result<u64, DecodeError> {
    digits(text).ok_or_else(|| DecodeError::Number(shortened(text)))
}

/// The id in the name of a checkpoint's entry: 19 digits, padded with zeros.
///
/// # Errors
///
/// [`DecodeError::Number`] if it is anything else.
pub fn checkpoint_id(name: &str) -> Result<u64, DecodeError> {
    digits(name).ok_or_else(|| DecodeError::Number(shortened(name)))
}

/// Digits only: Rust's own parser would accept a plus sign.
fn digits(text: &str) -> Option<u64> {
    let all = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| all)
}
