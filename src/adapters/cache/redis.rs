//! The cache that all processes share.
//!
//! Redis may be away at any time, also at the start: every call then fails at once ([`Breaker`]), and the caller goes on
//! without. It is in use again within a second of its return.

use std::{
    pin::Pin,
    sync::LazyLock,
    time::{Duration, Instant},
};

use bb8_redis::{RedisConnectionManager, bb8};
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use redis::{
    AsyncConnectionConfig, Client, Cmd, ErrorKind, FromRedisValue, IntoConnectionInfo, RedisError,
    RedisResult, Script, aio::MultiplexedConnection, cmd,
};
use secrecy::ExposeSecret;
use tokio::{sync::watch, time::timeout};

use crate::{
    adapters::breaker::{Breaker, Change},
    config,
    domain::{
        error::{Error, Result},
        rate::{Micros, Quota, Verdict},
    },
};

/// What it is called in answers.
const WHAT: &str = "Redis";
/// Connections at a time. Each carries any number of calls.
const CONNECTIONS: u32 = 16;
/// How long a subscription may take to begin, or to show that it lives.
const SUBSCRIBING: Duration = Duration::from_secs(5);
/// How long a subscription may be silent before it is asked whether it lives.
const SILENCE: Duration = Duration::from_secs(15);

/// One round trip takes what is asked for, or tells when it can be had.
static TAKE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("take_rate.lua")));

/// A pool of connections, made when they are needed.
pub struct Redis {
    pool: bb8::Pool<Manager>,
    /// Why the last connection could not be made.
    refused: watch::Receiver<String>,
    breaker: Breaker,
    prefix: String,
    timeout: Duration,
}

impl Redis {
    pub(super) fn new(settings: &config::Redis) -> Result<Self> {
        let url = settings.url.expose_secret();
        let inner = RedisConnectionManager::new(url).map_err(Error::internal)?;
        let client = Client::open(url).map_err(Error::internal)?;
        let times = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(settings.timeout))
            .set_response_timeout(Some(settings.timeout));
        let (tell, refused) = watch::channel(String::new());
        let pool = bb8::Pool::builder()
            .max_size(CONNECTIONS)
            .connection_timeout(settings.timeout)
            // The breaker says when to try again.
            .retry_connection(false)
            // A connection that broke looks like any other, until it is used.
            .test_on_check_out(true)
            .error_sink(Box::new(Sink))
            .build_unchecked(Manager { inner, client, times, refused: tell });
        let (breaker, prefix) = (Breaker::default(), settings.prefix.clone());
        Ok(Self { pool, refused, breaker, prefix, timeout: settings.timeout })
    }

    pub(super) async fn get(&self, keys: &[String]) -> Result<Vec<Option<Bytes>>> {
        let mut mget = cmd("MGET");
        for key in keys {
            mget.arg(self.named(key));
        }
        self.ask::<Vec<Option<Vec<u8>>>>(mget)
            .await
            .map(|values| values.into_iter().map(|value| value.map(Bytes::from)).collect())
    }

    pub(super) async fn put(&self, key: &str, value: &[u8], ttl: Duration) -> Result<()> {
        // Redis knows no time of zero.
        let millis = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX).max(1);
        let mut set = cmd("SET");
        set.arg(self.named(key)).arg(value).arg("PX").arg(millis);
        self.ask(set).await
    }

    pub(super) async fn take(&self, key: &str, quota: Quota, cost: i32) -> Result<Verdict> {
        let mut take = TAKE.prepare_invoke();
        take.key(self.named(key)).arg(quota.spacing()).arg(quota.limit).arg(cost);
        let (admitted, due, now): (bool, Micros, Micros) =
            self.on_connection(async |connection| take.invoke_async(connection).await).await?;
        Ok(quota.verdict(admitted, due, now, cost))
    }

    pub(super) async fn publish(&self, channel: &str, payload: &[u8]) -> Result<()> {
        let mut publish = cmd("PUBLISH");
        publish.arg(self.named(channel)).arg(payload);
        self.ask(publish).await
    }

    pub(super) async fn ping(&self) -> Result<()> {
        self.ask(cmd("PING")).await
    }

    pub(super) async fn info(&self) -> Result<String> {
        self.ask(cmd("INFO")).await
    }

    fn named(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    async fn ask<T: FromRedisValue>(&self, command: Cmd) -> Result<T> {
        self.on_connection(async |connection| command.query_async(connection).await).await
    }

    /// Has `work` done, if Redis is in reach. An error that Redis itself gives is an answer like another.
    async fn on_connection<T>(
        &self,
        work: impl AsyncFnOnce(&mut MultiplexedConnection) -> RedisResult<T>,
    ) -> Result<T> {
        if !self.breaker.admits(Instant::now()) {
            return Err(Error::unavailable(WHAT, "out of reach a moment ago"));
        }
        let answer = timeout(self.timeout, async {
            // It goes back at once: what is under way on it disturbs nobody.
            let mut connection = self.connection().await?.clone();
            work(&mut connection).await.map_err(Failed::from)
        });
        let answer = answer.await.unwrap_or_else(|_| Err(Failed::new("no answer in time")));
        let reached = answer.as_ref().err().is_none_or(|failed| failed.answered);
        match self.breaker.record(reached, Instant::now()) {
            Some(Change::Lost) => {
                let cause = answer.as_ref().err().map(|failed| failed.cause.as_str());
                tracing::warn!(cause, "Redis is out of reach; going on without it");
            }
            Some(Change::Regained) => tracing::info!("Redis is in reach again"),
            None => {}
        }
        answer.map_err(|failed| Error::unavailable(WHAT, failed.cause))
    }

    async fn connection(&self) -> Result<bb8::PooledConnection<'_, Manager>, Failed> {
        let mut refused = self.refused.clone();
        refused.mark_unchanged();
        tokio::select! {
            biased;
            connection = self.pool.get() => connection.map_err(Failed::new),
            // The pool would go on waiting for a connection that nobody is making.
            Ok(()) = refused.changed() => Err(Failed::new(refused.borrow().as_str())),
        }
    }
}

