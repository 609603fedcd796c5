//! What a queue promises, of RabbitMQ and of the queue in memory: what was handed over is brought, in order, no more of it
//! at a time than was asked for, and again until it is settled.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use darkroom::{
    adapters::{
        Query,
        queue::{
            Broker, CheckQueue, Delivery, LocalQueue, Publish, Publisher, QueueRoom, Source,
            Subscription,
        },
    },
    config,
    domain::ids::JobId,
};
use lapin::{
    BasicProperties, Channel, Connection, ConnectionProperties,
    options::{
        BasicGetOptions, BasicPublishOptions, ExchangeDeleteOptions, QueueDeclareOptions,
        QueueDeleteOptions,
    },
    types::{AMQPValue, FieldTable},
};

/// Long enough for a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

fn amqp_url() -> String {
    std::env::var("TEST_AMQP_URL")
        .unwrap_or_else(|_| "amqp://guest:guest@127.0.0.1:5672/%2f".into())
}

/// A queue of one's own.
struct Sandbox {
    publisher: Publisher,
    source: Source,
    /// Of a broker.
    name: Option<String>,
}

impl Sandbox {
    fn local() -> Self {
        let queue = LocalQueue::new(5);
        Self {
            publisher: Publisher::Local(queue.clone()),
            source: Source::Local(queue),
            name: None,
        }
    }

    fn amqp() -> Self {
        let name = format!("darkroom_test_{}", uuid::Uuid::now_v7().simple());
        let settings =
            config::Queue { amqp: Some(amqp_url().into()), name: name.clone(), prefetch: 5 };
        let broker = Broker::new(&settings).unwrap().unwrap();
        let publisher = Publisher::amqp(broker.clone());
        Self { publisher, source: Source::Amqp(broker), name: Some(name) }
    }

    fn name(&self) -> &str {
        self.name.as_deref().unwrap()
    }

    /// Hands over jobs that are due now.
    async fn publish(&self, jobs: &[JobId]) -> Vec<JobId> {
        let now = Utc::now();
        self.publish_at(&jobs.iter().map(|id| (*id, now)).collect::<Vec<_>>()).await
    }

    async fn publish_at(&self, jobs: &[(JobId, DateTime<Utc>)]) -> Vec<JobId> {
        Publish { jobs: jobs.to_vec(), now: Utc::now() }.run(&self.publisher).await.unwrap()
    }

    async fn subscribe(&self, prefetch: u16) -> Subscription {
        self.source.subscribe(prefetch).await.unwrap()
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let Some(name) = self.name.take() else { return };
        // A test's own runtime can't be blocked on; another thread can.
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            runtime.block_on(async {
                let (connection, channel) = raw().await;
                let suffixes = [256, 128, 64, 32, 16, 8, 4, 2, 1].map(|n| format!(".delay.{n}s"));
                for suffix in suffixes.into_iter().chain([String::new(), ".dead".to_owned()]) {
                    let queue = format!("{name}{suffix}");
                    channel
                        .queue_delete(queue.as_str().into(), QueueDeleteOptions::default())
                        .await
                        .unwrap();
                }
                let dead = format!("{name}.dead");
                channel
                    .exchange_delete(dead.as_str().into(), ExchangeDeleteOptions::default())
                    .await
                    .unwrap();
                connection.close(200, "bye".into()).await.unwrap();
            });
        })
        .join()
        .unwrap();
    }
}

/// A client that is not ours.
async fn raw() -> (Connection, Channel) {
    let connection = Connection::connect(&amqp_url(), ConnectionProperties::default()).await;
    let connection = connection.expect("a RabbitMQ: see `make test`");
    let channel = connection.create_channel().await.unwrap();
    (connection, channel)
}

async fn next(subscription: &mut Subscription) -> Delivery {
    tokio::time::timeout(PATIENCE, subscription.next()).await.expect("a job").unwrap()
}

/// Whether nothing comes, as far as can be told in a while.
async fn is_silent(subscription: &mut Subscription) -> bool {
    tokio::time::timeout(Duration::from_millis(300), subscription.next()).await.is_err()
}

