//! Idempotency keys.

use chrono::{DateTime, Utc};
use darkroom::{
    adapters::db::idempotency::*,
    domain::{
        ids::{DeletionId, UserId},
        user::User,
    },
};
use serde_json::json;

use crate::sandbox::{Sandbox, now, seconds};

fn reserve(user: &User, now: DateTime<Utc>) -> ReserveKey {
    ReserveKey {
        user_id: user.id,
        path: "/images".to_owned(),
        key: "key".to_owned(),
        now,
        until: now + seconds(60),
    }
}

fn response() -> StoredResponse {
    StoredResponse {
        status: 201,
        headers: json!({"location": "/api/v1/images/1"}),
        body: r#"{"id":"1","filename":"ü"}"#.to_owned(),
    }
}

fn store(reservation: &ReserveKey) -> StoreResponse {
    StoreResponse {
        user_id: reservation.user_id,
        path: reservation.path.clone(),
        key: reservation.key.clone(),
        until: reservation.until,
        fingerprint: "what was asked".to_owned(),
        response: response(),
        expires_at: reservation.now + seconds(24 * 3600),
    }
}

fn release(reservation: &ReserveKey) -> ReleaseKey {
    ReleaseKey {
        user_id: reservation.user_id,
        path: reservation.path.clone(),
        key: reservation.key.clone(),
        until: reservation.until,
    }
}

fn done() -> Reservation {
    Reservation::Done { fingerprint: "what was asked".to_owned(), response: response() }
}

pub async fn a_key_goes_from_reserved_to_done(sandbox: &Sandbox) {
    let user = sandbox.user("ada").await;
    let first = reserve(&user, now());
    assert_eq!(sandbox.get(first.clone()).await, Reservation::Reserved);
    assert_eq!(sandbox.get(first.clone()).await, Reservation::Running);
    sandbox.get(store(&first)).await;
    assert_eq!(sandbox.get(first.clone()).await, done());
    let other_answer = StoreResponse { fingerprint: "other".to_owned(), ..store(&first) };
    sandbox.get(other_answer).await;
    sandbox.get(release(&first)).await;
    let much_later = first.now + seconds(24 * 3600 - 1);
    assert_eq!(sandbox.get(reserve(&user, much_later)).await, done(), "the first answer stays");
    let next_day = first.now + seconds(24 * 3600);
    assert_eq!(sandbox.get(reserve(&user, next_day)).await, Reservation::Reserved);
    assert_eq!(sandbox.get(reserve(&user, next_day)).await, Reservation::Running);
}

pub async fn one_of_sixteen_gets_the_key(sandbox: &Sandbox) {
    let user = sandbox.user("ada").await;
    let queries = vec![reserve(&user, now()); 16];
    let answers = sandbox.together(queries).await;
    let answers: Vec<Reservation> = answers.into_iter().map(Result::unwrap).collect();
    let reserved = answers.iter().filter(|answer| **answer == Reservation::Reserved).count();
    let running = answers.iter().filter(|answer| **answer == Reservation::Running).count();
    assert_eq!((reserved, running), (1, 15));
}

pub async fn a_stale_reservation_is_taken_over_once(sandbox: &Sandbox) {
    let user = sandbox.user("ada").await;
    let first = reserve(&user, now());
    sandbox.get(first.clone()).await;
    let waiting = reserve(&user, first.until - seconds(1));
    assert_eq!(sandbox.get(waiting).await, Reservation::Running);
    let answers = sandbox.together(vec![reserve(&user, first.until); 16]).await;
    let taken = answers.into_iter().filter(|answer| matches!(answer, Ok(Reservation::Reserved)));
    assert_eq!(taken.count(), 1);
    // Whoever lost it can neither give it back nor answer for it.
    sandbox.get(release(&first)).await;
    sandbox.get(store(&first)).await;
    let again = reserve(&user, first.until + seconds(1));
    assert_eq!(sandbox.get(again).await, Reservation::Running);
}

pub async fn a_released_key_is_free(sandbox: &Sandbox) {
    let user = sandbox.user("ada").await;
    let first = reserve(&user, now());
    sandbox.get(first.clone()).await;
    sandbox.get(release(&first)).await;
    assert_eq!(sandbox.get(first).await, Reservation::Reserved);
}

pub async fn keys_are_per_account_and_path(sandbox: &Sandbox) {
    let (ada, eve) = (sandbox.user("ada").await, sandbox.user("eve").await);
    let first = reserve(&ada, now());
    sandbox.get(first.clone()).await;
    let other_path = ReserveKey { path: "/transforms".to_owned(), ..first.clone() };
    let other_key = ReserveKey { key: "KEY".to_owned(), ..first.clone() };
    for query in [reserve(&eve, now()), other_path, other_key] {
        assert_eq!(sandbox.get(query).await, Reservation::Reserved);
    }
    let (user_id, deletion_id) = (ada.id, DeletionId::new());
    let delete = darkroom::adapters::db::users::DeleteUser { user_id, deletion_id, now: now() };
    sandbox.get(delete).await;
    let nobody = ReserveKey { user_id: UserId::new(), ..first };
    assert!(sandbox.ask(nobody).await.is_err());
}

pub async fn a_purge_forgets_expired_keys(sandbox: &Sandbox) {
    let user = sandbox.user("ada").await;
    let first = reserve(&user, now());
    sandbox.get(first.clone()).await;
    sandbox.get(store(&first)).await;
    let short = ReserveKey { key: "short".to_owned(), ..first.clone() };
    sandbox.get(short.clone()).await;
    assert_eq!(sandbox.get(PurgeKeys { now: first.now }).await, 0);
    assert_eq!(sandbox.get(PurgeKeys { now: short.until }).await, 1);
    assert_eq!(sandbox.get(reserve(&user, short.until)).await, done());
}
