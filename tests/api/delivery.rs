//! Pictures by URL: who may see them, what the answers say, and that each is made once.

use std::{collections::HashSet, fs, path::PathBuf};

use futures_util::future::join_all;
use image::ImageFormat;
use reqwest::{Method, RequestBuilder, Response, StatusCode, header::HeaderMap};
use serde_json::{Value, json};
use sqlx::{Connection, SqliteConnection};

use crate::{
    pictures::{quarters, truncated},
    sandbox::{Account, ROCKET, Sandbox, eventually, expect, problem, stored_files, text},
};

const UNKNOWN: &str = "0199c2f0-7a3e-7c51-b0d4-3f1f6c2a9e10";

async fn upload(account: &Account<'_>, bytes: Vec<u8>, filename: &str) -> String {
    let path = format!("/api/v1/images?filename={filename}");
    let request = account.request(Method::POST, &path).header("content-type", "image/png");
    text(&expect(request.body(bytes).send().await, StatusCode::CREATED).await, "id")
}

async fn patch(account: &Account<'_>, image: &str, body: Value) {
    let request = account.request(Method::PATCH, &format!("/api/v1/images/{image}"));
    expect(request.json(&body).send().await, StatusCode::OK).await;
}

/// Says what may be asked for unsigned.
async fn allow(account: &Account<'_>, settings: Value) {
    let request = account.request(Method::PUT, "/api/v1/me/delivery");
    expect(request.json(&settings).send().await, StatusCode::OK).await;
}

async fn preset(account: &Account<'_>, name: &str, spec: Value) {
    let request = account.request(Method::PUT, &format!("/api/v1/presets/{name}"));
    let answer = request.json(&spec).send().await.unwrap();
    assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
}

/// A public picture of an account that allows everything.
pub async fn open(account: &Account<'_>) -> String {
    allow(account, json!({ "allowed": [], "strict": false })).await;
    let image = account.upload(ROCKET).await;
    patch(account, &image, json!({ "public": true })).await;
    image
}

async fn signed(account: &Account<'_>, image: &str, body: Value) -> String {
    let path = format!("/api/v1/images/{image}/sign");
    text(&account.post(&path, &body, StatusCode::OK).await, "url")
}

fn get(sandbox: &Sandbox, path: &str) -> RequestBuilder {
    sandbox.request(Method::GET, path)
}

async fn sent(request: RequestBuilder) -> Response {
    request.send().await.unwrap()
}

fn told(headers: &HeaderMap, name: &str) -> String {
    let values = headers.get_all(name).iter().map(|value| value.to_str().unwrap());
    values.collect::<Vec<_>>().join(", ")
}

/// Gets a picture; its headers and its bytes.
async fn picture(request: RequestBuilder) -> (HeaderMap, Vec<u8>) {
    let answer = sent(request).await;
    let (status, headers) = (answer.status(), answer.headers().clone());
    let bytes = answer.bytes().await.unwrap().to_vec();
    assert_eq!(status, StatusCode::OK, "{}", String::from_utf8_lossy(&bytes));
    (headers, bytes)
}

#[tokio::test]
async fn what_was_made_for_an_answer_is_told_also_where_its_plan_changed_meanwhile() {
    let sandbox = Sandbox::start().await;
    let ada = sandbox.register("ada").await;
    let image = open(&ada).await;
    let services = sandbox.services();
    let before = services.transformer.painted();
    let change = async {
        eventually(async || (services.transformer.painted() > before).then_some(())).await;
        patch(&ada, &image, json!({ "tags": ["new"] })).await;
    };
    let asked = picture(get(&sandbox, &format!("/i/w_600,q_90/{image}.avif")));
    let ((headers, _), ()) = tokio::join!(asked, change);
    assert_eq!(told(&headers, "x-cache"), "miss");
    assert!(told(&headers, "server-timing").contains("encode;dur="));
    assert_eq!(services.transformer.painted(), before + 1);
}

