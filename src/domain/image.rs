//! Uploaded pictures.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    format::Format,
    ids::{DeletionId, ImageId, UserId},
    object::Object,
};

/// A picture as it was uploaded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Image {
    /// Its identity.
    pub id: ImageId,
    /// The account it belongs to.
    pub user_id: UserId,
    /// The client's name for it, made harmless.
    pub filename: String,
    /// What the bytes are.
    pub format: Format,
    /// Bytes.
    pub size: i64,
    /// Pixels across, as displayed.
    pub width: u32,
    /// Pixels down, as displayed.
    pub height: u32,
    /// Frames; 1 for a still picture.
    pub frames: u32,
    /// Whether any pixel may be transparent.
    pub has_alpha: bool,
    /// SHA-256 of the bytes, hex.
    pub sha256: String,
    /// Whether it may be delivered unsigned.
    pub public: bool,
    /// Labels, in the order given.
    pub tags: Vec<String>,
    /// The point that crops keep.
    pub focus: Option<Focus>,
    /// What a background pass found out about it; nothing before.
    pub facts: Facts,
    /// Where the storage has the bytes.
    pub object_key: String,
    /// When it was uploaded.
    pub created_at: DateTime<Utc>,
}

impl Image {
    /// Its bytes in the storage.
    pub fn object(&self) -> Object {
        Object::new(&self.object_key, self.size, &self.sha256)
    }
}

/// What can be said of a picture once its pixels were looked at.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// A ThumbHash (evanw.github.io/thumbhash), base64.
    pub thumbhash: Option<String>,
    /// The first of the palette.
    pub dominant_color: Option<String>,
    /// Up to six colours, `#rrggbb`, the most frequent first.
    pub palette: Option<Vec<String>>,
    /// 64 bits of the picture's lowest frequencies, each compared with their median (pHash), as 16 hexadecimal digits:
    /// pictures that look alike differ in few bits.
    pub phash: Option<String>,
    /// A BlurHash (blurha.sh), of four frequencies along the longer side and three along the other.
    pub blurhash: Option<String>,
    /// What EXIF says of the photograph.
    pub exif: Option<Exif>,
}

/// What EXIF says of a photograph. Where it was taken is not part of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Exif {
    /// Who made the camera.
    pub make: Option<String>,
    /// Its name.
    pub model: Option<String>,
    /// The lens.
    pub lens: Option<String>,
    /// When it was taken, by the camera's clock: `2026-11-24T14:05:09`, with the offset from UTC if that is known.
    pub taken_at: Option<String>,
    /// Seconds, as the camera writes them: `1/250`.
    pub exposure_time: Option<String>,
    /// The aperture: focal length by diameter.
    pub f_number: Option<f64>,
    /// Sensitivity.
    pub iso: Option<u32>,
    /// Millimetres.
    pub focal_length: Option<f64>,
    /// What wrote the file.
    pub software: Option<String>,
    /// Who took it.
    pub artist: Option<String>,
    /// Whose it is.
    pub copyright: Option<String>,
}

/// Where a photograph was taken, by WGS 84.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
pub struct Position {
    /// Degrees north of the equator; negative is south.
    #[schema(minimum = -90, maximum = 90)]
    pub latitude: f64,
    /// Degrees east of Greenwich; negative is west.
    #[schema(minimum = -180, maximum = 180)]
    pub longitude: f64,
    /// Metres above the sea, if that was written down.
    pub altitude: Option<f64>,
}

/// A point of a picture, as fractions of its width and height.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Focus {
    /// 0 is the left edge, 1 the right.
    pub x: f64,
    /// 0 is the top edge, 1 the bottom.
    pub y: f64,
}

/// What of an image its owner may change; `None` leaves it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ImagePatch {
    /// Whether it may be delivered unsigned.
    pub public: Option<bool>,
    /// All of its labels.
    pub tags: Option<Vec<String>>,
    /// The point that crops keep; `Some(None)` takes it away.
    pub focus: Option<Option<Focus>>,
}

/// How far a deletion has come.
#[derive(Debug, Clone, PartialEq)]
pub struct Deletion {
    /// The receipt.
    pub id: DeletionId,
    /// Stored objects that it covers.
    pub objects: i64,
    /// Of those, the ones still to be removed.
    pub remaining: i64,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
    /// When the last object was gone.
    pub finished_at: Option<DateTime<Utc>>,
}
