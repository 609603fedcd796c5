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
        (&[("S3_ENDPOINT", "http://h")], &["S3_BUCKET"]),
        (&[("S3_REGION", "eu-central-1")], &["S3_BUCKET"]),
        (&[("S3_PATH_STYLE", "true")], &["S3_BUCKET"]),
        (&[("S3_PREFIX", "pictures/"), ("STORAGE", "fs")], &["S3_BUCKET"]),
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

const CLOUDINARY: &[(&str, &str)] = &[("CLOUDINARY_URL", "cloudinary://1:2@c")];
const S3: &[(&str, &str)] = &[("S3_BUCKET", "b")];

#[test]
fn pictures_live_where_is_configured() {
    for (said, kind) in [
        (&[][..], StorageKind::Fs),
        (CLOUDINARY, StorageKind::Cloudinary),
        (S3, StorageKind::S3),
        (&[CLOUDINARY, S3, &[("STORAGE", "s3")]].concat(), StorageKind::S3),
        (&[CLOUDINARY, S3, &[("STORAGE", "fs")]].concat(), StorageKind::Fs),
        (&[("STORAGE", "fs")], StorageKind::Fs),
    ] {
        let (config, warnings) = env(said).accepted();
        assert_eq!((config.storage.kind, warnings), (kind, Vec::new()), "{said:?}");
    }
    for (said, named) in [
        (&[CLOUDINARY, S3].concat()[..], "both configured"),
        (&[("STORAGE", "s3")], "needs S3_BUCKET"),
        (&[("STORAGE", "cloudinary")], "needs CLOUDINARY_URL"),
        (&[("STORAGE", "tape")], "must be"),
    ] {
        let faults = env(said).refused();
        assert_eq!(names(&faults), ["STORAGE"]);
        assert!(faults.to_string().contains(named), "{faults}");
    }
    // Names with defaults configure nothing by themselves.
    for alone in ["QUEUE_NAME", "REDIS_PREFIX", "CLOUDINARY_FOLDER"] {
        let (config, warnings) = env(&[(alone, "x")]).accepted();
        assert_eq!((config.storage.kind, warnings), (StorageKind::Fs, Vec::new()), "{alone}");
    }
}

#[test]
fn cloudinary_is_said_by_one_url_or_in_parts() {
    let parts = [
        ("CLOUDINARY_CLOUD_NAME", "demo"),
        ("CLOUDINARY_API_KEY", "123"),
        ("CLOUDINARY_API_SECRET", "a/b@c"),
    ];
    let url = [("CLOUDINARY_URL", "cloudinary://123:a%2Fb%40c@demo")];
    for said in [&parts[..], &url] {
        let (config, _) = env(said).accepted();
        let cloud = config.storage.cloudinary.unwrap();
        assert_eq!((cloud.cloud_name.as_str(), cloud.api_key.as_str()), ("demo", "123"));
        assert_eq!(cloud.api_secret.expose_secret(), "a/b@c");
        assert_eq!(cloud.folder, "image-processing-service");
        assert_eq!(cloud.upload_prefix, "https://api.cloudinary.com");
        assert_eq!(cloud.delivery_prefix, "https://res.cloudinary.com/demo");
        assert_eq!(cloud.algorithm, SignatureAlgorithm::Sha1);
    }
    let more = [
        ("CLOUDINARY_FOLDER", "/pictures/2026/"),
        ("CLOUDINARY_DELIVERY_PREFIX", "https://img.example.com/"),
        ("CLOUDINARY_SIGNATURE_ALGORITHM", "sha256"),
    ];
    let (config, warnings) = env(&[&parts[..], &url, &more].concat()).accepted();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert_eq!(warnings[0].name, "CLOUDINARY_CLOUD_NAME", "the URL is used");
    let cloud = config.storage.cloudinary.unwrap();
    assert_eq!(
        (cloud.folder.as_str(), cloud.algorithm),
        ("pictures/2026", SignatureAlgorithm::Sha256)
    );
    assert_eq!(cloud.delivery_prefix, "https://img.example.com");
    for wrong in ["cloudinary://demo", "cloudinary://1@demo", "cloudinary://:2@demo"] {
        let faults = env(&[("CLOUDINARY_URL", wrong)]).refused();
        assert_eq!(names(&faults), ["CLOUDINARY_URL"]);
        assert!(faults.to_string().contains("<api key>:<api secret>@<cloud name>"), "{faults}");
    }
}

