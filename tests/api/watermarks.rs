//! Pictures laid over pictures: whose they may be, and what happens when they go; and what else of a spec depends on the
//! account or on the deployment.

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::{
    pictures::{QUARTERS, quarters},
    sandbox::{Account, ROCKET, Sandbox, expect, problem, text},
};

/// Uploads four coloured quarters; the image's id.
async fn mark(account: &Account<'_>) -> String {
    let request = account.request(Method::POST, "/api/v1/images");
    let request = request.header("content-type", "image/png");
    let request = request.body(quarters(40, 20, image::ImageFormat::Png));
    text(&expect(request.send().await, StatusCode::CREATED).await, "id")
}

#[tokio::test]
async fn an_account_lays_its_own_pictures_over_its_own() {
    let sandbox = Sandbox::start().await;
    let ada = sandbox.register("ada").await;
    let (rocket, mark) = (ada.upload(ROCKET).await, mark(&ada).await);
    let spec = json!({
        "resize": { "width": 200 }, "format": "png",
        "watermark": { "image_id": mark, "gravity": "northwest", "x": 10, "y": 5 },
    });
    let variant = ada.transform(&rocket, &spec).await;
    let picture = image::load_from_memory(&ada.bytes(&text(&variant, "url")).await).unwrap();
    let picture = picture.into_rgb8();
    for ((x, y), colour) in [(20, 10), (40, 10), (20, 20), (40, 20)].into_iter().zip(QUARTERS) {
        assert_eq!(picture.get_pixel(x, y).0, colour, "{x}, {y}");
    }
    // As a job too, and by a text.
    let mut spec = spec;
    spec["watermark"]["opacity"] = json!(0.5);
    let job = ada.enqueue(&rocket, &spec).await;
    assert_eq!(ada.finished(&text(&job, "job_id")).await["status"], "succeeded");
    spec["watermark"] = json!({ "text": "© Ada", "size": 30 });
    let job = ada.enqueue(&rocket, &spec).await;
    assert_eq!(ada.finished(&text(&job, "job_id")).await["status"], "succeeded");
}

#[tokio::test]
async fn the_pictures_of_others_do_not_exist() {
    let sandbox = Sandbox::start().await;
    let (ada, eve) = (sandbox.register("ada").await, sandbox.register("eve").await);
    let (rocket, mark) = (eve.upload(ROCKET).await, mark(&ada).await);
    let nobodys = "0198c0de-0000-7000-8000-000000000000";
    for id in [mark.as_str(), nobodys] {
        let spec = json!({ "operations": [{ "flip": true }, { "watermark": { "image_id": id } }] });
        for query in ["", "?sync=true"] {
            let path = format!("/api/v1/images/{rocket}/transform{query}");
            let answer = eve.request(Method::POST, &path).json(&spec).send().await;
            let refused = problem(answer, 400, "validation_failed").await;
            assert_eq!(refused["errors"][0]["pointer"], "/operations/1/watermark/image_id");
            assert_eq!(refused["errors"][0]["detail"], "there is no such image");
        }
        let eager = json!([{}, { "watermark": { "image_id": id } }]).to_string();
        let eager =
            percent_encoding::utf8_percent_encode(&eager, percent_encoding::NON_ALPHANUMERIC);
        let request = eve.request(Method::POST, &format!("/api/v1/images?eager={eager}"));
        let answer = request.header("content-type", "image/jpeg").body(ROCKET).send().await;
        let refused = problem(answer, 400, "validation_failed").await;
        assert_eq!(refused["errors"][0]["pointer"], "/eager/1/watermark/image_id");
    }
}

#[tokio::test]
async fn a_job_whose_mark_was_deleted_fails_at_once() {
    let mut sandbox = Sandbox::on_postgres_with(&[("ROLE", "api")]).await;
    sandbox.leaves_jobs();
    let ada = sandbox.register("ada").await;
    let (rocket, mark) = (ada.upload(ROCKET).await, mark(&ada).await);
    let spec = json!({ "resize": { "width": 50 }, "watermark": { "image_id": mark } });
    let job = ada.enqueue(&rocket, &spec).await;
    let gone = ada.request(Method::DELETE, &format!("/api/v1/images/{mark}")).send().await.unwrap();
    assert_eq!(gone.status(), StatusCode::NO_CONTENT);
    let _worker = sandbox.beside(&[("ROLE", "worker")]).await;
    let job = ada.finished(&text(&job, "job_id")).await;
    assert_eq!((&job["status"], &job["attempts"]), (&json!("failed"), &json!(1)));
    assert_eq!(job["error"]["code"], "transform_impossible");
    assert!(text(&job["error"], "detail").contains(&mark));
}

