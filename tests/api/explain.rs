//! What would be done is told, and is what is done then.

use image::ImageFormat;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    pictures::transparent,
    sandbox::{Account, ROCKET, Sandbox, expect, problem, text},
};

const EXPLAIN: &str = "/api/v1/transforms/explain";

async fn explain(account: &Account<'_>, body: Value) -> Value {
    account.post(EXPLAIN, &body, StatusCode::OK).await
}

async fn refused(account: &Account<'_>, body: Value, status: u16, code: &str) -> Value {
    problem(account.request(Method::POST, EXPLAIN).json(&body).send().await, status, code).await
}

/// Where the faults of what was refused are.
async fn faults(account: &Account<'_>, body: Value) -> Vec<String> {
    let problem = refused(account, body, 400, "validation_failed").await;
    problem["errors"].as_array().unwrap().iter().map(|fault| text(fault, "pointer")).collect()
}

fn with(mut spec: Value, name: &str, value: Value) -> Value {
    spec[name] = value;
    spec
}

#[tokio::test]
async fn what_is_told_is_what_is_done_then() {
    let sandbox = Sandbox::with(&[("RATE_LIMIT_TRANSFORMS", "2")]).await;
    let ada = sandbox.register("ada").await;
    let id = ada.upload(ROCKET).await;
    for spec in [
        json!({"resize": {"width": 100}, "filters": {"sepia": 50}, "quality": 70}),
        json!({"resize": {"width": 50, "height": 60}, "rotate": 90, "format": "webp"}),
    ] {
        let stored = sandbox.stored_objects();
        let told = explain(&ada, with(spec.clone(), "image_id", json!(id))).await;
        let again = explain(&ada, with(spec.clone(), "image_id", json!(id))).await;
        assert_eq!(told, again, "nothing was made, and it does not count");
        assert_eq!(sandbox.stored_objects(), stored);
        let made = ada.transform(&id, &spec).await;
        for field in ["spec", "spec_hash", "width", "height"] {
            assert_eq!(told[field], made[field], "{field}");
        }
        assert_eq!(made["mime_type"], format!("image/{}", text(&told, "format")));
        assert!(told["cost"]["memory_bytes"].as_u64().unwrap() > 1 << 20, "{told}");
        assert!(told["cost"]["cpu_ms"].as_f64().unwrap() > 0.0, "{told}");
        assert_eq!(told["warnings"], json!([]));
    }
    let told = explain(&ada, json!({"image_id": id, "resize": {"width": 100}})).await;
    let steps = told["steps"].as_array().unwrap();
    let names: Vec<String> = steps.iter().map(|step| text(step, "name")).collect();
    assert_eq!(names, ["decode", "upright", "resize", "encode"]);
    assert!(text(&steps[0], "detail").contains("pixels become one"), "{told}");
    assert_eq!(steps[1]["skipped"], true);
    assert_eq!((&steps[2]["width"], &steps[2]["height"]), (&json!(100), &json!(67)));
    assert_eq!(told["quality"], 80);
}

