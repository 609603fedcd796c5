//! What the service may fetch from elsewhere: imports, and where webhooks are sent.

use std::{fmt, net::IpAddr, time::Duration};

use ipnet::IpNet;
use url::Host;

use super::{
    Environment,
    check::Values,
    kind::{Value, items, parse_network},
    report::Fault,
};

/// `FETCH_…`: what is fetched, and how.
#[derive(Debug, Clone)]
pub struct Fetch {
    /// `FETCH_ALLOW`: reached although it is not public, or its port not a usual one.
    pub allow: Vec<Opening>,
    /// `FETCH_DENY`: never reached.
    pub deny: Vec<Closure>,
    /// `FETCH_TIMEOUT`: for one fetch, from the first look-up to the last byte.
    pub timeout: Duration,
    /// Whether `http` is refused, as it is in production.
    pub https_only: bool,
}

/// An entry of `FETCH_ALLOW`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opening {
    /// The addresses.
    pub network: IpNet,
    /// The port there.
    pub port: u16,
}

/// An entry of `FETCH_DENY`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Closure {
    /// These addresses.
    Network(IpNet),
    /// This host and every host under it, in lower case.
    Host(String),
}

impl Opening {
    /// `10.0.0.0/8:9000` or `[fd00::/8]:9000`; a single address is a network too.
    fn parse(text: &str) -> Option<Self> {
        let (network, port) = text.rsplit_once(':')?;
        let network = match network.strip_prefix('[') {
            Some(rest) => parse_network(rest.strip_suffix(']')?).filter(is_v6)?,
            None => parse_network(network).filter(|network| !is_v6(network))?,
        };
        let port = port.parse().ok().filter(|port| *port > 0)?;
        Some(Self { network, port })
    }

    /// Whether it lets `address` be reached on `port`.
    pub fn lets(&self, address: IpAddr, port: u16) -> bool {
        self.port == port && self.network.contains(&address)
    }
}

const fn is_v6(network: &IpNet) -> bool {
    matches!(network, IpNet::V6(_))
}

impl Closure {
    fn parse(text: &str) -> Option<Self> {
        if let Some(network) = parse_network(text) {
            return Some(Closure::Network(network));
        }
        let name = text.trim_start_matches("*.").trim_start_matches('.').trim_end_matches('.');
        match Host::parse(name).ok()? {
            // A mistyped network is no name.
            Host::Domain(name) if !name.contains('/') => Some(Closure::Host(name)),
            _ => None,
        }
    }
}

impl fmt::Display for Opening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.network {
            IpNet::V4(network) => write!(f, "{network}:{}", self.port),
            IpNet::V6(network) => write!(f, "[{network}]:{}", self.port),
        }
    }
}

/// What is in force.
pub(super) fn meant(values: &Values, environment: Environment) -> Result<Fetch, Fault> {
    Ok(Fetch {
        allow: values.list("FETCH_ALLOW", |value| match value {
            Value::Openings(openings) => Some(openings),
            _ => None,
        }),
        deny: values.list("FETCH_DENY", |value| match value {
            Value::Closures(closures) => Some(closures),
            _ => None,
        }),
        timeout: values.time("FETCH_TIMEOUT")?,
        https_only: environment == Environment::Production,
    })
}

/// The entries of `FETCH_ALLOW`, if all are understood.
pub(super) fn parse_openings(text: &str) -> Option<Vec<Opening>> {
    items(text).map(Opening::parse).collect()
}

/// The entries of `FETCH_DENY`, if all are understood.
pub(super) fn parse_closures(text: &str) -> Option<Vec<Closure>> {
    items(text).map(Closure::parse).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_opening_is_a_network_and_a_port() {
        for (text, written) in [
            ("127.0.0.0/8:9000", "127.0.0.0/8:9000"),
            ("10.1.2.3/8:80", "10.0.0.0/8:80"),
            ("10.1.2.3:80", "10.1.2.3/32:80"),
            ("[::1]:8443", "[::1/128]:8443"),
            ("[fd00::/8]:9000", "[fd00::/8]:9000"),
        ] {
            let opening = Opening::parse(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(opening.to_string(), written);
        }
        for text in [
            "",
            "10.0.0.0/8",
            "10.0.0.0/33:80",
            "10.0.0.0/8:0",
            "10.0.0.0/8:65536",
            "::1:80",
            "::/0:80",
            "[10.0.0.0/8]:80",
            "[::1:80",
            "localhost:80",
        ] {
            assert_eq!(Opening::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_closure_is_a_network_or_a_host() {
        let host = |name: &str| Some(Closure::Host(name.to_owned()));
        assert_eq!(Closure::parse("Example.COM."), host("example.com"));
        assert_eq!(Closure::parse("*.example.com"), host("example.com"));
        assert_eq!(Closure::parse(".example.com"), host("example.com"));
        assert!(matches!(Closure::parse("8.8.8.0/24"), Some(Closure::Network(_))));
        assert!(matches!(Closure::parse("2001:4860::/32"), Some(Closure::Network(_))));
        for text in ["", "8.8.8.0/33", "a b", "https://example.com", "example.com:80"] {
            assert_eq!(Closure::parse(text), None, "{text}");
        }
    }
}