#[tokio::test]
async fn marks_have_their_share_of_the_memory_and_no_more() {
    let size = ROCKET.len().to_string();
    let sandbox = Sandbox::with(&[("MAX_UPLOAD_SIZE", &size), ("TRANSFORM_THREADS", "1")]).await;
    let ada = sandbox.register("ada").await;
    let (rocket, marks) =
        (ada.upload(ROCKET).await, [ada.upload(ROCKET).await, ada.upload(ROCKET).await]);
    let spec = |marks: &[String]| {
        let marks = marks.iter().map(|id| json!({ "watermark": { "image_id": id, "scale": 0.1 } }));
        json!({ "operations": marks.collect::<Vec<_>>() })
    };
    ada.transform(&rocket, &spec(&marks[..1])).await;
    let path = format!("/api/v1/images/{rocket}/transform?sync=true");
    let answer = ada.request(Method::POST, &path).json(&spec(&marks)).send().await;
    let refused = problem(answer, 422, "image_too_large").await;
    let detail = text(&refused, "detail");
    for bytes in [3 * ROCKET.len(), 2 * ROCKET.len()] {
        assert!(detail.contains(&format!("{bytes}")), "{detail}");
    }
    let job = ada.enqueue(&rocket, &spec(&marks)).await;
    let job = ada.finished(&text(&job, "job_id")).await;
    assert_eq!((&job["error"]["code"], &job["attempts"]), (&json!("image_too_large"), &json!(1)));
}

#[tokio::test]
async fn a_focus_is_what_smart_cuts_keep() {
    let sandbox = Sandbox::start().await;
    let ada = sandbox.register("ada").await;
    let image = mark(&ada).await;
    let path = format!("/api/v1/images/{image}");
    let focus = json!({ "focus": { "x": 1, "y": 0 } });
    expect(ada.request(Method::PATCH, &path).json(&focus).send().await, StatusCode::OK).await;
    let spec = json!({ "crop": { "width": 10, "height": 8, "gravity": "smart" } });
    let variant = ada.transform(&image, &spec).await;
    let picture = image::load_from_memory(&ada.bytes(&text(&variant, "url")).await).unwrap();
    assert!(picture.into_rgb8().pixels().all(|pixel| pixel.0 == QUARTERS[1]));
}

#[tokio::test]
async fn the_deployment_says_what_is_dear_when_a_spec_does_not() {
    let sandbox = Sandbox::with(&[("TRANSFORM_PROFILE", "fast")]).await;
    let ada = sandbox.register("ada").await;
    let image = ada.upload(ROCKET).await;
    let resize = json!({ "width": 60 });
    let fast = ada.transform(&image, &json!({ "resize": resize })).await;
    assert_eq!(fast["spec"]["profile"], "fast");
    let same = ada.transform(&image, &json!({ "resize": resize, "profile": "fast" })).await;
    assert_eq!(same["id"], fast["id"]);
    let best = ada.transform(&image, &json!({ "resize": resize, "profile": "best" })).await;
    assert_eq!(best["spec"], json!({ "resize": resize }));
    assert_ne!(best["id"], fast["id"]);
}

#[tokio::test]
async fn every_format_is_written_and_taken_in_again() {
    let sandbox = Sandbox::start().await;
    let ada = sandbox.register("ada").await;
    let rocket = ada.upload(ROCKET).await;
    for (format, mime_type) in [
        ("jpeg", "image/jpeg"),
        ("png", "image/png"),
        ("webp", "image/webp"),
        ("gif", "image/gif"),
        ("avif", "image/avif"),
        ("tiff", "image/tiff"),
        ("bmp", "image/bmp"),
        ("ico", "image/x-icon"),
        ("qoi", "image/qoi"),
    ] {
        let spec = json!({ "resize": { "width": 48 }, "format": format });
        let variant = ada.transform(&rocket, &spec).await;
        assert_eq!((&variant["mime_type"], &variant["width"]), (&json!(mime_type), &json!(48)));
        let bytes = ada.bytes(&text(&variant, "url")).await;
        let request = ada.request(Method::POST, "/api/v1/images");
        let request = request.header("content-type", "image/*").body(bytes);
        let image = expect(request.send().await, StatusCode::CREATED).await;
        assert_eq!((&image["mime_type"], &image["height"]), (&json!(mime_type), &json!(32)));
        // Without a format it stays what it is.
        let variant = ada.transform(&text(&image, "id"), &json!({ "flip": true })).await;
        assert_eq!(variant["mime_type"], mime_type);
    }
}
