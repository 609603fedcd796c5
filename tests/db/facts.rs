//! Pictures that nobody has looked at, and what was found out.

use chrono::TimeDelta;
use darkroom::{
    adapters::db::{
        facts::*,
        images::{DeleteImage, ImageById},
    },
    domain::{
        ids::{DeletionId, ImageId},
        image::{Exif, Facts},
    },
};
use futures_util::future::join_all;

use crate::sandbox::{Sandbox, now};

/// All that can be taken now, and is then not to be had for a minute.
async fn take(sandbox: &Sandbox, later: TimeDelta) -> Vec<Undescribed> {
    let now = now() + later;
    sandbox.get(TakeUndescribed { limit: 100, now, until: now + TimeDelta::seconds(60) }).await
}

fn ids(taken: &[Undescribed]) -> Vec<ImageId> {
    taken.iter().map(|image| image.id).collect()
}

pub async fn a_picture_is_taken_by_one_and_comes_back(sandbox: &Sandbox) {
    let ada = sandbox.user("ada").await;
    let first = sandbox.image(&ada).await;
    let second = sandbox.image(&ada).await;
    let all = join_all((0..4).map(|_| take(sandbox, TimeDelta::zero()))).await;
    let mut taken = ids(&all.concat());
    taken.sort_unstable();
    assert_eq!(taken, [first.id, second.id], "each once");
    assert!(take(sandbox, TimeDelta::seconds(30)).await.is_empty());
    let again = take(sandbox, TimeDelta::seconds(70)).await;
    assert_eq!((ids(&again), again[0].attempts), (vec![first.id, second.id], 2));
    assert_eq!(again[0].object, first.object());
    sandbox.get(Describe { id: first.id, facts: Facts::default() }).await;
    assert_eq!(ids(&take(sandbox, TimeDelta::seconds(200)).await), [second.id]);
}

pub async fn what_was_found_out_is_kept(sandbox: &Sandbox) {
    let ada = sandbox.user("ada").await;
    let image = sandbox.image(&ada).await;
    let facts = Facts {
        thumbhash: Some("3OcRJYB4d3h/iIeHeEh3eIhw+j2w".to_owned()),
        dominant_color: Some("#c81e14".to_owned()),
        palette: Some(vec!["#c81e14".to_owned(), "#0000ff".to_owned()]),
        phash: Some("00ff00ff00ff00ff".to_owned()),
        blurhash: Some("L00000fQfQfQfQfQfQfQfQfQfQfQ".to_owned()),
        exif: Some(Exif { make: Some("Ü".to_owned()), f_number: Some(2.8), ..Exif::default() }),
    };
    sandbox.get(Describe { id: image.id, facts: facts.clone() }).await;
    let read = sandbox.get(ImageById { user_id: ada.id, id: image.id }).await;
    assert_eq!(read.facts, facts);
    // One that has gone meanwhile is no failure.
    let (user_id, id) = (ada.id, image.id);
    let delete = DeleteImage { user_id, id, deletion_id: DeletionId::new(), now: now() };
    sandbox.get(delete).await;
    sandbox.get(Describe { id: image.id, facts }).await;
}

pub async fn a_row_that_says_nothing_of_it_is_to_be_described(sandbox: &Sandbox) {
    // A row that says nothing of the later columns, as every row from before did.
    let ada = sandbox.user("ada").await;
    let image = sandbox.image(&ada).await;
    let taken = take(sandbox, TimeDelta::zero()).await;
    assert_eq!((ids(&taken), taken[0].attempts), (vec![image.id], 1));
}
