//! Input that is wrong: each is told what is wrong with it, and costs nobody else anything.

use futures_util::StreamExt;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::sandbox::{Account, ROCKET, Sandbox, expect, problem, stored_files, text};

const IMAGES: &str = "/api/v1/images";
/// Of the sandboxes here; what passes it need not be large then.
const MAX_UPLOAD: usize = 400_000;
const FORM: &str = "multipart/form-data; boundary=b";
const JPEG: &str = "image/jpeg";
const JSON: &str = "application/json";

/// A request, and what it is told.
struct Case {
    name: &'static str,
    method: Method,
    path: String,
    content_type: &'static str,
    body: Vec<u8>,
    /// Without a Content-Length.
    chunked: bool,
    status: u16,
    code: &'static str,
    /// Pointers of its faults, in any order.
    faults: &'static [&'static str],
    /// What a detail says.
    says: &'static str,
}

impl Case {
    fn new(
        name: &'static str,
        (method, path): (Method, &str),
        (content_type, body): (&'static str, impl Into<Vec<u8>>),
        (status, code): (u16, &'static str),
    ) -> Self {
        let (path, body) = (path.to_owned(), body.into());
        let (chunked, faults, says) = (false, &[][..], "");
        Self { name, method, path, content_type, body, chunked, status, code, faults, says }
    }

    fn chunked(mut self) -> Self {
        self.chunked = true;
        self
    }

    fn faults(mut self, faults: &'static [&'static str]) -> Self {
        self.faults = faults;
        self
    }

    fn says(mut self, says: &'static str) -> Self {
        self.says = says;
        self
    }

    async fn check(&self, account: &Account<'_>) {
        let mut request = account.request(self.method.clone(), &self.path);
        if !self.content_type.is_empty() {
            request = request.header("content-type", self.content_type);
        }
        let request = if self.chunked {
            let pieces: Vec<_> =
                self.body.chunks(64 * 1024).map(|piece| Ok::<_, String>(piece.to_vec())).collect();
            request.body(reqwest::Body::wrap_stream(futures_util::stream::iter(pieces)))
        } else {
            request.body(self.body.clone())
        };
        let answer = request.send().await;
        let answer = answer.unwrap_or_else(|error| panic!("{}: {error:?}", self.name));
        assert_eq!(
            answer.status().as_u16(),
            self.status,
            "{}: {:?}",
            self.name,
            answer.text().await
        );
        let told = problem(Ok(answer), self.status, self.code).await;
        let none = Vec::new();
        let told_faults = told["errors"].as_array().unwrap_or(&none);
        let mut pointers: Vec<_> = told_faults.iter().map(|fault| text(fault, "pointer")).collect();
        pointers.sort_unstable();
        let mut expected = self.faults.to_vec();
        expected.sort_unstable();
        assert_eq!(pointers, expected, "{}: {told}", self.name);
        assert!(told.to_string().contains(self.says), "{}: {told}", self.name);
    }
}

/// A form of `file` parts and fields.
fn form(files: &[&[u8]], fields: &[(&str, &str)]) -> Vec<u8> {
    let mut body = Vec::new();
    for file in files {
        body.extend_from_slice(
            b"--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.jpg\"\r\n",
        );
        body.extend_from_slice(b"Content-Type: image/jpeg\r\n\r\n");
        body.extend_from_slice(file);
        body.extend_from_slice(b"\r\n");
    }
    for (name, value) in fields {
        let part =
            format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
        body.extend_from_slice(part.as_bytes());
    }
    body.extend_from_slice(b"--b--\r\n");
    body
}

/// A PNG of a few bytes that says it is as large as this.
fn png_that_claims(width: u32, height: u32) -> Vec<u8> {
    let mut header = Vec::new();
    header.extend_from_slice(&width.to_be_bytes());
    header.extend_from_slice(&height.to_be_bytes());
    // Eight bits, RGB, not interlaced.
    header.extend_from_slice(&[8, 2, 0, 0, 0]);
    // An empty zlib stream, padded to a few KB by chunks that nobody needs.
    let pixels = [0x78, 0x9c, 0x03, 0x00, 0x00, 0x00, 0x00, 0x01];
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    for (kind, data) in [
        (b"IHDR", &header[..]),
        (b"tEXt", &[b'x'; 4096][..]),
        (b"IDAT", &pixels[..]),
        (b"IEND", &[]),
    ] {
        png.extend_from_slice(&u32::try_from(data.len()).unwrap().to_be_bytes());
        png.extend_from_slice(kind);
        png.extend_from_slice(data);
        png.extend_from_slice(&crc32(&[kind, data].concat()).to_be_bytes());
    }
    png
}

/// ISO 3309, which PNG checks its chunks with.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 * (crc & 1)))
    })
}

