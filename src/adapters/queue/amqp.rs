//! RabbitMQ.
//!
//! ```text
//!   QUEUE_NAME            quorum queue: the jobs
//!   QUEUE_NAME.delay.4s   quorum queues of 1, 2, 4 … 256 s: a message that has waited this long goes back to the jobs
//!   QUEUE_NAME.dead       exchange and quorum queue: what made no sense, or was brought too often
//! ```
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
    BasicProperties, Channel, Confirmation, Connection, ConnectionProperties, Consumer, ErrorKind,
    ExchangeKind,
    message::Delivery as Message,
    options::{
        BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions,
        ConfirmSelectOptions, ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions,
    },
    types::{AMQPValue, FieldTable, ShortString},
    uri::AMQPUri,
};
use secrecy::ExposeSecret;
use tokio::sync::Mutex;

use super::{Delivery, Message as Body};
use crate::{
    adapters::{Resource, jittered},
    config,
    domain::{
        error::{Error, Result},
        ids::JobId,
    },
};

/// Pause before the second attempt to connect; doubled for each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// The longest pause.
const LAST_PAUSE: Duration = Duration::from_secs(5);
/// How long connecting, and declaring, may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long the broker may take to confirm.
const CONFIRM: Duration = Duration::from_secs(10);
/// Seconds after which a broker that says nothing is taken for gone.
const HEARTBEAT: u16 = 10;
/// How often a message is brought before it is put aside. The database gives a job up long before.
const DELIVERY_LIMIT: i64 = 20;
/// Seconds that messages can be held for, the longest first.
const DELAYS: [u32; 9] = [256, 128, 64, 32, 16, 8, 4, 2, 1];

/// Which broker, and which of its queues.
#[derive(Clone)]
pub struct Broker {
    uri: AMQPUri,
    queue: String,
}

impl Broker {
    /// The broker of `settings`; `None` if there is none.
    ///
    /// # Errors
    /// `internal` when its URL can't be read.
    pub fn new(settings: &config::Queue) -> Result<Option<Self>> {
        let Some(url) = &settings.amqp else { return Ok(None) };
        let mut uri: AMQPUri = url.expose_secret().parse().map_err(Error::internal)?;
        if uri.vhost.is_empty() {
            // A URL that ends in a slash means no other than the usual one.
            "/".clone_into(&mut uri.vhost);
        }
        uri.query.heartbeat.get_or_insert(HEARTBEAT);
        Ok(Some(Self { uri, queue: settings.name.clone() }))
    }

    fn dead(&self) -> String {
        format!("{}.dead", self.queue)
    }

    fn delay(&self, seconds: u32) -> String {
        format!("{}.delay.{seconds}s", self.queue)
    }

