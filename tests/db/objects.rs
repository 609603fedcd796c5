//! Stored objects, and who shares them.

use chrono::TimeDelta;
use darkroom::{
    adapters::db::{
        deletions::PendingDeletions,
        images::{DeleteImage, ImageById, InsertImage},
        objects::*,
        purge::PurgeImage,
        users::DeleteUser,
        variants::{CompleteVariant, DeleteVariant, ReserveVariant, VariantById},
    },
    domain::{
        error::Code,
        ids::{DeletionId, VariantId},
        image::Image,
        object::Object,
        user::User,
        variant::Made,
    },
};

use crate::sandbox::{ENGINE, Sandbox, image, made, now, variant};

/// An image with these bytes, stored under a key of its own that was reserved before.
async fn reserved(sandbox: &Sandbox, user: &User, sha256: &str) -> Image {
    let image = Image { sha256: sha256.to_owned(), ..image(user.id) };
    let (user_id, object) = (user.id, image.object());
    let reserve = ReserveObject { user_id, object, may_share: false, now: now() };
    assert_eq!(sandbox.get(reserve).await, Place::New);
    image
}

fn insert(image: &Image) -> InsertImage {
    InsertImage { image: image.clone(), is_stored: false, jobs: Vec::new() }
}

/// The keys that its deletion removes.
async fn delete(sandbox: &Sandbox, image: &Image) -> Vec<String> {
    let (user_id, id) = (image.user_id, image.id);
    let query = DeleteImage { user_id, id, deletion_id: DeletionId::new(), now: now() };
    sandbox.get(query).await.1
}

/// Everything that is to be removed.
async fn doomed(sandbox: &Sandbox) -> Vec<String> {
    let pending = sandbox.get(PendingDeletions { after: None, limit: 100 }).await;
    let mut keys: Vec<String> = pending.into_iter().map(|(_, key)| key).collect();
    keys.sort();
    keys
}

async fn count(sandbox: &Sandbox) -> u64 {
    sandbox.get(CountObjects { after: String::new() }).await.0
}

pub async fn equal_bytes_are_one_object(sandbox: &Sandbox) {
    let (ada, other) = (sandbox.user("ada").await, sandbox.user("other").await);
    let first = reserved(sandbox, &ada, "aa").await;
    assert_eq!(count(sandbox).await, 0, "nobody names it yet");
    assert_eq!(sandbox.get(insert(&first)).await, Some(first.object_key.clone()));
    let (second, others) =
        (reserved(sandbox, &ada, "aa").await, reserved(sandbox, &other, "aa").await);
    assert_eq!(sandbox.get(insert(&second)).await, Some(first.object_key.clone()));
    assert_eq!(doomed(sandbox).await, vec![second.object_key.clone()], "it is stored already");
    assert_eq!(sandbox.get(insert(&others)).await, Some(others.object_key.clone()));
    assert_eq!(count(sandbox).await, 2, "each account has its own");
    let read = sandbox.get(ImageById { user_id: ada.id, id: second.id }).await;
    assert_eq!(read.object_key, first.object_key);

    assert_eq!(delete(sandbox, &first).await, Vec::<String>::new(), "the other one needs it");
    assert_eq!(delete(sandbox, &second).await, vec![first.object_key.clone()]);
    assert_eq!(count(sandbox).await, 1);
    // What comes after it has a key of its own: the former may be being removed.
    let third = reserved(sandbox, &ada, "aa").await;
    assert_eq!(sandbox.get(insert(&third)).await, Some(third.object_key.clone()));
}

pub async fn what_is_there_need_not_be_stored(sandbox: &Sandbox) {
    let ada = sandbox.user("ada").await;
    let first = reserved(sandbox, &ada, "aa").await;
    let look =
        |object: Object| ReserveObject { user_id: ada.id, object, may_share: true, now: now() };
    let second = Image { sha256: "aa".to_owned(), ..image(ada.id) };
    assert_eq!(sandbox.get(look(second.object())).await, Place::New, "the first is on its way");
    sandbox.get(insert(&first)).await;
    let third = Image { sha256: "aa".to_owned(), ..image(ada.id) };
    let there = sandbox.get(look(third.object())).await;
    assert_eq!(there, Place::There(first.object_key.clone()));
    let third = Image { object_key: first.object_key.clone(), ..third };
    let again = InsertImage { is_stored: true, ..insert(&third) };
    assert_eq!(sandbox.get(again.clone()).await, Some(first.object_key.clone()));
    delete(sandbox, &first).await;
    assert_eq!(delete(sandbox, &third).await, vec![first.object_key.clone()]);
    // It was there when it was looked for, and is not any more.
    assert_eq!(sandbox.get(again).await, None);
    let (user_id, id) = (ada.id, third.id);
    assert_eq!(sandbox.refusal(ImageById { user_id, id }).await, Code::NotFound);
}

