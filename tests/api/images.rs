//! Uploading, listing, changing, fetching and deleting pictures.

use std::collections::HashSet;

use image::ImageFormat;
use reqwest::{
    Method, Response, StatusCode,
    multipart::{Form, Part},
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{
    pictures::{quarters, truncated, turned},
    sandbox::{Account, ROCKET, Sandbox, eventually, expect, problem, text},
};

const IMAGES: &str = "/api/v1/images";
const COFFEE: &[u8] = include_bytes!("../pictures/coffee.png");

fn image_path(id: &str) -> String {
    format!("{IMAGES}/{id}")
}

/// Uploads a picture as the body, with something in the query.
async fn upload_raw(account: &Account<'_>, query: &str, bytes: Vec<u8>) -> Value {
    let request = account.request(Method::POST, &format!("{IMAGES}?{query}"));
    let request = request.header("content-type", "image/png").body(bytes);
    expect(request.send().await, StatusCode::CREATED).await
}

/// A form with a file, to be uploaded.
fn form(bytes: Vec<u8>, filename: &str) -> Form {
    Form::new().part("file", Part::bytes(bytes).file_name(filename.to_owned()))
}

async fn upload_form(account: &Account<'_>, form: Form) -> reqwest::Result<Response> {
    account.request(Method::POST, IMAGES).multipart(form).send().await
}

async fn delete(account: &Account<'_>, path: &str) -> Response {
    let answer = account.request(Method::DELETE, path).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    answer
}

/// Waits for the objects of a deletion to be gone.
async fn deleted(sandbox: &Sandbox, receipt: &str) -> Value {
    let path = format!("/api/v1/deletions/{receipt}");
    let finished = eventually(async || {
        // The receipt is enough: no token.
        let request = sandbox.request(Method::GET, &path);
        let deletion = expect(request.send().await, StatusCode::OK).await;
        (deletion["status"] == "finished").then_some(deletion)
    });
    finished.await
}

#[tokio::test]
async fn an_upload_by_form_is_described_as_the_contract_says() {
    let sandbox = Sandbox::start().await;
    let ada = sandbox.register("ada").await;
    // Named and typed wrongly: the bytes decide.
    let form = Form::new()
        .text("tags", "cats, space")
        .part("file", Part::bytes(ROCKET).file_name("rocket.png").mime_str("text/plain").unwrap())
        .text("tags", "night")
        .text("tags", "cats")
        .text("eager", r#"[{"resize":{"width":50}},{"format":"png","resize":{"width":40}}]"#);
    let answer = upload_form(&ada, form).await.unwrap();
    let location = answer.headers()["location"].to_str().unwrap().to_owned();
    let image = expect(Ok(answer), StatusCode::CREATED).await;

    let id = text(&image, "id");
    assert_eq!(location, image_path(&id));
    let expected = json!({
        "id": id,
        "filename": "rocket.png",
        "mime_type": "image/jpeg",
        "size": ROCKET.len(),
        "width": 640,
        "height": 427,
        "frames": 1,
        "has_alpha": false,
        "sha256": darkroom::adapters::storage::hex(&Sha256::digest(ROCKET)),
        "public": false,
        "tags": ["cats", "space", "night"],
        "focus": null,
        "thumbhash": null,
        "dominant_color": null,
        "palette": null,
        "phash": null,
        "exif": null,
        "created_at": image["created_at"],
        "original_url": format!("{IMAGES}/{id}/content"),
        "variants": image["variants"],
    });
    assert_eq!(image, expected);
    assert!(text(&image, "created_at").ends_with('Z'), "in UTC");

    // What was asked for at once is there, pending or made, and its jobs come to an end.
    let promised = image["variants"].as_array().unwrap();
    assert_eq!(promised.len(), 2);
    let listed = ada.get(&format!("/api/v1/jobs?image_id={id}")).await;
    let jobs = listed["jobs"].as_array().unwrap();
    assert_eq!(jobs.len(), 2);
    for job in jobs {
        assert_eq!(ada.finished(&text(job, "id")).await["status"], "succeeded");
    }
    let made = ada.get(&location).await;
    let sizes: HashSet<_> = made["variants"]
        .as_array()
        .unwrap()
        .iter()
        .map(|variant| {
            (text(variant, "mime_type"), variant["width"].as_u64(), text(variant, "status"))
        })
        .collect();
    let ready = || "ready".to_owned();
    assert_eq!(
        sizes,
        HashSet::from([
            ("image/jpeg".to_owned(), Some(50), ready()),
            ("image/png".to_owned(), Some(40), ready())
        ])
    );
}

#[tokio::test]
async fn an_upload_as_the_body_says_the_rest_in_the_query() {
    let sandbox = Sandbox::start().await;
    let ada = sandbox.register("ada").await;
    let bytes = quarters(10, 6, ImageFormat::Png);
    let eager = "%5B%7B%22rotate%22%3A90%7D%5D";
    let query = format!("filename=dots.png&tags=a,b%2C%20c,,a&eager={eager}");
    let image = upload_raw(&ada, &query, bytes).await;
    assert_eq!(image["tags"], json!(["a", "b", "c"]));
    assert_eq!((&image["filename"], &image["width"]), (&json!("dots.png"), &json!(10)));
    let variant = text(&image["variants"][0], "id");
    let made = eventually(async || {
        let variant = ada.get(&format!("/api/v1/variants/{variant}")).await;
        (variant["status"] == "ready").then_some(variant)
    });
    let made = made.await;
    assert_eq!((&made["width"], &made["height"]), (&json!(6), &json!(10)));
    eventually(async || {
        let unfinished = ada.get("/api/v1/jobs?status=running").await;
        unfinished["jobs"].as_array().unwrap().is_empty().then_some(())
    })
    .await;
}

#[tokio::test]
async fn filenames_are_made_harmless() {
    let sandbox = Sandbox::start().await;
    let ada = sandbox.register("ada").await;
    let bytes = quarters(2, 2, ImageFormat::Png);
    let long = "%C3%A9".repeat(200);
    for (sent, kept) in [
        ("..%2F..%2Fetc%2Fpasswd", "passwd".to_owned()),
        ("C%3A%5Cphotos%5Ccat.png", "cat.png".to_owned()),
        ("a%0D%0Ab%00%1B.png", "ab.png".to_owned()),
        ("..", "image".to_owned()),
        ("", "image".to_owned()),
        (&long, "é".repeat(127)),
        ("%E7%8C%AB.png", "猫.png".to_owned()),
    ] {
        let image = upload_raw(&ada, &format!("filename={sent}"), bytes.clone()).await;
        assert_eq!(text(&image, "filename"), kept, "{sent}");
    }
    let sent = upload_form(&ada, form(bytes, "/tmp/photos/cat.png")).await;
    assert_eq!(expect(sent, StatusCode::CREATED).await["filename"], "cat.png");
}

#[tokio::test]
async fn sizes_are_as_displayed() {
    let sandbox = Sandbox::start().await;
    let ada = sandbox.register("ada").await;
    for (orientation, (width, height)) in [(1, (16, 8)), (3, (16, 8)), (6, (8, 16)), (8, (8, 16))] {
        let image = upload_raw(&ada, "", turned(16, 8, orientation)).await;
        let size = (image["width"].as_u64(), image["height"].as_u64());
        assert_eq!(size, (Some(width), Some(height)), "orientation {orientation}");
    }
}

#[tokio::test]
async fn what_is_no_picture_is_refused_and_leaves_nothing() {
    let sandbox = Sandbox::start().await;
    let ada = sandbox.register("ada").await;
    for (bytes, status, code) in [
        (b"just some text".to_vec(), 415, "unsupported_media_type"),
        (Vec::new(), 415, "unsupported_media_type"),
        (b"\xff\xd8\xff".to_vec(), 422, "image_corrupt"),
    ] {
        problem(upload_form(&ada, form(bytes, "cat.jpg")).await, status, code).await;
    }
    for (field, pointer) in [
        (Form::new().text("tags", "x"), "/file"),
        (form(ROCKET.to_vec(), "a").text("eager", "[{\"rotate\":\"x\"}]"), "/eager/0/rotate"),
        (form(ROCKET.to_vec(), "a").text("eager", "{}"), "/eager"),
        (form(ROCKET.to_vec(), "a").text("colour", "x"), "/colour"),
        (form(ROCKET.to_vec(), "a").text("tags", "x".repeat(101)), "/tags/0"),
    ] {
        let fault = problem(upload_form(&ada, field).await, 400, "validation_failed").await;
        assert_eq!(fault["errors"][0]["pointer"], pointer, "{fault}");
    }
    let twice = form(ROCKET.to_vec(), "a").part("file", Part::bytes(ROCKET).file_name("b"));
    let fault = problem(upload_form(&ada, twice).await, 400, "validation_failed").await;
    assert_eq!(fault["errors"][0]["pointer"], "/file");
    assert_eq!(ada.get(IMAGES).await["total"], 0);
    assert_eq!(sandbox.stored_objects(), 0);
    let spool = sandbox.data_dir().join("spool");
    eventually(async || std::fs::read_dir(&spool).unwrap().next().is_none().then_some(())).await;
}

#[tokio::test]
async fn pages_have_no_gaps_and_no_repetitions_while_pictures_come_in() {
    let sandbox = Sandbox::start().await;
    let ada = sandbox.register("ada").await;
    let grace = sandbox.register("grace").await;
    let bytes = quarters(2, 2, ImageFormat::Png);
    let mut uploaded = Vec::new();
    for n in 0..7 {
        let tag = if n % 2 == 0 { "even" } else { "odd" };
        let query = format!("filename={n}&tags={tag}");
        uploaded.insert(0, text(&upload_raw(&ada, &query, bytes.clone()).await, "id"));
    }
    upload_raw(&grace, "tags=even", bytes.clone()).await;
    let ids = |page: &Value| -> Vec<String> {
        page["images"].as_array().unwrap().iter().map(|image| text(image, "id")).collect()
    };

    let page = ada.get(IMAGES).await;
    assert_eq!(ids(&page), uploaded, "newest first, and nobody else's");
    assert_eq!(
        (&page["total"], &page["limit"], &page["offset"], &page["next_cursor"]),
        (&json!(7), &json!(20), &json!(0), &Value::Null)
    );
    let page = ada.get(&format!("{IMAGES}?limit=3&offset=5")).await;
    assert_eq!(ids(&page), uploaded[5..]);
    assert_eq!(
        (&page["total"], &page["limit"], &page["offset"], &page["next_cursor"]),
        (&json!(7), &json!(3), &json!(5), &Value::Null)
    );
    assert_eq!(ids(&ada.get(&format!("{IMAGES}?offset=7")).await), Vec::<String>::new());
    let page = ada.get(&format!("{IMAGES}?tag=even")).await;
    assert_eq!((ids(&page).len(), &page["total"]), (4, &json!(4)));
    let page = ada.get(&format!("{IMAGES}?tag=none")).await;
    assert_eq!((ids(&page).len(), &page["total"]), (0, &json!(0)));

    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = ada.get(&format!("{IMAGES}?limit=2{cursor}")).await;
        seen.extend(ids(&page));
        upload_raw(&ada, "filename=new", bytes.clone()).await;
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen, uploaded);

    for query in ["limit=0", "limit=101", "limit=x", "offset=-1", "cursor=x", "page=2"] {
        let answer = ada.request(Method::GET, &format!("{IMAGES}?{query}")).send().await;
        let fault = problem(answer, 400, "validation_failed").await;
        let name = query.split('=').next().unwrap();
        assert_eq!(fault["errors"][0]["pointer"], format!("/{name}"));
    }
}

#[tokio::test]
async fn a_patch_changes_what_it_names() {
    let sandbox = Sandbox::start().await;
    let ada = sandbox.register("ada").await;
    let path = image_path(&ada.upload(ROCKET).await);
    let patch = async |body: Value| ada.request(Method::PATCH, &path).json(&body).send().await;
    let patched = async |body: Value| expect(patch(body).await, StatusCode::OK).await;

    let image = patched(json!({ "public": true })).await;
    assert_eq!((&image["public"], &image["tags"]), (&json!(true), &json!([])));
    let image = patched(json!({ "tags": [" a ", "b", "a"], "focus": { "x": 0.25, "y": 1 } })).await;
    assert_eq!(
        (&image["public"], &image["tags"], &image["focus"]),
        (&json!(true), &json!(["a", "b"]), &json!({ "x": 0.25, "y": 1.0 }))
    );
    assert_eq!(patched(json!({})).await, image, "nothing named, nothing changed");
    let image = patched(json!({ "focus": null, "tags": [] })).await;
    assert_eq!((&image["focus"], &image["tags"]), (&Value::Null, &json!([])));
    assert_eq!(ada.get(&path).await, image);

    let wrong = json!({ "public": "yes", "tags": ["", 3], "focus": { "x": 2, "y": 0 }, "tag": [] });
    let fault = problem(patch(wrong).await, 400, "validation_failed").await;
    let pointers: HashSet<_> =
        fault["errors"].as_array().unwrap().iter().map(|fault| text(fault, "pointer")).collect();
    let named = |field: &str| pointers.iter().any(|pointer| pointer.starts_with(field));
    assert!(["/public", "/tags", "/focus", "/tag"].into_iter().all(named), "{fault}");
    assert_eq!(ada.get(&path).await, image, "a patch that is refused changes nothing");

    let grace = sandbox.register("grace").await;
    for method in [Method::GET, Method::PATCH, Method::DELETE] {
        let request = grace.request(method, &path).json(&json!({}));
        problem(request.send().await, 404, "not_found").await;
    }
    problem(ada.request(Method::GET, "/api/v1/images/7").send().await, 404, "not_found").await;
}

#[tokio::test]
async fn the_original_is_served_unchanged_conditionally_and_in_ranges() {
    let sandbox = Sandbox::start().await;
    let ada = sandbox.register("ada").await;
    let path = format!("{}/content", image_path(&ada.upload(ROCKET).await));
    let get = async |name: &'static str, value: &str| {
        let request = ada.request(Method::GET, &path).header(name, value);
        request.send().await.unwrap()
    };
    let length = ROCKET.len();

    let answer = ada.request(Method::GET, &path).send().await.unwrap();
    let headers = answer.headers().clone();
    let etag = headers["etag"].to_str().unwrap().to_owned();
    assert!(etag.starts_with('"'), "a strong one");
    for (name, value) in [
        ("content-type", "image/jpeg"),
        ("content-length", &length.to_string()),
        ("x-content-type-options", "nosniff"),
        ("content-security-policy", "default-src 'none'; sandbox"),
        ("cache-control", "private, no-cache"),
        ("accept-ranges", "bytes"),
    ] {
        assert_eq!(headers[name], value);
    }
    assert_eq!(answer.bytes().await.unwrap(), ROCKET);

    let head = ada.request(Method::HEAD, &path).send().await.unwrap();
    assert_eq!(head.status(), StatusCode::OK);
    for name in ["content-type", "content-length", "etag"] {
        assert_eq!(head.headers()[name], headers[name], "{name}");
    }
    assert!(head.bytes().await.unwrap().is_empty());

    for condition in [&etag, "*", &format!("W/{etag}"), &format!("\"other\", {etag}")] {
        let answer = get("if-none-match", condition).await;
        assert_eq!(answer.status(), StatusCode::NOT_MODIFIED);
        assert_eq!(answer.headers()["etag"], etag.as_str());
        assert!(answer.bytes().await.unwrap().is_empty());
    }
    assert_eq!(get("if-none-match", "\"other\"").await.status(), StatusCode::OK);

    for (range, first, last) in [
        ("bytes=0-0", 0, 0),
        ("bytes=100-299", 100, 299),
        ("bytes=-10", length - 10, length - 1),
        ("bytes=112000-999999999", 112_000, length - 1),
    ] {
        let answer = get("range", range).await;
        assert_eq!(answer.status(), StatusCode::PARTIAL_CONTENT);
        let expected = format!("bytes {first}-{last}/{length}");
        assert_eq!(answer.headers()["content-range"], expected.as_str());
        assert_eq!(answer.bytes().await.unwrap(), ROCKET[first..=last]);
    }
    let answer = get("range", "bytes=999999999-").await;
    assert_eq!(answer.headers()["content-range"], format!("bytes */{length}").as_str());
    problem(Ok(answer), 416, "range_not_satisfiable").await;
    for (same, status) in
        [(etag.as_str(), StatusCode::PARTIAL_CONTENT), ("\"old\"", StatusCode::OK)]
    {
        let request = ada.request(Method::GET, &path).header("if-range", same);
        let answer = request.header("range", "bytes=0-9").send().await.unwrap();
        assert_eq!(answer.status(), status);
    }
    problem(sandbox.request(Method::GET, &path).send().await, 401, "unauthenticated").await;
}

