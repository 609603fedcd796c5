//! Transformations with names, and what may be asked for unsigned.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::sandbox::{Account, ROCKET, Sandbox, expect, problem, text};

const PRESETS: &str = "/api/v1/presets";
const SETTINGS: &str = "/api/v1/me/delivery";

async fn put(account: &Account<'_>, path: &str, body: &Value, status: StatusCode) -> Value {
    expect(account.request(Method::PUT, path).json(body).send().await, status).await
}

/// Where a request is at fault, and how.
async fn faults(account: &Account<'_>, path: &str, body: &Value) -> Vec<(String, String)> {
    let answer = account.request(Method::PUT, path).json(body).send().await;
    let told = problem(answer, 400, "validation_failed").await;
    let errors = told["errors"].as_array().unwrap();
    errors.iter().map(|fault| (text(fault, "pointer"), text(fault, "detail"))).collect()
}

fn pointers(faults: &[(String, String)]) -> Vec<&str> {
    faults.iter().map(|(pointer, _)| pointer.as_str()).collect()
}

#[tokio::test]
async fn a_name_is_given_changed_and_taken_back() {
    let sandbox = Sandbox::start().await;
    let (ada, eve) = (sandbox.register("ada").await, sandbox.register("eve").await);
    let path = format!("{PRESETS}/card_2-X");
    let spec = json!({ "resize": { "width": 300 }, "rotate": 0, "format": "auto" });
    let made = put(&ada, &path, &spec, StatusCode::CREATED).await;
    assert_eq!(made["name"], "card_2-X");
    assert_eq!(made["spec"], json!({ "resize": { "width": 300 }, "format": "auto" }));
    assert_eq!(made["created_at"], made["updated_at"]);
    assert_eq!(ada.get(&path).await, made);

    let url_form = json!({ "transformation": "c_fill,w_300,h_200/e_sepia:50/f_auto,q_auto" });
    let replaced = put(&ada, &path, &url_form, StatusCode::OK).await;
    assert_eq!(replaced["created_at"], made["created_at"]);
    assert_ne!(replaced["updated_at"], made["updated_at"]);
    let spec = &replaced["spec"];
    assert_eq!((&spec["format"], &spec["quality"]), (&json!("auto"), &json!("auto")));
    // What is shown can be put.
    let again = put(&ada, &path, spec, StatusCode::OK).await;
    assert_eq!(again["spec"], *spec);

    put(&ada, &format!("{PRESETS}/a"), &json!({}), StatusCode::CREATED).await;
    let listed = ada.get(PRESETS).await;
    let names = listed["presets"].as_array().unwrap().iter().map(|preset| text(preset, "name"));
    assert_eq!(names.collect::<Vec<_>>(), ["a", "card_2-X"]);
    assert_eq!(eve.get(PRESETS).await, json!({ "presets": [] }));
    problem(eve.request(Method::GET, &path).send().await, 404, "not_found").await;
    problem(eve.request(Method::DELETE, &path).send().await, 404, "not_found").await;

    let delete = || ada.request(Method::DELETE, &path).send();
    assert_eq!(delete().await.unwrap().status(), StatusCode::NO_CONTENT);
    problem(delete().await, 404, "not_found").await;
    problem(ada.request(Method::GET, &path).send().await, 404, "not_found").await;
}

#[tokio::test]
async fn a_preset_that_can_not_be_is_refused_with_all_its_faults() {
    let sandbox = Sandbox::start().await;
    let (ada, eve) = (sandbox.register("ada").await, sandbox.register("eve").await);
    let theirs = eve.upload(ROCKET).await;
    let path = format!("{PRESETS}/card");
    let long = format!("{PRESETS}/{}", "x".repeat(65));
    for (path, body, expected) in [
        (&path, json!({ "resize": { "width": 0 }, "colour": 1 }), vec!["/resize/width", "/colour"]),
        (&long, json!({ "flip": 1 }), vec!["/name", "/flip"]),
        (&format!("{PRESETS}/a.b"), json!({}), vec!["/name"]),
        (&path, json!({ "transformation": "w_0/e_x" }), vec!["/transformation", "/transformation"]),
        (&path, json!({ "transformation": "t_other" }), vec!["/transformation"]),
        (&path, json!({ "transformation": "c_limit,w_auto" }), vec!["/transformation"]),
        (&path, json!({ "transformation": "w_300,dpr_auto" }), vec!["/transformation"]),
        (&path, json!({ "transformation": 7, "flip": true }), vec!["/flip", "/transformation"]),
        (&path, json!({ "transformation": "w_1,".repeat(501) }), vec!["/transformation"]),
        (&path, json!({ "watermark": { "image_id": theirs } }), vec!["/watermark/image_id"]),
        (
            &path,
            json!({ "transformation": format!("l_{theirs}/fl_layer_apply") }),
            vec!["/transformation"],
        ),
    ] {
        let mut found = faults(&ada, path, &body).await;
        found.sort();
        let mut expected = expected;
        expected.sort_unstable();
        assert_eq!(pointers(&found), expected, "{body}: {found:?}");
    }
    problem(ada.request(Method::PUT, &path).body("{").send().await, 400, "malformed_request").await;
    assert_eq!(ada.get(PRESETS).await, json!({ "presets": [] }));
    // The same of one's own.
    let own = ada.upload(ROCKET).await;
    put(&ada, &path, &json!({ "watermark": { "image_id": own } }), StatusCode::CREATED).await;
    let layer = json!({ "transformation": format!("l_{own}/fl_layer_apply") });
    put(&ada, &path, &layer, StatusCode::OK).await;
}

