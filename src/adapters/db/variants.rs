//! Pictures made from uploaded ones.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::{
    Mode, Transaction, changes,
    deletions::{self, Scope},
    error::Stop,
    objects, purge,
    tx::{Bind, Tx, binds, placeholders},
};
use crate::{
    domain::{
        delivery::ChangeKind,
        error::Error,
        format::Format,
        ids::{DeletionId, ImageId, UserId, VariantId},
        variant::{Failure, Made, Variant, VariantStatus},
    },
    imaging::ENGINE,
};

/// The columns of a [`VariantRow`].
macro_rules! columns {
    () => {
        "id, image_id, user_id, spec, spec_hash, engine, status, format, size, width, height,
         sha256, object_key, error_code, error_detail, created_at"
    };
}

row! {
    struct VariantRow {
        id: Uuid,
        image_id: Uuid,
        user_id: Uuid,
        spec: Value,
        spec_hash: String,
        engine: i32,
        status: String,
        format: Option<String>,
        size: Option<i64>,
        width: Option<i64>,
        height: Option<i64>,
        sha256: Option<String>,
        object_key: Option<String>,
        error_code: Option<String>,
        error_detail: Option<String>,
        created_at: DateTime<Utc>,
    }
}

impl TryFrom<VariantRow> for Variant {
    type Error = Stop;

    fn try_from(row: VariantRow) -> Result<Self, Stop> {
        let (status, made) = match row.status.as_str() {
            "pending" => (VariantStatus::Pending, None),
            "failed" => (VariantStatus::Failed, None),
            "ready" => (VariantStatus::Ready, Some(made(&row)?)),
            other => return Err(Stop::corrupt(other)),
        };
        Ok(Variant {
            id: VariantId(row.id),
            image_id: ImageId(row.image_id),
            user_id: UserId(row.user_id),
            spec: row.spec,
            spec_hash: row.spec_hash,
            engine: row.engine,
            status,
            made,
            error: failure(row.error_code, row.error_detail),
            created_at: row.created_at,
        })
    }
}

fn made(row: &VariantRow) -> Result<Made, Stop> {
    let missing = || Stop::corrupt("a ready variant without its picture");
    let pixels =
        |value: Option<i64>| value.and_then(|value| u32::try_from(value).ok()).ok_or_else(missing);
    Ok(Made {
        format: row.format.as_deref().and_then(Format::from_name).ok_or_else(missing)?,
        size: row.size.ok_or_else(missing)?,
        width: pixels(row.width)?,
        height: pixels(row.height)?,
        sha256: row.sha256.clone().ok_or_else(missing)?,
        object_key: row.object_key.clone().ok_or_else(missing)?,
    })
}

/// The two columns of a failure.
pub(super) fn failure(code: Option<String>, detail: Option<String>) -> Option<Failure> {
    code.map(|code| Failure { code, detail: detail.unwrap_or_default() })
}

fn every(rows: Vec<VariantRow>) -> Result<Vec<Variant>, Stop> {
    rows.into_iter().map(Variant::try_from).collect()
}

/// Holds an image of the account until the transaction ends: nothing can be added to it meanwhile.
pub(super) async fn lock_image(tx: &mut Tx, user_id: UserId, id: ImageId) -> Result<(), Stop> {
    let lock = tx.dialect().for_update;
    let sql = format!("SELECT id FROM images WHERE id = $1 AND user_id = $2 {lock}");
    let row: Option<(Uuid,)> = tx.fetch_optional(AssertSqlSafe(sql), binds![id, user_id]).await?;
    row.map(|_| ()).ok_or_else(|| Error::not_found("image").into())
}

/// Holds a variant until the transaction ends; whether it is there. Whoever changes one job holds its
/// variant first, so that two of them don't wait for each other in a circle. The rescue of lost jobs
/// can't know their variants before it has them; where it meets one of these, the database ends one of
/// the two, and it is tried again.
pub(super) async fn lock(tx: &mut Tx, id: VariantId) -> Result<bool, Stop> {
    let sql = format!("SELECT id FROM variants WHERE id = $1 {}", tx.dialect().for_update);
    Ok(tx.fetch_optional::<(Uuid,)>(AssertSqlSafe(sql), binds![id]).await?.is_some())
}

/// The row for a spec, made if it is absent, and held until the transaction ends.
pub(super) async fn reserve(tx: &mut Tx, variant: &Variant) -> Result<Variant, Stop> {
    let row: Option<VariantRow> = tx
        .fetch_optional(
            concat!(
                "INSERT INTO variants
                     (id, image_id, user_id, spec, spec_hash, engine, status, created_at)
                 SELECT $1, id, user_id, $4, $5, $6, 'pending', $7 FROM images
                 WHERE id = $2 AND user_id = $3
                 ON CONFLICT (image_id, spec_hash) DO UPDATE SET
                     status = CASE
                         WHEN variants.status = 'failed' OR variants.engine < excluded.engine
                         THEN 'pending' ELSE variants.status END,
                     engine = CASE WHEN variants.engine < excluded.engine
                         THEN excluded.engine ELSE variants.engine END,
                     error_code = NULL,
                     error_detail = NULL
                 RETURNING ",
                columns!()
            ),
            binds![
                variant.id,
                variant.image_id,
                variant.user_id,
                &variant.spec,
                &variant.spec_hash,
                variant.engine,
                variant.created_at
            ],
        )
        .await
        .map_err(|stop| stop.or_missing("image"))?;
    row.ok_or_else(|| Error::not_found("image"))?.try_into()
}

