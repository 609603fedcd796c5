//! Whatever alters what may be served writes it down.

use darkroom::{
    adapters::{
        Query,
        db::{
            Db,
            admin::SetDisabled,
            changes::*,
            delivery::PutDeliverySettings,
            images::{DeleteImage, PatchImage},
            presets::{DeletePreset, PutPreset},
            purge::PurgeImage,
            signing_keys::{DeleteSigningKey, EnsureSigningKey, InsertSigningKey},
            users::DeleteUser,
            variants::{DeleteVariant, ReserveVariant},
        },
    },
    domain::{
        delivery::{Change, ChangeKind, Settings, SigningKey},
        ids::{ChangeId, DeletionId, ImageId, UserId},
        image::{Focus, ImagePatch},
    },
};
use serde_json::json;
use uuid::Uuid;

use crate::sandbox::{Sandbox, now, seconds, variant};

const ALL: ChangeId = ChangeId(Uuid::nil());

async fn since(sandbox: &Sandbox, after: ChangeId) -> Vec<Change> {
    let (changes, more) = sandbox.get(ChangesSince { after, limit: 100 }).await;
    assert!(!more);
    changes
}

type Told = (UserId, Option<ImageId>, ChangeKind);

/// What is told of what `query` does.
async fn told<Q: Query<Db>>(sandbox: &Sandbox, query: Q) -> Vec<Told> {
    let last = since(sandbox, ALL).await.last().map_or(ALL, |change| change.id);
    sandbox.get(query).await;
    let changes = since(sandbox, last).await;
    changes
        .into_iter()
        .map(|Change { user_id, image_id, kind, .. }| (user_id, image_id, kind))
        .collect()
}

pub async fn all_that_alters_what_is_served_is_told(sandbox: &Sandbox) {
    let (ada, eve) = (sandbox.user("ada").await, sandbox.user("eve").await);
    let (image, other) = (sandbox.image(&ada).await, sandbox.image(&ada).await);
    assert_eq!(since(sandbox, ALL).await, [], "what is new was known to nobody");
    let (user_id, id, deletion_id) = (ada.id, image.id, DeletionId::new());
    let facts = |image_id| (user_id, image_id, ChangeKind::Facts);
    let pictures = |image_id| (user_id, image_id, ChangeKind::Pictures);

    let patch = |patch| PatchImage { user_id, id, patch };
    let public = ImagePatch { public: Some(true), ..ImagePatch::default() };
    assert_eq!(told(sandbox, patch(public)).await, [facts(Some(id))]);
    let focus = Some(Some(Focus { x: 0.5, y: 0.5 }));
    let focus = ImagePatch { focus, ..ImagePatch::default() };
    assert_eq!(told(sandbox, patch(focus)).await, [facts(Some(id))]);
    let tags = ImagePatch { tags: Some(vec!["a".to_owned()]), ..ImagePatch::default() };
    assert_eq!(told(sandbox, patch(tags)).await, []);

    let name = || "card".to_owned();
    let put = PutPreset { user_id, name: name(), spec: json!({}), now: now() };
    assert_eq!(told(sandbox, put.clone()).await, [facts(None)]);
    assert_eq!(told(sandbox, put).await, [facts(None)]);
    let delete = DeletePreset { user_id, name: name() };
    assert_eq!(told(sandbox, delete).await, [facts(None)]);

    let settings = Settings { fallback_image_id: Some(id), ..Settings::default() };
    assert_eq!(told(sandbox, PutDeliverySettings { user_id, settings }).await, [facts(None)]);

    let key = |id: &str| SigningKey {
        id: id.to_owned(),
        user_id,
        name: name(),
        secret: "secret".to_owned(),
        created_at: now(),
    };
    let ensure = || EnsureSigningKey { key: key("first000") };
    assert_eq!(told(sandbox, ensure()).await, [facts(None)]);
    assert_eq!(told(sandbox, ensure()).await, []);
    let insert = InsertSigningKey { key: key("second00") };
    assert_eq!(told(sandbox, insert).await, [facts(None)]);
    let delete = DeleteSigningKey { user_id, id: "second00".to_owned() };
    assert_eq!(told(sandbox, delete).await, [facts(None)]);

    let shut = |disabled| SetDisabled { users: vec!["ada".to_owned()], disabled };
    assert_eq!(told(sandbox, shut(true)).await, [facts(None)]);
    assert_eq!(told(sandbox, shut(false)).await, [facts(None)]);

    assert_eq!(told(sandbox, PurgeImage { user_id, id, now: now() }).await, [pictures(Some(id))]);
    let variant_id = sandbox.get(ReserveVariant { variant: variant(&image, 1) }).await.id;
    let delete = DeleteVariant { user_id, id: variant_id, deletion_id, now: now() };
    assert_eq!(told(sandbox, delete).await, [pictures(Some(id))]);
    let delete = |id| DeleteImage { user_id, id, deletion_id: DeletionId::new(), now: now() };
    assert_eq!(told(sandbox, delete(other.id)).await, [pictures(Some(other.id))]);
    let with_settings = [pictures(Some(id)), facts(None)];
    assert_eq!(told(sandbox, delete(id)).await, with_settings, "it was the fallback");
    let delete = DeleteUser { user_id, deletion_id: DeletionId::new(), now: now() };
    assert_eq!(told(sandbox, delete).await, [pictures(None)]);
    sandbox.image(&eve).await;
    assert!(since(sandbox, ALL).await.iter().all(|change| change.user_id == ada.id));
}