/// Two sizes of a picture whose file is lost after the first; the status of the second.
async fn lost_between(sandbox: &Sandbox) -> StatusCode {
    let ada = sandbox.register("ada").await;
    let image = open(&ada).await;
    picture(get(sandbox, &format!("/i/w_50/{image}.png"))).await;
    let is_original = |file: &PathBuf| fs::read(file).is_ok_and(|bytes| bytes == ROCKET);
    let original = stored_files(sandbox.data_dir()).into_iter().find(is_original).unwrap();
    fs::remove_file(original).unwrap();
    sent(get(sandbox, &format!("/i/w_60/{image}.png"))).await.status()
}

#[tokio::test]
async fn the_file_of_a_picture_is_fetched_once_for_many_sizes() {
    assert_eq!(lost_between(&Sandbox::start().await).await, StatusCode::OK);
    // A quarter of it is less than the file.
    for memory in ["0", "64KiB"] {
        let kept_nowhere = Sandbox::with(&[("CACHE_MEMORY", memory)]).await;
        let status = lost_between(&kept_nowhere).await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{memory}");
    }
}

#[tokio::test]
async fn a_signed_link_shows_a_private_picture() {
    let sandbox = Sandbox::start().await;
    let ada = sandbox.register("ada").await;
    let image = ada.upload(ROCKET).await;
    let body = json!({ "transformation": "c_fill,w_60,h_40", "ext": "png" });
    let url = signed(&ada, &image, body).await;
    let (headers, bytes) = picture(get(&sandbox, &url)).await;
    assert_eq!(told(&headers, "content-type"), "image/png");
    let made = image::load_from_memory(&bytes).unwrap();
    assert_eq!((made.width(), made.height()), (60, 40));

    // What is signed is what stands there, and nothing else.
    let other = url.replace("w_60", "w_61");
    problem(get(&sandbox, &other).send().await, 403, "signature_invalid").await;
    let other = format!("{url}?exp=4000000000");
    problem(get(&sandbox, &other).send().await, 403, "signature_invalid").await;
    let (before, after) = url.split_once("--/").unwrap();
    let other = format!("{before}x--/{after}");
    problem(get(&sandbox, &other).send().await, 403, "signature_invalid").await;
    // A wrong one is wrong whether or not there is such a picture.
    let other = url.replace(&image, UNKNOWN);
    problem(get(&sandbox, &other).send().await, 403, "signature_invalid").await;
    // What counts for nothing changes nothing.
    let (_, again) = picture(get(&sandbox, &format!("{url}?_a=BAMAB&utm_source=x"))).await;
    assert_eq!(again, bytes);
}

#[tokio::test]
async fn a_key_signs_for_its_own_account_and_until_it_is_deleted() {
    let sandbox = Sandbox::start().await;
    let (ada, bob) = (sandbox.register("ada").await, sandbox.register("bob").await);
    let (hers, his) = (ada.upload(ROCKET).await, bob.upload(ROCKET).await);
    let key =
        ada.post("/api/v1/signing-keys", &json!({ "name": "one" }), StatusCode::CREATED).await;
    let (id, secret) = (text(&key, "id"), text(&key, "secret"));
    let link = |image: &str, exp: &str| {
        let file = format!("{image}.jpg");
        let signed =
            darkroom::adapters::signature::Signed { transformation: "w_50", file: &file, exp };
        let query = if exp.is_empty() { String::new() } else { format!("?exp={exp}") };
        format!("/i/s--{}--/w_50/{file}{query}", signed.sign(&id, &secret))
    };
    picture(get(&sandbox, &link(&hers, ""))).await;
    problem(get(&sandbox, &link(&his, "")).send().await, 404, "not_found").await;
    problem(get(&sandbox, &link(UNKNOWN, "")).send().await, 404, "not_found").await;
    let (headers, _) = picture(get(&sandbox, &link(&hers, "4000000000"))).await;
    let kept = told(&headers, "cache-control");
    let seconds: i64 = kept.strip_prefix("public, max-age=").unwrap().parse().unwrap();
    assert!(seconds > 1_000_000_000 && seconds < 4_000_000_000, "{kept}");
    problem(get(&sandbox, &link(&hers, "1000000000")).send().await, 403, "signature_expired").await;
    problem(get(&sandbox, &link(&hers, "soon")).send().await, 403, "signature_expired").await;

    // Another key beside it, and then instead of it.
    let url = signed(&ada, &hers, json!({ "transformation": "w_50", "ext": "jpg" })).await;
    assert!(url.contains(&id), "the newest key signs");
    ada.post("/api/v1/signing-keys", &json!({ "name": "two" }), StatusCode::CREATED).await;
    let newer = signed(&ada, &hers, json!({ "transformation": "w_50", "ext": "jpg" })).await;
    assert!(!newer.contains(&id));
    picture(get(&sandbox, &url)).await;
    let delete = ada.request(Method::DELETE, &format!("/api/v1/signing-keys/{id}"));
    assert_eq!(sent(delete).await.status(), StatusCode::NO_CONTENT);
    problem(get(&sandbox, &url).send().await, 403, "signature_invalid").await;
    picture(get(&sandbox, &newer)).await;
}

