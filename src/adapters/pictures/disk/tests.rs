#![allow(clippy::unwrap_used)]
use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{index::Index, *};

const BLOCK: u64 = 4096;

fn key(image: u8, spec: u8) -> Key {
    Key { image: ImageId(uuid::Uuid::from_u128(image.into())), spec: [spec; 32] }
}

#[derive(Debug, Clone)]
enum Step {
    Write(u8, u8, u64),
    Discover(u8, u8, u64, u64),
    Use(u8, u8),
    GiveUp(u8, u8),
    Forget(u8),
    Leave,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let (image, spec, bytes) = (0_u8..4, 0_u8..4, 0..3 * BLOCK);
    let step = prop_oneof![
        6 => (image.clone(), spec.clone(), bytes.clone())
            .prop_map(|(image, spec, bytes)| Step::Write(image, spec, bytes)),
        2 => (image.clone(), spec.clone(), bytes, 0_u64..5)
            .prop_map(|(image, spec, bytes, time)| Step::Discover(image, spec, bytes, time)),
        6 => (image.clone(), spec.clone()).prop_map(|(image, spec)| Step::Use(image, spec)),
        1 => (image.clone(), spec).prop_map(|(image, spec)| Step::GiveUp(image, spec)),
        1 => image.prop_map(Step::Forget),
        2 => Just(Step::Leave),
    ];
    prop::collection::vec(step, 0..80)
}

proptest! {
    /// Against a list of files, the one used last at its end.
    #[test]
    fn the_least_recently_used_go_and_the_bound_holds(steps in steps(), blocks in 0_u64..12) {
        let limit = blocks * BLOCK;
        let mut index = Index::new(limit);
        let mut files: Vec<(Key, u64, bool)> = Vec::new();
        let mut leaving: Vec<ImageId> = Vec::new();
        let taken = |bytes: u64| bytes.div_ceil(BLOCK) * BLOCK;
        for step in steps {
            let is_leaving = |image: ImageId| leaving.contains(&image);
            match step {
                Step::Write(image, spec, bytes) => {
                    let key = key(image, spec);
                    let Some(evicted) = index.room(bytes) else {
                        prop_assert!(taken(bytes) > limit);
                        continue;
                    };
                    let most = limit - taken(bytes);
                    for key in evicted {
                        prop_assert!(files.iter().map(|file| file.1).sum::<u64>() > most);
                        prop_assert_eq!(files.remove(0).0, key);
                    }
                    prop_assert!(files.iter().map(|file| file.1).sum::<u64>() <= most);
                    index.insert(key, bytes, 0);
                    if !is_leaving(key.image) {
                        files.retain(|file| file.0 != key);
                        files.push((key, taken(bytes), true));
                    }
                    prop_assert!(index.total() <= limit);
                }
                // Only before anything is written.
                Step::Discover(image, spec, bytes, time) if files.is_empty() => {
                    let key = key(image, spec);
                    index.discover(key, bytes, time);
                    if !is_leaving(key.image) {
                        files.push((key, taken(bytes), true));
                    }
                    index.room(0);
                    if taken(bytes) > limit {
                        files.clear();
                    }
                }
                Step::Discover(..) => {}
                Step::Use(image, spec) => {
                    let key = key(image, spec);
                    let found = index.find(&key, 0);
                    let place = files.iter().position(|file| file.0 == key && file.2);
                    prop_assert_eq!(found.is_some(), place.is_some());
                    if let (Some(found), Some(place)) = (found, place) {
                        prop_assert!(index.confirm(&key, found.stamp));
                        let file = files.remove(place);
                        files.push(file);
                    }
                }
                Step::GiveUp(image, spec) => {
                    let key = key(image, spec);
                    let file = files.iter_mut().find(|file| file.0 == key);
                    prop_assert_eq!(index.give_up(&key, None), file.is_some());
                    file.into_iter().for_each(|file| file.2 = false);
                }
                Step::Forget(image) => {
                    let image = key(image, 0).image;
                    index.forget(image);
                    leaving.push(image);
                    files.retain(|file| file.0.image != image);
                }
                Step::Leave => leaving.pop().into_iter().for_each(|image| index.has_left(image)),
            }
            prop_assert_eq!(index.total(), files.iter().map(|file| file.1).sum::<u64>());
            let mut images: Vec<_> = files.iter().map(|file| file.0.image).collect();
            images.sort();
            images.dedup();
            prop_assert_eq!(index.images(), images);
        }
    }
}

#[test]
fn what_was_found_is_in_the_order_of_its_use_and_before_what_is_used_now() {
    let mut index = Index::new(4 * BLOCK);
    for (spec, saved) in [(1, 50), (2, 10), (3, 90)] {
        index.discover(key(0, spec), 1, saved);
    }
    index.insert(key(1, 0), 1, 20);
    let mut order = Vec::new();
    for blocks in 1..=4 {
        order.extend(index.room(blocks * BLOCK).unwrap());
    }
    assert_eq!(order, [key(0, 2), key(0, 1), key(0, 3), key(1, 0)]);
}

