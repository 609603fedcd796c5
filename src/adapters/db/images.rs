//! Uploaded pictures and their labels.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::{
    Mode, Transaction, cdn, changes,
    deletions::{self, Scope},
    error::Stop,
    jobs, objects,
    tx::{Bind, Tx, binds, placeholders},
    variants,
};
use crate::domain::{
    delivery::ChangeKind,
    error::Error,
    format::Format,
    ids::{DeletionId, ImageId, UserId},
    image::{Deletion, Facts, Focus, Image, ImagePatch},
    job::Job,
    variant::Variant,
};

/// The columns of an [`ImageRow`].
macro_rules! columns {
    () => {
        "images.id, images.user_id, images.filename, images.format, images.size, images.width,
         images.height, images.frames, images.has_alpha, images.sha256, images.public,
         images.focus_x, images.focus_y, images.thumbhash, images.dominant_color,
         images.palette, images.phash, images.blurhash, images.exif,
         images.object_key, images.created_at"
    };
}

row! {
    struct ImageRow {
        id: Uuid,
        user_id: Uuid,
        filename: String,
        format: String,
        size: i64,
        width: i64,
        height: i64,
        frames: i64,
        has_alpha: bool,
        sha256: String,
        public: bool,
        focus_x: Option<f64>,
        focus_y: Option<f64>,
        thumbhash: Option<String>,
        dominant_color: Option<String>,
        palette: Option<String>,
        phash: Option<String>,
        blurhash: Option<String>,
        exif: Option<String>,
        object_key: String,
        created_at: DateTime<Utc>,
    }
}

impl ImageRow {
    fn into_image(self, tags: Vec<String>) -> Result<Image, Stop> {
        Ok(Image {
            id: ImageId(self.id),
            user_id: UserId(self.user_id),
            filename: self.filename,
            format: Format::from_name(&self.format).ok_or_else(|| Stop::corrupt(&self.format))?,
            size: self.size,
            width: self.width.try_into().map_err(Stop::corrupt)?,
            height: self.height.try_into().map_err(Stop::corrupt)?,
            frames: self.frames.try_into().map_err(Stop::corrupt)?,
            has_alpha: self.has_alpha,
            sha256: self.sha256,
            public: self.public,
            tags,
            focus: self.focus_x.zip(self.focus_y).map(|(x, y)| Focus { x, y }),
            facts: Facts {
                thumbhash: self.thumbhash,
                dominant_color: self.dominant_color,
                palette: read(self.palette.as_deref())?,
                phash: self.phash,
                blurhash: self.blurhash,
                exif: read(self.exif.as_deref())?,
            },
            object_key: self.object_key,
            created_at: self.created_at,
        })
    }
}

/// What is kept as JSON in a text.
fn read<T: DeserializeOwned>(text: Option<&str>) -> Result<Option<T>, Stop> {
    text.map(serde_json::from_str).transpose().map_err(Stop::corrupt)
}

/// Gives each row its labels, by one query for all of them.
async fn with_tags(tx: &mut Tx, rows: Vec<ImageRow>) -> Result<Vec<Image>, Stop> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!(
        "SELECT image_id, tag FROM image_tags WHERE image_id IN ({}) ORDER BY image_id, position",
        placeholders(1, rows.len())
    );
    let ids: Vec<Bind> = rows.iter().map(|row| Bind::from(row.id)).collect();
    let mut tags: HashMap<Uuid, Vec<String>> = HashMap::new();
    for (id, tag) in tx.fetch_all::<(Uuid, String)>(AssertSqlSafe(sql), ids).await? {
        tags.entry(id).or_default().push(tag);
    }
    rows.into_iter()
        .map(|row| {
            let tags = tags.remove(&row.id).unwrap_or_default();
            row.into_image(tags)
        })
        .collect()
}

async fn insert_tags(
    tx: &mut Tx,
    user_id: UserId,
    id: ImageId,
    tags: &[String],
) -> Result<(), Stop> {
    let mut seen = HashSet::new();
    for (position, tag) in (0_i32..).zip(tags.iter().filter(|tag| seen.insert(*tag))) {
        tx.execute(
            "INSERT INTO image_tags (image_id, user_id, tag, position) VALUES ($1, $2, $3, $4)",
            binds![id, user_id, tag, position],
        )
        .await?;
    }
    Ok(())
}

/// Records an uploaded picture, and the work that was asked for together with it.
#[derive(Debug, Clone)]
pub struct InsertImage {
    /// The picture; a label given twice is kept once.
    pub image: Image,
    /// Its object was there before, of another picture with the same bytes.
    pub is_stored: bool,
    /// What to make of it.
    pub jobs: Vec<(Variant, Job)>,
}

impl Transaction for InsertImage {
    const NAME: &'static str = "images.insert";
    const MODE: Mode = Mode::Write;
    /// The key that its object has in the end; `None` if it was to be there and is not any more: then it has to be stored, and
    /// nothing was recorded.
    type Output = Option<String>;

