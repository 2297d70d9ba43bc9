//! Which coding of a file a client gets, and whether it has the file already. Pure.

use http::header::{ACCEPT_ENCODING, HeaderMap, HeaderName, HeaderValue, IF_NONE_MATCH};

use super::table::{Content, File};

/// The best coding that the client accepts; the plain file if it accepts none of them.
pub(super) fn choose<'a>(file: &'a File, headers: &HeaderMap) -> &'a Content {
    let mut best = (&file.plain, 0);
    for content in &file.coded {
        let Some(coding) = content.coding else {
            continue;
        };
        let weight = weight(headers, coding);
        // They are in order of size: of two that are liked equally, the first is smaller.
        if weight > best.1 {
            best = (content, weight);
        }
    }
    // A client that prefers the plain file says so.
    match weight_of(headers, "identity") {
        Some(identity) if identity > best.1 => &file.plain,
        Some(_) | None => best.0,
    }
}

/// How much the client prefers this coding, in thousandths; zero if it does not accept it.
fn weight(headers: &HeaderMap, coding: &str) -> u16 {
    let named = weight_of(headers, coding);
    named.or_else(|| weight_of(headers, "*")).unwrap_or(0)
}

/// The weight that the client gives to this very name.
fn weight_of(headers: &HeaderMap, coding: &str) -> Option<u16> {
    members(headers, &ACCEPT_ENCODING).find_map(|member| {
        let mut parts = member.split(';').map(str::trim);
        let name = parts.next()?;
        let is_it = name.eq_ignore_ascii_case(coding)
            || (coding == "gzip" && name.eq_ignore_ascii_case("x-gzip"));
        let mut quality =
            || parts.find_map(|part| part.strip_prefix(['q', 'Q'])?.strip_prefix('='));
        is_it.then(|| quality().map_or(1000, thousandths))
    })
}

/// `0.5` as 500, and anything unreadable as zero.
fn thousandths(quality: &str) -> u16 {
    let quality: f32 = quality.trim().parse().unwrap_or(0.0);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is between 0 and 1000; NaN becomes 0"
    )]
    let thousandths = (quality.clamp(0.0, 1.0) * 1000.0) as u16;
    thousandths
}

/// Whether the client has the content with this tag.
pub(super) fn has(headers: &HeaderMap, etag: &HeaderValue) -> bool {
    // The comparison is weak, as it should be for reading. None of our tags contains a comma.
    members(headers, &IF_NONE_MATCH).any(|tag| {
        let tag = tag.strip_prefix("W/").unwrap_or(tag);
        tag == "*" || tag.as_bytes() == etag.as_bytes()
    })
}

fn members<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let lines = headers.get_all(name).iter();
    lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .map(str::trim)
}
