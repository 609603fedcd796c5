#![allow(clippy::unwrap_used)]
use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

use proptest::prelude::*;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::*;
use crate::adapters::storage::hex;

/// A picture of these bytes, as far as anybody here looks at them.
pub(super) fn picture(bytes: &[u8]) -> Arc<Picture> {
    Arc::new(Picture {
        bytes: Bytes::copy_from_slice(bytes),
        format: Format::Webp,
        sha256: hex(&Sha256::digest(bytes)),
        width: 640,
        height: 427,
        engine: 5,
        made_at: "2026-02-03T04:05:06.789012Z".parse().unwrap(),
    })
}

/// The files of pictures under a directory, and those that are not finished; how large they are.
pub(super) fn files(directory: &Path) -> BTreeMap<PathBuf, u64> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(directory).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if entry.file_name() != "lock" {
            found.insert(path, entry.metadata().unwrap().len());
        }
    }
    found
}

fn key(image: u8, spec: u8) -> Key {
    Key { image: ImageId(uuid::Uuid::from_u128(image.into())), spec: [spec; 32] }
}

fn open(directory: &TempDir, memory: u64, disk: u64) -> Pictures {
    Pictures::open(&config::Cache { memory, directory: directory.path().to_owned(), disk })
}

/// Lets go of it, and waits until it has let go of its directory.
async fn close(pictures: Pictures, directory: &TempDir) {
    pictures.settled().await;
    drop(pictures);
    let lock = File::open(directory.path().join("0/lock")).unwrap();
    while lock.try_lock().is_err() {
        tokio::task::yield_now().await;
    }
}

fn put(pictures: &Pictures, key: Key, bytes: &[u8]) {
    pictures.put(key, picture(bytes), pictures.epoch(key.image));
}

#[test]
fn a_key_is_made_of_a_hash_and_of_nothing_else() {
    let image = ImageId::new();
    let hash = hex(&Sha256::digest(b"spec"));
    let key = Key::new(image, &hash).unwrap();
    assert_eq!((key.image, hex(&key.spec)), (image, hash.clone()));
    for no_hash in ["", "../../..", &hash[1..], &format!("{hash}00"), &hash.replace('a', "g")] {
        assert_eq!(Key::new(image, no_hash), None, "{no_hash}");
    }
}

#[tokio::test]
async fn a_picture_is_in_memory_on_the_disk_and_there_again_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let pictures = open(&directory, 1 << 20, 1 << 20);
    assert_eq!(pictures.get(&key(1, 1)).await, None);
    put(&pictures, key(1, 1), b"one");
    put(&pictures, key(2, 1), b"two");
    assert_eq!(pictures.get_hot(&key(1, 1)), Some(picture(b"one")));
    assert_eq!(pictures.get(&key(1, 1)).await, Some((picture(b"one"), Tier::Memory)));
    close(pictures, &directory).await;

    let pictures = open(&directory, 1 << 20, 1 << 20);
    assert_eq!(pictures.images().await, [key(1, 0).image, key(2, 0).image]);
    assert_eq!(pictures.get_hot(&key(1, 1)), None);
    assert_eq!(pictures.get(&key(1, 1)).await, Some((picture(b"one"), Tier::Disk)));
    assert_eq!(pictures.get_hot(&key(1, 1)), Some(picture(b"one")), "it has come up");
    put(&pictures, key(1, 1), b"newer");
    pictures.forget(key(2, 1).image);
    close(pictures, &directory).await;

    let pictures = open(&directory, 0, 1 << 20);
    pictures.settled().await;
    assert_eq!(pictures.get(&key(1, 1)).await, Some((picture(b"newer"), Tier::Disk)));
    assert_eq!(pictures.get_hot(&key(1, 1)), None, "there is no memory for it");
    assert_eq!(pictures.get(&key(2, 1)).await, None);
    pictures.forget(key(1, 0).image);
    assert_eq!(pictures.get(&key(1, 1)).await, None);
    pictures.settled().await;
    assert_eq!(files(directory.path()), BTreeMap::new());
}

