//! The composition root: the one place that builds adapters and starts actors. `main` and the tests
//! both start the service here.

use std::{
    fs::File,
    net::SocketAddr,
    sync::{Arc, OnceLock},
    time::Duration,
};

use tokio::{
    sync::{Mutex, watch},
    task::JoinHandle,
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use crate::{
    actors::{
        address::Address,
        cdn::TellCdn,
        consumer::{Consumer, LEASE},
        describer::Describer,
        doorbell::Doorbell,
        janitor::{RemoveExpired, RemoveObjects, RescueLost},
        notifier::{LookAround, Messenger, Notifier},
        owner::{Open, Opening, Owner},
        relay::Relay,
        rounds,
        supervisor::Tree,
        transformer::Transformer,
        webhooks::Webhooks,
    },
    adapters::{
        Query,
        cache::Cache,
        cdn::Cdn,
        db::{self, Db, SchemaState, now, outbox::ResetOutbox, queue::RescueJobs},
        fetch::Fetcher,
        password::Passwords,
        pictures::Pictures,
        queue::{Broker, LocalQueue, Publisher, Source},
        secret,
        storage::Storage,
        token::Tokens,
    },
    config::{Config, StorageKind},
    domain::error::{Code, Error, Result},
    flows::{
        Services,
        delivery::{Delivery, Listen},
        files::Files,
        import::Imports,
        transform::{TransformRunner, Work},
    },
    http::{context::Context, serve},
    roles::Role,
};

use self::directory::{check_storage, lock};

pub use self::directory::is_served;

mod directory;

/// Questions under way at a time, queued or running, for each resource.
const ADMITTED: usize = 1024;
/// How long a query may take.
const DATABASE_DEADLINE: Duration = Duration::from_secs(10);
/// How long the storage may take to take an object, or to give it. That nobody is there it finds out much sooner.
const STORAGE_DEADLINE: Duration = Duration::from_secs(10 * 60);
/// How long a question to the cache may take where there is no Redis.
const CACHE_TIMEOUT: Duration = Duration::from_millis(500);
/// How much longer than for Redis itself is waited for the cache, which then is passed by: it is there to save time.
const CACHE_GRACE: Duration = Duration::from_millis(100);
/// How long the queue may take to take what is handed over.
const QUEUE_DEADLINE: Duration = Duration::from_secs(15);
/// Bytes that the cache of this process may take.
const CACHE_SIZE: u64 = 32 * 1024 * 1024;
/// What is kept of the time to drain for the actors, when connections take long to finish.
const ACTORS_SHARE: Duration = Duration::from_secs(8);
/// What is kept of it for the actors, when storing takes long.
const STORING_SHARE: Duration = Duration::from_secs(4);
/// Pause between attempts to reach the database at the start.
const RETRY: Duration = Duration::from_millis(250);

/// Why the service did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database did not answer in time.
    #[error("the database did not answer within {}: {cause}", humantime::format_duration(*waited))]
    Database {
        /// `STARTUP_TIMEOUT`.
        waited: Duration,
        /// What it said last.
        cause: String,
    },
    /// The schema is older than the program.
    #[error(
        "the database's schema is behind (at {applied}, this program needs {expected}): run `darkroom migrate`"
    )]
    SchemaBehind {
        /// The last migration applied.
        applied: i64,
        /// The last one there is.
        expected: i64,
    },
    /// Another process serves from the same directory.
    #[error(
        "another darkroom serves from {}: an embedded database is one process's alone; stop that one, \
         choose another DATA_DIR, or use Postgres", .directory.display()
    )]
    InUse {
        /// `DATA_DIR`.
        directory: std::path::PathBuf,
    },
    /// Pictures are on the disk, and another storage is configured without a word of theirs.
    #[error(
        "{} holds pictures, and a storage elsewhere is configured: say which is meant, STORAGE=fs for the \
         one on this disk or STORAGE={} for the other, after `darkroom storage copy --from fs --to {}`",
        .directory.display(), .kind.as_str(), .kind.as_str()
    )]
    WhichStorage {
        /// Where the pictures are.
        directory: std::path::PathBuf,
        /// What is configured.
        kind: StorageKind,
    },
    /// The port can't be had.
    #[error("could not listen on port {port}: {cause}")]
    Listen {
        /// `PORT`.
        port: u16,
        /// What the system said.
        cause: std::io::Error,
    },
    /// Anything else.
    #[error("{}", .0.cause.as_ref().unwrap_or(&.0.detail))]
    Other(#[from] Error),
}

