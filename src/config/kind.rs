//! What a variable accepts: one parser for each kind of value, with its bounds.

use std::{net::IpAddr, path::Path, time::Duration};

use ipnet::IpNet;
use tracing_subscriber::EnvFilter;
use url::{Host, Url};

use super::fetch::{Closure, Opening, parse_closures, parse_openings};
use crate::roles::Roles;

/// What a value may be. `Display` says it in words.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// A whole number within bounds.
    Number(u64, u64),
    /// Bytes within bounds: `20971520`, `20MB`, `20MiB`.
    Size(u64, u64),
    /// Time within bounds, in milliseconds: `15m`, `1h 30m`; a plain number is seconds.
    Time(u64, u64),
    /// One of these words.
    Choice(&'static [&'static str]),
    /// Yes or no.
    Flag,
    /// [`Roles`].
    Roles,
    /// Any text.
    Text,
    /// A directory.
    Directory,
    /// Something secret of at least so many characters.
    Secret(usize),
    /// `LOG_LEVEL`.
    Directives,
    /// An IP address.
    Address,
    /// The name of a host, without scheme or port.
    HostName,
    /// Networks, with commas between them.
    Networks,
    /// Networks with a port each, with commas between them.
    Openings,
    /// Networks and hosts, with commas between them.
    Closures,
    /// Web origins, with commas between them.
    Origins,
    /// An `http` or `https` URL.
    WebUrl,
    /// The URL of a service, which may hold a password.
    ServiceUrl(&'static [&'static str]),
}

/// What was meant.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Of `Number` and `Size`.
    Number(u64),
    /// Of `Time`.
    Time(Duration),
    /// Of `Flag`.
    Flag(bool),
    /// Of `Roles`.
    Roles(Roles),
    /// Of `Address`.
    Address(IpAddr),
    /// Of `Networks`.
    Networks(Vec<IpNet>),
    /// Of `Openings`.
    Openings(Vec<Opening>),
    /// Of `Closures`.
    Closures(Vec<Closure>),
    /// Of `Origins`.
    List(Vec<String>),
    /// Of everything else.
    Text(String),
}

impl Value {
    /// The text that it is, if it is text.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// The words of [`EnvFilter`] for a level.
const LEVELS: &[&str] = &["trace", "debug", "info", "warn", "error", "off"];

impl Kind {
    /// Whether a value may never be shown whole.
    pub const fn is_secret(&self) -> bool {
        matches!(self, Kind::Secret(_) | Kind::ServiceUrl(_))
    }

    /// What `text` means, or what is wrong with it. The complaint never repeats the text.
    pub fn parse(&self, text: &str) -> Result<Value, String> {
        if text.contains(char::REPLACEMENT_CHARACTER) || text.contains('\0') {
            return Err("must be text in UTF-8".to_owned());
        }
        match self {
            // A secret is taken to the letter, also the blanks at its ends.
            Kind::Secret(_) => self.parse_secret(text),
            Kind::ServiceUrl(schemes) => parse_service_url(text.trim(), schemes)
                .map_err(|more| format!("must be {self}{more}")),
            _ => self.parse_plain(text.trim()).ok_or_else(|| format!("must be {self}")),
        }
    }

    fn parse_plain(&self, text: &str) -> Option<Value> {
        match self {
            Kind::Number(min, max) => {
                let number = text.parse().ok()?;
                (*min..=*max).contains(&number).then_some(Value::Number(number))
            }
            Kind::Size(min, max) => {
                let bytes = parse_size(text)?;
                (*min..=*max).contains(&bytes).then_some(Value::Number(bytes))
            }
            Kind::Time(min, max) => {
                let time = parse_time(text)?;
                (Duration::from_millis(*min)..=Duration::from_millis(*max))
                    .contains(&time)
                    .then_some(Value::Time(time))
            }
            Kind::Choice(words) => {
                let word = words.iter().find(|word| word.eq_ignore_ascii_case(text))?;
                Some(Value::Text((*word).to_owned()))
            }
            Kind::Flag => parse_flag(text).map(Value::Flag),
            Kind::Roles => text.parse().ok().map(Value::Roles),
            Kind::Directory => (!Path::new(text).is_file()).then(|| Value::Text(text.to_owned())),
            Kind::Directives => parse_directives(text),
            Kind::Address => parse_address(text).map(Value::Address),
            Kind::HostName => {
                Host::parse(text).ok()?;
                Some(Value::Text(text.to_owned()))
            }
            Kind::Networks => {
                let networks: Option<Vec<IpNet>> = items(text).map(parse_network).collect();
                networks.map(Value::Networks)
            }
            Kind::Openings => parse_openings(text).map(Value::Openings),
            Kind::Closures => parse_closures(text).map(Value::Closures),
            Kind::Origins => {
                let origins: Option<Vec<String>> = items(text).map(parse_origin).collect();
                origins.map(Value::List)
            }
            Kind::WebUrl => parse_web_url(text).map(Value::Text),
            Kind::Text | Kind::Secret(_) | Kind::ServiceUrl(_) => {
                (!text.is_empty()).then(|| Value::Text(text.to_owned()))
            }
        }
    }

