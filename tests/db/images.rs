//! Images and their labels.

use darkroom::{
    adapters::db::{images::*, jobs::JobById},
    domain::{
        error::Code,
        format::Format,
        ids::{DeletionId, ImageId, UserId},
        image::{Facts, Focus, Image, ImagePatch},
    },
};

use crate::sandbox::{Sandbox, image, job, now, variant};

async fn insert(sandbox: &Sandbox, image: Image) -> Image {
    sandbox.get(InsertImage { image: image.clone(), is_stored: false, jobs: Vec::new() }).await;
    image
}

fn labels(tags: &[&str]) -> Vec<String> {
    tags.iter().map(|tag| (*tag).to_owned()).collect()
}

pub async fn an_image_is_kept_as_it_is(sandbox: &Sandbox) {
    let user = sandbox.user("ada").await;
    let plain = insert(sandbox, image(user.id)).await;
    let full = Image {
        format: Format::Gif,
        size: 5_000_000_000,
        frames: 7,
        has_alpha: true,
        public: true,
        tags: labels(&["z", "a", "ü"]),
        focus: Some(Focus { x: 0.1, y: 1.0 / 3.0 }),
        facts: Facts {
            thumbhash: Some("hash".to_owned()),
            dominant_color: Some("#00ff00".to_owned()),
            ..Facts::default()
        },
        ..image(user.id)
    };
    let full = insert(sandbox, full).await;
    for image in [plain, full] {
        let read = sandbox.get(ImageById { user_id: user.id, id: image.id }).await;
        assert_eq!(read, image);
    }
    let twice = Image { tags: labels(&["b", "a", "b"]), ..image(user.id) };
    let twice = insert(sandbox, twice).await;
    let read = sandbox.get(ImageById { user_id: user.id, id: twice.id }).await;
    assert_eq!(read.tags, ["b", "a"]);
}

pub async fn another_accounts_image_is_not_found(sandbox: &Sandbox) {
    let (ada, eve) = (sandbox.user("ada").await, sandbox.user("eve").await);
    let image = sandbox.image(&ada).await;
    let (user_id, id) = (eve.id, image.id);
    assert_eq!(sandbox.refusal(ImageById { user_id, id }).await, Code::NotFound);
    let patch = ImagePatch { public: Some(true), tags: Some(labels(&["x"])), focus: None };
    assert_eq!(sandbox.refusal(PatchImage { user_id, id, patch }).await, Code::NotFound);
    let delete = DeleteImage { user_id, id, deletion_id: DeletionId::new(), now: now() };
    assert_eq!(sandbox.refusal(delete).await, Code::NotFound);
    let list = ListImages { user_id, tag: None, limit: 10, page: Page::Offset(0) };
    assert_eq!(sandbox.get(list).await, (Vec::new(), 0));
    assert_eq!(sandbox.get(ImageById { user_id: ada.id, id }).await, image);
}

pub async fn pages_by_offset_and_by_cursor(sandbox: &Sandbox) {
    let (ada, other) = (sandbox.user("ada").await, sandbox.user("other").await);
    let mut newest_first = Vec::new();
    for number in 0..7 {
        let tags = labels(&[&format!("tag{number}"), "all"]);
        newest_first.insert(0, insert(sandbox, Image { tags, ..image(ada.id) }).await);
        sandbox.image(&other).await;
    }
    let list = |limit, page| ListImages { user_id: ada.id, tag: None, limit, page };
    let (all, total) = sandbox.get(list(100, Page::Offset(0))).await;
    assert_eq!((all, total), (newest_first.clone(), 7));
    let (page, total) = sandbox.get(list(3, Page::Offset(2))).await;
    assert_eq!((page.as_slice(), total), (&newest_first[2..5], 7));
    let (page, total) = sandbox.get(list(3, Page::After(newest_first[4].id))).await;
    assert_eq!((page.as_slice(), total), (&newest_first[5..], 7));
    let (page, total) = sandbox.get(list(3, Page::Offset(70))).await;
    assert_eq!((page.as_slice(), total), ([].as_slice(), 7));
}

