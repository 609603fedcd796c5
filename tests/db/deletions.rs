//! Deletions and the objects that they leave.

use darkroom::{
    adapters::{
        Query,
        db::{
            deletions::*,
            images::{DeleteImage, ImageById, InsertImage},
            jobs::JobById,
            users::DeleteUser,
            variants::{CompleteVariant, ReserveVariant, VariantById},
        },
    },
    domain::{
        error::Code,
        ids::DeletionId,
        image::{Deletion, Image},
        user::User,
    },
};

use crate::sandbox::{ENGINE, Sandbox, image, made, now, variant};

/// Deletes an image of which that many variants were made.
async fn delete(sandbox: &Sandbox, user: &User, variants: u32) -> (Image, Deletion, Vec<String>) {
    let image = sandbox.image(user).await;
    for number in 0..variants {
        let id = sandbox.get(ReserveVariant { variant: variant(&image, number) }).await.id;
        let made = made(&format!("{}/{number}", image.object_key));
        sandbox.get(CompleteVariant { id, made, engine: ENGINE, now: now() }).await;
    }
    let (user_id, id, deletion_id) = (user.id, image.id, DeletionId::new());
    let (deletion, keys) = sandbox.get(DeleteImage { user_id, id, deletion_id, now: now() }).await;
    assert_eq!(deletion.id, deletion_id);
    (image, deletion, keys)
}

pub async fn an_image_is_deleted_with_its_objects(sandbox: &Sandbox) {
    let user = sandbox.user("ada").await;
    let kept = sandbox.image(&user).await;
    let (user_id, doomed) = (user.id, sandbox.image(&user).await);
    let job = sandbox.job(&doomed, 1).await;
    let id = job.variant_id;
    sandbox.get(CompleteVariant { id, made: made("v1"), engine: ENGINE, now: now() }).await;
    sandbox.job(&doomed, 2).await;
    let deletion_id = DeletionId::new();
    let query = DeleteImage { user_id, id: doomed.id, deletion_id, now: now() };
    let (deletion, keys) = sandbox.get(query.clone()).await;
    assert_eq!(keys, [doomed.object_key.clone(), "v1".to_owned()]);
    assert_eq!((deletion.objects, deletion.remaining, deletion.finished_at), (2, 2, None));
    assert_eq!(sandbox.get(DeletionById { id: deletion_id }).await, deletion);

    assert_eq!(sandbox.refusal(ImageById { user_id, id: doomed.id }).await, Code::NotFound);
    assert_eq!(sandbox.refusal(VariantById { user_id, id }).await, Code::NotFound);
    assert_eq!(sandbox.refusal(JobById { user_id, id: job.id }).await, Code::NotFound);
    assert_eq!(sandbox.refusal(query).await, Code::NotFound);
    sandbox.get(ImageById { user_id, id: kept.id }).await;
}

pub async fn an_unknown_receipt_is_not_found(sandbox: &Sandbox) {
    let absent = DeletionById { id: DeletionId::new() };
    assert_eq!(sandbox.refusal(absent).await, Code::NotFound);
}

pub async fn a_deletion_is_finished_with_its_last_object(sandbox: &Sandbox) {
    let user = sandbox.user("ada").await;
    let (_, deletion, keys) = delete(sandbox, &user, 2).await;
    let (_, later, _) = delete(sandbox, &user, 0).await;
    let pending = sandbox.get(PendingDeletions { after: None, limit: 10 }).await;
    assert_eq!(pending.len(), 4);
    assert!(keys.iter().all(|key| pending.contains(&(deletion.id, key.clone()))));
    let first = sandbox.get(PendingDeletions { after: None, limit: 3 }).await;
    assert!(first.iter().all(|(id, _)| *id == deletion.id), "those asked for first come first");
    let behind = PendingDeletions { after: first.last().cloned(), limit: 10 };
    assert_eq!(sandbox.get(behind).await, pending[3..]);

    let read = DeletionById { id: deletion.id };
    let at = now();
    let strike =
        |keys: &[String]| ObjectsDeleted { deletion_id: deletion.id, keys: keys.to_vec(), now: at };
    sandbox.get(strike(&keys[..2])).await;
    let partly = sandbox.get(read.clone()).await;
    assert_eq!((partly.objects, partly.remaining, partly.finished_at), (3, 1, None));
    sandbox.get(strike(&keys)).await;
    let finished = sandbox.get(read.clone()).await;
    assert_eq!((finished.remaining, finished.finished_at), (0, Some(at)));
    let again = ObjectsDeleted { now: now(), ..strike(&keys) };
    sandbox.get(again).await;
    assert_eq!(sandbox.get(read).await, finished, "and it stays so");
    let pending = sandbox.get(PendingDeletions { after: None, limit: 10 }).await;
    assert!(pending.iter().all(|(id, _)| *id == later.id));
}

