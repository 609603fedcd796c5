//! `darkroom storage`: what is stored in the hands of an operator, beside servers or without one.

mod check;
mod copy;
mod done;
mod object;
mod report;

use std::{
    io::{IsTerminal, stderr},
    num::NonZeroUsize,
    path::PathBuf,
    process::ExitCode,
    sync::Arc,
};

use clap::{Subcommand, ValueEnum};
use futures_util::{Stream, stream};
use indicatif::{ProgressBar, ProgressStyle};

use self::{
    check::Check,
    copy::{Copy, State},
    done::Done,
};
use super::{exit, fail, with_database};
use crate::{
    adapters::{
        Query,
        db::{
            Db,
            objects::{CountObjects, FindObject, ListObjects},
        },
        storage::Storage,
    },
    config::{self, Settings, StorageKind},
    domain::{error::Result, object::Object},
};

/// Rows read at a time.
const PAGE: i64 = 500;

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Copy every picture, read it back, and compare.
    ///
    /// May be stopped at any time and run again: what was copied is remembered in DATA_DIR, and copied once. Pictures that arrive
    /// meanwhile are copied too; such as are deleted meanwhile are removed from the destination. Nothing is removed from the source.
    /// Run it as the user that serves.
    #[command(after_help = HELP)]
    Copy {
        /// Where pictures are.
        #[arg(long, value_name = "STORAGE")]
        from: Kind,
        /// Where they are to be.
        #[arg(long, value_name = "STORAGE")]
        to: Kind,
        /// With `--from s3 --to s3`: what names in the bucket are to start with, in place of S3_PREFIX. The bucket copies by
        /// itself; pictures come here only to be compared.
        #[arg(long, value_name = "PREFIX")]
        to_prefix: Option<String>,
        /// How many at a time.
        #[arg(long, short, value_name = "N", default_value = "4")]
        jobs: NonZeroUsize,
        /// Read what was copied before as well, and copy what is not whole and right. Also where it is not known any more what was
        /// copied: nothing is stored twice.
        #[arg(long)]
        verify: bool,
        /// What it came to as one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Read every picture, and see whether it is there, whole and right.
    #[command(after_help = HELP)]
    Check {
        /// Where to look; the storage in use otherwise.
        #[arg(long, value_name = "STORAGE")]
        from: Option<Kind>,
        /// How many at a time.
        #[arg(long, short, value_name = "N", default_value = "4")]
        jobs: NonZeroUsize,
        /// What it came to as one JSON object.
        #[arg(long)]
        json: bool,
    },
}

const HELP: &str = "\
Exit codes: 0 all is well, 64 wrong usage, 65 some pictures are missing, changed or could not be
copied, 69 a service does not answer, 73 what was copied can't be remembered, 78 wrong configuration.";

/// A storage as an argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// Files under DATA_DIR.
    Fs,
    /// A bucket.
    S3,
    /// Cloudinary.
    Cloudinary,
}

impl From<Kind> for StorageKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Fs => StorageKind::Fs,
            Kind::S3 => StorageKind::S3,
            Kind::Cloudinary => StorageKind::Cloudinary,
        }
    }
}

/// Does it.
pub fn run(command: &Command) -> ExitCode {
    let places = match Settings::load().check_storage() {
        Ok((settings, data_dir)) => Places { settings, data_dir },
        Err(faults) => return fail(exit::CONFIG, faults),
    };
    match command {
        Command::Copy { from: Kind::S3, to: Kind::S3, to_prefix: Some(prefix), .. }
            if places.prefix().is_some_and(|former| former == prefix) =>
        {
            fail(exit::USAGE, "--to-prefix is what S3_PREFIX is already")
        }
        Command::Copy { from, to, to_prefix, .. }
            if to_prefix.is_some() && (*from, *to) != (Kind::S3, Kind::S3) =>
        {
            fail(exit::USAGE, "--to-prefix goes with --from s3 --to s3")
        }
        Command::Copy { from, to, to_prefix: None, .. } if from == to => {
            fail(exit::USAGE, "--from and --to name the same storage")
        }
        Command::Copy { from, to, to_prefix, jobs, verify, json } => {
            let (from, to) = ((*from).into(), (*to).into());
            let target = places.with_prefix(to_prefix.as_deref());
            if let Err(code) = places.need("--from", from).and_then(|()| places.need("--to", to)) {
                return code;
            }
            let done = match places.done(from, &target, to) {
                Ok(done) => done,
                Err(code) => return code,
            };
            let copied = with_database(async |database| {
                let (source, destination) = (places.open(from).await?, target.open(to).await?);
                let within = to_prefix.as_ref().and_then(|_| places.prefix().map(str::to_owned));
                let bar = progress(database).await?;
                let (verify, state) = (*verify, State::new(done));
                let copy = Copy { database, source, destination, within, bar, verify, state };
                Ok(copy.run(jobs.get()).await)
            });
            copied.map_or_else(|code| code, |report| report.tell((from, to), *json))
        }
        Command::Check { from, jobs, json } => {
            let kind = from.map_or(places.settings.kind, StorageKind::from);
            if let Err(code) = places.need("--from", kind) {
                return code;
            }
            let checked = with_database(async |database| {
                let storage = places.open(kind).await?;
                let bar = progress(database).await?;
                Ok(Check { database, storage, bar }.run(jobs.get()).await)
            });
            checked.map_or_else(|code| code, |report| report.tell(kind, *json))
        }
    }
}

