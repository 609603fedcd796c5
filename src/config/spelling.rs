//! Names that look like ours and are not.

use strsim::damerau_levenshtein;

use super::{report::Warning, settings::Source, table::TABLE};

/// What our names start with and few others do.
const FAMILIES: &[&str] =
    &["DB_", "JWT_", "MAX_", "TRANSFORM_", "QUEUE_", "UPSTASH_", "CLOUDINARY_"];

/// What to say of a name that is not in the table. The files are ours, so every such name counts;
/// the environment is everybody's, so it must look like one of ours.
pub fn warning(name: &str, source: Source) -> Option<Warning> {
    let upper = name.to_ascii_uppercase();
    let nearest = nearest(&upper);
    let ours = nearest.is_some() || FAMILIES.iter().any(|family| name.starts_with(family));
    if source == Source::Environment && !ours {
        return None;
    }
    let advice = match nearest {
        Some(nearest) => format!("; did you mean {nearest}?"),
        None => String::new(),
    };
    Some(Warning::new(name, format!("(from {source}) is no name that this version knows{advice}")))
}

/// The known name that `name` was probably meant to be.
fn nearest(name: &str) -> Option<&'static str> {
    // Short names are near to everything: HOME is no misspelt HOST.
    let allowed = if name.len() < 6 { 1 } else { 2 + name.len() / 10 };
    TABLE
        .iter()
        .map(|variable| (damerau_levenshtein(name, variable.name), variable.name))
        .min()
        .filter(|(distance, _)| *distance <= allowed)
        .map(|(_, nearest)| nearest)
}