const INVALID: (u16, &str) = (400, "validation_failed");
const MALFORMED: (u16, &str) = (400, "malformed_request");
const NO_PICTURE: (u16, &str) = (415, "unsupported_media_type");
const TOO_LARGE: (u16, &str) = (413, "payload_too_large");

fn uploads() -> Vec<Case> {
    let post = || (Method::POST, IMAGES);
    let case = |name, content_type, body: Vec<u8>, told| {
        Case::new(name, post(), (content_type, body), told)
    };
    let large = vec![b'x'; MAX_UPLOAD + 1];
    let form_of = |file: &[u8]| form(&[file], &[]);
    let cut = form_of(ROCKET)[..ROCKET.len() / 2].to_vec();
    let many = (0..51).map(|tag| tag.to_string()).collect::<Vec<_>>().join(",");
    let bomb = png_that_claims(50_000, 50_000);
    let eager = r#"[{"resize":{"width":10}},{"resize":{"width":0},"qualty":1}]"#;
    vec![
        case("no body", "", vec![], NO_PICTURE),
        case("an empty picture", JPEG, vec![], NO_PICTURE),
        case("a picture's first byte", JPEG, ROCKET[..1].to_vec(), NO_PICTURE),
        case("JSON for a picture", JSON, b"{}".to_vec(), NO_PICTURE).says("multipart/form-data"),
        case("text for a picture", "text/plain", ROCKET.to_vec(), NO_PICTURE),
        case("text named .jpg", JPEG, b"this is no picture".to_vec(), NO_PICTURE),
        case("text named .jpg in a form", FORM, form_of(b"this is no picture"), NO_PICTURE),
        case(
            "a page with a drawing",
            "image/svg+xml",
            b"<html><svg xmlns='http://www.w3.org/2000/svg'/></html>".to_vec(),
            NO_PICTURE,
        ),
        case("an empty file in a form", FORM, form_of(b""), NO_PICTURE),
        case("a form of nothing", FORM, vec![], MALFORMED),
        case("no file in a form", FORM, form(&[], &[("tags", "a")]), INVALID).faults(&["/file"]),
        case("two files", FORM, form(&[ROCKET, ROCKET], &[]), INVALID).faults(&["/file"]),
        case("a field unknown", FORM, form(&[ROCKET], &[("tgas", "a"), ("a/b", "c")]), INVALID)
            .faults(&["/tgas", "/a~1b"]),
        case("eager twice", FORM, form(&[ROCKET], &[("eager", "[]"), ("eager", "[]")]), INVALID)
            .faults(&["/eager"]),
        case("a form cut off", FORM, cut, MALFORMED),
        case(
            "a form with another boundary",
            "multipart/form-data; boundary=c",
            form_of(ROCKET),
            MALFORMED,
        ),
        case("a form without a boundary", "multipart/form-data", form_of(ROCKET), MALFORMED),
        case("a form that is none", FORM, b"{}".to_vec(), MALFORMED),
        case("a JPEG without its half", JPEG, ROCKET[..100].to_vec(), (422, "image_corrupt")),
        case("50,000 × 50,000", "image/png", bomb.clone(), (422, "image_too_large")).says("8000"),
        case("50,000 × 50,000 in a form", FORM, form_of(&bomb), (422, "image_too_large")),
        case("a wide one", "image/png", png_that_claims(8001, 1), (422, "image_too_large")),
        case("a file too large", JPEG, large.clone(), TOO_LARGE).says("400000"),
        case("a file too large, unannounced", JPEG, large.clone(), TOO_LARGE).chunked(),
        case("a form too large", FORM, form_of(&vec![b'x'; 2 * MAX_UPLOAD]), TOO_LARGE),
        case("a form's file too large, unannounced", FORM, form_of(&large), TOO_LARGE).chunked(),
        case("a tag too long", FORM, form(&[ROCKET], &[("tags", &"x".repeat(101))]), INVALID)
            .faults(&["/tags/0"]),
        case("too many tags", FORM, form(&[ROCKET], &[("tags", &many)]), INVALID)
            .faults(&["/tags"]),
        case("a field too large", FORM, form(&[ROCKET], &[("tags", &"x".repeat(70_000))]), INVALID)
            .faults(&["/tags"]),
        case("bad eager specs", FORM, form(&[ROCKET], &[("eager", eager)]), INVALID)
            .faults(&["/eager/1/resize/width", "/eager/1/qualty"]),
        case("eager that is no list", FORM, form(&[ROCKET], &[("eager", "{}")]), INVALID)
            .faults(&["/eager"]),
        Case::new(
            "all that a query can have",
            (Method::POST, &format!("{IMAGES}?tags={}&eager=x", "x".repeat(101))),
            (JPEG, ROCKET),
            INVALID,
        )
        .faults(&["/tags/0", "/eager"]),
        Case::new(
            "a query unknown",
            (Method::POST, &format!("{IMAGES}?tag=x")),
            (JPEG, ROCKET),
            INVALID,
        )
        .faults(&["/tag"])
        .says("`tags`"),
    ]
}

