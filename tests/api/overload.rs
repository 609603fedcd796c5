//! More work than can be done in time: who is refused, how, and who is not.

use std::{collections::BTreeMap, io::Cursor, time::Duration};

use darkroom::{
    domain::{ids::UserId, limits::Limits, transform::Spec},
    imaging::{Cost, predict, probe},
};
use futures_util::{FutureExt, StreamExt, stream::FuturesUnordered};
use image::{ImageFormat, RgbImage};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

use crate::sandbox::{Account, ROCKET, Sandbox, eventually, expect, problem, text};

/// One thread, and a minute for each picture.
const SETTINGS: [(&str, &str); 3] =
    [("TRANSFORM_THREADS", "1"), ("TRANSFORM_TIMEOUT", "60s"), ("DRAIN_TIMEOUT", "70s")];

async fn user(account: &Account<'_>) -> UserId {
    text(&account.get("/api/v1/me").await, "id").parse().unwrap()
}

/// Uploads a picture and waits until it was looked at: nothing else is under way then.
async fn upload(account: &Account<'_>, bytes: Vec<u8>) -> String {
    let request = account.request(Method::POST, "/api/v1/images");
    let request = request.header("content-type", "image/png").body(bytes);
    let image = text(&expect(request.send().await, StatusCode::CREATED).await, "id");
    let path = format!("/api/v1/images/{image}");
    eventually(async || account.get(&path).await["thumbhash"].is_string().then_some(())).await;
    image
}

fn transform(account: &Account<'_>, image: &str, spec: &Value) -> RequestBuilder {
    let path = format!("/api/v1/images/{image}/transform?sync=true");
    account.request(Method::POST, &path).json(spec)
}

/// After how many seconds a refusal says to try again.
async fn refused(request: RequestBuilder) -> u64 {
    let answer = request.send().await.unwrap();
    let seconds = answer.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    problem(Ok(answer), 503, "overloaded").await;
    seconds
}

#[tokio::test]
async fn who_can_not_be_served_in_time_is_told_when_and_others_are_served() {
    let sandbox = Sandbox::with(&SETTINGS).await;
    let (ada, grace) = (sandbox.register("ada").await, sandbox.register("grace").await);
    let hers = upload(&ada, ROCKET.to_vec()).await;
    let others = upload(&grace, ROCKET.to_vec()).await;
    let spec = |width: u32| json!({ "resize": { "width": width } });
    let ready = ada.transform(&hers, &spec(10)).await;

    // As if ada waited for so much already.
    let transformer = sandbox.services().transformer.clone();
    let much = Cost { memory: 0, time: Duration::from_secs(70) };
    let place = transformer.admit(user(&ada).await, &[1], much).await.unwrap();
    let painted = transformer.painted();
    let (waiting, wait) = transformer.load();
    assert_eq!(waiting, 1);
    let told = refused(transform(&ada, &hers, &spec(20))).await;
    assert!(told >= 1 && Duration::from_secs(told) >= wait && told <= wait.as_secs() + 1, "{told}");
    assert_eq!(transformer.painted(), painted, "it was not begun");
    // What is there is there.
    assert_eq!(ada.transform(&hers, &spec(10)).await["id"], ready["id"]);
    // Others have their turn, and jobs are done.
    for width in [20, 30] {
        grace.transform(&others, &spec(width)).await;
    }
    let job = ada.enqueue(&hers, &spec(30)).await;
    ada.finished(&text(&job, "job_id")).await;

    drop(place);
    ada.transform(&hers, &spec(20)).await;
    assert_eq!(transformer.load(), (0, Duration::ZERO));
}

#[tokio::test]
async fn a_job_that_waits_holds_up_nobody_who_asks_for_the_same_picture() {
    let sandbox = Sandbox::with(&SETTINGS).await;
    let ada = sandbox.register("ada").await;
    let image = upload(&ada, ROCKET.to_vec()).await;
    let spec = json!({ "resize": { "width": 20 } });

    // Another job waits for all the room that there is for originals, and those behind it with it.
    let transformer = sandbox.services().transformer.clone();
    let little = transformer.admit_job(&[1]).await.unwrap();
    let mut all = Box::pin(transformer.admit_job(&[u64::MAX, u64::MAX]));
    assert!(all.as_mut().now_or_never().is_none());
    let job = text(&ada.enqueue(&image, &spec).await, "job_id");
    let path = format!("/api/v1/jobs/{job}");
    eventually(async || (ada.get(&path).await["status"] == "running").then_some(())).await;

    let variant = ada.transform(&image, &spec).await;
    assert_eq!(
        (ada.get(&path).await["status"].clone(), transformer.painted()),
        ("running".into(), 1)
    );
    drop((all, little));
    assert_eq!(ada.finished(&job).await["status"], "succeeded");
    assert_eq!(ada.transform(&image, &spec).await["id"], variant["id"]);
}

#[tokio::test]
async fn a_flood_is_refused_before_any_of_it_is_made_and_what_was_admitted_is_made() {
    let sandbox = Sandbox::with(&SETTINGS).await;
    let (ada, grace) = (sandbox.register("ada").await, sandbox.register("grace").await);
    // Noise, so that it takes its time.
    let mut state = 1_u32;
    let noise = RgbImage::from_fn(1200, 1000, |_, _| {
        image::Rgb([0, 8, 16].map(|shift| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            u8::try_from((state >> (8 + shift)) & 255).unwrap()
        }))
    });
    let mut file = Cursor::new(Vec::new());
    noise.write_to(&mut file, ImageFormat::Png).unwrap();
    let file = file.into_inner();
    let slow = |number: u32| json!({ "crop": { "width": 1200 - number, "height": 1000 }, "format": "webp", "lossless": true });
    let hers = upload(&ada, file.clone()).await;
    let others = upload(&grace, ROCKET.to_vec()).await;

    // So much waits that there is time for two more.
    let transformer = sandbox.services().transformer.clone();
    let limits = Limits::default();
    let probe = probe(Cursor::new(&file), &limits).unwrap();
    let spec = Spec::parse(&slow(0)).unwrap();
    let Cost { time, .. } = predict(&spec, &probe, &BTreeMap::new(), &limits).unwrap();
    let ada_id = user(&ada).await;
    let ten = Cost { memory: 0, time: Duration::from_secs(10) };
    let place = transformer.admit(ada_id, &[1], ten).await.unwrap();
    let factor = transformer.load().1.as_secs_f64() / 10.0;
    drop(place);
    let much = Duration::from_secs_f64(60.0 / factor) - time.mul_f64(2.5);
    let place = transformer.admit(ada_id, &[1], Cost { memory: 0, time: much }).await.unwrap();

    // There is no room for their files, so that none is begun before all have asked: what has been begun counts for less.
    let full = [limits.upload_size, limits.upload_size - 1];
    let full = transformer.admit_job(&full).await.unwrap();

    let flood: FuturesUnordered<_> =
        (0..8).map(|number| transform(&ada, &hers, &slow(number)).send()).collect();
    let mut flood = flood.map(|answer| answer.unwrap());
    for _ in 0..6 {
        let answer = flood.next().await.unwrap();
        assert!(answer.headers().contains_key("retry-after"));
        problem(Ok(answer), 503, "overloaded").await;
    }
    drop(full);
    grace.transform(&others, &json!({ "resize": { "width": 20 } })).await;
    for _ in 0..2 {
        expect(Ok(flood.next().await.unwrap()), StatusCode::OK).await;
    }
    drop(place);
}
