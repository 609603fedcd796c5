//! What is measured, each on a service that has just been started.

use std::{
    fmt::{Display, Formatter},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use sqlx::Executor;

use crate::{load::enqueue, service::Service, table::Figures};

/// A PNG of 4 × 4 pixels.
const TINY: &[u8] = b"\x89PNG\x0d\x0a\x1a\x0a\x00\x00\x00\x0dIHDR\x00\x00\x00\x04\x00\x00\x00\x04\x08\x02\x00\x00\x00&\x93\x09)\x00\x00\x00\x10IDATx\xdacPHX\x00G\x0c\xc4q\x00\xccC\x12\x01X\xb53X\x00\x00\x00\x00IEND\xaeB`\x82";
/// 640 × 427.
const ROCKET: &[u8] = include_bytes!("../../tests/pictures/rocket.jpg");
/// Jobs that are measured one after the other.
const ONE_BY_ONE: usize = 100;

/// What the jobs are about.
#[derive(Debug, Clone, Copy)]
pub enum Picture {
    /// Next to no pixels: what is measured is everything else.
    Tiny,
    /// A photograph, made smaller.
    Rocket,
}

impl Picture {
    const fn bytes(self) -> &'static [u8] {
        match self {
            Picture::Tiny => TINY,
            Picture::Rocket => ROCKET,
        }
    }

    /// No two are equal.
    fn spec(self, number: usize) -> Value {
        match self {
            Picture::Tiny => {
                json!({ "border": { "width": 1, "color": format!("#{number:06x}") }, "format": "png" })
            }
            Picture::Rocket => {
                let (width, quality) = (200 + number % 200, 70 + number / 200 % 25);
                let hue = 1 + number / 5000;
                let resize = json!({ "width": width });
                json!({ "resize": resize, "filters": { "hue": hue }, "format": "jpeg", "quality": quality })
            }
        }
    }
}

impl Display for Picture {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Picture::Tiny => "no pixels to speak of",
            Picture::Rocket => "640×427 made smaller",
        })
    }
}

/// Accepts, with nobody working: what is accepted waits.
pub async fn accepts(broker: bool, count: usize, connections: usize) -> Figures {
    let service = Service::start(broker, TINY).await;
    // The first ones pay for connections to the database.
    enqueue(&service, connections, connections * 4, |n| Picture::Tiny.spec(0x80_0000 + n)).await;
    let began = Instant::now();
    let latencies = enqueue(&service, connections, count, |n| Picture::Tiny.spec(n)).await;
    let took = began.elapsed();
    service.end().await;
    Figures { per_second: rate(count, took), latencies }
}

/// Accepts at ease, beside so many jobs that are done.
pub async fn accepts_beside(broker: bool, rows: usize, count: usize) -> Figures {
    let mut service = Service::start(broker, TINY).await;
    let rows = i64::try_from(rows).unwrap();
    // Each with a variant of its own, as they would have been made.
    let variants = "INSERT INTO variants
             (id, image_id, user_id, spec, spec_hash, engine, status, format, size, width, height,
              sha256, object_key, created_at)
         SELECT gen_random_uuid(), images.id, images.user_id, '{}', md5(n::text), 1, 'ready', 'png',
             80, 6, 6, md5(n::text), 'variants/' || n, now() - n * interval '1 second'
         FROM images, generate_series(1, $1) AS n";
    sqlx::query(variants).bind(rows).execute(&mut service.database).await.unwrap();
    let jobs = "INSERT INTO jobs
             (id, user_id, kind, status, attempts, max_attempts, image_id, variant_id, spec, run_at,
              created_at, started_at, finished_at)
         SELECT gen_random_uuid(), user_id, 'transform', 'succeeded', 1, 5, image_id, id, spec,
             created_at, created_at, created_at, created_at
         FROM variants";
    service.database.execute(jobs).await.unwrap();
    service.database.execute("ANALYZE").await.unwrap();
    enqueue(&service, 4, 40, |n| Picture::Tiny.spec(0x80_0000 + n)).await;
    let began = Instant::now();
    let latencies = enqueue(&service, 4, count, |n| Picture::Tiny.spec(n)).await;
    let took = began.elapsed();
    service.end().await;
    Figures { per_second: rate(count, took), latencies }
}

/// Jobs done by one worker, with so many in the queue when it starts; latencies are from when both the job and the worker were
/// there. A queue of one is measured again and again, on a worker that has nothing else to do.
pub async fn jobs(broker: bool, picture: Picture, queued: usize) -> Figures {
    let mut service = Service::start(broker, picture.bytes()).await;
    let count = if queued == 1 {
        service.work();
        for number in 0..ONE_BY_ONE {
            enqueue(&service, 1, 1, |_| picture.spec(number)).await;
            service.until_none(UNFINISHED).await;
        }
        ONE_BY_ONE
    } else {
        enqueue(&service, queued.min(64), queued, |n| picture.spec(n)).await;
        service.work();
        queued
    };
    let ready = chrono::Utc::now();
    service.until_none(UNFINISHED).await;
    let failed = service.number("SELECT count(*) FROM jobs WHERE status <> 'succeeded'").await;
    assert_eq!(failed, 0);

    let from = if queued == 1 { chrono::DateTime::UNIX_EPOCH } else { ready };
    let sql =
        "SELECT CAST(1e6 * extract(epoch FROM finished_at - greatest(created_at, $1)) AS BIGINT)
               FROM jobs";
    let micros: Vec<i64> =
        sqlx::query_scalar(sql).bind(from).fetch_all(&mut service.database).await.unwrap();
    let latencies: Vec<_> =
        micros.into_iter().map(|n| Duration::from_micros(n.try_into().unwrap_or(0))).collect();
    let busy = if queued == 1 {
        latencies.iter().sum()
    } else {
        latencies.iter().max().copied().unwrap_or_default()
    };
    service.end().await;
    Figures { per_second: rate(count, busy), latencies }
}

const UNFINISHED: &str = "SELECT count(*) FROM jobs WHERE status IN ('queued', 'running')";

/// Rows that the relay brings to the broker, when there is room for all of them: a worker is announced that will never ask for them.
pub async fn relayed(count: usize) -> Figures {
    let mut service = Service::start(true, TINY).await;
    enqueue(&service, 64.min(count), count, |n| Picture::Tiny.spec(n)).await;
    let waiting = "SELECT count(*) FROM outbox WHERE state <> 'sent'";
    let before = service.number(waiting).await;
    let began = Instant::now();
    let announce = "INSERT INTO workers (id, prefetch, seen_at)
        VALUES (gen_random_uuid(), 1000000, now() + interval '1 hour')";
    service.database.execute(announce).await.unwrap();
    service.until_none(waiting).await;
    let took = began.elapsed();
    service.end().await;
    Figures { per_second: rate(usize::try_from(before).unwrap(), took), latencies: Vec::new() }
}

fn rate(count: usize, took: Duration) -> f64 {
    f64::from(u32::try_from(count).unwrap()) / took.as_secs_f64()
}
