//! Jobs to RabbitMQ and from it. What is declared there is in `broker.rs`.
//!
//! Nothing is repaired: after any error the connection is dropped, and whoever needs it next makes a new one and declares
//! everything again. (lapin's own recovery does not come back from every restart of a broker.)

use std::{
    sync::PoisonError,
    time::{Duration, Instant},
};

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::{StreamExt, future::join_all};
use lapin::{
    BasicProperties, Channel, Confirmation, Connection, Consumer,
    message::Delivery as Message,
    options::{BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions},
    types::{FieldTable, ShortString},
};
use tokio::sync::Mutex;

use super::{
    Delivery, Message as Body,
    broker::{Broker, DELAYS, Link, PATIENCE, short, text, unavailable},
};
use crate::{
    adapters::jittered,
    domain::{
        error::{Error, Result},
        ids::JobId,
    },
};

/// Pause before the second attempt to connect; doubled for each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// The longest pause.
const LAST_PAUSE: Duration = Duration::from_secs(5);
/// How long the broker may take to confirm.
const CONFIRM: Duration = Duration::from_secs(10);

/// Messages survive the broker.
fn properties() -> BasicProperties {
    const PERSISTENT: u8 = 2;
    BasicProperties::default()
        .with_delivery_mode(PERSISTENT)
        .with_content_type("application/json".into())
}

/// Hands jobs over, and knows that the broker has them.
pub struct Publisher {
    broker: Broker,
    state: Mutex<State>,
    /// How it went last. Read by those who can't wait.
    known: std::sync::Mutex<Result<()>>,
}

/// The connection, or what is known of the last attempt to make one.
#[derive(Default)]
struct State {
    link: Option<Link>,
    failure: Option<Failure>,
}

/// Why there is no connection. It is not tried again before its time, however many ask.
struct Failure {
    error: Error,
    pause: Duration,
    until: Instant,
}

impl Publisher {
    pub(super) fn new(broker: Broker) -> Self {
        let known = std::sync::Mutex::new(Err(unavailable("not reached yet")));
        Self { broker, state: Mutex::default(), known }
    }

    pub(super) async fn publish(
        &self,
        jobs: &[(JobId, DateTime<Utc>)],
        now: DateTime<Utc>,
    ) -> Result<Vec<JobId>> {
        let mut state = self.state.lock().await;
        let channel = self.channel(&mut state).await?;
        let publishing = async {
            let mut confirms = Vec::with_capacity(jobs.len());
            for (job_id, run_at) in jobs {
                let queue = self.queue_for(*run_at - now);
                let options = BasicPublishOptions { mandatory: true, ..Default::default() };
                let properties = properties().with_message_id(job_id.to_string().into());
                let confirm = channel
                    .basic_publish(
                        ShortString::default(),
                        short(&queue),
                        options,
                        &Body::of(*job_id),
                        properties,
                    )
                    .await?;
                confirms.push(async move { (*job_id, confirm.await) });
            }
            lapin::Result::Ok(join_all(confirms).await)
        };
        let answered = tokio::time::timeout(CONFIRM, publishing).await;
        let confirmed = match answered {
            Ok(Ok(confirmed)) => confirmed,
            Ok(Err(error)) => {
                state.link = None;
                return Err(self.broker.refused(&error));
            }
            Err(_) => {
                state.link = None;
                return Err(unavailable("no confirmation in time"));
            }
        };
        let mut had = Vec::with_capacity(confirmed.len());
        for (job_id, confirmation) in confirmed {
            match confirmation {
                Ok(Confirmation::Ack(None)) => had.push(job_id),
                // Returned: its queue was deleted. Declared again with the next connection.
                Ok(other) => {
                    tracing::warn!(job = %job_id, ?other, "the broker did not take a message");
                    state.link = None;
                }
                Err(error) => {
                    tracing::debug!(job = %job_id, %error, "the broker did not confirm");
                    state.link = None;
                }
            }
        }
        Ok(had)
    }

    /// The longest that is not too long: what is left of the time is waited for the same way, when the message is back.
    fn queue_for(&self, after: TimeDelta) -> String {
        let seconds = after.num_seconds();
        match DELAYS.iter().find(|delay| i64::from(**delay) <= seconds) {
            Some(delay) => self.broker.delay(*delay),
            None => self.broker.queue.clone(),
        }
    }