pub async fn of_many_at_once_one_is_kept(sandbox: &Sandbox) {
    let ada = sandbox.user("ada").await;
    let mut images = Vec::new();
    for _ in 0..12 {
        images.push(reserved(sandbox, &ada, "aa").await);
    }
    let answers = sandbox.together(images.iter().map(insert).collect()).await;
    let keys: Vec<_> = answers.into_iter().map(|key| key.unwrap().unwrap()).collect();
    let kept = keys[0].clone();
    assert!(keys.iter().all(|key| *key == kept), "{keys:?}");
    assert_eq!(count(sandbox).await, 1);
    let others = doomed(sandbox).await;
    assert_eq!(others.len(), 11);
    assert!(!others.contains(&kept));
    let deletes = images.iter().map(|image| DeleteImage {
        user_id: ada.id,
        id: image.id,
        deletion_id: DeletionId::new(),
        now: now(),
    });
    let answers = sandbox.together(deletes.collect()).await;
    let removed: Vec<_> = answers.into_iter().flat_map(|answer| answer.unwrap().1).collect();
    assert_eq!(removed, [kept], "by the last, once");
    assert_eq!(count(sandbox).await, 0);
}

async fn complete(sandbox: &Sandbox, id: VariantId, made: Made, engine: i32) -> String {
    let variant = sandbox.get(CompleteVariant { id, made, engine, now: now() }).await;
    variant.made.unwrap().object_key
}

/// Three variants of a picture, to be made.
async fn three(sandbox: &Sandbox, image: &Image) -> Vec<VariantId> {
    let mut ids = Vec::new();
    for number in 0..3 {
        ids.push(sandbox.get(ReserveVariant { variant: variant(image, number) }).await.id);
    }
    ids
}

/// What has the same bytes as all others of these.
fn same(key: &str) -> Made {
    Made { sha256: "bb".to_owned(), ..made(key) }
}

pub async fn variants_share_them_too(sandbox: &Sandbox) {
    let ada = sandbox.user("ada").await;
    let image = sandbox.image(&ada).await;
    let ids = three(sandbox, &image).await;
    assert_eq!(complete(sandbox, ids[0], same("v0"), ENGINE).await, "v0");
    assert_eq!(complete(sandbox, ids[1], same("v1"), ENGINE).await, "v0");
    // The same bytes as the picture itself.
    let copy = Made { sha256: image.sha256.clone(), ..made("v2") };
    assert_eq!(complete(sandbox, ids[2], copy, ENGINE).await, image.object_key);
    assert_eq!(doomed(sandbox).await, ["v1", "v2"]);
    // A newer engine makes the same of it.
    let newer = ReserveVariant {
        variant: darkroom::domain::variant::Variant { engine: ENGINE + 1, ..variant(&image, 0) },
    };
    assert_eq!(sandbox.get(newer).await.id, ids[0]);
    assert_eq!(complete(sandbox, ids[0], same("v3"), ENGINE + 1).await, "v0");
    // And something else, at last.
    let other = Made { sha256: "cc".to_owned(), ..made("v4") };
    let newest = darkroom::domain::variant::Variant { engine: ENGINE + 2, ..variant(&image, 0) };
    sandbox.get(ReserveVariant { variant: newest }).await;
    assert_eq!(complete(sandbox, ids[0], other, ENGINE + 2).await, "v4");
    // Somebody was later: what is there stays.
    assert_eq!(complete(sandbox, ids[0], same("v5"), ENGINE).await, "v4");

    let (user_id, deletion_id) = (ada.id, DeletionId::new());
    let delete_one = DeleteVariant { user_id, id: ids[1], deletion_id, now: now() };
    assert_eq!(sandbox.get(delete_one).await, ["v0"]);
    let read = sandbox.get(VariantById { user_id, id: ids[2] }).await;
    assert_eq!(read.made.unwrap().object_key, image.object_key);
    let mut removed = delete(sandbox, &image).await;
    removed.sort();
    assert_eq!(removed, [image.object_key.clone(), "v4".to_owned()], "each once");
    assert_eq!(count(sandbox).await, 0);
}

pub async fn an_account_takes_its_objects_with_it(sandbox: &Sandbox) {
    let (ada, other) = (sandbox.user("ada").await, sandbox.user("other").await);
    let (first, second) =
        (reserved(sandbox, &ada, "aa").await, reserved(sandbox, &ada, "aa").await);
    sandbox.get(insert(&first)).await;
    sandbox.get(insert(&second)).await;
    let kept = sandbox.image(&other).await;
    let (user_id, deletion_id) = (ada.id, DeletionId::new());
    let (deletion, keys) = sandbox.get(DeleteUser { user_id, deletion_id, now: now() }).await;
    assert_eq!((deletion.objects, keys), (1, vec![first.object_key]));
    let page = sandbox.get(ListObjects { after: String::new(), limit: 10 }).await;
    assert_eq!(page, [kept.object()]);
    let find = |image: &Image| FindObject { key: image.object_key.clone() };
    assert_eq!(sandbox.get(find(&kept)).await, Some(kept.object()));
    assert_eq!(sandbox.get(find(&second)).await, None);
    assert_eq!(sandbox.get(CountObjects { after: kept.object_key }).await, (0, 0));
}