/// A running service.
pub struct App {
    address: Option<SocketAddr>,
    services: Arc<Services>,
    tree: Tree,
    server: Option<JoinHandle<Result<()>>>,
    stop: CancellationToken,
    draining: watch::Sender<bool>,
    drain_timeout: Duration,
    drain_until: Arc<OnceLock<Instant>>,
    /// Held as long as the process serves from an embedded database.
    _lock: Option<File>,
}

impl App {
    /// Starts the parts that `config.roles` names.
    ///
    /// # Errors
    /// [`StartError`]; nothing is left running.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        check_storage(&config)?;
        let lock = if config.is_embedded() { Some(lock(&config.data_dir)?) } else { None };
        let database = open_database(&config).await?;
        if lock.is_some() {
            reclaim(&database).await?;
        }
        // The port is taken before anything is begun, and answers once everything runs.
        let listener = if config.roles.has(Role::Api) {
            let port = config.http.port;
            let listen = |cause| StartError::Listen { port, cause };
            Some(serve::bind(&config.http).map_err(listen)?)
        } else {
            None
        };

        let jwt_secret = match &config.auth.jwt_secret {
            Some(secret) => secret.clone(),
            None => secret::load_or_create(config.data_dir.join("jwt-secret")).await?,
        };
        // Who serves nothing keeps no finished pictures, and takes nobody's place on the disk.
        let mut cache = config.cache.clone();
        if !config.roles.has(Role::Api) {
            (cache.memory, cache.disk) = (0, 0);
        }
        let cache_timeout = config.redis.as_ref().map_or(CACHE_TIMEOUT, |redis| redis.timeout);
        let services = Arc::new(Services {
            database: Address::new(ADMITTED, DATABASE_DEADLINE),
            storage: Address::new(ADMITTED, STORAGE_DEADLINE),
            cache: Address::new(ADMITTED, cache_timeout + CACHE_GRACE),
            publisher: Address::new(ADMITTED, QUEUE_DEADLINE),
            // Of the embedded database this process is the only one.
            metadata_cached: config.redis.is_some() || config.is_embedded(),
            transformer: Transformer::new(
                config.transform_threads,
                config.transform_memory,
                config.limits.clone(),
            )?,
            tokens: Tokens::new(jwt_secret, config.auth.jwt_issuer.clone(), config.auth.jwt_expiry),
            refresh_lifetime: config.auth.refresh_expiry,
            passwords: Passwords::default(),
            limits: config.limits.clone(),
            profile: config.transform_profile,
            jobs: Doorbell::default(),
            uploads: Doorbell::default(),
            deletions: Doorbell::default(),
            webhooks: Doorbell::default(),
            fetcher: Fetcher::new(config.fetch.clone()),
            imports: Imports::default(),
            notifier: Notifier::default(),
            delivery: Delivery::new(Pictures::open(&cache), config.transform_profile),
            files: Arc::new(Files::new(config.cache.files())),
            work: Work::default(),
        });
        let drain_until = Arc::new(OnceLock::new());
        let tree = start_actors(&config, &services, database, drain_until.clone()).await?;

