-- Stored objects. Equal bytes of an account are one object, which its images and variants share; with the last of them it goes.
-- A key is given once and never again, so whatever is to be removed by its key can be removed at any time.
--   refs = 0    it is being stored; nobody names it yet. After a day it is the remains of a crash
--   refs = -1   it is to be removed, and must not be named any more; kept so long that nobody can still be about to
CREATE TABLE objects (
    key        TEXT        NOT NULL PRIMARY KEY,
    user_id    UUID        NOT NULL,
    sha256     TEXT        NOT NULL,
    size       BIGINT      NOT NULL,
    refs       INTEGER     NOT NULL,
    -- Others with the same bytes may share it. Of several from before there were shared ones, one is.
    shared     BOOLEAN     NOT NULL,
    -- What the backend calls it.
    name       TEXT,
    asset_id   TEXT,
    created_at TIMESTAMPTZ NOT NULL
);
INSERT INTO objects (key, user_id, sha256, size, refs, shared, created_at)
    SELECT object_key, user_id, sha256, size, 1, FALSE, created_at FROM images;
INSERT INTO objects (key, user_id, sha256, size, refs, shared, created_at)
    SELECT object_key, user_id, coalesce(sha256, ''), coalesce(size, 0), 1, FALSE, created_at FROM variants
    WHERE object_key IS NOT NULL;
UPDATE objects SET shared = TRUE WHERE key IN (SELECT min(key) FROM objects GROUP BY user_id, sha256);

CREATE UNIQUE INDEX objects_shared ON objects (user_id, sha256) WHERE shared;
CREATE INDEX objects_unused ON objects (created_at) WHERE refs <= 0;
CREATE INDEX objects_user ON objects (user_id);
