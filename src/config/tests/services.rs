//! What stands beside the process: other services, and other processes of this one.

use super::*;

#[test]
fn a_service_configured_by_half_is_a_fault_that_names_what_is_missing() {
    for (half, missing) in [
        (&[("UPSTASH_REDIS_PASSWORD", "p")][..], &["UPSTASH_REDIS_HOST"][..]),
        (&[("CLOUDINARY_CLOUD_NAME", "c")], &["CLOUDINARY_API_KEY", "CLOUDINARY_API_SECRET"]),
        (
            &[("CLOUDINARY_API_SECRET", "s"), ("CLOUDINARY_API_KEY", "k")],
            &["CLOUDINARY_CLOUD_NAME"],
        ),
        (&[("S3_BUCKET", "b"), ("S3_ACCESS_KEY_ID", "k")], &["S3_SECRET_ACCESS_KEY"]),
    ] {
        let said = env(half);
        assert_eq!(names(&said.refused()), missing);
        let text = said.settings().describe();
        assert!(text.contains(&format!("\nwarning: {} is missing", missing[0])), "{text}");
        assert!(!text.contains("fault:"), "{text}");
    }
    assert_eq!(names(&env(&[("AMQP_URL", "http://h")]).refused()), ["AMQP_URL"]);
}

#[test]
fn a_queue_that_would_lose_jobs_is_refused_with_the_reason() {
    let faults = env(&[("CLOUDAMQP_URL", "amqp://h"), ("QUEUE_DURABLE", "false")]).refused();
    assert_eq!(names(&faults), ["QUEUE_DURABLE"]);
    assert!(faults.to_string().contains("not durable would lose them"), "{faults}");
    env(&[("CLOUDAMQP_URL", "amqp://h"), ("QUEUE_DURABLE", "true")]).accepted();
}

#[test]
fn a_service_that_is_not_used_yet_is_warned_of() {
    for whole in [
        &[("CLOUDINARY_URL", "cloudinary://1:2@c")][..],
        &[
            ("CLOUDINARY_CLOUD_NAME", "c"),
            ("CLOUDINARY_API_KEY", "1"),
            ("CLOUDINARY_API_SECRET", "2"),
        ],
    ] {
        let (_, warnings) = env(whole).accepted();
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].detail.contains("this version does not use"), "{}", warnings[0]);
    }
    // Names with defaults configure nothing by themselves.
    assert_eq!(env(&[("QUEUE_NAME", "q"), ("REDIS_PREFIX", "x:")]).accepted().1, []);
}

#[test]
fn roles_that_are_apart_are_warned_of_what_they_must_share() {
    let database = [("SUPABASE_DB_URL", URL), ("JWT_SECRET", SECRET)];
    for role in ["api", "worker"] {
        let apart = [&database[..], &[("ROLE", role), ("DATA_DIR", "/pictures")]].concat();
        let (_, warnings) = env(&apart).accepted();
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert_eq!(warnings[0].name, "DATA_DIR");
        assert!(
            warnings[0].detail.starts_with("= /pictures holds the pictures"),
            "{}",
            warnings[0]
        );

        // With nobody to share the database, there is nobody to share the pictures.
        let (_, warnings) = env(&[("ROLE", role)]).accepted();
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert_eq!(warnings[0].name, "ROLE");
        assert!(warnings[0].detail.contains("one process's alone"), "{}", warnings[0]);
    }
    for together in [&database[..], &[("ROLE", "both")], &[]] {
        assert_eq!(env(together).accepted().1, []);
    }
}
