//! Reading the fields of a JSON object or a query, with every fault reported at once.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::domain::error::{Code, Error, Fault, Result};

/// The fields still to be read, and the faults found so far.
pub struct Fields {
    values: BTreeMap<String, Value>,
    known: Vec<&'static str>,
    faults: Vec<Fault>,
}

impl Fields {
    /// The fields of a JSON object.
    ///
    /// # Errors
    /// `validation_failed` if it is none.
    pub fn of(value: Value) -> Result<Self> {
        match value {
            Value::Object(map) => Ok(Self::from(map.into_iter().collect())),
            _ => Err(Error::field("", "the body must be a JSON object")),
        }
    }

    /// The parameters of a query; their values are strings.
    ///
    /// # Errors
    /// `malformed_request` if one is given twice.
    pub fn of_query(query: &str) -> Result<Self> {
        let mut values = BTreeMap::new();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            if values.insert(name.to_string(), Value::String(value.into_owned())).is_some() {
                let detail = format!("the query has `{name}` more than once");
                return Err(Error::new(Code::MalformedRequest, detail));
            }
        }
        Ok(Self::from(values))
    }

    fn from(values: BTreeMap<String, Value>) -> Self {
        Self { values, known: Vec::new(), faults: Vec::new() }
    }

    /// The value of a field, if it is there and not null.
    pub fn value(&mut self, name: &'static str) -> Option<Value> {
        self.known.push(name);
        self.values.remove(name).filter(|value| !value.is_null())
    }

    /// A field that may be left out. `accepted` says what it should have been.
    pub fn optional<T: DeserializeOwned>(
        &mut self,
        name: &'static str,
        accepted: &str,
    ) -> Option<T> {
        let value = self.value(name)?;
        // Postgres keeps no such text, so none is taken in wherever it would be kept.
        if value.as_str().is_some_and(|text| text.contains('\0')) {
            self.fault(name, format!("must be {accepted}, without the character U+0000"));
            return None;
        }
        match serde_json::from_value(value) {
            Ok(value) => Some(value),
            Err(_) => {
                self.fault(name, format!("must be {accepted}"));
                None
            }
        }
    }

    /// A string to the letter, U+0000 and all, for whoever cleans it before it is kept.
    pub fn verbatim(&mut self, name: &'static str) -> Option<String> {
        let value = self.value(name)?;
        let text = value.as_str().map(str::to_owned);
        if text.is_none() {
            self.fault(name, "must be a string");
        }
        text
    }

    /// A field that must be there; without it, what is returned is not used.
    pub fn required<T: DeserializeOwned + Default>(
        &mut self,
        name: &'static str,
        accepted: &str,
    ) -> T {
        if self.values.get(name).is_none_or(Value::is_null) {
            self.fault(name, format!("is missing; must be {accepted}"));
        }
        self.optional(name, accepted).unwrap_or_default()
    }

    /// A text that must be there, and that `check` finds nothing wrong with.
    pub fn checked(
        &mut self,
        name: &'static str,
        check: impl Fn(&str) -> Option<&'static str>,
    ) -> String {
        let known = self.faults.len();
        let text: String = self.required(name, "a string");
        if self.faults.len() == known
            && let Some(detail) = check(&text)
        {
            self.fault(name, detail);
        }
        text
    }

    /// A parameter of a query, read from its text.
    pub fn parsed<T: std::str::FromStr>(
        &mut self,
        name: &'static str,
        accepted: &str,
        accept: impl Fn(&T) -> bool,
    ) -> Option<T> {
        let text: String = self.optional(name, accepted)?;
        let parsed = text.parse().ok().filter(accept);
        if parsed.is_none() {
            self.fault(name, format!("must be {accepted}"));
        }
        parsed
    }

    /// Adds a fault.
    pub fn fault(&mut self, name: &str, detail: impl Into<String>) {
        self.faults.push(Fault::new(format!("/{name}"), detail));
    }

    /// Adds faults found elsewhere, under `name`.
    pub fn faults_under(&mut self, name: &str, faults: Vec<Fault>) {
        let under = |fault: Fault| Fault::new(format!("/{name}{}", fault.pointer), fault.detail);
        self.faults.extend(faults.into_iter().map(under));
    }

    /// All has been read.
    ///
    /// # Errors
    /// `validation_failed` with every fault; a field that nobody read is one.
    pub fn finish(mut self) -> Result<()> {
        for name in self.values.keys() {
            let nearest = self
                .known
                .iter()
                // Others can't be as near, and comparing a long name takes memory.
                .filter(|known| known.len().abs_diff(name.chars().count()) <= 2)
                .map(|known| (strsim::damerau_levenshtein(known, name), known))
                .filter(|(distance, _)| *distance <= 2)
                .min();
            let detail = match nearest {
                Some((_, known)) => format!("is unknown; did you mean `{known}`?"),
                None if self.known.is_empty() => "is unknown; no field is expected".to_owned(),
                None => format!("is unknown; known are {}", self.known.join(", ")),
            };
            self.faults.push(Fault::new(format!("/{}", escape(name)), detail));
        }
        if self.faults.is_empty() { Ok(()) } else { Err(Error::invalid(self.faults)) }
    }
}

/// A name as a part of a JSON pointer (RFC 6901).
pub fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_fault_is_reported_at_once() {
        let mut fields = Fields::of(json!({"name": 3, "limit": "x", "tgas": []})).unwrap();
        let _: String = fields.required("name", "a string");
        let _: String = fields.required("other", "a string");
        let _ = fields.parsed::<u32>("limit", "1 to 100", |limit| *limit > 0);
        let _ = fields.optional::<Vec<String>>("tags", "a list");
        let error = fields.finish().unwrap_err();
        let pointers: Vec<_> = error.faults.iter().map(|fault| fault.pointer.as_str()).collect();
        assert_eq!(pointers, ["/name", "/other", "/limit", "/tgas"]);
        assert!(error.faults[3].detail.contains("`tags`"));
    }
}
