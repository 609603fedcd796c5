//! A picture as a file: a line that says which form this is, a line of JSON that says what the picture is, and its bytes.

use std::{
    fs::File,
    io::{self, Read, Write},
};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::super::Picture;
use crate::{adapters::storage::hex, domain::format::Format};

/// What a file begins with. Another form has another number.
const FORM: &[u8] = b"darkroom picture 1\n";

#[derive(Serialize, Deserialize)]
struct Header<'a> {
    format: Format,
    size: u64,
    sha256: std::borrow::Cow<'a, str>,
    width: u32,
    height: u32,
    engine: i32,
    made_at: DateTime<Utc>,
}

/// What stands before the bytes of a picture.
pub(super) fn head(picture: &Picture) -> io::Result<Vec<u8>> {
    let Picture { bytes, format, sha256, width, height, engine, made_at } = picture;
    let mut head = FORM.to_vec();
    let header = Header {
        format: *format,
        size: bytes.len() as u64,
        sha256: sha256.as_str().into(),
        width: *width,
        height: *height,
        engine: *engine,
        made_at: *made_at,
    };
    serde_json::to_writer(&mut head, &header)?;
    head.push(b'\n');
    Ok(head)
}

/// Writes a picture.
pub(super) fn write(mut file: &File, head: &[u8], bytes: &[u8]) -> io::Result<()> {
    file.write_all(head)?;
    file.write_all(bytes)
}

/// Reads a picture; `None` if it is not what was written. The hash is compared unless it was before.
pub(super) fn read(file: &File, is_checked: bool) -> io::Result<Option<Picture>> {
    let size = file.metadata()?.len();
    let mut all = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
    // One that grows is not what was written.
    file.take(size.saturating_add(1)).read_to_end(&mut all)?;
    Ok(parse(all.into(), is_checked))
}

fn parse(all: Bytes, is_checked: bool) -> Option<Picture> {
    let rest = all.strip_prefix(FORM)?;
    let line = rest.iter().position(|byte| *byte == b'\n')?;
    let header: Header<'_> = serde_json::from_slice(rest.get(..line)?).ok()?;
    let bytes = all.slice(FORM.len() + line + 1..);
    let is_whole = bytes.len() as u64 == header.size
        && (is_checked || hex(&Sha256::digest(&bytes)) == header.sha256);
    is_whole.then(|| Picture {
        format: header.format,
        sha256: header.sha256.into_owned(),
        width: header.width,
        height: header.height,
        engine: header.engine,
        made_at: header.made_at,
        bytes,
    })
}