#[tokio::test]
async fn processes_that_share_a_directory_have_each_their_own() {
    let directory = tempfile::tempdir().unwrap();
    let (first, second) = (open(&directory, 0, 1 << 20), open(&directory, 0, 1 << 20));
    first.settled().await;
    put(&second, key(1, 1), b"two");
    second.settled().await;
    assert_eq!(first.get(&key(1, 1)).await, None);
    put(&first, key(1, 1), b"one");
    first.settled().await;
    // Whichever was quicker.
    let slot = |bytes: &[u8]| {
        let is_it = |path: &&PathBuf| fs::read(path).unwrap().ends_with(bytes);
        let files = files(directory.path());
        let path = files.keys().find(is_it).unwrap();
        path.strip_prefix(directory.path()).unwrap().iter().next().unwrap().to_owned()
    };
    assert_eq!(BTreeSet::from([slot(b"one"), slot(b"two")]).len(), 2);
    let (gone, left, left_bytes) =
        if slot(b"one") == "0" { (first, second, b"two") } else { (second, first, b"one") };
    close(gone, &directory).await;
    let third = open(&directory, 0, 1 << 20);
    third.settled().await;
    let found = |found: Option<(Arc<Picture>, Tier)>| found.map(|(picture, _)| picture);
    assert!(found(third.get(&key(1, 1)).await).is_some_and(|found| found != picture(left_bytes)));
    assert_eq!(found(left.get(&key(1, 1)).await), Some(picture(left_bytes)));
}

#[tokio::test]
async fn a_file_that_is_damaged_is_not_given_and_goes() {
    let directory = tempfile::tempdir().unwrap();
    let damages: [fn(Vec<u8>) -> Vec<u8>; 7] = [
        |_| Vec::new(),
        |file| file[..file.len() - 1].to_vec(),
        |file| [file, b"x".to_vec()].concat(),
        |mut file| {
            *file.last_mut().unwrap() ^= 1;
            file
        },
        |file| [b"darkroom picture 2\n", &file[19..]].concat(),
        |file| file[..25].to_vec(),
        |file| file.iter().map(|byte| if *byte == b'{' { b'[' } else { *byte }).collect(),
    ];
    for damage in damages {
        let pictures = open(&directory, 0, 1 << 20);
        put(&pictures, key(1, 1), b"the bytes");
        put(&pictures, key(1, 2), b"others");
        close(pictures, &directory).await;
        for path in files(directory.path()).into_keys() {
            if path.ends_with("01".repeat(32)) {
                fs::write(&path, damage(fs::read(&path).unwrap())).unwrap();
            }
        }
        let pictures = open(&directory, 1 << 20, 1 << 20);
        pictures.settled().await;
        assert_eq!(pictures.get(&key(1, 1)).await, None);
        pictures.settled().await;
        assert_eq!(files(directory.path()).len(), 1);
        assert_eq!(pictures.get(&key(1, 2)).await, Some((picture(b"others"), Tier::Disk)));
        close(pictures, &directory).await;
    }
}

#[tokio::test]
async fn a_disk_without_room_or_none_at_all_fails_nothing() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("file"), "no directory").unwrap();
    let nowhere = directory.path().join("file/cache");
    let settings = config::Cache { memory: 1 << 20, directory: nowhere, disk: 1 << 20 };
    let (none, broken) = (open(&directory, 0, 0), Pictures::open(&settings));
    // Less than a block, and room for one.
    let (tiny, small) = (open(&directory, 0, 100), open(&directory, 0, 40_000));
    for (pictures, is_kept) in [(&none, false), (&broken, true), (&tiny, false), (&small, true)] {
        for image in 0..20 {
            put(pictures, key(image, 1), &[image; 5000]);
        }
        pictures.settled().await;
        assert_eq!(pictures.get(&key(19, 1)).await.is_some(), is_kept);
        pictures.forget(key(19, 0).image);
        assert_eq!(pictures.get(&key(19, 1)).await, None);
        (0..20).for_each(|image| pictures.forget(key(image, 0).image));
        pictures.settled().await;
        assert!(pictures.images().await.is_empty());
    }
    put(&small, key(1, 1), &[1; 5001]);
    small.settled().await;
    assert_eq!(small.get(&key(1, 1)).await, None, "more than its share");
}

