//! Which proxy stands between us and a server, by the rules of Go's HTTP client, which are kubectl's: the `proxy-url` of
//! the kubeconfig always counts; the environment's variables count by scheme, never for this machine itself, and not for
//! what `NO_PROXY` lists.

use std::net::IpAddr;

use super::{Origin, Said, Wrong};

/// The environment's words about proxies; of each pair the upper-case variable wins, as in Go.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    /// `HTTPS_PROXY`.
    pub https: Option<String>,
    /// `HTTP_PROXY`.
    pub http: Option<String>,
    /// `NO_PROXY`.
    pub no_proxy: Option<String>,
}

impl Environment {
    /// Reads the variables through `variable`.
    #[must_use]
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Self {
        let either =
            |upper: &str, lower: &str| [upper, lower].into_iter().filter_map(&variable).find(|value| !value.is_empty());
        Self {
            https: either("HTTPS_PROXY", "https_proxy"),
            http: either("HTTP_PROXY", "http_proxy"),
            no_proxy: either("NO_PROXY", "no_proxy"),
        }
    }
}

/// A server's address, as far as proxies care.
#[derive(Debug, Clone, Copy)]
pub struct Server<'a> {
    /// `https` or `http`.
    pub scheme: &'a str,
    /// Name or address, an IPv6 one without brackets.
    pub host: &'a str,
    /// The port, also where the scheme implies it.
    pub port: u16,
}

/// The proxy for `server`, with one of the schemes http, https and socks5; none where it is reached directly.
pub fn proxy_for(
    server: Server<'_>,
    of_kubeconfig: Option<&Said<String>>,
    environment: &Environment,
) -> Result<Option<Said<String>>, Wrong> {
    if let Some(proxy) = of_kubeconfig {
        let what = with_known_scheme(proxy.what.trim(), &proxy.origin)?;
        return Ok(Some(Said { what, origin: proxy.origin.clone() }));
    }
    let (name, value) = match server.scheme {
        "https" => ("HTTPS_PROXY", &environment.https),
        _ => ("HTTP_PROXY", &environment.http),
    };
    let Some(value) = value else { return Ok(None) };
    if is_exempt(server, environment.no_proxy.as_deref().unwrap_or_default()) {
        return Ok(None);
    }
    let origin = Origin::Variable(name);
    let text = value.trim();
    let text = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    let what = with_known_scheme(&text, &origin)?;
    Ok(Some(Said { what, origin }))
}

/// socks5h, whose proxy resolves names, is what socks5 is here and in Go.
fn with_known_scheme(address: &str, origin: &Origin) -> Result<String, Wrong> {
    let wrong = |message: &str| {
        Err(Wrong::new(origin.clone(), message.to_owned()).hint("write it like http://HOST:PORT or socks5://HOST:PORT"))
    };
    let Some((scheme, rest)) = address.split_once("://") else {
        return wrong("is no proxy address: it must start with http://, https:// or socks5://");
    };
    let scheme = match scheme.to_ascii_lowercase().as_str() {
        "socks5h" => "socks5".to_owned(),
        known @ ("http" | "https" | "socks5") => known.to_owned(),
        _ => return wrong("is no proxy address: it must start with http://, https:// or socks5://"),
    };
    let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    if host.trim_matches('/').is_empty() || host.starts_with(':') {
        return wrong("is no proxy address: it names no host");
    }
    Ok(format!("{scheme}://{rest}"))
}

/// Whether the environment's proxy is passed by for this server.
fn is_exempt(server: Server<'_>, no_proxy: &str) -> bool {
    let host = server.host.trim().to_ascii_lowercase();
    let address: Option<IpAddr> = host.parse().ok().map(canonical);
    if host == "localhost" || address.is_some_and(|address| address.is_loopback()) {
        return true;
    }
    no_proxy.split(',').map(|entry| entry.trim().to_ascii_lowercase()).filter(|entry| !entry.is_empty()).any(|entry| {
        if entry == "*" {
            return true;
        }
        if let Some(network) = Network::parse(&entry) {
            return address.is_some_and(|address| network.holds(address));
        }
        let (name, port) = split_port(&entry);
        if port.is_some_and(|port| port != server.port.to_string()) {
            return false;
        }
        match name.parse::<IpAddr>() {
            Ok(listed) => address == Some(canonical(listed)),
            Err(_) => is_in_domain(&host, name),
        }
    })
}

/// `example.com` stands for itself and what is below it, `.example.com` and `*.example.com` only for what is below.
fn is_in_domain(host: &str, listed: &str) -> bool {
    let listed = listed.strip_prefix('*').filter(|rest| rest.starts_with('.')).unwrap_or(listed);
    match listed.strip_prefix('.') {
        Some(_) => host.ends_with(listed),
        None if listed.is_empty() => false,
        None => host == listed || host.strip_suffix(listed).is_some_and(|rest| rest.ends_with('.')),
    }
}

/// Name and port of `name:port`, `[::1]:port`, or a name alone.
fn split_port(entry: &str) -> (&str, Option<&str>) {
    if let Some((address, rest)) = entry.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return (address, rest.strip_prefix(':'));
    }
    match entry.split_once(':') {
        // More than one colon: an IPv6 address.
        Some((name, port)) if !port.contains(':') => (name, Some(port)),
        _ => (entry, None),
    }
}

