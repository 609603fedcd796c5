-- Pictures by URL: what an account allows, what it calls its transformations, what it signs with, and news for the processes
-- that have pictures at hand.

CREATE TABLE presets (
    user_id    UUID        NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name       TEXT        NOT NULL,
    -- Canonical, but for `auto`, which only a request resolves.
    spec       JSONB       NOT NULL,
    -- Bytes of it as JSON: those of an account together are bounded.
    size       BIGINT      NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (user_id, name)
);

-- An account without a row has the defaults: strict, and nothing allowed but its presets.
CREATE TABLE delivery_settings (
    user_id           UUID    NOT NULL PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    strict            BOOLEAN NOT NULL,
    -- {"transformations": [...]}: what may be asked for unsigned, beside presets.
    allowed           JSONB   NOT NULL,
    -- Shown in the place of what can't be shown.
    fallback_image_id UUID    REFERENCES images (id) ON DELETE SET NULL
);
CREATE INDEX delivery_settings_fallback ON delivery_settings (fallback_image_id);

-- The secret is what URLs are signed with, so it must be known and not only its hash.
CREATE TABLE signing_keys (
    -- Stands in signed URLs, so it is short.
    id         TEXT        NOT NULL PRIMARY KEY,
    user_id    UUID        NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name       TEXT        NOT NULL,
    secret     TEXT        NOT NULL,
    created_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX signing_keys_user ON signing_keys (user_id, created_at);

-- What has changed, for processes that have looked it up before. A row is written in the transaction of the change and is of no use
-- an hour later.
CREATE TABLE changes (
    id       UUID NOT NULL PRIMARY KEY,
    user_id  UUID NOT NULL,
    -- NULL: everything of the account.
    image_id UUID,
    -- 'facts': what is known of it must be looked up again. 'pictures': nothing that was made of it may be shown any more.
    kind     TEXT NOT NULL CHECK (kind IN ('facts', 'pictures'))
);

-- Pictures that a CDN in front must forget: written in the transaction that deletes, purges or un-publishes them, and gone once it was
-- told twice: at once, and at `again_at`, when no process gives the CDN what it had at hand before. Whoever leases rows moves
-- `due_at` behind the time that telling takes. A picture that has to go again, and what was told once, has another `purge_id`, so that
-- what was told before does not settle it.
CREATE TABLE cdn_purges (
    image_id   UUID        NOT NULL PRIMARY KEY,
    purge_id   UUID        NOT NULL,
    attempts   INTEGER     NOT NULL,
    due_at     TIMESTAMPTZ NOT NULL,
    -- NULL: this is the last time.
    again_at   TIMESTAMPTZ,
    created_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX cdn_purges_due ON cdn_purges (due_at);
CREATE INDEX cdn_purges_created ON cdn_purges (created_at);

-- Pictures that were looked at before are looked at once more for it.
ALTER TABLE images ADD COLUMN blurhash TEXT;
UPDATE images SET described = FALSE, describe_at = NULL, describe_attempts = 0 WHERE described;
