//! Pictures by URL: what a link means (`plan.rs`), where its picture is (`find.rs`), and what this process knows and has at
//! hand (`known.rs`), as long as the feed (`feed.rs`) says that it still holds.

mod feed;
mod find;
mod known;
mod plan;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use moka::sync::Cache;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::task::TaskTracker;

use self::{
    feed::{Feed, Heard},
    known::Known,
    plan::{Access, Planner, Refusal, Right, expired},
};
use super::{Services, enqueue::enqueue, flights::Flights};
use crate::{
    actors::rounds::Chore,
    adapters::{
        db::images::ImagesThere,
        pictures::{Epoch, Key, Pictures},
    },
    domain::{
        delivery::{Change, ChangeKind},
        error::{Code, Error, Result},
        ids::{ChangeId, ImageId, JobId, UserId},
        job::Cancel,
        transform::Profile,
    },
};

pub use self::{
    find::Found,
    plan::{Ask, Plan},
};

/// Plans that are remembered, in bytes, about.
const PLANS: u64 = 16 << 20;
/// How long it is remembered that a picture can't be made; the database knows it longer.
const REFUSED: Duration = Duration::from_secs(30);
/// How long a picture is not made anew again.
const RENEWED: Duration = Duration::from_secs(60);
/// Pictures that are made anew at a time, beside all others.
const RENEWALS: usize = 4;
/// KiB that may wait to be stored behind their answers.
const STORING: usize = 64 << 10;
/// Pictures that are asked about at a time.
const SWEPT: usize = 500;
/// How often a plan is made anew because what it rests on has changed meanwhile.
const TRIES: usize = 5;
/// How long a plan is good for that would not be told of a change.
const BRIEFLY: Duration = Duration::from_secs(1);

/// What a process that delivers knows and has at hand.
pub struct Delivery {
    known: Known,
    feed: Feed,
    plans: Cache<String, Arc<Plan>>,
    pictures: Pictures,
    /// Whoever asks after a purge does not join one that was begun before.
    searches: Arc<Flights<(Key, Epoch), Result<Found>>>,
    /// What can't be made, as long as nothing of its image was given up.
    refused: Cache<Key, (Epoch, Error)>,
    renewing: Cache<Key, ()>,
    renewals: Arc<Semaphore>,
    storing: Arc<Semaphore>,
    /// Whether there may be files on the disk that nobody needs.
    littered: AtomicBool,
    /// Held while they are looked for.
    sweeping: Arc<tokio::sync::Mutex<()>>,
    background: TaskTracker,
}

impl Delivery {
    /// Nothing is known yet; `pictures` has what a former process left.
    pub fn new(pictures: Pictures, profile: Profile) -> Self {
        let weight = |key: &String, plan: &Arc<Plan>| {
            u32::try_from(key.len() + plan.weight()).unwrap_or(u32::MAX)
        };
        Self {
            known: Known::new(profile),
            feed: Feed::default(),
            plans: Cache::builder().max_capacity(PLANS).weigher(weight).build(),
            pictures,
            searches: Arc::default(),
            refused: Cache::builder().max_capacity(10_000).time_to_live(REFUSED).build(),
            renewing: Cache::builder().max_capacity(100_000).time_to_live(RENEWED).build(),
            renewals: Arc::new(Semaphore::new(RENEWALS)),
            storing: Arc::new(Semaphore::new(STORING)),
            littered: AtomicBool::new(false),
            sweeping: Arc::default(),
            background: TaskTracker::new(),
        }
    }

    /// To be said when this process has changed what may be delivered, or how: it knows at once, the others within 5 s.
    pub fn changed(&self, user_id: UserId, image_id: Option<ImageId>, kind: ChangeKind) {
        // The one that was written down is heard in its time, too.
        self.hear(Heard::Changes(vec![Change { id: ChangeId::new(), user_id, image_id, kind }]));
    }

