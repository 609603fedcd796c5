-- How often what was made of a picture was given up. Whoever makes something of it for a link reads this first, and
-- records what was made only if it is the same then.
ALTER TABLE images ADD COLUMN purges BIGINT NOT NULL DEFAULT 0;
