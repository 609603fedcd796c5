//! A crowd that asks two processes for the same picture at the same time, which nobody has made yet.

use std::collections::HashSet;

use futures_util::future::join_all;

use crate::{
    account::{Account, client, get},
    process::PATIENCE,
    processes::Pair,
};

const CROWD: usize = 1000;

#[tokio::test]
async fn a_crowd_has_it_made_once_by_each_process() {
    let pair = Pair::start(&[]).await;
    let account = Account::open(&pair.servings[0].url).await;
    let id = account.publish().await;
    let (http, path) = (client(), format!("/i/w_90,e_sepia/{id}.png"));
    let urls: Vec<_> =
        pair.servings.iter().map(|serving| format!("{}{path}", serving.url)).collect();
    let asked = (0..CROWD).map(|number| get(&http, &urls[number % urls.len()], &[]));
    let answers = join_all(asked).await;

    let mut made = HashSet::new();
    for answer in &answers {
        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
        assert_eq!(answer.body, answers[0].body);
        assert_eq!(answer.header("etag"), answers[0].header("etag"));
        // All that waited for one piece of work are told how long it took.
        if answer.header("x-cache") == "miss" {
            assert_ne!(answer.header("server-timing"), "");
            made.insert(answer.header("server-timing").to_owned());
        }
    }
    assert!((1..=2).contains(&made.len()), "made {} times: {made:?}", made.len());
    // It is stored beside the answers: once.
    let stored = async {
        loop {
            let usage = account.usage().await;
            if usage["variants"] != 0 {
                return usage;
            }
        }
    };
    let usage = tokio::time::timeout(PATIENCE, stored).await.expect("it is stored");
    assert_eq!(usage["variants"], 1, "{usage}");
}