fn jobs(count: usize) -> Vec<JobId> {
    (0..count).map(|_| JobId::new()).collect()
}

mod suite {
    use super::*;

    pub async fn what_was_handed_over_is_brought_in_order(sandbox: &Sandbox) {
        QueueRoom.run(&sandbox.publisher).await.unwrap();
        CheckQueue.run(&sandbox.publisher).await.unwrap();
        let all = jobs(5);
        assert_eq!(sandbox.publish(&all[..3]).await, all[..3]);
        let mut subscription = sandbox.subscribe(5).await;
        for id in &all[..3] {
            let delivery = next(&mut subscription).await;
            assert_eq!(delivery.job_id().as_ref(), Ok(id));
            delivery.ack().await;
        }
        assert_eq!(sandbox.publish(&all[3..]).await, all[3..]);
        for id in &all[3..] {
            let delivery = next(&mut subscription).await;
            assert_eq!(delivery.job_id().as_ref(), Ok(id));
            delivery.ack().await;
        }
        assert!(is_silent(&mut subscription).await, "each once");
    }

    pub async fn no_more_are_brought_than_were_asked_for(sandbox: &Sandbox) {
        let all = jobs(8);
        let mut left = all.clone();
        let mut subscription = sandbox.subscribe(5).await;
        // A queue of this process takes no more than it may bring; a broker takes them all.
        let had = sandbox.publish(&left).await;
        left.retain(|id| !had.contains(id));
        let mut held = Vec::new();
        for _ in 0..5 {
            held.push(next(&mut subscription).await);
        }
        assert!(is_silent(&mut subscription).await, "five are not settled");
        if let Some(room) = QueueRoom.run(&sandbox.publisher).await.unwrap() {
            assert_eq!((room, left.len()), (0, 3));
        }
        held.remove(0).ack().await;
        let had = sandbox.publish(&left).await;
        assert_eq!(had.is_empty(), left.is_empty(), "there is room for one");
        let sixth = next(&mut subscription).await;
        assert_eq!(sixth.job_id(), Ok(all[5]));
        sixth.ack().await;
        for delivery in held {
            delivery.ack().await;
        }
    }

    pub async fn what_was_not_settled_comes_again(sandbox: &Sandbox) {
        let all = jobs(2);
        sandbox.publish(&all).await;
        let mut first = sandbox.subscribe(5).await;
        let kept = next(&mut first).await;
        let lost = next(&mut first).await;
        assert_eq!(lost.job_id(), Ok(all[1]));
        kept.ack().await;
        drop((lost, first));
        let mut second = sandbox.subscribe(5).await;
        let again = next(&mut second).await;
        assert_eq!(again.job_id(), Ok(all[1]), "and not what was settled");
        again.ack().await;
        assert!(is_silent(&mut second).await);
    }
}

macro_rules! suite {
    ($($test:ident)*) => {
        suite!(@on local, $($test)*);
        suite!(@on amqp, $($test)*);
    };
    (@on $backend:ident, $($test:ident)*) => {
        mod $backend {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::suite::$test(&super::Sandbox::$backend()).await;
            })*
        }
    };
}

