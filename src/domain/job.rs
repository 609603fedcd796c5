//! Background work: its states, and the outcome of one run.
//!
//! ```text
//!             lease              Done
//!   queued ──────────▶ running ───────▶ succeeded
//!     ▲  │                │ │
//!     │  │ cancel         │ │ Fail, or the last attempt
//!     │  ▼                │ └──────▶ failed ──┐
//!     │ cancelled ◀───────┤ Cancelled         │ retry
//!     └───────────────────┴───────────────────┘
//!            Retry, or a lease that ran out
//!
//! A lease that ran out counts as no attempt: the worker is gone, and it is not said that this job was to blame. The job is
//! next run alone on its worker; it has failed when three workers have vanished while it ran alone. Nor does a run count that
//! was told to stop, if somebody wants the job again by the time it has: it is queued.
//! ```

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::{
    error::Error,
    ids::{EventId, ImageId, JobId, UserId, VariantId},
    variant::{Failure, Made},
};

/// How often a job is tried before it is given up on.
pub const MAX_ATTEMPTS: i32 = 5;

/// How far a job has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum JobStatus {
    /// Waiting for a worker.
    Queued,
    /// A worker has it.
    Running,
    /// Done.
    Succeeded,
    /// Given up on; kept, and can be retried.
    Failed,
    /// Taken back by its owner.
    Cancelled,
}

impl JobStatus {
    /// Every status.
    pub const ALL: &[JobStatus] = &[
        JobStatus::Queued,
        JobStatus::Running,
        JobStatus::Succeeded,
        JobStatus::Failed,
        JobStatus::Cancelled,
    ];

    /// The status as it stands in an answer and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            JobStatus::Queued => "queued",
            JobStatus::Running => "running",
            JobStatus::Succeeded => "succeeded",
            JobStatus::Failed => "failed",
            JobStatus::Cancelled => "cancelled",
        }
    }

    /// Whether nothing more will happen by itself.
    pub const fn is_finished(self) -> bool {
        !matches!(self, JobStatus::Queued | JobStatus::Running)
    }
}

/// What a job does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum JobKind {
    /// Makes a variant.
    Transform,
}

/// A piece of background work. It is written as its owner sees it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Job {
    /// Its identity.
    pub id: JobId,
    /// The account it belongs to.
    #[serde(skip)]
    pub user_id: UserId,
    /// What it does.
    pub kind: JobKind,
    /// How far it has come.
    pub status: JobStatus,
    /// How often it was begun.
    pub attempts: i32,
    /// How often it may be.
    pub max_attempts: i32,
    /// The picture it works on.
    pub image_id: ImageId,
    /// The picture it makes.
    pub variant_id: VariantId,
    /// The canonical spec.
    pub spec: Value,
    /// Why it failed, or why it was put back last.
    pub error: Option<Failure>,
    /// When it was accepted.
    pub created_at: DateTime<Utc>,
    /// When it last began.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
}

/// A change of a job's state.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Its identity; later ones are later in order, as far as the clocks of the processes agree.
    pub id: EventId,
    /// The job as it was then.
    pub job: Job,
}

/// What became of one run.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// The variant was made.
    Done(Made),
    /// It may work later: put it back, and not before this much time has passed.
    Retry(Error, Duration),
    /// It can't work.
    Fail(Error),
    /// Its owner took it back, and it stopped.
    Cancelled,
    /// The image is gone, and the job with it.
    Gone,
}

impl Outcome {
    /// What happened, in a word, for the log.
    pub const fn name(&self) -> &'static str {
        match self {
            Outcome::Done(_) => "done",
            Outcome::Retry(..) => "retry",
            Outcome::Fail(_) => "fail",
            Outcome::Cancelled => "cancelled",
            Outcome::Gone => "gone",
        }
    }
}

/// Tells running work that nobody wants it any more.
#[derive(Debug, Clone, Default)]
pub struct Cancel(Arc<Asked>);

#[derive(Debug, Default)]
struct Asked {
    to_stop: AtomicBool,
    #[cfg(test)]
    looks: looks::Looks,
}

impl Cancel {
    /// Asks the work to stop at its next step.
    pub fn cancel(&self) {
        self.0.to_stop.store(true, Ordering::Relaxed);
    }

    /// Whether it was asked to.
    pub fn is_cancelled(&self) -> bool {
        #[cfg(test)]
        if self.0.looks.are_used_up() {
            return true;
        }
        self.0.to_stop.load(Ordering::Relaxed)
    }
}

/// Runs a job. The consumer is handed one at the start, so that it knows no flow by name.
pub trait Runner: Send + Sync + 'static {
    /// Does the work. Must bear being run twice for one job.
    fn run(&self, job: Job, cancel: Cancel) -> Pin<Box<dyn Future<Output = Outcome> + Send + '_>>;
}

/// For tests, which stop work in its middle without a clock: how often was asked whether it is to stop.
#[cfg(test)]
mod looks {
    use std::sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    };

    use super::{Asked, Cancel};

    #[derive(Debug)]
    pub(super) struct Looks {
        taken: AtomicU64,
        most: u64,
    }

    impl Default for Looks {
        fn default() -> Self {
            Self { taken: AtomicU64::new(0), most: u64::MAX }
        }
    }

    impl Looks {
        pub(super) fn are_used_up(&self) -> bool {
            self.taken.fetch_add(1, Ordering::Relaxed) >= self.most
        }
    }

    impl Cancel {
        /// Cancels itself once it was looked at so often.
        pub(crate) fn after(looks: u64) -> Self {
            let looks = Looks { most: looks, ..Looks::default() };
            Self(Arc::new(Asked { looks, ..Asked::default() }))
        }

        /// How often it was looked at.
        pub(crate) fn looks(&self) -> u64 {
            self.0.looks.taken.load(Ordering::Relaxed)
        }
    }
}
