-- One schema for Postgres and SQLite. What both read alike: these type names (SQLite stores a UUID as
-- a blob, a TIMESTAMPTZ as RFC 3339 text that sorts by time, a BOOLEAN as 0 or 1), CHECK, partial and
-- expression indexes, ON DELETE CASCADE. Every id and every time comes from the program.

CREATE TABLE users (
    id            UUID        NOT NULL PRIMARY KEY,
    username      TEXT        NOT NULL,
    password_hash TEXT        NOT NULL,
    disabled      BOOLEAN     NOT NULL DEFAULT FALSE,
    created_at    TIMESTAMPTZ NOT NULL
);
CREATE UNIQUE INDEX users_username ON users (lower(username));

-- A login is the family of refresh tokens that one password check began; revoking it deletes it.
CREATE TABLE logins (
    id         UUID        NOT NULL PRIMARY KEY,
    user_id    UUID        NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    used_at    TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX logins_user ON logins (user_id);
CREATE INDEX logins_expiry ON logins (expires_at);

CREATE TABLE refresh_tokens (
    id           UUID        NOT NULL PRIMARY KEY,
    user_id      UUID        NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    family_id    UUID        NOT NULL REFERENCES logins (id) ON DELETE CASCADE,
    token_hash   TEXT        NOT NULL,
    created_at   TIMESTAMPTZ NOT NULL,
    expires_at   TIMESTAMPTZ NOT NULL,
    spent_at     TIMESTAMPTZ,
    spent_by     TEXT,
    successor_id UUID
);
CREATE UNIQUE INDEX refresh_tokens_hash ON refresh_tokens (token_hash);
CREATE INDEX refresh_tokens_user ON refresh_tokens (user_id);
CREATE INDEX refresh_tokens_family ON refresh_tokens (family_id);
CREATE INDEX refresh_tokens_expiry ON refresh_tokens (expires_at);

CREATE TABLE api_keys (
    id         UUID        NOT NULL PRIMARY KEY,
    user_id    UUID        NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name       TEXT        NOT NULL,
    key_hash   TEXT        NOT NULL,
    created_at TIMESTAMPTZ NOT NULL
);
CREATE UNIQUE INDEX api_keys_hash ON api_keys (key_hash);
CREATE INDEX api_keys_user ON api_keys (user_id, id);

CREATE TABLE images (
    id             UUID             NOT NULL PRIMARY KEY,
    user_id        UUID             NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    filename       TEXT             NOT NULL,
    format         TEXT             NOT NULL,
    size           BIGINT           NOT NULL,
    width          BIGINT           NOT NULL,
    height         BIGINT           NOT NULL,
    frames         BIGINT           NOT NULL,
    has_alpha      BOOLEAN          NOT NULL,
    sha256         TEXT             NOT NULL,
    public         BOOLEAN          NOT NULL DEFAULT FALSE,
    focus_x        DOUBLE PRECISION,
    focus_y        DOUBLE PRECISION,
    thumbhash      TEXT,
    dominant_color TEXT,
    object_key     TEXT             NOT NULL,
    created_at     TIMESTAMPTZ      NOT NULL
);
CREATE INDEX images_user ON images (user_id, id);

CREATE TABLE image_tags (
    image_id UUID    NOT NULL REFERENCES images (id) ON DELETE CASCADE,
    user_id  UUID    NOT NULL,
    tag      TEXT    NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (image_id, tag)
);
CREATE INDEX image_tags_user ON image_tags (user_id, tag, image_id);

-- object_key outlives the status: while a variant is remade, its former bytes are still in the storage.
CREATE TABLE variants (
    id           UUID        NOT NULL PRIMARY KEY,
    image_id     UUID        NOT NULL REFERENCES images (id) ON DELETE CASCADE,
    user_id      UUID        NOT NULL,
    spec         JSONB       NOT NULL,
    spec_hash    TEXT        NOT NULL,
    engine       INTEGER     NOT NULL,
    status       TEXT        NOT NULL CHECK (status IN ('pending', 'ready', 'failed')),
    format       TEXT,
    size         BIGINT,
    width        BIGINT,
    height       BIGINT,
    sha256       TEXT,
    object_key   TEXT,
    error_code   TEXT,
    error_detail TEXT,
    created_at   TIMESTAMPTZ NOT NULL,
    UNIQUE (image_id, spec_hash)
);
CREATE INDEX variants_user ON variants (user_id) WHERE status = 'ready';

CREATE TABLE jobs (
    id               UUID        NOT NULL PRIMARY KEY,
    user_id          UUID        NOT NULL,
    kind             TEXT        NOT NULL,
    status           TEXT        NOT NULL CHECK (status IN ('queued', 'running', 'succeeded', 'failed', 'cancelled')),
    attempts         INTEGER     NOT NULL,
    max_attempts     INTEGER     NOT NULL,
    image_id         UUID        NOT NULL REFERENCES images (id) ON DELETE CASCADE,
    variant_id       UUID        NOT NULL REFERENCES variants (id) ON DELETE CASCADE,
    spec             JSONB       NOT NULL,
    error_code       TEXT,
    error_detail     TEXT,
    cancel_requested BOOLEAN     NOT NULL DEFAULT FALSE,
    run_at           TIMESTAMPTZ NOT NULL,
    lease_worker     UUID,
    lease_until      TIMESTAMPTZ,
    created_at       TIMESTAMPTZ NOT NULL,
    started_at       TIMESTAMPTZ,
    finished_at      TIMESTAMPTZ
);
-- At most one unfinished job for a variant, whatever happens at once.
CREATE UNIQUE INDEX jobs_unfinished ON jobs (variant_id) WHERE status IN ('queued', 'running');
CREATE INDEX jobs_queued ON jobs (run_at, id) WHERE status = 'queued';
CREATE INDEX jobs_running ON jobs (lease_until, id) WHERE status = 'running';
CREATE INDEX jobs_variant ON jobs (variant_id, id);
CREATE INDEX jobs_image ON jobs (image_id, user_id, id);
CREATE INDEX jobs_user ON jobs (user_id, id);
CREATE INDEX jobs_user_status ON jobs (user_id, status, id);

-- Receipts outlive what they are for, and the account too: no reference to either.
CREATE TABLE deletions (
    id          UUID        NOT NULL PRIMARY KEY,
    user_id     UUID        NOT NULL,
    objects     BIGINT      NOT NULL,
    created_at  TIMESTAMPTZ NOT NULL,
    finished_at TIMESTAMPTZ
);

CREATE TABLE deletion_objects (
    deletion_id UUID NOT NULL REFERENCES deletions (id) ON DELETE CASCADE,
    object_key  TEXT NOT NULL,
    PRIMARY KEY (deletion_id, object_key)
);

-- A row without a fingerprint is a reservation: its request is still running.
CREATE TABLE idempotency_keys (
    user_id         UUID        NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    path            TEXT        NOT NULL,
    idempotency_key TEXT        NOT NULL,
    expires_at      TIMESTAMPTZ NOT NULL,
    fingerprint     TEXT,
    status          INTEGER,
    headers         JSONB,
    body            TEXT,
    PRIMARY KEY (user_id, path, idempotency_key)
);
CREATE INDEX idempotency_keys_expiry ON idempotency_keys (expires_at);