#[tokio::test]
async fn the_bound_of_the_disk_holds_and_nothing_is_left_open() {
    let directory = tempfile::tempdir().unwrap();
    let pictures = open(&directory, 0, 100_000);
    for image in 0..60 {
        put(&pictures, key(image, 1), &vec![image; usize::from(image) * 200]);
        pictures.settled().await;
        let taken: u64 = files(directory.path()).values().map(|size| size.div_ceil(4096)).sum();
        assert!(taken * 4096 <= 100_000, "{taken} blocks");
        // It is used all the time, so it stays.
        assert!(pictures.get(&key(0, 1)).await.is_some(), "{image}");
    }
    assert!(pictures.get(&key(59, 1)).await.is_some());
    assert!(pictures.get(&key(20, 1)).await.is_none());
    assert!(
        !files(directory.path()).keys().any(|path| path.iter().any(|part| part == "unfinished"))
    );
    let open: Vec<_> = fs::read_dir("/proc/self/fd")
        .unwrap()
        .flatten()
        .filter_map(|file| fs::read_link(file.path()).ok())
        .filter(|path| path.starts_with(directory.path()))
        .collect();
    assert_eq!(open, [directory.path().join("0/lock")]);
    // Less is allowed the next time.
    close(pictures, &directory).await;
    let pictures = self::open(&directory, 0, 30_000);
    pictures.settled().await;
    let taken: u64 = files(directory.path()).values().map(|size| size.div_ceil(4096)).sum();
    assert!(taken > 0 && taken * 4096 <= 30_000);
    assert!(pictures.get(&key(59, 1)).await.is_some(), "the last that was used");
}

#[test]
fn what_died_half_way_is_swept_away() {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir_all(directory.path().join("0/unfinished")).unwrap();
    fs::write(directory.path().join("0/unfinished/.tmpABC"), "half").unwrap();
    fs::write(directory.path().join("0/stranger"), "not ours").unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let pictures = open(&directory, 0, 1 << 20);
        pictures.settled().await;
        assert_eq!(files(directory.path()).len(), 1, "only the stranger");
    });
}

#[test]
fn memory_holds_its_bound_and_knows_what_it_has() {
    let memory = Memory::new(100_000);
    for round in 0..40_u8 {
        for image in 0..20 {
            memory.put(key(image, round), picture(&vec![round; usize::from(image) * 300]));
        }
        if round % 7 == 0 {
            memory.forget(key(round % 20, 0).image);
            assert!((0..=round).all(|spec| memory.get(&key(round % 20, spec)).is_none()));
        }
        let (weight, entries, counted) = memory.held();
        assert!(weight <= 100_000 && entries > 0, "{weight}");
        assert_eq!(entries, counted);
    }
    let large = picture(&vec![0; 12_500]);
    memory.put(key(1, 200), picture(b"small"));
    memory.put(key(1, 200), large);
    assert!(memory.get(&key(1, 200)).is_none(), "more than its share, and the old one is no more");
    memory.forget_all();
    assert_eq!(memory.held(), (0, 0, 0));
}

#[derive(Debug, Clone)]
enum Step {
    /// With the time before now, or before so many steps.
    Put(u8, u8, usize),
    Get(u8, u8),
    Forget(u8),
    ForgetMemory,
    Settle,
    Restart,
}

