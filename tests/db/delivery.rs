//! What accounts say about pictures by URL, and what serving is told.

use darkroom::{
    adapters::db::{
        admin::SetDisabled,
        delivery::*,
        images::{DeleteImage, ImageForDelivery, ImagesThere},
        presets::PutPreset,
        signing_keys::InsertSigningKey,
    },
    domain::{
        delivery::{Account, Settings, SigningKey},
        error::Code,
        ids::{DeletionId, ImageId, UserId},
    },
};
use serde_json::json;

use crate::sandbox::{Sandbox, now};

pub async fn settings_are_the_defaults_until_they_are_put(sandbox: &Sandbox) {
    let (ada, eve) = (sandbox.user("ada").await, sandbox.user("eve").await);
    let image = sandbox.image(&ada).await;
    let of = |user_id| DeliverySettings { user_id };
    assert_eq!(sandbox.get(of(ada.id)).await, Settings::default());
    assert!(Settings::default().strict);
    let settings = Settings {
        strict: false,
        allowed: vec!["w_300".to_owned(), "l_text:Arial_20:ü/fl_layer_apply".to_owned()],
        fallback_image_id: Some(image.id),
    };
    let put =
        |settings: &Settings| PutDeliverySettings { user_id: ada.id, settings: settings.clone() };
    sandbox.get(put(&settings)).await;
    assert_eq!(sandbox.get(of(ada.id)).await, settings);
    assert_eq!(sandbox.get(of(eve.id)).await, Settings::default());
    let absent = Settings { fallback_image_id: Some(ImageId::new()), ..settings.clone() };
    assert_eq!(sandbox.refusal(put(&absent)).await, Code::NotFound);

    let (user_id, id, deletion_id) = (ada.id, image.id, DeletionId::new());
    sandbox.get(DeleteImage { user_id, id, deletion_id, now: now() }).await;
    let without = Settings { fallback_image_id: None, ..settings };
    assert_eq!(sandbox.get(of(ada.id)).await, without);
    sandbox.get(put(&Settings::default())).await;
    assert_eq!(sandbox.get(of(ada.id)).await, Settings::default());
    assert_eq!(sandbox.refusal(of(UserId::new())).await, Code::NotFound);
}

pub async fn serving_is_told_all_of_an_account(sandbox: &Sandbox) {
    let (ada, eve) = (sandbox.user("ada").await, sandbox.user("eve").await);
    let account = |user_id| DeliveryAccount { user_id };
    assert_eq!(sandbox.get(account(ada.id)).await, Some(Account::default()));
    assert_eq!(sandbox.get(account(UserId::new())).await, None);
    for (user, name) in [(&ada, "b"), (&ada, "a"), (&eve, "c")] {
        let spec = json!({ "resize": { "width": 9 } });
        let (user_id, name) = (user.id, name.to_owned());
        sandbox.get(PutPreset { user_id, name, spec, now: now() }).await;
    }
    let settings = Settings { allowed: vec!["w_1".to_owned()], ..Settings::default() };
    sandbox.get(PutDeliverySettings { user_id: ada.id, settings: settings.clone() }).await;
    sandbox.get(SetDisabled { users: vec!["ada".to_owned()], disabled: true }).await;
    let spec = || json!({ "resize": { "width": 9 } });
    let presets = vec![("a".to_owned(), spec()), ("b".to_owned(), spec())];
    let key = SigningKey {
        id: "12345678".to_owned(),
        user_id: ada.id,
        name: "one".to_owned(),
        secret: "secret".to_owned(),
        created_at: now(),
    };
    sandbox.get(InsertSigningKey { key }).await;
    let keys = vec!["12345678".to_owned()];
    let expected = Account { disabled: true, settings, presets, keys };
    assert_eq!(sandbox.get(account(ada.id)).await, Some(expected));
}

pub async fn serving_finds_a_picture_by_its_id_alone(sandbox: &Sandbox) {
    let ada = sandbox.user("ada").await;
    let image = sandbox.image(&ada).await;
    assert_eq!(sandbox.get(ImageForDelivery { id: image.id }).await, Some(image));
    assert_eq!(sandbox.get(ImageForDelivery { id: ImageId::new() }).await, None);
}

pub async fn of_many_pictures_those_are_told_that_are_there(sandbox: &Sandbox) {
    let (ada, eve) = (sandbox.user("ada").await, sandbox.user("eve").await);
    let (hers, others) = (sandbox.image(&ada).await.id, sandbox.image(&eve).await.id);
    // More than one statement names.
    let mut ids: Vec<ImageId> = (0..1200).map(|_| ImageId::new()).collect();
    ids.insert(700, hers);
    ids.extend([others, hers]);
    let there = |user_id| ImagesThere { user_id, ids: ids.clone() };
    assert_eq!(sandbox.get(there(None)).await, [hers, others].into());
    assert_eq!(sandbox.get(there(Some(ada.id))).await, [hers].into());
    assert_eq!(sandbox.get(there(Some(UserId::new()))).await, [].into());
    let nothing = ImagesThere { user_id: None, ids: Vec::new() };
    assert_eq!(sandbox.get(nothing).await, [].into());
}
