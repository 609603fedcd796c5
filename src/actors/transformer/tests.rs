#![allow(clippy::unwrap_used)]
use image::{ImageFormat, RgbaImage};

use super::*;
use crate::actors::supervisor::Tree;

/// A picture of 4 × 4 pixels.
fn small() -> Bytes {
    let mut file = Cursor::new(Vec::new());
    RgbaImage::new(4, 4).write_to(&mut file, ImageFormat::Png).unwrap();
    file.into_inner().into()
}

#[tokio::test]
async fn who_waits_for_memory_is_told_so_in_time_and_a_job_waits_on() {
    let limits = Limits { timeout: Duration::from_millis(50), ..Limits::default() };
    let transformer = Transformer::new(1, 64 << 20, limits).unwrap();
    let _tree = Tree::start(vec![transformer.child()]).await.unwrap();
    let everything = transformer.memory.admit(64 << 20).unwrap();
    let everything = transformer.memory.reserve(everything).await.unwrap();
    let file = small();
    let ask = |priority| {
        let (spec, cancel) = (Arc::new(Spec::default()), Cancel::default());
        transformer.transform(file.clone(), Overlays::new(), spec, priority, cancel)
    };
    let Err(Failure::Refused(error)) = ask(Priority::Interactive).await else {
        panic!("there is no memory for it")
    };
    assert_eq!(error.code, Code::Overloaded);
    let (job, ()) = tokio::join!(ask(Priority::Background), async {
        // Longer than anybody else would wait.
        assert!(ask(Priority::Interactive).await.is_err());
        drop(everything);
    });
    assert_eq!(job.unwrap().width, 4);
}

#[tokio::test]
async fn what_waits_has_the_threads_that_it_needs() {
    let transformer = Transformer::new(2, 64 << 20, Limits::default()).unwrap();
    let _tree = Tree::start(vec![transformer.child()]).await.unwrap();
    let everything = transformer.memory.admit(64 << 20).unwrap();
    let everything = transformer.memory.reserve(everything).await.unwrap();
    let file = small();
    let ask = || {
        let (spec, cancel) = (Arc::new(Spec::default()), Cancel::default());
        let (overlays, priority) = (Overlays::new(), Priority::Background);
        transformer.transform(file.clone(), overlays, spec, priority, cancel)
    };
    let all_wait = async {
        while transformer.threads.idle() > 0 {
            tokio::task::yield_now().await;
        }
        drop(everything);
    };
    let (first, second, ()) = tokio::join!(ask(), ask(), all_wait);
    assert!(first.is_ok() && second.is_ok());
    // A worker may have to drop its work yet.
    while transformer.threads.idle() < 2 {
        tokio::task::yield_now().await;
    }
}

#[test]
fn a_codec_that_panics_is_a_picture_that_can_not_be_read() {
    let thrown: [fn(); 2] = [|| panic!("out of bounds"), || panic!("at row {}", 7)];
    for (panic, message) in thrown.into_iter().zip(["out of bounds", "at row 7"]) {
        let failure = contained::<()>(|| {
            panic();
            Err(Failure::Cancelled)
        });
        let Err(Failure::Refused(error)) = failure else { panic!("a refusal") };
        assert_eq!((error.code, error.cause.as_deref()), (Code::ImageCorrupt, Some(message)));
        assert!(!error.detail.contains(message), "the client learns nothing of it");
    }
}
