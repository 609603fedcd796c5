//! What of Cloudinary's syntax means what here: said once, for the code and for the documentation.

/// A parameter that means something.
pub(super) struct Known {
    /// Its name, without the `_`.
    pub name: &'static str,
    /// What may stand behind the `_`.
    pub values: &'static str,
    /// What it becomes.
    pub becomes: &'static str,
    /// What it needs beside it.
    pub needs: &'static str,
}

const fn known(
    name: &'static str,
    values: &'static str,
    becomes: &'static str,
    needs: &'static str,
) -> Known {
    Known { name, values, becomes, needs }
}

/// Every parameter that means something.
pub(super) const PARAMETERS: &[Known] = &[
    known(
        "w",
        "pixels, 1–8000; a fraction of the picture's width, `0.5`; `auto`, `auto:STEP`, `auto:STEP:FALLBACK`",
        "`resize.width`, with `auto` as `Sec-CH-Width` says; `crop.width` with `c_crop`; `watermark.size` or `watermark.scale` in a layer",
        "",
    ),
    known(
        "h",
        "pixels, 1–8000; a fraction of the picture's height",
        "`resize.height`; `crop.height` with `c_crop`",
        "",
    ),
    known(
        "c",
        "a mode; see below",
        "`resize.fit` and `resize.enlarge`, or `crop`; `scale` when it is not given",
        "w_ or h_",
    ),
    known(
        "g",
        "a place; see below",
        "`resize.gravity`, `crop.gravity`, `watermark.gravity`; the middle when it is not given",
        "w_, h_ or a layer",
    ),
    known(
        "x",
        "pixels; a fraction, `0.25`, with `g_xy_center`",
        "`crop.x`; with `g_xy_center` the point that matters, in pixels with `crop.center`; in a layer `watermark.x`, inwards from the edge that `g_` names",
        "c_crop, g_xy_center or a layer",
    ),
    known("y", "the same, downwards", "`crop.y`, `watermark.y`", "c_crop, g_xy_center or a layer"),
    known("ar", "`16:9` or `1.5`", "`resize.aspect`: the side that is not given", "w_ or h_"),
    known(
        "dpr",
        "0.1–10; `auto`",
        "`resize.dpr`, with `auto` as `Sec-CH-DPR` says; in a component without a size it goes to the last size before it, or else to the first after it",
        "w_ or h_",
    ),
    known(
        "a",
        "degrees clockwise, −360 to 360; `hflip`, `vflip`; `auto`; several joined by `.`, done in that order",
        "`rotate`, `mirror`, `flip`; `auto` is what always happens: the picture is put upright first. In a layer degrees alone: `watermark.rotate`",
        "",
    ),
    known("e", "an effect; see below", "`filters`, `trim`", ""),
    known("r", "pixels, 1–8000, or `max`", "`round`", ""),
    known(
        "bo",
        "`4px_solid_red`, `4px_solid_rgb:ff8800`, 1–1000 px",
        "`border`; without a colour `co_` gives it, else it is black. With `r_` in the same component it follows the round shape",
        "",
    ),
    known(
        "b",
        "a colour",
        "`resize.background` with `c_pad` and `c_lpad`; `background` everywhere: beneath transparency, and in the corners of a turned picture. White when it is not given",
        "",
    ),
    known(
        "co",
        "a colour",
        "the colour of a text (black), of `e_colorize` (gray), of a border (black)",
        "a text layer, e_colorize or bo_",
    ),
    known("o", "0–100", "`watermark.opacity`, a hundredth of it", "a layer"),
    known(
        "l",
        "`text:Font_Size:Text`, with `_bold` and `_italic` behind the size; the id of an image",
        "`watermark`; see below",
        "",
    ),
    known(
        "q",
        "1–100; `auto`, `auto:best`, `auto:good`, `auto:eco`, `auto:low`",
        "`quality`; `auto`, `auto:good` and `auto:eco` are `auto:low` with `Save-Data: on`",
        "",
    ),
    known(
        "f",
        "`jpg`, `jpeg`, `png`, `webp`, `avif`, `gif`, `tif`, `tiff`, `bmp`, `ico`, `qoi`, `auto`",
        "`format`",
        "",
    ),
    known("fl", "a flag; see below; several joined by `.`", "see below", ""),
    known(
        "t",
        "a name",
        "the operations of the preset of that name, where it stands; what it says of the output holds unless the rest of the URL says otherwise",
        "a component of its own",
    ),
];

/// Parameters that Cloudinary has and nothing here answers to, and why.
pub(super) const REFUSED: &[(&str, &str)] = &[
    ("ac", "sound is not handled"),
    ("af", "sound is not handled"),
    ("bl", "nothing is made from a baseline"),
    ("br", "video is not handled"),
    ("cs", "pictures are delivered in sRGB"),
    ("d", "there is no picture to fall back on"),
    ("dl", "the delays of an animation are kept as they are"),
    ("dn", "documents are not handled"),
    ("du", "video is not handled"),
    ("eo", "video is not handled"),
    ("fn", "code of others is not run"),
    ("fps", "video is not handled"),
    ("if", "there are no conditions; decide where the URL is made"),
    ("ki", "video is not handled"),
    ("p", "there are no prefixes"),
    ("pg", "of several pages the first is taken"),
    ("so", "video is not handled"),
    ("sp", "video is not handled"),
    ("u", "there are no underlays; exchange the pictures and use l_"),
    ("vc", "video is not handled"),
    ("vs", "video is not handled"),
    ("z", "nothing is zoomed; use w_ and h_"),
];

