-- Jobs on their way to a worker. A job is queued exactly as long as it has a row here, so whatever makes a job runnable writes
-- both in one transaction, and whoever deletes the row has the job.
--   waiting  to be handed to the queue
--   delayed  the same, not before run_at
--   sending  a relay is handing it over; taken for lost after `until`
--   sent     the queue has it; taken for lost after `until`
CREATE TABLE outbox (
    job_id  UUID        NOT NULL PRIMARY KEY REFERENCES jobs (id) ON DELETE CASCADE,
    user_id UUID        NOT NULL,
    state   TEXT        NOT NULL CHECK (state IN ('waiting', 'delayed', 'sending', 'sent')),
    run_at  TIMESTAMPTZ NOT NULL,
    until   TIMESTAMPTZ,
    sends   INTEGER     NOT NULL DEFAULT 0
);
CREATE INDEX outbox_waiting ON outbox (user_id, job_id) WHERE state = 'waiting';
CREATE INDEX outbox_delayed ON outbox (run_at) WHERE state = 'delayed';
CREATE INDEX outbox_under_way ON outbox (until) WHERE state IN ('sending', 'sent');

INSERT INTO outbox (job_id, user_id, state, run_at)
    SELECT id, user_id, 'delayed', run_at FROM jobs WHERE status = 'queued';
-- What is due stands in the outbox now; jobs.run_at is no longer read.
DROP INDEX jobs_queued;

-- One row: whose turn it was last. Held by whoever fills the queue, so that two never fill it at once.
CREATE TABLE turns (
    id      INTEGER NOT NULL PRIMARY KEY,
    user_id UUID
);
INSERT INTO turns (id) VALUES (1);

-- Workers that were heard of, and how many jobs each holds at a time.
CREATE TABLE workers (
    id       UUID        NOT NULL PRIMARY KEY,
    prefetch INTEGER     NOT NULL,
    seen_at  TIMESTAMPTZ NOT NULL
);

-- How often the state of a job has changed.
ALTER TABLE jobs ADD COLUMN version INTEGER NOT NULL DEFAULT 0;
-- Its worker vanished: it is next run alone on one.
ALTER TABLE jobs ADD COLUMN alone BOOLEAN NOT NULL DEFAULT FALSE;
-- It is being run alone.
ALTER TABLE jobs ADD COLUMN lease_alone BOOLEAN NOT NULL DEFAULT FALSE;
-- Workers that vanished while they ran it alone.
ALTER TABLE jobs ADD COLUMN lost_alone INTEGER NOT NULL DEFAULT 0;

-- Every change of a job's state, for those who watch.
CREATE TABLE job_events (
    id           UUID        NOT NULL PRIMARY KEY,
    job_id       UUID        NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    user_id      UUID        NOT NULL,
    version      INTEGER     NOT NULL,
    status       TEXT        NOT NULL,
    attempts     INTEGER     NOT NULL,
    error_code   TEXT,
    error_detail TEXT,
    started_at   TIMESTAMPTZ,
    finished_at  TIMESTAMPTZ
);
CREATE INDEX job_events_job ON job_events (job_id, version);
CREATE INDEX job_events_user ON job_events (user_id, id);
