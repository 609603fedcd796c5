//! Following jobs as they change. Every change stands in the database; news only says when to look.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use chrono::TimeDelta;

use super::Services;
use crate::{
    actors::notifier::{News, Watch},
    adapters::db::{
        events::{EventsOfJob, EventsOfUser},
        jobs::JobById,
        now,
    },
    domain::{
        error::Result,
        ids::{EventId, JobId, UserId},
        job::{Event, Job},
    },
};

/// How long nobody looks when there is no news.
const LOOK: Duration = Duration::from_secs(5);
/// How much later than its id says an event of an account may appear: clocks differ, and transactions take time.
const OVERLAP: TimeDelta = TimeDelta::seconds(10);
/// Events that are read at once.
const PAGE: i64 = 500;

/// What happens to jobs, from some point on.
pub struct Feed {
    services: Arc<Services>,
    user_id: UserId,
    scope: Scope,
    watch: Watch,
    read: VecDeque<(Option<EventId>, Job)>,
    /// There is news that was not looked at.
    behind: bool,
    ended: bool,
}

enum Scope {
    /// One job; in its own order, each event once.
    Job { id: JobId, after: Option<EventId> },
    /// All jobs of the account. What is read again because it may have come late is told once.
    Account { since: EventId, told: BTreeSet<EventId> },
}

impl Feed {
    /// What happens to a job, from its beginning or after an event, until it has ended.
    ///
    /// # Errors
    /// `not_found`.
    pub async fn of_job(
        services: Arc<Services>,
        user_id: UserId,
        id: JobId,
        after: Option<EventId>,
    ) -> Result<Self> {
        let mut feed = Self::new(services, user_id, Scope::Job { id, after });
        feed.look().await?;
        if feed.read.is_empty() {
            let job = feed.services.database.ask(JobById { user_id, id }).await?;
            feed.ended = job.status.is_finished();
            if after.is_none() {
                // Its events were forgotten.
                feed.read.push_back((None, job));
            }
        }
        Ok(feed)
    }

    /// What happens to all jobs of an account from now on, or after an event. After a reconnection some of the last events
    /// may be told again; none is left out.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn of_account(
        services: Arc<Services>,
        user_id: UserId,
        after: Option<EventId>,
    ) -> Result<Self> {
        let since = match after {
            Some(EventId(id)) => {
                let seconds = id.get_timestamp().map_or((0, 0), |time| time.to_unix());
                let time = i64::try_from(seconds.0)
                    .ok()
                    .and_then(|seconds| chrono::DateTime::from_timestamp(seconds, 0));
                EventId::first_of(time.unwrap_or_default() - OVERLAP)
            }
            None => EventId::first_of(now() - OVERLAP),
        };
        let told = after.into_iter().collect();
        let mut feed = Self::new(services, user_id, Scope::Account { since, told });
        feed.look().await?;
        if after.is_none() {
            // All that was before; an event that comes later under an earlier id, by another clock, is none of it.
            feed.read.clear();
        }
        Ok(feed)
    }

    fn new(services: Arc<Services>, user_id: UserId, scope: Scope) -> Self {
        // Before the first look: what happens between the two is news.
        let watch = services.notifier.watch();
        let read = VecDeque::new();
        Self { services, user_id, scope, watch, read, behind: false, ended: false }
    }

    /// The next change; `None` when no more will come. Nothing is lost if this is dropped before it answers.
    pub async fn next(&mut self) -> Option<(Option<EventId>, Job)> {
        loop {
            if let Some(next) = self.read.pop_front() {
                return Some(next);
            }
            if self.ended {
                return None;
            }
            if !self.behind {
                match tokio::time::timeout(LOOK, self.watch.next()).await {
                    Ok(Some(news)) if !self.concerns(news) => continue,
                    Ok(_) | Err(_) => self.behind = true,
                }
            }
            match self.look().await {
                Ok(()) => self.behind = false,
                Err(error) => {
                    tracing::debug!(%error, cause = error.cause, "can't follow jobs now");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
        }
    }

    fn concerns(&self, news: News) -> bool {
        news.user_id == self.user_id
            && match &self.scope {
                Scope::Job { id, .. } => news.job_id == *id,
                Scope::Account { .. } => true,
            }
    }

    async fn look(&mut self) -> Result<()> {
        let user_id = self.user_id;
        match &mut self.scope {
            Scope::Job { id, after } => {
                let query = EventsOfJob { user_id, job_id: *id, after: *after };
                for Event { id, job } in self.services.database.ask(query).await? {
                    *after = Some(id);
                    self.ended = job.status.is_finished();
                    self.read.push_back((Some(id), job));
                }
            }
            Scope::Account { since, told } => loop {
                let query = EventsOfUser { user_id, after: *since, limit: PAGE };
                let events = self.services.database.ask(query).await?;
                let full = events.len() >= usize::try_from(PAGE).unwrap_or(usize::MAX);
                let last = events.last().map(|event| event.id);
                for Event { id, job } in events {
                    if told.insert(id) {
                        self.read.push_back((Some(id), job));
                    }
                }
                if let (true, Some(last)) = (full, last) {
                    *since = last;
                    continue;
                }
                *since = (*since).max(EventId::first_of(now() - OVERLAP));
                *told = told.split_off(since);
                break;
            },
        }
        Ok(())
    }
}
