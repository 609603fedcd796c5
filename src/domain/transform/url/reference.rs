//! The tables of the URL form, for people.

use std::fmt::Write;

use super::{
    effect::{Becomes, EFFECTS, Effect},
    table::{FLAGS, FONTS, GRAVITIES, MODES, PARAMETERS, REFUSED},
};

/// What of Cloudinary's syntax means what, in Markdown: the tables of docs/URL.md.
pub fn url_reference_markdown() -> String {
    let mut text = String::new();
    table(&mut text, "Parameters", &["Parameter", "Values", "Becomes"]);
    for known in PARAMETERS {
        row(&mut text, &[format!("`{}_`", known.name), known.values.into(), known.becomes.into()]);
    }
    table(&mut text, "Modes of `c_`", &["`c_`", "`fit`", "`enlarge`", "`g_` when not given"]);
    for mode in MODES {
        let name = format!("`{}`", mode.name);
        match mode.fit {
            Some(fit) => {
                let gravity = mode.gravity.map_or("`center`", |_| "`auto`");
                row(
                    &mut text,
                    &[name, format!("`{fit}`"), mode.enlarge.to_string(), gravity.into()],
                );
            }
            None => {
                row(
                    &mut text,
                    &[
                        name,
                        "`crop`".into(),
                        "–".into(),
                        "`center`; with `x_`, `y_` that corner".into(),
                    ],
                );
            }
        }
    }
    table(&mut text, "Places of `g_`", &["`g_`", "`gravity`"]);
    for (name, gravity) in GRAVITIES {
        row(&mut text, &[format!("`{name}`"), format!("`{gravity}`")]);
    }
    row(&mut text, &["`xy_center`".into(), "`{x, y}`, as `x_` and `y_` say".into()]);
    table(&mut text, "Effects of `e_`", &["`e_`", "N", "N when not given", "Becomes"]);
    for effect in EFFECTS {
        let (range, default) = match effect.level {
            Some([least, most, default]) => (format!("{least} to {most}"), default.to_string()),
            None => ("–".to_owned(), "–".to_owned()),
        };
        row(&mut text, &[format!("`{}`", effect.name), range, default, becomes(effect)]);
    }
    table(&mut text, "Flags of `fl_`", &["`fl_`", "Becomes"]);
    for (name, _, becomes) in FLAGS {
        row(&mut text, &[format!("`{name}`"), (*becomes).to_owned()]);
    }
    table(&mut text, "Parameters that are refused", &["Parameter", "Why"]);
    for (name, why) in REFUSED {
        row(&mut text, &[format!("`{name}_`"), (*why).to_owned()]);
    }
    let _ =
        write!(text, "\n## Fonts that the shipped sans stands in for\n\n{}.\n", FONTS.join(", "));
    text
}

fn becomes(effect: &Effect) -> String {
    match effect.becomes {
        Becomes::Switch(name) => format!("`filters.{name}`"),
        Becomes::Filter(name, 1.0) => format!("`filters.{name}` = N"),
        Becomes::Filter(name, times) => format!("`filters.{name}` = N × {times}"),
        Becomes::Gamma => "`filters.gamma` = 1 + N/100".to_owned(),
        Becomes::Trim => "`trim.threshold` = N percent of 255, rounded".to_owned(),
        Becomes::Colorize => {
            "`filters.colorize` = the colour of `co_` (gray), N percent thick".to_owned()
        }
    }
}

fn table(text: &mut String, title: &str, columns: &[&str]) {
    let _ = write!(
        text,
        "\n## {title}\n\n| {} |\n|{}\n",
        columns.join(" | "),
        "---|".repeat(columns.len())
    );
}

fn row(text: &mut String, cells: &[String]) {
    let _ = writeln!(text, "| {} |", cells.join(" | "));
}
