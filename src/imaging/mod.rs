//! Floor 1: pictures, bytes to bytes.
use crate::domain::{
    error::{Error, Result},
    format::Format,
    job::Cancel,
    limits::Limits,
    transform::Spec,
};
use std::{
    io::{BufRead, Seek},
    time::{Duration, Instant},
};
#[derive(Debug)]
pub struct Probe {
    pub format: Format,
    pub width: u32,
    pub height: u32,
    pub frames: u32,
    pub has_alpha: bool,
}
pub const ENGINE: i32 = 1;
#[derive(Debug, Clone, Default)]
pub struct Control {
    pub deadline: Option<Instant>,
    pub cancel: Cancel,
}
#[derive(Debug, Clone)]
pub enum Failure {
    Refused(Error),
    Cancelled,
}
pub struct Output {
    pub bytes: Vec<u8>,
    pub format: Format,
    pub width: u32,
    pub height: u32,
    pub decode: Duration,
}
pub fn probe(_r: impl BufRead + Seek, _l: &Limits) -> Result<Probe> {
    Err(Error::internal("x"))
}
pub fn transform(_i: &[u8], _s: &Spec, _l: &Limits, _c: &Control) -> Result<Output, Failure> {
    Err(Failure::Cancelled)
}
