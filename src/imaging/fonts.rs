//! The letters that come with the engine: text looks the same wherever it runs.

/// DejaVu Sans: Latin, Greek, Cyrillic, Armenian, Georgian, Hebrew, Arabic and many symbols.
pub(super) const REGULAR: &[u8] = include_bytes!("../../assets/fonts/DejaVuSans.ttf");

/// The same, heavier.
pub(super) const BOLD: &[u8] = include_bytes!("../../assets/fonts/DejaVuSans-Bold.ttf");

/// What both call themselves.
pub(super) const FAMILY: &str = "DejaVu Sans";