#[tokio::test]
async fn unsigned_only_what_is_public_and_allowed_is_shown() {
    let sandbox = Sandbox::start().await;
    let ada = sandbox.register("ada").await;
    let image = ada.upload(ROCKET).await;
    let at = |transformation: &str| format!("/i/{transformation}/{image}.jpg");

    // Private, unknown, and no name of a picture at all are one and the same.
    let mut answers = HashSet::new();
    for path in [at("w_50"), format!("/i/w_50/{UNKNOWN}.jpg"), "/i/w_50/x.jpg".to_owned()] {
        let mut told = problem(get(&sandbox, &path).send().await, 404, "not_found").await;
        told.as_object_mut().unwrap().remove("request_id");
        answers.insert(told.to_string());
    }
    assert_eq!(answers.len(), 1, "{answers:?}");

    patch(&ada, &image, json!({ "public": true })).await;
    problem(get(&sandbox, &at("w_50")).send().await, 403, "signature_invalid").await;
    problem(get(&sandbox, &format!("/i/{image}.jpg")).send().await, 403, "signature_invalid").await;
    let nonsense = problem(get(&sandbox, &at("w_50,zz_1")).send().await, 400, "validation_failed");
    assert!(nonsense.await["detail"].as_str().unwrap().contains("zz"));
    problem(get(&sandbox, &at("t_none")).send().await, 400, "validation_failed").await;

    preset(&ada, "small", json!({ "resize": { "width": 40 } })).await;
    let (_, bytes) = picture(get(&sandbox, &at("t_small"))).await;
    assert_eq!(image::load_from_memory(&bytes).unwrap().width(), 40);
    // A preset before something else is something else.
    for chain in ["t_small/e_sepia", "t_small/t_small"] {
        problem(get(&sandbox, &at(chain)).send().await, 403, "signature_invalid").await;
    }
    // Whatever it means now.
    preset(&ada, "small", json!({ "resize": { "width": 30 } })).await;
    let (_, bytes) = picture(get(&sandbox, &at("t_small"))).await;
    assert_eq!(image::load_from_memory(&bytes).unwrap().width(), 30);

    allow(&ada, json!({ "allowed": ["c_fill,w_50,h_50", "t_small/e_sepia"], "strict": true }))
        .await;
    picture(get(&sandbox, &at("c_fill,w_50,h_50"))).await;
    picture(get(&sandbox, &at("h_50,w_50,c_fill"))).await;
    picture(get(&sandbox, &at("t_small/e_sepia"))).await;
    problem(get(&sandbox, &at("c_fill,w_51,h_50")).send().await, 403, "signature_invalid").await;

    allow(&ada, json!({ "allowed": [], "strict": false })).await;
    picture(get(&sandbox, &at("w_51"))).await;
    picture(get(&sandbox, &format!("/i/{image}"))).await;
    problem(get(&sandbox, &format!("/i/w_9/{image}.psd")).send().await, 400, "validation_failed")
        .await;
    // But no private picture is shown over it.
    let secret = ada.upload(ROCKET).await;
    let over = at(&format!("l_{secret},w_20"));
    problem(get(&sandbox, &over).send().await, 422, "transform_impossible").await;
    let body = json!({ "transformation": format!("l_{secret},w_20"), "ext": "jpg" });
    picture(get(&sandbox, &signed(&ada, &image, body).await)).await;
    patch(&ada, &secret, json!({ "public": true })).await;
    picture(get(&sandbox, &over)).await;
}

