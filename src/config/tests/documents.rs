//! What is written about the configuration says what is so.

use super::*;

#[test]
fn the_readme_and_the_example_follow_the_table() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let example = fs::read_to_string(root.join(".env.example")).unwrap();
    for line in example.lines().filter_map(|line| line.trim_start_matches("# ").split_once('=')) {
        assert!(table::find(line.0).is_some(), "{} in .env.example", line.0);
    }
    let Ok(readme) = fs::read_to_string(root.join("README.md")) else { return };
    let (_, rest) =
        readme.split_once("<!-- config:begin -->").expect("the marker of its beginning");
    let (table, _) = rest.split_once("<!-- config:end -->").expect("the marker of its end");
    assert_eq!(table.trim(), reference_markdown().trim(), "README.md's table is not the code's");
}

/// What looks like a name of ours: capitals with an underline between them.
fn names_in(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|char: char| !(char.is_ascii_alphanumeric() || char == '_'));
    words.filter(|word| {
        let capitals = |char: char| char.is_ascii_uppercase() || char.is_ascii_digit();
        let inner = word.trim_matches('_') == *word && word.contains('_');
        inner && word.chars().all(|char| char == '_' || capitals(char))
    })
}

#[test]
fn the_guide_and_its_files_name_only_what_there_is() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    // Of the libraries of TLS, of Railway, and of `make demo`.
    const OTHERS: &[&str] = &["SSL_CERT_FILE", "RAILWAY_RUN_UID", "DARKROOM_URL"];
    for file in ["docs/DEPLOYMENT.md", "deploy/kubernetes.yaml", "fly.toml", "Dockerfile"] {
        let text = fs::read_to_string(root.join(file)).unwrap();
        for name in names_in(&text) {
            let is_known = table::find(name).is_some() || OTHERS.contains(&name);
            assert!(is_known, "{name} in {file}");
        }
    }
    assert_eq!(names_in("A_B, C_ or D; E_F2=g: H_i").collect::<Vec<_>>(), ["A_B", "E_F2"]);
}

#[test]
fn fly_io_gives_a_drain_the_time_that_it_takes() {
    use figment::{
        providers::{Format, Toml},
        value::{Dict, Value},
    };

    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fly.toml");
    let fly: Dict = Toml::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let Some(Value::Dict(_, variables)) = fly.get("env") else { panic!("no [env]") };
    let variables = variables.iter();
    let pairs: Vec<_> =
        variables.map(|(name, value)| (name.as_str(), value.as_str().unwrap())).collect();
    let (config, warnings) = env(&pairs).accepted();
    assert_eq!(warnings, []);
    assert_eq!((config.environment, config.http.port), (Environment::Production, 8080));
    let kill = humantime::parse_duration(fly["kill_timeout"].as_str().unwrap()).unwrap();
    assert!(kill > config.drain_timeout, "{kill:?}");
}