/// What is configured.
struct Places {
    settings: config::Storage,
    data_dir: PathBuf,
}

impl Places {
    /// Says what is missing where a storage is not configured.
    fn need(&self, argument: &str, kind: StorageKind) -> Result<(), ExitCode> {
        if self.settings.has(kind) {
            return Ok(());
        }
        let names = match kind {
            StorageKind::S3 => {
                "S3_BUCKET (and S3_REGION, S3_ENDPOINT, S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY as needed)"
            }
            _ => "CLOUDINARY_URL (or its parts)",
        };
        let kind = kind.as_str();
        Err(fail(exit::CONFIG, format_args!("{argument} {kind} needs {names}, which is not set")))
    }

    async fn open(&self, kind: StorageKind) -> Result<Arc<Storage>> {
        Ok(Arc::new(Storage::open(kind, &self.settings, self.data_dir.clone()).await?))
    }

    /// `S3_PREFIX`.
    fn prefix(&self) -> Option<&str> {
        self.settings.s3.as_ref().map(|s3| s3.prefix.as_str())
    }

    /// The same, with another prefix in the bucket.
    fn with_prefix(&self, prefix: Option<&str>) -> Self {
        let mut settings = self.settings.clone();
        if let (Some(s3), Some(prefix)) = (&mut settings.s3, prefix) {
            prefix.clone_into(&mut s3.prefix);
        }
        Self { settings, data_dir: self.data_dir.clone() }
    }

    /// What was copied from here to `target`.
    fn done(&self, from: StorageKind, target: &Self, to: StorageKind) -> Result<Done, ExitCode> {
        let name = format!("storage-copy-{}-to-{}", from.as_str(), to.as_str());
        let path = self.data_dir.join(name);
        let places = format!("{} to {}", self.settings.place(from), target.settings.place(to));
        Done::open(&path, &places)
            .map_err(|error| fail(exit::CANT_CREATE, format_args!("{}: {error}", path.display())))
    }
}

/// Every object that rows name now, by key.
fn objects(database: &Db) -> impl Stream<Item = Result<Object>> {
    let begin = (Vec::new().into_iter(), String::new());
    stream::try_unfold(begin, async |(mut page, mut after): (std::vec::IntoIter<Object>, _)| {
        if page.len() == 0 {
            page = ListObjects { after, limit: PAGE }.run(database).await?.into_iter();
            after = page.as_slice().last().map(|last| last.key.clone()).unwrap_or_default();
        }
        Ok(page.next().map(|object| (object, (page, after))))
    })
}

/// Whether rows name an object.
async fn is_named(database: &Db, key: String) -> Result<bool> {
    Ok(FindObject { key }.run(database).await?.is_some())
}

/// On a terminal, and only when there is something to wait for.
async fn progress(database: &Db) -> Result<ProgressBar> {
    let (objects, _) = CountObjects { after: String::new() }.run(database).await?;
    if objects < 2 || !stderr().is_terminal() {
        return Ok(ProgressBar::hidden());
    }
    let style = ProgressStyle::with_template("{bar:32} {pos}/{len} pictures, {eta} left")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    Ok(ProgressBar::new(objects).with_style(style))
}
