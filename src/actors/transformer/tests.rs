#![allow(clippy::unwrap_used)]
use futures_util::{FutureExt, future::join_all};
use image::{ImageFormat, RgbaImage};

use super::{painter::contained, *};
use crate::actors::supervisor::Tree;

/// A picture of 4 × 4 pixels.
fn small() -> Bytes {
    let mut file = Cursor::new(Vec::new());
    RgbaImage::new(4, 4).write_to(&mut file, ImageFormat::Png).unwrap();
    file.into_inner().into()
}

/// The small picture, made for an account or as a job.
async fn make(transformer: &Transformer, account: Option<UserId>) -> Result<Output, Failure> {
    let file = small();
    let sizes = [file.len() as u64];
    let place = match account {
        Some(account) => transformer.admit(account, &sizes, Cost::default()).await?,
        None => transformer.admit_job(&sizes).await?,
    };
    let (spec, cancel) = (Arc::new(Spec::default()), Cancel::default());
    transformer.transform(place, file, Overlays::new(), spec, cancel).await
}

#[tokio::test]
async fn who_waits_for_memory_is_told_so_in_time_and_a_job_waits_on() {
    let limits = Limits { timeout: Duration::from_millis(50), ..Limits::default() };
    let transformer = Transformer::new(1, 64 << 20, limits).unwrap();
    let _tree = Tree::start(vec![transformer.child()]).await.unwrap();
    let everything = transformer.memory.admit(64 << 20).unwrap();
    let everything = transformer.memory.reserve(everything).await.unwrap();
    let account = UserId::new();
    let Err(Failure::Refused(error)) = make(&transformer, Some(account)).await else {
        panic!("there is no memory for it")
    };
    assert_eq!(error.code, Code::Overloaded);
    let (job, ()) = tokio::join!(make(&transformer, None), async {
        // Longer than anybody else would wait.
        assert!(make(&transformer, Some(account)).await.is_err());
        drop(everything);
    });
    // It was begun; there may be no time left for it on a machine that stands still.
    match job {
        Ok(made) => assert_eq!(made.width, 4),
        Err(Failure::Refused(error)) => assert_eq!(error.code, Code::TransformTimeout),
        Err(Failure::Cancelled) => panic!("nobody cancelled it"),
    }
    assert_eq!(transformer.painted(), 1);
}

#[tokio::test]
async fn nobody_waits_without_end() {
    let limits = Limits { timeout: Duration::ZERO, ..Limits::default() };
    let transformer = Transformer::new(1, 64 << 20, limits).unwrap();
    assert_eq!(transformer.in_time(async { Ok(7) }).await.unwrap(), 7);
    let endless = transformer.in_time(std::future::pending::<Result<()>>()).await;
    assert_eq!(endless.unwrap_err().code, Code::TransformTimeout);
}

#[tokio::test]
async fn what_waits_has_the_threads_that_it_needs() {
    let transformer = Transformer::new(2, 64 << 20, Limits::default()).unwrap();
    let _tree = Tree::start(vec![transformer.child()]).await.unwrap();
    let everything = transformer.memory.admit(64 << 20).unwrap();
    let everything = transformer.memory.reserve(everything).await.unwrap();
    let ask = || make(&transformer, None);
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

#[tokio::test]
async fn a_flood_is_refused_at_once_and_what_was_admitted_is_made_in_turns() {
    let transformer = Transformer::new(1, 64 << 20, Limits::default()).unwrap();
    let _tree = Tree::start(vec![transformer.child()]).await.unwrap();
    let everything = transformer.memory.admit(64 << 20).unwrap();
    let everything = transformer.memory.reserve(everything).await.unwrap();
    let (flood, other) = (UserId::new(), UserId::new());
    let made = std::sync::Mutex::new(Vec::new());
    let ask = |account| {
        let (transformer, made) = (&transformer, &made);
        async move {
            let output = make(transformer, Some(account)).await;
            if output.is_ok() {
                made.lock().unwrap().push(account);
            }
            output.map(drop)
        }
    };
    let mut flooded = Box::pin(join_all((0..100).map(|_| ask(flood))));
    // All have asked; those that were refused have their answer, and nothing is made.
    assert!(flooded.as_mut().now_or_never().is_none());
    assert_eq!(transformer.load().0, 64);
    let mut others = Box::pin(ask(other));
    assert!(others.as_mut().now_or_never().is_none(), "it is admitted");
    let Err(Failure::Refused(refused)) = ask(flood).now_or_never().unwrap() else {
        panic!("its share is used up")
    };
    assert_eq!((refused.code, refused.retry_after), (Code::Overloaded, Some(1)));
    let queued = async {
        // All but the one that the thread waits with, and none of them on its way there any more.
        let factory = transformer.entrance.borrow().clone().unwrap();
        let depth =
            async || factory.call(FactoryMessage::GetQueueDepth, None).await.unwrap().unwrap();
        while depth().await < 64 {
            tokio::task::yield_now().await;
        }
        drop(everything);
    };
    let (flooded, others, ()) = tokio::join!(flooded, others, queued);
    assert!(others.is_ok());
    let finished = flooded.iter().filter(|output| output.is_ok()).count();
    assert_eq!((finished, transformer.painted()), (64, 65));
    let turn = made.lock().unwrap().iter().position(|account| *account == other).unwrap();
    assert!(turn < 5, "{turn}");
    assert_eq!(transformer.load(), (0, Duration::ZERO));
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