#[tokio::test]
async fn what_is_taken_back_is_not_shown_any_more() {
    let sandbox = Sandbox::start().await;
    let ada = sandbox.register("ada").await;
    let image = open(&ada).await;
    let path = format!("/i/w_50/{image}.jpg");
    picture(get(&sandbox, &path)).await;
    patch(&ada, &image, json!({ "public": false })).await;
    problem(get(&sandbox, &path).send().await, 404, "not_found").await;
    patch(&ada, &image, json!({ "public": true })).await;
    picture(get(&sandbox, &path)).await;

    let purge = ada.request(Method::POST, &format!("/api/v1/images/{image}/purge"));
    assert_eq!(sent(purge).await.status(), StatusCode::NO_CONTENT);
    let (headers, _) = picture(get(&sandbox, &path)).await;
    assert_eq!(told(&headers, "x-cache"), "miss", "it was made anew");

    let delete = ada.request(Method::DELETE, &format!("/api/v1/images/{image}"));
    assert_eq!(sent(delete).await.status(), StatusCode::NO_CONTENT);
    problem(get(&sandbox, &path).send().await, 404, "not_found").await;
    // Nothing of it is left on the disk.
    let cache = sandbox.data_dir().join("cache");
    eventually(async || (!holds(&cache, &image)).then_some(())).await;
}

/// Whether some file or directory below `directory` bears the name.
fn holds(directory: &std::path::Path, name: &str) -> bool {
    let Ok(entries) = std::fs::read_dir(directory) else { return false };
    entries.flatten().any(|entry| {
        entry.file_name().to_string_lossy().contains(name) || holds(&entry.path(), name)
    })
}

