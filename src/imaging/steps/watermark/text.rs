//! Letters: shaped by cosmic-text with the fonts that come with the engine, and with no other.

use std::sync::{LazyLock, Mutex, PoisonError};

use cosmic_text::{
    Align, Attrs, Buffer, CacheKeyFlags, Family, FontSystem, Metrics, Shaping, Style, SwashCache,
    Weight, fontdb::Database,
};
use image::{Rgba, RgbaImage};

use super::{Size, whole, within};
use crate::{
    domain::{
        color::Color,
        error::{Code, Error, Result},
        limits::Limits,
        transform::{Extent, Font, Watermark},
    },
    imaging::fonts,
};

/// From one line's baseline to the next, in sizes of the letters.
const LINE: f32 = 1.2;
/// Letters of a text that names no size, as a part of the picture's shorter side.
const NATURAL: f32 = 0.06;
const SMALLEST: f32 = 4.0;
/// Air around a text, in sizes of the letters: a letter may reach out of its own box, italics to the right, accents of capitals
/// upwards.
const MARGIN: f32 = 0.3;
/// How narrow a letter or digit of ASCII is at least and how wide a character of any kind is at most, in sizes of the letters.
const NARROWEST: f32 = 0.2;
const WIDEST: f32 = 1.5;
/// The size that a text is measured at.
const MEASURE: f32 = 100.0;

static FONTS: LazyLock<Mutex<FontSystem>> = LazyLock::new(|| {
    let mut fonts = Database::new();
    fonts.load_font_data(fonts::REGULAR.to_vec());
    fonts.load_font_data(fonts::BOLD.to_vec());
    Mutex::new(FontSystem::new_with_locale_and_db("en-US".to_owned(), fonts))
});

/// Draws `text` as large as its watermark says: `color` where there are letters, transparent elsewhere.
pub(super) fn draw(
    text: &str,
    font: Font,
    color: Color,
    watermark: &Watermark,
    frame: Size,
    limits: &Limits,
) -> Result<RgbaImage> {
    // Nothing is half done when a thread dies in here.
    let mut fonts = FONTS.lock().unwrap_or_else(PoisonError::into_inner);
    let fonts = &mut *fonts;
    let align = match watermark.gravity.x {
        x if x < 1.0 / 3.0 => Align::Left,
        x if x > 2.0 / 3.0 => Align::Right,
        _ => Align::Center,
    };
    let measured = shape(fonts, text, font, MEASURE, None);
    covered(&measured)?;
    let (width, height) = extent(&measured);
    let (across, down) = (side(frame.0), side(frame.1));
    let letters = match watermark.extent {
        Extent::Size(size) => super::narrow(size),
        Extent::Scale(scale) => MEASURE * across * super::narrow(scale) / width.max(1.0),
        Extent::Natural => {
            let fitting = MEASURE * (across / width.max(1.0)).min(down / height.max(1.0));
            (across.min(down) * NATURAL).min(fitting).max(SMALLEST)
        }
    };
    let scale = letters / MEASURE;
    let margin = (letters * MARGIN).ceil();
    let canvas = (width * scale + 2.0 * margin, height * scale + 2.0 * margin);
    within((whole(canvas.0.into()), whole(canvas.1.into())), limits)?;
    let buffer = shape(fonts, text, font, letters, Some((width * scale + 1.0, align)));
    let drawn = paint(fonts, &buffer, color, margin, canvas);
    Ok(trimmed(&drawn))
}

/// The most pixels, across and down, that [`draw`] draws on; what would pass the limits is refused by it.
#[allow(clippy::cast_precision_loss)] // At most some thousand characters.
pub(in crate::imaging) fn most(text: &str, extent: Extent, frame: Size, limits: &Limits) -> Size {
    let (across, down) = (side(frame.0), side(frame.1));
    let lines = text.lines().count().max(1) as f32;
    let longest =
        |count: fn(&str) -> usize| text.lines().map(count).max().unwrap_or(1).max(1) as f32;
    let characters = longest(|line| line.chars().count());
    let plain = longest(|line| line.bytes().filter(u8::is_ascii_alphanumeric).count());
    let letters = match extent {
        Extent::Size(size) => super::narrow(size),
        Extent::Scale(scale) => across * super::narrow(scale) / (plain * NARROWEST),
        Extent::Natural => (across.min(down) * NATURAL).max(SMALLEST),
    };
    let width = match extent {
        Extent::Scale(scale) => across * super::narrow(scale),
        _ => characters * WIDEST * letters,
    };
    let air = 2.0 * (letters * MARGIN + 1.0);
    let (width, height) =
        (whole((width + air).into()), whole((lines * LINE * letters + air).into()));
    let (width, height) = (width.min(limits.width), height.min(limits.height));
    let rows = limits.pixels / u64::from(width);
    (width, height.min(u32::try_from(rows).unwrap_or(u32::MAX)))
}

