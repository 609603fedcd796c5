//! What was made of a picture is given up, and made again under the same ids.

use darkroom::{
    adapters::db::{
        deletions::PendingDeletions,
        images::InsertImage,
        jobs::{EnqueueTransform, JobById, LatestJobStatus, RetryJob},
        purge::*,
        queue::FinishJob,
        users::UsageOf,
        variants::*,
    },
    domain::{
        error::{Code, Error},
        ids::{DeletionId, ImageId, VariantId},
        image::Image,
        job::{JobStatus, Outcome},
        user::User,
        variant::{Failure, Made, Variant, VariantStatus},
    },
    imaging,
};
use uuid::Uuid;

use crate::sandbox::{ENGINE, Sandbox, image, job, made, now, variant};

const NOTHING: ImageId = ImageId(Uuid::nil());

async fn complete(sandbox: &Sandbox, id: VariantId, key: &str) -> Variant {
    sandbox.get(CompleteVariant { id, made: made(key), engine: ENGINE, now: now() }).await
}

async fn ready(sandbox: &Sandbox, image: &Image, number: u32, key: &str) -> Variant {
    let reserved = sandbox.get(ReserveVariant { variant: variant(image, number) }).await;
    complete(sandbox, reserved.id, key).await
}

async fn doomed(sandbox: &Sandbox) -> Vec<String> {
    let pending = sandbox.get(PendingDeletions { after: None, limit: 100 }).await;
    let mut keys: Vec<String> = pending.into_iter().map(|(_, key)| key).collect();
    keys.sort();
    keys
}

fn purge(image: &Image) -> PurgeImage {
    PurgeImage { user_id: image.user_id, id: image.id, now: now() }
}

pub async fn a_purge_gives_up_all_that_was_made(sandbox: &Sandbox) {
    let (ada, eve) = (sandbox.user("ada").await, sandbox.user("eve").await);
    let (image, other) = (sandbox.image(&ada).await, sandbox.image(&ada).await);
    let by_id = |id| VariantById { user_id: ada.id, id };
    let first = ready(sandbox, &image, 1, "v1").await;
    // Of one that is being remade, the former bytes are there.
    let older = ready(sandbox, &image, 2, "v2").await;
    let newer = Variant { engine: ENGINE + 1, ..variant(&image, 2) };
    sandbox.get(ReserveVariant { variant: newer }).await;
    let failed = sandbox.get(ReserveVariant { variant: variant(&image, 3) }).await;
    let failure = Failure { code: "image_corrupt".to_owned(), detail: "it ends early".to_owned() };
    sandbox.get(FailVariant { id: failed.id, failure }).await;
    let waiting = sandbox.get(ReserveVariant { variant: variant(&image, 4) }).await;
    let kept = ready(sandbox, &other, 1, "v5").await;

    let theirs = PurgeImage { user_id: eve.id, ..purge(&image) };
    assert_eq!(sandbox.refusal(theirs).await, Code::NotFound);
    sandbox.get(purge(&image)).await;
    assert_eq!(doomed(sandbox).await, ["v1", "v2"]);
    for id in [first.id, older.id, failed.id] {
        let purged = sandbox.get(by_id(id)).await;
        assert!(purged.is_purged(), "{purged:?}");
        assert_eq!((purged.made, purged.error), (None, None));
    }
    assert_eq!(sandbox.get(by_id(waiting.id)).await, waiting);
    assert_eq!(sandbox.get(by_id(kept.id)).await, kept);
    let usage = sandbox.get(UsageOf { user_id: ada.id }).await;
    assert_eq!((usage.images, usage.variants, usage.bytes), (2, 1, 2050));
    sandbox.get(purge(&image)).await;
    assert_eq!(doomed(sandbox).await, ["v1", "v2"], "there is nothing more to give up");

    // It is made again, under its id.
    let reserved = sandbox.get(ReserveVariant { variant: variant(&image, 1) }).await;
    assert_eq!((reserved.id, reserved.engine), (first.id, ENGINE));
    assert!(!reserved.is_purged());
    assert_eq!(complete(sandbox, first.id, "v6").await.made, Some(made("v6")));
}