        let (draining, is_draining) = watch::channel(false);
        let stop = CancellationToken::new();
        let address = listener.as_ref().and_then(|listener| listener.local_addr().ok());
        let server = listener.map(|listener| {
            let context = Context::new(services.clone(), config.http.clone(), is_draining);
            let patience = config.drain_timeout.saturating_sub(ACTORS_SHARE);
            tokio::spawn(serve::serve(listener, context, stop.clone(), patience))
        });
        let drain_timeout = config.drain_timeout;
        Ok(Self {
            address,
            services,
            tree,
            server,
            stop,
            draining,
            drain_timeout,
            drain_until,
            _lock: lock,
        })
    }

    /// Where it listens; a worker listens nowhere.
    pub const fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// What the service works with.
    pub fn services(&self) -> &Arc<Services> {
        &self.services
    }

    /// The actors that are alive.
    pub async fn actors(&self) -> Vec<&'static str> {
        self.tree.alive().await
    }

    /// Waits until the service can't go on by itself; why.
    pub async fn failed(&self) -> String {
        format!("the actor `{}` died too often", self.tree.gave_up().await)
    }

    /// Stops: takes no further connection, finishes what is under way, then drains the actors, all
    /// within `DRAIN_TIMEOUT`. Returns what had to be cut off.
    pub async fn stop(self) -> Vec<&'static str> {
        let deadline = Instant::now() + self.drain_timeout;
        // Jobs have what the requests leave of the time.
        let _ = self.drain_until.set(deadline);
        self.draining.send_replace(true);
        self.stop.cancel();
        if let Some(server) = self.server
            && let Ok(Err(error)) | Err(error) = server.await.map_err(Error::internal)
        {
            tracing::error!(%error, cause = error.cause, "the listener failed");
        }
        // What was delivered is still to be stored.
        let _ = tokio::time::timeout_at(
            deadline.checked_sub(STORING_SHARE).unwrap_or(deadline),
            self.services.delivery.finish(),
        )
        .await;
        self.tree.drain(deadline).await
    }
}

/// Takes up at once what a former process of an embedded database had under way when it died: whoever has the lock knows that
/// it is gone.
async fn reclaim(database: &Db) -> Result<()> {
    ResetOutbox { now: now() }.run(database).await?;
    let all = || RescueJobs { now: now(), ended: now() + LEASE };
    while !all().run(database).await?.is_empty() {}
    Ok(())
}