#[tokio::test]
async fn a_spec_alone_and_a_picture_that_is_only_described_will_do() {
    let sandbox = Sandbox::start().await;
    let ada = sandbox.register("ada").await;
    let told = explain(&ada, json!({"resize": {"width": 100}, "flip": false})).await;
    assert_eq!(told["spec"], json!({"resize": {"width": 100}}));
    for field in ["format", "quality", "width", "height", "steps", "cost"] {
        assert_eq!(told[field], json!(null), "{field}");
    }
    let url = explain(&ada, json!({"transformation": "w_100"})).await;
    assert_eq!(url, told);
    let put =
        ada.request(Method::PUT, "/api/v1/presets/small").json(&json!({"resize": {"width": 100}}));
    expect(put.send().await, StatusCode::CREATED).await;
    assert_eq!(explain(&ada, json!({"transformation": "t_small"})).await, told);
    // What depends on who is looking can't be kept under a name, and stands beside it.
    for transformation in ["w_auto", "w_5,dpr_auto"] {
        let put = ada.request(Method::PUT, "/api/v1/presets/auto");
        let put = put.json(&json!({"transformation": transformation})).send().await;
        let problem = problem(put, 400, "validation_failed").await;
        assert_eq!(problem["errors"][0]["pointer"], "/transformation");
    }
    let beside = explain(&ada, json!({"transformation": "w_auto/t_small"})).await;
    assert_eq!(beside["spec"], told["spec"]);

    let of = |source: Value| json!({"transformation": "w_2000,f_auto,q_auto", "source": source});
    let told = explain(&ada, of(json!({"width": 1000, "height": 500}))).await;
    assert_eq!((&told["width"], &told["height"]), (&json!(2000), &json!(1000)));
    assert_eq!((&told["format"], &told["quality"]), (&json!("jpeg"), &json!("auto")));
    assert_eq!(told["warnings"], json!(["resize makes 1000 × 500 larger, for 2000 × 1000"]));
    let veiled = json!({"width": 9, "height": 9, "format": "png", "has_alpha": true});
    assert_eq!(explain(&ada, of(veiled)).await["format"], "png");
    // Who asks says what is accepted, as when it is made.
    let body = of(json!({"width": 1000, "height": 500}));
    let request = ada.request(Method::POST, EXPLAIN).header("accept", "image/webp").json(&body);
    assert_eq!(expect(request.send().await, StatusCode::OK).await["format"], "webp");

    let request = ada.request(Method::POST, "/api/v1/images").header("content-type", "image/png");
    let veiled = expect(request.body(transparent(9, 9)).send().await, StatusCode::CREATED).await;
    let flat =
        json!({"image_id": text(&veiled, "id"), "format": ImageFormat::Jpeg.extensions_str()[0]});
    let told = explain(&ada, flat).await;
    let warning = told["warnings"][0].as_str().unwrap();
    assert!(warning.starts_with("what is transparent is laid on #ffffff"), "{told}");
}

#[tokio::test]
async fn what_is_wrong_is_told_with_its_place() {
    let sandbox = Sandbox::start().await;
    let (ada, bob) = (sandbox.register("ada").await, sandbox.register("bob").await);
    let id = ada.upload(ROCKET).await;
    let source = json!({"width": 9, "height": 9});
    for (body, pointers) in [
        (json!({"resize": {"width": 0}, "nonsense": 1}), &["/nonsense", "/resize/width"][..]),
        (json!({"transformation": "w_0/q_x"}), &["/transformation", "/transformation"]),
        (json!({"transformation": "w_5", "flip": true}), &["/flip"]),
        (json!({"transformation": 5}), &["/transformation"]),
        (json!({"image_id": 5}), &["/image_id"]),
        (json!({"image_id": id, "source": source}), &["/source"]),
        (json!({"source": 5}), &["/source"]),
        (
            json!({"source": {"width": 0, "format": "jpeg2000", "frame": 2}}),
            &["/source/format", "/source/frame", "/source/height", "/source/width"],
        ),
        (json!({"watermark": {"image_id": uuid::Uuid::now_v7()}}), &["/watermark/image_id"]),
        (json!({"transformation": format!("l_{}", uuid::Uuid::now_v7())}), &["/transformation"]),
    ] {
        let mut found = faults(&ada, body.clone()).await;
        found.sort();
        assert_eq!(found, pointers, "{body}");
    }
    refused(&bob, json!({"image_id": id}), 404, "not_found").await;
    refused(&ada, json!({"image_id": "nothing"}), 404, "not_found").await;
    let large = json!({"source": {"width": 8001, "height": 9}});
    refused(&ada, large, 422, "image_too_large").await;
    let grown = json!({"image_id": id, "resize": {"width": 8000}, "rotate": 45});
    refused(&ada, grown, 422, "image_too_large").await;
    let outside = json!({"source": source, "crop": {"width": 2, "height": 2, "x": 9, "y": 0}});
    refused(&ada, outside, 422, "transform_impossible").await;
    let nobody = sandbox.request(Method::POST, EXPLAIN).json(&json!({})).send().await;
    problem(nobody, 401, "unauthenticated").await;
}

#[tokio::test]
async fn a_key_stands_for_one_question() {
    let sandbox = Sandbox::start().await;
    let ada = sandbox.register("ada").await;
    let ask = |body: Value| {
        ada.request(Method::POST, EXPLAIN).header("idempotency-key", "k").json(&body).send()
    };
    let first = expect(ask(json!({"flip": true})).await, StatusCode::OK).await;
    assert_eq!(expect(ask(json!({"flip": true})).await, StatusCode::OK).await, first);
    problem(ask(json!({"mirror": true})).await, 409, "idempotency_conflict").await;
}
