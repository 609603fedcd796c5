//! Presets.

use darkroom::{
    adapters::db::presets::*,
    domain::{
        delivery::{MAX_PRESETS, MAX_PRESETS_TOGETHER, Preset},
        error::Code,
        ids::UserId,
        user::User,
    },
};
use serde_json::{Value, json};

use crate::sandbox::{Sandbox, now, seconds};

fn put(user: &User, name: &str, spec: Value) -> PutPreset {
    PutPreset { user_id: user.id, name: name.to_owned(), spec, now: now() }
}

pub async fn a_preset_is_put_replaced_and_taken_back(sandbox: &Sandbox) {
    let (ada, eve) = (sandbox.user("ada").await, sandbox.user("eve").await);
    let first = put(&ada, "card", json!({"resize": {"width": 300}, "quality": 0.5}));
    let (made, is_new) = sandbox.get(first.clone()).await;
    let expected = Preset {
        name: "card".to_owned(),
        spec: first.spec,
        created_at: first.now,
        updated_at: first.now,
    };
    assert_eq!((&made, is_new), (&expected, true));
    let second = PutPreset { now: first.now + seconds(1), ..put(&ada, "card", json!({})) };
    let (replaced, is_new) = sandbox.get(second.clone()).await;
    let expected = Preset { spec: json!({}), updated_at: second.now, ..expected };
    assert_eq!((&replaced, is_new), (&expected, false));
    sandbox.get(put(&ada, "Card", json!({"flip": true}))).await;
    sandbox.get(put(&eve, "card", json!({"mirror": true}))).await;

    let by_name =
        |user: &User, name: &str| PresetByName { user_id: user.id, name: name.to_owned() };
    assert_eq!(sandbox.get(by_name(&ada, "card")).await, replaced);
    assert_eq!(sandbox.get(by_name(&eve, "card")).await.spec, json!({"mirror": true}));
    assert_eq!(sandbox.refusal(by_name(&eve, "Card")).await, Code::NotFound);
    let names: Vec<_> =
        sandbox.get(PresetsOf { user_id: ada.id }).await.into_iter().map(|row| row.name).collect();
    assert_eq!(names.len(), 2);
    assert!(names.contains(&"card".to_owned()) && names.contains(&"Card".to_owned()), "{names:?}");

    let delete = DeletePreset { user_id: ada.id, name: "card".to_owned() };
    sandbox.get(delete.clone()).await;
    assert_eq!(sandbox.refusal(delete).await, Code::NotFound);
    assert_eq!(sandbox.refusal(by_name(&ada, "card")).await, Code::NotFound);
    assert_eq!(sandbox.get(by_name(&eve, "card")).await.name, "card");
    let nobody = PutPreset { user_id: UserId::new(), ..put(&ada, "card", json!({})) };
    assert_eq!(sandbox.refusal(nobody).await, Code::NotFound);
}

pub async fn so_many_presets_and_no_more(sandbox: &Sandbox) {
    let ada = sandbox.user("ada").await;
    let first = put(&ada, "p0", json!({}));
    sandbox.get(first.clone()).await;
    sandbox
        .meddle(&format!(
            "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {})
             INSERT INTO presets (user_id, name, spec, size, created_at, updated_at)
             SELECT user_id, 'q' || n, spec, size, created_at, updated_at FROM presets, n",
            MAX_PRESETS - 2
        ))
        .await;
    // Of several at once, one finds room.
    let many = (1..=4).map(|n| put(&ada, &format!("p{n}"), json!({}))).collect();
    let refused: Vec<Code> =
        sandbox.together(many).await.into_iter().filter_map(Result::err).map(|e| e.code).collect();
    assert_eq!(refused, [Code::QuotaExceeded; 3]);
    assert_eq!(sandbox.get(PresetsOf { user_id: ada.id }).await.len(), MAX_PRESETS);
    assert!(!sandbox.get(first).await.1, "one that is there can be replaced");
    sandbox.get(DeletePreset { user_id: ada.id, name: "p0".to_owned() }).await;
    assert!(sandbox.get(put(&ada, "p9", json!({}))).await.1);
}

pub async fn so_many_bytes_of_presets_and_no_more(sandbox: &Sandbox) {
    let (ada, eve) = (sandbox.user("ada").await, sandbox.user("eve").await);
    let of_size = |bytes: usize| json!({ "x": "y".repeat(bytes - r#"{"x":""}"#.len()) });
    let half = MAX_PRESETS_TOGETHER / 2;
    sandbox.get(put(&ada, "one", of_size(half))).await;
    // Of several at once, one finds room.
    let many = (1..=3).map(|n| put(&ada, &format!("p{n}"), of_size(half - 2))).collect();
    let (known, refused): (Vec<_>, Vec<_>) =
        sandbox.together(many).await.into_iter().partition(Result::is_ok);
    let refused: Vec<Code> =
        refused.into_iter().filter_map(Result::err).map(|error| error.code).collect();
    assert_eq!((known.len(), refused), (1, vec![Code::QuotaExceeded; 2]));
    assert!(sandbox.get(put(&ada, "rest", json!({}))).await.1, "it fits exactly");
    let error = sandbox.ask(put(&ada, "more", json!({}))).await.unwrap_err();
    assert!(error.to_string().contains("262144 bytes together"), "{error}");
    // What is there counts as what it is now.
    assert_eq!(sandbox.refusal(put(&ada, "one", of_size(half + 1))).await, Code::QuotaExceeded);
    sandbox.get(put(&ada, "one", of_size(half))).await;
    sandbox.get(put(&ada, "one", of_size(half - 2))).await;
    sandbox.get(put(&ada, "more", json!({}))).await;
    sandbox.get(put(&eve, "one", of_size(half))).await;
}
