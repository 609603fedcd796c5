//! Two processes over one database: what one of them answered that it has taken away, the other no longer shows within 5 s.

use std::time::{Duration, Instant, SystemTime};

use reqwest::Client;
use tempfile::TempDir;

use crate::{
    account::{Account, Answer, client, get},
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
    gone("unpublished", &http, &there.url, &path(&id)).await;
    gone("unpublished here", &http, &here.url, &path(&id)).await;

    // Public once more: that is heard of as well, and what was made is still there.
    account.set_public(&id, true).await;
    until("published", &http, &there.url, &path(&id), |answer| answer.status == 200).await;

    let id = account.publish().await;
    shown(pair, &http, &path(&id)).await;
    eventually(|| (pair.has_files(0, &id) && pair.has_files(1, &id)).then_some(()));
    account.delete(&id).await;
    gone("deleted", &http, &there.url, &path(&id)).await;
    gone("deleted here", &http, &here.url, &path(&id)).await;
    // Nor does it lie about.
    eventually(|| (!pair.has_files(0, &id) && !pair.has_files(1, &id)).then_some(()));

    // Also where nobody asks for pictures.
    let id = account.publish().await;
    shown(pair, &http, &path(&id)).await;
    eventually(|| (pair.has_files(0, &id) && pair.has_files(1, &id)).then_some(()));
    account.delete(&id).await;
    eventually(|| (!pair.has_files(0, &id) && !pair.has_files(1, &id)).then_some(()));

    for by_tag in [false, true] {
        let id = account.publish().await;
        let made = shown(pair, &http, &path(&id)).await;
        // What is made from now on has another date.
        let date = || httpdate::fmt_http_date(SystemTime::now());
        eventually(|| (!made.contains(&date())).then_some(()));
        if by_tag {
            account.purge_tag("cats").await;
        } else {
            account.purge(&id).await;
        }
        let is_new = |answer: &Answer| {
            let modified = answer.header("last-modified").to_owned();
            answer.status == 200 && !made.contains(&modified)
        };
        until("purged", &http, &there.url, &path(&id), is_new).await;
        until("purged here", &http, &here.url, &path(&id), is_new).await;
    }
}

/// Has both processes show it until both have it at hand; since when each has it.
async fn shown(pair: &Pair, http: &Client, path: &str) -> [String; 2] {
    let is_at_hand = |answer: &Answer| answer.header("x-cache") == "hit";
    let [here, there] = &pair.servings;
    let here = until("shown here", http, &here.url, path, is_at_hand).await;
    let there = until("shown", http, &there.url, path, is_at_hand).await;
    [here, there].map(|answer| answer.header("last-modified").to_owned())
}

/// Asks until it is not there any more, and then sees to it that it stays so.
async fn gone(what: &str, http: &Client, url: &str, path: &str) {
    until(what, http, url, path, |answer| answer.status == 404).await;
    for _ in 0..20 {
        assert_eq!(get(http, &format!("{url}{path}"), &[]).await.status, 404, "it came back");
    }
}

/// Asks until the answer is as hoped for, and for no longer than was promised.
async fn until(
    what: &str,
    http: &Client,
    url: &str,
    path: &str,
    is_so: impl Fn(&Answer) -> bool,
) -> Answer {
    let began = Instant::now();
    // Not all the time: the other process needs the machine as well.
    let mut clock = tokio::time::interval(Duration::from_millis(20));
    loop {
        let asked = began.elapsed();
        let answer = get(http, &format!("{url}{path}"), &[]).await;
        if is_so(&answer) {
            return answer;
        }
        let Answer { status, headers, .. } = &answer;
        assert!(asked < SOON, "{what}: after {asked:?} it is still {status} {headers:?}");
        clock.tick().await;
    }
}
