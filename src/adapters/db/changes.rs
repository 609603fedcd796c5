//! News of what delivery shows, for every process that has looked it up before. Whatever alters what may be served writes it down
//! in its own transaction ([`of_account`], [`of_images`]).

use chrono::{DateTime, Utc};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::{
    Mode, Transaction, cdn,
    error::Stop,
    tx::{Bind, Tx, binds},
};
use crate::domain::{
    delivery::{Change, ChangeKind},
    ids::{ChangeId, ImageId, UserId},
};

/// Rows written by one statement.
const TOGETHER: usize = 500;

/// Writes down a change of all that an account has.
pub(super) async fn of_account(tx: &mut Tx, user_id: UserId, kind: ChangeKind) -> Result<(), Stop> {
    tx.execute(
        "INSERT INTO changes (id, user_id, kind) VALUES ($1, $2, $3)",
        binds![ChangeId::new(), user_id, kind.as_str()],
    )
    .await?;
    match kind {
        ChangeKind::Facts => Ok(()),
        ChangeKind::Pictures => cdn::forget_account(tx, user_id).await,
    }
}

/// Writes down a change of some pictures of an account.
pub(super) async fn of_images(
    tx: &mut Tx,
    user_id: UserId,
    images: &[ImageId],
    kind: ChangeKind,
) -> Result<(), Stop> {
    for some in images.chunks(TOGETHER) {
        let row = |n: usize| format!("(${}, $1, ${}, $2)", n * 2 + 3, n * 2 + 4);
        let rows: Vec<String> = (0..some.len()).map(row).collect();
        let sql =
            format!("INSERT INTO changes (id, user_id, image_id, kind) VALUES {}", rows.join(", "));
        let mut values = binds![user_id, kind.as_str()].to_vec();
        values.extend(some.iter().flat_map(|image| binds![ChangeId::new(), *image]));
        tx.execute(AssertSqlSafe(sql), values).await?;
    }
    match kind {
        ChangeKind::Facts => Ok(()),
        ChangeKind::Pictures => cdn::forget(tx, images).await,
    }
}

row! {
    struct ChangeRow {
        id: Uuid,
        user_id: Uuid,
        image_id: Option<Uuid>,
        kind: String,
    }
}

impl TryFrom<ChangeRow> for Change {
    type Error = Stop;

    fn try_from(row: ChangeRow) -> Result<Self, Stop> {
        Ok(Change {
            id: ChangeId(row.id),
            user_id: UserId(row.user_id),
            image_id: row.image_id.map(ImageId),
            kind: match row.kind.as_str() {
                "facts" => ChangeKind::Facts,
                "pictures" => ChangeKind::Pictures,
                other => return Err(Stop::corrupt(other)),
            },
        })
    }
}

/// What has changed, in order. A change is seen once its transaction has ended, which others that began later may have done before:
/// whoever asks again begins a while, the longest that a transaction may take, before the last answer, and knows again what it was told.
#[derive(Debug, Clone)]
pub struct ChangesSince {
    /// Those behind this one.
    pub after: ChangeId,
    /// How many at most.
    pub limit: i64,
}

impl Transaction for ChangesSince {
    const NAME: &'static str = "changes.list";
    const MODE: Mode = Mode::Read;
    /// The changes, and whether there are more.
    type Output = (Vec<Change>, bool);

    async fn perform(&self, tx: &mut Tx) -> Result<Self::Output, Stop> {
        let rows: Vec<ChangeRow> = tx
            .fetch_all(
                "SELECT id, user_id, image_id, kind FROM changes WHERE id > $1 ORDER BY id LIMIT $2",
                binds![self.after, self.limit.saturating_add(1)],
            )
            .await?;
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let more = rows.len() > limit;
        let changes = rows.into_iter().take(limit).map(Change::try_from);
        Ok((changes.collect::<Result<_, _>>()?, more))
    }
}

/// Forgets changes that nobody can have missed any more.
#[derive(Debug, Clone)]
pub struct PurgeChanges {
    /// Everything before it goes.
    pub before: DateTime<Utc>,
    /// How many at most, so that nobody waits long for the locks.
    pub limit: i64,
}

impl Transaction for PurgeChanges {
    const NAME: &'static str = "changes.purge";
    const MODE: Mode = Mode::Write;
    /// How many went.
    type Output = u64;

    async fn perform(&self, tx: &mut Tx) -> Result<u64, Stop> {
        tx.execute(
            "DELETE FROM changes WHERE id IN (
                 SELECT id FROM changes WHERE id < $1 ORDER BY id LIMIT $2)",
            [Bind::from(ChangeId::first_of(self.before)), Bind::from(self.limit)],
        )
        .await
    }
}
