//! The server's address, and the proxy on the way to it.

use http::Uri;
use http::uri::{Authority, PathAndQuery, Scheme};
use hyper_util::client::proxy::matcher::Matcher;
use percent_encoding::percent_decode_str;

use super::environment::Environment;
use super::kubeconfig::Cluster;
use super::secret::{Secret, Unusable};

/// Where requests go.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    /// With scheme and host, and without a login.
    pub(crate) url: Uri,
    /// A login that was in the address.
    pub(crate) login: Option<(String, Secret)>,
}

impl Server {
    /// Reads the address of a cluster. As for `kubectl`, the scheme may be left out: then it is
    /// `https` if there are certificates to use, else `http`.
    pub(crate) fn parse(text: &str, has_tls: bool) -> Result<Self, &'static str> {
        let text = text.trim();
        if text.is_empty() {
            return Err("is empty");
        }
        let has_scheme = text.contains("://");
        let default_scheme = if has_tls { "https" } else { "http" };
        let whole = if has_scheme {
            text.to_owned()
        } else {
            format!("{default_scheme}://{text}")
        };
        let parts = whole.parse::<Uri>().map(Uri::into_parts);
        let parts = parts.map_err(|_| "is no URL such as https://host:6443")?;
        let scheme = parts.scheme.ok_or("has no scheme")?;
        if scheme != Scheme::HTTP && scheme != Scheme::HTTPS {
            return Err("has a scheme other than http and https");
        }
        let authority = parts.authority.ok_or("has no host")?;
        let (login, authority) = match authority.as_str().rsplit_once('@') {
            Some((login, rest)) => (Some(login_of(login)), rest.parse::<Authority>()),
            None => (None, Ok(authority)),
        };
        let authority = authority.map_err(|_| "has no usable host")?;
        check_host(&authority)?;
        let path = parts.path_and_query;
        let path = path.as_ref().map_or("/", PathAndQuery::path);
        if !has_scheme && path != "/" {
            return Err("has a path but no scheme");
        }
        let url = Uri::builder()
            .scheme(scheme)
            .authority(authority)
            .path_and_query(path)
            .build();
        let url = url.map_err(|_| "is no URL such as https://host:6443")?;
        Ok(Self { url, login })
    }
}

fn login_of(text: &str) -> (String, Secret) {
    let (name, password) = text.split_once(':').unwrap_or((text, ""));
    let plain = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    (plain(name), Secret::new(plain(password)))
}

fn check_host(authority: &Authority) -> Result<(), &'static str> {
    let host = authority.host();
    if host.is_empty() {
        return Err("has no host");
    }
    match authority.as_str().strip_prefix(host) {
        Some("") => Ok(()),
        Some(port) => match port.strip_prefix(':').map(str::parse::<u16>) {
            Some(Ok(1..)) => Ok(()),
            _ => Err("has a port that is no number from 1 to 65535"),
        },
        None => Err("has no usable host"),
    }
}

/// The proxy to reach a server through: the cluster's own, else that of the environment, unless
/// `NO_PROXY` or the server's address excludes it.
pub(crate) fn proxy(
    cluster: &Cluster,
    server: &Uri,
    environment: &Environment,
) -> Result<Option<Uri>, Unusable> {
    if let Some(proxy) = &cluster.proxy_url
        && !proxy.expose().trim().is_empty()
    {
        return proxy_url(proxy.expose(), "proxy-url").map(Some);
    }
    let secure = server.scheme() == Some(&Scheme::HTTPS);
    let names = if secure {
        ["HTTPS_PROXY", "https_proxy"]
    } else {
        ["HTTP_PROXY", "http_proxy"]
    };
    let Some((name, proxy)) = names
        .into_iter()
        .find_map(|name| Some((name, environment.text(name)?)))
    else {
        return Ok(None);
    };
    let excluded = ["NO_PROXY", "no_proxy"];
    let excluded = excluded.into_iter().find_map(|name| environment.text(name));
    let excluded = excluded.unwrap_or_default();
    // It only decides whether to use a proxy, so the proxy's address does not matter here.
    let wanted = Matcher::builder()
        .all("http://proxy")
        .no(&*excluded)
        .build();
    if is_here(server) || excluded.trim() == "*" || wanted.intercept(server).is_none() {
        return Ok(None);
    }
    proxy_url(&proxy, name).map(Some)
}

fn proxy_url(text: &str, name: &str) -> Result<Uri, Unusable> {
    let text = text.trim();
    let whole = if text.contains("://") {
        text.to_owned()
    } else {
        format!("http://{text}")
    };
    let url = whole.parse::<Uri>().ok().filter(|url| {
        let known = matches!(url.scheme_str(), Some("http" | "https" | "socks5"));
        known && url.host().is_some_and(|host| !host.is_empty())
    });
    url.ok_or_else(|| {
        Unusable(format!(
            "{name} is no proxy's URL such as http://host:3128; its scheme is http, https or socks5"
        ))
    })
}

/// Whether a server is on this machine. No proxy leads there.
fn is_here(server: &Uri) -> bool {
    let host = server.host().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    let address = address.parse::<std::net::IpAddr>();
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|ip| ip.is_loopback())
}
