//! What a CDN has to forget, until it was told.

use std::collections::BTreeSet;

use darkroom::{
    adapters::db::{
        admin::SetDisabled,
        cdn::*,
        images::{DeleteImage, PatchImage},
        purge::PurgeImage,
        users::DeleteUser,
    },
    domain::{
        ids::{DeletionId, ImageId},
        image::{Image, ImagePatch},
    },
};

use crate::sandbox::{Sandbox, now, seconds};

/// What is due after that many seconds; then not again for a minute.
async fn lease(sandbox: &Sandbox, later: i64) -> Vec<CdnPurge> {
    let now = now() + seconds(later);
    sandbox.get(LeaseCdnPurges { now, lease: seconds(60), limit: 100 }).await
}

async fn due(sandbox: &Sandbox, later: i64) -> BTreeSet<ImageId> {
    lease(sandbox, later).await.into_iter().map(|purge| purge.image_id).collect()
}

fn purge(image: &Image) -> PurgeImage {
    PurgeImage { user_id: image.user_id, id: image.id, now: now() }
}

pub async fn what_may_not_be_shown_any_more_is_to_be_forgotten(sandbox: &Sandbox) {
    let (ada, eve) = (sandbox.user("ada").await, sandbox.user("eve").await);
    let mut images = Vec::new();
    for _ in 0..4 {
        images.push(sandbox.image(&ada).await);
    }
    sandbox.image(&eve).await;
    let user_id = ada.id;
    let publish = async |image: &Image, public| {
        let patch = ImagePatch { public: Some(public), ..ImagePatch::default() };
        sandbox.get(PatchImage { user_id, id: image.id, patch }).await;
    };
    publish(&images[0], true).await;
    publish(&images[1], false).await;
    sandbox.get(purge(&images[2])).await;
    let (id, deletion_id) = (images[3].id, DeletionId::new());
    sandbox.get(DeleteImage { user_id, id, deletion_id, now: now() }).await;
    assert_eq!(due(sandbox, 1).await, images[1..].iter().map(|image| image.id).collect());

    let shut = |disabled| SetDisabled { users: vec!["ada".to_owned()], disabled };
    sandbox.get(shut(false)).await;
    assert_eq!(due(sandbox, 2).await, [].into());
    sandbox.get(shut(true)).await;
    let rest: BTreeSet<ImageId> = images[..3].iter().map(|image| image.id).collect();
    assert_eq!(due(sandbox, 3).await, rest);
    sandbox.get(DeleteUser { user_id, deletion_id: DeletionId::new(), now: now() }).await;
    assert_eq!(due(sandbox, 4).await, rest);
}

pub async fn what_was_told_is_settled_and_what_was_not_comes_again(sandbox: &Sandbox) {
    let ada = sandbox.user("ada").await;
    let (one, two) = (sandbox.image(&ada).await, sandbox.image(&ada).await);
    sandbox.get(purge(&one)).await;
    sandbox.get(purge(&two)).await;
    let all = futures_util::future::join_all((0..4).map(|_| lease(sandbox, 1))).await;
    let mut leased = all.concat();
    leased.sort_by_key(|purge| purge.image_id);
    let ids: Vec<ImageId> = leased.iter().map(|purge| purge.image_id).collect();
    assert_eq!(ids, [one.id, two.id], "each to one");
    assert!(leased.iter().all(|purge| purge.attempts == 1));
    assert_eq!(lease(sandbox, 50).await, [], "it is being told");

    // One is purged once more while it is being told of the first time.
    sandbox.get(purge(&two)).await;
    sandbox.get(SettleCdnPurges { purges: leased, again: None }).await;
    let mut again = lease(sandbox, 51).await;
    again.sort_by_key(|purge| purge.image_id);
    assert_eq!(again.len(), 2);
    let second = again.remove(0);
    assert_eq!((second.image_id, second.attempts), (one.id, 1));
    assert_eq!((again[0].image_id, again[0].attempts), (two.id, 1));
    sandbox.get(SettleCdnPurges { purges: vec![second], again: None }).await;

    let later = Some(now() + seconds(500));
    sandbox.get(SettleCdnPurges { purges: again, again: later }).await;
    assert_eq!(lease(sandbox, 400).await, []);
    let again = lease(sandbox, 501).await;
    assert_eq!((again.len(), again[0].attempts), (1, 2));
    // Whoever had it has died: it comes again by itself.
    assert_eq!(lease(sandbox, 570).await.len(), 1);
    sandbox.get(SettleCdnPurges { purges: Vec::new(), again: None }).await;
}

pub async fn what_was_told_is_told_once_more_six_seconds_later(sandbox: &Sandbox) {
    let ada = sandbox.user("ada").await;
    let image = sandbox.image(&ada).await;
    let before = now();
    sandbox.get(purge(&image)).await;
    let after = now();
    let lease =
        async |now| sandbox.get(LeaseCdnPurges { now, lease: seconds(30), limit: 100 }).await;
    let settle = async |purges: &[CdnPurge], again| {
        sandbox.get(SettleCdnPurges { purges: purges.to_vec(), again }).await;
    };
    let first = lease(after).await;
    assert_eq!(first.len(), 1);
    // It did not listen at first: that is not the second time.
    settle(&first, Some(after)).await;
    let first = lease(after).await;
    settle(&first, None).await;
    let soon = before + seconds(6) - chrono::TimeDelta::milliseconds(1);
    assert_eq!(lease(soon).await, []);
    let second = lease(after + seconds(6)).await;
    assert_eq!((second.len(), second[0].image_id, second[0].attempts), (1, image.id, 1));
    // Somebody else says late that the first time was well.
    settle(&first, None).await;
    settle(&second, Some(after + seconds(8))).await;
    let second = lease(after + seconds(8)).await;
    assert_eq!(second.len(), 1, "until it was told");
    settle(&second, None).await;
    assert_eq!(lease(after + seconds(500)).await, []);

    // Purged between the two, it is told twice from then on.
    sandbox.get(purge(&image)).await;
    settle(&lease(now()).await, None).await;
    sandbox.get(purge(&image)).await;
    for later in [0, 6] {
        let told = lease(now() + seconds(later)).await;
        assert_eq!(told.len(), 1, "{later}");
        settle(&told, None).await;
    }
    assert_eq!(lease(now() + seconds(500)).await, []);

    // And all of an account.
    sandbox.get(SetDisabled { users: vec!["ada".to_owned()], disabled: true }).await;
    for later in [0, 6] {
        let told = lease(now() + seconds(later)).await;
        assert_eq!(told.len(), 1, "{later}");
        settle(&told, None).await;
    }
    assert_eq!(lease(now() + seconds(500)).await, []);
}

pub async fn what_nobody_wants_to_hear_is_given_up(sandbox: &Sandbox) {
    let ada = sandbox.user("ada").await;
    for _ in 0..3 {
        sandbox.get(purge(&sandbox.image(&ada).await)).await;
    }
    let give_up = |before, limit| PurgeCdnPurges { before, limit };
    assert_eq!(sandbox.get(give_up(now() - seconds(60), 9)).await, 0);
    assert_eq!(sandbox.get(give_up(now() + seconds(1), 2)).await, 2);
    assert_eq!(lease(sandbox, 1).await.len(), 1);
}