pub async fn what_was_not_done_is_not_told(sandbox: &Sandbox) {
    let (ada, eve) = (sandbox.user("ada").await, sandbox.user("eve").await);
    let image = sandbox.image(&ada).await;
    let (user_id, id, deletion_id) = (eve.id, image.id, DeletionId::new());
    let patch = ImagePatch { public: Some(true), ..ImagePatch::default() };
    sandbox.refusal(PatchImage { user_id, id, patch }).await;
    sandbox.refusal(DeleteImage { user_id, id, deletion_id, now: now() }).await;
    sandbox.refusal(PurgeImage { user_id, id, now: now() }).await;
    let variant_id = sandbox.get(ReserveVariant { variant: variant(&image, 1) }).await.id;
    sandbox.refusal(DeleteVariant { user_id, id: variant_id, deletion_id, now: now() }).await;
    sandbox.refusal(DeletePreset { user_id, name: "a".to_owned() }).await;
    sandbox.refusal(DeleteSigningKey { user_id, id: "a".to_owned() }).await;
    let users = vec!["ada".to_owned(), "nobody".to_owned()];
    sandbox.refusal(SetDisabled { users, disabled: true }).await;
    assert_eq!(since(sandbox, ALL).await, []);
}

pub async fn changes_are_told_in_order_and_forgotten(sandbox: &Sandbox) {
    let ada = sandbox.user("ada").await;
    let image = sandbox.image(&ada).await;
    for _ in 0..5 {
        sandbox.get(PurgeImage { user_id: ada.id, id: image.id, now: now() }).await;
    }
    let all = since(sandbox, ALL).await;
    assert_eq!(all.len(), 5);
    assert!(all.is_sorted_by_key(|change| change.id));
    assert_eq!(since(sandbox, all[2].id).await, all[3..]);
    let (first, more) = sandbox.get(ChangesSince { after: ALL, limit: 4 }).await;
    assert_eq!((first.as_slice(), more), (&all[..4], true));

    let purge = |before, limit| PurgeChanges { before, limit };
    assert_eq!(sandbox.get(purge(now() - seconds(60), 9)).await, 0);
    assert_eq!(sandbox.get(purge(now() + seconds(1), 3)).await, 3);
    assert_eq!(since(sandbox, ALL).await, all[3..]);
    assert_eq!(sandbox.get(purge(now() + seconds(1), 9)).await, 2);
}
