//! Colours as a spec names them.