#[tokio::test]
async fn deleting_leaves_nothing_behind() {
    let sandbox = Sandbox::start().await;
    let ada = sandbox.register("ada").await;
    let (image, other) = (ada.upload(ROCKET).await, ada.upload(COFFEE).await);
    let variant = ada.transform(&image, &json!({ "resize": { "width": 20 } })).await;
    let accepted = ada.enqueue(&image, &json!({ "resize": { "width": 30 } })).await;
    ada.finished(&text(&accepted, "job_id")).await;
    assert_eq!(sandbox.stored_objects(), 4);
    let usage = ada.get("/api/v1/me").await["usage"].clone();
    let made: i64 = ada.get(&image_path(&image)).await["variants"]
        .as_array()
        .unwrap()
        .iter()
        .map(|variant| variant["size"].as_i64().unwrap())
        .sum();
    let bytes = i64::try_from(ROCKET.len() + COFFEE.len()).unwrap() + made;
    assert_eq!(usage, json!({ "images": 2, "variants": 2, "bytes": bytes }));

    let answer = delete(&ada, &image_path(&image)).await;
    let receipt = answer.headers()["deletion-receipt"].to_str().unwrap().to_owned();
    for path in [
        image_path(&image),
        format!("{}/content", image_path(&image)),
        format!("/api/v1/variants/{}", text(&variant, "id")),
        text(&variant, "url"),
        text(&accepted, "status_url"),
    ] {
        problem(ada.request(Method::GET, &path).send().await, 404, "not_found").await;
    }
    let deletion = deleted(&sandbox, &receipt).await;
    assert_eq!((&deletion["objects"], &deletion["remaining"]), (&json!(3), &json!(0)));
    assert!(deletion["finished_at"].is_string());
    assert_eq!(sandbox.stored_objects(), 1);
    let usage = ada.get("/api/v1/me").await["usage"].clone();
    assert_eq!(usage, json!({ "images": 1, "variants": 0, "bytes": COFFEE.len() }));
    assert_eq!(ada.bytes(&format!("{}/content", image_path(&other))).await, COFFEE);
    let again = ada.request(Method::DELETE, &image_path(&image)).send().await;
    problem(again, 404, "not_found").await;
}