#[tokio::test]
async fn answers_say_what_caches_and_browsers_have_to_know() {
    let sandbox = Sandbox::start().await;
    let ada = sandbox.register("ada").await;
    let image = open(&ada).await;
    let path = format!("/i/c_fill,w_60,h_40/{image}.jpg");
    let (headers, bytes) = picture(get(&sandbox, &path)).await;
    let first = told(&headers, "server-timing");
    for step in ["decode;dur=", "resize;dur=", "encode;dur="] {
        assert!(first.contains(step), "{first}");
    }
    assert_eq!(told(&headers, "x-cache"), "miss");
    let (headers, again) = picture(get(&sandbox, &path)).await;
    assert_eq!(bytes, again);
    for (name, expected) in [
        ("x-cache", "hit"),
        ("server-timing", ""),
        ("content-type", "image/jpeg"),
        ("cache-control", "public, max-age=31536000, immutable"),
        ("accept-ranges", "bytes"),
        ("x-content-type-options", "nosniff"),
        ("access-control-allow-origin", "*"),
        ("cross-origin-resource-policy", "cross-origin"),
        ("link", &format!("<{path}>; rel=\"canonical\"")),
        ("vary", ""),
        ("cache-tag", &image),
        ("accept-ch", ""),
        ("content-disposition", ""),
        ("set-cookie", ""),
        ("content-length", &bytes.len().to_string()),
    ] {
        assert_eq!(told(&headers, name), *expected, "{name}");
    }
    let (etag, modified) = (told(&headers, "etag"), told(&headers, "last-modified"));
    assert!(etag.starts_with('"') && etag.len() == 66, "{etag}");

    let with = |name: &str, value: &str| get(&sandbox, &path).header(name, value);
    for held in [
        with("if-none-match", &etag),
        with("if-none-match", &format!("\"x\", W/{etag}")),
        with("if-none-match", "*"),
        with("if-modified-since", &modified),
        with("if-none-match", &etag).header("if-modified-since", "Thu, 01 Jan 1970 00:00:00 GMT"),
        with("if-none-match", &etag).header("range", "bytes=0-1"),
    ] {
        let answer = sent(held).await;
        assert_eq!(answer.status(), StatusCode::NOT_MODIFIED);
        assert_eq!(told(answer.headers(), "etag"), etag);
        assert_eq!(told(answer.headers(), "cache-control"), "public, max-age=31536000, immutable");
        assert!(answer.bytes().await.unwrap().is_empty());
    }
    for other in [
        with("if-none-match", "\"x\"").header("if-modified-since", &modified),
        with("if-modified-since", "Thu, 01 Jan 1970 00:00:00 GMT"),
        with("if-modified-since", "yesterday"),
        // Other bytes may have been there in between.
        with("if-modified-since", "Tue, 01 Jan 2199 00:00:00 GMT"),
        with("range", "bytes=0-1").header("if-range", "\"x\""),
        with("range", "bytes=0-1").header("if-range", format!("W/{etag}")),
        with("range", "bytes=0-1,4-5"),
    ] {
        assert_eq!(picture(other).await.1, bytes);
    }
    for part in [
        with("range", "bytes=5-9"),
        with("range", "bytes=5-9").header("if-range", &etag),
        with("range", "bytes=5-9").header("if-range", &modified),
    ] {
        let answer = sent(part).await;
        assert_eq!(answer.status(), StatusCode::PARTIAL_CONTENT);
        let range = format!("bytes 5-9/{}", bytes.len());
        assert_eq!(told(answer.headers(), "content-range"), range);
        assert_eq!(answer.bytes().await.unwrap(), bytes[5..10]);
    }
    let answer = with("range", "bytes=9999999-").send().await;
    let size = format!("bytes */{}", bytes.len());
    assert_eq!(told(answer.as_ref().unwrap().headers(), "content-range"), size);
    problem(answer, 416, "range_not_satisfiable").await;

    let answer = sent(sandbox.request(Method::HEAD, &path).header("range", "bytes=0-1")).await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(told(answer.headers(), "content-length"), bytes.len().to_string());
    assert_eq!(told(answer.headers(), "etag"), etag);
    assert!(answer.bytes().await.unwrap().is_empty());

    let preflight = sandbox.request(Method::OPTIONS, &path);
    let answer = sent(preflight.header("access-control-request-method", "GET")).await;
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    assert_eq!(told(answer.headers(), "access-control-allow-methods"), "GET, HEAD");
    problem(sandbox.request(Method::POST, &path).send().await, 405, "method_not_allowed").await;

    // An error is for whoever may see pictures, is kept by nobody and does nothing.
    let answer = sent(get(&sandbox, "/i/w_1/x.jpg")).await;
    for (name, expected) in [
        ("cache-control", "no-store"),
        ("content-security-policy", "default-src 'none'; sandbox"),
        ("access-control-allow-origin", "*"),
        ("x-content-type-options", "nosniff"),
    ] {
        assert_eq!(told(answer.headers(), name), expected, "{name}");
    }
}

#[tokio::test]
async fn a_picture_can_be_saved_under_a_name() {
    let sandbox = Sandbox::start().await;
    let ada = sandbox.register("ada").await;
    open(&ada).await;
    let bytes = quarters(8, 8, ImageFormat::Png);
    let image = upload(&ada, bytes, "%C3%9Cber%22%0Auns.jpeg").await;
    patch(&ada, &image, json!({ "public": true })).await;
    for (query, expected) in [
        ("dl=1", "attachment; filename=\"_beruns.webp\"; filename*=UTF-8''%C3%9Cberuns.webp"),
        ("dl=my%20cat.gif", "attachment; filename=\"my cat.webp\""),
        ("dl=..%2F..%2Fetc%2Fpasswd", "attachment; filename=\"passwd.webp\""),
        ("dl=%0d%0aX-Evil:%201", "attachment; filename=\"X-Evil 1.webp\""),
        ("dl=0", ""),
    ] {
        let (headers, _) = picture(get(&sandbox, &format!("/i/w_4/{image}.webp?{query}"))).await;
        assert_eq!(told(&headers, "content-disposition"), expected, "{query}");
        let link = format!("</i/w_4/{image}.webp>; rel=\"canonical\"");
        assert_eq!(told(&headers, "link"), link);
    }
}