/// Starts the actors, in the order in which they need one another.
async fn start_actors(
    config: &Config,
    services: &Arc<Services>,
    database: Db,
    drain_until: Arc<OnceLock<Instant>>,
) -> Result<Tree> {
    let settings = config.database.clone();
    // The first incarnation takes over the connections made at the start.
    let opened = Arc::new(Mutex::new(Some(database)));
    let open_database: Open<Db> = Arc::new(move || {
        let (settings, opened) = (settings.clone(), opened.clone());
        Box::pin(async move {
            match opened.lock().await.take() {
                Some(database) => Ok(database),
                None => Db::connect(&settings).await,
            }
        })
    });
    let (settings, data_dir) = (config.storage.clone(), config.data_dir.clone());
    let open_storage: Open<Storage> = Arc::new(move || {
        let (settings, data_dir) = (settings.clone(), data_dir.clone());
        Box::pin(async move { Storage::open(settings.kind, &settings, data_dir).await })
    });
    let redis = config.redis.clone();
    let open_cache: Open<Cache> = Arc::new(move || {
        let opened = redis.as_ref().map_or_else(|| Ok(Cache::memory(CACHE_SIZE)), Cache::redis);
        Box::pin(std::future::ready(opened))
    });
    let broker = Broker::new(&config.queue)?;
    let queue = LocalQueue::new(config.queue.prefetch);
    let (open_publisher, source): (Open<Publisher>, _) = match broker.clone() {
        Some(broker) => {
            let source = Source::Amqp(broker.clone());
            let open = move || -> Opening<Publisher> {
                let broker = broker.clone();
                Box::pin(async move { Ok(Publisher::amqp(broker)) })
            };
            (Arc::new(open), source)
        }
        None => {
            let source = Source::Local(queue.clone());
            let open = move || -> Opening<Publisher> {
                let queue = queue.clone();
                Box::pin(async move { Ok(Publisher::Local(queue)) })
            };
            (Arc::new(open), source)
        }
    };
    let (is_api, is_worker) = (config.roles.has(Role::Api), config.roles.has(Role::Worker));
    let removed = RemoveObjects {
        database: services.database.clone(),
        storage: services.storage.clone(),
        doorbell: services.deletions.clone(),
    };
    let expired = RemoveExpired {
        database: services.database.clone(),
        storage: services.storage.clone(),
        deletions: services.deletions.clone(),
    };
    let rescued = RescueLost {
        database: services.database.clone(),
        doorbell: services.jobs.clone(),
        webhooks: services.webhooks.clone(),
        notifier: services.notifier.clone(),
    };
    let storage = Owner::child("storage", services.storage.clone(), open_storage);
    // Who starts the embedded mode is there to be told what is wrong with its directory; a service waits for its disk.
    let storage = if config.is_embedded() { storage } else { storage.awaited() };
    let mut children = vec![
        Owner::child("database", services.database.clone(), open_database),
        storage,
        Owner::child("cache", services.cache.clone(), open_cache),
        Owner::child("publisher", services.publisher.clone(), open_publisher),
        rounds::child(removed),
        rounds::child(expired),
        rounds::child(rescued),
        services.transformer.child(),
    ];
    if is_api {
        children.push(rounds::child(Listen(services.clone())));
    }
    // In the embedded mode there is no other process to hear of.
    if is_api && !config.is_embedded() {
        let around = LookAround {
            database: services.database.clone(),
            notifier: services.notifier.clone(),
            told: Arc::default(),
        };
        children.push(rounds::child(around));
    }
    if let Some(redis) = config.redis.clone() {
        let (cache, notifier) = (services.cache.clone(), services.notifier.clone());
        children.push(rounds::child(Messenger { redis, cache, notifier }));
    }
    if is_worker {
        let consumer = Consumer {
            database: services.database.clone(),
            source,
            runner: Arc::new(TransformRunner(services.clone())),
            doorbell: services.jobs.clone(),
            webhooks: services.webhooks.clone(),
            notifier: services.notifier.clone(),
            prefetch: config.queue.prefetch,
            drain_until,
        };
        children.push(consumer.child());
    }
    // Without a broker the queue is the worker's own, and nobody else can hand anything over.
    if is_worker || broker.is_some() {
        let relay = Relay {
            database: services.database.clone(),
            publisher: services.publisher.clone(),
            prefetch: config.queue.prefetch,
            doorbell: services.jobs.clone(),
        };
        children.push(rounds::child(relay));
    }
    if is_worker {
        let describer = Describer {
            database: services.database.clone(),
            storage: services.storage.clone(),
            transformer: services.transformer.clone(),
            doorbell: services.uploads.clone(),
        };
        children.push(rounds::child(describer));
    }
    let webhooks = Webhooks {
        database: services.database.clone(),
        // Of their own: imports that wait for name servers do not hold up webhooks, nor these them.
        fetcher: Fetcher::new(config.fetch.clone()),
        doorbell: services.webhooks.clone(),
    };
    children.push(rounds::child(webhooks));
    if let Some(cdn) = &config.cdn {
        let (database, cdn) = (services.database.clone(), Cdn::new(cdn)?);
        children.push(rounds::child(TellCdn { database, cdn }));
    }
    Tree::start(children).await
}

/// Connects, waiting up to `STARTUP_TIMEOUT` for the database to answer, and makes sure that its
/// schema is the one this program was written for. In the embedded mode it is brought up to date.
async fn open_database(config: &Config) -> Result<Db, StartError> {
    let until = Instant::now() + config.startup_timeout;
    let mut cause = "no answer".to_owned();
    while Instant::now() < until {
        let attempt = tokio::time::timeout_at(until, connect(config)).await;
        match attempt {
            Ok(Ok((_, SchemaState::Behind { applied, expected }))) => {
                return Err(StartError::SchemaBehind { applied, expected });
            }
            Ok(Ok((database, SchemaState::Ahead))) => {
                tracing::warn!("the database's schema is newer than this program");
                return Ok(database);
            }
            Ok(Ok((database, SchemaState::Current))) => return Ok(database),
            Ok(Err(error)) if error.code != Code::DependencyUnavailable => return Err(error.into()),
            Ok(Err(error)) => {
                cause = error.cause.unwrap_or(error.detail);
                tracing::warn!(cause, "the database does not answer; trying again");
                tokio::time::sleep(RETRY).await;
            }
            Err(_) => {}
        }
    }
    Err(StartError::Database { waited: config.startup_timeout, cause })
}

async fn connect(config: &Config) -> Result<(Db, SchemaState)> {
    if config.is_embedded() {
        db::migrate(&config.database).await?;
    }
    let database = Db::connect(&config.database).await?;
    let schema = database.schema().await?;
    Ok((database, schema))
}
