//! Services that may be configured beside the database: each wholly, or not at all.

use super::{
    report::{Fault, Warning},
    settings::Settings,
};

/// What is said of a service.
struct Service {
    name: &'static str,
    /// One of these configures it alone.
    urls: &'static [&'static str],
    /// These configure it together.
    needed: &'static [&'static str],
    /// These make no sense without the ones above.
    beside: &'static [&'static str],
    /// What this version does instead, if it does not use it.
    instead: Option<&'static str>,
}

const SERVICES: &[Service] = &[
    Service {
        name: "Redis",
        urls: &["REDIS_URL"],
        needed: &["UPSTASH_REDIS_HOST"],
        beside: &["UPSTASH_REDIS_PORT", "UPSTASH_REDIS_PASSWORD", "UPSTASH_REDIS_TLS"],
        instead: None,
    },
    Service {
        name: "Cloudinary",
        urls: &["CLOUDINARY_URL"],
        needed: &["CLOUDINARY_CLOUD_NAME", "CLOUDINARY_API_KEY", "CLOUDINARY_API_SECRET"],
        beside: &[],
        instead: Some("keeps pictures in DATA_DIR"),
    },
    Service {
        name: "S3",
        urls: &[],
        needed: &["S3_BUCKET", "S3_ACCESS_KEY_ID", "S3_SECRET_ACCESS_KEY"],
        beside: &["S3_ENDPOINT", "S3_REGION"],
        instead: Some("keeps pictures in DATA_DIR"),
    },
];

/// Services that are half there are faults; those wholly there are told of, as long as this version
/// only recognises them.
pub fn check(settings: &Settings, faults: &mut Vec<Fault>, warnings: &mut Vec<Warning>) {
    for service in SERVICES {
        let is_said = |name: &&&str| settings.said(name).is_some();
        let url = service.urls.iter().find(is_said);
        let parts: Vec<_> =
            service.needed.iter().chain(service.beside).filter(is_said).copied().collect();
        let missing: Vec<_> =
            service.needed.iter().filter(|name| !is_said(name)).copied().collect();

        match (url, parts.first()) {
            (None, None) => {}
            (None, Some(_)) if !missing.is_empty() => {
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
            (Some(name), _) | (None, Some(name)) => {
                let Some(instead) = service.instead else { continue };
                warnings.push(Warning::new(
                    *name,
                    format!("is set, but this version does not use {} and {instead}", service.name),
                ));
            }
        }
    }
}