    /// Waits for what is still to be stored.
    pub async fn finish(&self) {
        self.background.close();
        self.background.wait().await;
    }

    async fn room_to_store(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let room = (bytes / 1024 + 1).min(STORING);
        let room = u32::try_from(room).unwrap_or(u32::MAX);
        self.storing.clone().acquire_many_owned(room).await.ok()
    }

    /// Forgets what has changed. Whether files of pictures may have to go that nothing names one by one.
    fn hear(&self, heard: Heard) -> bool {
        let changes = match heard {
            Heard::Anything => {
                self.known.forget_all();
                // A picture on the disk is asked about before it is shown.
                self.pictures.forget_memory();
                return true;
            }
            Heard::Changes(changes) => changes,
        };
        self.known.forget(&changes);
        let mut of_account = false;
        let mut of_pictures =
            changes.iter().filter(|it| it.kind == ChangeKind::Pictures).peekable();
        if of_pictures.peek().is_some() {
            // What could not be made is tried again.
            self.refused.invalidate_all();
        }
        for change in of_pictures {
            match change.image_id {
                Some(id) => self.pictures.forget(id),
                // None of them is found any more.
                None => of_account = true,
            }
        }
        of_account
    }
}

/// What a client gets.
pub enum Delivered {
    /// The picture.
    Picture {
        /// It, and where it was.
        found: Found,
        /// What it was asked for by.
        plan: Arc<Plan>,
        /// Why it is another picture, the account's fallback.
        instead_of: Option<Code>,
    },
    /// It is being made by a job.
    Later(JobId),
}

/// The picture that `ask` asks for. With `patience`, one that takes longer is left to a job.
///
/// # Errors
/// `signature_invalid`, `signature_expired`; `not_found`, also for what is not public; `validation_failed`; what the engine
/// refuses; `overloaded`, `dependency_unavailable`.
pub async fn deliver(
    services: &Arc<Services>,
    ask: &Ask,
    patience: Option<Duration>,
) -> Result<Delivered> {
    let mut made = None;
    for _ in 0..TRIES {
        catch_up(services).await?;
        let begun = Instant::now();
        let mut delivered = shown(services, ask, patience).await?;
        let Delivered::Picture { found, plan, .. } = &mut delivered else { return Ok(delivered) };
        // What was made the time before was made for this answer.
        let before = made.filter(|(key, _)| *key == plan.key).map(|(_, timings)| timings);
        found.made = found.made.or(before);
        made = found.made.map(|timings| (plan.key, timings));
        // It may have taken long.
        catch_up(services).await?;
        if plan.is_current() && (plan.can_be_kept() || begun.elapsed() < BRIEFLY) {
            return Ok(delivered);
        }
    }
    Err(Error::overloaded("what was looked up changed again and again"))
}

async fn shown(
    services: &Arc<Services>,
    ask: &Ask,
    patience: Option<Duration>,
) -> Result<Delivered> {
    let plan = match plan(services, ask).await {
        Ok(plan) => plan,
        Err(Refusal { error, right }) => {
            return Box::pin(fallback(services, ask, right.as_ref(), error)).await;
        }
    };
    if plan.expires().is_some_and(|until| until <= SystemTime::now()) {
        return Err(expired());
    }
    // Only who was given the link may leave work behind.
    let patience = patience.filter(|_| plan.right.access == Access::Signed);
    let finding = find::find(services, &plan);
    let found = match patience {
        Some(patience) => match tokio::time::timeout(patience, finding).await {
            Ok(Err(error)) if is_slow(&error) => return Box::pin(later(services, &plan)).await,
            Ok(found) => found,
            Err(_) => return Box::pin(later(services, &plan)).await,
        },
        None => finding.await,
    };
    match found {
        Ok(found) => Ok(Delivered::Picture { found, plan, instead_of: None }),
        Err(error) => Box::pin(fallback(services, ask, Some(&plan.right), error)).await,
    }
}