    async fn perform(&self, tx: &mut Tx) -> Result<Self::Output, Stop> {
        let image = &self.image;
        let key = if self.is_stored {
            match objects::attach_again(tx, &image.object_key).await? {
                Some(()) => image.object_key.clone(),
                None => return Ok(None),
            }
        } else {
            objects::attach(tx, image.user_id, &image.object(), image.created_at)
                .await?
                .ok_or_else(|| objects::given_up(&image.object_key))?
        };
        tx.execute(
            "INSERT INTO images (id, user_id, filename, format, size, width, height, frames,
                 has_alpha, sha256, public, focus_x, focus_y, thumbhash, dominant_color,
                 object_key, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)",
            binds![
                image.id,
                image.user_id,
                &image.filename,
                image.format.as_str(),
                image.size,
                image.width,
                image.height,
                image.frames,
                image.has_alpha,
                &image.sha256,
                image.public,
                image.focus.map(|focus| focus.x),
                image.focus.map(|focus| focus.y),
                image.facts.thumbhash.clone(),
                image.facts.dominant_color.clone(),
                &key,
                image.created_at
            ],
        )
        .await
        .map_err(|stop| stop.or_missing("account"))?;
        insert_tags(tx, image.user_id, image.id, &image.tags).await?;
        for (variant, job) in &self.jobs {
            jobs::enqueue(tx, variant, job).await?;
        }
        Ok(Some(key))
    }
}

/// A picture of an account.
#[derive(Debug, Clone)]
pub struct ImageById {
    /// The account.
    pub user_id: UserId,
    /// The picture.
    pub id: ImageId,
}

impl Transaction for ImageById {
    const NAME: &'static str = "images.get";
    const MODE: Mode = Mode::Read;
    type Output = Image;

    async fn perform(&self, tx: &mut Tx) -> Result<Image, Stop> {
        get(tx, self.user_id, self.id).await
    }
}

async fn get(tx: &mut Tx, user_id: UserId, id: ImageId) -> Result<Image, Stop> {
    let rows: Vec<ImageRow> = tx
        .fetch_all(
            concat!("SELECT ", columns!(), " FROM images WHERE id = $1 AND user_id = $2"),
            binds![id, user_id],
        )
        .await?;
    let image = with_tags(tx, rows).await?.pop();
    image.ok_or_else(|| Error::not_found("image").into())
}

/// A picture, whosever it is; `None` if there is none.
#[derive(Debug, Clone)]
pub struct ImageForDelivery {
    /// The picture.
    pub id: ImageId,
}

impl Transaction for ImageForDelivery {
    const NAME: &'static str = "images.for_delivery";
    const MODE: Mode = Mode::Read;
    type Output = Option<Image>;

    async fn perform(&self, tx: &mut Tx) -> Result<Option<Image>, Stop> {
        let sql = concat!("SELECT ", columns!(), " FROM images WHERE id = $1");
        let rows: Vec<ImageRow> = tx.fetch_all(sql, binds![self.id]).await?;
        Ok(with_tags(tx, rows).await?.pop())
    }
}

/// Which of these pictures there are.
#[derive(Debug, Clone)]
pub struct ImagesThere {
    /// Only those of this account.
    pub user_id: Option<UserId>,
    /// The pictures.
    pub ids: Vec<ImageId>,
}

impl Transaction for ImagesThere {
    const NAME: &'static str = "images.there";
    const MODE: Mode = Mode::Read;
    type Output = HashSet<ImageId>;

    async fn perform(&self, tx: &mut Tx) -> Result<HashSet<ImageId>, Stop> {
        let mut there = HashSet::new();
        for some in self.ids.chunks(500) {
            let mut sql =
                format!("SELECT id FROM images WHERE id IN ({})", placeholders(1, some.len()));
            let mut values: Vec<Bind> = some.iter().copied().map(Bind::from).collect();
            if let Some(user_id) = self.user_id {
                values.push(user_id.into());
                sql.push_str(&format!(" AND user_id = ${}", values.len()));
            }
            let rows: Vec<(Uuid,)> = tx.fetch_all(AssertSqlSafe(sql), values).await?;
            there.extend(rows.into_iter().map(|(id,)| ImageId(id)));
        }
        Ok(there)
    }
}

/// Where a page of a list begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Page {
    /// After that many.
    Offset(i64),
    /// After this one.
    After(ImageId),
}

/// A page of an account's pictures, newest first.
#[derive(Debug, Clone)]
pub struct ListImages {
    /// The account.
    pub user_id: UserId,
    /// Only those with this label.
    pub tag: Option<String>,
    /// How many at most.
    pub limit: i64,
    /// Where to begin.
    pub page: Page,
}