/// Makes sure that there is a row for a spec. One that failed, or that an older engine made, is pending
/// again, under the identity that it had.
#[derive(Debug, Clone)]
pub struct ReserveVariant {
    /// What to insert if there is none.
    pub variant: Variant,
}

impl Transaction for ReserveVariant {
    const NAME: &'static str = "variants.reserve";
    const MODE: Mode = Mode::Write;
    /// The row there is.
    type Output = Variant;

    async fn perform(&self, tx: &mut Tx) -> Result<Variant, Stop> {
        reserve(tx, &self.variant).await
    }
}

/// A variant of an account.
#[derive(Debug, Clone)]
pub struct VariantById {
    /// The account.
    pub user_id: UserId,
    /// The variant.
    pub id: VariantId,
}

impl Transaction for VariantById {
    const NAME: &'static str = "variants.get";
    const MODE: Mode = Mode::Read;
    type Output = Variant;

    async fn perform(&self, tx: &mut Tx) -> Result<Variant, Stop> {
        let row: Option<VariantRow> = tx
            .fetch_optional(
                concat!("SELECT ", columns!(), " FROM variants WHERE id = $1 AND user_id = $2"),
                binds![self.id, self.user_id],
            )
            .await?;
        row.ok_or_else(|| Error::not_found("variant"))?.try_into()
    }
}

/// The variant of a spec, if there is one.
#[derive(Debug, Clone)]
pub struct VariantBySpec {
    /// The account.
    pub user_id: UserId,
    /// The picture.
    pub image_id: ImageId,
    /// SHA-256 of the canonical spec, hex.
    pub spec_hash: String,
}

impl Transaction for VariantBySpec {
    const NAME: &'static str = "variants.by_spec";
    const MODE: Mode = Mode::Read;
    type Output = Option<Variant>;

    async fn perform(&self, tx: &mut Tx) -> Result<Option<Variant>, Stop> {
        let row: Option<VariantRow> = tx
            .fetch_optional(
                concat!(
                    "SELECT ",
                    columns!(),
                    " FROM variants WHERE image_id = $1 AND spec_hash = $2 AND user_id = $3"
                ),
                binds![self.image_id, &self.spec_hash, self.user_id],
            )
            .await?;
        row.map(Variant::try_from).transpose()
    }
}

/// The variants of a picture, newest first.
#[derive(Debug, Clone)]
pub struct VariantsOf {
    /// The account.
    pub user_id: UserId,
    /// The picture.
    pub image_id: ImageId,
}

impl Transaction for VariantsOf {
    const NAME: &'static str = "variants.list";
    const MODE: Mode = Mode::Read;
    type Output = Vec<Variant>;

    async fn perform(&self, tx: &mut Tx) -> Result<Vec<Variant>, Stop> {
        variants_of(tx, self.user_id, &[self.image_id]).await
    }
}

/// The variants of several pictures, newest first.
#[derive(Debug, Clone)]
pub struct VariantsOfMany {
    /// The account.
    pub user_id: UserId,
    /// The pictures.
    pub image_ids: Vec<ImageId>,
}

impl Transaction for VariantsOfMany {
    const NAME: &'static str = "variants.list_many";
    const MODE: Mode = Mode::Read;
    type Output = Vec<Variant>;

    async fn perform(&self, tx: &mut Tx) -> Result<Vec<Variant>, Stop> {
        variants_of(tx, self.user_id, &self.image_ids).await
    }
}

async fn variants_of(
    tx: &mut Tx,
    user_id: UserId,
    image_ids: &[ImageId],
) -> Result<Vec<Variant>, Stop> {
    if image_ids.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!(
        concat!(
            "SELECT ",
            columns!(),
            " FROM variants WHERE user_id = $1 AND image_id IN ({}) ORDER BY id DESC"
        ),
        placeholders(2, image_ids.len())
    );
    let values =
        std::iter::once(Bind::from(user_id)).chain(image_ids.iter().copied().map(Bind::from));
    every(tx.fetch_all(AssertSqlSafe(sql), values.collect::<Vec<_>>()).await?)
}

/// Records that a variant was made. The first to say so wins.
#[derive(Debug, Clone)]
pub struct CompleteVariant {
    /// The variant.
    pub id: VariantId,
    /// What was made.
    pub made: Made,
    /// The engine that made it.
    pub engine: i32,
    /// The present.
    pub now: DateTime<Utc>,
}

impl Transaction for CompleteVariant {
    const NAME: &'static str = "variants.complete";
    const MODE: Mode = Mode::Write;
    /// The row as it is now.
    type Output = Variant;