pub async fn pages_by_label(sandbox: &Sandbox) {
    let (ada, other) = (sandbox.user("ada").await, sandbox.user("other").await);
    let mut cats = Vec::new();
    for number in 0..6 {
        let tags =
            if number % 2 == 0 { labels(&["pets", "cat"]) } else { labels(&["pets", "Cat"]) };
        let inserted = insert(sandbox, Image { tags, ..image(ada.id) }).await;
        if number % 2 == 0 {
            cats.insert(0, inserted);
        }
        insert(sandbox, Image { tags: labels(&["cat"]), ..image(other.id) }).await;
    }
    let list = |limit, page| {
        let tag = Some("cat".to_owned());
        ListImages { user_id: ada.id, tag, limit, page }
    };
    assert_eq!(sandbox.get(list(10, Page::Offset(0))).await, (cats.clone(), 3));
    let (page, total) = sandbox.get(list(1, Page::Offset(1))).await;
    assert_eq!((page.as_slice(), total), (&cats[1..2], 3));
    let (page, _) = sandbox.get(list(10, Page::After(cats[0].id))).await;
    assert_eq!(page, cats[1..]);
}

pub async fn a_patch_changes_what_it_names(sandbox: &Sandbox) {
    let user = sandbox.user("ada").await;
    let before = insert(sandbox, Image { tags: labels(&["old"]), ..image(user.id) }).await;
    let patch = |patch| PatchImage { user_id: user.id, id: before.id, patch };

    assert_eq!(sandbox.get(patch(ImagePatch::default())).await, before);
    let focus = Focus { x: 0.25, y: 0.75 };
    let after = sandbox
        .get(patch(ImagePatch {
            public: Some(true),
            tags: Some(labels(&["new", "newer"])),
            focus: Some(Some(focus)),
        }))
        .await;
    let tags = labels(&["new", "newer"]);
    assert_eq!(after, Image { public: true, tags, focus: Some(focus), ..before.clone() });
    let public = sandbox.get(patch(ImagePatch { public: Some(false), ..Default::default() })).await;
    assert_eq!(public, Image { public: false, ..after.clone() });
    let cleared = ImagePatch { focus: Some(None), tags: Some(Vec::new()), ..Default::default() };
    let cleared = sandbox.get(patch(cleared)).await;
    assert_eq!((cleared.focus, cleared.tags.len()), (None, 0));
}

pub async fn eager_jobs_come_with_the_image(sandbox: &Sandbox) {
    let user = sandbox.user("ada").await;
    let image = image(user.id);
    let jobs: Vec<_> = [1, 2, 1]
        .map(|number| {
            let variant = variant(&image, number);
            let job = job(&variant);
            (variant, job)
        })
        .to_vec();
    let insert = InsertImage { image: image.clone(), is_stored: false, jobs: jobs.clone() };
    assert_eq!(sandbox.get(insert).await, Some(image.object_key));
    let again = JobById { user_id: user.id, id: jobs[2].1.id };
    assert_eq!(sandbox.refusal(again).await, Code::NotFound, "of equal specs, one");
    sandbox.get(JobById { user_id: user.id, id: jobs[0].1.id }).await;
    let job = sandbox.get(JobById { user_id: user.id, id: jobs[1].1.id }).await;
    assert_eq!(job, jobs[1].1);
}

pub async fn an_image_without_an_account_is_refused(sandbox: &Sandbox) {
    let insert = InsertImage { image: image(UserId::new()), is_stored: false, jobs: Vec::new() };
    assert_eq!(sandbox.refusal(insert).await, Code::NotFound);
    let absent = ImageById { user_id: UserId::new(), id: ImageId::new() };
    assert_eq!(sandbox.refusal(absent).await, Code::NotFound);
}