    /// Every queue, and what it is declared with.
    fn queues(&self) -> Vec<(String, Vec<(&'static str, AMQPValue)>)> {
        let jobs = vec![
            ("x-delivery-limit", AMQPValue::LongLongInt(DELIVERY_LIMIT)),
            ("x-dead-letter-exchange", text(&self.dead())),
        ];
        let delayed = |seconds: u32| {
            let arguments = vec![
                ("x-message-ttl", AMQPValue::LongLongInt(i64::from(seconds) * 1000)),
                ("x-dead-letter-exchange", text("")),
                ("x-dead-letter-routing-key", text(&self.queue)),
            ];
            (self.delay(seconds), arguments)
        };
        let mut queues = vec![(self.dead(), Vec::new()), (self.queue.clone(), jobs)];
        queues.extend(DELAYS.map(delayed));
        queues
    }

    async fn open(&self) -> lapin::Result<Connection> {
        let name = format!("darkroom {}", std::process::id());
        let properties = ConnectionProperties::default().with_connection_name(name.into());
        Connection::connect_uri(self.uri.clone(), properties).await
    }

    /// A connection, and a channel on which everything is declared.
    async fn connect(&self) -> Result<Link> {
        let connecting = async {
            let connection = self.open().await?;
            let channel = connection.create_channel().await?;
            channel.confirm_select(ConfirmSelectOptions::default()).await?;
            self.declare(&channel).await?;
            Ok(Link { connection: std::sync::Arc::new(connection), channel })
        };
        tokio::time::timeout(PATIENCE, connecting)
            .await
            .map_err(|_| unavailable("no answer"))?
            .map_err(|error| self.refused(&error))
    }

    async fn declare(&self, channel: &Channel) -> lapin::Result<()> {
        let dead = self.dead();
        declare_exchange(channel, &dead, false).await?;
        for (name, arguments) in self.queues() {
            declare_queue(channel, &name, &arguments, false).await?;
        }
        let (bind, everything) = (QueueBindOptions::default(), ShortString::default());
        channel
            .queue_bind(short(&dead), short(&dead), everything, bind, FieldTable::default())
            .await
    }

    /// Looks at what stands at the broker, and makes nothing that is not there.
    ///
    /// # Errors
    /// `dependency_unavailable` when it can't be reached, or does not let us in.
    pub async fn survey(&self) -> Result<Survey> {
        let surveying = async {
            let connection = self.open().await?;
            let queues = self.queues();
            let looks = queues.iter().map(|(name, arguments)| look(&connection, name, arguments));
            let dead = self.dead();
            let (exchange, looks) =
                tokio::join!(look_at_exchange(&connection, &dead), join_all(looks));
            let mut survey = Survey { vhost: self.uri.vhost.clone(), ..Survey::default() };
            survey.other.extend(exchange?);
            for ((name, _), found) in queues.iter().zip(looks) {
                match found? {
                    Found::Nothing => survey.missing += 1,
                    Found::Other(said) => survey.other.push(said),
                    Found::Ours { messages, .. } if *name == dead => survey.dead = messages,
                    Found::Ours { messages, consumers } if *name == self.queue => {
                        (survey.messages, survey.consumers) = (messages, consumers);
                    }
                    Found::Ours { .. } => {}
                }
            }
            survey.queues = queues.len();
            // A broker that is gone needs no farewell.
            let _ = connection.close(200, "bye".into()).await;
            lapin::Result::Ok(survey)
        };
        tokio::time::timeout(PATIENCE, surveying)
            .await
            .map_err(|_| unavailable("no answer"))?
            .map_err(|error| self.refused(&error))
    }

    /// What went wrong, for the log. Not everything is an outage that passes.
    fn refused(&self, error: &lapin::Error) -> Error {
        let cause = match error.kind() {
            ErrorKind::ProtocolError(said) if said.get_id() == PRECONDITION_FAILED => format!(
                "a queue of the name {} stands there with other properties, declared by another \
                 version or another program: {MEND_OTHER} ({said})",
                self.queue
            ),
            _ => error.to_string(),
        };
        unavailable(cause)
    }
}

/// What to do with a queue that was declared otherwise.
pub const MEND_OTHER: &str = "delete it when it is empty, or set QUEUE_NAME to a name that is free";
/// AMQP's reply code of that name.
const PRECONDITION_FAILED: u16 = 406;

/// AMQP's reply code for what is not there.
const NOT_FOUND: u16 = 404;

/// What stands at a broker, beside what this version declares.
#[derive(Debug, Default)]
pub struct Survey {
    /// Where it was looked.
    pub vhost: String,
    /// Queues that there are to be.
    pub queues: usize,
    /// Those that are not there yet.
    pub missing: usize,
    /// What the broker says of those that were declared otherwise, by another version or another program.
    pub other: Vec<String>,
    /// Jobs that it has for workers.
    pub messages: u32,
    /// Workers that take them.
    pub consumers: u32,
    /// Messages that made no sense, or were brought too often.
    pub dead: u32,
}

/// What stands under a name.
enum Found {
    Nothing,
    Ours { messages: u32, consumers: u32 },
    Other(String),
}

/// Looks for a queue, without making one. One that is there is then declared, which changes nothing: the broker compares. Each
/// on a channel of its own, which ends with the first no.
async fn look(
    connection: &Connection,
    name: &str,
    arguments: &[(&str, AMQPValue)],
) -> lapin::Result<Found> {
    let channel = connection.create_channel().await?;
    let queue = match declare_queue(&channel, name, arguments, true).await {
        Err(error) if replied(&error, NOT_FOUND) => return Ok(Found::Nothing),
        queue => queue?,
    };
    match declare_queue(&channel, name, arguments, false).await {
        Err(error) if replied(&error, PRECONDITION_FAILED) => Ok(Found::Other(error.to_string())),
        Err(error) => Err(error),
        Ok(_) => {
            Ok(Found::Ours { messages: queue.message_count(), consumers: queue.consumer_count() })
        }
    }
}

/// The same for the exchange; what is wrong with it.
async fn look_at_exchange(connection: &Connection, name: &str) -> lapin::Result<Option<String>> {
    let channel = connection.create_channel().await?;
    match declare_exchange(&channel, name, true).await {
        Err(error) if replied(&error, NOT_FOUND) => return Ok(None),
        found => found?,
    }
    match declare_exchange(&channel, name, false).await {
        Err(error) if replied(&error, PRECONDITION_FAILED) => Ok(Some(error.to_string())),
        declared => declared.map(|()| None),
    }
}

/// Whether the broker's answer was this.
fn replied(error: &lapin::Error, code: u16) -> bool {
    matches!(error.kind(), ErrorKind::ProtocolError(said) if said.get_id() == code)
}

async fn declare_exchange(channel: &Channel, name: &str, passive: bool) -> lapin::Result<()> {
    let options = ExchangeDeclareOptions { durable: true, passive, ..Default::default() };
    channel
        .exchange_declare(short(name), ExchangeKind::Fanout, options, FieldTable::default())
        .await
}

async fn declare_queue(
    channel: &Channel,
    name: &str,
    arguments: &[(&str, AMQPValue)],
    passive: bool,
) -> lapin::Result<lapin::Queue> {
    let mut table = FieldTable::default();
    table.insert(short("x-queue-type"), text("quorum"));
    for (name, value) in arguments {
        table.insert(short(name), value.clone());
    }
    let options = QueueDeclareOptions { durable: true, passive, ..Default::default() };
    channel.queue_declare(short(name), options, table).await
}

fn short(text: &str) -> ShortString {
    text.into()
}

fn text(text: &str) -> AMQPValue {
    AMQPValue::LongString(text.into())
}

fn unavailable(cause: impl std::fmt::Display) -> Error {
    Error::unavailable(super::Publisher::WHAT, cause)
}

/// Messages survive the broker.
fn properties() -> BasicProperties {
    const PERSISTENT: u8 = 2;
    BasicProperties::default()
        .with_delivery_mode(PERSISTENT)
        .with_content_type("application/json".into())
}

/// A connection that works until it doesn't.
#[derive(Clone)]
struct Link {
    connection: std::sync::Arc<Connection>,
    channel: Channel,
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
