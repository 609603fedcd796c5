//! What was said, and where: the command line before the environment, then `.env`, `darkroom.toml`
//! and the defaults.

use std::{collections::BTreeMap, fmt, fs, io, path::Path};

use figment::{
    Error, Figment, Metadata, Profile, Provider,
    providers::{Format, Toml},
    value::{Dict, Map, Value},
};

use super::{
    report::{Fault, Warning},
    spelling, table,
};

/// Where a value was said; the later the stronger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// Nowhere.
    Default,
    /// The file `darkroom.toml`.
    Toml,
    /// The file `.env`.
    Dotenv,
    /// The environment.
    Environment,
    /// An argument.
    CommandLine,
}

impl Source {
    const ALL: [Source; 5] =
        [Source::Default, Source::Toml, Source::Dotenv, Source::Environment, Source::CommandLine];

    /// Its name for people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Source::Default => "default",
            Source::Toml => "darkroom.toml",
            Source::Dotenv => ".env",
            Source::Environment => "environment",
            Source::CommandLine => "command line",
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One value as it was said.
#[derive(Clone)]
pub struct Said {
    /// The name in the table.
    pub name: &'static str,
    /// To the letter.
    pub text: String,
    /// Where.
    pub source: Source,
}

/// Everything that was said, not yet understood.
pub struct Settings {
    said: Figment,
    /// Names that are not in the table.
    pub(super) warnings: Vec<Warning>,
    unreadable: Vec<Fault>,
}

impl Settings {
    /// Collects what `env` and the two files say; a missing file says nothing.
    pub fn read(
        env: impl IntoIterator<Item = (String, String)>,
        dotenv: &Path,
        toml: &Path,
    ) -> Self {
        let mut unreadable = Vec::new();
        let mut or_fault = |file: Result<Vec<(String, String)>, String>, source: Source| {
            file.unwrap_or_else(|detail| {
                unreadable.push(Fault::new(source.as_str(), detail));
                Vec::new()
            })
        };
        let toml = or_fault(read_toml(toml), Source::Toml);
        let dotenv = or_fault(read_dotenv(dotenv), Source::Dotenv);

        let mut settings = Self { said: Figment::new(), warnings: Vec::new(), unreadable };
        settings.merge(Source::Toml, toml);
        settings.merge(Source::Dotenv, dotenv);
        settings.merge(Source::Environment, env);
        settings
    }

    /// The environment of this process and the files of its working directory.
    pub fn load() -> Self {
        // A value that is no UTF-8 keeps a mark that every kind refuses.
        let env = std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.to_string_lossy().into_owned()))
        });
        Self::read(env, Path::new(".env"), Path::new("darkroom.toml"))
    }

    /// Adds what the command line says, which is stronger than everything else.
    #[must_use]
    pub fn with(mut self, name: &'static str, text: impl Into<String>) -> Self {
        self.merge(Source::CommandLine, [(name.to_owned(), text.into())]);
        self
    }

    /// What was said for `name`, at the strongest place.
    pub fn said(&self, name: &str) -> Option<Said> {
        let name = table::find(name)?.name;
        let value = self.said.find_value(name).ok()?;
        let label = &self.said.get_metadata(value.tag())?.name;
        let source = Source::ALL.into_iter().find(|source| source.as_str() == label)?;
        Some(Said { name, text: value.into_string()?, source })
    }

    /// What was said for a thing with several names: the strongest place wins, then the first name.
    pub fn said_first(&self, names: &[&str]) -> Option<Said> {
        let said = names.iter().rev().filter_map(|name| self.said(name));
        said.max_by_key(|said| said.source)
    }

    /// Files that are there and can't be read or understood; what is in force is then in doubt.
    pub fn unreadable(&self) -> &[Fault] {
        &self.unreadable
    }

    fn merge(&mut self, source: Source, pairs: impl IntoIterator<Item = (String, String)>) {
        let mut layer = Layer { source, values: BTreeMap::new() };
        for (name, text) in pairs {
            let upper = match source {
                Source::Toml => name.to_ascii_uppercase(),
                _ => name.clone(),
            };
            match table::find(&upper) {
                // Empty is how an environment says 'unset'.
                Some(_) if text.trim().is_empty() => {}
                Some(variable) => {
                    layer.values.insert(variable.name, text);
                }
                None => self.warnings.extend(spelling::warning(&name, source)),
            }
        }
        self.said = std::mem::take(&mut self.said).merge(layer);
    }
}

/// One source for figment: exact names, values to the letter. (Its own `Env` would turn a numeric
/// password into a number.)
struct Layer {
    source: Source,
    values: BTreeMap<&'static str, String>,
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.source.as_str())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, Error> {
        let values =
            self.values.iter().map(|(name, text)| ((*name).to_owned(), Value::from(text.as_str())));
        Ok(Profile::Default.collect(values.collect()))
    }
}

/// A file's text; `None` if there is no such file.
fn read_text(path: &Path) -> Result<Option<String>, String> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!("cannot be read: {error}")),
    }
}

fn read_dotenv(path: &Path) -> Result<Vec<(String, String)>, String> {
    let Some(text) = read_text(path)? else { return Ok(Vec::new()) };
    let mut pairs = Vec::new();
    for pair in dotenvy::from_read_iter(text.as_bytes()) {
        // The error would quote the line, and with it perhaps a secret.
        pairs.push(pair.map_err(|_| {
            let after = pairs.last().map(|(name, _): &(String, String)| name.as_str());
            match after {
                Some(name) => format!("cannot be understood after the line of {name}"),
                None => "cannot be understood at its first line".to_owned(),
            }
        })?);
    }
    Ok(pairs)
}

fn read_toml(path: &Path) -> Result<Vec<(String, String)>, String> {
    let Some(text) = read_text(path)? else { return Ok(Vec::new()) };
    let dict: Dict = Toml::from_str(&text).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        format!("is not TOML at line {line}: {}", error.message())
    })?;
    let mut pairs = Vec::new();
    for (name, value) in dict {
        if matches!(value, Value::Dict(..)) && table::find(&name.to_ascii_uppercase()).is_some() {
            return Err(format!("says {name} as a table; it takes one value"));
        }
        pairs.push((name, plain(&value)));
    }
    Ok(pairs)
}

/// A TOML value as it would stand in the environment.
fn plain(value: &Value) -> String {
    match value {
        Value::String(_, text) => text.clone(),
        Value::Char(_, char) => char.to_string(),
        Value::Bool(_, flag) => flag.to_string(),
        Value::Num(_, number) => number
            .to_i128()
            .map(|number| number.to_string())
            .or_else(|| number.to_f64().map(|number| number.to_string()))
            .unwrap_or_default(),
        Value::Array(_, items) => items.iter().map(plain).collect::<Vec<_>>().join(","),
        Value::Empty(..) => String::new(),
        // Of a name that is not ours, and is only warned of.
        Value::Dict(..) => String::new(),
    }
}
