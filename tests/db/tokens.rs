//! Refresh tokens and API keys.

use std::time::Duration;

use chrono::{DateTime, Utc};
use darkroom::{
    adapters::db::tokens::*,
    domain::{
        error::Code,
        ids::{ApiKeyId, TokenId, UserId},
        user::{ApiKey, RefreshToken, Rotation, User},
    },
};

use crate::sandbox::{Sandbox, now, seconds, token};

const GRACE: i64 = 10;

/// A login.
async fn login(sandbox: &Sandbox, username: &str) -> (User, RefreshToken) {
    let user = sandbox.user(username).await;
    let token = token(user.id, "first");
    sandbox
        .get(InsertRefreshToken { token: token.clone(), password_hash: "$argon2id$old".to_owned() })
        .await;
    (user, token)
}

fn rotate(shown: &str, successor: &str, client: &str, now: DateTime<Utc>) -> RotateRefreshToken {
    RotateRefreshToken {
        token_hash: shown.to_owned(),
        successor_hash: successor.to_owned(),
        successor_id: TokenId::new(),
        client: client.to_owned(),
        now,
        expires_at: now + seconds(3600),
        grace: Duration::from_secs(GRACE.unsigned_abs()),
    }
}

pub async fn rotation_spends_the_token(sandbox: &Sandbox) {
    let (user, first) = login(sandbox, "ada").await;
    let query = rotate("first", "second", "phone", now());
    let second = RefreshToken {
        id: query.successor_id,
        user_id: user.id,
        family_id: first.family_id,
        token_hash: "second".to_owned(),
        created_at: query.now,
        expires_at: query.expires_at,
    };
    assert_eq!(sandbox.get(query).await, Rotation::Rotated(user.clone(), second));
    let third = sandbox.get(rotate("second", "third", "phone", now())).await;
    assert!(matches!(third, Rotation::Rotated(whose, _) if whose == user));
    let unknown = sandbox.get(rotate("never issued", "fourth", "phone", now())).await;
    assert_eq!(unknown, Rotation::Unknown);
}

pub async fn the_same_client_gets_the_same_successor_within_the_grace(sandbox: &Sandbox) {
    login(sandbox, "ada").await;
    let at = now();
    let Rotation::Rotated(user, successor) =
        sandbox.get(rotate("first", "second", "phone", at)).await
    else {
        panic!("not rotated")
    };
    let again = rotate("first", "unused", "phone", at + seconds(GRACE));
    assert_eq!(sandbox.get(again).await, Rotation::Repeated(user, successor));
    assert_eq!(
        sandbox.get(rotate("unused", "x", "phone", at)).await,
        Rotation::Unknown,
        "no second successor was recorded"
    );
}

pub async fn a_token_shown_late_revokes_the_login(sandbox: &Sandbox) {
    let (_, first) = login(sandbox, "ada").await;
    let at = now();
    sandbox.get(rotate("first", "second", "phone", at)).await;
    let late = rotate("first", "third", "phone", at + seconds(GRACE + 1));
    assert_eq!(sandbox.get(late).await, Rotation::Reused(first.family_id));
    assert_eq!(sandbox.get(rotate("second", "x", "phone", at)).await, Rotation::Unknown);
    assert_eq!(sandbox.get(SessionByToken { id: first.id, now: at }).await, None);
}

pub async fn a_token_shown_by_another_client_revokes_the_login(sandbox: &Sandbox) {
    let (_, first) = login(sandbox, "ada").await;
    let at = now();
    sandbox.get(rotate("first", "second", "phone", at)).await;
    let thief = rotate("first", "third", "thief", at);
    assert_eq!(sandbox.get(thief).await, Rotation::Reused(first.family_id));
    assert_eq!(sandbox.get(rotate("second", "x", "phone", at)).await, Rotation::Unknown);
    let other_login = sandbox.get(rotate("token of ada", "y", "laptop", at)).await;
    assert!(matches!(other_login, Rotation::Rotated(..)), "other logins go on: {other_login:?}");
}

pub async fn an_expired_token_is_expired(sandbox: &Sandbox) {
    let (_, first) = login(sandbox, "ada").await;
    let late = rotate("first", "second", "phone", first.expires_at);
    assert_eq!(sandbox.get(late).await, Rotation::Expired);
}

pub async fn a_disabled_account_rotates_nothing(sandbox: &Sandbox) {
    let (_, first) = login(sandbox, "ada").await;
    sandbox.meddle("UPDATE users SET disabled = TRUE").await;
    let answer = sandbox.get(rotate("first", "second", "phone", now())).await;
    assert_eq!(answer, Rotation::Disabled);
    let session = sandbox.get(SessionByToken { id: first.id, now: now() }).await.unwrap();
    assert!(session.disabled);
}

