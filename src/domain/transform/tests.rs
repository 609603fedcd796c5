//! What a spec must hold to.
