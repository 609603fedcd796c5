//! RabbitMQ: connections, and what is declared there.
//!
//! ```text
//!   QUEUE_NAME            quorum queue: the jobs
//!   QUEUE_NAME.delay.4s   quorum queues of 1, 2, 4 … 256 s: a message that has waited this long goes back to the jobs
//!   QUEUE_NAME.dead       exchange and quorum queue: what made no sense, or was brought too often
//! ```

use std::{sync::Arc, time::Duration};

use lapin::{
    Channel, Connection, ConnectionProperties, ErrorKind, ExchangeKind,
    options::{
        ConfirmSelectOptions, ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions,
    },
    types::{AMQPValue, FieldTable, ShortString},
    uri::AMQPUri,
};
use secrecy::ExposeSecret;

use crate::{
    adapters::Resource,
    config,
    domain::error::{Error, Result},
};

/// How long connecting, and declaring, may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
/// Seconds after which a broker that says nothing is taken for gone.
const HEARTBEAT: u16 = 10;
/// How often a message is brought before it is put aside. The database gives a job up long before.
const DELIVERY_LIMIT: i64 = 20;
/// Seconds that messages can be held for, the longest first.
pub(super) const DELAYS: [u32; 9] = [256, 128, 64, 32, 16, 8, 4, 2, 1];
/// What to do with a queue that was declared otherwise.
pub const MEND_OTHER: &str = "delete it when it is empty, or set QUEUE_NAME to a name that is free";
/// AMQP's reply code for that.
pub(super) const PRECONDITION_FAILED: u16 = 406;

/// Which broker, and which of its queues.
#[derive(Clone)]
pub struct Broker {
    pub(super) uri: AMQPUri,
    pub(super) queue: String,
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

    pub(super) fn dead(&self) -> String {
        format!("{}.dead", self.queue)
    }

    pub(super) fn delay(&self, seconds: u32) -> String {
        format!("{}.delay.{seconds}s", self.queue)
    }

    /// Every queue, and what it is declared with.
    pub(super) fn queues(&self) -> Vec<(String, Vec<(&'static str, AMQPValue)>)> {
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

    pub(super) async fn open(&self) -> lapin::Result<Connection> {
        let name = format!("darkroom {}", std::process::id());
        let properties = ConnectionProperties::default().with_connection_name(name.into());
        Connection::connect_uri(self.uri.clone(), properties).await
    }

    /// A connection, and a channel on which everything is declared.
    pub(super) async fn connect(&self) -> Result<Link> {
        let connecting = async {
            let connection = self.open().await?;
            let channel = connection.create_channel().await?;
            channel.confirm_select(ConfirmSelectOptions::default()).await?;
            self.declare(&channel).await?;
            Ok(Link { connection: Arc::new(connection), channel })
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

    /// What went wrong, for the log. Not everything is an outage that passes.
    pub(super) fn refused(&self, error: &lapin::Error) -> Error {
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

/// Declares the exchange, or, if it is `passive`, looks for it.
pub(super) async fn declare_exchange(
    channel: &Channel,
    name: &str,
    passive: bool,
) -> lapin::Result<()> {
    let options = ExchangeDeclareOptions { durable: true, passive, ..Default::default() };
    channel
        .exchange_declare(short(name), ExchangeKind::Fanout, options, FieldTable::default())
        .await
}

/// The same for a queue; what is in it.
pub(super) async fn declare_queue(
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

/// A connection that works until it doesn't.
#[derive(Clone)]
pub(super) struct Link {
    pub(super) connection: Arc<Connection>,
    pub(super) channel: Channel,
}

pub(super) fn short(text: &str) -> ShortString {
    text.into()
}

pub(super) fn text(text: &str) -> AMQPValue {
    AMQPValue::LongString(text.into())
}

pub(super) fn unavailable(cause: impl std::fmt::Display) -> Error {
    Error::unavailable(super::Publisher::WHAT, cause)
}
