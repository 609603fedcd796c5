//! `darkroom jobs`: the queue in the hands of an operator, beside a server or without one.

use std::{process::ExitCode, time::Duration};

use chrono::{DateTime, Utc};
use clap::{Subcommand, ValueEnum};
use serde_json::json;

use super::on_database;
use crate::{
    adapters::{
        Query,
        db::{
            Db, now,
            operator::{AllJobs, PurgeJobs, RetryAnyJob},
        },
    },
    domain::{
        error::{Error, Result},
        ids::JobId,
        job::{Job, JobStatus},
    },
};

/// Jobs forgotten by one transaction.
const PURGED: i64 = 1000;

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Print jobs of all accounts, newest first.
    List {
        /// Only those of this status.
        #[arg(long)]
        status: Option<Status>,
        /// How many at most.
        #[arg(long, default_value_t = 50)]
        limit: u32,
        /// One JSON object a line.
        #[arg(long)]
        json: bool,
    },
    /// Put jobs that failed or were cancelled back into the queue.
    Retry {
        /// The jobs.
        #[arg(required_unless_present = "all_failed")]
        ids: Vec<uuid::Uuid>,
        /// Every job that failed.
        #[arg(long, conflicts_with = "ids")]
        all_failed: bool,
    },
    /// Forget jobs that ended some time ago; what they made stays.
    Purge {
        /// Those of this status; it must be an end.
        #[arg(long, default_value = "succeeded")]
        status: Status,
        /// Those that ended longer ago than this, such as 30d or 12h.
        #[arg(long, default_value = "30d", value_parser = humantime::parse_duration)]
        older_than: Duration,
    },
}

/// A status as an argument.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Status {
    /// Waiting for a worker.
    Queued,
    /// In the hands of one.
    Running,
    /// Done.
    Succeeded,
    /// Given up on.
    Failed,
    /// Taken back.
    Cancelled,
}

impl From<Status> for JobStatus {
    fn from(status: Status) -> Self {
        match status {
            Status::Queued => JobStatus::Queued,
            Status::Running => JobStatus::Running,
            Status::Succeeded => JobStatus::Succeeded,
            Status::Failed => JobStatus::Failed,
            Status::Cancelled => JobStatus::Cancelled,
        }
    }
}

/// Does it.
pub fn run(command: &Command) -> ExitCode {
    on_database(async |database| tell(database, command).await)
}

async fn tell(database: &Db, command: &Command) -> Result<String> {
    match command {
        Command::List { status, limit, json } => {
            let status = status.map(JobStatus::from);
            let jobs = AllJobs { status, limit: i64::from(*limit) }.run(database).await?;
            let line = if *json { as_json } else { as_text };
            Ok(jobs.iter().map(line).collect::<Vec<_>>().join("\n"))
        }
        Command::Retry { ids, all_failed } => {
            let ids = if *all_failed {
                failed(database).await?
            } else {
                ids.iter().map(|id| JobId(*id)).collect()
            };
            let mut told = Vec::with_capacity(ids.len());
            for id in ids {
                let job = RetryAnyJob { id, now: now() }.run(database).await?;
                told.push(format!("{} {}", job.id, job.status.as_str()));
            }
            told.push(format!("{} put back or under way", told.len()));
            Ok(told.join("\n"))
        }
        Command::Purge { status, older_than } => {
            let status = JobStatus::from(*status);
            if !status.is_finished() {
                let detail = "only jobs that have ended can be forgotten";
                return Err(Error::field("--status", detail));
            }
            let before = before(*older_than)?;
            let mut purged = 0;
            loop {
                let some = PurgeJobs { status, before, limit: PURGED }.run(database).await?;
                purged += some;
                if some == 0 {
                    return Ok(format!("{purged} {} jobs forgotten", status.as_str()));
                }
            }
        }
    }
}

/// Every job that failed, the oldest first: the order in which they were accepted.
async fn failed(database: &Db) -> Result<Vec<JobId>> {
    let query = AllJobs { status: Some(JobStatus::Failed), limit: i64::MAX };
    let jobs = query.run(database).await?;
    Ok(jobs.into_iter().rev().map(|job| job.id).collect())
}

fn before(older_than: Duration) -> Result<DateTime<Utc>> {
    let age = chrono::TimeDelta::from_std(older_than).ok();
    age.and_then(|age| now().checked_sub_signed(age))
        .ok_or_else(|| Error::field("--older-than", "is longer than time has been counted"))
}

fn as_text(job: &Job) -> String {
    let error = job.error.as_ref().map(|error| format!(" {}: {}", error.code, error.detail));
    format!(
        "{} {:<9} {}/{} {} image {}{}",
        job.id,
        job.status.as_str(),
        job.attempts,
        job.max_attempts,
        job.created_at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
        job.image_id,
        error.unwrap_or_default()
    )
}

fn as_json(job: &Job) -> String {
    json!({
        "id": job.id,
        "user_id": job.user_id,
        "kind": job.kind,
        "status": job.status,
        "attempts": job.attempts,
        "max_attempts": job.max_attempts,
        "image_id": job.image_id,
        "variant_id": job.variant_id,
        "spec": job.spec,
        "error": job.error,
        "created_at": job.created_at,
        "started_at": job.started_at,
        "finished_at": job.finished_at,
    })
    .to_string()
}
