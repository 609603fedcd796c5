//! What may be fetched: by its URL before anything is looked up, and by its address before anything is connected to.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
};

use url::{Host, Url};

use super::addresses::{embedded, forms, is_metadata, special};
use crate::{
    config::{Closure, Fetch, Opening},
    domain::error::{Code, Error},
};

/// Ports of the web.
const PORTS: [u16; 2] = [80, 443];

/// Names by which clouds call where they tell machines their secrets; also under a domain of theirs.
const METADATA: &[&str] = &[
    "metadata",
    "instance-data",
    "metadata.google.internal",
    "instance-data.ec2.internal",
    "metadata.azure.internal",
    "metadata.tencentyun.com",
    "metadata.platformequinix.com",
];

/// Names that mean something else in every network (RFC 6761, RFC 6762, RFC 8375, and what ICANN has set aside).
const LOCAL: &[&str] = &["localhost", "localdomain", "local", "internal", "home.arpa", "lan"];

/// Why something is not fetched, in words for whoever asked: by what they wrote, and never by what it was resolved to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused(pub String);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refused {}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        Error::new(Code::FetchRefused, format!("the URL is not fetched: {refused}"))
    }
}

fn refused<T>(why: impl Into<String>) -> Result<T, Refused> {
    Err(Refused(why.into()))
}

/// The rules in force.
#[derive(Debug, Clone)]
pub struct Rules(Fetch);

impl Rules {
    pub fn new(settings: Fetch) -> Self {
        Self(settings)
    }

    pub const fn settings(&self) -> &Fetch {
        &self.0
    }

    /// Reads a URL that somebody wrote, and checks it.
    pub fn read(&self, text: &str) -> Result<Url, Refused> {
        let url = Url::parse(text).map_err(|_| Refused("it is not an absolute URL".to_owned()))?;
        self.check(&url)?;
        Ok(url)
    }

    /// Whether `url` may be fetched, as far as it tells by itself.
    pub fn check(&self, url: &Url) -> Result<(), Refused> {
        match url.scheme() {
            "https" => {}
            "http" if !self.0.https_only => {}
            "http" => return refused("only https is"),
            _ if self.0.https_only => return refused("only https is"),
            _ => return refused("only http and https are"),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return refused("it has credentials in it");
        }
        let Some(port) = url.port_or_known_default() else { return refused("it names no port") };
        if !PORTS.contains(&port) && !self.is_opened(port) {
            return refused(format!("its port is {port}; only 80 and 443 are"));
        }
        match url.host() {
            Some(Host::Ipv4(address)) => self.check_literal(address.into(), port),
            Some(Host::Ipv6(address)) => self.check_literal(address.into(), port),
            Some(Host::Domain(name)) => self.check_name(name, port),
            None => refused("it names no host"),
        }
    }

    /// The addresses of `found` that may be connected to.
    pub fn reachable(
        &self,
        found: impl Iterator<Item = SocketAddr>,
        port: u16,
    ) -> Result<Vec<SocketAddr>, Refused> {
        let mut found = found.peekable();
        if found.peek().is_none() {
            return Ok(Vec::new());
        }
        let reachable: Vec<_> =
            found.filter(|address| self.check_address(address.ip(), port).is_ok()).collect();
        if reachable.is_empty() {
            return refused("its host has no address that is public and allowed");
        }
        Ok(reachable)
    }

    fn check_literal(&self, address: IpAddr, port: u16) -> Result<(), Refused> {
        self.check_address(address, port).map_err(|why| Refused(format!("its address is {why}")))
    }

    /// Why `address` may not be connected to.
    fn check_address(&self, address: IpAddr, port: u16) -> Result<(), &'static str> {
        let forms = forms(address);
        let denied = |closure: &Closure| match closure {
            Closure::Network(network) => forms.iter().any(|form| network.contains(form)),
            Closure::Host(_) => false,
        };
        if is_metadata(address) {
            return Err("where a cloud keeps its metadata");
        }
        if self.0.deny.iter().any(denied) {
            return Err("denied by this service");
        }
        if self.opens(address, port) {
            // Who opens a network of IPv6 does not mean the IPv4 that a part of it stands for.
            return match embedded(address).map(IpAddr::V4) {
                Some(inner) if !self.opens(inner, port) => special(inner).map_or(Ok(()), Err),
                _ => Ok(()),
            };
        }
        if let Some(what) = special(address) {
            return Err(what);
        }
        if PORTS.contains(&port) { Ok(()) } else { Err("not one that this port is allowed on") }
    }

    fn check_name(&self, name: &str, port: u16) -> Result<(), Refused> {
        // `url` has made it lower case, and turned what looks like a number into one.
        let name = name.trim_end_matches('.');
        if name.is_empty() {
            return refused("it names no host");
        }
        if METADATA.iter().any(|known| is_under(name, known)) {
            return refused("its host is where a cloud keeps its metadata");
        }
        let denied = |closure: &Closure| match closure {
            Closure::Host(host) => is_under(name, host),
            Closure::Network(_) => false,
        };
        if self.0.deny.iter().any(denied) {
            return refused("its host is denied by this service");
        }
        // Where a port is opened, the addresses decide.
        let is_local = !name.contains('.') || LOCAL.iter().any(|local| is_under(name, local));
        if is_local && !self.is_opened(port) {
            return refused("its host is a name of a local network");
        }
        Ok(())
    }

    /// Who opens a port everywhere means everywhere outside, and not this machine and its network.
    fn opens(&self, address: IpAddr, port: u16) -> bool {
        let opens = |opening: &Opening| {
            let everywhere = opening.network.prefix_len() == 0;
            opening.lets(address, port) && !(everywhere && special(address).is_some())
        };
        self.0.allow.iter().any(opens)
    }

    fn is_opened(&self, port: u16) -> bool {
        self.0.allow.iter().any(|opening| opening.port == port)
    }
}

/// Whether `name` is `domain`, or under it.
fn is_under(name: &str, domain: &str) -> bool {
    name.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

#[cfg(test)]
mod tests;
