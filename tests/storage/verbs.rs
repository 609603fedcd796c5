//! What every backend does.

use std::sync::Arc;

use bytes::Bytes;
use darkroom::{
    adapters::storage::{Body, ByteStream, CheckStorage, OpenSpool, PutObject},
    domain::{error::Code, object::Object},
};
use futures_util::{future::join_all, stream};
use sha2::{Digest, Sha256};

use crate::Sandbox;

/// A key as the service makes them.
pub fn key(name: &str) -> String {
    format!("0199e0a0-0000-7000-8000-000000000000/{name}.jpg")
}

/// The rows' hash of these bytes.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Bytes that look like nothing, the same for every call.
pub fn noise(length: usize) -> Bytes {
    let mut state = 0x9e37_79b9_u32;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()[0]
    };
    (0..length).map(|_| next()).collect()
}

pub async fn an_object_is_there_until_it_is_removed(sandbox: &Sandbox) {
    sandbox.ask(CheckStorage).await.unwrap();
    for name in ["one", "two"] {
        let bytes = noise(10_000);
        let object = sandbox.stored(&key(name), bytes.clone()).await;
        assert_eq!(sandbox.get(&object).await.unwrap(), bytes);
        assert_eq!(sandbox.part(&object, 0..10_000).await.unwrap(), bytes);
        sandbox.delete(&object.key).await.unwrap();
        assert_eq!(sandbox.get(&object).await.unwrap_err().code, Code::NotFound);
        sandbox.delete(&object.key).await.unwrap();
    }
    sandbox.ask(CheckStorage).await.unwrap();
}

pub async fn an_object_is_replaced(sandbox: &Sandbox) {
    sandbox.stored(&key("a"), noise(5000)).await;
    let object = sandbox.stored(&key("a"), "second").await;
    assert_eq!(sandbox.get(&object).await.unwrap(), "second");
    let other = sandbox.stored(&key("b"), "other").await;
    sandbox.delete(&object.key).await.unwrap();
    assert_eq!(sandbox.get(&other).await.unwrap(), "other");
}

pub async fn what_was_never_stored_is_not_found(sandbox: &Sandbox) {
    let object = Object { key: key("never"), size: 5, sha256: sha256(b"never") };
    assert_eq!(sandbox.get(&object).await.unwrap_err().code, Code::NotFound);
    assert_eq!(sandbox.part(&object, 0..5).await.unwrap_err().code, Code::NotFound);
    assert_eq!(sandbox.part(&object, 1..3).await.unwrap_err().code, Code::NotFound);
    sandbox.delete(&object.key).await.unwrap();
}

pub async fn an_object_may_be_empty(sandbox: &Sandbox) {
    let object = sandbox.stored(&key("empty"), "").await;
    assert_eq!(sandbox.get(&object).await.unwrap(), "");
    assert_eq!(sandbox.part(&object, 0..0).await.unwrap(), b"");
    sandbox.delete(&object.key).await.unwrap();
    assert_eq!(sandbox.get(&object).await.unwrap_err().code, Code::NotFound);
}

pub async fn a_part_can_be_read(sandbox: &Sandbox) {
    let bytes = noise(200_000);
    let object = sandbox.stored(&key("parts"), bytes.clone()).await;
    for (start, end) in [(0, 1), (3, 7), (65_535, 65_537), (199_999, 200_000), (0, 200_000), (7, 7)]
    {
        let part = sandbox.part(&object, start..end).await.unwrap();
        let expected = bytes.slice(usize::try_from(start).unwrap()..usize::try_from(end).unwrap());
        assert_eq!(part, expected, "{start}..{end}");
    }
    // No more than there is.
    assert_eq!(sandbox.part(&object, 199_998..300_000).await.unwrap(), bytes[199_998..]);
}

pub async fn a_file_is_stored_as_it_arrived(sandbox: &Sandbox) {
    let bytes = noise(300_000);
    let mut spool = sandbox.ask(OpenSpool).await.unwrap();
    for piece in bytes.chunks(70_001) {
        spool.write(piece).await.unwrap();
    }
    let spooled = spool.finish().await.unwrap();
    assert_eq!((spooled.size, &spooled.sha256), (300_000, &sha256(&bytes)));
    let object = Object { key: key("file"), size: 300_000, sha256: spooled.sha256.clone() };
    sandbox.put(&object.key, spooled.into_body()).await.unwrap();
    assert_eq!(sandbox.get(&object).await.unwrap(), bytes);
}

pub async fn a_hundred_megabytes_come_back(sandbox: &Sandbox) {
    const MEGABYTES: usize = 100;
    let piece = noise(1_000_000);
    let mut hash = Sha256::new();
    (0..MEGABYTES).for_each(|_| hash.update(&piece));
    let sha256: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    let size = (MEGABYTES * piece.len()) as u64;
    let body = Body::opened(size, sha256.clone(), move |part| {
        let piece = piece.clone();
        let mut at = part.start;
        Box::pin(stream::iter(std::iter::from_fn(move || {
            let within = usize::try_from(at % 1_000_000).unwrap();
            let left = usize::try_from(part.end - at).unwrap();
            let next = piece.slice(within..piece.len().min(within + left));
            at += next.len() as u64;
            (!next.is_empty()).then_some(Ok(next))
        })))
    });
    let object = Object { key: key("large"), size, sha256 };
    sandbox.put(&object.key, body).await.unwrap();
    // The stream is seen to be what was stored by the storage itself.
    let got = sandbox.part(&object, 0..size).await.unwrap();
    assert_eq!(got.len() as u64, size);
    let part = sandbox.part(&object, 49_999_990..50_000_010).await.unwrap();
    assert_eq!(part, got[49_999_990..50_000_010]);
    sandbox.delete(&object.key).await.unwrap();
}