#[tokio::test]
async fn what_is_left_open_is_settled_by_who_asks() {
    let sandbox = Sandbox::start().await;
    let ada = sandbox.register("ada").await;
    let image = open(&ada).await;
    let ask = |transformation: &str, headers: &[(&str, &str)]| {
        let request = get(&sandbox, &format!("/i/{transformation}/{image}"));
        headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))
    };
    let kind = async |accept: &str| {
        let (headers, _) = picture(ask("w_40,f_auto", &[("accept", accept)])).await;
        assert_eq!(told(&headers, "vary"), "Accept");
        told(&headers, "content-type")
    };
    assert_eq!(kind("image/avif,image/webp,*/*").await, "image/avif");
    assert_eq!(kind("image/webp,image/avif;q=0").await, "image/webp");
    assert_eq!(kind("image/*,*/*;q=0.8").await, "image/jpeg");

    let width = async |transformation: &str, headers: &[(&str, &str)]| {
        let (headers, bytes) = picture(ask(transformation, headers)).await;
        (image::load_from_memory(&bytes).unwrap().width(), told(&headers, "vary"))
    };
    let vary = |names: &str| names.to_owned();
    assert_eq!(width("w_40,dpr_auto", &[]).await, (40, vary("Sec-CH-DPR, Save-Data")));
    assert_eq!(width("w_40,dpr_auto", &[("sec-ch-dpr", "1.8")]).await.0, 80);
    // What has no word in `Vary` must not count.
    assert_eq!(width("w_40,dpr_auto", &[("dpr", "2")]).await.0, 40);
    assert_eq!(width("c_limit,w_auto", &[("sec-ch-width", "120")]).await.0, 200);
    assert_eq!(width("c_limit,w_auto", &[]).await, (640, vary("Sec-CH-Width")));
    let (headers, _) = picture(ask("c_limit,w_auto,dpr_auto", &[])).await;
    assert_eq!(told(&headers, "accept-ch"), "Sec-CH-DPR, Sec-CH-Width");
    let (headers, much) = picture(ask("w_400,q_auto", &[])).await;
    assert_eq!(told(&headers, "vary"), "Save-Data");
    let (_, little) = picture(ask("w_400,q_auto", &[("save-data", "on")])).await;
    assert!(little.len() < much.len(), "{} of {}", little.len(), much.len());
}

#[tokio::test]
async fn a_picture_is_made_once_however_many_ask() {
    let sandbox = Sandbox::start().await;
    let ada = sandbox.register("ada").await;
    let image = open(&ada).await;
    let before = sandbox.stored_objects();
    let path = format!("/i/w_300,e_sepia/{image}.jpg");
    let asked = join_all((0..200).map(|_| picture(get(&sandbox, &path)))).await;
    let answers: HashSet<_> = asked.into_iter().map(|(_, bytes)| bytes).collect();
    assert_eq!(answers.len(), 1);
    let variants = format!("/api/v1/images/{image}/variants");
    let ready = eventually(async || {
        let variants = ada.get(&variants).await;
        (variants["variants"][0]["status"] == "ready").then_some(variants)
    });
    assert_eq!(ready.await["variants"].as_array().unwrap().len(), 1);
    assert_eq!(sandbox.stored_objects(), before + 1);
    // The API names the same picture.
    let spec = json!({ "resize": { "width": 300, "fit": "fill" }, "filters": { "sepia": 80 } });
    let answer = ada.request(Method::POST, &format!("/api/v1/images/{image}/transform?sync=true"));
    let answer = sent(answer.json(&spec)).await;
    assert_eq!(told(answer.headers(), "x-cache"), "hit");
}

#[tokio::test]
async fn what_was_stored_is_not_made_again() {
    let sandbox = Sandbox::with(&[("CACHE_MEMORY", "0"), ("CACHE_DISK", "0")]).await;
    let ada = sandbox.register("ada").await;
    let image = open(&ada).await;
    let path = format!("/i/w_70/{image}.jpg");
    let (first, bytes) = picture(get(&sandbox, &path)).await;
    assert_eq!(told(&first, "x-cache"), "miss");
    let hit = eventually(async || {
        let (headers, again) = picture(get(&sandbox, &path)).await;
        assert_eq!(again, bytes);
        (told(&headers, "x-cache") == "hit").then_some(headers)
    });
    assert_eq!(told(&hit.await, "etag"), told(&first, "etag"));
}

