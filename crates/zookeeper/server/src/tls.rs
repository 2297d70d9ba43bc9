//! Identities of clients by their certificates.

use incumbent_zk_proto::Id;

/// The subject of a client's certificate, as an identity of the scheme `x509`.
pub(crate) fn identity(connection: &rustls::ServerConnection) -> Option<Id> {
    let certificate = connection.peer_certificates()?.first()?;
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).ok()?;
    Some(Id {
        scheme: "x509".into(),
        id: rfc2253(parsed.subject()),
    })
}

/// A name as Java prints it (`X500Principal.getName`, RFC 2253): the most specific part first, with
/// commas only.
fn rfc2253(name: &x509_parser::x509::X509Name<'_>) -> String {
    let part = |attribute: &x509_parser::x509::AttributeTypeAndValue<'_>| {
        let kind = x509_parser::objects::oid2abbrev(
            attribute.attr_type(),
            x509_parser::objects::oid_registry(),
        )
        .map_or_else(|_| attribute.attr_type().to_id_string(), str::to_owned);
        match attribute.as_str() {
            Ok(text) => format!("{kind}={}", escaped(text)),
            // As Java shows a value that is not text: two different values stay different.
            Err(_) => format!("{kind}=#{}", hex(attribute.attr_value().data)),
        }
    };
    let all: Vec<_> = name.iter_rdn().collect();
    let parts = all.iter().rev().map(|together| {
        let parts: Vec<_> = together.iter().map(part).collect();
        parts.join("+")
    });
    parts.collect::<Vec<_>>().join(",")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn escaped(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for (index, c) in value.char_indices() {
        let at_edge = index == 0 || index + c.len_utf8() == value.len();
        if ",+\"\\<>;".contains(c) || (at_edge && c == ' ') || (index == 0 && c == '#') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}