    async fn channel(&self, state: &mut State) -> Result<Channel> {
        let channel = self.connected(state).await;
        let known = channel.as_ref().map(drop).map_err(Clone::clone);
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = known;
        channel
    }

    async fn connected(&self, state: &mut State) -> Result<Channel> {
        if let Some(link) = &state.link
            && link.channel.status().connected()
            && link.connection.status().connected()
        {
            return Ok(link.channel.clone());
        }
        state.link = None;
        if let Some(failure) = &state.failure
            && Instant::now() < failure.until
        {
            return Err(failure.error.clone());
        }
        match self.broker.connect().await {
            Ok(link) => {
                if state.failure.take().is_some() {
                    tracing::info!("the broker answers again");
                }
                let channel = link.channel.clone();
                state.link = Some(link);
                Ok(channel)
            }
            Err(error) => {
                let pause = state.failure.take().map(|failure| failure.pause * 2);
                if pause.is_none() {
                    tracing::warn!(%error, cause = error.cause, "the broker can't be reached; trying again");
                }
                let pause = pause.unwrap_or(FIRST_PAUSE).min(LAST_PAUSE);
                let until = Instant::now() + jittered(pause);
                state.failure = Some(Failure { error: error.clone(), pause, until });
                Err(error)
            }
        }
    }

    /// Makes sure that there is a connection.
    pub(super) async fn connect(&self) -> Result<()> {
        let mut state = self.state.lock().await;
        self.channel(&mut state).await.map(drop)
    }

    /// Whether there was one when it was looked last, without waiting for it.
    pub(super) fn check(&self) -> Result<()> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) async fn close(&self) {
        if let Some(link) = self.state.lock().await.link.take() {
            // A broker that is gone needs no farewell.
            let _ = link.connection.close(200, "bye".into()).await;
        }
    }
}

/// Jobs as a broker brings them.
pub struct Subscription {
    broker: Broker,
    link: Link,
    consumer: Consumer,
}

impl Subscription {
    pub(super) async fn new(broker: &Broker, prefetch: u16) -> Result<Self> {
        let link = broker.connect().await?;
        let subscribing = async {
            link.channel.basic_qos(prefetch, BasicQosOptions::default()).await?;
            let (options, table) = (BasicConsumeOptions::default(), FieldTable::default());
            let tag = ShortString::default();
            link.channel.basic_consume(short(&broker.queue), tag, options, table).await
        };
        let consumer = tokio::time::timeout(PATIENCE, subscribing)
            .await
            .map_err(|_| unavailable("no answer"))?
            .map_err(|error| broker.refused(&error))?;
        Ok(Self { broker: broker.clone(), link, consumer })
    }

    pub(super) async fn next(&mut self) -> Result<Delivery> {
        match self.consumer.next().await {
            Some(Ok(mut message)) => {
                let body = std::mem::take(&mut message.data);
                let receipt = Receipt {
                    message,
                    channel: self.link.channel.clone(),
                    dead: self.broker.dead(),
                    _connection: self.link.connection.clone(),
                };
                Ok(Delivery { body, receipt: super::Receipt::Amqp(Box::new(receipt)) })
            }
            Some(Err(error)) => Err(self.broker.refused(&error)),
            None => Err(unavailable("the broker ended the subscription")),
        }
    }
}

/// A message that was brought.
pub(super) struct Receipt {
    message: Message,
    channel: Channel,
    dead: String,
    /// Dropping the last handle would close it, and unsettled messages would be brought again.
    _connection: std::sync::Arc<Connection>,
}

impl Receipt {
    pub(super) async fn ack(self) {
        if let Err(error) = self.message.ack(BasicAckOptions::default()).await {
            // It will be brought again, and found settled.
            tracing::debug!(%error, "a message could not be settled");
        }
    }

    /// Puts the message where the broker puts what it gives up, with the reason; only then it is settled.
    pub(super) async fn refuse(self, body: &[u8], reason: &str) {
        let mut headers = FieldTable::default();
        headers.insert(short("x-reason"), text(reason));
        let publishing = async {
            let (key, options) = (ShortString::default(), BasicPublishOptions::default());
            let properties = properties().with_headers(headers);
            let confirm =
                self.channel.basic_publish(short(&self.dead), key, options, body, properties);
            confirm.await?.await
        };
        match tokio::time::timeout(CONFIRM, publishing).await {
            Ok(Ok(Confirmation::Ack(_))) => self.ack().await,
            other => tracing::warn!(?other, "a message could not be put aside; it will come again"),
        }
    }
}
