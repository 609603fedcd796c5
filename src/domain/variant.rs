//! Pictures made from uploaded ones.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::{
    error::{Code, Error},
    format::Format,
    ids::{ImageId, UserId, VariantId},
    object::Object,
};

/// How far a variant has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum VariantStatus {
    /// It is to be made.
    Pending,
    /// Its bytes can be had.
    Ready,
    /// It could not be made.
    Failed,
}

/// A picture made from an image by a spec; `(image_id, spec_hash)` is unique.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Variant {
    /// Its identity, known before it is made.
    pub id: VariantId,
    /// What it is made from.
    pub image_id: ImageId,
    /// The account it belongs to.
    pub user_id: UserId,
    /// The canonical spec.
    pub spec: Value,
    /// SHA-256 of the canonical spec, hex.
    pub spec_hash: String,
    /// Version of the engine that made it, or is to; 0 once it was purged.
    pub engine: i32,
    /// How far it has come.
    pub status: VariantStatus,
    /// What it is, once ready.
    pub made: Option<Made>,
    /// Why it could not be made.
    pub error: Option<Failure>,
    /// When it was first asked for.
    pub created_at: DateTime<Utc>,
}

impl Variant {
    /// What tells it from all others.
    pub fn key(&self) -> VariantKey {
        VariantKey { image_id: self.image_id, spec_hash: self.spec_hash.clone() }
    }

    /// Whether its picture was given up by a purge, and not made again since.
    pub fn is_purged(&self) -> bool {
        self.status == VariantStatus::Pending && self.engine == 0
    }
}

/// What tells a variant from all others, also before it has an id.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct VariantKey {
    /// What it is made from.
    pub image_id: ImageId,
    /// SHA-256 of the canonical spec, hex.
    pub spec_hash: String,
}

/// What is known of a variant once it was made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Made {
    /// What the bytes are.
    pub format: Format,
    /// Bytes.
    pub size: i64,
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
    /// SHA-256 of the bytes, hex: the strong `ETag`.
    pub sha256: String,
    /// Where the storage has the bytes.
    pub object_key: String,
}

impl Made {
    /// Its bytes in the storage.
    pub fn object(&self) -> Object {
        Object::new(&self.object_key, self.size, &self.sha256)
    }
}

/// Why a job, and with it a variant, failed; as kept and shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Failure {
    /// One of the documented codes.
    pub code: String,
    /// For the reader.
    pub detail: String,
}

impl Failure {
    /// The error that a caller of today gets for a failure of then: 422, with the code of then.
    pub fn to_error(&self) -> Error {
        let code = Code::ALL
            .iter()
            .copied()
            .find(|code| code.as_str() == self.code)
            .unwrap_or(Code::Internal);
        Error { status: 422, ..Error::new(code, self.detail.clone()) }
    }
}

impl From<&Error> for Failure {
    fn from(error: &Error) -> Self {
        Self { code: error.code.as_str().to_owned(), detail: error.detail.clone() }
    }
}
