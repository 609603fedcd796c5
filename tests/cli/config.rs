//! What the program says of itself: help, configuration, the API's document.

use serde_json::Value;

use crate::process::{SECRET, Shell};

#[test]
fn help_names_every_command_and_usage_errors_are_64() {
    let shell = Shell::new();
    let help = shell.run(&["--help"]);
    assert_eq!(help.code, 0);
    let commands =
        ["serve", "migrate", "config", "openapi", "transform", "jobs", "admin", "doctor"];
    for command in commands.into_iter().chain(["healthcheck"]) {
        assert!(help.stdout.contains(&format!("\n  {command} ")), "{command}: {}", help.stdout);
        let help = shell.run(&[command, "--help"]);
        assert_eq!(help.code, 0);
        assert!(help.stdout.contains("Usage:"), "{command}");
    }
    assert!(help.stdout.contains("Examples:") && help.stdout.contains("Exit codes:"));
    assert_eq!(shell.run(&["--version"]).code, 0);
    for wrong in [&["develop"][..], &["serve", "--colour"], &["transform"]] {
        let run = shell.run(wrong);
        assert_eq!(run.code, 64, "{wrong:?}");
        assert!(run.stdout.is_empty() && !run.stderr.is_empty());
    }
}

#[test]
fn config_tells_what_is_in_force_and_where_it_was_said_but_no_secret() {
    let shell = Shell::new()
        .with("JWT_SECRET", SECRET)
        .with("SUPABASE_DB_URL", "postgres://ada:lovelace1815@db.example.org:5432/prod")
        .with("UPSTASH_REDIS_PASSWORD", "half-of-it")
        .with("PORT", "eighty")
        .with("MAX_PIXLES", "1");
    std::fs::write(shell.directory().join(".env"), "MAX_FRAMES=9\n").unwrap();
    std::fs::write(
        shell.directory().join("darkroom.toml"),
        "max_frames = 8\njwt_issuer = \"me\"\n",
    )
    .unwrap();
    let run = shell.run(&["config"]);
    assert_eq!(run.code, 0, "it could print: {}", run.stderr);
    for secret in [SECRET, "lovelace1815", "half-of-it"] {
        assert!(!run.stdout.contains(secret) && !run.stderr.contains(secret), "{}", run.stdout);
    }
    let line = |name: &str| {
        let mut lines = run.stdout.lines();
        lines.find(|line| line.split_whitespace().next() == Some(name)).unwrap_or_default()
    };
    for (name, value, source) in [
        ("JWT_SECRET", "REDACTED", "environment"),
        ("SUPABASE_DB_URL", "db.example.org", "environment"),
        ("MAX_FRAMES", "9", ".env"),
        ("JWT_ISSUER", "me", "darkroom.toml"),
        ("ROLE", "both", "default"),
    ] {
        let line = line(name);
        assert!(line.contains(value) && line.ends_with(source), "{name}: {line}");
    }
    let told = |start: &str, name: &str| {
        run.stdout.lines().any(|line| line.starts_with(start) && line.contains(name))
    };
    assert!(told("fault:", "PORT"), "{}", run.stdout);
    assert!(told("warning:", "MAX_PIXELS"), "the nearest name: {}", run.stdout);
    assert!(told("warning:", "UPSTASH_REDIS_HOST"), "a half is no fault here: {}", run.stdout);

    let run = shell.run(&["config", "--json"]);
    assert_eq!(run.code, 0);
    let json: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(json["mode"], "postgres");
    assert_eq!(json["faults"][0]["name"], "PORT");
    assert!(!run.stdout.contains(SECRET));
}

#[test]
fn a_file_that_can_not_be_read_is_told_of_and_not_passed_over() {
    let shell = Shell::new();
    std::fs::write(shell.directory().join("darkroom.toml"), "port = \n").unwrap();
    let run = shell.run(&["config"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stdout.contains("fault: darkroom.toml"), "{}", run.stdout);
    assert_eq!(shell.run(&["serve"]).code, 78);
}

#[test]
fn serve_reports_every_fault_by_name_and_opens_no_port() {
    let shell = Shell::new()
        .with("PORT", "eighty")
        .with("MAX_PIXELS", "-1")
        .with("TRANSFORM_TIMEOUT", "soon")
        .with("ROLE", "king")
        .with("UPSTASH_REDIS_PASSWORD", "half-of-it");
    let run = shell.run(&["serve"]);
    assert_eq!(run.code, 78);
    for name in ["PORT", "MAX_PIXELS", "TRANSFORM_TIMEOUT", "ROLE", "UPSTASH_REDIS_HOST"] {
        assert!(run.stderr.contains(name), "{name}: {}", run.stderr);
    }
    assert!(!run.stderr.contains("half-of-it") && !run.stderr.contains("serving"));
    assert!(!shell.directory().join("data").exists(), "nothing was begun");
    assert_eq!(Shell::new().run(&["serve", "--role", "king"]).code, 78);
}

#[test]
fn production_wants_a_secret_worth_the_name() {
    let postgres = "postgres://postgres@127.0.0.1:1/none";
    for (variables, named) in [
        (&[("ENVIRONMENT", "production"), ("JWT_SECRET", "short")][..], true),
        (&[("GIN_MODE", "release"), ("JWT_SECRET", "short")], true),
        (
            &[("ENVIRONMENT", "production"), ("JWT_SECRET", "changemechangemechangemechangeme")],
            true,
        ),
        (&[("SUPABASE_DB_URL", postgres)], true),
        (&[("SUPABASE_DB_URL", postgres), ("PORT", "x"), ("JWT_SECRET", SECRET)], false),
    ] {
        let shell =
            variables.iter().fold(Shell::new(), |shell, (name, value)| shell.with(name, value));
        let run = shell.run(&[]);
        assert_eq!(run.code, 78, "{variables:?}");
        assert_eq!(run.stderr.contains("JWT_SECRET"), named, "{variables:?}: {}", run.stderr);
        assert!(!run.stderr.contains("changemechangeme"));
    }
}

#[test]
fn openapi_is_printed() {
    let run = Shell::new().run(&["openapi"]);
    assert_eq!(run.code, 0);
    let document: Value = serde_json::from_str(&run.stdout).unwrap();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    assert!(document["paths"]["/api/v1/images"]["post"].is_object());
}
