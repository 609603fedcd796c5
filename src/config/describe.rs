//! What is in force and where it was said, for people; and the reference of all names.

use serde_json::{Value as Json, json};

use super::{
    check::DATABASE_NAMES,
    kind::Kind,
    report::{Fault, Warning},
    secrets, services,
    settings::Settings,
    storage::{self, StorageKind},
    table::{Preset, TABLE, Variable},
};

/// One line of the description.
struct Line {
    name: &'static str,
    value: Option<String>,
    origin: String,
}

impl Settings {
    /// Every name with the value in force and where it was said, then faults and warnings. Secrets
    /// are redacted. Always printable, whatever is wrong.
    pub fn describe(&self) -> String {
        let lines = self.lines();
        let shown = |line: &Line| line.value.clone().unwrap_or_else(|| "(not set)".to_owned());
        let width = |texts: &mut dyn Iterator<Item = usize>| texts.max().unwrap_or(0);
        let names = width(&mut lines.iter().map(|line| line.name.len()));
        let values = width(&mut lines.iter().map(|line| shown(line).chars().count())).min(40);

        let mut text = format!("# {}\n", self.mode());
        for line in &lines {
            let row = format!("{:names$}  {:values$}  {}", line.name, shown(line), line.origin);
            text.push_str(row.trim_end());
            text.push('\n');
        }
        let (faults, warnings) = self.findings();
        for fault in faults {
            text.push_str(&format!("\nfault: {fault}"));
        }
        for warning in warnings {
            text.push_str(&format!("\nwarning: {warning}"));
        }
        text.trim_end().to_owned() + "\n"
    }

    /// The same for machines.
    pub fn describe_json(&self) -> Json {
        let settings: Vec<Json> = self
            .lines()
            .into_iter()
            .map(|line| json!({"name": line.name, "value": line.value, "source": line.origin}))
            .collect();
        let (faults, warnings) = self.findings();
        json!({
            "mode": if self.said_first(DATABASE_NAMES).is_some() { "postgres" } else { "embedded" },
            "settings": settings,
            "faults": faults
                .iter()
                .map(|fault| json!({"name": fault.name, "detail": fault.detail}))
                .collect::<Vec<_>>(),
            "warnings": warnings
                .iter()
                .map(|warning| json!({"name": warning.name, "detail": warning.detail}))
                .collect::<Vec<_>>(),
        })
    }

    fn mode(&self) -> String {
        let pictures = match storage::kind(self) {
            None | Some(StorageKind::Fs) => "on this machine",
            Some(StorageKind::S3) => "in an S3 bucket",
            Some(StorageKind::Cloudinary) => "at Cloudinary",
        };
        match self.said_first(DATABASE_NAMES) {
            Some(_) => format!("rows in Postgres, pictures {pictures}"),
            None => format!("embedded: rows in a file of this machine, pictures {pictures}"),
        }
    }

    /// Who asks for a description does not start anything: what is configured by half is then no more
    /// than a warning.
    fn findings(&self) -> (Vec<Fault>, Vec<Warning>) {
        let found = match self.check() {
            Ok((_, warnings)) => return (Vec::new(), warnings),
            Err(found) => found,
        };
        let mut halves = Vec::new();
        services::check(self, &mut halves);
        let (halves, faults): (Vec<_>, Vec<_>) =
            found.faults.into_iter().partition(|fault| halves.contains(fault));
        let halves = halves.into_iter().map(|fault| Warning::new(fault.name, fault.detail));
        (faults, halves.chain(found.warnings).collect())
    }

    fn lines(&self) -> Vec<Line> {
        TABLE.iter().map(|variable| self.line(variable)).collect()
    }

    fn line(&self, variable: &Variable) -> Line {
        let said = self.said(variable.name);
        let origin = match (&said, variable.name) {
            (Some(said), _) => said.source.to_string(),
            (None, "ENVIRONMENT") if self.is_production() => match self.said("GIN_MODE") {
                Some(mode) => format!("GIN_MODE from {}", mode.source),
                None => String::new(),
            },
            (None, _) if self.preset(variable).is_some() => "default".to_owned(),
            (None, _) => String::new(),
        };
        let text = said.map(|said| said.text).or_else(|| self.preset(variable));
        Line { name: variable.name, value: text.map(|text| show(variable, &text)), origin }
    }
}

/// A value as it may be shown.
fn show(variable: &Variable, text: &str) -> String {
    match variable.kind {
        Kind::Secret(_) => secrets::REDACTED.to_owned(),
        Kind::ServiceUrl(_) => secrets::redact_url(text),
        // A line break in a value would fake a line of its own.
        _ => text.trim().chars().map(|c| if c.is_control() { '?' } else { c }).collect(),
    }
}

/// The table of all names, in Markdown: what README.md shows.
pub fn reference_markdown() -> String {
    let mut text = String::from("| Name | Default | Accepted | Meaning |\n|---|---|---|---|\n");
    for variable in TABLE {
        let default = match variable.default {
            Preset::Text(default) => format!("`{default}`"),
            Preset::Computed(words) => words.to_owned(),
            Preset::Unset => String::new(),
        };
        let Variable { name, kind, about, .. } = variable;
        text.push_str(&format!("| `{name}` | {default} | {kind} | {about} |\n"));
    }
    text
}