pub async fn a_purged_variant_is_a_new_jobs_work(sandbox: &Sandbox) {
    let ada = sandbox.user("ada").await;
    let image = sandbox.image(&ada).await;
    let accept = async || {
        let variant = variant(&image, 1);
        let job = job(&variant);
        sandbox.get(EnqueueTransform { variant, job, webhook_url: None }).await
    };
    ready(sandbox, &image, 1, "v1").await;
    let (variant, done) = accept().await;
    assert_eq!(done.status, JobStatus::Succeeded);
    sandbox.get(purge(&image)).await;
    let latest = || LatestJobStatus { variant_id: variant.id };
    assert_eq!(sandbox.get(latest()).await, Some(JobStatus::Succeeded));
    let (again, new) = accept().await;
    assert_eq!((again.id, new.status), (variant.id, JobStatus::Queued));
    assert_ne!(new.id, done.id);
    assert_eq!(sandbox.get(latest()).await, Some(JobStatus::Queued));
    sandbox.get(JobById { user_id: ada.id, id: done.id }).await;
    let without = LatestJobStatus { variant_id: VariantId::new() };
    assert_eq!(sandbox.get(without).await, None);
}

/// Whoever has its job run again, and not a new one, has it made by this engine as well.
pub async fn a_purged_failure_is_tried_again_by_its_job(sandbox: &Sandbox) {
    let ada = sandbox.user("ada").await;
    let image = sandbox.image(&ada).await;
    let job = sandbox.job(&image, 1).await;
    let (user_id, job_id, variant_id) = (ada.id, job.id, job.variant_id);
    let work_off = async |outcome: Outcome| {
        let (worker, now) = (Uuid::now_v7(), now());
        assert_eq!(sandbox.lease(worker, 9, now).await.len(), 1);
        let finish = FinishJob { worker, user_id, job_id, variant_id, outcome, now };
        sandbox.get(finish).await.unwrap();
        sandbox.get(VariantById { user_id, id: variant_id }).await
    };
    let fail = || Outcome::Fail(Error::new(Code::ImageCorrupt, "it ends early"));
    let failed = work_off(fail()).await;
    assert_eq!((failed.status, failed.engine), (VariantStatus::Failed, ENGINE));
    let again = async || {
        sandbox.get(purge(&image)).await;
        let purged = sandbox.get(VariantById { user_id, id: variant_id }).await;
        assert!(purged.is_purged() && purged.error.is_none(), "{purged:?}");
        sandbox.get(RetryJob { user_id, id: job_id, now: now() }).await
    };
    assert_eq!(again().await.status, JobStatus::Queued);
    let failed = work_off(fail()).await;
    assert_eq!((failed.status, failed.engine), (VariantStatus::Failed, imaging::ENGINE));
    again().await;
    let made = work_off(Outcome::Done(made("v1"))).await;
    assert_eq!((made.status, made.engine), (VariantStatus::Ready, imaging::ENGINE));
}

pub async fn bytes_that_others_share_stay(sandbox: &Sandbox) {
    let ada = sandbox.user("ada").await;
    let (one, two) = (sandbox.image(&ada).await, sandbox.image(&ada).await);
    ready(sandbox, &one, 1, "v").await;
    ready(sandbox, &one, 2, "v").await;
    let shares = ready(sandbox, &two, 1, "v").await;
    sandbox.get(purge(&one)).await;
    assert_eq!(doomed(sandbox).await, [""; 0]);
    assert_eq!(sandbox.get(VariantById { user_id: ada.id, id: shares.id }).await, shares);
    sandbox.get(purge(&two)).await;
    assert_eq!(doomed(sandbox).await, ["v"]);
}

/// Two wait for one making; between the first, who records it, and the second there is a purge.
pub async fn who_comes_after_a_purge_with_what_was_made_before_is_told(sandbox: &Sandbox) {
    let ada = sandbox.user("ada").await;
    let image = sandbox.image(&ada).await;
    let variant = ready(sandbox, &image, 1, "v1").await;
    sandbox.get(purge(&image)).await;
    let late = CompleteVariant { id: variant.id, made: made("v1"), engine: ENGINE, now: now() };
    assert_eq!(sandbox.refusal(late).await, Code::DependencyUnavailable);
    let by_id = VariantById { user_id: ada.id, id: variant.id };
    assert!(sandbox.get(by_id).await.is_purged(), "no row names what has gone");
    // The same bytes under another key are welcome.
    let mut again = made("v2");
    again.sha256 = made("v1").sha256;
    let query = CompleteVariant { id: variant.id, made: again, engine: ENGINE, now: now() };
    assert_eq!(sandbox.get(query).await.made.unwrap().object_key, "v2");
    assert_eq!(doomed(sandbox).await, ["v1"]);
}

