//! What carries jobs to workers: RabbitMQ, or, where there is none, this process itself.
//!
//! A message only says which job is to be looked at. Whether that job is to be run, the database decides when a worker
//! takes it (`adapters/db/queue.rs`), so a message that comes twice is harmless, and one that is lost is sent again.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Query, Resource};
use crate::domain::{error::Result, ids::JobId};

mod amqp;
mod broker;
mod local;
mod survey;

pub use self::{
    broker::{Broker, MEND_OTHER},
    local::LocalQueue,
    survey::Survey,
};

/// Where jobs are handed over.
pub enum Publisher {
    /// To a broker, for any worker.
    Amqp(Box<amqp::Publisher>),
    /// To the worker in this process.
    Local(LocalQueue),
}

impl Publisher {
    /// Hands over to `broker`; connects when there is something to hand over.
    pub fn amqp(broker: Broker) -> Self {
        Publisher::Amqp(Box::new(amqp::Publisher::new(broker)))
    }
}

impl Resource for Publisher {
    const WHAT: &'static str = "the queue";

    async fn close(&self) {
        match self {
            Publisher::Amqp(publisher) => publisher.close().await,
            Publisher::Local(_) => {}
        }
    }
}

/// How many jobs there is room for, once the queue is reached; `None` when that is for the database to say, because others hand over to the same
/// broker.
pub struct QueueRoom;

impl Query<Publisher> for QueueRoom {
    const NAME: &'static str = "queue.room";
    type Output = Option<i64>;

    async fn run(self, publisher: &Publisher) -> Result<Option<i64>> {
        match publisher {
            // Nothing is leased for a broker that can't be reached.
            Publisher::Amqp(publisher) => publisher.connect().await.map(|()| None),
            Publisher::Local(queue) => Ok(Some(queue.room())),
        }
    }
}

/// Hands jobs over, all at once; each is due at its time.
pub struct Publish {
    /// The jobs.
    pub jobs: Vec<(JobId, DateTime<Utc>)>,
    /// The present.
    pub now: DateTime<Utc>,
}

impl Query<Publisher> for Publish {
    const NAME: &'static str = "queue.publish";
    /// Those that the queue has for certain.
    type Output = Vec<JobId>;

    async fn run(self, publisher: &Publisher) -> Result<Vec<JobId>> {
        match publisher {
            Publisher::Amqp(publisher) => publisher.publish(&self.jobs, self.now).await,
            Publisher::Local(queue) => Ok(queue.publish(&self.jobs)),
        }
    }
}

/// Whether the queue could be reached when it was needed last, which is a second ago: answered at once.
pub struct CheckQueue;

impl Query<Publisher> for CheckQueue {
    const NAME: &'static str = "queue.check";
    type Output = ();

    async fn run(self, publisher: &Publisher) -> Result<()> {
        match publisher {
            Publisher::Amqp(publisher) => publisher.check(),
            Publisher::Local(_) => Ok(()),
        }
    }
}

/// Where a worker gets its jobs from.
#[derive(Clone)]
pub enum Source {
    /// A broker.
    Amqp(Broker),
    /// This process.
    Local(LocalQueue),
}

impl Source {
    /// Begins to receive, at most `prefetch` jobs that are not settled at a time.
    ///
    /// # Errors
    /// `dependency_unavailable` when the broker can't be reached, or refuses.
    pub async fn subscribe(&self, prefetch: u16) -> Result<Subscription> {
        match self {
            Source::Amqp(broker) => {
                let subscription = amqp::Subscription::new(broker, prefetch).await?;
                Ok(Subscription::Amqp(Box::new(subscription)))
            }
            Source::Local(queue) => Ok(Subscription::Local(queue.clone())),
        }
    }
}

impl Source {
    /// Jobs that this process holds for itself and that nobody will receive any more.
    pub fn left(&self) -> Vec<JobId> {
        match self {
            Source::Amqp(_) => Vec::new(),
            Source::Local(queue) => queue.left(),
        }
    }
}

/// Jobs as they come.
pub enum Subscription {
    /// From a broker.
    Amqp(Box<amqp::Subscription>),
    /// From this process.
    Local(LocalQueue),
}

impl Subscription {
    /// The next one. Nothing is lost if this is dropped before it answers.
    ///
    /// # Errors
    /// `dependency_unavailable` when the connection is lost: then subscribe again.
    pub async fn next(&mut self) -> Result<Delivery> {
        match self {
            Subscription::Amqp(subscription) => subscription.next().await,
            Subscription::Local(queue) => Ok(queue.next().await),
        }
    }
}

/// One job brought. One that is dropped unsettled comes again.
pub struct Delivery {
    body: Vec<u8>,
    receipt: Receipt,
}

enum Receipt {
    Amqp(Box<amqp::Receipt>),
    Local(local::Receipt),
}

/// What a message says.
#[derive(Debug, Serialize, Deserialize)]
struct Message {
    job_id: JobId,
}

impl Message {
    fn of(job_id: JobId) -> Vec<u8> {
        // An id has a JSON form.
        serde_json::to_vec(&Message { job_id }).unwrap_or_default()
    }
}

impl Delivery {
    /// Which job it is, or why that can't be told.
    pub fn job_id(&self) -> Result<JobId, String> {
        serde_json::from_slice::<Message>(&self.body)
            .map(|message| message.job_id)
            .map_err(|error| format!("no job is named: {error}"))
    }

    /// It is settled: not to be brought again.
    pub async fn ack(self) {
        match self.receipt {
            Receipt::Amqp(receipt) => receipt.ack().await,
            Receipt::Local(receipt) => receipt.ack(),
        }
    }

    /// It makes no sense: to be kept aside, for people to look at.
    pub async fn refuse(self, reason: &str) {
        tracing::error!(reason, "a message is put aside");
        match self.receipt {
            Receipt::Amqp(receipt) => receipt.refuse(&self.body, reason).await,
            Receipt::Local(receipt) => receipt.ack(),
        }
    }
}
