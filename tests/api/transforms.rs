//! Transforming at once: what comes out, and that it is made once.

use std::collections::HashSet;

use darkroom::adapters::db::variants::VariantById;
use futures_util::future::join_all;
use image::{DynamicImage, GenericImageView, ImageFormat};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    pictures::{QUARTERS, quarters, transparent, truncated, turned},
    sandbox::{Account, ROCKET, Sandbox, eventually, expect, problem, text},
};

/// Uploads a picture; its id.
async fn upload(account: &Account<'_>, bytes: Vec<u8>) -> String {
    let request = account.request(Method::POST, "/api/v1/images");
    let request = request.header("content-type", "image/png").body(bytes);
    text(&expect(request.send().await, StatusCode::CREATED).await, "id")
}

/// The picture that a spec makes, checked against what the variant says of it.
async fn made(account: &Account<'_>, image: &str, spec: &Value) -> (Value, DynamicImage) {
    let variant = account.transform(image, spec).await;
    let bytes = account.bytes(&text(&variant, "url")).await;
    let format = image::guess_format(&bytes).unwrap();
    let picture = image::load_from_memory(&bytes).unwrap();
    assert_eq!(variant["size"], bytes.len(), "{spec}");
    assert_eq!(variant["mime_type"], format.to_mime_type(), "{spec}");
    assert_eq!(
        (&variant["width"], &variant["height"]),
        (&json!(picture.width()), &json!(picture.height()))
    );
    (variant, picture)
}

/// The colours of the quarters of a picture, by their middles.
fn corners(picture: &DynamicImage) -> [[u8; 3]; 4] {
    let (width, height) = picture.dimensions();
    let at = |x, y| {
        let [red, green, blue, _] = picture.get_pixel(width * x / 4, height * y / 4).0;
        [red, green, blue]
    };
    [at(1, 1), at(3, 1), at(1, 3), at(3, 3)]
}

#[tokio::test]
async fn each_operation_does_what_it_says() {
    let sandbox = Sandbox::start().await;
    let ada = sandbox.register("ada").await;
    let image = upload(&ada, quarters(80, 40, ImageFormat::Png)).await;
    let [red, green, blue, white] = QUARTERS;
    let size = async |spec: Value| made(&ada, &image, &spec).await.1.dimensions();
    let colours = async |spec: Value| corners(&made(&ada, &image, &spec).await.1);

    let resize = |fit: &str| json!({ "resize": { "width": 20, "height": 20, "fit": fit } });
    for (fit, expected) in [
        ("cover", (20, 20)),
        ("contain", (20, 20)),
        ("inside", (20, 10)),
        ("outside", (40, 20)),
        ("fill", (20, 20)),
    ] {
        assert_eq!(size(resize(fit)).await, expected, "{fit}");
    }
    assert_eq!(size(json!({ "resize": { "width": 0.5 } })).await, (40, 20));
    assert_eq!(size(json!({ "resize": { "height": 160 } })).await, (320, 160));
    assert_eq!(size(json!({ "resize": { "width": 160, "enlarge": false } })).await, (80, 40));
    let west = json!({ "resize": { "width": 20, "height": 20, "gravity": "west" } });
    assert_eq!(colours(west).await, [red, red, blue, blue]);
    let padded = json!({ "resize": { "width": 80, "height": 80, "fit": "contain", "background": "#123456" } });
    let (_, picture) = made(&ada, &image, &padded).await;
    assert_eq!(picture.get_pixel(40, 3).0, [0x12, 0x34, 0x56, 255]);

    let crop = json!({ "crop": { "x": 0, "y": 20, "width": 40, "height": 100 } });
    assert_eq!(size(crop.clone()).await, (40, 20), "what lies outside is cut off");
    assert_eq!(colours(crop).await, [blue; 4]);
    assert_eq!(size(json!({ "rotate": 90 })).await, (40, 80));
    assert_eq!(colours(json!({ "rotate": 90 })).await, [blue, red, white, green]);
    assert_eq!(colours(json!({ "rotate": -180 })).await, [white, blue, green, red]);
    let (width, height) = size(json!({ "rotate": 45 })).await;
    assert!((84..=86).contains(&width) && width == height, "{width}x{height}");
    assert_eq!(colours(json!({ "flip": true })).await, [blue, white, red, green]);
    assert_eq!(colours(json!({ "mirror": true })).await, [green, red, white, blue]);

    let grey = colours(json!({ "filters": { "grayscale": true } })).await;
    assert!(grey.iter().all(|[red, green, blue]| red == green && green == blue), "{grey:?}");
    assert!(grey[1][0] > grey[0][0] && grey[0][0] > grey[2][0], "green is bright, blue is dark");
    let sepia = colours(json!({ "filters": { "sepia": true } })).await;
    assert!(sepia[..3].iter().all(|[red, green, blue]| red > green && green > blue), "{sepia:?}");
    let (_, blurred) = made(&ada, &image, &json!({ "filters": { "blur": 4 } })).await;
    let [red, green, ..] = blurred.get_pixel(40, 5).0;
    assert!((60..=200).contains(&red) && (60..=200).contains(&green), "an edge no more");
}