/// The same, where the second is a job: what it made has gone, so it runs again, and nobody waits for ever.
pub async fn a_job_that_comes_after_a_purge_runs_again(sandbox: &Sandbox) {
    let ada = sandbox.user("ada").await;
    let image = sandbox.image(&ada).await;
    let job = sandbox.job(&image, 1).await;
    let (user_id, job_id, variant_id) = (ada.id, job.id, job.variant_id);
    let worker = Uuid::now_v7();
    let finish = |key: &str| {
        let outcome = Outcome::Done(made(key));
        FinishJob { worker, user_id, job_id, variant_id, outcome, now: now() }
    };
    assert_eq!(sandbox.lease(worker, 9, now()).await.len(), 1);
    complete(sandbox, variant_id, "v1").await;
    sandbox.get(purge(&image)).await;
    assert_eq!(sandbox.get(finish("v1")).await, Some((JobStatus::Queued, false)));
    assert!(sandbox.get(VariantById { user_id, id: variant_id }).await.is_purged());
    assert_eq!(sandbox.lease(worker, 9, now()).await.len(), 1);
    assert_eq!(sandbox.get(JobById { user_id, id: job_id }).await.attempts, 1);
    assert_eq!(sandbox.get(finish("v2")).await, Some((JobStatus::Succeeded, false)));
    let made_again = sandbox.get(VariantById { user_id, id: variant_id }).await;
    assert_eq!(made_again.made, Some(made("v2")));
}

fn keep(variant: Variant, outcome: Result<Made, Failure>, purges: i64) -> KeepVariant {
    KeepVariant { variant, outcome, purges, now: now() }
}

fn purges(image: &Image) -> PurgesOf {
    PurgesOf { user_id: image.user_id, image_id: image.id }
}

pub async fn what_a_purge_came_before_is_not_kept(sandbox: &Sandbox) {
    let ada = sandbox.user("ada").await;
    let (image, other) = (sandbox.image(&ada).await, sandbox.image(&ada).await);
    let failure = Failure { code: "image_corrupt".to_owned(), detail: "it ends early".to_owned() };
    let of = |image: &Image| VariantsOf { user_id: ada.id, image_id: image.id };
    let before = sandbox.get(purges(&image)).await;
    sandbox.get(purge(&image)).await;
    assert!(!sandbox.get(keep(variant(&image, 1), Ok(made("v1")), before)).await);
    assert!(!sandbox.get(keep(variant(&image, 2), Err(failure.clone()), before)).await);
    assert_eq!(sandbox.get(of(&image)).await, []);
    // Of another picture nothing was given up.
    assert!(sandbox.get(keep(variant(&other, 1), Ok(made("v2")), before)).await);
    assert_eq!(sandbox.get(of(&other)).await[0].made, Some(made("v2")));

    let after = sandbox.get(purges(&image)).await;
    assert!(sandbox.get(keep(variant(&image, 1), Ok(made("v3")), after)).await);
    assert!(sandbox.get(keep(variant(&image, 2), Err(failure.clone()), after)).await);
    let kept = sandbox.get(of(&image)).await;
    let [failed, ready] = kept.as_slice() else { panic!("{kept:?}") };
    assert_eq!((ready.status, ready.engine), (VariantStatus::Ready, ENGINE));
    assert_eq!((ready.made.as_ref(), failed.error.as_ref()), (Some(&made("v3")), Some(&failure)));
    // An older engine's is replaced under its id, and a failure that was no lasting one is.
    let newer = Variant { engine: ENGINE + 1, ..variant(&image, 1) };
    assert!(sandbox.get(keep(newer, Ok(made("v4")), after)).await);
    assert!(sandbox.get(keep(variant(&image, 2), Ok(made("v5")), after)).await);
    let by_id = |id| VariantById { user_id: ada.id, id };
    let replaced = sandbox.get(by_id(ready.id)).await;
    assert_eq!((replaced.engine, replaced.made), (ENGINE + 1, Some(made("v4"))));
    assert_eq!(sandbox.get(by_id(failed.id)).await.made, Some(made("v5")));
    assert_eq!(doomed(sandbox).await, ["v3"]);

    // Whoever is being replaced by a later engine has nothing to say.
    sandbox
        .get(ReserveVariant { variant: Variant { engine: ENGINE + 2, ..variant(&image, 1) } })
        .await;
    assert!(!sandbox.get(keep(variant(&image, 1), Ok(made("v6")), after)).await);
    assert!(!sandbox.get(keep(variant(&image, 1), Err(failure), after)).await);
    let reserved = sandbox.get(by_id(ready.id)).await;
    assert_eq!((reserved.engine, reserved.status), (ENGINE + 2, VariantStatus::Pending));

    // A variant that is deleted is given up, too.
    let (user_id, id, deletion_id) = (ada.id, ready.id, DeletionId::new());
    sandbox.get(DeleteVariant { user_id, id, deletion_id, now: now() }).await;
    assert!(!sandbox.get(keep(variant(&image, 1), Ok(made("v6")), after)).await);

    let theirs = Variant { user_id: sandbox.user("eve").await.id, ..variant(&image, 9) };
    assert_eq!(sandbox.refusal(keep(theirs, Ok(made("v7")), after)).await, Code::NotFound);
}

