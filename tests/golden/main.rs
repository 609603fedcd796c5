//! The engine against pictures that were made without it: see README.md beside this file.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::cast_possible_truncation
)]

mod measure;
mod mutations;
mod webp;

use std::{
    collections::BTreeMap,
    fs,
    io::Cursor,
    path::{Path, PathBuf},
};

use darkroom::{
    domain::{ids::ImageId, limits::Limits, transform::Spec},
    imaging::{Control, Failure, Output, Overlays, transform},
};
use image::{AnimationDecoder, DynamicImage, codecs::gif::GifDecoder};
use rayon::prelude::*;
use serde::Deserialize;
use serde_json::Value;

use self::measure::{color_difference, psnr, ssimulacra2};

/// One picture, and what is to become of it.
#[derive(Debug, Clone, Deserialize)]
struct Case {
    family: String,
    name: String,
    source: String,
    spec: Value,
    expected: Vec<String>,
    psnr: f64,
    reason: String,
    overlay: Option<String>,
    depth: Option<u8>,
    delays: Option<Vec<u32>>,
    delta_e: Option<f64>,
    alike: Option<f64>,
    /// How often an animation plays; 0 is for ever.
    plays: Option<u32>,
    /// The code that it is refused with, and what the answer speaks of.
    refused: Option<String>,
    says: Option<String>,
    /// Where its files are.
    #[serde(skip)]
    folder: PathBuf,
}

/// From this score on two pictures can't be told apart, one laid over the other.
const ALIKE: f64 = 90.0;
/// Families whose pictures are judged by the eye's measure too.
const SEEN: &[&str] = &["resize", "quick", "fit", "rotate", "filter"];

fn here() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

/// What is computed, what other software writes, and every operation of every kind of picture.
fn all_cases() -> Vec<Case> {
    let folders = [here(), here().join("foreign"), here().join("matrix")];
    let cases = folders.into_iter().flat_map(|folder| {
        let text = fs::read_to_string(folder.join("cases.json")).unwrap();
        let cases: Vec<Case> = serde_json::from_str(&text).unwrap();
        cases.into_iter().map(move |case| Case { folder: folder.clone(), ..case })
    });
    cases.collect()
}

fn cases(family: &str) -> Vec<Case> {
    let of: Vec<Case> = all_cases().into_iter().filter(|case| case.family == family).collect();
    assert!(!of.is_empty(), "no case of {family}");
    of
}

impl Case {
    fn source(&self, name: &str) -> Vec<u8> {
        fs::read(self.folder.join("sources").join(name)).unwrap()
    }

    /// The picture that one of its frames must be.
    fn expected(&self, frame: usize) -> DynamicImage {
        let file = self.folder.join("expected").join(&self.expected[frame]);
        image::load_from_memory(&fs::read(file).unwrap()).unwrap()
    }

    /// What the engine makes of it.
    fn make(&self) -> Result<Output, Failure> {
        let mut spec = self.spec.clone();
        let mut overlays = Overlays::new();
        if let Some(overlay) = &self.overlay {
            let id = ImageId::new();
            let file = self.source(overlay);
            overlays.insert(id, file.into());
            name_overlay(&mut spec, id);
        }
        if spec.get("format").is_none() {
            spec["format"] = serde_json::json!("png");
        }
        let spec = Spec::parse(&spec).unwrap_or_else(|faults| panic!("{}: {faults:?}", self.name));
        let source = self.source(&self.source);
        transform(&source, &overlays, &spec, &Limits::default(), &Control::default())
    }

    /// What is wrong with what the engine makes of it.
    fn problems(&self) -> Vec<String> {
        let output = match (self.make(), &self.refused) {
            (Ok(_), Some(_)) => return vec!["it was not refused".to_owned()],
            (Ok(output), None) => output,
            (Err(Failure::Refused(error)), Some(code)) => {
                let says = self.says.as_deref().unwrap_or_default();
                let is_named = error.code.as_str() == code && error.detail.contains(says);
                let found = format!("{}: {}", error.code.as_str(), error.detail);
                return if is_named { Vec::new() } else { vec![found] };
            }
            (Err(failure), _) => return vec![format!("{failure:?}")],
        };
        let frames = frames(&output);
        let mut problems = Vec::new();
        if frames.len() != self.expected.len() {
            problems.push(format!("{} frames", frames.len()));
        }
        if let Some(delays) = &self.delays {
            let found: Vec<u32> = frames.iter().map(|(_, delay)| *delay).collect();
            if found != *delays {
                problems.push(format!("delays {found:?}"));
            }
        }
        if let Some(plays) = self.plays
            && self::plays(&output) != plays
        {
            problems.push(format!("played {} times", self::plays(&output)));
        }
        for (index, (made, _)) in frames.iter().take(self.expected.len()).enumerate() {
            problems.extend(self.compare(made, &self.expected(index)));
        }
        problems
    }

