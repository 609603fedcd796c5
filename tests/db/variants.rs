//! Variants.

use darkroom::{
    adapters::db::{deletions::PendingDeletions, jobs::JobById, variants::*},
    domain::{
        error::Code,
        ids::{DeletionId, ImageId, VariantId},
        variant::{Failure, Variant, VariantStatus},
    },
};

use crate::sandbox::{ENGINE, Sandbox, made, now, variant};

fn complete(variant: &Variant, key: &str, engine: i32) -> CompleteVariant {
    CompleteVariant { id: variant.id, made: made(key), engine, now: now() }
}

fn failure() -> Failure {
    Failure { code: "image_corrupt".to_owned(), detail: "it ends early".to_owned() }
}

pub async fn a_reserved_variant_is_pending(sandbox: &Sandbox) {
    let user = sandbox.user("ada").await;
    let image = sandbox.image(&user).await;
    let asked = variant(&image, 1);
    let by_spec =
        VariantBySpec { user_id: user.id, image_id: image.id, spec_hash: asked.spec_hash.clone() };
    assert_eq!(sandbox.get(by_spec.clone()).await, None);
    assert_eq!(sandbox.get(ReserveVariant { variant: asked.clone() }).await, asked);
    let read = sandbox.get(VariantById { user_id: user.id, id: asked.id }).await;
    assert_eq!(read, asked);
    assert_eq!(sandbox.get(by_spec).await, Some(asked.clone()));
    let again = sandbox.get(ReserveVariant { variant: variant(&image, 1) }).await;
    assert_eq!(again, asked);
}

pub async fn sixteen_reservations_make_one_row(sandbox: &Sandbox) {
    let user = sandbox.user("ada").await;
    let image = sandbox.image(&user).await;
    let queries = (0..16).map(|_| ReserveVariant { variant: variant(&image, 1) });
    let answers = sandbox.together(queries.collect()).await;
    let ids: Vec<VariantId> = answers.into_iter().map(|answer| answer.unwrap().id).collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    let listed = sandbox.get(VariantsOf { user_id: user.id, image_id: image.id }).await;
    assert_eq!(listed.len(), 1);
}

pub async fn a_variant_of_an_image_that_is_not_ones_own_is_refused(sandbox: &Sandbox) {
    let (ada, eve) = (sandbox.user("ada").await, sandbox.user("eve").await);
    let image = sandbox.image(&ada).await;
    let hers = sandbox.get(ReserveVariant { variant: variant(&image, 1) }).await;
    for number in [1, 2] {
        let variant = Variant { user_id: eve.id, ..variant(&image, number) };
        assert_eq!(sandbox.refusal(ReserveVariant { variant }).await, Code::NotFound);
    }
    let absent = Variant { image_id: ImageId::new(), ..variant(&image, 3) };
    assert_eq!(sandbox.refusal(ReserveVariant { variant: absent }).await, Code::NotFound);
    let read = VariantById { user_id: eve.id, id: hers.id };
    assert_eq!(sandbox.refusal(read).await, Code::NotFound);
    let list = VariantsOf { user_id: eve.id, image_id: image.id };
    assert_eq!(sandbox.get(list).await, []);
    let (user_id, deletion_id) = (eve.id, DeletionId::new());
    let delete = DeleteVariant { user_id, id: hers.id, deletion_id, now: now() };
    assert_eq!(sandbox.refusal(delete).await, Code::NotFound);
    sandbox.get(VariantById { user_id: ada.id, id: hers.id }).await;
}

pub async fn a_failed_variant_is_pending_again(sandbox: &Sandbox) {
    let user = sandbox.user("ada").await;
    let image = sandbox.image(&user).await;
    let first = sandbox.get(ReserveVariant { variant: variant(&image, 1) }).await;
    sandbox.get(FailVariant { id: first.id, failure: failure() }).await;
    let failed = sandbox.get(VariantById { user_id: user.id, id: first.id }).await;
    assert_eq!((failed.status, failed.error), (VariantStatus::Failed, Some(failure())));
    let again = sandbox.get(ReserveVariant { variant: variant(&image, 1) }).await;
    assert_eq!(again, first);
}

