//! What the service says of itself: the log, on standard error.

use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt, util::SubscriberInitExt};

use crate::config::{Log, LogFormat};

/// Dependencies that talk of themselves on `info` and `debug`; `LOG_LEVEL` may name them again.
const QUIET: &str = "sqlx=warn,hyper=warn,h2=warn,ractor=warn,rustls=warn";

/// Starts the log. A second call changes nothing: tests start many apps in one process.
pub fn start(log: &Log) {
    let registry = tracing_subscriber::registry().with(filter(&log.level));
    let layer = fmt::layer().with_writer(std::io::stderr);
    // Both fail only where a subscriber is in place already.
    let _ = match log.format {
        LogFormat::Text => registry.with(layer.with_ansi(is_terminal())).try_init(),
        LogFormat::Json => {
            registry.with(layer.json().flatten_event(true).with_current_span(true)).try_init()
        }
    };
}

fn is_terminal() -> bool {
    std::io::IsTerminal::is_terminal(&std::io::stderr())
}

/// The filter for `LOG_LEVEL`: a bare level, or directives, which come last and so win.
fn filter(level: &str) -> EnvFilter {
    let level = level.trim();
    let directives = match level.to_ascii_lowercase().as_str() {
        // Already as quiet as `QUIET`, or more so.
        "off" | "error" | "warn" => level.to_owned(),
        _ => format!("{QUIET},{level}"),
    };
    EnvFilter::builder().parse_lossy(directives)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(format: LogFormat) -> Log {
        Log { level: "info".to_owned(), format }
    }

    #[test]
    fn noisy_dependencies_are_quiet_unless_named() {
        assert!(filter("debug").to_string().contains("sqlx=warn"));
        assert!(filter("debug").to_string().contains("debug"));
        assert!(filter("info,sqlx=debug").to_string().contains("sqlx=debug"));
        assert!(!filter("info,sqlx=debug").to_string().contains("sqlx=warn"));
    }

    #[test]
    fn a_quiet_level_is_quiet_everywhere() {
        assert_eq!(filter("error").to_string(), "error");
        assert_eq!(filter("OFF").to_string(), "off");
    }

    #[test]
    fn starting_twice_is_harmless() {
        start(&log(LogFormat::Text));
        start(&log(LogFormat::Json));
        assert!(tracing::enabled!(tracing::Level::INFO));
        assert!(!tracing::enabled!(target: "sqlx", tracing::Level::INFO));
    }
}
