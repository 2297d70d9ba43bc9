//! Fields that only the gateway may set, in every spelling that an application may take for them.
//!
//! CGI, WSGI, Rack and PHP hand fields to an application as variables: `X-Forwarded-For` becomes
//! `HTTP_X_FORWARDED_FOR`. So do `X_Forwarded_For` and, with some servers, `X.Forwarded.For`: a
//! field of one of those names overwrites or joins the gateway's own.

use std::borrow::Cow;

/// Who may set a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// The gateway alone.
    Gateway,
    /// The gateway, and proxies in front of it that are trusted.
    Proxies,
    /// Anybody.
    Anybody,
}

/// Who may set the field of this name, which is in lower case.
pub(super) fn owner(name: &str) -> Owner {
    let usual = usual(name);
    let owner = match &*usual {
        "client-cert" | "client-cert-chain" | "proxy" => Owner::Gateway,
        "forwarded" | "via" | "x-real-ip" => Owner::Proxies,
        other if other.starts_with("incumbent-") => Owner::Gateway,
        other if other.starts_with("x-forwarded-") => Owner::Proxies,
        // In another spelling they frame nothing here, but may do so further on.
        "content-length" | "transfer-encoding" if usual != name => Owner::Gateway,
        _ => Owner::Anybody,
    };
    // A trusted proxy knows how its fields are spelt, and passes on what it does not know.
    if owner == Owner::Proxies && usual != name {
        Owner::Gateway
    } else {
        owner
    }
}

/// Whether this field is about the epochs of leaders, in any spelling.
pub(super) fn is_about_epochs(name: &str) -> bool {
    usual(name).starts_with("incumbent-")
}

/// The name with a hyphen for each character that is folded into `_` somewhere.
fn usual(name: &str) -> Cow<'_, str> {
    let is_usual = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if name.bytes().all(is_usual) {
        return Cow::Borrowed(name);
    }
    let usual = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' });
    Cow::Owned(usual.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_an_owned_field_is_the_gateways() {
        for name in [
            "x-forwarded-for",
            "x-forwarded-anything",
            "x-real-ip",
            "client-cert",
            "client-cert-chain",
            "incumbent-epoch",
            "incumbent-anything",
            "content-length",
            "transfer-encoding",
        ] {
            for separator in ["_", ".", "+", "~"] {
                let spelt = name.replace('-', separator);
                assert_eq!(owner(&spelt), Owner::Gateway, "{spelt}");
                let mixed = name.replacen('-', separator, 1);
                assert_eq!(owner(&mixed), Owner::Gateway, "{mixed}");
            }
        }
        assert_eq!(owner("proxy"), Owner::Gateway);
    }

    #[test]
    fn a_trusted_proxy_may_set_its_fields_as_they_are_spelt() {
        for name in ["forwarded", "via", "x-real-ip", "x-forwarded-proto"] {
            assert_eq!(owner(name), Owner::Proxies, "{name}");
        }
    }

    #[test]
    fn other_fields_are_anybodys_however_they_are_spelt() {
        for name in [
            "cookie",
            "x_api_key",
            "x.trace",
            "incumbent",
            "x-forwarded",
            "content-length",
            "proxy-status",
        ] {
            assert_eq!(owner(name), Owner::Anybody, "{name}");
        }
    }
}