pub async fn a_deletion_of_nothing_is_finished(sandbox: &Sandbox) {
    let user = sandbox.user("ada").await;
    let (user_id, deletion_id, at) = (user.id, DeletionId::new(), now());
    let (deletion, keys) = sandbox.get(DeleteUser { user_id, deletion_id, now: at }).await;
    assert_eq!((deletion.objects, deletion.remaining, deletion.finished_at), (0, 0, Some(at)));
    assert_eq!(keys, Vec::<String>::new());
    assert_eq!(sandbox.get(DeletionById { id: deletion_id }).await, deletion);
}

pub async fn halves_struck_off_at_once_finish_it(sandbox: &Sandbox) {
    let user = sandbox.user("ada").await;
    let (_, deletion, keys) = delete(sandbox, &user, 7).await;
    let halves = keys.chunks(1).map(|keys| ObjectsDeleted {
        deletion_id: deletion.id,
        keys: keys.to_vec(),
        now: now(),
    });
    for answer in sandbox.together(halves.collect()).await {
        answer.unwrap();
    }
    let read = sandbox.get(DeletionById { id: deletion.id }).await;
    assert_eq!(read.remaining, 0);
    assert!(read.finished_at.is_some(), "somebody was the last");
}

pub async fn an_upload_at_once_is_either_deleted_or_refused(sandbox: &Sandbox) {
    let user = sandbox.user("ada").await;
    let images: Vec<Image> = (0..16).map(|_| image(user.id)).collect();
    let uploads: Vec<_> = images
        .iter()
        .map(|image| {
            let (db, image) = (sandbox.db.clone(), image.clone());
            tokio::spawn(async move {
                InsertImage { image, is_stored: false, jobs: Vec::new() }.run(&db).await
            })
        })
        .collect();
    let (user_id, deletion_id) = (user.id, DeletionId::new());
    let (_, keys) = sandbox.get(DeleteUser { user_id, deletion_id, now: now() }).await;
    for (image, upload) in images.iter().zip(uploads) {
        match upload.await.unwrap() {
            Ok(_) => assert!(keys.contains(&image.object_key), "an object was forgotten"),
            Err(error) => assert_eq!(error.code, Code::NotFound),
        }
    }
}

pub async fn a_long_list_of_objects_is_kept(sandbox: &Sandbox) {
    let user = sandbox.user("ada").await;
    let insert = || InsertImage { image: image(user.id), is_stored: false, jobs: Vec::new() };
    // Few at a time: nobody waits long for a connection.
    for _ in 0..22 {
        let inserts = (0..50).map(|_| insert()).collect();
        for answer in sandbox.together(inserts).await {
            answer.unwrap();
        }
    }
    sandbox.get(insert()).await;
    let (user_id, deletion_id) = (user.id, DeletionId::new());
    let (deletion, keys) = sandbox.get(DeleteUser { user_id, deletion_id, now: now() }).await;
    assert_eq!((deletion.objects, keys.len()), (1101, 1101));
    assert_eq!(sandbox.get(PendingDeletions { after: None, limit: 2000 }).await.len(), 1101);
    sandbox.get(ObjectsDeleted { deletion_id, keys, now: now() }).await;
    let read = sandbox.get(DeletionById { id: deletion_id }).await;
    assert!(read.finished_at.is_some());
}
