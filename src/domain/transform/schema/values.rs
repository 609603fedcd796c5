//! Values that are one of some names, or of several kinds: read off the lists that the parser reads.

use serde_json::json;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        ArrayBuilder, Object, ObjectBuilder, OneOfBuilder, RefOr, Schema,
        schema::{SchemaType, Type},
    },
};

use crate::domain::transform::{Auto, Fit, Font, Gravity, Keep, Profile, parse};

/// A schema that is written by hand.
macro_rules! value {
    ($name:ident, $schema:expr) => {
        pub(in crate::domain::transform) struct $name;

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                $schema.into()
            }
        }

        impl ToSchema for $name {}
    };
}

value!(FormatName, one_of(parse::formats()).examples([json!("webp")]));
value!(ProfileName, names(Profile::NAMES).examples([json!("fast")]));
value!(FitName, names(Fit::NAMES).examples([json!("contain")]));
value!(FontName, names(Font::NAMES).examples([json!("sans bold")]));
value!(GravityValue, either([names(Gravity::NAMES).build(), point()]).examples([json!("north")]));
value!(PlaceValue, either([one_of(places()).build(), point()]).examples([json!("southeast")]));
value!(
    QualityValue,
    either([number(Type::Integer, 1, 100), names(Auto::NAMES).build()]).examples([json!("auto")])
);
value!(
    RoundValue,
    either([number(Type::Integer, 1, parse::MAX_SIDE), one_of(["max"]).build()])
        .examples([json!(24)])
);
value!(SepiaValue, either([switch(), number(Type::Number, 0, 100)]).examples([json!(60)]));
value!(
    AspectValue,
    either([kind(Type::Number).build(), kind(Type::String).build()]).examples([json!("16:9")])
);
value!(TrimValue, either([switch(), trim()]).examples([json!({"threshold": 20})]));
value!(StripValue, either([switch(), strip()]).examples([json!({"keep": ["copyright", "icc"]})]));

fn kind(kind: Type) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(SchemaType::new(kind))
}

fn either(kinds: [Object; 2]) -> OneOfBuilder {
    kinds.into_iter().fold(OneOfBuilder::new(), |all, kind| all.item(kind))
}

fn one_of<'n>(names: impl IntoIterator<Item = &'n str>) -> ObjectBuilder {
    kind(Type::String).enum_values(Some(names))
}

fn names<T>(names: &[(&'static str, T)]) -> ObjectBuilder {
    one_of(names.iter().map(|(name, _)| *name))
}

fn switch() -> Object {
    kind(Type::Boolean).build()
}

fn number(of: Type, minimum: u32, maximum: u32) -> Object {
    kind(of).minimum(Some(minimum)).maximum(Some(maximum)).build()
}

/// The names of gravity that say a place.
pub(in crate::domain::transform) fn places() -> Vec<&'static str> {
    let places = Gravity::NAMES.iter().filter(|(_, gravity)| *gravity != Gravity::Smart);
    places.map(|(name, _)| *name).collect()
}

fn point() -> Object {
    let axis =
        |about| kind(Type::Number).minimum(Some(0)).maximum(Some(1)).description(Some(about));
    ObjectBuilder::new()
        .description(Some("A focal point, as fractions of width and height."))
        .property("x", axis("0 is the left edge, 1 the right."))
        .property("y", axis("0 is the top edge, 1 the bottom."))
        .required("x")
        .required("y")
        .build()
}

fn trim() -> Object {
    let about = "How much any channel may differ from the colour of the corner; 10 by default.";
    let threshold =
        kind(Type::Integer).minimum(Some(0)).maximum(Some(255)).description(Some(about));
    ObjectBuilder::new().property("threshold", threshold).build()
}

fn strip() -> Object {
    let mut all = Keep::NOTHING;
    let names = one_of(all.fields().map(|(name, _)| name));
    let about =
        "What is kept. `exif` includes `copyright`, which is the artist and the copyright alone.";
    let keep = ArrayBuilder::new().items(names.build()).description(Some(about));
    ObjectBuilder::new().property("keep", keep).required("keep").build()
}