#[tokio::test]
async fn deleting_under_queued_and_running_jobs_leaves_nothing_behind() {
    let sandbox = Sandbox::start().await;
    let ada = sandbox.register("ada").await;
    for round in 0..12 {
        let image = ada.upload(ROCKET).await;
        for width in 1..=6 {
            let spec = json!({ "resize": { "width": 100 * width }, "format": "png" });
            ada.enqueue(&image, &spec).await;
        }
        // At another moment of their work each time.
        for _ in 0..round {
            ada.get(&image_path(&image)).await;
        }
        delete(&ada, &image_path(&image)).await;
    }
    assert_eq!(ada.get("/api/v1/jobs").await["jobs"], json!([]));
    eventually(async || (sandbox.stored_objects() == 0).then_some(())).await;
    let usage = ada.get("/api/v1/me").await["usage"].clone();
    assert_eq!(usage, json!({ "images": 0, "variants": 0, "bytes": 0 }));
}

#[tokio::test]
async fn a_truncated_picture_is_taken_in_or_refused_but_never_patched_up() {
    let sandbox = Sandbox::start().await;
    let ada = sandbox.register("ada").await;
    let image = upload_raw(&ada, "", truncated()).await;
    let path = format!("{}/transform?sync=true", image_path(&text(&image, "id")));
    let request = ada.request(Method::POST, &path).json(&json!({ "resize": { "width": 9 } }));
    problem(request.send().await, 422, "image_corrupt").await;
    // What was uploaded is given back to the last byte.
    assert_eq!(ada.bytes(&text(&image, "original_url")).await, truncated());
}