#[tokio::test]
async fn each_format_is_written_and_quality_counts() {
    let sandbox = Sandbox::start().await;
    let ada = sandbox.register("ada").await;
    let rocket = ada.upload(ROCKET).await;
    for format in ["jpeg", "jpg", "png", "webp", "gif"] {
        let spec = json!({ "resize": { "width": 64 }, "format": format });
        let (variant, _) = made(&ada, &rocket, &spec).await;
        let expected = format.replace("jpg", "jpeg");
        assert_eq!(variant["mime_type"], format!("image/{expected}"));
    }
    for format in ["jpeg", "webp"] {
        let sizes = [20, 95].map(|quality| {
            let spec = json!({ "resize": { "width": 200 }, "format": format, "quality": quality });
            let (ada, rocket) = (&ada, &rocket);
            async move { ada.transform(rocket, &spec).await["size"].as_u64().unwrap() }
        });
        let [low, high] = sizes;
        assert!(low.await * 2 < high.await, "{format}");
    }
    // Nothing but the same format again.
    let (variant, picture) = made(&ada, &rocket, &json!({})).await;
    assert_eq!((&variant["mime_type"], picture.dimensions()), (&json!("image/jpeg"), (640, 427)));
    let again = upload(&ada, turned(16, 8, 6)).await;
    let (_, picture) = made(&ada, &again, &json!({ "format": "png" })).await;
    assert_eq!(picture.dimensions(), (8, 16), "the camera was held upright");

    let clear = upload(&ada, transparent(8, 8)).await;
    let (_, picture) = made(&ada, &clear, &json!({ "format": "webp" })).await;
    assert_eq!(picture.get_pixel(4, 4).0[3], 0, "alpha is kept where the format has it");
    let (_, picture) = made(&ada, &clear, &json!({ "format": "jpeg" })).await;
    assert_eq!(picture.get_pixel(4, 4).0, [255; 4], "else flattened on white");
}

#[tokio::test]
async fn auto_takes_what_the_client_says_it_can_show() {
    let sandbox = Sandbox::start().await;
    let ada = sandbox.register("ada").await;
    let (photograph, clear) = (ada.upload(ROCKET).await, upload(&ada, transparent(8, 8)).await);
    for (image, accept, expected) in [
        (&photograph, "image/avif,image/webp,*/*", "image/avif"),
        (&photograph, "image/avif;q=0,image/webp,*/*", "image/webp"),
        (&photograph, "image/webp,*/*", "image/webp"),
        (&photograph, "*/*", "image/jpeg"),
        (&photograph, "image/webp;q=0,image/*", "image/jpeg"),
        (&clear, "image/*", "image/png"),
        (&clear, "image/webp;q=0.1", "image/webp"),
    ] {
        let path = format!("/api/v1/images/{image}/transform?sync=true");
        let spec = json!({ "resize": { "width": 8 }, "format": "auto" });
        let request = ada.request(Method::POST, &path).header("accept", accept).json(&spec);
        let variant = expect(request.send().await, StatusCode::OK).await;
        assert_eq!(variant["mime_type"], expected, "{accept}");
    }
}

