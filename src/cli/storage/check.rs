//! `darkroom storage check`.

use std::{cell::RefCell, sync::Arc};

use futures_util::TryStreamExt;
use indicatif::ProgressBar;

use super::{
    is_named,
    object::{patiently, read},
    objects,
    report::Checked,
};
use crate::{
    adapters::{db::Db, storage::Storage},
    domain::{error::Result, object::Object},
};

/// Of one storage.
pub(super) struct Check<'d> {
    pub(super) database: &'d Db,
    pub(super) storage: Arc<Storage>,
    pub(super) bar: ProgressBar,
}

impl Check<'_> {
    /// Reads what rows name, `jobs` at a time.
    pub(super) async fn run(&self, jobs: usize) -> Checked {
        let checked = RefCell::new(Checked::default());
        let reading = objects(self.database)
            .map_ok(|object| self.look_at(object, &checked))
            .try_buffer_unordered(jobs)
            .try_for_each(|()| std::future::ready(Ok(())))
            .await;
        self.bar.finish_and_clear();
        Checked { stopped: reading.err(), ..checked.into_inner() }
    }

    async fn look_at(&self, object: Object, checked: &RefCell<Checked>) -> Result<()> {
        let found = patiently(&object, async || read(&self.storage, "", &object).await).await?;
        self.bar.inc(1);
        match found {
            Ok(()) => {
                let mut checked = checked.borrow_mut();
                checked.whole += 1;
                checked.bytes += object.size;
            }
            // One that was deleted meanwhile need not be there.
            Err(fault) => {
                if is_named(self.database, object.key).await? {
                    checked.borrow_mut().faults.push(fault);
                }
            }
        }
        Ok(())
    }
}
