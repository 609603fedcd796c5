//! Uploaded pictures.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    format::Format,
    ids::{DeletionId, ImageId, UserId},
};

/// A picture as it was uploaded.
#[derive(Debug, Clone, PartialEq)]
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
    /// ThumbHash, base64; filled in by a background job.
    pub thumbhash: Option<String>,
    /// `#rrggbb`; filled in by a background job.
    pub dominant_color: Option<String>,
    /// Where the storage has the bytes.
    pub object_key: String,
    /// When it was uploaded.
    pub created_at: DateTime<Utc>,
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
