//! Every verb of the storage on every backend: the disk, S3, and Cloudinary. One suite; each test has a place of its own.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

#[path = "storage/cloudinary_alone.rs"]
mod cloudinary_alone;
#[path = "storage/cloudinary/mod.rs"]
mod fake_cloudinary;
#[path = "storage/s3_alone.rs"]
mod s3_alone;
#[path = "storage/s3_room.rs"]
mod s3_room;
#[path = "storage/s3_server.rs"]
#[allow(dead_code)] // Each suite asks something else of it.
mod s3_server;
#[path = "storage/verbs.rs"]
mod verbs;

use std::path::Path;

use bytes::Bytes;
use darkroom::{
    adapters::{
        Query,
        storage::{Body, DeleteObject, GetObject, OpenObject, PutObject, Storage, Stored},
    },
    config::{self, StorageKind},
    domain::{
        error::{Error, Result},
        object::Object,
    },
};
use fake_cloudinary::FakeCloudinary;
use futures_util::TryStreamExt;
use tempfile::TempDir;

/// A storage with nothing in it.
struct Sandbox {
    storage: Storage,
    /// Where files wait on their way; of the disk, where objects are as well.
    data: TempDir,
    /// What keeps the other end running.
    _server: Box<dyn std::any::Any + Send + Sync>,
}

/// Settings for one backend.
fn settings(kind: StorageKind) -> config::Storage {
    config::Storage { kind, is_said: true, s3: None, cloudinary: None }
}

impl Sandbox {
    async fn open(settings: config::Storage, server: impl Send + Sync + 'static) -> Self {
        let data = tempfile::tempdir().unwrap();
        let storage = Storage::open(settings.kind, &settings, data.path().to_owned()).await;
        Self { storage: storage.unwrap(), data, _server: Box::new(server) }
    }

    async fn fs() -> Self {
        Self::open(settings(StorageKind::Fs), ()).await
    }

    /// Where everything is a picture.
    async fn cloudinary() -> Self {
        Self::at(FakeCloudinary::credulous()).await
    }

    /// Where nothing is, and all of it is kept as bytes.
    async fn cloudinary_raw() -> Self {
        Self::at(FakeCloudinary::start()).await
    }

    async fn at(fake: FakeCloudinary) -> Self {
        let cloudinary = Some(fake.settings());
        let settings = settings(StorageKind::Cloudinary);
        Self::open(config::Storage { cloudinary, ..settings }, fake).await
    }

    async fn s3() -> Self {
        let server = s3_server::S3Server::start();
        let s3 = Some(server.settings());
        Self::open(config::Storage { s3, ..settings(StorageKind::S3) }, server).await
    }

    async fn ask<Q: Query<Storage>>(&self, query: Q) -> Result<Q::Output> {
        query.run(&self.storage).await
    }

    async fn put(&self, key: &str, body: Body) -> Result<Stored> {
        self.ask(PutObject { key: key.to_owned(), body }).await
    }

    /// Stores `bytes`; the object as its row would describe it.
    async fn stored(&self, key: &str, bytes: impl Into<Bytes>) -> Object {
        let body = Body::bytes(bytes.into());
        let object =
            Object { key: key.to_owned(), size: body.size(), sha256: body.sha256().to_owned() };
        self.put(key, body).await.unwrap();
        object
    }

    async fn get(&self, object: &Object) -> Result<Bytes> {
        self.ask(GetObject { object: object.clone() }).await
    }

    /// A part of it, as a stream; the error may also come from within.
    async fn part(&self, object: &Object, part: std::ops::Range<u64>) -> Result<Vec<u8>> {
        let stream = self.ask(OpenObject { object: object.clone(), part }).await?;
        let pieces: Vec<Bytes> = stream.try_collect().await.map_err(Error::internal)?;
        Ok(pieces.concat())
    }

    async fn delete(&self, key: &str) -> Result<()> {
        self.ask(DeleteObject { key: key.to_owned() }).await
    }

    /// Files that were left behind on their way.
    fn spooled(&self) -> usize {
        fn count(directory: &Path) -> usize {
            directory.read_dir().map_or(0, Iterator::count)
        }
        count(&self.data.path().join("spool"))
    }
}

/// Lists the tests once, and makes one of each for each backend.
macro_rules! suite {
    ($($test:ident)*) => {
        suite! { @fs $($test)* }
        suite! { @s3 $($test)* }
        suite! { @cloudinary $($test)* }
        suite! { @cloudinary_raw $($test)* }
    };
    (@$backend:ident $($test:ident)*) => {
        mod $backend {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::verbs::$test(&super::Sandbox::$backend().await).await;
            })*
        }
    };
}

suite! {
    an_object_is_there_until_it_is_removed
    an_object_is_replaced
    what_was_never_stored_is_not_found
    an_object_may_be_empty
    a_part_can_be_read
    a_file_is_stored_as_it_arrived
    a_hundred_megabytes_come_back
    of_many_at_once_one_is_there_whole
    a_body_that_fails_stores_nothing
    a_body_of_another_length_stores_nothing
    a_body_of_other_bytes_stores_nothing
    what_is_not_what_was_stored_is_noticed
    nothing_is_left_on_the_way
}
