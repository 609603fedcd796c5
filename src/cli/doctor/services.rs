//! What is useful, and can be done without: Redis and RabbitMQ.

use std::time::Instant;

use secrecy::ExposeSecret;

use super::{Finding, exit, millis};
use crate::{
    adapters::{
        Query,
        cache::{AboutCache, Cache, CheckCache},
        queue::{Broker, MEND_OTHER, Survey},
    },
    config::{Queue, Redis, redact_url},
    domain::error::Result,
};

pub(super) async fn check_cache(redis: &Option<Redis>) -> Vec<Finding> {
    let Some(redis) = redis else {
        return vec![Finding::ok("cache", "in the memory of each process")];
    };
    let place = redact_url(redis.url.expose_secret());
    let finding = look_at_cache(redis, &place).await.unwrap_or_else(|error| {
        let mend = "see that it runs, can be reached from here, and lets this user in; or set \
                    UPSTASH_REDIS_* or REDIS_URL right; or unset them: processes then keep a cache each";
        Finding::failure("cache", &place, &error, mend)
    });
    vec![finding]
}

async fn look_at_cache(redis: &Redis, place: &str) -> Result<Finding> {
    let cache = Cache::redis(redis)?;
    CheckCache.run(&cache).await?;
    // Of the second question, which needs no connection first.
    let asked = Instant::now();
    CheckCache.run(&cache).await?;
    let took = millis(asked.elapsed());
    // Some hosts don't tell: what is answered is enough.
    let told = AboutCache.run(&cache).await.ok().flatten().unwrap_or_default();
    let product = told.product.as_deref().unwrap_or("Redis of a version that it does not tell");
    let found = format!("{product}, {place}, answers in {took}");
    if told.is_full() {
        let mend = "set maxmemory-policy allkeys-lru, or give it more memory";
        let found = format!("{found}; is full, and lets nothing go: nothing more is kept");
        return Ok(Finding::warning("cache", found, mend.to_owned()));
    }
    // Whatever is evicted is looked up again: no policy is wrong.
    let eviction = told.eviction.map(|policy| format!(", eviction {policy}"));
    Ok(Finding::ok("cache", found + &eviction.unwrap_or_default()))
}

pub(super) async fn check_queue(queue: &Queue) -> Vec<Finding> {
    let Some(url) = &queue.amqp else {
        return vec![Finding::ok("queue", "in the database")];
    };
    let place = redact_url(url.expose_secret());
    let looked = async {
        let Some(broker) = Broker::new(queue)? else { return Ok(Vec::new()) };
        let asked = Instant::now();
        let survey = broker.survey().await?;
        Ok(of_survey(&survey, &queue.name, &place, &millis(asked.elapsed())))
    };
    let looked: Result<Vec<Finding>> = looked.await;
    looked.unwrap_or_else(|error| {
        let mend = "see that it runs, can be reached from here, and lets this user into the vhost; or \
                    set CLOUDAMQP_URL right; or unset it: the database is then the queue";
        vec![Finding::failure("queue", &place, &error, mend)]
    })
}

fn of_survey(survey: &Survey, name: &str, place: &str, took: &str) -> Vec<Finding> {
    const CHECK: &str = "queue";
    let Survey { vhost, queues, missing, messages, consumers, .. } = survey;
    let topology = match *missing {
        0 => format!("{messages} messages in {name}, {consumers} consumers"),
        all if all == *queues => format!("the queues of {name} are made at the first start"),
        some => format!("{some} of {queues} queues of {name} are made at the next start"),
    };
    let mut findings = vec![Finding::ok(
        CHECK,
        format!("RabbitMQ, {place}, vhost {vhost}, surveyed in {took}; {topology}"),
    )];
    for other in &survey.other {
        let found = format!("declared otherwise, by another version or another program: {other}");
        findings.push(Finding::fault(CHECK, exit::SOFTWARE, found, MEND_OTHER));
    }
    if survey.dead > 0 {
        let found = format!(
            "{} messages in {name}.dead made no sense, or were brought too often",
            survey.dead
        );
        let mend = "look at them (header x-reason), then purge that queue: no job is lost by it";
        findings.push(Finding::warning(CHECK, found, mend.to_owned()));
    }
    findings
}