#[tokio::test]
async fn a_picture_is_looked_at_in_the_background() {
    let sandbox = Sandbox::start().await;
    let ada = sandbox.register("ada").await;
    let image = ada.upload(ROCKET).await;
    let path = format!("/api/v1/images/{image}");
    let seen = eventually(async || {
        let image = ada.get(&path).await;
        (!image["thumbhash"].is_null()).then_some(image)
    })
    .await;
    let palette = seen["palette"].as_array().unwrap();
    assert!((2..=6).contains(&palette.len()), "{palette:?}");
    assert_eq!(seen["dominant_color"], palette[0]);
    assert_eq!(seen["phash"].as_str().unwrap().len(), 16);
    // It is nobody's job: nobody asked for it.
    assert_eq!(ada.get("/api/v1/jobs").await["jobs"], json!([]));
    // In a list too.
    assert_eq!(ada.get("/api/v1/images").await["images"][0]["phash"], seen["phash"]);
}

#[tokio::test]
async fn a_picture_that_can_not_be_read_is_left_alone() {
    let sandbox = Sandbox::start().await;
    let ada = sandbox.register("ada").await;
    let request = ada.request(Method::POST, "/api/v1/images").header("content-type", "image/jpeg");
    let broken = truncated();
    let broken = text(&expect(request.body(broken).send().await, StatusCode::CREATED).await, "id");
    // The next one is described: the broken one holds up nothing.
    let whole = ada.upload(ROCKET).await;
    eventually(async || {
        let image = ada.get(&format!("/api/v1/images/{whole}")).await;
        (!image["phash"].is_null()).then_some(())
    })
    .await;
    let image = ada.get(&format!("/api/v1/images/{broken}")).await;
    assert_eq!((&image["thumbhash"], &image["palette"]), (&json!(null), &json!(null)));
}