#[tokio::test]
async fn what_an_earlier_engine_made_is_shown_until_it_is_made_anew() {
    let variables = [("CACHE_MEMORY", "0"), ("CACHE_DISK", "0"), ("TRANSFORM_THREADS", "1")];
    let sandbox = Sandbox::with(&variables).await;
    let ada = sandbox.register("ada").await;
    let image = open(&ada).await;
    let path = format!("/i/w_70/{image}.png");
    let (_, bytes) = picture(get(&sandbox, &path)).await;
    let status =
        async || ada.get(&format!("/api/v1/images/{image}/variants")).await["variants"][0].clone();
    eventually(async || (status().await["status"] == "ready").then_some(())).await;
    let engine = status().await["engine"].as_i64().unwrap();
    let file = format!("sqlite://{}", sandbox.data_dir().join("darkroom.db").display());
    let mut database = SqliteConnection::connect(&file).await.unwrap();
    sqlx::query("UPDATE variants SET engine = engine - 1").execute(&mut database).await.unwrap();
    database.close().await.unwrap();

    // What is made anew beside the answer waits for its turn, so that the answer is the first.
    let transformer = sandbox.services().transformer.clone();
    let everything = transformer.admit_job(&[u64::MAX; 2]).await.unwrap();
    let (headers, old) = picture(get(&sandbox, &path)).await;
    assert_eq!(old, bytes);
    assert_eq!(told(&headers, "x-cache"), "hit");
    assert!(told(&headers, "cache-control").contains("stale-while-revalidate"));
    drop(everything);
    eventually(async || {
        (status().await["engine"] == engine && status().await["status"] == "ready").then_some(())
    })
    .await;
    let fresh = eventually(async || {
        let (headers, _) = picture(get(&sandbox, &path)).await;
        (!told(&headers, "cache-control").contains("stale")).then_some(headers)
    });
    assert_eq!(told(&fresh.await, "x-cache"), "hit");
}

#[tokio::test]
async fn something_else_is_shown_for_what_can_not_be() {
    let sandbox = Sandbox::start().await;
    let ada = sandbox.register("ada").await;
    let broken = upload(&ada, truncated(), "broken").await;
    patch(&ada, &broken, json!({ "public": true })).await;
    allow(&ada, json!({ "allowed": [], "strict": false })).await;
    let path = format!("/i/c_fill,w_50,h_50/{broken}.png");
    problem(get(&sandbox, &path).send().await, 422, "image_corrupt").await;
    // Known from then on.
    problem(get(&sandbox, &path).send().await, 422, "image_corrupt").await;

    let instead = upload(&ada, quarters(80, 80, ImageFormat::Png), "instead").await;
    let settings = json!({ "allowed": [], "strict": false, "fallback_image_id": instead });
    allow(&ada, settings).await;
    let (headers, bytes) = picture(get(&sandbox, &path)).await;
    assert_eq!(told(&headers, "x-fallback"), "image_corrupt");
    assert!(told(&headers, "cache-control").starts_with("public, max-age=60"));
    let shown = image::load_from_memory(&bytes).unwrap();
    assert_eq!((shown.width(), shown.height()), (50, 50));
    // For a picture that is not there too, if it is the account that has signed for it.
    let gone = ada.upload(ROCKET).await;
    let url = signed(&ada, &gone, json!({ "transformation": "w_20", "ext": "png" })).await;
    let delete = ada.request(Method::DELETE, &format!("/api/v1/images/{gone}"));
    assert_eq!(sent(delete).await.status(), StatusCode::NO_CONTENT);
    let (headers, _) = picture(get(&sandbox, &url)).await;
    assert_eq!(told(&headers, "x-fallback"), "not_found");
    problem(get(&sandbox, &format!("/i/w_20/{gone}.png")).send().await, 404, "not_found").await;
    // Nothing is shown with it that would not be shown by itself.
    let secret = ada.upload(ROCKET).await;
    let over = format!("/i/l_{secret},w_20/{broken}.png");
    problem(get(&sandbox, &over).send().await, 422, "transform_impossible").await;
    let ended = ada.post("/api/v1/signing-keys", &json!({}), StatusCode::CREATED).await;
    let file = format!("{gone}.png");
    let parts =
        darkroom::adapters::signature::Signed { transformation: "w_20", file: &file, exp: "1000" };
    let signature = parts.sign(&text(&ended, "id"), &text(&ended, "secret"));
    let url = format!("/i/s--{signature}--/w_20/{file}?exp=1000");
    problem(get(&sandbox, &url).send().await, 403, "signature_expired").await;
    // What is asked for wrongly is told.
    let nonsense = format!("/i/w_0/{broken}.png");
    problem(get(&sandbox, &nonsense).send().await, 400, "validation_failed").await;
}