/// What a way to fit becomes.
pub(super) struct Mode {
    /// What stands behind `c_`.
    pub name: &'static str,
    /// Our `fit`; `None` for a crop.
    pub fit: Option<&'static str>,
    /// Whether the picture may become larger than it was.
    pub enlarge: bool,
    /// What `g_` is when it is not given, where that is not the middle.
    pub gravity: Option<&'static str>,
}

const fn mode(name: &'static str, fit: &'static str, enlarge: bool) -> Mode {
    Mode { name, fit: Some(fit), enlarge, gravity: None }
}

/// What a size means without `c_`.
pub(super) const SCALE: Mode = mode("scale", "fill", true);
/// Every way to fit.
pub(super) const MODES: &[Mode] = &[
    SCALE,
    mode("fit", "inside", true),
    mode("limit", "inside", false),
    mode("fill", "cover", true),
    mode("lfill", "cover", false),
    mode("pad", "contain", true),
    mode("lpad", "contain", false),
    Mode { gravity: Some("smart"), ..mode("thumb", "cover", true) },
    Mode { name: "crop", fit: None, enlarge: false, gravity: None },
];

/// What stands behind `g_`, and our name for it. `xy_center` is the other one.
pub(super) const GRAVITIES: &[(&str, &str)] = &[
    ("center", "center"),
    ("north", "north"),
    ("north_east", "northeast"),
    ("east", "east"),
    ("south_east", "southeast"),
    ("south", "south"),
    ("south_west", "southwest"),
    ("west", "west"),
    ("north_west", "northwest"),
    ("auto", "smart"),
];

/// What a flag does.
pub(super) enum Flag {
    /// Nothing: it is so anyway.
    Granted,
    /// Sets `progressive`.
    Progressive(bool),
    /// Keeps these of the source's metadata.
    Keep(&'static [&'static str]),
    /// Does not keep the source's colour profile, whatever a preset says.
    DropProfile,
    /// It belongs to a layer, and is read there.
    OfLayer,
}

/// Every flag that means something: its name, what it does and what it becomes.
pub(super) const FLAGS: &[(&str, Flag, &str)] = &[
    ("progressive", Flag::Progressive(true), "`progressive`"),
    ("progressive:none", Flag::Progressive(false), "`progressive: false`"),
    ("lossy", Flag::Granted, "nothing: what can lose does, unless `lossless` is asked for"),
    (
        "strip_profile",
        Flag::DropProfile,
        "`strip` without `icc`: the profile is applied and dropped, as it is anyway unless a preset keeps it",
    ),
    (
        "keep_iptc",
        Flag::Keep(&["exif", "iptc", "xmp"]),
        "`strip: {keep: [\"exif\", \"iptc\", \"xmp\"]}`",
    ),
    ("keep_attribution", Flag::Keep(&["copyright"]), "`strip: {keep: [\"copyright\"]}`"),
    ("layer_apply", Flag::OfLayer, "the end of a layer"),
    ("relative", Flag::OfLayer, "in a layer, with a fraction as `w_`: `watermark.scale`"),
    ("tiled", Flag::OfLayer, "in a layer: `watermark.tile`"),
];

/// The fonts that the shipped sans stands in for. Others have another look, and are refused.
pub(super) const FONTS: &[&str] = &[
    "Arial",
    "Calibri",
    "DejaVu Sans",
    "Helvetica",
    "Helvetica Neue",
    "Inter",
    "Lato",
    "Liberation Sans",
    "Montserrat",
    "Noto Sans",
    "Nunito",
    "Open Sans",
    "Poppins",
    "Roboto",
    "Sans",
    "Segoe UI",
    "Source Sans Pro",
    "Tahoma",
    "Trebuchet MS",
    "Ubuntu",
    "Verdana",
];

/// What is accepted as a colour.
pub(super) const COLORS: &str =
    "must be a colour: a CSS name, transparent, rgb:f80, rgb:ff8800 or rgb:ff880080";

/// Why a parameter is refused that nobody took; `inside` says where it stands.
pub(super) fn why_not(name: &str, inside: &str) -> String {
    if let Some((_, why)) = REFUSED.iter().find(|(refused, _)| *refused == name) {
        return format!("{name}_ is not offered: {why}");
    }
    if name.starts_with('$') {
        return "variables are not offered".to_owned();
    }
    match PARAMETERS.iter().find(|known| known.name == name) {
        Some(Known { needs: "", .. }) => format!("{name}_ means nothing {inside}"),
        Some(Known { needs, .. }) => format!("{name}_ means nothing {inside}; it needs {needs}"),
        None => {
            let names: Vec<String> =
                PARAMETERS.iter().map(|known| format!("{}_", known.name)).collect();
            format!("unknown parameter; there are: {}", names.join(" "))
        }
    }
}