    fn parse_secret(&self, text: &str) -> Result<Value, String> {
        let length = text.chars().count();
        match self {
            Kind::Secret(least) if length < *least => {
                Err(format!("must have at least {least} characters and has {length}"))
            }
            _ => Ok(Value::Text(text.to_owned())),
        }
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Kind::Number(min, max) => write!(f, "a whole number from {min} to {max}"),
            Kind::Size(min, max) => {
                write!(f, "bytes from {} to {}, such as 20971520 or 20MiB", size(*min), size(*max))
            }
            Kind::Time(min, max) => {
                let such = if *max < 90_000 { "500ms" } else { "90s, 15m or 1h" };
                let [min, max] = [*min, *max].map(|millis| time(Duration::from_millis(millis)));
                write!(f, "a time from {min} to {max}, such as {such}; plain numbers are seconds")
            }
            Kind::Choice(words) => f.write_str(&words.join(" or ")),
            Kind::Flag => f.write_str("true or false"),
            Kind::Roles => f.write_str(Roles::ACCEPTED),
            Kind::Text => f.write_str("text"),
            Kind::Directory => f.write_str("a directory; it is made where it is missing"),
            Kind::Secret(0 | 1) => f.write_str("text"),
            Kind::Secret(least) => write!(f, "at least {least} characters"),
            Kind::Directives => {
                write!(f, "{}, or directives such as info,darkroom::http=debug", LEVELS.join(", "))
            }
            Kind::Address => f.write_str("an IP address, such as 0.0.0.0 or ::1"),
            Kind::HostName => f.write_str("the name of a host, without scheme or port"),
            Kind::Networks => {
                f.write_str("networks with commas between them, such as 10.0.0.0/8,fd00::/8")
            }
            Kind::Openings => f.write_str(
                "networks with a port each and commas between them, such as 10.0.0.0/8:9000,[fd00::/8]:9000",
            ),
            Kind::Closures => f.write_str(
                "networks and hosts with commas between them, such as 198.51.100.0/24,example.com",
            ),
            Kind::Origins => f.write_str(
                "origins with commas between them, such as https://app.example.com, or * for all",
            ),
            Kind::WebUrl => f.write_str(
                "an http or https URL without query, such as https://images.example.com",
            ),
            Kind::ServiceUrl(schemes) => {
                let schemes: Vec<_> = schemes.iter().map(|name| format!("{name}://")).collect();
                write!(f, "a URL that starts with {} and names a host", schemes.join(" or "))
            }
        }
    }
}

/// A time as people write it: `15m`, `30d`.
pub fn time(time: Duration) -> String {
    const UNITS: [(u128, &str); 4] =
        [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s")];
    let millis = time.as_millis();
    match UNITS.iter().find(|(unit, _)| millis >= *unit && millis.is_multiple_of(*unit)) {
        Some((unit, name)) => format!("{}{name}", millis / unit),
        None => format!("{millis}ms"),
    }
}

fn size(bytes: u64) -> String {
    const UNITS: [(u64, &str); 4] =
        [(1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match UNITS.iter().find(|(unit, _)| bytes >= *unit && bytes.is_multiple_of(*unit)) {
        Some((unit, name)) => format!("{} {name}", bytes / unit),
        None => bytes.to_string(),
    }
}

fn parse_size(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor: u64 = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kb" | "k" => 1_000,
        "mb" | "m" => 1_000_000,
        "gb" | "g" => 1_000_000_000,
        "kib" => 1 << 10,
        "mib" => 1 << 20,
        "gib" => 1 << 30,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

fn parse_time(text: &str) -> Option<Duration> {
    match text.parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => humantime::parse_duration(text).ok(),
    }
}

fn parse_flag(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Some(true),
        "false" | "0" | "no" | "off" => Some(false),
        _ => None,
    }
}

/// A bare word must be a level: `EnvFilter` would take a misspelt one for the name of a module and
/// log nothing else.
fn parse_directives(text: &str) -> Option<Value> {
    let bare = |part: &str| {
        part.contains(['=', '[']) || LEVELS.iter().any(|level| level.eq_ignore_ascii_case(part))
    };
    let spans = text.contains('[');
    if !spans && !items(text).all(bare) {
        return None;
    }
    EnvFilter::builder().parse(text).ok()?;
    Some(Value::Text(text.to_owned()))
}

fn parse_address(text: &str) -> Option<IpAddr> {
    if text.eq_ignore_ascii_case("localhost") {
        return Some(IpAddr::from([127, 0, 0, 1]));
    }
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    bare.unwrap_or(text).parse().ok()
}

pub(super) fn parse_network(text: &str) -> Option<IpNet> {
    match text.parse::<IpNet>() {
        Ok(network) => Some(network.trunc()),
        Err(_) => text.parse::<IpAddr>().ok().map(IpNet::from),
    }
}

fn parse_origin(text: &str) -> Option<String> {
    if text == "*" {
        return Some(text.to_owned());
    }
    let url = web_url(text)?;
    (url.path() == "/").then(|| url.origin().ascii_serialization())
}

fn parse_web_url(text: &str) -> Option<String> {
    Some(web_url(text)?.as_str().trim_end_matches('/').to_owned())
}

/// An `http(s)` URL that names a place and nothing more.
fn web_url(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let plain = matches!(url.scheme(), "http" | "https")
        && url.has_host()
        && url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    plain.then_some(url)
}

/// The error is what to add to the general complaint.
fn parse_service_url(text: &str, schemes: &[&str]) -> Result<Value, &'static str> {
    if ["[YOUR-PASSWORD]", "<password>", "[PASSWORD]"].iter().any(|mark| text.contains(mark)) {
        return Err("; the password is still its placeholder");
    }
    let Ok(url) = Url::parse(text) else {
        return Err("; in its password, characters such as @ / # ? are written %40 %2F %23 %3F");
    };
    if !schemes.contains(&url.scheme()) {
        return Err("");
    }
    // Postgres also takes the host, or the directory of its socket, from the query.
    let named = url.host_str().is_some_and(|host| !host.is_empty())
        || url.query_pairs().any(|(key, host)| key == "host" && !host.is_empty());
    if named { Ok(Value::Text(text.to_owned())) } else { Err("") }
}

pub(super) fn items(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty())
}
