//! Tells cargo that the migrations are compiled in.

#![allow(clippy::print_stdout)]

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
