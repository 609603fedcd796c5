//! SVG: a drawing, read and drawn by usvg and resvg. Nothing is loaded from outside: no file, no address, no entity; letters are
//! the engine's own, and pictures inside of the file obey the limits of all pictures.

mod expansion;
mod work;

use std::sync::{Arc, LazyLock};

use resvg::{
    tiny_skia::{Pixmap, Transform},
    usvg::{
        self, ImageHrefResolver, ImageKind, Options, Tree,
        fontdb::Database,
        roxmltree::{self, Document, ParsingOptions},
    },
};

use self::work::TooMuch;
use super::fonts;
use crate::domain::{
    error::{Code, Error, Result},
    format::Format,
    limits::Limits,
};

/// Longer files are drawings that nobody waits for.
pub(super) const LONGEST: usize = 4 << 20;
/// Elements and texts of a file.
const NODES: u32 = 200_000;
/// The same, with everything that is referred to in each place where it is drawn.
const ELEMENTS: f64 = 1e6;
/// So many layers as large as the drawing are always allowed, and so many bytes of more.
const LAYERS: f64 = 4.0;
pub(super) const LAYERS_MEMORY: f64 = 96e6;
/// Elements that draw others again, or filter: each may cost a pass over the picture.
const DEAR: usize = 500;
/// What these are called. `use` can draw what it names, which again may hold some.
const DEAR_NAMES: &[&str] = &["use", "pattern", "mask", "filter", "image", "clipPath"];

static FONTS: LazyLock<Arc<Database>> = LazyLock::new(|| {
    let mut fonts = Database::new();
    fonts.load_font_data(fonts::REGULAR.to_vec());
    fonts.load_font_data(fonts::BOLD.to_vec());
    for set in [
        Database::set_serif_family,
        Database::set_sans_serif_family,
        Database::set_monospace_family,
        Database::set_cursive_family,
        Database::set_fantasy_family,
    ] {
        set(&mut fonts, fonts::FAMILY);
    }
    Arc::new(fonts)
});

/// Whether what begins like this may be a text with tags.
pub(super) fn is_text(start: &[u8]) -> bool {
    let text = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start);
    text.trim_ascii_start().first().is_none_or(|first| *first == b'<')
}

/// Whether a text that begins like this is SVG: its first element is called so. None where it begins later.
pub(super) fn is_svg(start: &[u8]) -> Option<bool> {
    let text = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start);
    let mut rest = text.trim_ascii_start();
    loop {
        let past = |end: &[u8]| {
            let at = rest.windows(end.len()).position(|part| part == end)?;
            rest.get(at + end.len()..)
        };
        let after = match rest {
            [b'<', b'?', ..] => past(b"?>"),
            [b'<', b'!', b'-', b'-', ..] => past(b"-->"),
            // What a document type declares stands in brackets, and holds the sign that ends it.
            [b'<', b'!', ..] => past(b">")
                .filter(|after| {
                    let type_ = rest.get(..rest.len() - after.len()).unwrap_or_default();
                    !type_.contains(&b'[')
                })
                .or_else(|| past(b"]>")),
            _ => break,
        };
        rest = after?.trim_ascii_start();
    }
    if rest.is_empty() {
        return None;
    }
    let name = rest.strip_prefix(b"<").unwrap_or_default();
    let length =
        name.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b':').count();
    let name = name.get(..length).unwrap_or_default();
    Some(name == b"svg" || name.ends_with(b":svg"))
}

/// The size that a drawing has by itself: its own width and height, else that of its view box.
pub(super) fn size(file: &[u8]) -> Result<(u32, u32)> {
    let text = text_of(file)?;
    let document = parsed(text)?;
    let root = document.root_element();
    let own = ["width", "height", "viewBox"].into_iter().filter_map(|name| {
        let value = root.attribute(name)?;
        // Units and numbers; nothing that would need escaping.
        let is_plain = value.chars().all(|c| c.is_ascii_alphanumeric() || " .,%+-".contains(c));
        is_plain.then(|| format!(" {name}=\"{value}\""))
    });
    // The size is that of the same drawing with nothing in it.
    let own = own.chain(missing_side(root)).collect::<String>();
    let empty = format!("<svg xmlns=\"http://www.w3.org/2000/svg\"{own}/>");
    let tree = Tree::from_str(&empty, &Options::default()).map_err(broken)?;
    let size = tree.size().to_int_size();
    Ok((size.width(), size.height()))
}

/// What of a drawing is shown, and how large: lines are sharp at any size.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct View {
    /// Left, top, width and height of the part, in the drawing's own pixels.
    pub part: [f64; 4],
    /// The pixels that it gets.
    pub size: (u32, u32),
}

impl View {
    /// All of a drawing, as large as it is by itself.
    pub(super) fn whole(size: (u32, u32)) -> Self {
        Self { part: [0.0, 0.0, size.0.into(), size.1.into()], size }
    }

    /// From the drawing's own places to those of the pixels.
    #[allow(clippy::cast_possible_truncation)] // Sides of at most some ten thousand.
    fn transform(self) -> Transform {
        let [left, top, width, height] = self.part;
        let (across, down) = (f64::from(self.size.0) / width, f64::from(self.size.1) / height);
        let [across, down, left, top] =
            [across, down, -left * across, -top * down].map(|value| value as f32);
        Transform::from_row(across, 0.0, 0.0, down, left, top)
    }
}