#[tokio::test]
async fn whoever_prefers_not_to_wait_is_sent_to_a_job() {
    let sandbox = Sandbox::start().await;
    let ada = sandbox.register("ada").await;
    let image = open(&ada).await;
    let client = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    let body = json!({ "transformation": "w_600,e_blur:400", "ext": "avif" });
    let path = signed(&ada, &image, body).await;
    let ask = || client.get(format!("{}{path}", sandbox.url));
    // Only who was given a link may leave work behind.
    let unsigned = client.get(format!("{}/i/w_500,e_blur:300/{image}.jpg", sandbox.url));
    let answer = sent(unsigned.header("prefer", "respond-async, wait=0")).await;
    assert_eq!(answer.status(), StatusCode::OK);
    let answer = sent(ask().header("prefer", "respond-async, wait=0")).await;
    assert_eq!(answer.status(), StatusCode::FOUND);
    assert_eq!(told(answer.headers(), "preference-applied"), "respond-async");
    assert_eq!(told(answer.headers(), "cache-control"), "no-store");
    assert!(!told(answer.headers(), "retry-after").is_empty());
    let place = told(answer.headers(), "location");
    let job = ada.finished(place.rsplit('/').next().unwrap()).await;
    assert_eq!(job["status"], "succeeded", "{job}");
    assert_eq!(sent(ask()).await.status(), StatusCode::OK);
    // What is there is shown, whatever is preferred.
    let answer = sent(ask().header("prefer", "respond-async")).await;
    assert_eq!(answer.status(), StatusCode::OK);
}

#[tokio::test]
async fn every_link_that_cloudinarys_own_builder_makes_is_understood() {
    let sandbox = Sandbox::start().await;
    let ada = sandbox.register("ada").await;
    open(&ada).await;
    let image = upload(&ada, quarters(240, 180, ImageFormat::Png), "small").await;
    patch(&ada, &image, json!({ "public": true })).await;
    let rows: Vec<Value> = serde_json::from_str(include_str!("../url_gen/expected.json")).unwrap();
    assert!(rows.len() > 150);
    let (sandbox, image) = (&sandbox, &image);
    let mut shown = 0;
    for some in rows.chunks(8) {
        let some = join_all(some.iter().map(|row| async move {
            let transformation = text(row, "url");
            let path = format!("/i/{transformation}/{image}.png?_a=BAMABkWU0");
            let answer = sent(get(sandbox, &path)).await;
            let status = answer.status().as_u16();
            // Some ask for what this picture has not: one laid over it that is nobody's here, letters that no font has.
            let expected: &[u16] = if row.get("spec").is_some() { &[200, 422] } else { &[400] };
            let told = answer.headers()["content-type"].to_str().unwrap().to_owned();
            assert!(expected.contains(&status), "{transformation}: {status}, {told}");
            usize::from(status == 200)
        }));
        shown += some.await.into_iter().sum::<usize>();
    }
    let meant = rows.iter().filter(|row| row.get("spec").is_some()).count();
    assert!(shown * 10 > meant * 9, "{shown} of {meant}");
}
