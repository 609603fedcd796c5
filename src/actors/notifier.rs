//! Tells those who watch that a job has changed. What it has become they read in the database, so news that is lost or
//! comes twice only costs time.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::{BufMut, BytesMut};
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::StreamExt;
use tokio::sync::broadcast;
use uuid::Uuid;

use super::{address::Address, rounds::Chore};
use crate::{
    adapters::{
        cache::{self, Cache, Publish},
        db::{Db, events::ChangedSince, now},
    },
    config,
    domain::{
        error::{Code, Result},
        ids::{EventId, JobId, UserId},
        job::Cancel,
    },
};

/// News that a slow watcher may have before it; one that has missed some looks at everything.
const BACKLOG: usize = 4096;
/// How far back the rounds look: a transaction may end this much later than the event in it began.
const OVERLAP: TimeDelta = TimeDelta::seconds(10);

/// A job has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct News {
    /// Whose job.
    pub user_id: UserId,
    /// Which.
    pub job_id: JobId,
}

/// Where news is told and heard. Cheap to clone.
#[derive(Clone)]
pub struct Notifier {
    /// Everything.
    told: broadcast::Sender<News>,
    /// What this process did.
    own: broadcast::Sender<News>,
    watchers: Arc<()>,
}

impl Default for Notifier {
    fn default() -> Self {
        let (told, own) = (broadcast::channel(BACKLOG).0, broadcast::channel(BACKLOG).0);
        Self { told, own, watchers: Arc::default() }
    }
}

impl News {
    /// Bytes of one piece of news on its way to another process.
    const SIZE: usize = 32;

    fn to_bytes(self) -> [u8; Self::SIZE] {
        let mut bytes = [0; Self::SIZE];
        let (user, job) = bytes.split_at_mut(16);
        user.copy_from_slice(self.user_id.0.as_bytes());
        job.copy_from_slice(self.job_id.0.as_bytes());
        bytes
    }

    /// What a payload says; what is no news is passed over.
    fn all_of(payload: &[u8]) -> impl Iterator<Item = News> + '_ {
        payload.chunks_exact(Self::SIZE).filter_map(|chunk| {
            let (user, job) = chunk.split_at_checked(16)?;
            let (user, job) = (Uuid::from_slice(user).ok()?, Uuid::from_slice(job).ok()?);
            Some(News { user_id: UserId(user), job_id: JobId(job) })
        })
    }
}

impl Notifier {
    /// Tells everybody: this process has changed a job.
    pub fn tell(&self, news: News) {
        // Nobody listening is nobody to tell.
        let _ = self.own.send(news);
        self.pass_on(news);
    }

    /// Tells everybody in this process what another one did.
    fn pass_on(&self, news: News) {
        let _ = self.told.send(news);
    }

    /// Hears what is told from now on.
    pub fn listen(&self) -> broadcast::Receiver<News> {
        self.told.subscribe()
    }

    /// The same, for somebody who must also hear of what other processes do.
    pub fn watch(&self) -> Watch {
        Watch { news: self.listen(), _counted: self.watchers.clone() }
    }

    fn is_watched(&self) -> bool {
        Arc::strong_count(&self.watchers) > 1
    }
}

/// Somebody who watches.
pub struct Watch {
    news: broadcast::Receiver<News>,
    /// While there are any, the database is looked at.
    _counted: Arc<()>,
}

impl Watch {
    /// The next news; `None` if some was missed.
    pub async fn next(&mut self) -> Option<News> {
        self.news.recv().await.ok()
    }
}

/// Looks in the database for what other processes did, as long as anybody watches.
#[derive(Clone)]
pub struct LookAround {
    /// Has the events.
    pub database: Address<Db>,
    /// Tells.
    pub notifier: Notifier,
    /// What was told already.
    pub told: Arc<Mutex<Told>>,
}

/// The events of the last few seconds that were told.
#[derive(Default)]
pub struct Told {
    since: Option<DateTime<Utc>>,
    events: HashSet<EventId>,
}

impl Chore for LookAround {
    const NAME: &'static str = "notifier";
    const EVERY: Duration = Duration::from_secs(1);

    async fn round(&self, _: &Cancel) -> Result<()> {
        let at = now();
        let since = {
            let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
            if !self.notifier.is_watched() {
                *told = Told::default();
                return Ok(());
            }
            *told.since.get_or_insert(at - OVERLAP)
        };
        let changed = self.database.ask(ChangedSince { after: EventId::first_of(since) }).await?;
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let mut events = HashSet::with_capacity(changed.len());
        for (event, user_id, job_id) in changed {
            events.insert(event);
            if !told.events.contains(&event) {
                self.notifier.pass_on(News { user_id, job_id });
            }
        }
        *told = Told { since: Some(at - OVERLAP), events };
        Ok(())
    }
}

/// Where processes tell each other.
const CHANNEL: &str = "jobs";
/// News that travels together.
const TOGETHER: usize = 64;

/// Carries news between processes, by Redis. What gets lost when that is away is found by [`LookAround`].
#[derive(Clone)]
pub struct Messenger {
    /// Which Redis to listen to.
    pub redis: config::Redis,
    /// Has a connection to it, to tell.
    pub cache: Address<Cache>,
    /// Tells, and is told.
    pub notifier: Notifier,
}

impl Chore for Messenger {
    const NAME: &'static str = "messenger";
    const EVERY: Duration = Duration::from_secs(1);

    /// As long as the connection holds.
    async fn round(&self, _: &Cancel) -> Result<()> {
        let mut heard = match cache::subscribe(&self.redis, CHANNEL).await {
            Ok(heard) => heard,
            // The cache says so itself, once.
            Err(error) if error.code == Code::DependencyUnavailable => return Ok(()),
            Err(error) => return Err(error),
        };
        let mut own = self.notifier.own.subscribe();
        loop {
            tokio::select! {
                payload = heard.next() => match payload {
                    Some(payload) => News::all_of(&payload).for_each(|news| self.notifier.pass_on(news)),
                    None => return Ok(()),
                },
                // Some that was missed is found in the database.
                news = own.recv() => if let Ok(news) = news {
                    let mut payload = BytesMut::from(&news.to_bytes()[..]);
                    while payload.len() < TOGETHER * News::SIZE && let Ok(news) = own.try_recv() {
                        payload.put_slice(&news.to_bytes());
                    }
                    let publish = Publish { channel: CHANNEL.to_owned(), payload: payload.freeze() };
                    if let Err(error) = self.cache.ask(publish).await {
                        tracing::debug!(%error, cause = error.cause, "other processes were not told");
                    }
                },
            }
        }
    }
}