#[tokio::test]
async fn a_preset_is_small_and_all_of_them_are_bounded() {
    let sandbox = Sandbox::start().await;
    let ada = sandbox.register("ada").await;
    let text = |length: usize| json!({ "watermark": { "text": "x".repeat(length) } });
    let many = |number: usize, length: usize| json!({ "operations": vec![text(length); number] });
    let path = |name: &str| format!("{PRESETS}/{name}");
    let found = faults(&ada, &path("large"), &many(64, 200)).await;
    assert_eq!(pointers(&found), [""]);
    assert!(found[0].1.contains("at most 8192"), "{found:?}");

    let large = put(&ada, &path("p0"), &many(30, 200), StatusCode::CREATED).await;
    let size = large["spec"].to_string().len();
    assert!((4096..=8192).contains(&size), "{size}");
    let fit = (256 << 10) / size;
    for number in 1..fit {
        let path = path(&format!("p{number}"));
        put(&ada, &path, &many(30, 200), StatusCode::CREATED).await;
    }
    let more = ada.request(Method::PUT, &path("more")).json(&many(30, 200)).send().await;
    let told = problem(more, 429, "quota_exceeded").await;
    assert!(told["detail"].as_str().unwrap().contains("262144 bytes together"), "{told}");
    put(&ada, &path("p0"), &many(30, 200), StatusCode::OK).await;
}

#[tokio::test]
async fn an_account_says_what_may_be_asked_for_unsigned() {
    let sandbox = Sandbox::start().await;
    let (ada, eve) = (sandbox.register("ada").await, sandbox.register("eve").await);
    let unsaid = json!({ "allowed": [], "strict": true, "fallback_image_id": null });
    assert_eq!(ada.get(SETTINGS).await, unsaid);
    let own = ada.upload(ROCKET).await;
    put(&ada, &format!("{PRESETS}/card"), &json!({ "flip": true }), StatusCode::CREATED).await;
    let settings = json!({
        "allowed": ["w_300", "t_card/f_auto", format!("l_{own}/fl_layer_apply")],
        "strict": false, "fallback_image_id": own,
    });
    assert_eq!(put(&ada, SETTINGS, &settings, StatusCode::OK).await, settings);
    assert_eq!(ada.get(SETTINGS).await, settings);
    assert_eq!(eve.get(SETTINGS).await, unsaid);

    // All of it is replaced: what is left out is unsaid.
    let one = put(&ada, SETTINGS, &json!({ "allowed": ["w_1"] }), StatusCode::OK).await;
    assert_eq!(one, json!({ "allowed": ["w_1"], "strict": true, "fallback_image_id": null }));
    assert_eq!(put(&ada, SETTINGS, &json!({}), StatusCode::OK).await, unsaid);

    let theirs = eve.upload(ROCKET).await;
    let bad = json!({
        "allowed": ["w_300", "w_x", "t_none", "", format!("l_{theirs}/fl_layer_apply")],
        "fallback_image_id": theirs,
    });
    let found = faults(&ada, SETTINGS, &bad).await;
    let expected = ["/allowed/1", "/allowed/2", "/allowed/3", "/allowed/4", "/fallback_image_id"];
    assert_eq!(pointers(&found), expected, "{found:?}");
    assert!(found[1].1.contains("t_none"), "{found:?}");
    let bad = json!({ "allowed": vec!["w_1"; 101], "strict": 1, "fallback_image_id": "x", "b": 1 });
    let found = faults(&ada, SETTINGS, &bad).await;
    assert_eq!(pointers(&found), ["/allowed", "/strict", "/fallback_image_id", "/b"]);
    assert!(found[0].1.contains("at most 100"), "{found:?}");
    assert_eq!(ada.get(SETTINGS).await, unsaid);
}

#[tokio::test]
async fn a_fallback_that_is_deleted_is_none() {
    let sandbox = Sandbox::start().await;
    let ada = sandbox.register("ada").await;
    let image = ada.upload(ROCKET).await;
    let settings = json!({ "allowed": ["w_1"], "fallback_image_id": image });
    put(&ada, SETTINGS, &settings, StatusCode::OK).await;
    let gone = ada.request(Method::DELETE, &format!("/api/v1/images/{image}")).send().await;
    assert_eq!(gone.unwrap().status(), StatusCode::NO_CONTENT);
    let left = json!({ "allowed": ["w_1"], "strict": true, "fallback_image_id": null });
    assert_eq!(ada.get(SETTINGS).await, left);
}