impl Transaction for ListImages {
    const NAME: &'static str = "images.list";
    const MODE: Mode = Mode::Read;
    /// The page, and how many there are in all.
    type Output = (Vec<Image>, i64);

    async fn perform(&self, tx: &mut Tx) -> Result<Self::Output, Stop> {
        let (before, offset) = match self.page {
            Page::Offset(offset) => (Uuid::max(), offset),
            Page::After(ImageId(id)) => (id, 0),
        };
        let (rows, (total,)): (Vec<ImageRow>, (i64,)) = match &self.tag {
            None => (
                tx.fetch_all(
                    concat!(
                        "SELECT ",
                        columns!(),
                        " FROM images WHERE user_id = $1 AND id < $2
                         ORDER BY id DESC LIMIT $3 OFFSET $4"
                    ),
                    binds![self.user_id, before, self.limit, offset],
                )
                .await?,
                tx.fetch_one(
                    "SELECT count(*) FROM images WHERE user_id = $1",
                    binds![self.user_id],
                )
                .await?,
            ),
            Some(tag) => (
                tx.fetch_all(
                    concat!(
                        "SELECT ",
                        columns!(),
                        " FROM image_tags t JOIN images ON images.id = t.image_id
                         WHERE t.user_id = $1 AND t.tag = $5 AND t.image_id < $2
                         ORDER BY t.image_id DESC LIMIT $3 OFFSET $4"
                    ),
                    binds![self.user_id, before, self.limit, offset, tag],
                )
                .await?,
                tx.fetch_one(
                    "SELECT count(*) FROM image_tags WHERE user_id = $1 AND tag = $2",
                    binds![self.user_id, tag],
                )
                .await?,
            ),
        };
        Ok((with_tags(tx, rows).await?, total))
    }
}

/// Changes what the owner of a picture may change.
#[derive(Debug, Clone)]
pub struct PatchImage {
    /// The account.
    pub user_id: UserId,
    /// The picture.
    pub id: ImageId,
    /// The changes.
    pub patch: ImagePatch,
}

impl Transaction for PatchImage {
    const NAME: &'static str = "images.patch";
    const MODE: Mode = Mode::Write;
    /// The picture after the changes.
    type Output = Image;

    async fn perform(&self, tx: &mut Tx) -> Result<Image, Stop> {
        let focus = self.patch.focus;
        let point = focus.flatten();
        let changed = tx
            .execute(
                "UPDATE images SET public = coalesce($3, public),
                     focus_x = CASE WHEN $4 THEN $5 ELSE focus_x END,
                     focus_y = CASE WHEN $4 THEN $6 ELSE focus_y END
                 WHERE id = $1 AND user_id = $2",
                binds![
                    self.id,
                    self.user_id,
                    self.patch.public,
                    focus.is_some(),
                    point.map(|point| point.x),
                    point.map(|point| point.y)
                ],
            )
            .await?;
        if changed == 0 {
            return Err(Error::not_found("image").into());
        }
        if let Some(tags) = &self.patch.tags {
            tx.execute("DELETE FROM image_tags WHERE image_id = $1", binds![self.id]).await?;
            insert_tags(tx, self.user_id, self.id, tags).await?;
        }
        if self.patch.public.is_some() || focus.is_some() {
            changes::of_images(tx, self.user_id, &[self.id], ChangeKind::Facts).await?;
        }
        if self.patch.public == Some(false) {
            cdn::forget(tx, &[self.id]).await?;
        }
        get(tx, self.user_id, self.id).await
    }
}

/// Deletes a picture with all that was made of it.
#[derive(Debug, Clone)]
pub struct DeleteImage {
    /// The account.
    pub user_id: UserId,
    /// The picture.
    pub id: ImageId,
    /// The receipt.
    pub deletion_id: DeletionId,
    /// The present.
    pub now: DateTime<Utc>,
}

impl Transaction for DeleteImage {
    const NAME: &'static str = "images.delete";
    const MODE: Mode = Mode::Write;
    /// The receipt, and the objects to remove.
    type Output = (Deletion, Vec<String>);

    async fn perform(&self, tx: &mut Tx) -> Result<Self::Output, Stop> {
        variants::lock_image(tx, self.user_id, self.id).await?;
        let scope = Scope::Image(self.id);
        let receipt =
            deletions::record(tx, self.user_id, self.deletion_id, scope, self.now).await?;
        changes::of_images(tx, self.user_id, &[self.id], ChangeKind::Pictures).await?;
        let fallback: Option<(Uuid,)> = tx
            .fetch_optional(
                "SELECT user_id FROM delivery_settings WHERE fallback_image_id = $1",
                binds![self.id],
            )
            .await?;
        if fallback.is_some() {
            changes::of_account(tx, self.user_id, ChangeKind::Facts).await?;
        }
        tx.execute("DELETE FROM images WHERE id = $1", binds![self.id]).await?;
        Ok(receipt)
    }
}