pub async fn an_older_engines_variant_is_remade_under_its_id(sandbox: &Sandbox) {
    let user = sandbox.user("ada").await;
    let image = sandbox.image(&user).await;
    let first = sandbox.get(ReserveVariant { variant: variant(&image, 1) }).await;
    sandbox.get(complete(&first, "old", ENGINE)).await;

    let newer = Variant { engine: ENGINE + 1, ..variant(&image, 1) };
    let remade = sandbox.get(ReserveVariant { variant: newer }).await;
    assert_eq!((remade.id, remade.engine), (first.id, ENGINE + 1));
    assert_eq!((remade.status, remade.made.clone()), (VariantStatus::Pending, None));
    let older = sandbox.get(ReserveVariant { variant: variant(&image, 1) }).await;
    assert_eq!(older, remade, "an older process does not take it back");

    let ready = sandbox.get(complete(&first, "new", ENGINE + 1)).await;
    assert_eq!(ready.made, Some(made("new")));
    let pending = sandbox.get(PendingDeletions { after: None, limit: 10 }).await;
    let keys: Vec<&str> = pending.iter().map(|(_, key)| key.as_str()).collect();
    assert_eq!(keys, ["old"], "the bytes that were replaced are to be removed");
}

pub async fn the_first_to_complete_wins(sandbox: &Sandbox) {
    let user = sandbox.user("ada").await;
    let image = sandbox.image(&user).await;
    let reserved = sandbox.get(ReserveVariant { variant: variant(&image, 1) }).await;
    let queries = (0..8).map(|n| complete(&reserved, &format!("key {n}"), ENGINE)).collect();
    let answers = sandbox.together(queries).await;
    let rows: Vec<Variant> = answers.into_iter().map(Result::unwrap).collect();
    assert_eq!(rows[0].status, VariantStatus::Ready);
    assert!(rows[0].made.is_some());
    assert!(rows.iter().all(|row| *row == rows[0]));
    sandbox.get(FailVariant { id: reserved.id, failure: failure() }).await;
    let read = sandbox.get(VariantById { user_id: user.id, id: reserved.id }).await;
    assert_eq!(read, rows[0], "a failure comes too late");
    let absent = CompleteVariant { id: VariantId::new(), ..complete(&reserved, "x", ENGINE) };
    assert_eq!(sandbox.refusal(absent).await, Code::NotFound);
}

pub async fn lists_hold_the_variants_of_their_images(sandbox: &Sandbox) {
    let (ada, eve) = (sandbox.user("ada").await, sandbox.user("eve").await);
    let (first, second, theirs) =
        (sandbox.image(&ada).await, sandbox.image(&ada).await, sandbox.image(&eve).await);
    let mut made = Vec::new();
    for (image, number) in [(&first, 1), (&first, 2), (&second, 1), (&theirs, 1)] {
        made.push(sandbox.get(ReserveVariant { variant: variant(image, number) }).await);
    }
    let list = VariantsOf { user_id: ada.id, image_id: first.id };
    assert_eq!(sandbox.get(list).await, [made[1].clone(), made[0].clone()]);
    let image_ids = vec![first.id, second.id, theirs.id];
    let list = VariantsOfMany { user_id: ada.id, image_ids };
    assert_eq!(sandbox.get(list).await, [made[2].clone(), made[1].clone(), made[0].clone()]);
    let list = VariantsOfMany { user_id: ada.id, image_ids: Vec::new() };
    assert_eq!(sandbox.get(list).await, []);
}

pub async fn a_deleted_variant_hands_over_its_object(sandbox: &Sandbox) {
    let user = sandbox.user("ada").await;
    let image = sandbox.image(&user).await;
    let job = sandbox.job(&image, 1).await;
    let id = job.variant_id;
    let completed = CompleteVariant { id, made: made("key"), engine: ENGINE, now: now() };
    sandbox.get(completed.clone()).await;
    let (user_id, deletion_id) = (user.id, DeletionId::new());
    let delete = DeleteVariant { user_id, id, deletion_id, now: now() };
    assert_eq!(sandbox.get(delete.clone()).await, ["key"]);
    let pending = sandbox.get(PendingDeletions { after: None, limit: 10 }).await;
    assert_eq!(pending, [(deletion_id, "key".to_owned())]);
    assert_eq!(sandbox.refusal(VariantById { user_id, id }).await, Code::NotFound);
    assert_eq!(sandbox.refusal(JobById { user_id, id: job.id }).await, Code::NotFound);
    assert_eq!(sandbox.refusal(delete).await, Code::NotFound);
    assert_eq!(sandbox.refusal(completed).await, Code::NotFound);
}
