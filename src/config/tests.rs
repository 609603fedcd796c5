use std::{fs, path::Path, time::Duration};

use secrecy::ExposeSecret;
use tempfile::TempDir;

use super::*;
use crate::roles::Roles;

mod documents;
mod services;

const SECRET: &str = "9f2c41d07be85a36c1f0e47a92d8b653";
const URL: &str = "postgres://app:hunter2@db.example.net:6543/postgres?sslmode=require";

/// A working directory of its own, and what is said in it.
struct Said {
    dir: TempDir,
    env: Vec<(String, String)>,
}

impl Said {
    fn nothing() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), env: Vec::new() }
    }

    fn env(mut self, pairs: &[(&str, &str)]) -> Self {
        self.env = pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
        self
    }

    fn file(self, name: &str, text: &str) -> Self {
        fs::write(self.dir.path().join(name), text).unwrap();
        self
    }

    fn settings(&self) -> Settings {
        let path = |name: &str| self.dir.path().join(name);
        Settings::read(self.env.clone(), &path(".env"), &path("darkroom.toml"))
    }

    fn accepted(&self) -> (Config, Vec<Warning>) {
        self.settings().check().unwrap_or_else(|faults| panic!("{faults}"))
    }

    fn refused(&self) -> Faults {
        self.settings().check().map(drop).unwrap_err()
    }
}

fn env(pairs: &[(&str, &str)]) -> Said {
    Said::nothing().env(pairs)
}

fn names(faults: &Faults) -> Vec<&str> {
    faults.faults.iter().map(|fault| fault.name.as_str()).collect()
}

#[test]
fn nothing_said_is_the_embedded_default() {
    let (config, warnings) = Said::nothing().accepted();
    assert_eq!(warnings, []);
    assert!(config.is_embedded());
    assert_eq!(config.environment, Environment::Development);
    assert_eq!(config.roles, Roles::BOTH);
    assert_eq!((config.http.port, config.http.host), (8080, None));
    assert_eq!((config.database.max_conns, config.database.min_conns), (25, 5));
    assert_eq!(config.database.max_lifetime, Duration::from_secs(3600));
    assert_eq!(config.auth.jwt_expiry, Duration::from_secs(900));
    assert_eq!(config.auth.refresh_expiry, Duration::from_secs(30 * 24 * 3600));
    assert!(config.auth.jwt_secret.is_none());
    assert_eq!(config.limits, crate::domain::limits::Limits::default());
    assert_eq!(config.drain_timeout, Duration::from_secs(25));
    assert!(config.transform_threads >= 1);
    assert_eq!(config.transform_profile, Profile::Best);
    assert_eq!(config.log.format, LogFormat::Text);
    assert!(
        matches!(&config.database.location, DatabaseLocation::Sqlite(path) if path == Path::new("./data/darkroom.db"))
    );
}

#[test]
fn the_environment_is_stronger_than_dotenv_and_that_than_toml() {
    let said = Said::nothing()
        .file(
            "darkroom.toml",
            "port = 1\njwt_issuer = \"toml\"\nLOG_LEVEL = \"warn\"\nmax_frames = 7",
        )
        .file(".env", "PORT=2\nJWT_ISSUER=dotenv\n")
        .env(&[("PORT", "3"), ("MAX_FRAMES", "")]);
    let (config, _) = said.accepted();
    assert_eq!(config.http.port, 3);
    assert_eq!(config.auth.jwt_issuer, "dotenv");
    assert_eq!(config.log.level, "warn");
    assert_eq!(config.limits.frames, 7, "empty is unset");

    let settings = said.settings().with("PORT", "4");
    assert_eq!(settings.check().unwrap().0.http.port, 4);
    assert_eq!(settings.said("PORT").unwrap().source, Source::CommandLine);
    assert_eq!(settings.said("JWT_ISSUER").unwrap().source, Source::Dotenv);
    assert_eq!(settings.said("MAX_FRAMES").unwrap().source, Source::Toml);
}

#[test]
fn toml_takes_numbers_words_flags_and_lists() {
    let said = Said::nothing().file(
        "darkroom.toml",
        "max_upload_size = \"5MiB\"\njwt_expiry = 60\nqueue_durable = true\n\
         allowed_origins = [\"https://a.example\", \"http://localhost:3000/\"]",
    );
    let (config, warnings) = said.accepted();
    assert_eq!(config.limits.upload_size, 5 << 20);
    assert_eq!(config.auth.jwt_expiry, Duration::from_secs(60));
    assert_eq!(config.http.allowed_origins, ["https://a.example", "http://localhost:3000"]);
    assert_eq!(warnings, []);
}

