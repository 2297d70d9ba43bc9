//! The proofs: HMACs (RFC 2104) over what is said, under the secret of the cluster.
//!
//! ```text
//!   Incumbent-Node-Proof: 1 whole NONCE DIGEST MAC     of a request
//!   Incumbent-Node-Proof: 1 head  NONCE -      MAC     of a request whose body is a stream
//!   Incumbent-Node-Proof: 1 whole DIGEST MAC           of an answer
//!   Incumbent-Node-Proof: 1 head  -      MAC           of an answer whose body is a stream
//! ```
//!
//! The MAC of a request is over its method, its path with query, the nonce and the digest of its
//! body. That of an answer is over the nonce of its request, so an answer to another request is
//! none, and over the status and the digest of its body. So a forged or altered body is refused,
//! unless the proof says `head`: that is for streams only, whose ends nobody knows beforehand.

use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderName, HeaderValue, Method, StatusCode};
use sha2::{Digest as _, Sha256};

use crate::identity::{ClusterIdentity, NodeSecret, hex, unhex};

/// The field that carries a proof.
pub const PROOF: HeaderName = HeaderName::from_static("incumbent-node-proof");

const VERSION: &str = "1";

/// Which of both directions, so that a proof of one is none of the other.
const REQUEST: &[u8] = b"incumbent node request 1";
const ANSWER: &[u8] = b"incumbent node answer 1";

/// And that neither is the mark of a token.
const TOKEN: &[u8] = b"incumbent node token 1";

/// A number that one request has, and its answer.
pub(super) type RequestNonce = [u8; 16];

/// The SHA-256 of a body; `None` if it is a stream.
pub(super) type BodyDigest = Option<[u8; 32]>;

/// A proof as it was read, not yet verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RequestProof {
    pub(super) nonce: RequestNonce,
    pub(super) digest: BodyDigest,
    mac: [u8; 32],
}

/// A proof as it was read, not yet verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct AnswerProof {
    pub(super) digest: BodyDigest,
    mac: [u8; 32],
}

/// The digest of a body that is there as a whole.
pub(super) fn digest(body: &[u8]) -> [u8; 32] {
    Sha256::digest(body).into()
}

/// The proof of a request to be sent.
pub(super) fn of_request(
    secret: &NodeSecret,
    (method, path): (&Method, &str),
    nonce: &RequestNonce,
    digest: BodyDigest,
) -> HeaderValue {
    let mac = request_mac(secret, (method, path), nonce, digest).finalize();
    let mac: [u8; 32] = mac.into_bytes().into();
    let (form, digest) = texts(digest);
    let text = format!("{VERSION} {form} {} {digest} {}", hex(nonce), hex(&mac));
    HeaderValue::from_str(&text).expect("digits are visible text")
}

/// The proof of an answer to be sent.
pub(super) fn of_answer(
    secret: &NodeSecret,
    nonce: &RequestNonce,
    status: StatusCode,
    digest: BodyDigest,
) -> HeaderValue {
    let mac = answer_mac(secret, nonce, status, digest).finalize();
    let mac: [u8; 32] = mac.into_bytes().into();
    let (form, digest) = texts(digest);
    let text = format!("{VERSION} {form} {digest} {}", hex(&mac));
    HeaderValue::from_str(&text).expect("digits are visible text")
}

impl RequestProof {
    pub(super) fn read(value: &HeaderValue) -> Option<Self> {
        let mut words = value.to_str().ok()?.split(' ');
        let form = (words.next()? == VERSION).then(|| words.next())??;
        let nonce = unhex(words.next()?)?;
        let digest = read_digest(form, words.next()?)?;
        let mac = unhex(words.next()?)?;
        let is_end = words.next().is_none();
        is_end.then_some(Self { nonce, digest, mac })
    }

    /// Whether the sender has the secret. It takes as long whichever digit is wrong.
    pub(super) fn is_of(&self, secret: &NodeSecret, method: &Method, path: &str) -> bool {
        let mac = request_mac(secret, (method, path), &self.nonce, self.digest);
        mac.verify_slice(&self.mac).is_ok()
    }
}

impl AnswerProof {
    pub(super) fn read(value: &HeaderValue) -> Option<Self> {
        let mut words = value.to_str().ok()?.split(' ');
        let form = (words.next()? == VERSION).then(|| words.next())??;
        let digest = read_digest(form, words.next()?)?;
        let mac = unhex(words.next()?)?;
        let is_end = words.next().is_none();
        is_end.then_some(Self { digest, mac })
    }

    /// Whether the process that answered the request with this nonce has the secret.
    pub(super) fn is_of(
        &self,
        secret: &NodeSecret,
        nonce: &RequestNonce,
        status: StatusCode,
    ) -> bool {
        let mac = answer_mac(secret, nonce, status, self.digest);
        mac.verify_slice(&self.mac).is_ok()
    }
}

fn read_digest(form: &str, text: &str) -> Option<BodyDigest> {
    match form {
        "whole" => Some(Some(unhex(text)?)),
        "head" => (text == "-").then_some(None),
        _ => None,
    }
}

fn texts(digest: BodyDigest) -> (&'static str, String) {
    match digest {
        Some(digest) => ("whole", hex(&digest)),
        None => ("head", "-".to_owned()),
    }
}

fn request_mac(
    secret: &NodeSecret,
    (method, path): (&Method, &str),
    nonce: &RequestNonce,
    digest: BodyDigest,
) -> Hmac<Sha256> {
    let digest = digest.as_ref().map_or(&[][..], |digest| &digest[..]);
    over(
        secret,
        &[
            REQUEST,
            method.as_str().as_bytes(),
            path.as_bytes(),
            nonce,
            digest,
        ],
    )
}

