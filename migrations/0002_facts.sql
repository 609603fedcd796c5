-- What a background pass finds out about a picture. A row that was not described yet is the pass's order: nothing has to be
-- enqueued, nothing can be lost, and pictures from before are described too.

ALTER TABLE images ADD COLUMN palette TEXT;
ALTER TABLE images ADD COLUMN phash TEXT;
ALTER TABLE images ADD COLUMN exif TEXT;
ALTER TABLE images ADD COLUMN described BOOLEAN NOT NULL DEFAULT FALSE;
-- Not before then: while a worker has it, and after a failure that may pass.
ALTER TABLE images ADD COLUMN describe_at TIMESTAMPTZ;
ALTER TABLE images ADD COLUMN describe_attempts INTEGER NOT NULL DEFAULT 0;

CREATE INDEX images_undescribed ON images (id) WHERE NOT described;