#[test]
fn every_fault_is_reported_at_once_with_its_place_and_what_is_accepted() {
    let said = env(&[
        ("PORT", "eighty"),
        ("DB_MAX_CONNS", "0"),
        ("JWT_EXPIRY", "soon"),
        ("MAX_IMAGE_WIDTH", "65536"),
        ("ROLE", "cook"),
        ("TRUSTED_PROXIES", "10.0.0.0/40"),
        ("PUBLIC_URL", "images.example.com"),
        ("HOST", "here"),
    ])
    .file(".env", "LOG_FORMAT=yaml\nMAX_UPLOAD_SIZE=-1\nLOG_LEVEL=inof");
    let faults = said.refused();
    for name in [
        "PORT",
        "DB_MAX_CONNS",
        "JWT_EXPIRY",
        "MAX_IMAGE_WIDTH",
        "ROLE",
        "TRUSTED_PROXIES",
        "PUBLIC_URL",
        "HOST",
        "LOG_FORMAT",
        "MAX_UPLOAD_SIZE",
        "LOG_LEVEL",
    ] {
        assert!(names(&faults).contains(&name), "{name} in {faults}");
    }
    assert_eq!(faults.faults.len(), 11, "{faults}");
    let text = faults.to_string();
    assert!(
        text.contains(
            r#"PORT = "eighty" (from environment) must be a whole number from 0 to 65535"#
        )
    );
    assert!(text.contains(r#"LOG_FORMAT = "yaml" (from .env) must be text or json"#));
}

#[test]
fn every_kind_of_value_has_its_spellings() {
    for (name, good, bad) in [
        ("PORT", &["0", "65535", " 80 "][..], &["65536", "-1", "8080/tcp", "1.5"][..]),
        ("HOST", &["0.0.0.0", "::1", "[::1]", "localhost"], &["example.com", "1.2.3"]),
        (
            "MAX_UPLOAD_SIZE",
            &["1", "20MB", "20 MiB", "1GiB"],
            &["0", "20 parsecs", "99999999999999999999"],
        ),
        ("JWT_EXPIRY", &["15m", "900", "1h30m", "1h 30m", "1d"], &["0", "m15", "-1s", "soon"]),
        ("ENVIRONMENT", &["production", "Development"], &["prod", "staging"]),
        ("ROLE", &["api", "worker", "both"], &["admin"]),
        ("UPSTASH_REDIS_TLS", &["true", "1", "no", "OFF"], &["maybe", "2"]),
        (
            "LOG_LEVEL",
            &["info", "WARN", "info,darkroom::http=debug", "darkroom[span]=trace"],
            &["loud", "info,loud", "a=loud"],
        ),
        ("TRUSTED_PROXIES", &["10.0.0.0/8", "127.0.0.1, fd00::/8"], &["10.0.0.0/33", "proxy"]),
        (
            "FETCH_ALLOW",
            &["127.0.0.0/8:9000", "[::1]:80, 10.0.0.0/8:443"],
            &["10.0.0.0/8", "localhost:80", "10.0.0.0/8:0"],
        ),
        ("FETCH_DENY", &["example.com", "8.8.8.0/24, .example.org"], &["a b", "8.8.8.0/40"]),
        ("FETCH_TIMEOUT", &["10s", "4m"], &["0", "5m"]),
        (
            "ALLOWED_ORIGINS",
            &["*", "https://a.b,http://c.d:8"],
            &["a.b", "https://a.b/path", "ftp://a.b"],
        ),
        (
            "PUBLIC_URL",
            &["https://a.b", "http://localhost:8080/x/"],
            &["a.b", "ftp://a.b", "https://a.b/?q", "https://u:p@a.b"],
        ),
        (
            "SUPABASE_DB_URL",
            &[URL, "postgresql://h/d", "postgres:///d?host=/run"],
            &[
                "mysql://h/d",
                "postgres:///d",
                "postgres://u:p#w@h/d",
                "h",
                "postgres://u:[YOUR-PASSWORD]@h/d",
            ],
        ),
    ] {
        let kind = table::find(name).unwrap().kind;
        for text in good {
            assert!(kind.parse(text).is_ok(), "{name}={text}: {:?}", kind.parse(text));
        }
        for text in bad {
            let complaint = kind.parse(text).expect_err(text);
            assert!(complaint.starts_with("must be"), "{complaint}");
        }
    }
}

#[test]
fn a_value_that_is_no_utf_8_is_a_fault() {
    assert_eq!(names(&env(&[("JWT_ISSUER", "caf\u{FFFD}")]).refused()), ["JWT_ISSUER"]);
}

#[test]
fn values_mean_what_they_say() {
    let (config, _) = env(&[
        ("PUBLIC_URL", "https://images.example.com/"),
        ("TRUSTED_PROXIES", "10.1.2.3/8,::1"),
        ("MAX_BODY_SIZE", "2MB"),
        ("TRANSFORM_TIMEOUT", "1500ms"),
        ("TRANSFORM_THREADS", "3"),
        ("TRANSFORM_PROFILE", "fast"),
        ("ROLE", "worker"),
        ("DATA_DIR", "/pictures"),
        ("CACHE_MEMORY", "0"),
        ("CACHE_DISK", "2GiB"),
    ])
    .accepted();
    let cache = config.cache;
    assert_eq!((cache.memory, cache.disk), (0, 2 << 30));
    assert_eq!(cache.directory, Path::new("/pictures/cache"));
    let elsewhere = env(&[("CACHE_DIR", "/fast")]).accepted().0.cache;
    assert_eq!((elsewhere.directory.as_path(), elsewhere.memory), (Path::new("/fast"), 64 << 20));
    assert_eq!(config.http.public_url.as_deref(), Some("https://images.example.com"));
    assert_eq!(
        config.http.trusted_proxies.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["10.0.0.0/8", "::1/128"]
    );
    assert_eq!(config.http.max_body_size, 2_000_000);
    assert_eq!(config.limits.timeout, Duration::from_millis(1500));
    assert_eq!(config.transform_threads, 3);
    assert_eq!(config.transform_profile, Profile::Fast);
    assert!(!config.roles.api);
}

#[test]
fn a_database_ends_the_embedded_mode_and_needs_a_secret() {
    for name in ["SUPABASE_DB_URL", "DATABASE_URL"] {
        assert_eq!(names(&env(&[(name, URL)]).refused()), ["JWT_SECRET"]);
        let (config, _) = env(&[(name, URL), ("JWT_SECRET", SECRET)]).accepted();
        assert!(
            matches!(&config.database.location, DatabaseLocation::Postgres(url) if url.expose_secret() == URL)
        );
        assert_eq!(config.auth.jwt_secret.unwrap().expose_secret(), SECRET);
    }
}

#[test]
fn of_two_database_urls_the_stronger_place_wins_then_the_first_name() {
    let other = "postgres://other/d";
    let both = [("SUPABASE_DB_URL", URL), ("DATABASE_URL", other), ("JWT_SECRET", SECRET)];
    let (config, warnings) = env(&both).accepted();
    assert!(
        matches!(&config.database.location, DatabaseLocation::Postgres(url) if url.expose_secret() == URL)
    );
    assert_eq!(warnings[0].name, "DATABASE_URL");

    let (config, warnings) = env(&[("DATABASE_URL", other), ("JWT_SECRET", SECRET)])
        .file(".env", &format!("SUPABASE_DB_URL={URL}"))
        .accepted();
    assert!(
        matches!(&config.database.location, DatabaseLocation::Postgres(url) if url.expose_secret() == other)
    );
    assert_eq!(warnings[0].name, "SUPABASE_DB_URL");
}

#[test]
fn a_short_secret_is_refused_everywhere() {
    for environment in ["development", "production"] {
        let faults = env(&[("ENVIRONMENT", environment), ("JWT_SECRET", "hunter2")]).refused();
        assert_eq!(names(&faults), ["JWT_SECRET"]);
        assert!(!faults.to_string().contains("hunter2"));
    }
    env(&[("JWT_SECRET", SECRET)]).accepted();
}

#[test]
fn a_well_known_secret_is_refused_in_production_and_warned_of_elsewhere() {
    for known in [
        "changeme-changeme-changeme-changeme",
        "your-super-secret-jwt-token-with-at-least-32-characters-long",
        "a-string-secret-at-least-256-bits-long",
        "Your_Secret_Key_For_The_Service_1234",
        "secret0123456789secret0123456789",
        "00000000000000000000000000000000",
        "abcabcabcabcabcabcabcabcabcabcabcabc",
        "0123456789abcdef0123456789abcdef",
    ] {
        let (_, warnings) = env(&[("JWT_SECRET", known)]).accepted();
        assert_eq!(
            warnings.first().map(|warning| warning.name.as_str()),
            Some("JWT_SECRET"),
            "{known}"
        );
        for production in [("ENVIRONMENT", "production"), ("GIN_MODE", "release")] {
            let faults = env(&[production, ("JWT_SECRET", known)]).refused();
            assert_eq!(names(&faults), ["JWT_SECRET"], "{known}");
            assert!(!faults.to_string().contains(known));
        }
    }
    assert_eq!(env(&[("GIN_MODE", "release"), ("JWT_SECRET", SECRET)]).accepted().1, []);
}

#[test]
fn gin_mode_speaks_where_environment_is_silent() {
    let (config, _) = env(&[("GIN_MODE", "release")]).accepted();
    assert_eq!((config.environment, config.log.format), (Environment::Production, LogFormat::Json));
    let (config, _) = env(&[("GIN_MODE", "release"), ("ENVIRONMENT", "development")]).accepted();
    assert_eq!(
        (config.environment, config.log.format),
        (Environment::Development, LogFormat::Text)
    );
    let (config, _) = env(&[("GIN_MODE", "debug"), ("LOG_FORMAT", "json")]).accepted();
    assert_eq!(
        (config.environment, config.log.format),
        (Environment::Development, LogFormat::Json)
    );
}

#[test]
fn values_that_contradict_each_other_are_faults() {
    assert_eq!(
        names(&env(&[("DB_MIN_CONNS", "9"), ("DB_MAX_CONNS", "8")]).refused()),
        ["DB_MIN_CONNS"]
    );
    assert_eq!(names(&env(&[("TRANSFORM_TIMEOUT", "25s")]).refused()), ["TRANSFORM_TIMEOUT"]);
    assert_eq!(names(&env(&[("DRAIN_TIMEOUT", "5s")]).refused()), ["TRANSFORM_TIMEOUT"]);
    let (config, _) = env(&[("DB_MAX_CONNS", "2")]).accepted();
    assert_eq!(config.database.min_conns, 2, "the default makes room");
}

#[test]
fn misspelt_names_are_warned_of_with_the_nearest_one() {
    let warned =
        |said: Said| -> Vec<String> { said.accepted().1.iter().map(ToString::to_string).collect() };
    let warnings = warned(env(&[("JWT_SECERT", SECRET), ("PROT", "1"), ("port", "1")]));
    assert_eq!(
        warnings,
        [
            "JWT_SECERT (from environment) is no name that this version knows; did you mean JWT_SECRET?",
            "PROT (from environment) is no name that this version knows; did you mean PORT?",
            "port (from environment) is no name that this version knows; did you mean PORT?",
        ]
    );
    assert_eq!(warned(env(&[("MAX_JOBS_A_DAY", "1")])).len(), 1);
    // The environment is full of names that are none of our business; the files are ours.
    assert_eq!(
        warned(env(&[("HOME", "/"), ("HOSTNAME", "x"), ("PATH", "/"), ("LANG", "C")])),
        [""; 0]
    );
    assert_eq!(warned(Said::nothing().file(".env", "FOO=1")).len(), 1);
    assert_eq!(
        warned(Said::nothing().file("darkroom.toml", "foo = 1\n[port_map]\nx = 1")).len(),
        2
    );
}

#[test]
fn secrets_are_never_printed() {
    let said = env(&[
        ("SUPABASE_DB_URL", URL),
        ("JWT_SECRET", SECRET),
        ("UPSTASH_REDIS_PASSWORD", "swordfish"),
        ("REDIS_URL", "not a url: swordfish"),
        ("CLOUDAMQP_URL", "amqp://swordfish@host/v"),
        ("CLOUDINARY_API_SECRET", "swordfish"),
        ("MIGRATE_DB_URL", "postgres://app:hunter2@db.example.net/d?password=swordfish"),
    ]);
    let settings = said.settings();
    let prints = [
        settings.describe(),
        settings.describe_json().to_string(),
        said.refused().to_string(),
        format!("{:?}", said.refused()),
        format!("{:?}", env(&[("DATABASE_URL", URL), ("JWT_SECRET", SECRET)]).accepted()),
    ];
    for print in prints {
        for secret in ["hunter2", SECRET, "swordfish"] {
            assert!(!print.contains(secret), "{secret} in {print}");
        }
    }
    assert!(settings.describe().contains("postgres://app:[REDACTED]@db.example.net:6543/postgres"));
}

#[test]
fn the_description_names_every_value_and_its_place() {
    let settings = env(&[("PORT", "x"), ("GIN_MODE", "release")])
        .file(".env", "JWT_ISSUER=me")
        .settings()
        .with("ROLE", "api");
    let text = settings.describe();
    let line = |name: &str| -> Vec<&str> {
        let line = text.lines().find(|line| line.split(' ').next() == Some(name));
        line.unwrap_or_else(|| panic!("{name} in {text}")).split_whitespace().collect()
    };
    for variable in TABLE {
        assert!(!line(variable.name).is_empty());
    }
    assert_eq!(line("PORT"), ["PORT", "x", "environment"]);
    assert_eq!(line("JWT_ISSUER"), ["JWT_ISSUER", "me", ".env"]);
    assert_eq!(line("ROLE"), ["ROLE", "api", "command", "line"]);
    assert_eq!(
        line("ENVIRONMENT"),
        ["ENVIRONMENT", "production", "GIN_MODE", "from", "environment"]
    );
    assert_eq!(line("LOG_FORMAT"), ["LOG_FORMAT", "json", "default"]);
    assert_eq!(line("SUPABASE_DB_URL"), ["SUPABASE_DB_URL", "(not", "set)"]);
    assert!(text.contains("\nfault: PORT"), "{text}");

    let json = settings.describe_json();
    assert_eq!(json["settings"][0]["value"], "x");
    assert_eq!(json["faults"][0]["name"], "PORT");
}

#[test]
fn a_broken_file_is_a_fault_that_quotes_nothing() {
    for (file, text) in [
        (".env", "PORT=1\nJWT_SECRET=\"swordfish\n"),
        ("darkroom.toml", "port = 1\njwt_secret = \"swordfish"),
    ] {
        let said = Said::nothing().file(file, text);
        assert_eq!(said.settings().unreadable()[0].name, file);
        let faults = said.refused();
        assert_eq!(names(&faults), [file]);
        assert!(!faults.to_string().contains("swordfish"), "{faults}");
        assert!(said.settings().describe().contains(&format!("fault: {file}")));
    }
    let said = Said::nothing().file("darkroom.toml", "[port]\nx = 1");
    assert_eq!(names(&said.refused()), ["darkroom.toml"]);
}

#[test]
fn the_table_is_in_order() {
    for (index, variable) in TABLE.iter().enumerate() {
        assert!(
            TABLE[..index].iter().all(|other| other.name != variable.name),
            "{} twice",
            variable.name
        );
        if let Preset::Text(text) = variable.default {
            assert!(variable.kind.parse(text).is_ok(), "{}={text}", variable.name);
        }
    }
}

#[test]
fn the_engine_alone_is_told_its_own_and_a_timeout_only_by_somebody() {
    let engine = |pairs: &[(&str, &str)]| env(pairs).settings().check_engine();
    let (nothing, _) = engine(&[]).unwrap();
    assert_eq!((nothing.limits, nothing.profile), (Limits::default(), Profile::Best));
    assert_eq!(nothing.timeout, None, "the default is made for servers");
    let (said, warnings) = engine(&[
        ("MAX_PIXELS", "7"),
        ("TRANSFORM_PROFILE", "fast"),
        // No drain would wait for it; nothing is drained.
        ("TRANSFORM_TIMEOUT", "1h"),
        ("PORT", "eighty"),
        ("DATABASE_URL", "nonsense"),
        ("MAX_FRAME", "9"),
        ("DB_MAX_CON", "1"),
    ])
    .unwrap();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert_eq!(warnings[0].name, "MAX_FRAME");
    assert_eq!((said.limits.pixels, said.profile), (7, Profile::Fast));
    assert_eq!(said.timeout, Some(Duration::from_secs(3600)));
    let faults = engine(&[("MAX_FRAMES", "x"), ("PORT", "eighty")]).unwrap_err();
    assert_eq!(names(&faults), ["MAX_FRAMES"]);
}