#[test]
fn objects_have_names_that_every_bucket_takes() {
    for (prefix, is_good) in [
        ("pictures/", true),
        ("/pictures/of-", true),
        ("a/b/", true),
        ("a//b/", false),
        ("../", false),
        ("a/./", false),
        ("//", false),
    ] {
        let said = env(&[S3, &[("S3_PREFIX", prefix)]].concat());
        if is_good {
            assert_eq!(said.accepted().0.storage.s3.unwrap().prefix, prefix);
        } else {
            assert_eq!(names(&said.refused()), ["S3_PREFIX"]);
        }
    }
}

#[test]
fn pictures_have_names_that_cloudinary_takes() {
    for folder in ["pictures", "/our pictures/2026/", "bilder/größe", "a_b-c.d"] {
        let said = env(&[CLOUDINARY, &[("CLOUDINARY_FOLDER", folder)]].concat());
        let cloud = said.accepted().0.storage.cloudinary.unwrap();
        assert_eq!(cloud.folder, folder.trim_matches('/'));
    }
    for folder in ["a?", "a&b", "#a", "a\\b", "50%", "<a", "a>", "a\tb", "a\u{7f}", "/ a", "a /"] {
        let said = env(&[CLOUDINARY, &[("CLOUDINARY_FOLDER", folder)]].concat());
        let faults = said.refused();
        assert_eq!(names(&faults), ["CLOUDINARY_FOLDER"], "{folder}");
        assert!(faults.to_string().contains("must not have"), "{faults}");
    }
}

#[test]
fn a_command_on_what_is_stored_needs_nothing_else() {
    let both = [CLOUDINARY, S3, &[("STORAGE", "fs"), ("JWT_SECRET", "short")]].concat();
    let (storage, data_dir) = env(&both).settings().check_storage().unwrap();
    assert!(StorageKind::ALL.iter().all(|kind| storage.has(*kind)));
    assert_eq!(data_dir, std::path::Path::new("./data"));
    assert_eq!(storage.place(StorageKind::S3), "https://s3.us-east-1.amazonaws.com/b/");
    let faults = env(&[("S3_ENDPOINT", "http://h")]).settings().check_storage().unwrap_err();
    assert_eq!(names(&faults), ["S3_BUCKET"]);
    let (storage, _) = env(&[]).settings().check_storage().unwrap();
    assert!(!storage.has(StorageKind::S3) && !storage.has(StorageKind::Cloudinary));
}

#[test]
fn a_bucket_is_opened_by_its_key_or_by_the_machines_identity() {
    let (config, _) = env(S3).accepted();
    let s3 = config.storage.s3.unwrap();
    assert_eq!((s3.bucket.as_str(), s3.region.as_str(), s3.endpoint), ("b", "us-east-1", None));
    assert!(s3.keys.is_none() && !s3.path_style);
    let more = [
        ("S3_ENDPOINT", "http://127.0.0.1:9000/"),
        ("S3_ACCESS_KEY_ID", "k"),
        ("S3_SECRET_ACCESS_KEY", "s"),
        ("S3_REGION", "auto"),
        ("S3_PREFIX", "pictures/"),
    ];
    let (config, _) = env(&[S3, &more].concat()).accepted();
    let s3 = config.storage.s3.unwrap();
    assert_eq!(s3.endpoint.as_deref(), Some("http://127.0.0.1:9000"));
    assert!(s3.keys.is_some() && s3.path_style, "what is no name of its own stands in the path");
    let virtual_hosted = [S3, &more, &[("S3_PATH_STYLE", "false")]].concat();
    assert!(!env(&virtual_hosted).accepted().0.storage.s3.unwrap().path_style);
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
    // Elsewhere everybody sees them.
    let elsewhere = [&database[..], &[("ROLE", "api")], S3].concat();
    assert_eq!(env(&elsewhere).accepted().1, []);
    for together in [&database[..], &[("ROLE", "both")], &[]] {
        assert_eq!(env(together).accepted().1, []);
    }
}