pub async fn two_rotations_at_once_agree(sandbox: &Sandbox) {
    login(sandbox, "ada").await;
    let at = now();
    let queries = (0..8).map(|n| rotate("first", &format!("successor {n}"), "phone", at));
    let mut rotated = Vec::new();
    let mut repeated = Vec::new();
    for answer in sandbox.together(queries.collect()).await {
        match answer.unwrap() {
            Rotation::Rotated(_, token) => rotated.push(token),
            Rotation::Repeated(_, token) => repeated.push(token),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((rotated.len(), repeated.len()), (1, 7));
    assert!(repeated.iter().all(|token| *token == rotated[0]));
}

pub async fn a_revocation_beats_rotations_at_once(sandbox: &Sandbox) {
    for round in 0..8 {
        let user = sandbox.user(&format!("user{round}")).await;
        let name = |what: &str| format!("{what} {round}");
        let first = token(user.id, &name("first"));
        sandbox
            .get(InsertRefreshToken { token: first, password_hash: "$argon2id$old".to_owned() })
            .await;
        let at = now();
        sandbox.get(rotate(&name("first"), &name("second"), "phone", at)).await;
        // The owner goes on with the second while a thief shows the first.
        let queries = vec![
            rotate(&name("second"), &name("third"), "phone", at),
            rotate(&name("first"), &name("stolen"), "thief", at),
        ];
        for answer in sandbox.together(queries).await {
            answer.unwrap();
        }
        for shown in ["first", "second", "third", "stolen"] {
            let answer = sandbox.get(rotate(&name(shown), &name("last"), "phone", at)).await;
            assert_eq!(answer, Rotation::Unknown, "{shown} outlived the revocation");
        }
    }
}

pub async fn logout_ends_one_login(sandbox: &Sandbox) {
    let (user, first) = login(sandbox, "ada").await;
    let (token_hash, user_id) = ("first".to_owned(), user.id);
    let strangers = RevokeFamilyOf { token_hash: token_hash.clone(), user_id: UserId::new() };
    sandbox.get(strangers).await;
    assert!(sandbox.get(SessionByToken { id: first.id, now: now() }).await.is_some());
    sandbox.get(RevokeFamilyOf { token_hash: token_hash.clone(), user_id }).await;
    sandbox.get(RevokeFamilyOf { token_hash, user_id }).await;
    assert_eq!(sandbox.get(SessionByToken { id: first.id, now: now() }).await, None);
    let registered = rotate("token of ada", "next", "phone", now());
    assert!(matches!(sandbox.get(registered).await, Rotation::Rotated(..)));
}

pub async fn sessions_end_with_their_token(sandbox: &Sandbox) {
    let (user, first) = login(sandbox, "ada").await;
    let session = sandbox.get(SessionByToken { id: first.id, now: now() }).await.unwrap();
    assert_eq!((session.user_id, session.username.as_str()), (user.id, "ada"));
    assert!(!session.disabled);
    // An access token outlives the rotation of the refresh token that it came with.
    sandbox.get(rotate("first", "second", "phone", now())).await;
    assert!(sandbox.get(SessionByToken { id: first.id, now: now() }).await.is_some());
    let ended = SessionByToken { id: first.id, now: first.expires_at };
    assert_eq!(sandbox.get(ended).await, None);
    assert_eq!(sandbox.get(SessionByToken { id: TokenId::new(), now: now() }).await, None);
}

pub async fn api_keys_come_and_go(sandbox: &Sandbox) {
    let (ada, other) = (sandbox.user("ada").await, sandbox.user("other").await);
    let key = |user: &User, name: &str| ApiKey {
        id: ApiKeyId::new(),
        user_id: user.id,
        name: name.to_owned(),
        key_hash: format!("hash of {name}"),
        created_at: now(),
    };
    let (first, second, theirs) = (key(&ada, "first"), key(&ada, "second"), key(&other, "third"));
    for key in [&first, &second, &theirs] {
        sandbox.get(InsertApiKey { key: key.clone() }).await;
    }
    let listed = sandbox.get(ApiKeysOf { user_id: ada.id }).await;
    assert_eq!(listed, [second.clone(), first.clone()]);
    let lookup = SessionByApiKey { key_hash: first.key_hash.clone() };
    let (id, session) = sandbox.get(lookup.clone()).await.unwrap();
    assert_eq!((id, session.user_id, session.username.as_str()), (first.id, ada.id, "ada"));

    let strangers = DeleteApiKey { user_id: other.id, id: first.id };
    assert_eq!(sandbox.refusal(strangers).await, Code::NotFound);
    sandbox.get(DeleteApiKey { user_id: ada.id, id: first.id }).await;
    assert_eq!(sandbox.get(lookup).await, None);
    assert_eq!(sandbox.get(ApiKeysOf { user_id: ada.id }).await, [second]);
}

pub async fn a_purge_keeps_what_still_holds(sandbox: &Sandbox) {
    let (_, first) = login(sandbox, "ada").await;
    let rotated = RotateRefreshToken {
        expires_at: now() + seconds(7200),
        ..rotate("first", "second", "phone", now())
    };
    let second = rotated.successor_id;
    sandbox.get(rotated).await;
    assert_eq!(sandbox.get(PurgeTokens { now: now() }).await, 0);
    // The first tokens end after an hour; registering opened a login of its own, which ends whole.
    let later = first.expires_at + seconds(1);
    assert_eq!(sandbox.get(PurgeTokens { now: later }).await, 2);
    assert!(sandbox.get(SessionByToken { id: second, now: later }).await.is_some());
    let rotation = sandbox.get(rotate("second", "third", "phone", later)).await;
    assert!(matches!(rotation, Rotation::Rotated(..)), "{rotation:?}");
}
