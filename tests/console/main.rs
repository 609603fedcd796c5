//! The console as a visitor has it: in a real browser, and mostly by the keyboard.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod browser;
#[path = "../api/sandbox.rs"]
#[allow(dead_code)]
mod sandbox;

use fantoccini::{Locator, key::Key};
use serde_json::json;

use crate::{
    browser::{Browser, Page},
    sandbox::{PASSWORD, Sandbox, eventually},
};

const ROCKET: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/pictures/rocket.jpg");

/// Waits for the picture of a figure to be shown; its size in pixels.
async fn shown(page: &Page, figure: &str) -> (u64, u64) {
    let picture = format!("#{figure}[data-state=ready] img");
    page.wait_for(&picture).await;
    let size =
        "const { complete, naturalWidth, naturalHeight } = document.querySelector(arguments[0]);
                return complete ? [naturalWidth, naturalHeight] : [0, 0]";
    let decoded = eventually(async || {
        let size = page.execute(size, vec![json!(picture)]).await.unwrap();
        let (width, height) = (size[0].as_u64()?, size[1].as_u64()?);
        (width > 0).then_some((width, height))
    });
    decoded.await
}

async fn the_main_job(page: &Page, url: &str) {
    page.goto(url).await.unwrap();
    page.wait_for("#door:not([hidden])").await;

    // Nobody of that name yet: said, and nothing else happens.
    page.fill("username", "ada").await;
    page.fill("password", PASSWORD).await;
    page.press("sign-in", Key::Enter).await;
    page.wait_for("#error:not([hidden])").await;
    page.press("register", Key::Enter).await;
    page.wait_for("#room:not([hidden])").await;
    page.wait_for("#error[hidden]").await;

    page.element("file").await.send_keys(ROCKET).await.unwrap();
    assert_eq!(shown(page, "original").await, (640, 427));

    page.fill("width", "120").await;
    page.fill("height", "80").await;
    page.element("format").await.send_keys("webp").await.unwrap();
    let spec = page.element("spec").await.prop("value").await.unwrap().unwrap();
    let spec: serde_json::Value = serde_json::from_str(&spec).unwrap();
    assert_eq!(spec["resize"], json!({ "width": 120, "height": 80, "fit": "cover" }));
    assert_eq!(spec["format"], "webp");
    // Control and Enter run what is set, from wherever one is.
    let keys = format!("{}{}", Key::Control, Key::Enter);
    page.element("spec").await.send_keys(&keys).await.unwrap();
    assert_eq!(shown(page, "result").await, (120, 80));

    page.fill("width", "90").await;
    page.press("run-job", Key::Enter).await;
    page.wait_for("#job-state[data-state=succeeded]").await;
    assert_eq!(shown(page, "result").await, (90, 80));
    page.wait_for("#error[hidden]").await;

    // What was set is kept, and stands in a URL that is signed.
    page.find(Locator::Css("#presets-kept summary")).await.unwrap().click().await.unwrap();
    page.fill("preset-name", "small").await;
    page.press("keep-preset", Key::Enter).await;
    page.wait_for("#kept li").await;
    page.press("sign-url", Key::Enter).await;
    page.wait_for("#signed:not([hidden])").await;
    let url = page.element("signed-url").await.attr("href").await.unwrap().unwrap();
    assert!(url.contains("/i/s--") && url.contains("--/t_small/"), "{url}");
    page.find(Locator::Css("#signing-keys summary")).await.unwrap().click().await.unwrap();
    page.wait_for("#keys li").await;
    page.wait_for("#error[hidden]").await;

    // Whoever comes back is still signed in, and finds what was left.
    page.refresh().await.unwrap();
    page.wait_for("#room:not([hidden])").await;
    page.wait_for("#pictures li button").await;
}

#[tokio::test]
async fn a_picture_is_uploaded_and_transformed_at_once_and_in_the_background() {
    let sandbox = Sandbox::start().await;
    let browser = Browser::start().await;
    browser.visit(async |page| the_main_job(page, &sandbox.url).await).await;
}

impl Page {
    /// The control with that test id.
    async fn element(&self, id: &str) -> fantoccini::elements::Element {
        let selector = format!("[data-testid={id}]");
        self.find(Locator::Css(&selector)).await.unwrap_or_else(|error| panic!("{id}: {error}"))
    }

    /// Presses a key on a control.
    async fn press(&self, id: &str, key: Key) {
        self.element(id).await.send_keys(&key.to_string()).await.unwrap();
    }

    /// Types over what a control has.
    async fn fill(&self, id: &str, text: &str) {
        let keys = format!("{}a{}{text}", Key::Control, Key::Null);
        self.element(id).await.send_keys(&keys).await.unwrap();
    }

    /// Waits until something is there.
    async fn wait_for(&self, selector: &str) {
        let found =
            self.wait().at_most(browser::PATIENCE).for_element(Locator::Css(selector)).await;
        if found.is_err() {
            let error = self.find(Locator::Css("#error")).await.unwrap().text().await.unwrap();
            panic!("{selector} never came; the page's error is {error:?}");
        }
    }
}
