//! Quantities of Kubernetes: `500m`, `1Gi`.

/// The suffixes of quantities.
const SUFFIXES: [&str; 16] = [
    "", "n", "u", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei",
];

/// Decimal places that are kept.
const PLACES: usize = 3;

/// So many times this quantity; `None` if it is no quantity above zero.
///
/// Quantities with exponents (`1e3`) are not taken: nobody writes resources so.
pub(crate) fn times(quantity: &str, number: u32) -> Option<String> {
    let end = quantity
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(quantity.len());
    let (digits, suffix) = quantity.split_at(end);
    if !SUFFIXES.contains(&suffix) {
        return None;
    }
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let is_number = !whole.is_empty()
        && part.len() <= PLACES
        && !digits.ends_with('.')
        && part.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number {
        return None;
    }
    let scaled: u128 = format!("{whole}{part:0<PLACES$}").parse().ok()?;
    let scale = 10_u128.pow(u32::try_from(PLACES).expect("it is small"));
    let all = scaled.checked_mul(number.into()).filter(|all| *all > 0)?;
    let (whole, part) = (all / scale, all % scale);
    let part = format!("{part:0PLACES$}");
    let part = part.trim_end_matches('0');
    Some(if part.is_empty() {
        format!("{whole}{suffix}")
    } else {
        format!("{whole}.{part}{suffix}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_multiplied_with_their_suffixes() {
        for (one, number, all) in [
            ("500m", 4, "2000m"),
            ("1", 3, "3"),
            ("0.25", 3, "0.75"),
            ("1.5Gi", 2, "3Gi"),
            ("128Mi", 1, "128Mi"),
            ("2k", 2, "4k"),
        ] {
            assert_eq!(times(one, number).as_deref(), Some(all));
        }
    }

    #[test]
    fn what_is_no_quantity_is_refused() {
        for bad in [
            "", "Gi", "1gb", "-1", "0", "1e3", "1.", ".5", "1.2345", "a", "1 Gi",
        ] {
            assert_eq!(times(bad, 2), None, "{bad}");
        }
    }
}
