//! Pictures on the disk of this machine. Files are read side by side; everything that changes them is done by one thread, in the
//! order in which it was asked for, and nobody waits for it.
//!
//! A disk that is full, broken or gone costs pictures, never a request: it is told of in the log, and passed by.

use std::{
    collections::VecDeque,
    fs::File,
    io::{self, ErrorKind},
    mem,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use tokio::{
    sync::{Semaphore, oneshot},
    task::spawn_blocking,
    time::timeout,
};

use self::{index::Index, slot::Slot};
use super::{Key, LARGEST, Picture};
use crate::domain::ids::ImageId;

mod file;
mod index;
mod slot;
#[cfg(test)]
mod tests;

/// Bytes that wait to be written. What comes while there are more is not written: it is the disk that can't follow.
const WAITING: u64 = 16 << 20;
/// Files whose times wait to be set.
const UNSAVED: usize = 1000;
/// Files that are read at a time.
const READERS: usize = 32;
/// How long a file may take to be read; whoever asked then goes on without it. Tests run where all may stand still for a while.
pub(super) const PATIENCE: Duration = Duration::from_millis(if cfg!(test) { 60_000 } else { 500 });
/// How long a disk that did not answer is passed by.
const PASSED_BY: Duration = Duration::from_secs(1);
/// How often it is told what is wrong.
const TOLD_EVERY: Duration = Duration::from_secs(600);

pub(super) struct Disk {
    directory: PathBuf,
    /// Bytes of the largest file that is kept.
    largest: u64,
    slot: OnceLock<Slot>,
    index: Mutex<Index>,
    orders: Mutex<Orders>,
    readers: Arc<Semaphore>,
    patience: Duration,
    health: Mutex<Health>,
}

/// What is to be done to the files.
enum Order {
    /// Take a directory, and see what is in it.
    Open,
    Write(Key, Arc<Picture>),
    /// Set the file's time.
    Save(Key),
    /// Remove a file that was no good.
    Remove(Key),
    Forget(ImageId),
    /// Tell that everything before it is done.
    Tell(oneshot::Sender<()>),
}

#[derive(Default)]
struct Orders {
    waiting: VecDeque<Order>,
    /// Bytes of those that are to be written.
    bytes: u64,
    /// Whether somebody is at it.
    is_worked_on: bool,
}

#[derive(Default)]
struct Health {
    passed_by_until: Option<Instant>,
    told: Option<Instant>,
}

impl Disk {
    /// Within a runtime; takes no time.
    pub(super) fn open(directory: &Path, limit: u64, patience: Duration) -> Arc<Self> {
        let disk = Arc::new(Self {
            directory: directory.to_owned(),
            largest: limit / LARGEST,
            slot: OnceLock::new(),
            index: Mutex::new(Index::new(limit)),
            orders: Mutex::default(),
            readers: Arc::new(Semaphore::new(READERS)),
            patience,
            health: Mutex::default(),
        });
        disk.order(Order::Open);
        disk
    }

    /// The picture, if it is there, can be read in time, and is not forgotten meanwhile.
    pub(super) async fn get(self: &Arc<Self>, key: &Key) -> Option<Arc<Picture>> {
        let is_passed_by = |until: Instant| until > Instant::now();
        if lock(&self.health).passed_by_until.is_some_and(is_passed_by) {
            return None;
        }
        let found = lock(&self.index).find(key, now())?;
        let (disk, key) = (self.clone(), *key);
        let reading = async {
            // It belongs to the thread: what hangs keeps no more of them than that.
            let permit = self.readers.clone().acquire_owned().await.ok()?;
            let read = spawn_blocking(move || {
                let _permit = permit;
                disk.read(&key, found)
            });
            read.await.ok()?
        };
        match timeout(self.patience, reading).await {
            Ok(picture) => picture.map(Arc::new),
            Err(_) => {
                lock(&self.health).passed_by_until = Some(Instant::now() + PASSED_BY);
                self.complain(&io::Error::from(ErrorKind::TimedOut));
                None
            }
        }
    }

    fn read(self: &Arc<Self>, key: &Key, found: index::Found) -> Option<Picture> {
        let read = || {
            let file = self.slot.get().ok_or(ErrorKind::NotFound)?.open(key)?;
            if found.is_due {
                // Else it is only taken for older than it is.
                let _ = file.set_modified(SystemTime::now());
            }
            file::read(&file, found.is_checked)
        };
        match read() {
            Ok(Some(picture)) => lock(&self.index).confirm(key, found.stamp).then_some(picture),
            Err(error) if error.kind() != ErrorKind::NotFound => {
                self.complain(&error);
                None
            }
            Ok(None) | Err(_) => {
                if lock(&self.index).give_up(key, Some(found.stamp)) {
                    self.order(Order::Remove(*key));
                }
                None
            }
        }
    }

    /// It is used, although it was not read.
    pub(super) fn touch(self: &Arc<Self>, key: &Key) {
        let is_due = lock(&self.index).find(key, now()).is_some_and(|found| found.is_due);
        if is_due {
            self.order(Order::Save(*key));
        }
    }

    pub(super) fn put(self: &Arc<Self>, key: Key, picture: Arc<Picture>) {
        // What was there before is not what was put last, whether that is written or not.
        let had = lock(&self.index).give_up(&key, None);
        let fits = picture.bytes.len() as u64 <= self.largest;
        if !(fits && self.order(Order::Write(key, picture))) && had {
            self.order(Order::Remove(key));
        }
    }

    pub(super) fn forget(self: &Arc<Self>, image: ImageId) {
        lock(&self.index).forget(image);
        self.order(Order::Forget(image));
    }

    pub(super) async fn images(self: &Arc<Self>) -> Vec<ImageId> {
        self.settled().await;
        lock(&self.index).images()
    }

    pub(super) async fn settled(self: &Arc<Self>) {
        let (tell, told) = oneshot::channel();
        self.order(Order::Tell(tell));
        // Only a runtime that ends drops it.
        let _ = told.await;
    }

    /// Has it done after all that was ordered before. What only helps is not taken while too much waits.
    fn order(self: &Arc<Self>, order: Order) -> bool {
        let mut orders = lock(&self.orders);
        match &order {
            Order::Write(_, picture) => {
                let bytes = orders.bytes.saturating_add(picture.bytes.len() as u64);
                if bytes > WAITING {
                    return false;
                }
                orders.bytes = bytes;
            }
            Order::Save(_) if orders.waiting.len() >= UNSAVED => return false,
            _ => {}
        }
        orders.waiting.push_back(order);
        if !mem::replace(&mut orders.is_worked_on, true) {
            let disk = self.clone();
            spawn_blocking(move || disk.work());
        }
        true
    }

    /// Does what was ordered, until there is nothing left.
    fn work(&self) {
        loop {
            let order = {
                let mut orders = lock(&self.orders);
                let Some(order) = orders.waiting.pop_front() else {
                    orders.is_worked_on = false;
                    return;
                };
                if let Order::Write(_, picture) = &order {
                    orders.bytes = orders.bytes.saturating_sub(picture.bytes.len() as u64);
                }
                order
            };
            if let Err(error) = self.carry_out(order) {
                self.complain(&error);
            }
        }
    }

    fn carry_out(&self, order: Order) -> io::Result<()> {
        match (order, self.slot.get()) {
            (Order::Open, _) => self.take_over(),
            (Order::Write(key, picture), Some(slot)) => self.write(slot, key, &picture),
            (Order::Save(key), Some(slot)) => set_time(slot.open(&key)),
            (Order::Remove(key), Some(slot)) if lock(&self.index).take(&key) => slot.remove(&key),
            (Order::Forget(image), slot) => {
                let removed = slot.map_or(Ok(()), |slot| slot.remove_image(image));
                lock(&self.index).has_left(image);
                removed
            }
            (Order::Tell(tell), _) => {
                // Whoever asked may have left.
                let _ = tell.send(());
                Ok(())
            }
            (Order::Write(..) | Order::Save(_) | Order::Remove(_), _) => Ok(()),
        }
    }

    /// Takes a directory, and what a process before has left there as far as there is room for it.
    fn take_over(&self) -> io::Result<()> {
        let slot = Slot::take(&self.directory)?;
        let slot = self.slot.get_or_init(|| slot);
        slot.scan(|left| {
            let saved = microseconds(left.modified).min(now());
            lock(&self.index).discover(left.key, left.bytes, saved);
        });
        // There may have been more room then.
        let evicted = lock(&self.index).room(0).unwrap_or_default();
        evicted.iter().try_for_each(|key| slot.remove(key))
    }

    fn write(&self, slot: &Slot, key: Key, picture: &Picture) -> io::Result<()> {
        if lock(&self.index).is_leaving(&key.image) {
            return Ok(());
        }
        let head = file::head(picture)?;
        let bytes = (head.len() + picture.bytes.len()) as u64;
        let Some(evicted) = lock(&self.index).room(bytes) else { return Ok(()) };
        for key in evicted {
            slot.remove(&key)?;
        }
        if let Err(error) = slot.write(&key, &head, &picture.bytes) {
            if lock(&self.index).take(&key) {
                slot.remove(&key)?;
            }
            return Err(error);
        }
        // If it was forgotten meanwhile, its file goes with the next order.
        lock(&self.index).insert(key, bytes, now());
        Ok(())
    }

    /// Says what is wrong, now and then.
    fn complain(&self, error: &io::Error) {
        let mut health = lock(&self.health);
        if health.told.is_none_or(|told| told.elapsed() >= TOLD_EVERY) {
            health.told = Some(Instant::now());
            let directory = self.directory.display();
            tracing::warn!(%error, %directory, "pictures are not kept on the disk as they should be");
        }
    }
}

fn set_time(file: io::Result<File>) -> io::Result<()> {
    match file {
        // Evicted meanwhile.
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        file => file?.set_modified(SystemTime::now()),
    }
}

/// Nothing is left half done under these locks.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn now() -> u64 {
    microseconds(SystemTime::now())
}

/// Since 1970.
fn microseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}