#[tokio::test]
async fn equal_specs_in_any_spelling_are_one_variant() {
    let sandbox = Sandbox::start().await;
    let ada = sandbox.register("ada").await;
    let image = ada.upload(ROCKET).await;
    let path = format!("/api/v1/images/{image}/transform?sync=true");
    let mut seen = HashSet::new();
    for (n, spec) in [
        json!({ "resize": { "width": 50, "height": 40 }, "filters": { "grayscale": true } }),
        json!({ "filters": { "blur": 0, "grayscale": true }, "rotate": 0, "flip": false,
                "resize": { "height": 40, "width": 50, "fit": "cover", "gravity": "center" } }),
        json!({ "operations": [{ "resize": { "width": 50, "height": 40 } },
                               { "filters": { "grayscale": true } }] }),
        json!({ "resize": { "width": 25, "height": 20, "dpr": 2 }, "format": "jpg", "quality": 80,
                "filters": { "grayscale": true }, "rotate": 360 }),
    ]
    .into_iter()
    .enumerate()
    {
        let answer = ada.request(Method::POST, &path).json(&spec).send().await.unwrap();
        let cache = answer.headers()["x-cache"].clone();
        let variant = expect(Ok(answer), StatusCode::OK).await;
        assert_eq!(cache, if n == 0 { "miss" } else { "hit" }, "{spec}");
        seen.insert((
            text(&variant, "id"),
            text(&variant, "spec_hash"),
            variant["spec"].to_string(),
        ));
    }
    assert_eq!(seen.len(), 1, "{seen:?}");
    assert_eq!(sandbox.stored_objects(), 2);
    let (id, ..) = seen.into_iter().next().unwrap();
    let listed = ada.get(&format!("/api/v1/images/{image}/variants")).await;
    assert_eq!(listed, json!({ "variants": [ada.get(&format!("/api/v1/variants/{id}")).await] }));
}

/// Equal requests at once, by both ways.
async fn at_once(sandbox: Sandbox) {
    let ada = sandbox.register("ada").await;
    let image = ada.upload(ROCKET).await;
    let spec = json!({ "resize": { "width": 300 }, "filters": { "blur": 3 } });
    let requests = (0..32).map(async |n| {
        let sync = n % 2 == 0;
        let path = format!("/api/v1/images/{image}/transform?sync={sync}");
        let answer = ada.request(Method::POST, &path).json(&spec).send().await.unwrap();
        let status = if sync { StatusCode::OK } else { StatusCode::ACCEPTED };
        let answer = expect(Ok(answer), status).await;
        (text(&answer, if sync { "id" } else { "variant_id" }), answer["job_id"].clone())
    });
    let answers = join_all(requests).await;
    let variants: HashSet<_> = answers.iter().map(|(variant, _)| variant).collect();
    assert_eq!(variants.len(), 1, "one variant, known from the first moment");
    for (_, job) in &answers {
        if let Some(job) = job.as_str() {
            assert_eq!(ada.finished(job).await["status"], "succeeded");
        }
    }
    // The original and the variant; who came between two steps of it has made it again, and that goes.
    eventually(async || (sandbox.stored_objects() == 2).then_some(())).await;
    assert_eq!(ada.get("/api/v1/me").await["usage"]["variants"], 1);
}

#[tokio::test]
async fn thirty_two_equal_requests_at_once_make_one_variant() {
    at_once(Sandbox::start().await).await;
}

#[tokio::test]
async fn thirty_two_equal_requests_at_once_make_one_variant_on_postgres() {
    at_once(Sandbox::on_postgres().await).await;
}

#[tokio::test]
async fn one_picture_is_made_into_many_at_once() {
    let sandbox = Sandbox::start().await;
    let ada = sandbox.register("ada").await;
    let image = ada.upload(ROCKET).await;
    let requests = (1..=16).map(async |width| {
        let (_, picture) = made(&ada, &image, &json!({ "resize": { "width": width } })).await;
        assert_eq!(picture.width(), width);
    });
    join_all(requests).await;
    assert_eq!(ada.get("/api/v1/me").await["usage"]["variants"], 16);
}