/// Why a call came to nothing.
struct Failed {
    /// By Redis' own word.
    answered: bool,
    cause: String,
}

impl Failed {
    fn new(cause: impl std::fmt::Display) -> Self {
        Self { answered: false, cause: cause.to_string() }
    }
}

impl From<RedisError> for Failed {
    fn from(error: RedisError) -> Self {
        let answered = matches!(error.kind(), ErrorKind::Server(_) | ErrorKind::Extension);
        Self { answered, cause: error.to_string() }
    }
}

/// Makes connections, and says when it can't.
struct Manager {
    inner: RedisConnectionManager,
    client: Client,
    /// For a connection, and for each answer on it; the client's own are shorter than may be asked for.
    times: AsyncConnectionConfig,
    refused: watch::Sender<String>,
}

impl bb8::ManageConnection for Manager {
    type Connection = MultiplexedConnection;
    type Error = RedisError;

    async fn connect(&self) -> RedisResult<MultiplexedConnection> {
        let connecting = self.client.get_multiplexed_async_connection_with_config(&self.times);
        connecting.await.inspect_err(|error| {
            self.refused.send_replace(error.to_string());
        })
    }

    async fn is_valid(&self, connection: &mut MultiplexedConnection) -> RedisResult<()> {
        self.inner.is_valid(connection).await
    }

    fn has_broken(&self, connection: &mut MultiplexedConnection) -> bool {
        self.inner.has_broken(connection)
    }
}

/// What goes wrong in the pool while nobody waits for it.
#[derive(Debug, Clone, Copy)]
struct Sink;

impl bb8::ErrorSink<RedisError> for Sink {
    fn sink(&self, error: RedisError) {
        tracing::debug!(%error, "a connection to Redis was lost, or not made");
    }

    fn boxed_clone(&self) -> Box<dyn bb8::ErrorSink<RedisError>> {
        Box::new(*self)
    }
}

/// What is told on a channel, as it comes.
pub type Payloads = Pin<Box<dyn Stream<Item = Bytes> + Send>>;

/// Listens to `channel`, on a connection of its own, until that breaks: then it ends, and what is told meanwhile is lost.
///
/// # Errors
/// `dependency_unavailable` when Redis can't be reached.
pub async fn subscribe(settings: &config::Redis, channel: &str) -> Result<Payloads> {
    let unavailable = |error: RedisError| Error::unavailable(WHAT, error);
    let info = settings.url.expose_secret().into_connection_info().map_err(Error::internal)?;
    let channel = format!("{}{channel}", settings.prefix);
    let subscribing = async {
        let mut subscription = Client::open(info)?.get_async_pubsub().await?;
        subscription.subscribe(channel).await?;
        Ok(subscription.split())
    };
    let subscription = timeout(SUBSCRIBING, subscribing)
        .await
        .map_err(|_| Error::unavailable(WHAT, "no answer in time"))?
        .map_err(unavailable)?;
    Ok(Box::pin(futures_util::stream::unfold(
        subscription,
        |(mut sink, mut messages)| async move {
            loop {
                tokio::select! {
                    message = messages.next() => {
                        let payload = Bytes::copy_from_slice(message?.get_payload_bytes());
                        return Some((payload, (sink, messages)));
                    }
                    () = tokio::time::sleep(SILENCE) => {}
                }
                // Of a connection that was cut without a word nothing is ever heard.
                timeout(SUBSCRIBING, sink.ping::<redis::Value>()).await.ok()?.ok()?;
            }
        },
    )))
}