#[allow(clippy::cast_precision_loss)] // At most 8000.
fn side(length: u32) -> f32 {
    length as f32
}

/// Lays the text out in lines: at its own width, or aligned within `width`.
fn shape(
    fonts: &mut FontSystem,
    text: &str,
    font: Font,
    letters: f32,
    width: Option<(f32, Align)>,
) -> Buffer {
    let mut buffer = Buffer::new(fonts, Metrics::new(letters, letters * LINE));
    let mut attributes = Attrs::new().family(Family::Name(fonts::FAMILY));
    if font.bold {
        attributes = attributes.weight(Weight::BOLD);
    }
    if font.italic {
        // The family has no slanted letters: upright ones are slanted.
        attributes = attributes.style(Style::Normal).cache_key_flags(CacheKeyFlags::FAKE_ITALIC);
    }
    buffer.set_wrap(cosmic_text::Wrap::None);
    buffer.set_size(width.map(|(width, _)| width), None);
    buffer.set_text(text, &attributes, Shaping::Advanced, width.map(|(_, align)| align));
    buffer.shape_until_scroll(fonts, false);
    buffer
}

/// Width and height of all lines.
fn extent(buffer: &Buffer) -> (f32, f32) {
    buffer.layout_runs().fold((0.0, 0.0), |(width, height): (f32, f32), run| {
        (width.max(run.line_w), height.max(run.line_top + run.line_height))
    })
}

/// Refuses letters that the font doesn't have, rather than drawing boxes in their place.
fn covered(buffer: &Buffer) -> Result<()> {
    for run in buffer.layout_runs() {
        for glyph in run.glyphs.iter().filter(|glyph| glyph.glyph_id == 0) {
            let missing = run.text.get(glyph.start..glyph.end).unwrap_or_default();
            let shown = missing.chars().find(|c| !c.is_whitespace() && !is_invisible(*c));
            if let Some(letter) = shown {
                let detail = format!("watermark: the font has no “{letter}”");
                return Err(Error::new(Code::TransformImpossible, detail));
            }
        }
    }
    Ok(())
}

/// Joiners, marks of direction, and what chooses between variants: they change others and show nothing.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}')
}

/// The letters' coverage in `color`.
fn paint(
    fonts: &mut FontSystem,
    buffer: &Buffer,
    color: Color,
    margin: f32,
    (width, height): (f32, f32),
) -> RgbaImage {
    let [red, green, blue, alpha] = color.channels();
    let mut canvas = RgbaImage::new(whole(width.into()), whole(height.into()));
    let mut cache = SwashCache::new();
    let base = cosmic_text::Color::rgba(red, green, blue, 255);
    for run in buffer.layout_runs() {
        for glyph in run.glyphs {
            let glyph = glyph.physical((margin, margin + run.line_y), 1.0);
            cache.with_pixels(fonts, glyph.cache_key, base, |x, y, covered| {
                let place = u32::try_from(glyph.x + x).ok().zip(u32::try_from(glyph.y + y).ok());
                let Some((x, y)) = place else { return };
                if let Some(pixel) = canvas.get_pixel_mut_checked(x, y) {
                    // Letters that touch cover together.
                    let [.., before] = pixel.0;
                    let together = before.saturating_add(covered.a());
                    *pixel = Rgba([red, green, blue, together]);
                }
            });
        }
    }
    for [.., covered] in canvas.as_chunks_mut::<4>().0 {
        let share = u32::from(*covered) * u32::from(alpha);
        *covered = u8::try_from((share + 127) / 255).unwrap_or(255);
    }
    canvas
}

/// The picture without the empty rows and columns around what is drawn: gravity puts the letters to the edge, not the air
/// around them.
fn trimmed(canvas: &RgbaImage) -> RgbaImage {
    let inked = || canvas.enumerate_pixels().filter(|(_, _, pixel)| pixel.0[3] > 0);
    let (Some(left), Some(right)) =
        (inked().map(|(x, ..)| x).min(), inked().map(|(x, ..)| x).max())
    else {
        return RgbaImage::new(1, 1);
    };
    let (top, bottom) = (
        inked().map(|(_, y, _)| y).min().unwrap_or(0),
        inked().map(|(_, y, _)| y).max().unwrap_or(0),
    );
    image::imageops::crop_imm(canvas, left, top, right - left + 1, bottom - top + 1).to_image()
}