#[test]
fn a_file_that_took_the_place_of_another_is_another() {
    let mut index = Index::new(1 << 20);
    index.insert(key(0, 0), 10, 100);
    let first = index.find(&key(0, 0), 100).unwrap();
    assert!(!first.is_checked && !first.is_due);
    assert!(index.confirm(&key(0, 0), first.stamp));
    assert!(index.find(&key(0, 0), 100).unwrap().is_checked);
    index.insert(key(0, 0), 20, 100);
    assert!(!index.confirm(&key(0, 0), first.stamp));
    assert!(!index.give_up(&key(0, 0), Some(first.stamp)));
    let second = index.find(&key(0, 0), 100).unwrap();
    assert!(!second.is_checked);
    // Its time is set once an hour at most.
    let hour = 3_600_000_000;
    assert!(index.find(&key(0, 0), 100 + hour).unwrap().is_due);
    assert!(!index.find(&key(0, 0), 101 + hour).unwrap().is_due);
    assert!(index.give_up(&key(0, 0), Some(second.stamp)));
    assert!(index.find(&key(0, 0), 100).is_none());
    assert!(!index.confirm(&key(0, 0), second.stamp), "also for who reads it already");
    assert!(index.take(&key(0, 0)) && !index.take(&key(0, 0)));
}

/// A disk that hangs, as far as a pipe that nobody writes to is one.
#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_hangs_is_passed_by() {
    let directory = tempfile::tempdir().unwrap();
    let disk = Disk::open(directory.path(), 1 << 20, Duration::from_secs(2));
    let picture = super::super::tests::picture(b"one");
    disk.put(key(0, 0), picture.clone());
    disk.put(key(0, 1), picture.clone());
    disk.settled().await;
    assert_eq!(disk.get(&key(0, 1)).await, Some(picture.clone()));

    let files = super::super::tests::files(directory.path());
    let (path, _) = files.iter().find(|(path, _)| path.ends_with("00".repeat(32))).unwrap();
    std::fs::remove_file(path).unwrap();
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    let kind = rustix::fs::FileType::Fifo;
    rustix::fs::mknodat(rustix::fs::CWD, path, kind, mode, 0).unwrap();
    assert_eq!(disk.get(&key(0, 0)).await, None);
    let until = lock(&disk.health).passed_by_until.replace(Instant::now() + 60 * PASSED_BY);
    assert!(until.is_some());
    assert_eq!(disk.get(&key(0, 1)).await, None, "nor is the next to wait for it");
    lock(&disk.health).passed_by_until = None;
    assert_eq!(disk.get(&key(0, 1)).await, Some(picture), "once it answers");
    // Lets the thread go.
    drop(File::options().write(true).open(path).unwrap());
}

/// As if somebody were at the files who does not come back.
async fn hang(disk: &Disk) {
    while mem::replace(&mut lock(&disk.orders).is_worked_on, true) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn what_a_slow_disk_can_not_follow_is_not_written() {
    let directory = tempfile::tempdir().unwrap();
    let disk = Disk::open(directory.path(), 1 << 30, PATIENCE);
    hang(&disk).await;
    let mut pictures = BTreeMap::new();
    for spec in 0..3 {
        let picture = super::super::tests::picture(&vec![spec; 7 << 20]);
        disk.put(key(0, spec), picture.clone());
        pictures.insert(spec, picture);
    }
    assert_eq!(lock(&disk.orders).bytes, 14 << 20);
    // What is to be forgotten is never dropped.
    disk.forget(key(1, 0).image);
    assert_eq!(lock(&disk.orders).waiting.len(), 3);
    let worker = disk.clone();
    spawn_blocking(move || worker.work()).await.unwrap();
    assert_eq!(disk.get(&key(0, 1)).await.as_ref(), pictures.get(&1));
    assert_eq!(disk.get(&key(0, 2)).await, None);
    // A new one that can't be written takes the old one away all the same.
    hang(&disk).await;
    for spec in [3, 4, 1] {
        disk.put(key(0, spec), super::super::tests::picture(&vec![spec; 7 << 20]));
    }
    assert_eq!(disk.get(&key(0, 1)).await, None);
    let worker = disk.clone();
    spawn_blocking(move || worker.work()).await.unwrap();
    assert_eq!(lock(&disk.orders).bytes, 0);
    let names: Vec<_> = super::super::tests::files(directory.path()).into_keys().collect();
    assert!(!names.iter().any(|name| name.ends_with("01".repeat(32))), "{names:?}");
}