fn answer_mac(
    secret: &NodeSecret,
    nonce: &RequestNonce,
    status: StatusCode,
    digest: BodyDigest,
) -> Hmac<Sha256> {
    let digest = digest.as_ref().map_or(&[][..], |digest| &digest[..]);
    over(secret, &[ANSWER, nonce, status.as_str().as_bytes(), digest])
}

/// A mark of the token of this cluster's users, or of having none. Nodes compare theirs. Without
/// the secret nobody can try tokens on it.
pub(crate) fn token_mark(cluster: &ClusterIdentity, token: Option<&str>) -> String {
    let (kind, token) = match token {
        Some(token) => (&b"token"[..], token),
        None => (&b"none"[..], ""),
    };
    let parts = [TOKEN, cluster.id.as_bytes(), kind, token.as_bytes()];
    let mac: [u8; 32] = over(&cluster.secret, &parts).finalize().into_bytes().into();
    hex(&mac)
}

/// Each part with its length, so that no two lists of parts are the same bytes.
fn over(secret: &NodeSecret, parts: &[&[u8]]) -> Hmac<Sha256> {
    let mac = Hmac::<Sha256>::new_from_slice(secret.bytes());
    let mut mac = mac.expect("a key may have any length");
    for part in parts {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part);
    }
    mac
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATH: &str = "/node/v1/orders?a=b";

    fn secret(byte: u8) -> NodeSecret {
        NodeSecret::new([byte; 32])
    }

    fn request(digest: BodyDigest) -> RequestProof {
        let value = of_request(&secret(1), (&Method::POST, PATH), &[7; 16], digest);
        RequestProof::read(&value).unwrap()
    }

    #[test]
    fn a_request_is_proven_by_the_secret_and_only_as_it_was_sent() {
        for digest in [Some(digest(b"body")), None] {
            let proof = request(digest);
            assert_eq!(proof.digest, digest);
            assert!(proof.is_of(&secret(1), &Method::POST, PATH));
            assert!(!proof.is_of(&secret(2), &Method::POST, PATH));
            assert!(!proof.is_of(&secret(1), &Method::PUT, PATH));
            assert!(!proof.is_of(&secret(1), &Method::POST, "/node/v1/orders?a=c"));
        }
    }

    #[test]
    fn a_proof_with_another_digest_or_nonce_is_none() {
        let mut other = request(Some(digest(b"body")));
        other.digest = Some(digest(b"another"));
        assert!(!other.is_of(&secret(1), &Method::POST, PATH));
        other.digest = None;
        assert!(!other.is_of(&secret(1), &Method::POST, PATH));
        let mut other = request(None);
        other.nonce[0] ^= 1;
        assert!(!other.is_of(&secret(1), &Method::POST, PATH));
    }

    #[test]
    fn an_answer_is_proven_for_its_request_and_status_only() {
        let body = Some(digest(b"{}"));
        let value = of_answer(&secret(1), &[7; 16], StatusCode::OK, body);
        let proof = AnswerProof::read(&value).unwrap();
        assert!(proof.is_of(&secret(1), &[7; 16], StatusCode::OK));
        assert!(!proof.is_of(&secret(1), &[8; 16], StatusCode::OK));
        assert!(!proof.is_of(&secret(1), &[7; 16], StatusCode::CREATED));
        assert!(!proof.is_of(&secret(2), &[7; 16], StatusCode::OK));
    }

    #[test]
    fn the_proof_of_a_request_is_no_proof_of_an_answer() {
        let value = of_request(&secret(1), (&Method::POST, PATH), &[7; 16], None);
        assert_eq!(AnswerProof::read(&value), None);
        let value = of_answer(&secret(1), &[7; 16], StatusCode::OK, None);
        assert_eq!(RequestProof::read(&value), None);
    }

    #[test]
    fn the_marks_of_two_tokens_are_equal_only_if_the_tokens_and_the_clusters_are() {
        let cluster = |id: &str, byte| ClusterIdentity {
            id: id.to_owned(),
            secret: secret(byte),
        };
        let token = "0123456789abcdef";
        let mark = token_mark(&cluster("ours", 1), Some(token));
        assert_eq!(mark, token_mark(&cluster("ours", 1), Some(token)));
        let none = token_mark(&cluster("ours", 1), None);
        assert_eq!(none, token_mark(&cluster("ours", 1), None));
        for other in [
            none,
            token_mark(&cluster("ours", 1), Some("0123456789abcdeF")),
            token_mark(&cluster("theirs", 1), Some(token)),
            token_mark(&cluster("ours", 2), Some(token)),
        ] {
            assert_ne!(mark, other);
        }
        assert!(!mark.contains(token), "{mark}");
    }

    #[test]
    fn what_is_malformed_is_no_proof() {
        let good = of_request(&secret(1), (&Method::GET, "/"), &[7; 16], None);
        let good = good.to_str().unwrap();
        for bad in [
            "",
            "1",
            "2 head 00",
            &good.replace("head", "whole"),
            &good.replace("1 head", "2 head"),
            &format!("{good} "),
            &format!("{good} 0"),
            &good[..good.len() - 1],
            "Bearer secret",
        ] {
            let value = HeaderValue::from_str(bad).unwrap();
            assert_eq!(RequestProof::read(&value), None, "{bad}");
        }
    }
}
