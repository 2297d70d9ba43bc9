//! The header of the PROXY protocol, version 2. It precedes the client's bytes and names the
//! client.
//!
//! ```text
//!  0 ─────────────────────────── 12 ── 13 ─── 14 ── 16 ──────────────────────────────────────────────
//!  │ 0D 0A 0D 0A 00 0D 0A 51 55 49 54 0A │ 21 │ 11/21 │ length │ source, destination, their two ports │
//!  └ signature                            └ version 2, PROXY     └ big endian, as all numbers
//!                                               └ TCP over IPv4 or IPv6
//! ```

use std::net::{IpAddr, SocketAddr};

const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// Version 2 in the upper half; the command PROXY in the lower.
const VERSION_AND_COMMAND: u8 = 0x21;
/// The family in the upper half, a stream in the lower.
const TCP_OVER_IPV4: u8 = 0x11;
const TCP_OVER_IPV6: u8 = 0x21;

/// The header for a connection from `client` that was accepted at `here`.
///
/// Both addresses are of one family. It is IPv4 if both can be written so, even if a socket shows
/// them as IPv6.
pub(crate) fn header(client: SocketAddr, here: SocketAddr) -> Vec<u8> {
    let mut header = SIGNATURE.to_vec();
    header.push(VERSION_AND_COMMAND);
    let addresses = match (client.ip().to_canonical(), here.ip().to_canonical()) {
        (IpAddr::V4(client), IpAddr::V4(here)) => {
            header.push(TCP_OVER_IPV4);
            [client.octets(), here.octets()].concat()
        }
        (client, here) => {
            header.push(TCP_OVER_IPV6);
            [wide(client), wide(here)].concat()
        }
    };
    let length = addresses.len() + 2 * size_of::<u16>();
    let length = u16::try_from(length).expect("two addresses are at most 36 bytes");
    header.extend(length.to_be_bytes());
    header.extend(addresses);
    header.extend(client.port().to_be_bytes());
    header.extend(here.port().to_be_bytes());
    header
}

fn wide(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIGNED: [u8; 13] = [
        0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A, 0x21,
    ];

    fn written(client: &str, here: &str) -> Vec<u8> {
        header(client.parse().unwrap(), here.parse().unwrap())
    }

    fn expected(rest: &[u8]) -> Vec<u8> {
        [&SIGNED, rest].concat()
    }

    #[test]
    fn ipv4_is_written_byte_by_byte_as_specified() {
        let rest = [
            0x11, 0x00, 0x0C, // TCP over IPv4, 12 bytes
            192, 0, 2, 1, // from
            198, 51, 100, 7, // to
            0xD9, 0x03, // 55555
            0x01, 0xBB, // 443
        ];
        assert_eq!(
            written("192.0.2.1:55555", "198.51.100.7:443"),
            expected(&rest)
        );
    }

    #[test]
    fn ipv6_is_written_byte_by_byte_as_specified() {
        let rest = [
            0x21, 0x00, 0x24, // TCP over IPv6, 36 bytes
            0x20, 0x01, 0x0D, 0xB8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x01, // from
            0x20, 0x01, 0x0D, 0xB8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFE, // to
            0x00, 0x01, // 1
            0x1F, 0x90, // 8080
        ];
        assert_eq!(
            written("[2001:db8::1]:1", "[2001:db8::fffe]:8080"),
            expected(&rest)
        );
    }

    #[test]
    fn ipv4_as_a_socket_for_both_shows_it_is_written_as_ipv4() {
        assert_eq!(
            written("[::ffff:192.0.2.1]:55555", "[::ffff:198.51.100.7]:443"),
            written("192.0.2.1:55555", "198.51.100.7:443"),
        );
    }

    #[test]
    fn two_families_are_both_written_as_ipv6() {
        let header = written("192.0.2.1:55555", "[2001:db8::1]:443");
        assert_eq!(header[13], TCP_OVER_IPV6);
        assert_eq!(header.len(), 16 + 36);
        assert_eq!(header[26..32], [0xFF, 0xFF, 192, 0, 2, 1]);
    }
}
