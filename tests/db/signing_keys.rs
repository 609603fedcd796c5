//! Signing keys.

use darkroom::{
    adapters::db::{admin::SetDisabled, signing_keys::*},
    domain::{
        delivery::{MAX_SIGNING_KEYS, SigningKey},
        error::Code,
        ids::UserId,
    },
};

use crate::sandbox::{Sandbox, now, seconds};

fn key(user_id: UserId, id: &str) -> SigningKey {
    SigningKey {
        id: id.to_owned(),
        user_id,
        name: "a name".to_owned(),
        secret: format!("secret of {id}"),
        created_at: now(),
    }
}

pub async fn the_newest_key_signs_and_older_ones_are_known(sandbox: &Sandbox) {
    let (ada, eve) = (sandbox.user("ada").await, sandbox.user("eve").await);
    let of = |user_id| SigningKeysOf { user_id };
    assert_eq!(sandbox.get(of(ada.id)).await, []);
    let old = key(ada.id, "zOld0000");
    let new = SigningKey { created_at: old.created_at + seconds(1), ..key(ada.id, "aNew0000") };
    let others = key(eve.id, "eve00000");
    for key in [&new, &old, &others] {
        sandbox.get(InsertSigningKey { key: key.clone() }).await;
    }
    assert_eq!(sandbox.get(of(ada.id)).await, [new.clone(), old.clone()]);
    assert_eq!(sandbox.get(of(eve.id)).await, [others]);
    let by_id = |id: &str| SigningKeyById { id: id.to_owned() };
    assert_eq!(sandbox.get(by_id("zOld0000")).await, Some((old.clone(), false)));
    assert_eq!(sandbox.get(by_id("ZOLD0000")).await, None);
    sandbox.get(SetDisabled { users: vec!["ada".to_owned()], disabled: true }).await;
    assert_eq!(sandbox.get(by_id("zOld0000")).await, Some((old.clone(), true)));

    let delete = |user_id| DeleteSigningKey { user_id, id: old.id.clone() };
    assert_eq!(sandbox.refusal(delete(eve.id)).await, Code::NotFound);
    sandbox.get(delete(ada.id)).await;
    assert_eq!(sandbox.refusal(delete(ada.id)).await, Code::NotFound);
    assert_eq!(sandbox.get(by_id("zOld0000")).await, None);
    assert_eq!(sandbox.get(of(ada.id)).await, [new]);
    let nobodys = InsertSigningKey { key: key(UserId::new(), "nobody00") };
    assert_eq!(sandbox.refusal(nobodys).await, Code::NotFound);
}

pub async fn whoever_signs_first_gets_a_key_and_all_the_same(sandbox: &Sandbox) {
    let ada = sandbox.user("ada").await;
    let ensure = |n| EnsureSigningKey { key: key(ada.id, &format!("made000{n}")) };
    let answers = sandbox.together((0..8).map(ensure).collect()).await;
    let keys: Vec<SigningKey> = answers.into_iter().map(Result::unwrap).collect();
    assert!(keys.iter().all(|key| *key == keys[0]), "{keys:?}");
    assert_eq!(sandbox.get(SigningKeysOf { user_id: ada.id }).await, keys[..1]);
}

pub async fn so_many_signing_keys_and_no_more(sandbox: &Sandbox) {
    let ada = sandbox.user("ada").await;
    let insert = |n: usize| InsertSigningKey { key: key(ada.id, &format!("{n:08}")) };
    let answers = sandbox.together((0..MAX_SIGNING_KEYS + 3).map(insert).collect()).await;
    let refused: Vec<Code> =
        answers.into_iter().filter_map(Result::err).map(|error| error.code).collect();
    assert_eq!(refused, [Code::QuotaExceeded; 3]);
    let keys = sandbox.get(SigningKeysOf { user_id: ada.id }).await;
    assert_eq!(keys.len(), MAX_SIGNING_KEYS);
    sandbox.get(DeleteSigningKey { user_id: ada.id, id: keys[0].id.clone() }).await;
    sandbox.get(insert(99)).await;
}
