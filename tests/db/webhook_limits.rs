//! What one account may have of webhooks: places, URLs, deliveries, secrets.

use std::collections::HashMap;

use chrono::TimeDelta;
use darkroom::{
    adapters::db::{jobs::EnqueueTransform, webhooks::*},
    config::DatabaseLocation,
    domain::{error::Code, ids::UserId, job::Outcome},
};

use crate::{
    sandbox::{LEASE, Sandbox, job, made, now, seconds, variant},
    webhooks::{HERE, ask, deliveries, finish, lease, settle},
};

pub async fn slow_receivers_of_one_account_leave_room_for_others(sandbox: &Sandbox) {
    let (ada, bob) = (sandbox.user("ada").await, sandbox.user("bob").await);
    let (first, second) = (sandbox.image(&ada).await, sandbox.image(&bob).await);
    for number in 0..10 {
        ask(sandbox, &first, number, HERE).await;
    }
    ask(sandbox, &second, 1, "https://bob.example/").await;
    let at = now();
    finish(sandbox, Outcome::Done(made("key")), at).await;
    let of =
        |leased: &[Leased], id: UserId| leased.iter().filter(|leased| leased.user_id == id).count();
    let leased = sandbox.get(LeaseWebhooks { limit: 8, per_account: 3, ..lease(at) }).await;
    assert_eq!((of(&leased, ada.id), of(&leased, bob.id)), (3, 1));
    let busy = |count| {
        let under_way = HashMap::from([(ada.id, count), (UserId::new(), 1)]);
        LeaseWebhooks { per_account: 3, under_way, ..lease(at) }
    };
    assert_eq!(sandbox.get(busy(3)).await, [], "ada has enough under way");
    assert_eq!(sandbox.get(busy(2)).await.len(), 1, "what is under way counts");
    assert_eq!(sandbox.get(lease(at)).await.len(), 6);
}

pub async fn slow_receivers_of_many_accounts_leave_room_for_others(sandbox: &Sandbox) {
    let mut under_way = HashMap::new();
    for number in 0..4 {
        let user = sandbox.user(&format!("user{number}")).await;
        let image = sandbox.image(&user).await;
        for number in 0..5 {
            ask(sandbox, &image, number, HERE).await;
        }
        under_way.insert(user.id, number);
    }
    let at = now();
    finish(sandbox, Outcome::Done(made("key")), at).await;
    let new = *under_way.iter().find(|(_, count)| **count == 0).unwrap().0;
    let few = |limit| LeaseWebhooks { limit, reserved: 2, per_account: 4, ..lease(at) };
    let leased = sandbox.get(LeaseWebhooks { under_way: under_way.clone(), ..few(2) }).await;
    let users: Vec<_> = leased.iter().map(|leased| leased.user_id).collect();
    assert_eq!(users, [new], "what is kept for others is kept");
    under_way.insert(new, 1);
    let leased = sandbox.get(LeaseWebhooks { under_way: under_way.clone(), ..few(7) }).await;
    assert_eq!(leased.len(), 5);
    let of = |id| leased.iter().filter(|leased| leased.user_id == id).count();
    let most = under_way.iter().max_by_key(|(_, count)| **count).unwrap().0;
    assert_eq!((of(new), of(*most)), (3, 0), "those that have least come first");
    assert_eq!(sandbox.get(LeaseWebhooks { under_way, ..few(2) }).await, []);
}