/// Whichever comes first, nothing is left that was made before the purge.
pub async fn a_purge_and_what_is_kept_at_once_do_not_miss_each_other(sandbox: &Sandbox) {
    let ada = sandbox.user("ada").await;
    let image = sandbox.image(&ada).await;
    for number in 0..20 {
        let key = format!("v{number}");
        let before = sandbox.get(purges(&image)).await;
        let keeping = sandbox.get(keep(variant(&image, 1), Ok(made(&key)), before));
        let purging = sandbox.get(purge(&image));
        // The first has a start, by a little.
        let is_kept = match number % 2 {
            0 => tokio::join!(keeping, purging).0,
            _ => tokio::join!(purging, keeping).1,
        };
        let variants = sandbox.get(VariantsOf { user_id: ada.id, image_id: image.id }).await;
        assert!(variants.iter().all(|variant| variant.made.is_none()), "{variants:?}");
        assert_eq!(doomed(sandbox).await.contains(&key), is_kept);
    }
}

async fn tagged(sandbox: &Sandbox, user: &User, tag: &str) -> Image {
    let image = Image { tags: vec![tag.to_owned()], ..image(user.id) };
    sandbox.get(InsertImage { image: image.clone(), is_stored: false, jobs: Vec::new() }).await;
    image
}

pub async fn a_label_is_purged_some_pictures_at_a_time(sandbox: &Sandbox) {
    let (ada, eve) = (sandbox.user("ada").await, sandbox.user("eve").await);
    let mut cats = Vec::new();
    for number in 0..5 {
        let cat = tagged(sandbox, &ada, "cat").await;
        ready(sandbox, &cat, 1, &format!("cat{number}")).await;
        cats.push(cat.id);
    }
    let dog = tagged(sandbox, &ada, "dog").await;
    let theirs = tagged(sandbox, &eve, "cat").await;
    let spared = [ready(sandbox, &dog, 1, "dog").await, ready(sandbox, &theirs, 1, "eve").await];
    let some =
        |after| PurgeTag { user_id: ada.id, tag: "cat".to_owned(), after, limit: 3, now: now() };
    let count = |tag: &str| CountTagged { user_id: ada.id, tag: tag.to_owned() };
    assert_eq!((sandbox.get(count("cat")).await, sandbox.get(count("bird")).await), (5, 0));
    assert_eq!(sandbox.get(some(NOTHING)).await, cats[..3]);
    assert_eq!(doomed(sandbox).await, ["cat0", "cat1", "cat2"]);
    assert_eq!(sandbox.get(some(cats[2])).await, cats[3..]);
    assert_eq!(sandbox.get(some(cats[4])).await, []);
    assert_eq!(doomed(sandbox).await.len(), 5);
    for variant in spared {
        let by_id = VariantById { user_id: variant.user_id, id: variant.id };
        assert_eq!(sandbox.get(by_id).await, variant);
    }
}
