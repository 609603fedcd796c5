//! `darkroom storage copy`.

use std::{cell::RefCell, sync::Arc};

use futures_util::TryStreamExt;
use indicatif::ProgressBar;

use super::{
    done::{Done, Keys},
    is_named,
    object::{Source, Trouble, patiently, read},
    objects,
    report::Copied,
};
use crate::{
    adapters::{
        Query,
        db::{Db, objects::NameObject},
        storage::{CopyWithin, DeleteObject, PutObject, Storage, Stored},
    },
    domain::{
        error::{Code, Error, Result},
        object::Object,
    },
};

/// How often all rows are looked through: what arrived meanwhile is met the next time. Where pictures arrive without end it has
/// to end all the same.
const ROUNDS: usize = 8;

/// From one storage to another.
pub(super) struct Copy<'d> {
    pub(super) database: &'d Db,
    pub(super) source: Arc<Storage>,
    pub(super) destination: Arc<Storage>,
    /// The source's prefix, where both are in one bucket: that copies by itself.
    pub(super) within: Option<String>,
    pub(super) bar: ProgressBar,
    /// Whether what is known to be there is looked at all the same.
    pub(super) verify: bool,
    /// Objects are copied beside each other, but in one task.
    pub(super) state: RefCell<State>,
}

/// How far it came.
pub(super) struct State {
    done: Done,
    copied: Copied,
    /// What this run has looked at.
    met: Keys,
    /// What rows name, by the last look at all of them.
    named: Keys,
}

impl State {
    pub(super) fn new(done: Done) -> RefCell<Self> {
        let (copied, met, named) = Default::default();
        RefCell::new(Self { done, copied, met, named })
    }
}

impl Copy<'_> {
    /// Copies what is not there yet, `jobs` at a time.
    pub(super) async fn run(self, jobs: usize) -> Copied {
        let copying = self.copy_all(jobs).await;
        self.bar.finish_and_clear();
        Copied { stopped: copying.err(), ..self.state.into_inner().copied }
    }

    async fn copy_all(&self, jobs: usize) -> Result<()> {
        for _ in 0..ROUNDS {
            if !self.round(jobs).await? {
                break;
            }
        }
        self.clear().await
    }

    /// Looks through all rows; whether there was one that this run had not met.
    async fn round(&self, jobs: usize) -> Result<bool> {
        self.state.borrow_mut().named = Keys::default();
        let mut has_new = false;
        let new = objects(self.database).try_filter(|object| {
            let state = &mut *self.state.borrow_mut();
            state.named.meet(&object.key);
            let is_new = state.met.meet(&object.key);
            has_new |= is_new;
            let is_there = is_new && !self.verify && state.done.has(&object.key);
            if is_there {
                state.copied.there += 1;
                self.bar.inc(1);
            }
            std::future::ready(is_new && !is_there)
        });
        let bringing = new.map_ok(|object| self.bring(object)).try_buffer_unordered(jobs);
        bringing.try_for_each(|()| std::future::ready(Ok(()))).await?;
        Ok(has_new)
    }

    /// Has an object at the destination, unless it can't be; then that is remembered.
    async fn bring(&self, object: Object) -> Result<()> {
        self.state.borrow_mut().done.begin(&object.key).map_err(forgotten)?;
        let outcome = patiently(&object, async || self.copy(&object).await).await?;
        // Cloudinary alone has names of its own; they are of what is there, whichever storage is used (docs/STORAGE.md).
        if let Ok(Some(Stored { name, asset_id })) = &outcome
            && (name.is_some() || asset_id.is_some())
        {
            let (key, name, asset_id) = (object.key.clone(), name.clone(), asset_id.clone());
            NameObject { key, name, asset_id }.run(self.database).await?;
        }
        // One that was deleted before it was read, or while it was copied: no server would remove it there.
        let is_named = is_named(self.database, object.key.clone()).await?;
        if !is_named {
            DeleteObject { key: object.key.clone() }.run(&self.destination).await?;
        }
        self.bar.inc(1);
        let state = &mut *self.state.borrow_mut();
        match outcome {
            _ if !is_named => {
                state.done.remove(&object.key).map_err(forgotten)?;
                state.copied.gone += 1;
            }
            Err(fault) => state.copied.failed.push(fault),
            Ok(stored) => {
                state.done.add(&object.key).map_err(forgotten)?;
                if stored.is_some() {
                    state.copied.copied += 1;
                    state.copied.bytes += object.size;
                } else {
                    state.copied.there += 1;
                }
            }
        }
        Ok(())
    }

    /// Copies an object and reads it back; `None` if it was there, whole and right.
    async fn copy(&self, object: &Object) -> Result<Option<Stored>, Trouble<'_>> {
        let back = || read(&self.destination, "at the destination", object);
        if self.verify && back().await.is_ok() {
            return Ok(None);
        }
        if let Some(prefix) = self.within.clone() {
            let copy = CopyWithin { prefix, key: object.key.clone() };
            return match copy.run(&self.destination).await {
                Ok(()) => back().await.map(|()| Some(Stored::default())),
                Err(error) if error.code == Code::NotFound && back().await.is_ok() => Ok(None),
                Err(error) => Err(Trouble { at: &self.source, place: "at the source", error }),
            };
        }
        let Source { body, trouble } = Source::new(&self.source, object);
        let put = PutObject { key: object.key.clone(), body };
        let stored = match put.run(&self.destination).await {
            Ok(stored) => stored,
            Err(error) => {
                let Some(error) = trouble.take() else {
                    return Err(Trouble {
                        at: &self.destination,
                        place: "at the destination",
                        error,
                    });
                };
                // What was stored since the destination is in use never was at the source.
                if error.code == Code::NotFound && back().await.is_ok() {
                    return Ok(None);
                }
                return Err(Trouble { at: &self.source, place: "at the source", error });
            }
        };
        back().await?;
        Ok(Some(stored))
    }

    /// Removes from the destination what was copied and is named no longer.
    async fn clear(&self) -> Result<()> {
        let unnamed = {
            let State { done, named, .. } = &mut *self.state.borrow_mut();
            done.beside(named).map_err(forgotten)?
        };
        for key in unnamed {
            // What came behind the last look is named all the same.
            if is_named(self.database, key.clone()).await? {
                continue;
            }
            DeleteObject { key: key.clone() }.run(&self.destination).await?;
            let state = &mut *self.state.borrow_mut();
            state.done.remove(&key).map_err(forgotten)?;
            state.copied.removed += 1;
        }
        Ok(())
    }
}

/// What was copied can't be remembered.
fn forgotten(error: std::io::Error) -> Error {
    Error::internal(format_args!("what was copied can't be remembered in DATA_DIR: {error}"))
}
