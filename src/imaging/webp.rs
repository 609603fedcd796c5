//! libwebp, under a control: it is asked now and then whether to go on.

mod decoder;
mod encoder;

pub(super) use self::{
    decoder::Decoder,
    encoder::{Animation, encode},
};