pub async fn what_a_crash_left_is_swept_after_its_time(sandbox: &Sandbox) {
    let ada = sandbox.user("ada").await;
    let (left, named) = (reserved(sandbox, &ada, "aa").await, reserved(sandbox, &ada, "bb").await);
    sandbox.get(insert(&named)).await;
    let sweep = |later| SweepObjects { before: now() + later, limit: 10, now: now() };
    assert_eq!(sandbox.get(sweep(TimeDelta::hours(-1))).await, 0, "it may be on its way");
    assert_eq!(sandbox.get(sweep(TimeDelta::hours(1))).await, 1);
    assert_eq!(doomed(sandbox).await, vec![left.object_key.clone()]);
    assert_eq!(sandbox.get(sweep(TimeDelta::hours(1))).await, 0);
    sandbox.get(ImageById { user_id: ada.id, id: named.id }).await;
}

/// A machine that slept for a day, or whose clock is wrong.
pub async fn who_comes_after_the_sweep_is_told(sandbox: &Sandbox) {
    let ada = sandbox.user("ada").await;
    let (late, picture) = (reserved(sandbox, &ada, "aa").await, sandbox.image(&ada).await);
    let id = sandbox.get(ReserveVariant { variant: variant(&picture, 1) }).await.id;
    let object = made("v").object();
    let reserve = ReserveObject { user_id: ada.id, object, may_share: false, now: now() };
    sandbox.get(reserve).await;
    let sweep = |before| SweepObjects { before, limit: 10, now: now() };
    assert_eq!(sandbox.get(sweep(now() + TimeDelta::hours(1))).await, 2);
    assert_eq!(sandbox.refusal(insert(&late)).await, Code::DependencyUnavailable);
    let absent = ImageById { user_id: ada.id, id: late.id };
    assert_eq!(sandbox.refusal(absent).await, Code::NotFound, "no row names what is to go");
    let complete = CompleteVariant { id, made: made("v"), engine: ENGINE, now: now() };
    assert_eq!(sandbox.refusal(complete).await, Code::DependencyUnavailable);
    assert_eq!(doomed(sandbox).await.len(), 2);
    // What it was is forgotten some day.
    assert_eq!(sandbox.get(sweep(now() + TimeDelta::days(100))).await, 0);
    assert_eq!(count(sandbox).await, 1);
}

pub async fn two_who_waited_for_one_making_use_it_both(sandbox: &Sandbox) {
    let ada = sandbox.user("ada").await;
    let image = sandbox.image(&ada).await;
    let object = made("v").object();
    let reserve = ReserveObject { user_id: ada.id, object, may_share: false, now: now() };
    sandbox.get(reserve).await;
    for number in 1..=2 {
        let id = sandbox.get(ReserveVariant { variant: variant(&image, number) }).await.id;
        assert_eq!(complete(sandbox, id, made("v"), ENGINE).await, "v");
    }
    assert_eq!(doomed(sandbox).await, Vec::<String>::new());
    let mut removed = delete(sandbox, &image).await;
    removed.sort();
    assert_eq!(removed, [image.object_key.clone(), "v".to_owned()]);
}

/// Of two who waited for the same making, the first found that its bytes were there already, and what was made is to be removed.
pub async fn who_waited_for_what_is_not_kept_uses_what_is_there(sandbox: &Sandbox) {
    let ada = sandbox.user("ada").await;
    let image = sandbox.image(&ada).await;
    let ids = three(sandbox, &image).await;
    for key in ["v0", "v1"] {
        let object = same(key).object();
        let reserve = ReserveObject { user_id: ada.id, object, may_share: false, now: now() };
        sandbox.get(reserve).await;
    }
    for (id, key) in [(ids[0], "v0"), (ids[1], "v1"), (ids[2], "v1")] {
        assert_eq!(complete(sandbox, id, same(key), ENGINE).await, "v0");
    }
    assert_eq!(doomed(sandbox).await, ["v1"]);
    sandbox.get(PurgeImage { user_id: ada.id, id: image.id, now: now() }).await;
    assert_eq!(doomed(sandbox).await, ["v0", "v1"]);
    let late = CompleteVariant { id: ids[2], made: same("v1"), engine: ENGINE, now: now() };
    assert_eq!(sandbox.refusal(late).await, Code::DependencyUnavailable);
    assert_eq!(complete(sandbox, ids[2], same("v2"), ENGINE).await, "v2");
}

pub async fn what_was_stored_in_vain_is_removed(sandbox: &Sandbox) {
    let ada = sandbox.user("ada").await;
    let (vain, named) = (reserved(sandbox, &ada, "aa").await, reserved(sandbox, &ada, "bb").await);
    sandbox.get(insert(&named)).await;
    for image in [&vain, &named] {
        let (user_id, key) = (ada.id, image.object_key.clone());
        sandbox.get(AbandonObject { user_id, key, now: now() }).await;
    }
    assert_eq!(doomed(sandbox).await, [vain.object_key], "only what nobody names");
}
