//! Two processes over one database: what one of them answered that it has taken away, the other no longer shows within 5 s.

use std::time::{Duration, Instant};

use reqwest::Client;
use tempfile::TempDir;

use crate::{
    account::{Account, client, get},
    process::{Database, Serving, Shell, eventually},
    redis_server::Server,
};

/// The promise.
const SOON: Duration = Duration::from_secs(5);

/// Two processes with the same pictures, each with what it keeps at hand in a place of its own.
pub struct Pair {
    pub servings: [Serving; 2],
    shells: [Shell; 2],
    _pictures: TempDir,
    _database: Database,
}

impl Pair {
    /// With `variables` as well.
    pub async fn start(variables: &[(&str, &str)]) -> Self {
        let database = Database::new().await;
        let pictures = TempDir::new().unwrap();
        let shells = [database.shell(), database.shell()].map(|shell| {
            let shell = shell.with("DATA_DIR", pictures.path().to_str().unwrap());
            let shell = shell.with("CACHE_DIR", "cache");
            variables.iter().fold(shell, |shell, (name, value)| shell.with(name, value))
        });
        let migrated = shells[0].run(&["migrate"]);
        assert_eq!(migrated.code, 0, "{}", migrated.stderr);
        let servings = [shells[0].serve(&[]), shells[1].serve(&[])];
        Self { servings, shells, _pictures: pictures, _database: database }
    }

    /// Whether the process of that number has files of the picture at hand.
    fn has_files(&self, number: usize, id: &str) -> bool {
        let pattern = self.shells[number].directory().join(format!("cache/**/{id}/*"));
        glob::glob(pattern.to_str().unwrap()).unwrap().count() > 0
    }
}

/// Both have no Redis.
#[tokio::test]
async fn what_is_taken_away_is_gone_everywhere() {
    let pair = Pair::start(&[]).await;
    take_away(&pair).await;
}

/// Both have a Redis that dies.
#[tokio::test]
async fn what_is_taken_away_is_gone_everywhere_when_redis_is_dead() {
    let mut redis = Server::running().await;
    let pair = Pair::start(&[("REDIS_URL", &redis.url())]).await;
    redis.kill();
    take_away(&pair).await;
}

async fn take_away(pair: &Pair) {
    let [here, there] = &pair.servings;
    let account = Account::open(&here.url).await;
    let http = client();
    let path = |id: &str| format!("/i/w_50/{id}.png");

    let id = account.publish().await;
    shown(pair, &http, &path(&id)).await;
    account.set_public(&id, false).await;
    gone(&http, &there.url, &path(&id)).await;
    gone(&http, &here.url, &path(&id)).await;

    // Public once more: that is heard of as well, and what was made is still there.
    account.set_public(&id, true).await;
    until(&http, &there.url, &path(&id), |status, _| status == 200).await;

    let id = account.publish().await;
    shown(pair, &http, &path(&id)).await;
    eventually(|| (pair.has_files(0, &id) && pair.has_files(1, &id)).then_some(()));
    account.delete(&id).await;
    gone(&http, &there.url, &path(&id)).await;
    gone(&http, &here.url, &path(&id)).await;
    // Nor does it lie about.
    for number in [0, 1] {
        let began = Instant::now();
        while pair.has_files(number, &id) {
            assert!(began.elapsed() < SOON, "its files are still there");
        }
    }

    for by_tag in [false, true] {
        let id = account.publish().await;
        shown(pair, &http, &path(&id)).await;
        if by_tag {
            account.purge_tag("cats").await;
        } else {
            account.purge(&id).await;
        }
        // Nothing that was made before is shown: it is made anew, by who is asked first.
        until(&http, &there.url, &path(&id), |status, cache| (status, cache) == (200, "miss"))
            .await;
        let other = get(&http, &format!("{}{}", here.url, path(&id)), &[]).await;
        assert_eq!(other.status, 200);
    }
}

/// Has both processes show it until both have it at hand.
async fn shown(pair: &Pair, http: &Client, path: &str) {
    for serving in &pair.servings {
        until(http, &serving.url, path, |status, cache| (status, cache) == (200, "hit")).await;
    }
}

/// Asks until it is not there any more, and then sees to it that it stays so.
async fn gone(http: &Client, url: &str, path: &str) {
    until(http, url, path, |status, _| status == 404).await;
    for _ in 0..20 {
        assert_eq!(get(http, &format!("{url}{path}"), &[]).await.status, 404, "it came back");
    }
}

/// Asks until the status and what `X-Cache` says are as hoped for.
async fn until(http: &Client, url: &str, path: &str, is_so: impl Fn(u16, &str) -> bool) {
    let began = Instant::now();
    // Not all the time: the other process needs the machine as well.
    let mut clock = tokio::time::interval(Duration::from_millis(20));
    loop {
        let asked = began.elapsed();
        let answer = get(http, &format!("{url}{path}"), &[]).await;
        let (status, cache) = (answer.status, answer.header("x-cache"));
        if is_so(status, cache) {
            return;
        }
        let body = if status == 200 { "".into() } else { String::from_utf8_lossy(&answer.body) };
        assert!(asked < SOON, "after {asked:?} it is still {status} {cache} {body}");
        clock.tick().await;
    }
}
