-- Who is told when a job ends, what they are told, and how that went.

-- Whether anybody is to be told: what ends a job looks no further where nobody is.
ALTER TABLE jobs ADD COLUMN has_webhooks BOOLEAN NOT NULL DEFAULT FALSE;

-- Whoever has asked to be told of a job. They are told each time it ends: a job that failed may be run again. One that has
-- succeeded can't: then they are gone.
CREATE TABLE webhooks (
    job_id UUID NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    url    TEXT NOT NULL,
    PRIMARY KEY (job_id, url)
);

-- What one of them is told, written in the transaction that ends the job. While it is pending, whoever leases it moves `due_at`
-- behind the time that sending takes, so that one that died while sending leaves it to the next.
CREATE TABLE webhook_deliveries (
    id          UUID        NOT NULL PRIMARY KEY,
    job_id      UUID        NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    user_id     UUID        NOT NULL,
    url         TEXT        NOT NULL,
    event       TEXT        NOT NULL,
    body        TEXT        NOT NULL,
    status      TEXT        NOT NULL CHECK (status IN ('pending', 'delivered', 'failed')),
    attempts    INTEGER     NOT NULL DEFAULT 0,
    due_at      TIMESTAMPTZ NOT NULL,
    created_at  TIMESTAMPTZ NOT NULL,
    finished_at TIMESTAMPTZ
);
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (user_id, due_at, id) WHERE status = 'pending';
CREATE INDEX webhook_deliveries_job ON webhook_deliveries (job_id, id);
CREATE INDEX webhook_deliveries_finished ON webhook_deliveries (finished_at) WHERE status <> 'pending';

CREATE TABLE webhook_attempts (
    delivery_id UUID        NOT NULL REFERENCES webhook_deliveries (id) ON DELETE CASCADE,
    attempt     INTEGER     NOT NULL,
    at          TIMESTAMPTZ NOT NULL,
    duration_ms BIGINT      NOT NULL,
    status_code INTEGER,
    error       TEXT,
    PRIMARY KEY (delivery_id, attempt)
);

-- What deliveries are signed with. One of an account's is in force; those that it has replaced sign beside it for a while.
CREATE TABLE webhook_secrets (
    id         UUID        NOT NULL PRIMARY KEY,
    user_id    UUID        NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    secret     TEXT        NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ
);
CREATE UNIQUE INDEX webhook_secrets_in_force ON webhook_secrets (user_id) WHERE expires_at IS NULL;
CREATE INDEX webhook_secrets_user ON webhook_secrets (user_id, id);
CREATE INDEX webhook_secrets_expiry ON webhook_secrets (expires_at);