/// An IPv4 address written as IPv6 is that IPv4 address.
fn canonical(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

/// A network in CIDR form.
struct Network {
    address: IpAddr,
    prefix: u32,
}

impl Network {
    fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = text.split_once('/')?;
        let (address, prefix) = (address.parse::<IpAddr>().ok()?, prefix.parse::<u32>().ok()?);
        let most = if address.is_ipv4() { 32 } else { 128 };
        (prefix <= most).then_some(Self { address, prefix })
    }

    fn holds(&self, address: IpAddr) -> bool {
        let same = |left: u128, right: u128, bits: u32| {
            let rest = bits - self.prefix;
            left.checked_shr(rest).unwrap_or_default() == right.checked_shr(rest).unwrap_or_default()
        };
        match (self.address, address) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                same(u128::from(network.to_bits()), u128::from(address.to_bits()), 32)
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => same(network.to_bits(), address.to_bits(), 128),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(host: &str, port: u16, no_proxy: &str) -> Option<String> {
        let environment =
            Environment { https: Some("http://proxy:3128".into()), http: None, no_proxy: Some(no_proxy.into()) };
        let proxy = proxy_for(Server { scheme: "https", host, port }, None, &environment).unwrap();
        proxy.map(|proxy| proxy.what)
    }

    /// The rows are those of Go's own tests (golang.org/x/net/http/httpproxy).
    #[test]
    fn no_proxy_is_read_as_go_reads_it() {
        for (host, no_proxy, is_proxied) in [
            ("localhost", "", false),
            ("127.0.0.1", "", false),
            ("127.0.0.2", "", false),
            ("::1", "", false),
            ("0:0:0:0:0:0:0:1", "", false),
            ("foo.example.com", "", true),
            ("api.example.com", "example.com", false),
            ("example.com", "example.com", false),
            ("notexample.com", "example.com", true),
            ("example.com", ".example.com", true),
            ("api.example.com", ".example.com", false),
            ("example.com", "*.example.com", true),
            ("api.example.com", "*.example.com", false),
            ("API.Example.COM", "example.com", false),
            ("api.example.com", "other, example.com ,", false),
            ("api.example.com", "example.com:6443", false),
            ("api.example.com", "example.com:443", true),
            ("api.example.com", "*", false),
            ("10.1.2.3", "10.0.0.0/8", false),
            ("11.1.2.3", "10.0.0.0/8", true),
            ("10.1.2.3", "0.0.0.0/0", false),
            ("10.1.2.3", "10.1.2.3", false),
            ("10.1.2.3", "10.1.2.3:6443", false),
            ("10.1.2.3", "10.1.2.3:443", true),
            ("10.1.2.3", "10.1.2.3/33", true),
            ("2001:db8::52:0:1", "2001:db8::/32", false),
            ("2001:db9::1", "2001:db8::/32", true),
            ("2001:db8::52:0:1", "[2001:db8::52:0:1]:6443", false),
            ("2001:db8::52:0:1", "2001:db8::52:0:1", false),
            ("example.com", ":6443", true),
            ("example.com", ",,,", true),
        ] {
            assert_eq!(of(host, 6443, no_proxy).is_some(), is_proxied, "{host} with NO_PROXY={no_proxy}");
        }
    }

    #[test]
    fn the_scheme_of_the_server_picks_the_variable() {
        let environment = Environment { https: Some("s:1".into()), http: Some("h:2".into()), no_proxy: None };
        let of = |scheme| {
            let server = Server { scheme, host: "example.com", port: 1 };
            proxy_for(server, None, &environment).unwrap().unwrap().what
        };
        assert_eq!((of("https").as_str(), of("http").as_str()), ("http://s:1", "http://h:2"));
    }

    #[test]
    fn upper_case_wins_and_blank_says_nothing() {
        let variables = [("HTTPS_PROXY", "upper"), ("https_proxy", "lower"), ("NO_PROXY", ""), ("no_proxy", "low")];
        let read = Environment::read(|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        });
        assert_eq!(read.https.as_deref(), Some("upper"));
        assert_eq!((read.no_proxy.as_deref(), read.http), (Some("low"), None));
    }

    #[test]
    fn the_proxy_of_the_kubeconfig_counts_for_loopback_too_and_wins() {
        let said = Said { what: "socks5h://127.0.0.1:1080".to_owned(), origin: Origin::Flag("x") };
        let environment = Environment { https: Some("http://other".into()), no_proxy: Some("*".into()), http: None };
        let server = Server { scheme: "https", host: "127.0.0.1", port: 6443 };
        let proxy = proxy_for(server, Some(&said), &environment).unwrap().unwrap();
        assert_eq!(proxy.what, "socks5://127.0.0.1:1080");
    }

    #[test]
    fn a_wrong_proxy_is_named_by_where_it_was_said_and_not_shown() {
        for address in ["ftp://u:hunter2@proxy", "http://", "http://:3128", "https://u:hunter2@"] {
            let environment = Environment { https: Some(address.into()), ..Environment::default() };
            let server = Server { scheme: "https", host: "example.com", port: 443 };
            let text = proxy_for(server, None, &environment).unwrap_err().to_string();
            assert!(text.starts_with("HTTPS_PROXY: is no proxy address"), "{text}");
            assert!(!text.contains("hunter2"), "{text}");
        }
    }
}