/// Draws a view whose size was checked: RGBA with straight alpha.
pub(super) fn draw(file: &[u8], view: View, limits: &Limits) -> Result<Vec<u8>> {
    let text = text_of(file)?;
    let document = parsed(text)?;
    let completed = completed(text, document.root_element());
    let document = match &completed {
        Some(text) => parsed(text)?,
        None => document,
    };
    let embedded = limits.clone();
    let options = Options {
        font_family: fonts::FAMILY.to_owned(),
        fontdb: FONTS.clone(),
        image_href_resolver: ImageHrefResolver {
            resolve_data: Box::new(move |_, data, _| embedded_picture(data, &embedded)),
            resolve_string: Box::new(|_, _| None),
        },
        ..Options::default()
    };
    if expansion::elements(&document) > ELEMENTS {
        return Err(refused(format!(
            "the SVG has more than {ELEMENTS} elements with all that it refers to in its place, or too long styles"
        )));
    }
    let tree = Tree::from_xmltree(&document, &options).map_err(broken)?;
    let (width, height) = view.size;
    let most = (f64::from(width) * f64::from(height) * 4.0 * LAYERS).max(LAYERS_MEMORY);
    work::check(tree.root(), view.transform(), view.size, most).map_err(|much| match much {
        TooMuch::Work => refused("drawing the SVG would take too long".to_owned()),
        TooMuch::Memory(bytes) => refused(format!(
            "the SVG needs {:.0} MB for layers, filters and pictures; at most {:.0} MB at this size",
            bytes / 1e6,
            most / 1e6,
        )),
    })?;
    let mut pixels = Pixmap::new(width, height)
        .ok_or_else(|| Error::internal("the size was checked and is none"))?;
    resvg::render(&tree, view.transform(), &mut pixels.as_mut());
    Ok(pixels
        .pixels()
        .iter()
        .flat_map(|pixel| {
            let color = pixel.demultiply();
            [color.red(), color.green(), color.blue(), color.alpha()]
        })
        .collect())
}

/// The side that a root element with one side and a view box leaves to be found, as an attribute: in the proportions of the box,
/// as CSS sizes replaced elements. usvg would take the box's own.
fn missing_side(root: roxmltree::Node<'_, '_>) -> Option<String> {
    let (given, is_width) = match (root.attribute("width"), root.attribute("height")) {
        (Some(width), None) => (width.trim(), true),
        (None, Some(height)) => (height.trim(), false),
        _ => return None,
    };
    let (number, unit) = given
        .split_at(given.find(|c: char| c.is_ascii_alphabetic() || c == '%').unwrap_or(given.len()));
    // A part of nothing in particular: as if it were not there.
    if !unit.chars().all(|c| c.is_ascii_alphabetic()) {
        return None;
    }
    let length = number.parse::<f64>().ok()?;
    let view_box = root.attribute("viewBox")?.split([' ', ',', '\t', '\n', '\r']);
    let view_box = view_box.filter(|part| !part.is_empty()).map(str::parse::<f64>);
    let view_box = view_box.collect::<std::result::Result<Vec<_>, _>>().ok()?;
    let [_, _, width, height] = *view_box else { return None };
    let (name, ratio) =
        if is_width { ("height", height / width) } else { ("width", width / height) };
    let length = length * ratio;
    (length.is_finite() && length > 0.0).then(|| format!(" {name}=\"{length}{unit}\""))
}

/// The text with the side that its root element lacks, if it lacks one.
fn completed(text: &str, root: roxmltree::Node<'_, '_>) -> Option<String> {
    let side = missing_side(root)?;
    let (before, element) = text.split_at_checked(root.range().start)?;
    let name = element.find(|c: char| c.is_ascii_whitespace() || matches!(c, '>' | '/'))?;
    let (name, rest) = element.split_at_checked(name)?;
    Some([before, name, &side, rest].concat())
}

/// A picture inside of the file, if it is one that we read, and within the limits; never another drawing.
fn embedded_picture(data: Arc<Vec<u8>>, limits: &Limits) -> Option<ImageKind> {
    let probe = super::probe(std::io::Cursor::new(data.as_slice()), limits).ok()?;
    match probe.format {
        Format::Jpeg => Some(ImageKind::JPEG(data)),
        Format::Png => Some(ImageKind::PNG(data)),
        Format::Gif => Some(ImageKind::GIF(data)),
        Format::Webp => Some(ImageKind::WEBP(data)),
        _ => None,
    }
}

fn text_of(file: &[u8]) -> Result<&str> {
    if file.len() > LONGEST {
        return Err(refused(format!("the SVG has more than {LONGEST} bytes")));
    }
    std::str::from_utf8(file).map_err(|_| corrupt("the SVG is not UTF-8"))
}

fn parsed(text: &str) -> Result<Document<'_>> {
    // Entities can make of a few lines gigabytes, and name files.
    if text.contains("<!ENTITY") {
        return Err(refused("the SVG declares entities".to_owned()));
    }
    let options = ParsingOptions { allow_dtd: true, nodes_limit: NODES, ..Default::default() };
    let document = Document::parse_with_options(text, options)
        .map_err(|cause| corrupt("the SVG is no well-formed XML").caused_by(cause))?;
    let dear = document.descendants().filter(|node| DEAR_NAMES.contains(&node.tag_name().name()));
    if dear.count() > DEAR {
        let names = DEAR_NAMES.join(", ");
        return Err(refused(format!("the SVG has more than {DEAR} of {names}")));
    }
    Ok(document)
}

fn refused(detail: String) -> Error {
    Error::new(Code::ImageTooLarge, detail)
}

fn corrupt(detail: &str) -> Error {
    Error::new(Code::ImageCorrupt, detail)
}

fn broken(cause: usvg::Error) -> Error {
    match cause {
        usvg::Error::ElementsLimitReached => refused("the SVG has too many elements".to_owned()),
        usvg::Error::InvalidSize => corrupt("the SVG has no size"),
        cause => corrupt("the SVG is damaged").caused_by(cause),
    }
}
