//! What a place for objects has to be able to do.

use std::{future::Future, ops::Range, pin::Pin};

use bytes::{Bytes, BytesMut};
use futures_util::TryStreamExt;

use super::{Body, ByteStream, body::checked, refused};
use crate::domain::{
    error::{Error, Result},
    object::Object,
};

/// An answer on its way.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>;

/// What the backend itself calls an object that was stored, for those who look for it there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stored {
    /// Its name there, where that is not the key.
    pub name: Option<String>,
    /// What the backend numbers it by.
    pub asset_id: Option<String>,
}

/// A place for objects. Keys are made by this program: `a-z 0-9 - / .`, never from outside, and end in what the bytes are
/// (`.jpg`).
///
/// Every method fails with `dependency_unavailable` where the backend is out of reach or does not do what it should, after
/// it was tried again where that may help; how long that may take in all is watched over by the caller, who drops the future
/// when [`ping`](Self::ping) finds nobody.
pub trait Backend: Send + Sync + 'static {
    /// What it is called by people: "Cloudinary".
    fn name(&self) -> &'static str;

    /// Stores `body` under `key`, in place of what was there: from then on it is there, whole, whatever crashes. Of several at
    /// the same time, one whole body is there in the end. Nothing is stored, and nothing is replaced, if the body ends in an
    /// error.
    ///
    /// # Errors
    /// `payload_too_large` where the backend takes less than the body has, naming that limit.
    fn put<'a>(&'a self, key: &'a str, body: Body) -> Answer<'a, Stored>;

    /// A part of an object, as the backend sends it, within the object; empty only of an empty one.
    ///
    /// # Errors
    /// `not_found` if there is none.
    fn open<'a>(&'a self, object: &'a Object, part: Range<u64>) -> Answer<'a, ByteStream>;

    /// The whole object, which is seen to be what was stored.
    ///
    /// # Errors
    /// `not_found` if there is none.
    fn get<'a>(&'a self, object: &'a Object) -> Answer<'a, Bytes> {
        Box::pin(async move {
            let stream = self.open(object, 0..object.size).await?;
            let mut stream = checked(stream, object.size, Some(&object.sha256));
            let mut bytes = BytesMut::with_capacity(usize::try_from(object.size).unwrap_or(0));
            while let Some(piece) = stream.try_next().await.map_err(refused)? {
                bytes.extend_from_slice(&piece);
            }
            Ok(bytes.freeze())
        })
    }

    /// Copies an object here that lies under another prefix of the same place, without sending it to us and back.
    ///
    /// # Errors
    /// `not_found` if there is none under that prefix; `internal` where the backend can't.
    fn copy_within<'a>(&'a self, prefix: &'a str, key: &'a str) -> Answer<'a, ()> {
        let cause = format!("{} copies nothing by itself: {prefix}{key}", self.name());
        Box::pin(std::future::ready(Err(Error::internal(cause))))
    }

    /// Removes an object; one that is not there is removed.
    fn delete<'a>(&'a self, key: &'a str) -> Answer<'a, ()>;

    /// One quick question, without another try: whether it answers, knows us, and lets us in. At most a second is waited.
    fn ping(&self) -> Answer<'_, ()>;
}
