//! The database: whether it answers, what it is, its schema, its clock, and the jobs that wait there.

use std::time::Instant;

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::ExposeSecret;

use super::{Finding, exit, millis};
use crate::{
    adapters::{
        Query,
        db::{
            Db, SchemaState,
            about::{About, Protection, Told, protection},
            now,
            outbox::Backlog,
        },
    },
    config::{Database, DatabaseLocation, redact_url},
    domain::error::Result,
};

/// Leases are measured by the clocks of their processes.
const SKEW: TimeDelta = TimeDelta::seconds(5);

pub(super) async fn check(settings: &Database) -> Vec<Finding> {
    let (place, mend) = match &settings.location {
        DatabaseLocation::Sqlite(path) => {
            let place = path.display().to_string();
            if !tokio::fs::try_exists(path).await.unwrap_or_default() {
                let found = format!("SQLite: {place} is made at the first start");
                return vec![Finding::ok("database", found)];
            }
            (place, "see that the user of the service may write the file and its directory")
        }
        DatabaseLocation::Postgres(url) => (
            redact_url(url.expose_secret()),
            "see that it runs, can be reached from here, and lets this user in; or set \
             SUPABASE_DB_URL right",
        ),
    };
    // One connection is enough, and the server may have no more.
    let settings = Database { max_conns: 1, min_conns: 0, ..settings.clone() };
    let looked = async {
        let database = Db::connect(&settings).await?;
        let looked = look(&database, &settings, &place).await;
        database.close().await;
        looked
    };
    match looked.await {
        Ok(findings) => findings,
        Err(error) => vec![Finding::failure("database", &place, &error, mend)],
    }
}

async fn look(database: &Db, settings: &Database, place: &str) -> Result<Vec<Finding>> {
    database.ping().await?;
    let (before, asked) = (now(), Instant::now());
    let told = About.run(database).await?;
    let took = asked.elapsed();
    let between = before + (now() - before) / 2;
    let protection = protection(settings).await?;
    let mut findings = vec![of_product(&told, place, protection, &millis(took))];
    let schema = database.schema().await?;
    let is_embedded = matches!(settings.location, DatabaseLocation::Sqlite(_));
    findings.push(of_schema(schema, is_embedded));
    findings.push(of_clock(told.now, between, is_embedded));
    if !matches!(schema, SchemaState::Behind { .. }) {
        let (jobs, workers) = Backlog { now: now() }.run(database).await?;
        let found = format!("{jobs} wait, {workers} workers were heard of");
        findings.push(Finding::ok("jobs", found));
    }
    Ok(findings)
}

fn of_product(told: &Told, place: &str, protection: Protection, took: &str) -> Finding {
    const CHECK: &str = "database";
    let spoken = match protection {
        Protection::Local => "on this machine",
        Protection::Clear => "in the clear",
        Protection::Encrypted => "TLS, without a full check of its certificate",
        Protection::Verified => "TLS, its certificate checked",
    };
    let found = format!("{}, {place}, {spoken}, answers in {took}", told.product);
    if told.read_only {
        let mend =
            "name the server that takes changes; if this is it, see whether its disk is full";
        return Finding::fault(CHECK, exit::SOFTWARE, format!("{found}; takes no changes"), mend);
    }
    if protection == Protection::Clear {
        let mend =
            "add sslmode=verify-full to its URL, and sslrootcert if the authority is your own";
        return Finding::warning(CHECK, found, mend.to_owned());
    }
    Finding::ok(CHECK, found)
}

fn of_schema(schema: SchemaState, is_embedded: bool) -> Finding {
    const CHECK: &str = "schema";
    match schema {
        SchemaState::Current => Finding::ok(CHECK, "as this program needs it"),
        SchemaState::Behind { applied, expected } => {
            let found = format!("at {applied}, this program needs {expected}");
            if is_embedded {
                return Finding::ok(CHECK, format!("{found}; brought there at the next start"));
            }
            Finding::fault(CHECK, exit::SOFTWARE, found, "run `darkroom migrate`")
        }
        SchemaState::Ahead => {
            let mend = "run the newer program, unless you have gone back to this one on purpose";
            Finding::warning(CHECK, "a newer program has been here", mend.to_owned())
        }
    }
}

fn of_clock(theirs: DateTime<Utc>, ours: DateTime<Utc>, is_embedded: bool) -> Finding {
    const CHECK: &str = "clock";
    if is_embedded {
        return Finding::ok(CHECK, "this machine's own");
    }
    let off = (theirs - ours).abs();
    let side = if theirs < ours { "behind" } else { "ahead of" };
    let seconds = off.as_seconds_f64();
    let found = format!("the database's is {seconds:.1} s {side} this machine's");
    if off > SKEW {
        let mend = "set both by NTP: leases of jobs are measured by the clocks of their machines";
        return Finding::warning(CHECK, found, mend.to_owned());
    }
    Finding::ok(CHECK, found)
}

#[cfg(test)]
mod tests {
    use super::{super::State, *};

    #[test]
    fn clocks_that_are_apart_are_warned_of() {
        let ours = now();
        for (seconds, state) in [(-6, State::Warning), (-5, State::Ok), (6, State::Warning)] {
            let theirs = ours + TimeDelta::seconds(seconds);
            assert_eq!(of_clock(theirs, ours, false).state, state, "{seconds}");
        }
        assert!(of_clock(ours - TimeDelta::seconds(6), ours, false).found.contains("6.0 s behind"));
    }

    #[test]
    fn what_takes_no_changes_is_a_fault_and_what_others_can_read_a_warning() {
        let mut told = Told { product: "PostgreSQL 17".to_owned(), now: now(), read_only: false };
        let state = |told: &Told, protection| of_product(told, "h", protection, "1 ms").state;
        assert_eq!(state(&told, Protection::Verified), State::Ok);
        assert_eq!(state(&told, Protection::Clear), State::Warning);
        told.read_only = true;
        assert_eq!(state(&told, Protection::Verified), State::Fault(exit::SOFTWARE));
    }

    #[test]
    fn a_schema_that_is_ahead_is_no_fault() {
        assert_eq!(of_schema(SchemaState::Ahead, false).state, State::Warning);
        let behind = SchemaState::Behind { applied: 1, expected: 3 };
        assert_eq!(of_schema(behind, false).state, State::Fault(exit::SOFTWARE));
        assert_eq!(of_schema(behind, true).state, State::Ok);
    }
}