pub async fn of_many_at_once_one_is_there_whole(sandbox: &Sandbox) {
    let bodies: Vec<Bytes> = (0..8).map(|n| Bytes::from(vec![n; 150_000])).collect();
    let puts = bodies.iter().map(|bytes| sandbox.put("shared/key.png", Body::bytes(bytes.clone())));
    for put in join_all(puts).await {
        put.unwrap();
    }
    let mut there = 0;
    for bytes in &bodies {
        let object =
            Object { key: "shared/key.png".to_owned(), size: 150_000, sha256: sha256(bytes) };
        there += usize::from(sandbox.get(&object).await.is_ok_and(|got| got == bytes));
    }
    assert_eq!(there, 1);
}

/// What says it is `size` bytes with that hash, and yields these pieces.
pub fn false_body(size: u64, sha256: String, pieces: Vec<std::io::Result<Bytes>>) -> Body {
    let pieces: Arc<Vec<_>> =
        Arc::new(pieces.into_iter().map(|piece| piece.map_err(|error| error.kind())).collect());
    Body::opened(size, sha256, move |part| {
        let pieces = pieces.clone();
        // Where a backend reads it in parts, each begins where it should.
        let mut skip = usize::try_from(part.start).unwrap();
        let all = (0..pieces.len()).map(move |n| match &pieces[n] {
            Ok(bytes) => {
                let cut = skip.min(bytes.len());
                skip -= cut;
                Ok(bytes.slice(cut..))
            }
            Err(kind) => Err(std::io::Error::from(*kind)),
        });
        let stream: ByteStream = Box::pin(stream::iter(all));
        stream
    })
}

/// A body that ends badly replaces nothing, and leaves nothing where nothing was.
async fn stores_nothing(sandbox: &Sandbox, body: &dyn Fn() -> Body) {
    let former = sandbox.stored(&key("former"), "what was there").await;
    assert!(sandbox.put(&former.key, body()).await.is_err());
    assert_eq!(sandbox.get(&former).await.unwrap(), "what was there");
    let (absent, body) = (key("absent"), body());
    let object =
        Object { key: absent.clone(), size: body.size(), sha256: body.sha256().to_owned() };
    assert!(sandbox.ask(PutObject { key: absent, body }).await.is_err());
    assert_eq!(sandbox.get(&object).await.unwrap_err().code, Code::NotFound);
    assert_eq!(sandbox.spooled(), 0);
}

pub async fn a_body_that_fails_stores_nothing(sandbox: &Sandbox) {
    let bytes = noise(400_000);
    stores_nothing(sandbox, &|| {
        let broken = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
        let pieces = vec![Ok(bytes.slice(..200_000)), Err(broken)];
        false_body(400_000, sha256(&bytes), pieces)
    })
    .await;
}

pub async fn a_body_of_another_length_stores_nothing(sandbox: &Sandbox) {
    let bytes = noise(400_000);
    for said in [399_999, 400_001] {
        let body = || false_body(said, sha256(&bytes), vec![Ok(bytes.clone())]);
        stores_nothing(sandbox, &body).await;
    }
}

pub async fn a_body_of_other_bytes_stores_nothing(sandbox: &Sandbox) {
    let bytes = noise(400_000);
    stores_nothing(sandbox, &|| false_body(400_000, sha256(b"other"), vec![Ok(bytes.clone())]))
        .await;
}

pub async fn what_is_not_what_was_stored_is_noticed(sandbox: &Sandbox) {
    let object = sandbox.stored(&key("changed"), noise(100_000)).await;
    sandbox.stored(&object.key, vec![7; 100_000]).await;
    assert_eq!(sandbox.get(&object).await.unwrap_err().code, Code::DependencyUnavailable);
    assert!(sandbox.part(&object, 0..100_000).await.is_err());
    sandbox.stored(&object.key, noise(99_999)).await;
    assert_eq!(sandbox.get(&object).await.unwrap_err().code, Code::DependencyUnavailable);
    assert!(sandbox.part(&object, 0..100_000).await.is_err());
}

pub async fn nothing_is_left_on_the_way(sandbox: &Sandbox) {
    let mut spool = sandbox.ask(OpenSpool).await.unwrap();
    spool.write(b"half a pict").await.unwrap();
    assert_eq!(sandbox.spooled(), 1);
    sandbox.ask(darkroom::adapters::storage::SweepSpool).await.unwrap();
    assert_eq!(sandbox.spooled(), 1, "somebody may still write to it");
    drop(spool);
    assert_eq!(sandbox.spooled(), 0);
    let spool = sandbox.ask(OpenSpool).await.unwrap().finish().await.unwrap();
    sandbox.put(&key("x"), spool.into_body()).await.unwrap();
    assert_eq!(sandbox.spooled(), 0);
}
