//! The one table of everything that can be told to the service.

use super::kind::Kind;

/// One name, and all there is to know of it.
#[derive(Debug, Clone, Copy)]
pub struct Variable {
    /// As it is written in the environment.
    pub name: &'static str,
    /// What is in force when nothing is said.
    pub default: Preset,
    /// What is accepted.
    pub kind: Kind,
    /// One line for the reference.
    pub about: &'static str,
}

/// A default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preset {
    /// This text, as if it had been said.
    Text(&'static str),
    /// Found out at start; the words say how.
    Computed(&'static str),
    /// None.
    Unset,
}

use Preset::{Computed, Text, Unset};

const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
pub(super) const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

const POSTGRES: Kind = Kind::ServiceUrl(&["postgres", "postgresql"]);
const REDIS: Kind = Kind::ServiceUrl(&["redis", "rediss"]);
const AMQP: Kind = Kind::ServiceUrl(&["amqp", "amqps"]);
const ANY_SECRET: Kind = Kind::Secret(1);
const LIMIT: Kind = Kind::Number(0, 1_000_000);

const fn row(name: &'static str, default: Preset, kind: Kind, about: &'static str) -> Variable {
    Variable { name, default, kind, about }
}

/// Every name that is understood, in the order of the reference.
#[rustfmt::skip]
pub const TABLE: &[Variable] = &[
    row("PORT", Text("8080"), Kind::Number(0, 65_535), "Port of the HTTP listener; 0 takes a free one."),
    row("HOST", Unset, Kind::Address, "Address to listen on; unset is every address, IPv6 and IPv4."),
    row("PUBLIC_URL", Unset, Kind::WebUrl, "Where clients reach the service; URLs in answers then start with it."),
    row("TRUSTED_PROXIES", Unset, Kind::Networks, "Proxies whose `X-Forwarded-For` is believed."),
    row("ALLOWED_ORIGINS", Unset, Kind::Origins, "Web pages of other origins that may call the API (CORS)."),
    row("ENVIRONMENT", Computed("development"), Kind::Choice(&["development", "production"]), "In production a weak `JWT_SECRET` refuses to start, only `https` is fetched, and logs are JSON."),
    row("GIN_MODE", Unset, Kind::Text, "`release` means `ENVIRONMENT=production`; `ENVIRONMENT` wins."),
    row("ROLE", Text("both"), Kind::Roles, "What this process does: answer HTTP, run jobs, or both."),
    row("DATA_DIR", Text("./data"), Kind::Directory, "Where the embedded database, pictures and the generated secret are kept."),

    row("SUPABASE_DB_URL", Unset, POSTGRES, "The Postgres database; without it the embedded SQLite is used."),
    row("DATABASE_URL", Unset, POSTGRES, "Another name for `SUPABASE_DB_URL`, which wins."),
    row("MIGRATE_DB_URL", Unset, POSTGRES, "Where `darkroom migrate` connects, when that must not be through a pooler."),
    row("DB_MAX_CONNS", Text("25"), Kind::Number(1, 1_000), "Most database connections."),
    row("DB_MIN_CONNS", Computed("5, or `DB_MAX_CONNS` if that is less"), Kind::Number(0, 1_000), "Database connections kept open; at most `DB_MAX_CONNS`."),
    row("DB_MAX_CONN_LIFETIME", Text("1h"), Kind::Time(SECOND, 365 * DAY), "Age at which a database connection is replaced."),
    row("DB_MAX_CONN_IDLE_TIME", Text("30m"), Kind::Time(SECOND, 365 * DAY), "Idle time after which a database connection is closed."),

    row("JWT_SECRET", Unset, Kind::Secret(32), "Signs access tokens. Embedded mode makes one and keeps it in `DATA_DIR`; otherwise it is required."),
    row("JWT_EXPIRY", Text("15m"), Kind::Time(SECOND, 365 * DAY), "How long an access token holds."),
    row("JWT_ISSUER", Text("darkroom"), Kind::Text, "The `iss` of access tokens."),
    row("REFRESH_EXPIRY", Text("30d"), Kind::Time(SECOND, 3650 * DAY), "How long a refresh token holds."),

    row("MAX_UPLOAD_SIZE", Text("20971520"), Kind::Size(1, 10 * GIB), "Bytes of one uploaded file."),
    row("MAX_BODY_SIZE", Text("1048576"), Kind::Size(1, GIB), "Bytes of every other request body."),
    row("MAX_IMAGE_WIDTH", Text("8000"), Kind::Number(1, 65_535), "Pixels across, of pictures and results."),
    row("MAX_IMAGE_HEIGHT", Text("8000"), Kind::Number(1, 65_535), "Pixels down, of pictures and results."),
    row("MAX_PIXELS", Text("50000000"), Kind::Number(1, 1_000_000_000), "Pixels of one frame."),
    row("MAX_ANIMATION_PIXELS", Text("100000000"), Kind::Number(1, 1_000_000_000_000), "Pixels of all frames together."),
    row("MAX_FRAMES", Text("500"), Kind::Number(1, 1_000_000), "Frames of an animation."),

    row("TRANSFORM_THREADS", Computed("one a core"), Kind::Number(1, 1_024), "Threads that work on pixels."),
    row("TRANSFORM_TIMEOUT", Text("20s"), Kind::Time(1, DAY), "Time for one transformation; must be below `DRAIN_TIMEOUT`."),
    row("TRANSFORM_MEMORY", Computed("half of what the machine or the container has"), Kind::Size(64 * MIB, 1024 * GIB), "Memory for pixels, of all threads together: work waits for its share, and what may need more is refused."),
    row("TRANSFORM_PROFILE", Text("best"), Kind::Choice(&["best", "fast"]), "What a spec means that names no `profile`: the truest picture, or the quickest."),
    row("DRAIN_TIMEOUT", Text("25s"), Kind::Time(1, DAY), "Time to finish what is under way when stopping."),
    row("STARTUP_TIMEOUT", Text("10s"), Kind::Time(1, HOUR), "Time for the database to answer at start."),
    row("QUEUE_PREFETCH_COUNT", Text("5"), Kind::Number(1, 1_000), "Jobs that one worker holds at a time."),

    row("CACHE_MEMORY", Text("64MiB"), Kind::Size(0, 1024 * GIB), "Memory for pictures that are served by URL, and a quarter of it besides for the files they are made of; 0 keeps none."),
    row("CACHE_DIR", Computed("`cache` in `DATA_DIR`"), Kind::Directory, "Where such pictures are kept on the disk of this machine; processes may share it."),
    row("CACHE_DISK", Text("1GiB"), Kind::Size(0, 1024 * GIB), "Disk that each process may take there; 0 keeps none."),

    row("FETCH_ALLOW", Unset, Kind::Openings, "What imports and webhooks may reach although it is not public, or not on port 80 or 443; 0.0.0.0/0 and ::/0 open a port on public addresses only."),
    row("FETCH_DENY", Unset, Kind::Closures, "What imports and webhooks may not reach although it is public; a host means all under it too."),
    row("FETCH_TIMEOUT", Text("10s"), Kind::Time(1, 4 * MINUTE), "Time for one import, or for one delivery of a webhook."),

    row("CDN_PURGE_URL", Unset, Kind::WebUrl, "A CDN in front: told, by a POST of `{\"tags\": [image ids]}`, what was deleted, purged or un-published."),
    row("CDN_PURGE_TOKEN", Unset, ANY_SECRET, "Sent there as `Authorization: Bearer`."),

    row("RATE_LIMIT_WINDOW", Text("1m"), Kind::Time(SECOND, DAY), "The time that the limits below are counted in."),
    row("RATE_LIMIT_UPLOADS", Text("600"), LIMIT, "Uploads and imports of an account; 0 is no limit."),
    row("RATE_LIMIT_TRANSFORMS", Text("6000"), LIMIT, "Transformations, purged pictures, and presets, delivery settings and signing keys put, of an account; 0 is no limit."),
    row("RATE_LIMIT_REGISTER", Text("60"), LIMIT, "Accounts opened from one address; 0 is no limit."),
    row("RATE_LIMIT_LOGIN", Text("60"), LIMIT, "Failed logins from one address; 0 is no limit."),
    row("RATE_LIMIT_LOGIN_USERNAME", Text("10"), LIMIT, "Failed logins of one username from one address; 0 is no limit."),

    row("LOG_LEVEL", Text("info"), Kind::Directives, "What is logged."),
    row("LOG_FORMAT", Computed("text; json in production"), Kind::Choice(&["text", "json"]), "How it is logged, to standard error."),

    row("UPSTASH_REDIS_HOST", Unset, Kind::HostName, "Redis: its host."),
    row("UPSTASH_REDIS_PORT", Text("6379"), Kind::Number(1, 65_535), "Redis: its port."),
    row("UPSTASH_REDIS_PASSWORD", Unset, ANY_SECRET, "Redis: its password."),
    row("UPSTASH_REDIS_TLS", Text("true"), Kind::Flag, "Redis: whether to speak TLS."),
    row("REDIS_URL", Unset, REDIS, "Redis by one URL, instead of its parts above."),
    row("REDIS_PREFIX", Text("darkroom:"), Kind::Text, "Redis: what keys start with."),
    row("REDIS_TIMEOUT", Text("500ms"), Kind::Time(20, 2_000), "Redis: time for an answer. Whoever has none by then goes on without it."),
    row("CLOUDAMQP_URL", Unset, AMQP, "RabbitMQ."),
    row("AMQP_URL", Unset, AMQP, "Another name for `CLOUDAMQP_URL`, which wins."),
    row("RABBITMQ_URL", Unset, AMQP, "Another name for `CLOUDAMQP_URL`, which wins."),
    row("QUEUE_NAME", Text("image-transform-jobs"), Kind::Text, "RabbitMQ: the queue."),
    row("QUEUE_DURABLE", Text("true"), Kind::Flag, "RabbitMQ: whether the queue outlives the broker."),
    row("STORAGE", Computed("Cloudinary or S3, whichever is configured; else `fs`"), Kind::Choice(&["fs", "s3", "cloudinary"]), "Where pictures are kept: in `DATA_DIR`, in a bucket, or at Cloudinary."),
    row("CLOUDINARY_CLOUD_NAME", Unset, Kind::Text, "Cloudinary: the cloud."),
    row("CLOUDINARY_API_KEY", Unset, Kind::Text, "Cloudinary: the key."),
    row("CLOUDINARY_API_SECRET", Unset, ANY_SECRET, "Cloudinary: the key's secret."),
    row("CLOUDINARY_URL", Unset, Kind::ServiceUrl(&["cloudinary"]), "Cloudinary by one URL, instead of its parts above."),
    row("CLOUDINARY_FOLDER", Text("image-processing-service"), Kind::Text, "Cloudinary: the folder for pictures."),
    row("CLOUDINARY_UPLOAD_PREFIX", Text("https://api.cloudinary.com"), Kind::WebUrl, "Cloudinary: where its API is."),
    row("CLOUDINARY_DELIVERY_PREFIX", Computed("`https://res.cloudinary.com/` and the cloud's name"), Kind::WebUrl, "Cloudinary: where assets are fetched from; a private CDN or a name of your own."),
    row("CLOUDINARY_SIGNATURE_ALGORITHM", Text("sha1"), Kind::Choice(&["sha1", "sha256"]), "Cloudinary: what the cloud is set to in its security settings."),
    row("S3_BUCKET", Unset, Kind::Text, "S3: the bucket."),
    row("S3_ENDPOINT", Unset, Kind::WebUrl, "S3: the endpoint, when it is not Amazon's."),
    row("S3_REGION", Text("us-east-1"), Kind::Text, "S3: the region."),
    row("S3_ACCESS_KEY_ID", Unset, Kind::Text, "S3: the key; without one, the identity that the machine or the container has."),
    row("S3_SECRET_ACCESS_KEY", Unset, ANY_SECRET, "S3: the key's secret."),
    row("S3_PATH_STYLE", Computed("`true` with `S3_ENDPOINT`"), Kind::Flag, "S3: whether the bucket stands in the path, not in the host's name."),
    row("S3_PREFIX", Unset, Kind::Text, "S3: what object names start with."),
];

/// The row of `name`.
pub fn find(name: &str) -> Option<&'static Variable> {
    TABLE.iter().find(|variable| variable.name == name)
}