/// Hears what has changed where nobody asks for pictures, so that what must go from the disk goes there, too.
#[derive(Clone)]
pub struct Listen(pub Arc<Services>);

impl Chore for Listen {
    const NAME: &'static str = "feed";
    const EVERY: Duration = Duration::from_secs(5);

    async fn round(&self, _: &Cancel) -> Result<()> {
        catch_up(&self.0).await?;
        sweep(&self.0);
        Ok(())
    }
}

async fn catch_up(services: &Arc<Services>) -> Result<()> {
    let this = services.clone();
    let hear = move |heard| {
        if this.delivery.hear(heard) {
            this.delivery.littered.store(true, Ordering::Release);
            sweep(&this);
        }
    };
    services.delivery.feed.caught_up(&services.database, hear).await
}

fn planner(services: &Services) -> Planner<'_> {
    Planner { delivery: &services.delivery, database: &services.database }
}

async fn plan(services: &Services, ask: &Ask) -> Result<Arc<Plan>, Refusal> {
    let plans = &services.delivery.plans;
    let key = ask.key();
    if let Some(plan) = plans.get(&key).filter(|plan| plan.is_current()) {
        return Ok(plan);
    }
    // On the heap, as all that is not for what is known and at hand: otherwise each answer would take as much memory as the longest way.
    let plan = Arc::new(Box::pin(planner(services).plan(ask)).await?);
    if plan.can_be_kept() {
        plans.insert(key, plan.clone());
    }
    Ok(plan)
}

/// Whether more time would have helped.
fn is_slow(error: &Error) -> bool {
    matches!(error.code, Code::TransformTimeout | Code::Overloaded)
}

/// Whether the picture can't be shown, now or later.
fn is_final(error: &Error) -> bool {
    error.code == Code::NotFound || error.status == 422 && !error.is_passing()
}

async fn later(services: &Services, plan: &Plan) -> Result<Delivered> {
    let (_, job) = enqueue(services, &plan.image, &plan.spec, None).await?;
    Ok(Delivered::Later(job.id))
}

/// The account's other picture instead of the one that failed with `error`, if there is one; if that fails too, it is `error` that
/// is told.
async fn fallback(
    services: &Arc<Services>,
    ask: &Ask,
    right: Option<&Right>,
    error: Error,
) -> Result<Delivered> {
    let Some(right) = right.filter(|_| is_final(&error)) else { return Err(error) };
    let Some(plan) = planner(services).fallback(ask, right).await.map(Arc::new) else {
        return Err(error);
    };
    match find::find(services, &plan).await {
        Ok(found) => Ok(Delivered::Picture { found, plan, instead_of: Some(error.code) }),
        Err(_) => Err(error),
    }
}

/// Has files that nobody needs removed, unless somebody is at it; what that one missed is for the next round.
fn sweep(services: &Arc<Services>) {
    let delivery = &services.delivery;
    if !delivery.littered.load(Ordering::Acquire) {
        return;
    }
    let Ok(sweeping) = delivery.sweeping.clone().try_lock_owned() else { return };
    let this = services.clone();
    delivery.background.spawn(async move {
        let _sweeping = sweeping;
        while this.delivery.littered.swap(false, Ordering::AcqRel) {
            if let Err(error) = remove_orphans(&this).await {
                this.delivery.littered.store(true, Ordering::Release);
                tracing::warn!(%error, cause = error.cause, "the cache on the disk was not swept");
                return;
            }
        }
    });
}

/// Removes pictures from the disk whose originals have gone.
async fn remove_orphans(services: &Services) -> Result<()> {
    let pictures = &services.delivery.pictures;
    for some in pictures.images().await.chunks(SWEPT) {
        let query = ImagesThere { user_id: None, ids: some.to_vec() };
        let there = services.database.ask(query).await?;
        some.iter().filter(|id| !there.contains(id)).for_each(|id| pictures.forget(*id));
    }
    Ok(())
}