#[tokio::test]
async fn a_variant_deleted_and_made_again_keeps_its_bytes() {
    let sandbox = Sandbox::start().await;
    let ada = sandbox.register("ada").await;
    let image = ada.upload(ROCKET).await;
    let spec = json!({ "resize": { "width": 12 } });
    let user_id = text(&ada.issued["user"], "id").parse().unwrap();
    let services = sandbox.services();
    let object = async |variant: &Value| {
        let query = VariantById { user_id, id: text(variant, "id").parse().unwrap() };
        services.database.ask(query).await.unwrap().made.unwrap().object_key
    };
    let mut seen = HashSet::new();
    for _ in 0..20 {
        let variant = ada.transform(&image, &spec).await;
        // Under the same key, the removal of the former object might come after the new one.
        assert!(seen.insert(object(&variant).await), "an object of its own");
        let path = format!("/api/v1/variants/{}", text(&variant, "id"));
        assert!(seen.insert(path.clone()), "a new one");
        let answer = ada.request(Method::DELETE, &path).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::NO_CONTENT);
        for path in [path.clone(), format!("{path}/content")] {
            problem(ada.request(Method::GET, &path).send().await, 404, "not_found").await;
        }
        problem(ada.request(Method::DELETE, &path).send().await, 404, "not_found").await;
    }
    let variant = ada.transform(&image, &spec).await;
    eventually(async || (sandbox.stored_objects() == 2).then_some(())).await;
    assert_eq!(ada.bytes(&text(&variant, "url")).await.len(), variant["size"]);
}

#[tokio::test]
async fn content_says_why_it_is_not_there() {
    let sandbox = {
        let mut api = Sandbox::with(&[("ROLE", "api")]).await;
        api.leaves_jobs();
        api
    };
    let ada = sandbox.register("ada").await;
    let image = ada.upload(ROCKET).await;
    let accepted = ada.enqueue(&image, &json!({ "resize": { "width": 12 } })).await;
    let path = format!("/api/v1/variants/{}", text(&accepted, "variant_id"));
    let variant = ada.get(&path).await;
    assert_eq!((&variant["status"], &variant["width"]), (&json!("pending"), &Value::Null));
    let answer = ada.request(Method::GET, &format!("{path}/content")).send().await;
    problem(answer, 409, "variant_not_ready").await;

    let corrupt = upload(&ada, truncated()).await;
    let transform = format!("/api/v1/images/{corrupt}/transform?sync=true");
    let spec = json!({ "resize": { "width": 12 } });
    for _ in 0..2 {
        let answer = ada.request(Method::POST, &transform).json(&spec).send().await;
        problem(answer, 422, "image_corrupt").await;
    }
    let variants = ada.get(&format!("/api/v1/images/{corrupt}/variants")).await;
    let variant = &variants["variants"][0];
    assert_eq!(variant["status"], "failed");
    let answer = ada.request(Method::GET, &text(variant, "url")).send().await;
    problem(answer, 422, "image_corrupt").await;
}

#[tokio::test]
async fn what_can_not_be_done_is_said() {
    let sandbox = Sandbox::start().await;
    let ada = sandbox.register("ada").await;
    let image = ada.upload(ROCKET).await;
    let transform = async |spec: Value| {
        let path = format!("/api/v1/images/{image}/transform?sync=true");
        ada.request(Method::POST, &path).json(&spec).send().await
    };
    let outside = json!({ "crop": { "x": 640, "y": 0, "width": 5, "height": 5 } });
    problem(transform(outside).await, 422, "transform_impossible").await;
    let large = json!({ "resize": { "width": 8000, "height": 8000 } });
    problem(transform(large).await, 422, "image_too_large").await;
    for (spec, pointer) in [
        (json!({ "resize": { "width": 0 } }), "/resize/width"),
        (json!({ "resize": { "widht": 5 } }), "/resize/widht"),
        (json!({ "resize": {} }), "/resize"),
        (json!({ "format": "heic" }), "/format"),
        (json!({ "webhook_url": "https://example.org/" }), "/webhook_url"),
    ] {
        let fault = problem(transform(spec).await, 400, "validation_failed").await;
        assert_eq!(fault["errors"][0]["pointer"], pointer, "{fault}");
    }
    let grace = sandbox.register("grace").await;
    let path = format!("/api/v1/images/{image}/transform");
    problem(grace.request(Method::POST, &path).json(&json!({})).send().await, 404, "not_found")
        .await;
}
