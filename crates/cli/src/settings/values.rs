//! Parsers of values.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use incumbent::EndpointName;
use incumbent::backend::redacted;

use crate::http::host_and_port;

/// A URL that this program can ask.
pub(crate) fn http_url(text: &str) -> Result<String, String> {
    if !text.starts_with("http://") {
        return Err("it must begin with http://".into());
    }
    host_and_port(text)?;
    Ok(text.to_owned())
}

/// An address to listen on.
pub(crate) fn socket(text: &str) -> Result<SocketAddr, String> {
    text.parse()
        .map_err(|_| "write IP:PORT, such as 127.0.0.1:8080 or [::]:8080".into())
}

/// An endpoint to publish: `NAME=ADDR`.
pub(crate) fn endpoint(text: &str) -> Result<(EndpointName, String), String> {
    let Some((name, address)) = text.split_once('=') else {
        return Err("write NAME=ADDR, as in web=http://10.0.0.7:8000".into());
    };
    let name: EndpointName = name
        .parse()
        .map_err(|error: incumbent::BadName| error.to_string())?;
    let named = |why: &str| format!("{:?}: {why}", redacted(address));
    let target = host_and_port(address).map_err(named)?;
    if let Some(ip) = no_single_host(&target) {
        return Err(format!(
            "{ip} is where a server listens, not where others reach it; write the address or name of this host, as in \
             {name}=10.0.0.7:8000"
        ));
    }
    incumbent::check_endpoint(address).map_err(named)?;
    if address.len() > incumbent::LONGEST_ENDPOINT {
        return Err(format!("longer than {} bytes", incumbent::LONGEST_ENDPOINT));
    }
    Ok((name, address.to_owned()))
}

/// The IP address of a `host:port` that does not name one host: the unspecified address (`0.0.0.0`,
/// `::`), or an address of several hosts.
fn no_single_host(address: &str) -> Option<IpAddr> {
    let (host, _) = address.rsplit_once(':')?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let ip = host.parse::<IpAddr>().ok()?.to_canonical();
    let is_none = ip.is_unspecified() || ip.is_multicast() || ip == IpAddr::V4(Ipv4Addr::BROADCAST);
    is_none.then_some(ip)
}
