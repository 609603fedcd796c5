//! A client as it should be: what is not answered it asks again, under the same `Idempotency-Key`.

use std::{
    collections::BTreeMap,
    ops::Range,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use futures_util::{StreamExt, stream};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::world::PATIENCE;

/// 160 × 120: what the jobs do to it is quickly done, unoptimised too.
pub const PICTURE: &[u8] = include_bytes!("../golden/sources/cat.png");
/// Requests under way at a time.
pub const AT_ONCE: usize = 8;
/// A reservation of a key outlives the process that made it for minutes; whoever can't wait asks under another key, and an equal
/// spec is the same job.
const PATIENCE_WITH_A_KEY: Duration = Duration::from_secs(3);

/// What was answered to an accepted job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    pub job_id: String,
    pub variant_id: String,
}

/// What went wrong on the way, and was asked again.
#[derive(Default)]
pub struct Tally {
    /// No connection could be had.
    pub refused: AtomicUsize,
    /// There was a connection and no answer.
    pub broken: AtomicUsize,
    /// 503.
    pub unavailable: AtomicUsize,
    /// 409: the first request with this key has not come to its end.
    pub conflicts: AtomicUsize,
}

/// A client of all APIs of a world, with one account.
pub struct Client {
    pub http: reqwest::Client,
    pub tally: Tally,
    apis: Mutex<Vec<String>>,
    turn: AtomicUsize,
    account: OnceCell<Account>,
    accepted: Mutex<BTreeMap<usize, Accepted>>,
}

struct Account {
    token: String,
    images: Vec<String>,
}

