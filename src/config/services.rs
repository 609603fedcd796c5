//! Services that may be configured beside the database: each wholly, or not at all.

use super::{report::Fault, settings::Settings};

/// What is said of a service.
struct Service {
    name: &'static str,
    /// One of these configures it alone.
    urls: &'static [&'static str],
    /// These configure it together.
    needed: &'static [&'static str],
    /// These make no sense without the ones above.
    beside: &'static [&'static str],
}

const SERVICES: &[Service] = &[
    Service {
        name: "Redis",
        urls: &["REDIS_URL"],
        needed: &["UPSTASH_REDIS_HOST"],
        beside: &["UPSTASH_REDIS_PORT", "UPSTASH_REDIS_PASSWORD", "UPSTASH_REDIS_TLS"],
    },
    Service {
        name: "Cloudinary",
        urls: &["CLOUDINARY_URL"],
        needed: &["CLOUDINARY_CLOUD_NAME", "CLOUDINARY_API_KEY", "CLOUDINARY_API_SECRET"],
        beside: &[],
    },
    Service {
        name: "S3",
        urls: &[],
        needed: &["S3_BUCKET"],
        beside: &[
            "S3_ENDPOINT",
            "S3_REGION",
            "S3_ACCESS_KEY_ID",
            "S3_SECRET_ACCESS_KEY",
            "S3_PATH_STYLE",
            "S3_PREFIX",
        ],
    },
    Service {
        name: "the CDN",
        urls: &[],
        needed: &["CDN_PURGE_URL"],
        beside: &["CDN_PURGE_TOKEN"],
    },
    // Without both of them it is the machine's own identity that opens the bucket.
    Service {
        name: "S3's key",
        urls: &[],
        needed: &["S3_ACCESS_KEY_ID", "S3_SECRET_ACCESS_KEY"],
        beside: &[],
    },
];

/// Services that are half there are faults.
pub fn check(settings: &Settings, faults: &mut Vec<Fault>) {
    for service in SERVICES {
        let is_said = |name: &&&str| settings.said(name).is_some();
        let parts: Vec<_> =
            service.needed.iter().chain(service.beside).filter(is_said).copied().collect();
        let missing: Vec<_> =
            service.needed.iter().filter(|name| !is_said(name)).copied().collect();
        if service.urls.iter().any(|name| is_said(&name)) || parts.is_empty() {
            continue;
        }
        let is = if missing.len() == 1 { "is" } else { "are" };
        for name in &missing {
            faults.push(Fault::new(
                *name,
                format!(
                    "is missing: {} is configured by half ({} set, {} {is} not)",
                    service.name,
                    parts.join(", "),
                    missing.join(", "),
                ),
            ));
        }
    }
}