    async fn perform(&self, tx: &mut Tx) -> Result<Variant, Stop> {
        complete(tx, self.id, &self.made, Some(self.engine), self.now)
            .await?
            .ok_or_else(|| objects::given_up(&self.made.object_key))
    }
}

/// See [`CompleteVariant`]; without an engine, it is the one that the row was reserved for, or ours if it was purged since. `None` if
/// what was made was given up meanwhile: of two who waited for the same making, the first was purged before the second came.
pub(super) async fn complete(
    tx: &mut Tx,
    id: VariantId,
    made: &Made,
    engine: Option<i32>,
    now: DateTime<Utc>,
) -> Result<Option<Variant>, Stop> {
    let lock = tx.dialect().for_update;
    let sql = format!(concat!("SELECT ", columns!(), " FROM variants WHERE id = $1 {}"), lock);
    let row: Option<VariantRow> = tx.fetch_optional(AssertSqlSafe(sql), binds![id]).await?;
    let former = row.ok_or_else(|| Error::not_found("variant"))?;
    let reserved = if former.engine == 0 { ENGINE } else { former.engine };
    let engine = engine.unwrap_or(reserved);
    let owner = UserId(former.user_id);
    if former.status == "ready" && former.engine >= engine {
        objects::abandon(tx, owner, &made.object_key, now).await?;
        return former.try_into().map(Some);
    }
    let Some(key) = objects::attach(tx, owner, &made.object(), now).await? else {
        return Ok(None);
    };
    if key != made.object_key {
        objects::doom(tx, owner, &made.object(), now).await?;
    }
    if let Some(former) = former.object_key {
        // The bytes that these replace.
        let unused = objects::release(tx, vec![former]).await?;
        if !unused.is_empty() {
            deletions::record_keys(tx, owner, DeletionId::new(), &unused, now).await?;
        }
    }
    let row: VariantRow = tx
        .fetch_one(
            concat!(
                "UPDATE variants SET status = 'ready', engine = $2, format = $3, size = $4,
                     width = $5, height = $6, sha256 = $7, object_key = $8,
                     error_code = NULL, error_detail = NULL
                 WHERE id = $1 RETURNING ",
                columns!()
            ),
            binds![
                id,
                engine,
                made.format.as_str(),
                made.size,
                made.width,
                made.height,
                &made.sha256,
                &key
            ],
        )
        .await?;
    row.try_into().map(Some)
}

/// Records that a variant can't be made, if nobody has made it.
#[derive(Debug, Clone)]
pub struct FailVariant {
    /// The variant.
    pub id: VariantId,
    /// Why.
    pub failure: Failure,
}

impl Transaction for FailVariant {
    const NAME: &'static str = "variants.fail";
    const MODE: Mode = Mode::Write;
    type Output = ();

    async fn perform(&self, tx: &mut Tx) -> Result<(), Stop> {
        fail(tx, self.id, &self.failure).await
    }
}

/// See [`FailVariant`]. One that was purged has failed with our engine.
pub(super) async fn fail(tx: &mut Tx, id: VariantId, failure: &Failure) -> Result<(), Stop> {
    tx.execute(
        "UPDATE variants SET status = 'failed', error_code = $2, error_detail = $3,
             engine = CASE WHEN engine = 0 THEN $4 ELSE engine END
         WHERE id = $1 AND status = 'pending'",
        binds![id, &failure.code, &failure.detail, ENGINE],
    )
    .await?;
    Ok(())
}

/// Deletes a variant and its jobs.
#[derive(Debug, Clone)]
pub struct DeleteVariant {
    /// The account.
    pub user_id: UserId,
    /// The variant.
    pub id: VariantId,
    /// The receipt.
    pub deletion_id: DeletionId,
    /// The present.
    pub now: DateTime<Utc>,
}

impl Transaction for DeleteVariant {
    const NAME: &'static str = "variants.delete";
    const MODE: Mode = Mode::Write;
    /// The objects to remove.
    type Output = Vec<String>;

    async fn perform(&self, tx: &mut Tx) -> Result<Vec<String>, Stop> {
        // The picture first, as purges do.
        let row: Option<(Uuid,)> = tx
            .fetch_optional(
                "SELECT image_id FROM variants WHERE id = $1 AND user_id = $2",
                binds![self.id, self.user_id],
            )
            .await?;
        let (image_id,) = row.ok_or_else(|| Error::not_found("variant"))?;
        purge::give_up(tx, self.user_id, &[ImageId(image_id)]).await?;
        let scope = Scope::Variant(self.id);
        let (_, keys) =
            deletions::record(tx, self.user_id, self.deletion_id, scope, self.now).await?;
        let deleted = tx.execute("DELETE FROM variants WHERE id = $1", binds![self.id]).await?;
        if deleted == 0 {
            // Somebody else was quicker.
            return Err(Error::not_found("variant").into());
        }
        let images = [ImageId(image_id)];
        changes::of_images(tx, self.user_id, &images, ChangeKind::Pictures).await?;
        Ok(keys)
    }
}
