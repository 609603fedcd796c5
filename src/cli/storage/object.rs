//! One object: as it is read, and what is done when it can't be.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::{StreamExt, TryStreamExt, stream};
use sync_wrapper::SyncStream;

use crate::{
    adapters::{
        Query,
        storage::{Body, ByteStream, CheckStorage, OpenObject, Storage},
    },
    cli::in_full,
    domain::{
        error::{Code, Error, Result},
        object::Object,
    },
};

/// What can't be read to its end.
const WHAT: &str = "the object";

/// Before it is tried again, where a storage is out of reach.
const PAUSES: &[Duration] =
    &[Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4)];

/// What went wrong with an object, and at which storage.
pub(super) struct Trouble<'s> {
    pub(super) at: &'s Storage,
    /// Which of them that is, in words.
    pub(super) place: &'static str,
    pub(super) error: Error,
}

/// An object that is not as it should be.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) key: String,
    pub(super) is_missing: bool,
    pub(super) why: String,
}

/// Asks until there is an answer that is of the object alone: a storage that is out of reach is waited for a little.
///
/// # Errors
/// When it stays out of reach, or it is the database's.
pub(super) async fn patiently<'s, T>(
    object: &Object,
    ask: impl AsyncFn() -> Result<T, Trouble<'s>>,
) -> Result<Result<T, Fault>> {
    let mut pauses = PAUSES.iter();
    loop {
        let Trouble { at, place, error } = match ask().await {
            Ok(answer) => return Ok(Ok(answer)),
            Err(trouble) => trouble,
        };
        if CheckStorage.run(at).await.is_ok() {
            let (key, is_missing) = (object.key.clone(), error.code == Code::NotFound);
            let place = if place.is_empty() { String::new() } else { format!("{place}: ") };
            return Ok(Err(Fault { key, is_missing, why: place + &in_full(&error) }));
        }
        match pauses.next() {
            Some(pause) => tokio::time::sleep(*pause).await,
            None => return Err(error),
        }
    }
}

/// Reads an object to its end, which is where it is known whether it is what was stored.
pub(super) async fn read<'s>(
    storage: &'s Storage,
    place: &'static str,
    object: &Object,
) -> Result<(), Trouble<'s>> {
    let trouble = |error| Trouble { at: storage, place, error };
    let whole = OpenObject { object: object.clone(), part: 0..object.size };
    let mut pieces = whole.run(storage).await.map_err(trouble)?;
    while let Some(piece) = pieces.next().await {
        piece.map_err(|error| trouble(Error::unavailable(WHAT, error)))?;
    }
    Ok(())
}

/// An object on its way from one storage to another.
pub(super) struct Source {
    pub(super) body: Body,
    /// What went wrong where it was read, if that is why it could not be stored.
    pub(super) trouble: FirstError,
}

impl Source {
    pub(super) fn new(storage: &Arc<Storage>, object: &Object) -> Self {
        let trouble = FirstError::default();
        let (storage, of, told) = (storage.clone(), object.clone(), trouble.clone());
        let open = move |part| -> ByteStream {
            let (storage, object) = (storage.clone(), of.clone());
            let (at_first, later) = (told.clone(), told.clone());
            let pieces = stream::once(async move {
                OpenObject { object, part }.run(&storage).await.map_err(|error| {
                    let told = std::io::Error::other(in_full(&error));
                    at_first.remember(error);
                    told
                })
            });
            // The future is polled by one task alone.
            Box::pin(SyncStream::new(pieces.try_flatten().inspect_err(move |error| {
                later.remember(Error::unavailable(WHAT, error));
            })))
        };
        Self { body: Body::opened(object.size, object.sha256.clone(), open), trouble }
    }
}

/// The first is the cause of the others.
#[derive(Clone, Default)]
pub(super) struct FirstError(Arc<Mutex<Option<Error>>>);

impl FirstError {
    fn remember(&self, error: Error) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    }

    pub(super) fn take(&self) -> Option<Error> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
