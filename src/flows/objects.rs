//! Storing bytes so that a crash leaves at worst an object that no row names: reserved, then stored, then named by whoever asked.

use uuid::Uuid;

use super::Services;
use crate::{
    actors::address::Address,
    adapters::{
        Resource,
        db::{
            Db, now,
            objects::{AbandonObject, NameObject, Place, ReserveObject},
        },
        storage::{Body, PutObject, Storage, Stored},
    },
    domain::{
        error::{Error, Result},
        format::Format,
        ids::UserId,
        object::Object,
    },
};

/// A key that was never given before.
fn new_key(user_id: UserId, format: Format) -> String {
    format!("{user_id}/{}.{}", Uuid::now_v7(), format.extension())
}

/// Stores `body` and returns its key, to be named at once by a row, which counts it.
///
/// # Errors
/// `dependency_unavailable`; `payload_too_large` past what the backend takes. What a try may have left is removed after a day.
pub(super) async fn store(
    (database, storage): (&Address<Db>, &Address<Storage>),
    user_id: UserId,
    format: Format,
    body: Body,
) -> Result<String> {
    let key = new_key(user_id, format);
    let object = Object { key: key.clone(), size: body.size(), sha256: body.sha256().to_owned() };
    let reserve = ReserveObject { user_id, object, may_share: false, now: now() };
    database.ask(reserve).await?;
    put(database, storage, &key, body).await?;
    Ok(key)
}

/// The key of the account's object with these bytes, and whether it was there; then its row has to be written with that in mind,
/// since it may go any time.
///
/// # Errors
/// As [`store`].
pub(super) async fn store_once(
    services: &Services,
    user_id: UserId,
    format: Format,
    body: &mut Option<Body>,
    (size, sha256): (u64, &str),
) -> Result<(String, bool)> {
    let key = new_key(user_id, format);
    let object = Object { key: key.clone(), size, sha256: sha256.to_owned() };
    let reserve = ReserveObject { user_id, object, may_share: true, now: now() };
    match services.database.ask(reserve).await? {
        Place::There(key) => Ok((key, true)),
        Place::New => {
            // Handed over whole, so that a file may be moved; what was stored anew does not go, so nobody comes here twice.
            let gone = || Error::unavailable(Storage::WHAT, "the body was stored and is gone");
            let body = body.take().ok_or_else(gone)?;
            put(&services.database, &services.storage, &key, body).await?;
            Ok((key, false))
        }
    }
}

async fn put(
    database: &Address<Db>,
    storage: &Address<Storage>,
    key: &str,
    body: Body,
) -> Result<()> {
    let stored = storage.ask(PutObject { key: key.to_owned(), body }).await?;
    if stored != Stored::default() {
        let Stored { name, asset_id } = stored;
        database.ask(NameObject { key: key.to_owned(), name, asset_id }).await?;
    }
    Ok(())
}

/// Has an object removed that was stored for a row that could not be written.
pub(super) async fn abandon(services: &Services, user_id: UserId, key: String) -> Result<()> {
    services.database.ask(AbandonObject { user_id, key, now: now() }).await?;
    services.deletions.ring();
    Ok(())
}
