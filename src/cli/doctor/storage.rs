//! Where everything is kept: whether it can be written, has room, and is served.

use std::{path::Path, time::Instant};

use bytes::Bytes;
use indicatif::HumanBytes;
use uuid::Uuid;

use super::{Finding, exit, millis};
use crate::{
    adapters::{
        Query,
        storage::{Body, CheckStorage, DeleteObject, GetObject, Probe, PutObject, Storage, probe},
    },
    app::is_served,
    config::{self, Database, DatabaseLocation, StorageKind},
    domain::{
        error::{Error, Result},
        object::Object,
    },
};

/// Less room than this is little.
const LITTLE: u64 = 1 << 30;

/// A picture of one pixel: some storages take nothing else.
const PIXEL: &[u8] =
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\0\0\0\0\x3a\x7e\x9b\x55\
    \0\0\0\nIDATx\xda\x63\x60\0\0\0\x02\0\x01\xe5\x27\xde\xfc\0\0\0\0IEND\xaeB\x60\x82";

/// Looks at what is on the network.
pub(super) async fn check_objects(storage: &config::Storage) -> Vec<Finding> {
    let kind = storage.kind;
    if kind == StorageKind::Fs {
        return Vec::new();
    }
    let place = storage.place(kind);
    let asked = Instant::now();
    let finding = match send_through(storage).await {
        Ok(()) => {
            let took = millis(asked.elapsed());
            Finding::ok("storage", format!("{place} stores, reads and removes, in {took}"))
        }
        Err(error) => {
            let mend = match kind {
                StorageKind::S3 => {
                    "see that the bucket is there, can be reached from here, and lets this key get, put, \
                     delete and list; or set S3_* right (docs/STORAGE.md)"
                }
                _ => {
                    "see that it can be reached from here, and lets this key upload, read and remove; or set \
                     CLOUDINARY_* right (docs/STORAGE.md)"
                }
            };
            Finding::failure("storage", &place, &error, mend)
        }
    };
    vec![finding]
}

/// Has an object of its own go every way.
async fn send_through(settings: &config::Storage) -> Result<()> {
    // Nothing is made where a server would keep its files.
    let elsewhere = tempfile::tempdir().map_err(Error::internal)?;
    let storage = Storage::open(settings.kind, settings, elsewhere.path().to_owned()).await?;
    CheckStorage.run(&storage).await?;
    let body = Body::bytes(Bytes::from_static(PIXEL));
    let (size, sha256) = (body.size(), body.sha256().to_owned());
    let object = Object { key: format!("probe/{}.png", Uuid::now_v7()), size, sha256 };
    let key = object.key.clone();
    PutObject { key: key.clone(), body }.run(&storage).await?;
    let read = GetObject { object }.run(&storage).await;
    // It goes in any case.
    let removed = DeleteObject { key }.run(&storage).await;
    read.and(removed)
}

pub(super) async fn check(
    data_dir: &Path,
    storage: Option<&config::Storage>,
    database: Option<&Database>,
) -> Vec<Finding> {
    let place = data_dir.display().to_string();
    // Uploads wait there, wherever they go then.
    let is_spool = storage.is_some_and(|storage| storage.kind != StorageKind::Fs);
    let name = if is_spool { "spool" } else { "storage" };
    let mut findings = vec![match probe(data_dir.to_owned()).await {
        Ok(probe) => of_probe(name, probe, &place),
        Err(error) => {
            let mend = "see that the directory is there, mounted, and the service's user may write it; \
                        or set DATA_DIR right";
            Finding::failure(name, &place, &error, mend)
        }
    }];
    let is_embedded = database.is_some_and(|it| matches!(it.location, DatabaseLocation::Sqlite(_)));
    if is_embedded {
        findings.push(match is_served(data_dir) {
            Ok(true) => Finding::ok("server", format!("a process serves from {place}")),
            Ok(false) => Finding::ok("server", format!("no process serves from {place}")),
            Err(error) => {
                let found = format!("whether a process serves from {place} can't be told: {error}");
                let mend = "see that the user of the service may write the directory";
                Finding::fault("server", exit::UNAVAILABLE, found, mend)
            }
        });
    }
    findings
}

fn of_probe(name: &'static str, Probe { is_new, free }: Probe, place: &str) -> Finding {
    let state = match (is_new, name) {
        (true, "spool") => "can be written",
        (true, _) => "is made at the first start",
        (false, _) => "writes, reads and removes",
    };
    let found = format!("{place} {state}, {} free", HumanBytes(free));
    if free < LITTLE {
        let mend = "make room: without it uploads and results are refused";
        return Finding::warning(name, found, mend.to_owned());
    }
    Finding::ok(name, found)
}

#[cfg(test)]
mod tests {
    use super::{super::State, *};

    #[test]
    fn little_room_is_warned_of() {
        let state = |free| of_probe("storage", Probe { is_new: false, free }, "./data").state;
        assert_eq!((state(LITTLE), state(LITTLE - 1)), (State::Ok, State::Warning));
    }
}