impl Client {
    pub fn new() -> Self {
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(20));
        // A connection that is closed as a question goes out on it would be nobody's fault.
        let http = http.pool_max_idle_per_host(0);
        Self {
            http: http.build().unwrap(),
            tally: Tally::default(),
            apis: Mutex::default(),
            turn: AtomicUsize::default(),
            account: OnceCell::new(),
            accepted: Mutex::default(),
        }
    }

    /// One more API to ask.
    pub fn knows(&self, url: String) {
        self.apis.lock().unwrap().push(url);
    }

    /// One fewer.
    pub fn forgets(&self, url: &str) {
        self.apis.lock().unwrap().retain(|known| known != url);
    }

    /// Registers, and uploads the pictures that the jobs are about.
    pub async fn sign_up(&self) {
        let signing_up = async {
            let body = json!({ "username": "ada", "password": "correct horse battery" });
            let register = || self.to(Method::POST, "/api/v1/auth/register").json(&body);
            let token = text(&self.answered(register, StatusCode::CREATED).await, "token");
            let mut account = Account { token, images: Vec::new() };
            for _ in 0..IMAGES {
                let upload = || {
                    self.to(Method::POST, "/api/v1/images?filename=cat.png")
                        .bearer_auth(&account.token)
                        .header("content-type", "image/png")
                        .body(PICTURE)
                };
                account.images.push(text(&self.answered(upload, StatusCode::CREATED).await, "id"));
            }
            account
        };
        self.account.get_or_init(async || signing_up.await).await;
    }

    fn account(&self) -> &Account {
        self.account.get().expect("the client has signed up")
    }

    /// The picture that the `number`th job is about.
    pub fn image(&self, number: usize) -> &str {
        &self.account().images[number % IMAGES]
    }

    /// A request to the API whose turn it is.
    fn to(&self, method: Method, path: &str) -> RequestBuilder {
        let apis = self.apis.lock().unwrap();
        // Port 9 is nobody's: while there is no API, nobody answers.
        let api = match apis.len() {
            0 => "http://127.0.0.1:9",
            count => &apis[self.turn.fetch_add(1, Relaxed) % count],
        };
        self.http.request(method, format!("{api}{path}"))
    }

    /// The same, by the account.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.to(method, path).bearer_auth(&self.account().token)
    }

    /// The question for the `number`th job.
    pub fn order(&self, number: usize, key: &str) -> RequestBuilder {
        let path = format!("/api/v1/images/{}/transform", self.image(number));
        self.request(Method::POST, &path).json(&spec(number)).header("idempotency-key", key)
    }

    /// Enqueues the `number`th job, however often that has to be asked for; under `key`, while that is of use.
    pub async fn enqueue(&self, number: usize, key: &str) {
        let mut since = Instant::now();
        let mut key = format!("job-{number}-{key}");
        let order = || {
            if since.elapsed() > PATIENCE_WITH_A_KEY {
                since = Instant::now();
                key.push('+');
            }
            self.order(number, &key)
        };
        let answer = self.answered(order, StatusCode::ACCEPTED).await;
        self.accept(number, &answer);
    }

    /// Takes down what was answered to the `number`th job; the same as before, if it was answered before.
    pub fn accept(&self, number: usize, answer: &Value) {
        let accepted =
            Accepted { job_id: text(answer, "job_id"), variant_id: text(answer, "variant_id") };
        let before = self.accepted.lock().unwrap().insert(number, accepted.clone());
        assert!(before.is_none_or(|before| before == accepted), "job {number} was accepted twice");
    }

    /// Enqueues them all, one every `pace`, as far as the answers keep up.
    pub async fn enqueue_all(&self, numbers: Range<usize>, pace: Duration) {
        self.enqueue_under(numbers.map(|number| (number, "")), pace).await;
    }

    /// The same, each under a key of its own.
    pub async fn enqueue_under(
        &self,
        orders: impl IntoIterator<Item = (usize, &'static str)>,
        pace: Duration,
    ) {
        let clock = tokio::time::interval(pace.max(Duration::from_millis(1)));
        let ticks = stream::unfold(clock, async |mut clock| {
            clock.tick().await;
            Some(((), clock))
        });
        let paced = stream::iter(orders).zip(ticks);
        let enqueued =
            paced.for_each_concurrent(AT_ONCE, |((number, key), ())| self.enqueue(number, key));
        enqueued.await;
    }

    /// Everything that was accepted.
    pub fn accepted(&self) -> Vec<Accepted> {
        self.accepted.lock().unwrap().values().cloned().collect()
    }

    /// Asks until the answer is the one that is hoped for; its body.
    ///
    /// What a service may say while something behind it is away is said again, and counted. Anything else is a fault.
    pub async fn answered(
        &self,
        mut request: impl FnMut() -> RequestBuilder,
        status: StatusCode,
    ) -> Value {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            match self.once(request(), status).await {
                Some(answer) => return answer,
                None => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
        panic!("no answer within {PATIENCE:?}");
    }

    async fn once(&self, request: RequestBuilder, status: StatusCode) -> Option<Value> {
        let answer = match request.send().await {
            Ok(answer) => answer,
            Err(error) => {
                let count =
                    if error.is_connect() { &self.tally.refused } else { &self.tally.broken };
                count.fetch_add(1, Relaxed);
                return None;
            }
        };
        let actual = answer.status();
        let kind = answer.headers().get("content-type").cloned();
        let retry_after = answer.headers().contains_key("retry-after");
        let Ok(body) = answer.text().await else {
            self.tally.broken.fetch_add(1, Relaxed);
            return None;
        };
        if actual == status {
            return Some(serde_json::from_str(&body).unwrap());
        }
        assert_eq!(kind.unwrap(), "application/problem+json", "{actual}: {body}");
        let count = match actual {
            StatusCode::SERVICE_UNAVAILABLE => &self.tally.unavailable,
            StatusCode::CONFLICT if retry_after => &self.tally.conflicts,
            _ => panic!("answered with {actual}: {body}"),
        };
        count.fetch_add(1, Relaxed);
        None
    }
}

const IMAGES: usize = 4;

/// The `number`th job: no two are equal.
pub fn spec(number: usize) -> Value {
    let format = ["jpeg", "png", "webp"][number % 3];
    let border = json!({ "width": 1, "color": format!("#{number:06x}") });
    json!({ "resize": { "width": 24 + number % 100 }, "border": border, "format": format })
}

/// A field that is a string.
pub fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap_or_else(|| panic!("no `{field}` in {value}")).to_owned()
}
