//! A JSON object that is being read, and the faults found in it.

use serde_json::{Map, Value};

use crate::domain::{color::Color, error::Fault};

/// One object of a spec. Whatever is wrong with its fields is added to the common list of faults.
pub(super) struct Object<'v, 'f> {
    fields: &'v Map<String, Value>,
    pointer: String,
    faults: &'f mut Vec<Fault>,
}

impl<'v, 'f> Object<'v, 'f> {
    /// Opens `value`, which must be an object.
    pub(super) fn open(
        value: &'v Value,
        pointer: String,
        faults: &'f mut Vec<Fault>,
    ) -> Option<Self> {
        match value.as_object() {
            Some(fields) => Some(Self { fields, pointer, faults }),
            None => {
                faults.push(Fault::new(pointer, "must be an object"));
                None
            }
        }
    }

    /// Opens `value`, which stands under `path` of this object.
    pub(super) fn open_at(&mut self, value: &'v Value, path: &str) -> Option<Object<'v, '_>> {
        let pointer = format!("{}/{path}", self.pointer);
        Object::open(value, pointer, self.faults)
    }

    /// The field as it stands.
    pub(super) fn get(&self, name: &str) -> Option<&'v Value> {
        self.fields.get(name)
    }

    /// How many fields there are.
    pub(super) fn len(&self) -> usize {
        self.fields.len()
    }

    /// Reports a field.
    pub(super) fn fault(&mut self, name: &str, detail: impl Into<String>) {
        let name = name.replace('~', "~0").replace('/', "~1");
        self.fault_at(&name, detail);
    }

    /// Reports what stands under `path` of this object.
    pub(super) fn fault_at(&mut self, path: &str, detail: impl Into<String>) {
        self.faults.push(Fault::new(format!("{}/{path}", self.pointer), detail));
    }

    /// Reports the object itself.
    pub(super) fn fault_here(&mut self, detail: impl Into<String>) {
        self.faults.push(Fault::new(self.pointer.clone(), detail));
    }

    /// Reports every field that is not `known`.
    pub(super) fn allow(&mut self, known: &[&str]) {
        for name in self.fields.keys() {
            if !known.contains(&name.as_str()) {
                let nearest = nearest(name, known);
                self.fault(name, format!("unknown field; the nearest known one is {nearest}"));
            }
        }
    }

    /// Reports a field that is missing.
    pub(super) fn require(&mut self, name: &str) {
        if self.get(name).is_none() {
            self.fault(name, "is required");
        }
    }

    /// An object under `name`.
    pub(super) fn object(&mut self, name: &str) -> Option<Object<'v, '_>> {
        let value = self.get(name)?;
        self.open_at(value, name)
    }

    /// A whole number from `min` to `max`.
    pub(super) fn integer<T>(&mut self, name: &str, min: T, max: T) -> Option<T>
    where
        T: TryFrom<i64> + Into<i64> + Copy + std::fmt::Display,
    {
        let value = self.get(name)?;
        let whole = value.as_f64().and_then(|number| whole(number, min, max));
        if whole.is_none() {
            let kind =
                if value.is_f64() { "must be a whole number between" } else { "must be between" };
            self.fault(name, format!("{kind} {min} and {max}"));
        }
        whole
    }

    /// A number from `min` to `max`.
    pub(super) fn number(&mut self, name: &str, min: f64, max: f64) -> Option<f64> {
        let number = self.get(name)?.as_f64().map(rounded);
        let number = number.filter(|number| (min..=max).contains(number));
        if number.is_none() {
            self.fault(name, format!("must be between {min} and {max}"));
        }
        number
    }

    /// A number above 0, at most 1.
    pub(super) fn part(&mut self, name: &str) -> Option<f64> {
        let number = self.get(name)?.as_f64().map(rounded);
        let number = number.filter(|number| *number > 0.0 && *number <= 1.0);
        if number.is_none() {
            self.fault(name, "must be above 0, at most 1");
        }
        number
    }

    /// `true` or `false`.
    pub(super) fn boolean(&mut self, name: &str) -> Option<bool> {
        let value = self.get(name)?.as_bool();
        if value.is_none() {
            self.fault(name, "must be true or false");
        }
        value
    }

    /// A colour.
    pub(super) fn color(&mut self, name: &str) -> Option<Color> {
        let color = self.get(name)?.as_str().and_then(|text| text.parse().ok());
        if color.is_none() {
            self.fault(name, Color::ACCEPTED);
        }
        color
    }

    /// One of `known`.
    pub(super) fn choice(&mut self, name: &str, known: &[&str]) -> Option<&'v str> {
        let choice = self.get(name)?.as_str().filter(|text| known.contains(text));
        if choice.is_none() {
            self.fault(name, format!("must be one of: {}", known.join(", ")));
        }
        choice
    }

    /// The value that `names` gives to the name under `name`.
    pub(super) fn named<T: Copy>(&mut self, name: &str, names: &[(&str, T)]) -> Option<T> {
        let known: Vec<&str> = names.iter().map(|(name, _)| *name).collect();
        let choice = self.choice(name, &known)?;
        names.iter().find(|(name, _)| *name == choice).map(|(_, value)| *value)
    }
}

/// A number to six decimals: as much as a picture can show, and little enough to come out of any JSON reader as it went
/// in. Adding zero makes −0 the 0 that it equals.
pub(in crate::domain::transform) fn rounded(number: f64) -> f64 {
    (number * 1e6).round() / 1e6 + 0.0
}

/// A whole number from `min` to `max`; `300.0` is one.
#[allow(clippy::cast_possible_truncation)] // The value has no fraction, and is within the range of T.
pub(super) fn whole<T>(number: f64, min: T, max: T) -> Option<T>
where
    T: TryFrom<i64> + Into<i64>,
{
    let whole = number as i64;
    let fits = number.fract() == 0.0 && (min.into()..=max.into()).contains(&whole);
    if fits { T::try_from(whole).ok() } else { None }
}

/// The name that `name` was probably meant to be.
fn nearest<'n>(name: &str, known: &[&'n str]) -> &'n str {
    let score = |known: &str| strsim::jaro_winkler(name, known);
    let best = known.iter().max_by(|first, second| score(first).total_cmp(&score(second)));
    best.copied().unwrap_or_default()
}