/// The time of each image.
fn now(pictures: &Pictures) -> [Epoch; 3] {
    [0, 1, 2].map(|image| pictures.epoch(key(image, 0).image))
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let (image, spec) = (0_u8..3, 0_u8..3);
    let step = prop_oneof![
        8 => (image.clone(), spec.clone(), prop_oneof![2 => Just(0_usize), 1 => 0_usize..6])
            .prop_map(|(image, spec, age)| Step::Put(image, spec, age)),
        8 => (image.clone(), spec).prop_map(|(image, spec)| Step::Get(image, spec)),
        2 => image.prop_map(Step::Forget),
        1 => Just(Step::ForgetMemory),
        2 => Just(Step::Settle),
        1 => Just(Step::Restart),
    ];
    prop::collection::vec(step, 0..40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Against what was put since it was forgotten: nothing else is ever given, and without a bound in sight nothing is lost.
    #[test]
    fn what_was_forgotten_is_never_given_again(steps in steps(), has_memory: bool) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let directory = tempfile::tempdir().unwrap();
        let memory = if has_memory { 1 << 20 } else { 0 };
        runtime.block_on(async {
            let mut pictures = open(&directory, memory, 1 << 20);
            let mut kept: BTreeMap<Key, Vec<Arc<Picture>>> = BTreeMap::new();
            let mut epochs = Vec::new();
            for (number, step) in steps.into_iter().enumerate() {
                epochs.push(now(&pictures));
                match step {
                    Step::Put(image, spec, age) => {
                        let new = picture(&number.to_le_bytes());
                        let epoch = epochs[epochs.len().saturating_sub(1 + age)][usize::from(image)];
                        pictures.put(key(image, spec), new.clone(), epoch);
                        if epoch == pictures.epoch(key(image, spec).image) {
                            kept.entry(key(image, spec)).or_default().push(new);
                        }
                    }
                    Step::Get(image, spec) => {
                        let kept = kept.get(&key(image, spec)).map_or(&[][..], Vec::as_slice);
                        let found = pictures.get(&key(image, spec)).await;
                        if let Some((found, _)) = &found {
                            prop_assert!(kept.contains(found), "{found:?}");
                        }
                        pictures.settled().await;
                        let found = pictures.get(&key(image, spec)).await;
                        prop_assert_eq!(found.as_ref().map(|found| &found.0), kept.last());
                    }
                    Step::Forget(image) => {
                        pictures.forget(key(image, 0).image);
                        kept.retain(|kept, _| kept.image != key(image, 0).image);
                    }
                    Step::ForgetMemory => pictures.forget_memory(),
                    Step::Settle => pictures.settled().await,
                    Step::Restart => {
                        close(pictures, &directory).await;
                        pictures = open(&directory, memory, 1 << 20);
                        epochs = vec![now(&pictures); epochs.len()];
                    }
                }
            }
            pictures.settled().await;
            prop_assert_eq!(files(directory.path()).len(), kept.len());
            Ok(())
        })?;
    }
}

/// Everybody puts, looks and forgets at once: what is given was looked up after the last forgetting.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_survives_a_forgetting_that_it_raced_with() {
    let directory = tempfile::tempdir().unwrap();
    let pictures = Arc::new(open(&directory, 1 << 20, 1 << 20));
    let version = Arc::new(AtomicU32::new(0));
    let number = |picture: &Picture| u32::from_le_bytes(picture.bytes[..4].try_into().unwrap());
    let tasks = (0..8_u8).map(|task| {
        let (pictures, version) = (pictures.clone(), version.clone());
        tokio::spawn(async move {
            for round in 0..300_u32 {
                let key = key(0, (round % 3) as u8);
                match (u32::from(task) + round) % 4 {
                    0 => {
                        let before = version.load(Ordering::SeqCst);
                        pictures.forget(key.image);
                        if let Some((found, tier)) = pictures.get(&key).await {
                            assert!(number(&found) >= before, "{tier:?}: {found:?} < {before}");
                        }
                    }
                    1 | 2 => {
                        let epoch = pictures.epoch(key.image);
                        let number = version.fetch_add(1, Ordering::SeqCst);
                        pictures.put(key, picture(&number.to_le_bytes()), epoch);
                    }
                    _ => drop(pictures.get(&key).await),
                }
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    pictures.forget(key(0, 0).image);
    pictures.settled().await;
    assert_eq!(files(directory.path()), BTreeMap::new());
}
