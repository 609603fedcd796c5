//! Objects in a bucket, of S3 and of what speaks it.

use std::{ops::Range, time::Duration};

use bytes::Bytes;
use futures_util::TryStreamExt;
use object_store::{
    Attribute, Attributes, GetOptions, GetRange, ObjectStore, ObjectStoreExt, PutOptions,
    PutPayload, aws::AmazonS3, path::Path,
};
use sync_wrapper::SyncStream;
use tokio::time::timeout;

use super::{Answer, Backend, Body, ByteStream, Resource, Storage, Stored, refused as not_read};
use crate::{
    config::S3,
    domain::{
        error::{Error, Result},
        format::Format,
        object::Object,
    },
};

mod client;
mod multipart;
mod refusal;
mod room;

use self::{
    client::Clients,
    refusal::{not_given, refused},
    room::Room,
};

/// What is sent by one request; more goes in parts.
const AT_ONCE: u64 = 8 << 20;
/// How long the environment may take to say who we are; less than a ping may.
const IDENTITY: Duration = Duration::from_millis(800);
/// A name that no object has: keys begin with an account's id.
const NOBODY: &str = "no/such.object";

/// A bucket.
pub struct S3Storage {
    clients: Clients,
    prefix: String,
    /// Whether the settings say who we are; else the environment has to.
    has_keys: bool,
    nobody: Path,
    room: Room,
}

impl S3Storage {
    /// Makes clients; nothing is asked yet.
    pub(super) fn open(settings: Option<&S3>) -> Result<Self> {
        let settings = settings.ok_or_else(|| Error::internal("S3_BUCKET is not set"))?;
        let prefix = settings.prefix.clone();
        let clients = Clients::new(settings)?;
        let nobody = path(&prefix, NOBODY)?;
        Ok(Self { clients, prefix, has_keys: settings.keys.is_some(), nobody, room: Room::new() })
    }

    async fn store(&self, key: &str, body: Body) -> Result<Stored> {
        let path = path(&self.prefix, key)?;
        let (writer, attributes) = (&self.clients.writer, attributes(key));
        if body.size() > AT_ONCE {
            multipart::put(writer, &path, &body, attributes, &self.room).await?;
            return Ok(Stored::default());
        }
        let _held = self.room.take(body.size()).await?;
        // All of it is seen before any is sent: what ends in an error is not even begun.
        let pieces: Vec<Bytes> = body.read().try_collect().await.map_err(not_read)?;
        let payload: PutPayload = pieces.into_iter().collect();
        let options = PutOptions { attributes, ..PutOptions::default() };
        writer.put_opts(&path, payload, options).await.map_err(|error| refused(&error))?;
        Ok(Stored::default())
    }

    /// Whether anybody says who we are.
    async fn identify(&self, client: &AmazonS3) -> Result<()> {
        if self.has_keys {
            return Ok(());
        }
        let why = match timeout(IDENTITY, client.credentials().get_credential()).await {
            Ok(Ok(_)) => return Ok(()),
            Ok(Err(error)) => refusal::cause(&error),
            Err(_) => "it does not answer".to_owned(),
        };
        let cause = format_args!(
            "S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY are not set, and the environment does not say who we are: {why}"
        );
        Err(Error::unavailable(Storage::WHAT, cause))
    }
}

impl Backend for S3Storage {
    fn name(&self) -> &'static str {
        "S3"
    }

    fn put<'a>(&'a self, key: &'a str, body: Body) -> Answer<'a, Stored> {
        Box::pin(self.store(key, body))
    }

    fn open<'a>(&'a self, object: &'a Object, part: Range<u64>) -> Answer<'a, ByteStream> {
        Box::pin(async move {
            let path = path(&self.prefix, &object.key)?;
            // Who asks for everything hears of what is there too much.
            let range = (part != (0..object.size)).then_some(GetRange::Bounded(part));
            let options = GetOptions { range, ..GetOptions::default() };
            let got = self.clients.reader.get_opts(&path, options).await;
            let got = got.map_err(|error| not_given(&error))?;
            let pieces =
                got.into_stream().map_err(|error| std::io::Error::other(refusal::cause(&error)));
            let stream: ByteStream = Box::pin(SyncStream::new(pieces));
            Ok(stream)
        })
    }

    fn copy_within<'a>(&'a self, prefix: &'a str, key: &'a str) -> Answer<'a, ()> {
        Box::pin(async move {
            let (from, to) = (path(prefix, key)?, path(&self.prefix, key)?);
            self.clients.writer.copy(&from, &to).await.map_err(|error| not_given(&error))
        })
    }

    fn delete<'a>(&'a self, key: &'a str) -> Answer<'a, ()> {
        Box::pin(async move {
            let path = path(&self.prefix, key)?;
            let deleted = self.clients.writer.delete(&path).await;
            match deleted {
                // Amazon does not tell; others do.
                Err(error) if refusal::is_absence(&error) => Ok(()),
                done => done.map_err(|error| refused(&error)),
            }
        })
    }

    /// Asks for an object that is not there. That it is not proves more than a list would, and costs a tenth: the bucket is
    /// there, the key may read it, and it may list it, for who may not is told 403 in place of 404, of every object.
    fn ping(&self) -> Answer<'_, ()> {
        Box::pin(async move {
            let client = &self.clients.pinger;
            self.identify(client).await?;
            match client.get_opts(&self.nobody, GetOptions::default()).await {
                Err(error) if !refusal::is_absence(&error) => {
                    let refused = refused(&error);
                    let cause = refused.cause.unwrap_or(refused.detail);
                    Err(Error::unavailable(Storage::WHAT, cause))
                }
                _ => Ok(()),
            }
        })
    }
}

/// The name of an object there.
fn path(prefix: &str, key: &str) -> Result<Path> {
    let name = format!("{prefix}{key}");
    Path::parse(name).map_err(|error| Error::internal(format_args!("S3_PREFIX: {error}")))
}

/// For those who look at the bucket.
fn attributes(key: &str) -> Attributes {
    let extension = key.rsplit_once('.').map_or("", |(_, extension)| extension);
    let format = Format::ALL.iter().find(|format| format.extension() == extension);
    format.map(|it| (Attribute::ContentType, it.mime_type())).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_named_by_prefix_and_key() {
        let named = |prefix| path(prefix, "0199/a.jpg").map(|path| path.to_string());
        assert_eq!(named("").unwrap(), "0199/a.jpg");
        assert_eq!(named("pictures/").unwrap(), "pictures/0199/a.jpg");
        assert_eq!(named("/pictures/of-").unwrap(), "pictures/of-0199/a.jpg");
        assert!(named("pictures//").is_err() && named("../").is_err());
    }

    #[test]
    fn its_type_is_what_it_ends_in() {
        let told =
            |key| attributes(key).get(&Attribute::ContentType).map(|it| it.as_ref().to_owned());
        assert_eq!(told("a/b.jpg").as_deref(), Some("image/jpeg"));
        assert_eq!(told("a/b.avif").as_deref(), Some("image/avif"));
        assert_eq!((told("a/b"), told("a/b.exe")), (None, None));
    }
}