suite! {
    what_was_handed_over_is_brought_in_order
    no_more_are_brought_than_were_asked_for
    what_was_not_settled_comes_again
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_holds_what_is_due_later() {
    let sandbox = Sandbox::amqp();
    let all = jobs(2);
    let started = std::time::Instant::now();
    let due = Utc::now() + TimeDelta::milliseconds(1500);
    sandbox.publish_at(&[(all[0], due), (all[1], Utc::now())]).await;
    let mut subscription = sandbox.subscribe(5).await;
    for id in [all[1], all[0]] {
        let delivery = next(&mut subscription).await;
        assert_eq!(delivery.job_id(), Ok(id));
        delivery.ack().await;
    }
    assert!(started.elapsed() >= Duration::from_secs(1), "{:?}", started.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_makes_no_sense_is_put_aside_with_the_reason() {
    let sandbox = Sandbox::amqp();
    let mut subscription = sandbox.subscribe(5).await;
    let (_connection, channel) = raw().await;
    for nonsense in [&b"not JSON"[..], br#"{"job_id":7}"#] {
        let options = BasicPublishOptions::default();
        let (exchange, properties) = ("".into(), BasicProperties::default());
        channel
            .basic_publish(exchange, sandbox.name().into(), options, nonsense, properties)
            .await
            .unwrap()
            .await
            .unwrap();
        let delivery = next(&mut subscription).await;
        let reason = delivery.job_id().unwrap_err();
        delivery.refuse(&reason).await;
        let dead = format!("{}.dead", sandbox.name());
        let options = BasicGetOptions { no_ack: true };
        let kept = channel
            .basic_get(dead.as_str().into(), options)
            .await
            .unwrap()
            .expect("it is kept")
            .delivery;
        assert_eq!(kept.data, nonsense);
        let headers = kept.properties.headers().clone().unwrap();
        let AMQPValue::LongString(told) = &headers.inner()["x-reason"] else {
            panic!("{headers:?}")
        };
        assert_eq!(told.to_string(), reason);
    }
    let all = jobs(1);
    sandbox.publish(&all).await;
    assert_eq!(next(&mut subscription).await.job_id(), Ok(all[0]), "the rest goes on");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_declared_otherwise_is_named_in_the_log() {
    let sandbox = Sandbox::amqp();
    let (_connection, channel) = raw().await;
    let options = QueueDeclareOptions { durable: true, ..Default::default() };
    channel.queue_declare(sandbox.name().into(), options, FieldTable::default()).await.unwrap();
    let cause = |error: darkroom::domain::error::Error| {
        assert!(!error.detail.contains(sandbox.name()), "clients learn nothing of it");
        error.cause.unwrap()
    };
    for cause in [
        cause(QueueRoom.run(&sandbox.publisher).await.unwrap_err()),
        cause(CheckQueue.run(&sandbox.publisher).await.unwrap_err()),
        cause(sandbox.source.subscribe(1).await.err().unwrap()),
    ] {
        assert!(cause.contains(sandbox.name()) && cause.contains("QUEUE_NAME"), "{cause}");
    }
    // Once it is out of the way, all is well.
    channel.queue_delete(sandbox.name().into(), QueueDeleteOptions::default()).await.unwrap();
    sandbox.source.subscribe(1).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_taken_for_sent_that_nobody_has() {
    let sandbox = Sandbox::amqp();
    let all = jobs(2_000);
    assert_eq!(sandbox.publish(&all).await.len(), 2_000, "all of them are confirmed at once");
    let (_connection, channel) = raw().await;
    let held =
        channel.queue_delete(sandbox.name().into(), QueueDeleteOptions::default()).await.unwrap();
    assert_eq!(held, 2_000);
    // Its queue is gone: the broker gives the message back, and the next one finds the queue declared again.
    assert_eq!(sandbox.publish(&all[..1]).await, []);
    let again = &all[1..2];
    let sent = tokio::time::timeout(PATIENCE, async {
        loop {
            let publish = Publish { jobs: vec![(again[0], Utc::now())], now: Utc::now() };
            if let Ok(sent) = publish.run(&sandbox.publisher).await {
                return sent;
            }
        }
    });
    assert_eq!(sent.await.unwrap(), again);
}

#[tokio::test]
async fn an_absent_broker_is_an_outage_that_is_told_at_once() {
    let settings = config::Queue {
        amqp: Some("amqp://127.0.0.1:1/".into()),
        name: "nowhere".into(),
        prefetch: 1,
    };
    let broker = Broker::new(&settings).unwrap().unwrap();
    let publisher = Publisher::amqp(broker);
    for error in [
        QueueRoom.run(&publisher).await.unwrap_err(),
        CheckQueue.run(&publisher).await.unwrap_err(),
    ] {
        assert_eq!(error.code, darkroom::domain::error::Code::DependencyUnavailable);
    }
}