fn specs(image: &str) -> Vec<Case> {
    let path = format!("{IMAGES}/{image}/transform?sync=true");
    let case =
        |name, spec: &str, told| Case::new(name, (Method::POST, path.as_str()), (JSON, spec), told);
    let all = r#"{"resize":{"widht":10,"fit":"full"},"qualty":3,"rotate":361,"flip":"yes",
                  "filters":{"blur":-1},"crop":{"width":0},"format":"psd","background":"rde"}"#;
    let nested = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
    let impossible = (422, "transform_impossible");
    vec![
        case("no width", r#"{"resize":{"width":0}}"#, INVALID)
            .faults(&["/resize/width"])
            .says("1 and 8000"),
        case("a width below none", r#"{"resize":{"width":-5}}"#, INVALID)
            .faults(&["/resize/width"]),
        case("half a pixel", r#"{"resize":{"width":1.5}}"#, INVALID).faults(&["/resize/width"]),
        case("a width of text", r#"{"resize":{"width":"10"}}"#, INVALID).faults(&["/resize/width"]),
        case("a width beyond all", r#"{"resize":{"width":1e300}}"#, INVALID)
            .faults(&["/resize/width"]),
        case("8001", r#"{"resize":{"height":8001}}"#, INVALID)
            .faults(&["/resize/height"])
            .says("8000"),
        case("a side unknown", r#"{"resize":{"widht":10,"height":10}}"#, INVALID)
            .faults(&["/resize/widht"])
            .says("width"),
        case("everything", all, INVALID).faults(&[
            "/resize/widht",
            "/resize",
            "/resize/fit",
            "/qualty",
            "/rotate",
            "/flip",
            "/filters/blur",
            "/crop/width",
            "/crop/height",
            "/format",
            "/background",
        ]),
        case("a crop outside", r#"{"crop":{"x":640,"y":0,"width":9,"height":9}}"#, impossible),
        case(
            "a crop far outside",
            r#"{"crop":{"x":999999,"y":999999,"width":9,"height":9}}"#,
            impossible,
        ),
        case(
            "a result too large",
            r#"{"resize":{"width":8000,"height":8000}}"#,
            (422, "image_too_large"),
        )
        .says("resize"),
        case("a webhook at once", r#"{"webhook_url":"https://example.com"}"#, INVALID)
            .faults(&["/webhook_url"]),
        case("no object", "[]", INVALID).faults(&[""]),
        case("null", "null", INVALID).faults(&[""]),
        case("half an object", "{", MALFORMED),
        case("two objects", "{} {}", MALFORMED),
        case("nested too deeply", &nested, MALFORMED),
        case("10 MB of JSON", &format!("{{\"x\":\"{}\"}}", "x".repeat(10_000_000)), TOO_LARGE)
            .says("1048576"),
        case("10 MB of JSON, unannounced", &"x".repeat(10_000_000), TOO_LARGE).chunked(),
        Case::new(
            "sync unclear",
            (Method::POST, &path.replace("true", "yes")),
            (JSON, "{}"),
            INVALID,
        )
        .faults(&["/sync"]),
        Case::new(
            "no text",
            (Method::POST, path.as_str()),
            (JSON, *b"{\"a\":\"\xff\"}"),
            MALFORMED,
        ),
        Case::new(
            "a webhook",
            (Method::POST, path.trim_end_matches("?sync=true")),
            (JSON, r#"{"webhook_url":"http://169.254.169.254/","rotate":361}"#),
            INVALID,
        )
        .faults(&["/webhook_url", "/rotate"]),
    ]
}

fn patches(image: &str) -> Vec<Case> {
    let path = format!("{IMAGES}/{image}");
    let case =
        |name, body: String| Case::new(name, (Method::PATCH, path.as_str()), (JSON, body), INVALID);
    let many: Vec<_> = (0..51).map(|tag| tag.to_string()).collect();
    vec![
        case("tags of another kind", json!({ "tags": "a" }).to_string()).faults(&["/tags"]),
        case("tags of other kinds", json!({ "tags": ["a", 1] }).to_string()).faults(&["/tags"]),
        case("51 tags", json!({ "tags": many }).to_string()).faults(&["/tags"]),
        case("tags that are none", json!({ "tags": ["", "x".repeat(101), "a\u{0}b"] }).to_string())
            .faults(&["/tags/0", "/tags/1", "/tags/2"]),
        case("all at once", r#"{"public":"yes","focus":{"x":2,"y":0},"tags":3,"name":1}"#.into())
            .faults(&["/public", "/focus", "/tags", "/name"]),
        case("a focus by half", r#"{"focus":{"x":0.5}}"#.into()).faults(&["/focus"]),
    ]
}

fn queries() -> Vec<Case> {
    let case = |name, query: &str, told| {
        Case::new(name, (Method::GET, &format!("{IMAGES}?{query}")), ("", ""), told)
    };
    let job = |name, query: &str| {
        Case::new(name, (Method::GET, &format!("/api/v1/jobs?{query}")), ("", ""), INVALID)
    };
    let cursor = uuid::Uuid::now_v7();
    vec![
        case("limit 0", "limit=0", INVALID).faults(&["/limit"]).says("between 1 and 100"),
        case("limit 1000", "limit=1000", INVALID).faults(&["/limit"]),
        case("limit 101", "limit=101", INVALID).faults(&["/limit"]),
        case("limit -1", "limit=-1", INVALID).faults(&["/limit"]),
        case("limit x", "limit=x", INVALID).faults(&["/limit"]),
        case("no limit", "limit=", INVALID).faults(&["/limit"]),
        case("offset -1", "offset=-1", INVALID).faults(&["/offset"]),
        case("an offset beyond all", "offset=99999999999999999999", INVALID).faults(&["/offset"]),
        case("no cursor", "cursor=x", INVALID).faults(&["/cursor"]),
        case("both", &format!("offset=1&cursor={cursor}"), INVALID).faults(&["/cursor"]),
        case("limit twice", "limit=1&limit=2", MALFORMED).says("`limit`"),
        case("unknown", "lmit=1", INVALID).faults(&["/lmit"]).says("`limit`"),
        case("a tag that Postgres can't compare", "tag=a%00b", INVALID).faults(&["/tag"]),
        case("all of it", "limit=0&offset=x&cursor=x&foo=1", INVALID)
            .faults(&["/limit", "/offset", "/cursor", "/foo"]),
        job("jobs", "limit=0&status=done&image_id=x&cursor=x").faults(&[
            "/limit",
            "/status",
            "/image_id",
            "/cursor",
        ]),
    ]
}

fn cases(image: &str) -> Vec<Case> {
    uploads().into_iter().chain(specs(image)).chain(patches(image)).chain(queries()).collect()
}

async fn each_is_told_what_is_wrong(sandbox: Sandbox) {
    let ada = sandbox.register("ada").await;
    let image = ada.upload(ROCKET).await;
    let before = stored_files(sandbox.data_dir());
    for case in cases(&image) {
        case.check(&ada).await;
    }
    let me = ada.get("/api/v1/me").await;
    assert_eq!(me["usage"], json!({ "images": 1, "variants": 0, "bytes": ROCKET.len() }));
    assert_eq!(stored_files(sandbox.data_dir()), before);
}

#[tokio::test]
async fn each_is_told_what_is_wrong_on_sqlite() {
    let limit = MAX_UPLOAD.to_string();
    each_is_told_what_is_wrong(Sandbox::with(&[("MAX_UPLOAD_SIZE", limit.as_str())]).await).await;
}

#[tokio::test]
async fn each_query_is_told_what_is_wrong_on_postgres() {
    let sandbox = Sandbox::on_postgres().await;
    let ada = sandbox.register("ada").await;
    let image = ada.upload(ROCKET).await;
    for case in patches(&image).into_iter().chain(queries()) {
        case.check(&ada).await;
    }
}

#[tokio::test]
async fn a_truncated_jpeg_is_never_filled_in() {
    let sandbox = Sandbox::start().await;
    let ada = sandbox.register("ada").await;
    let half = &ROCKET[..ROCKET.len() / 2];
    let image = ada.upload(half).await;
    let path = format!("{IMAGES}/{image}/transform?sync=true");
    let spec = json!({ "resize": { "width": 50 } });
    let answer = ada.request(Method::POST, &path).json(&spec).send().await;
    problem(answer, 422, "image_corrupt").await;
    // As a job it fails at once: it would not get better.
    let accepted = ada.enqueue(&image, &json!({ "rotate": 90 })).await;
    let job = ada.finished(&text(&accepted, "job_id")).await;
    assert_eq!((&job["status"], &job["attempts"]), (&json!("failed"), &json!(1)));
    assert_eq!(job["error"]["code"], "image_corrupt");
    let content = format!("/api/v1/variants/{}/content", text(&accepted, "variant_id"));
    problem(ada.request(Method::GET, &content).send().await, 422, "image_corrupt").await;
    // The original is what it was.
    assert_eq!(ada.bytes(&format!("{IMAGES}/{image}/content")).await, half);
}

#[tokio::test]
async fn sixteen_at_once_leave_the_process_as_it_was() {
    let limit = MAX_UPLOAD.to_string();
    let sandbox = Sandbox::with(&[("MAX_UPLOAD_SIZE", limit.as_str())]).await;
    let ada = sandbox.register("ada").await;
    let image = ada.upload(ROCKET).await;
    let spec = json!({ "resize": { "width": 64 } });
    let first = ada.transform(&image, &spec).await;
    let before = stored_files(sandbox.data_dir());

    let cases: Vec<_> = cases(&image);
    let good = async || {
        let doomed = ada.upload(ROCKET).await;
        assert_eq!(ada.transform(&image, &spec).await["id"], first["id"]);
        ada.get(&format!("{IMAGES}?limit=5")).await;
        let deleted = ada.request(Method::DELETE, &format!("{IMAGES}/{doomed}")).send().await;
        expect(deleted, StatusCode::NO_CONTENT).await;
    };
    let mixed = cases.iter().enumerate().map(async |(index, case)| {
        if index % 4 == 0 {
            good().await;
        }
        case.check(&ada).await;
    });
    futures_util::stream::iter(mixed).buffer_unordered(16).collect::<Vec<()>>().await;

    let ready = sandbox.request(Method::GET, "/ready").send().await;
    assert_eq!(expect(ready, StatusCode::OK).await, json!({ "status": "ready" }));
    good().await;
    let listed: Value = ada.get(IMAGES).await;
    assert_eq!((&listed["total"], &listed["images"][0]["id"]), (&json!(1), &json!(image)));
    crate::sandbox::eventually(async || (stored_files(sandbox.data_dir()) == before).then_some(()))
        .await;
}
