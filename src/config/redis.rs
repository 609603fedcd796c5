//! Redis, as Upstash names its parts or by one URL.

use std::time::Duration;

use redis::IntoConnectionInfo;
use secrecy::SecretString;
use url::Url;

use super::{
    kind::Value,
    report::{Fault, Warning},
    settings::Settings,
    table,
};

/// The names of Redis, the stronger first.
const NAMES: &[&str] = &["UPSTASH_REDIS_HOST", "REDIS_URL"];
/// Upstash knows one user.
const USER: &str = "default";

/// What all processes share and none needs.
#[derive(Debug, Clone)]
pub struct Redis {
    /// Where it is and how to get in; `rediss://` is TLS.
    pub url: SecretString,
    /// `REDIS_PREFIX`: what keys and channels start with.
    pub prefix: String,
    /// `REDIS_TIMEOUT`: how long a call may take, a new connection included.
    pub timeout: Duration,
}

/// The Redis that is meant, if one is. What is wrong with a value by itself is reported elsewhere.
pub fn meant(
    settings: &Settings,
    faults: &mut Vec<Fault>,
    warnings: &mut Vec<Warning>,
) -> Option<Redis> {
    let used = settings.said_first(NAMES)?;
    for other in NAMES.iter().filter(|name| **name != used.name) {
        if let Some(other) = settings.said(other) {
            warnings.push(Warning::new(
                other.name,
                format!(
                    "(from {}) is ignored for {} (from {})",
                    other.source, used.name, used.source
                ),
            ));
        }
    }
    let url = match used.name {
        "REDIS_URL" => Url::parse(value(settings, used.name)?.as_text()?).ok()?,
        _ => of_parts(settings)?,
    };
    // The path is the number of a database, and the query may say more: only the client knows what.
    if let Err(error) = url.as_str().into_connection_info() {
        faults
            .push(Fault::new(used.name, format!("(from {}) can't be used: {error}", used.source)));
        return None;
    }
    let prefix = value(settings, "REDIS_PREFIX")?.as_text()?.to_owned();
    let Value::Time(timeout) = value(settings, "REDIS_TIMEOUT")? else { return None };
    Some(Redis { url: String::from(url).into(), prefix, timeout })
}

fn of_parts(settings: &Settings) -> Option<Url> {
    let host = value(settings, "UPSTASH_REDIS_HOST")?;
    let port = value(settings, "UPSTASH_REDIS_PORT")?;
    let (Value::Number(port), Value::Flag(tls)) = (port, value(settings, "UPSTASH_REDIS_TLS")?)
    else {
        return None;
    };
    let scheme = if tls { "rediss" } else { "redis" };
    let mut url = Url::parse(&format!("{scheme}://{}:{port}", host.as_text()?)).ok()?;
    if let Some(password) = value(settings, "UPSTASH_REDIS_PASSWORD") {
        url.set_username(USER).ok()?;
        // What looks like an escape is none: it is the password, to the letter.
        url.set_password(Some(&password.as_text()?.replace('%', "%25"))).ok()?;
    }
    Some(url)
}

/// The value in force for `name`, if it can be understood.
fn value(settings: &Settings, name: &str) -> Option<Value> {
    let variable = table::find(name)?;
    let text = settings.said(name).map(|said| said.text).or_else(|| settings.preset(variable))?;
    variable.kind.parse(&text).ok()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use secrecy::ExposeSecret;

    use super::*;
    use crate::config::Faults;

    fn said(pairs: &[(&str, &str)]) -> Result<(Option<Redis>, Vec<Warning>), Faults> {
        let nowhere = Path::new("/nonexistent");
        let pairs = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let (config, warnings) = Settings::read(pairs, nowhere, nowhere).check()?;
        Ok((config.redis, warnings))
    }

    #[test]
    fn upstash_s_parts_and_one_url_mean_the_same() {
        for (pairs, url) in [
            (&[("REDIS_URL", "redis://localhost:7000/2")][..], "redis://localhost:7000/2"),
            (&[("REDIS_URL", "rediss://:p@h")], "rediss://:p@h"),
            (
                &[("UPSTASH_REDIS_HOST", "eu1.upstash.io"), ("UPSTASH_REDIS_PASSWORD", "p@/#ss")],
                "rediss://default:p%40%2F%23ss@eu1.upstash.io:6379",
            ),
            (
                &[
                    ("UPSTASH_REDIS_HOST", "10.0.0.7"),
                    ("UPSTASH_REDIS_PORT", "7001"),
                    ("UPSTASH_REDIS_TLS", "no"),
                ],
                "redis://10.0.0.7:7001",
            ),
        ] {
            let (redis, warnings) = said(pairs).unwrap();
            let redis = redis.unwrap();
            assert_eq!(redis.url.expose_secret(), url);
            assert_eq!((redis.prefix.as_str(), warnings), ("darkroom:", vec![]));
        }
        assert!(said(&[]).unwrap().0.is_none());
        assert!(said(&[("REDIS_PREFIX", "x:")]).unwrap().0.is_none());
        // What the client reads out of the URL is what was said.
        for password in ["p@/#% ß", "p%40%2525"] {
            let parts = [("UPSTASH_REDIS_HOST", "h"), ("UPSTASH_REDIS_PASSWORD", password)];
            let (redis, _) = said(&parts).unwrap();
            let info = redis.unwrap().url.expose_secret().into_connection_info().unwrap();
            assert_eq!(info.redis_settings().password(), Some(password));
            assert_eq!(info.redis_settings().username(), Some("default"));
        }
    }

    #[test]
    fn of_two_that_are_said_one_is_used_and_the_other_warned_of() {
        let both = [("REDIS_URL", "redis://a"), ("UPSTASH_REDIS_HOST", "b")];
        let (redis, warnings) = said(&both).unwrap();
        assert_eq!(redis.unwrap().url.expose_secret(), "rediss://b:6379");
        assert_eq!(warnings.len(), 1);
        assert_eq!(warnings[0].name, "REDIS_URL");
    }

    #[test]
    fn what_the_client_can_not_use_is_a_fault_that_tells_no_secret() {
        for (wrong, name) in [
            (&[("REDIS_URL", "redis://:swordfish@h/no-number")][..], "REDIS_URL"),
            (&[("REDIS_URL", "http://h")], "REDIS_URL"),
            (&[("UPSTASH_REDIS_HOST", "h"), ("UPSTASH_REDIS_PORT", "0")], "UPSTASH_REDIS_PORT"),
        ] {
            let faults = said(wrong).unwrap_err();
            assert_eq!(faults.faults.len(), 1, "{faults}");
            assert_eq!(faults.faults[0].name, name);
            assert!(!faults.to_string().contains("swordfish"), "{faults}");
        }
    }
}