    fn compare(&self, made: &DynamicImage, expected: &DynamicImage) -> Vec<String> {
        let size = |picture: &DynamicImage| (picture.width(), picture.height());
        if size(made) != size(expected) {
            return vec![format!("{:?} instead of {:?}", size(made), size(expected))];
        }
        let mut problems = Vec::new();
        if self.depth == Some(16) && made.color().bytes_per_pixel() <= made.color().channel_count()
        {
            problems.push("it has only eight bits".to_owned());
        }
        let found = psnr(made, expected);
        if found < self.psnr {
            problems.push(format!("{found:.1} dB; at least {} ({})", self.psnr, self.reason));
        }
        if SEEN.contains(&self.family.as_str()) {
            let score = ssimulacra2(made, expected);
            let least = self.alike.unwrap_or(ALIKE);
            if score < least {
                problems.push(format!("SSIMULACRA2 {score:.1}; at least {least}"));
            }
        }
        if let Some(most) = self.delta_e {
            let (mean, worst) = color_difference(made, expected);
            if worst > most {
                problems.push(format!("ΔE2000 {worst:.2}, {mean:.2} in the mean; at most {most}"));
            }
        }
        problems
    }
}

/// Puts the overlay's id into the watermark of a spec, wherever that is.
fn name_overlay(spec: &mut Value, id: ImageId) {
    let listed = spec.get("operations").and_then(Value::as_array).into_iter().flatten();
    let place = listed.into_iter().position(|step| step.get("watermark").is_some());
    let step = match place {
        Some(index) => &mut spec["operations"][index],
        None => spec,
    };
    step["watermark"]["image_id"] = serde_json::json!(id);
}

/// An AVIF as the engine reads it: what others write is compared in its own family.
fn reread(file: &[u8]) -> DynamicImage {
    let spec = Spec::parse(&serde_json::json!({"format": "png"})).unwrap();
    let (limits, control) = (Limits::default(), Control::default());
    let made = transform(file, &Overlays::new(), &spec, &limits, &control).unwrap();
    image::load_from_memory(&made.bytes).unwrap()
}

/// The frames of a result and how long each is shown; one of a still picture.
fn frames(output: &Output) -> Vec<(DynamicImage, u32)> {
    match output.format.as_str() {
        "gif" => {
            let decoder = GifDecoder::new(Cursor::new(&output.bytes)).unwrap();
            let frames = decoder.into_frames().collect_frames().unwrap();
            let shown = frames.into_iter().map(|frame| {
                let (numerator, denominator) = frame.delay().numer_denom_ms();
                (DynamicImage::ImageRgba8(frame.into_buffer()), numerator / denominator)
            });
            shown.collect()
        }
        "webp" => {
            let frames = webp::frames(&output.bytes).into_iter();
            frames.map(|(raster, delay)| (DynamicImage::ImageRgba8(raster), delay)).collect()
        }
        "avif" => vec![(reread(&output.bytes), 0)],
        _ => vec![(image::load_from_memory(&output.bytes).unwrap(), 0)],
    }
}

/// How often a result plays; 0 is for ever.
fn plays(output: &Output) -> u32 {
    if output.format.as_str() == "gif" {
        let mut decoder = gif::DecodeOptions::new().read_info(output.bytes.as_slice()).unwrap();
        while decoder.read_next_frame().unwrap().is_some() {}
        return match decoder.repeat() {
            gif::Repeat::Infinite => 0,
            gif::Repeat::Finite(again) => u32::from(again) + 1,
        };
    }
    // A chunk of a background colour, and how often.
    let at = output.bytes.windows(4).position(|kind| kind == b"ANIM").unwrap();
    u16::from_le_bytes([output.bytes[at + 12], output.bytes[at + 13]]).into()
}

/// Every case of a family; all that fail are named.
fn check(family: &str) {
    let failures: BTreeMap<String, Vec<String>> = cases(family)
        .into_par_iter()
        .map(|case| (case.name.clone(), case.problems()))
        .filter(|(_, problems)| !problems.is_empty())
        .collect();
    assert!(failures.is_empty(), "{family}: {failures:#?}");
}

macro_rules! families {
    ($($name:ident $family:literal)*) => {
        $(#[test]
        fn $name() {
            check($family);
        })*

        /// No case is left out because nobody asks for its family.
        #[test]
        fn every_family_is_checked() {
            assert!(all_cases().iter().all(|case| [$($family),*].contains(&case.family.as_str())));
        }
    };
}

families! {
    resizing_in_linear_light "resize"
    resizing_quickly "quick"
    fits_and_gravities "fit"
    what_only_moves_pixels "move"
    free_rotation "rotate"
    filters "filter"
    shapes "shape"
    watermarks "watermark"
    output "output"
    decoding "decode"
    orientations "orientation"
    colours "colour"
    sixteen_bits "sixteen"
    animations "animation"
    every_kind_of_png "png"
    every_kind_of_gif "gif"
    every_kind_of_jpeg "jpeg"
    inks "inks"
    every_kind_of_tiff "tiff"
    every_kind_of_bmp_ico_tga_and_pnm "bitmap"
    every_kind_of_jpeg_xl "jxl"
    every_kind_of_avif "avif"
    light_for_brighter_screens "light"
    colours_of_a_spec_in_a_kept_profile "kept"
    what_is_not_read_is_named "refused"
    every_operation_of_photographs "photograph"
    every_operation_of_what_is_transparent "alpha"
    every_operation_of_turned_photographs "turned"
    every_operation_in_sixteen_bits "deep"
    every_operation_of_animations "moving"
    every_border_is_trimmed "trim"
    every_format_is_written "written"
}
