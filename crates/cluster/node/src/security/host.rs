//! Without a token, the name that a client uses for this node must be one of this machine's own.
//!
//! The owner of evil.example can let that name resolve to 127.0.0.1 after its page was loaded (DNS
//! rebinding). The requests of the page then come here, and to the browser they are of the same
//! origin. But they still say `Host: evil.example`.

use std::net::IpAddr;

use axum::extract::Request;
use axum::http::Version;
use axum::http::header::HOST;
use axum::http::uri::Authority;

use crate::api::Problem;

/// Refuses a request that names another host than this machine, or none.
pub(super) fn check(request: &Request) -> Result<(), Problem> {
    let target = request.uri().authority();
    let mut lines = request.headers().get_all(HOST).iter();
    let line = match (lines.next(), lines.next()) {
        (_, Some(_)) => return Err(Problem::foreign_host("several hosts")),
        (line, None) => line,
    };
    let named: Option<Authority> = match line.map(|line| line.as_bytes().try_into()) {
        None => None,
        Some(Ok(named)) => Some(named),
        Some(Err(_)) => return Err(Problem::foreign_host("no host name")),
    };
    // In HTTP/1.1 a target that names a host comes with the field all the same. Both count.
    if named.is_none() && (target.is_none() || request.version() == Version::HTTP_11) {
        return Err(Problem::foreign_host("no host"));
    }
    match [target, named.as_ref()]
        .into_iter()
        .flatten()
        .find(|host| !is_this_machine(host.host()))
    {
        Some(foreign) => Err(Problem::foreign_host(foreign.host())),
        None => Ok(()),
    }
}

/// Names of this machine that no name server decides about.
fn is_this_machine(host: &str) -> bool {
    let address = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host);
    host.eq_ignore_ascii_case("localhost")
        || address
            .parse::<IpAddr>()
            .is_ok_and(|ip| ip.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;

    fn checked(target: &str, hosts: &[&str]) -> bool {
        let mut request = Request::get(target);
        for host in hosts {
            request = request.header(HOST, *host);
        }
        check(&request.body(Body::empty()).unwrap()).is_ok()
    }

    #[test]
    fn only_names_of_this_machine_are_answered() {
        for host in [
            "localhost",
            "LOCALHOST:8081",
            "127.0.0.1:1",
            "127.9.9.9",
            "[::1]:8081",
        ] {
            assert!(checked("/", &[host]), "{host}");
        }
        for host in [
            "evil.example",
            "evil.example:8081",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "localhost.",
            "10.0.0.1",
            "0.0.0.0",
            "[::]",
            "2130706433",
            "",
            "localhost@evil.example",
        ] {
            assert!(!checked("/", &[host]), "{host}");
        }
    }

    #[test]
    fn every_name_that_a_request_gives_counts() {
        assert!(!checked("/", &[]));
        assert!(!checked("/", &["localhost", "evil.example"]));
        assert!(!checked("http://evil.example/", &["localhost"]));
        assert!(!checked("http://localhost/", &["evil.example"]));
        assert!(checked("http://localhost/", &["localhost"]));
    }
}
