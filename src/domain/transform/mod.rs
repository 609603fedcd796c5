//! What a transformation is: the spec, its canonical form and its hash.