pub async fn so_many_urls_are_told_of_a_job_and_no_more(sandbox: &Sandbox) {
    let user = sandbox.user("ada").await;
    let image = sandbox.image(&user).await;
    let asking = |urls: std::ops::Range<i64>| {
        let ask = |n| {
            let variant = variant(&image, 1);
            let webhook_url = Some(format!("https://{n}.example/"));
            EnqueueTransform { job: job(&variant), variant, webhook_url }
        };
        urls.map(ask).collect::<Vec<_>>()
    };
    let answers = sandbox.together(asking(0..URLS_OF_JOB + 4)).await;
    let (told, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert_eq!((told.len(), refused.len()), (16, 4));
    for refused in refused {
        let error = refused.unwrap_err();
        assert_eq!((error.code, error.faults.len()), (Code::ValidationFailed, 1));
        assert_eq!(error.faults[0].pointer, "/webhook_url");
    }
    let again = sandbox.together(asking(0..URLS_OF_JOB + 4)).await;
    assert_eq!(again.iter().filter(|answer| answer.is_ok()).count(), 16, "each URL counts once");
    finish(sandbox, Outcome::Done(made("key")), now()).await;
    let (_, job) = told.into_iter().next().unwrap().unwrap();
    assert_eq!(deliveries(sandbox, &job).await.len(), 16);
}

pub async fn an_account_has_so_much_pending_and_no_more(sandbox: &Sandbox) {
    let user = sandbox.user("ada").await;
    let image = sandbox.image(&user).await;
    ask(sandbox, &image, 1, HERE).await;
    let at = now();
    finish(sandbox, Outcome::Done(made("key")), at).await;
    let id = match sandbox.settings.location {
        DatabaseLocation::Sqlite(_) => "randomblob(16)",
        DatabaseLocation::Postgres(_) => "gen_random_uuid()",
    };
    let most = PENDING_OF_ACCOUNT - 2;
    sandbox
        .meddle(&format!(
            "WITH RECURSIVE copies (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM copies WHERE n < {most})
             INSERT INTO webhook_deliveries (id, job_id, user_id, url, event, body, status, due_at,
                 created_at)
             SELECT {id}, job_id, user_id, url, event, body, status, due_at, created_at
             FROM webhook_deliveries, copies"
        ))
        .await;
    ask(sandbox, &image, 1, HERE).await;
    for number in [1, 2] {
        let variant = variant(&image, number);
        let webhook_url = Some(HERE.to_owned());
        let more = EnqueueTransform { job: job(&variant), variant, webhook_url };
        assert_eq!(sandbox.refusal(more).await, Code::QuotaExceeded, "{number}");
    }
    let variant = variant(&image, 2);
    sandbox.get(EnqueueTransform { job: job(&variant), variant, webhook_url: None }).await;
    ask(sandbox, &sandbox.image(&sandbox.user("bob").await).await, 1, HERE).await;
    let leased = sandbox.get(LeaseWebhooks { limit: 8, per_account: 3, ..lease(at) }).await;
    assert_eq!(leased.len(), 3);
    let leased = sandbox.get(lease(at)).await.remove(0);
    assert!(sandbox.get(settle(&leased, Next::Delivered, at)).await);
    ask(sandbox, &image, 2, HERE).await;
}

pub async fn a_secret_is_made_once_and_signs_on_for_a_day(sandbox: &Sandbox) {
    let user = sandbox.user("ada").await;
    let (user_id, at) = (user.id, now());
    let secret = |now| WebhookSecretOf { user_id, now };
    let asked = (0..8).map(|_| secret(at)).collect();
    let answers = sandbox.together(asked).await;
    let answers: Vec<_> = answers.into_iter().map(Result::unwrap).collect();
    let first = answers[0].clone();
    assert!(answers.iter().all(|answer| *answer == first), "{answers:?}");
    assert!(first.secret.starts_with("whsec_"));
    assert_eq!((first.created_at, first.previous_until), (at, None));

    let asked = (0..4).map(|_| RotateWebhookSecret { user_id, now: at }).collect();
    let answers = sandbox.together(asked).await;
    let second = answers.into_iter().next_back().unwrap().unwrap();
    assert_ne!(second.secret, first.secret);
    let until = at + TimeDelta::hours(24);
    assert_eq!(second.previous_until, Some(until));
    assert_eq!(sandbox.get(secret(at)).await.previous_until, Some(until));
    assert_eq!(sandbox.get(secret(until)).await.previous_until, None);

    ask(sandbox, &sandbox.image(&user).await, 1, HERE).await;
    finish(sandbox, Outcome::Done(made("key")), at).await;
    let secrets = sandbox.get(lease(until - seconds(1))).await.remove(0).secrets;
    assert!((2..=5).contains(&secrets.len()), "{secrets:?}");
    let in_force = sandbox.get(secret(at)).await.secret;
    assert_eq!(secrets[0], in_force, "the one in force first");
    let secrets = sandbox.get(lease(until + seconds(LEASE))).await.remove(0).secrets;
    assert_eq!(secrets, [in_force], "after a day it signs alone");

    sandbox.get(PurgeWebhooks { before: at, limit: 9, now: until }).await;
    assert_eq!(sandbox.get(secret(at)).await.previous_until, None);
    let nobody = UserId::new();
    let missing = WebhookSecretOf { user_id: nobody, now: at };
    assert_eq!(sandbox.refusal(missing).await, Code::NotFound);
    let missing = RotateWebhookSecret { user_id: nobody, now: at };
    assert_eq!(sandbox.refusal(missing).await, Code::NotFound);
}

pub async fn every_secret_of_a_day_signs_and_so_they_are_few(sandbox: &Sandbox) {
    let user = sandbox.user("ada").await;
    let (user_id, at) = (user.id, now());
    let mut secrets = vec![sandbox.get(WebhookSecretOf { user_id, now: at }).await.secret];
    for hour in 0..4 {
        let now = at + TimeDelta::hours(hour);
        secrets.push(sandbox.get(RotateWebhookSecret { user_id, now }).await.secret);
    }
    let now = at + TimeDelta::hours(4);
    let error = sandbox.ask(RotateWebhookSecret { user_id, now }).await.unwrap_err();
    assert_eq!((error.code, error.retry_after), (Code::RateLimited, Some(20 * 3600 + 1)));
    ask(sandbox, &sandbox.image(&user).await, 1, HERE).await;
    finish(sandbox, Outcome::Done(made("key")), at).await;
    let mut signing = sandbox.get(lease(now)).await.remove(0).secrets;
    signing.reverse();
    assert_eq!(signing, secrets, "all of them, and the one in force first");
    let now = at + TimeDelta::hours(24);
    sandbox.get(RotateWebhookSecret { user_id, now }).await;
}
