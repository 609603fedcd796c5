//! Secrets that everybody knows, and how secrets are shown.

use url::Url;

/// What stands for a secret in everything that is printed.
pub const REDACTED: &str = "[REDACTED]";

/// Found in secrets of examples and documentation; letters and digits only, lower case.
const KNOWN: &[&str] = &[
    "changeme",
    "changethis",
    "changeit",
    "changein",
    "replaceme",
    "replacethis",
    "yoursecret",
    "yoursuper",
    "yourjwt",
    "yourown",
    "yourkey",
    "your256",
    "yourrandom",
    "supersecret",
    "secretkey",
    "jwtsecret",
    "mysecret",
    "verysecret",
    "stringsecret",
    "example",
    "placeholder",
    "insecure",
    "donotuse",
    "password",
    "characterslong",
    "charslong",
    "bitslong",
];

/// Whether a signing secret could be guessed: an example's, or hardly any characters repeated.
pub fn is_well_known(secret: &str) -> bool {
    let bare: String =
        secret.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    let mut distinct: Vec<char> = secret.chars().collect();
    distinct.sort_unstable();
    distinct.dedup();

    bare.starts_with("secret")
        || KNOWN.iter().any(|known| bare.contains(known))
        || distinct.len() < 8
        || is_run(&bare)
}

/// Whether it is one row of the keyboard or the alphabet, once or over and over.
fn is_run(bare: &str) -> bool {
    const ROWS: &[&str] = &[
        "0123456789abcdef",
        "1234567890",
        "0123456789",
        "abcdefghijklmnopqrstuvwxyz",
        "qwertyuiopasdfghjklzxcvbnm",
        "abcdefghijklmnopqrstuvwxyz0123456789",
        "abcdefghijklmnopqrstuvwxyz1234567890",
    ];
    ROWS.iter().any(|row| bare.chars().zip(row.chars().cycle()).all(|(a, b)| a == b))
}

/// A service's URL with its user and host, without its password and what may stand in its query.
pub fn redact_url(text: &str) -> String {
    let Ok(mut url) = Url::parse(text.trim()) else { return REDACTED.to_owned() };
    if !url.has_host() {
        return REDACTED.to_owned();
    }
    let user = match (url.username(), url.password()) {
        ("", None) => String::new(),
        // Some put the password where the user belongs.
        (_, None) => format!("{REDACTED}@"),
        (user, Some(_)) => format!("{user}:{REDACTED}@"),
    };
    let query = if url.query().is_some() { "?…" } else { "" };
    url.set_query(None);
    url.set_fragment(None);
    let host = url.host_str().unwrap_or_default();
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{user}{host}{port}{}{query}", url.scheme(), url.path())
}
