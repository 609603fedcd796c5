//! Accounts in the hands of an operator, beside servers that serve them.

use std::time::{Duration, Instant};

use reqwest::{Client, RequestBuilder, StatusCode};
use serde_json::{Value, json};

use crate::process::{Database, PATIENCE, Run, Shell};

const PASSWORD: &str = "correct horse battery";
/// What the contract gives a revocation.
const BOUND: Duration = Duration::from_secs(5);

/// Somebody with an account, as their program sees the servers.
struct Everybody {
    urls: Vec<String>,
}

impl Everybody {
    async fn post(&self, path: &str, token: Option<&str>, body: &Value) -> (StatusCode, Value) {
        let request = client().post(format!("{}/api/v1/{path}", self.urls[0])).json(body);
        ask(token.into_iter().fold(request, RequestBuilder::bearer_auth)).await
    }

    async fn register(&self, username: &str) -> Value {
        let body = json!({ "username": username, "password": PASSWORD });
        let (status, account) = self.post("auth/register", None, &body).await;
        assert_eq!(status, StatusCode::CREATED, "{account}");
        account
    }

    async fn log_in(&self, username: &str, password: &str) -> (StatusCode, Value) {
        self.post("auth/login", None, &json!({ "username": username, "password": password })).await
    }

    async fn refresh(&self, account: &Value) -> (StatusCode, Value) {
        let body = json!({ "refresh_token": account["refresh_token"] });
        self.post("auth/refresh", None, &body).await
    }

    async fn api_key(&self, account: &Value) -> String {
        let token = account["token"].as_str();
        let (status, key) = self.post("api-keys", token, &json!({ "name": "a key" })).await;
        assert_eq!(status, StatusCode::CREATED, "{key}");
        key["key"].as_str().unwrap().to_owned()
    }

    /// What every server answers to whoever carries `credential`; the status and the code of the error.
    async fn answers(&self, credential: &str) -> Vec<(StatusCode, Value)> {
        let mut answers = Vec::new();
        for url in &self.urls {
            let images = client().get(format!("{url}/api/v1/images")).bearer_auth(credential);
            let (status, body) = ask(images).await;
            answers.push((status, body["code"].clone()));
        }
        answers
    }

    /// Waits until every server answers so; how long that took since `began`.
    async fn until(&self, credential: &str, status: StatusCode, code: Value, began: Instant) {
        loop {
            let answers = self.answers(credential).await;
            let took = began.elapsed();
            if answers.iter().all(|answer| *answer == (status, code.clone())) {
                // By a busy machine's clock; the bound is for what it knows.
                assert!(took < BOUND * 2, "only after {took:?}");
                return;
            }
            assert!(took < PATIENCE, "{answers:?}");
        }
    }
}

fn client() -> Client {
    Client::builder().no_proxy().build().unwrap()
}

async fn ask(request: RequestBuilder) -> (StatusCode, Value) {
    let response = request.send().await.unwrap();
    let status = response.status();
    (status, response.json().await.unwrap_or_default())
}

fn done(run: Run) -> String {
    assert_eq!(run.code, 0, "{}", run.stderr);
    run.stdout
}

fn code(name: &str) -> Value {
    Value::from(name)
}

/// Plays everything an operator may do to an account that `urls` serve.
async fn an_operator_has_accounts_in_hand(shell: &Shell, urls: Vec<String>) {
    let everybody = Everybody { urls };
    let (ada, bob) = (everybody.register("ada").await, everybody.register("bob").await);
    let key = everybody.api_key(&ada).await;
    let token = ada["token"].as_str().unwrap();
    let ok = (StatusCode::OK, Value::Null);
    for credential in [token, &key] {
        let answers = everybody.answers(credential).await;
        assert!(answers.iter().all(|answer| *answer == ok), "{answers:?}");
    }

    // All or nothing.
    let run = shell.run(&["admin", "disable", "ada", "eve"]);
    assert_eq!((run.code, run.stdout.as_str()), (66, ""), "{}", run.stderr);
    assert!(run.stderr.contains("eve") && !run.stderr.contains("ada"), "{}", run.stderr);
    assert_eq!(everybody.answers(token).await[0], ok);

    let began = Instant::now();
    let said = done(shell.run(&["admin", "disable", "Ada"]));
    assert!(said.contains(ada["user"]["id"].as_str().unwrap()), "{said}");
    let shut = code("account_disabled");
    // The database is asked each time.
    let (status, refused) = everybody.refresh(&ada).await;
    assert_eq!((status, &refused["code"]), (StatusCode::FORBIDDEN, &shut));
    let (status, refused) = everybody.log_in("ada", PASSWORD).await;
    assert_eq!((status, &refused["code"]), (StatusCode::FORBIDDEN, &shut));
    for credential in [token, &key] {
        everybody.until(credential, StatusCode::FORBIDDEN, shut.clone(), began).await;
    }
    assert_eq!(everybody.answers(bob["token"].as_str().unwrap()).await[0], ok);
    let listed = |arguments: &[&str]| -> Vec<Value> {
        let arguments: Vec<_> = ["admin", "users", "--json"].iter().chain(arguments).collect();
        let arguments: Vec<_> = arguments.into_iter().copied().collect();
        let lines = done(shell.run(&arguments));
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let disabled = listed(&["--disabled"]);
    assert_eq!(disabled.len(), 1);
    assert_eq!(
        (&disabled[0]["username"], &disabled[0]["state"]),
        (&json!("ada"), &json!("disabled"))
    );
    assert_eq!(
        (listed(&[]).len(), listed(&["--limit", "1"])[0]["username"].as_str()),
        (2, Some("bob"))
    );
    let text = done(shell.run(&["admin", "users"]));
    assert!(text.contains("disabled") && text.contains("0 images"), "{text}");

    let began = Instant::now();
    done(shell.run(&["admin", "enable", ada["user"]["id"].as_str().unwrap()]));
    for credential in [token, &key] {
        everybody.until(credential, StatusCode::OK, Value::Null, began).await;
    }
    let (status, ada) = everybody.refresh(&ada).await;
    assert_eq!(status, StatusCode::OK, "the refresh token that was refused is good again: {ada}");

    // A lost password.
    let began = Instant::now();
    let said = done(shell.run(&["admin", "reset-password", "ada"]));
    let password = said.lines().last().unwrap();
    assert!(password.len() > 30 && said.matches(password).count() == 1, "{said}");
    let token = ada["token"].as_str().unwrap();
    assert_eq!(everybody.refresh(&ada).await.0, StatusCode::UNAUTHORIZED);
    everybody.until(token, StatusCode::UNAUTHORIZED, code("unauthenticated"), began).await;
    assert_eq!(everybody.answers(&key).await[0], ok, "API keys stay");
    let (status, refused) = everybody.log_in("ada", PASSWORD).await;
    assert_eq!(
        (status, &refused["code"]),
        (StatusCode::UNAUTHORIZED, &code("invalid_credentials"))
    );
    assert_eq!(everybody.log_in("ada", password).await.0, StatusCode::OK);

    let reset = ["admin", "reset-password", "ada", "--stdin"];
    let (ended, said, _) = shell.pipe(&reset, b"moonrise-1941\n");
    assert_eq!(ended, 0);
    assert!(!String::from_utf8(said).unwrap().contains("moonrise"));
    let (status, ada) = everybody.log_in("ada", "moonrise-1941").await;
    assert_eq!(status, StatusCode::OK);
    for wrong in
        [&b"short\n"[..], b"", b"two lines\nof text\n", b"\xff\xff\xff\xff\xff\xff\xff\xff"]
    {
        let (ended, _, said) = shell.pipe(&reset, wrong);
        assert_eq!(ended, 64, "{said}");
        assert!(said.contains("--stdin"), "{said}");
    }
    assert_eq!(shell.run(&["admin", "reset-password", "eve"]).code, 66);

    // Whatever is out there of it.
    let began = Instant::now();
    let said = done(shell.run(&["admin", "revoke", "ada", "--api-keys"]));
    assert!(said.contains("1 API keys"), "{said}");
    assert_eq!(everybody.refresh(&ada).await.0, StatusCode::UNAUTHORIZED);
    for credential in [ada["token"].as_str().unwrap(), &key] {
        everybody.until(credential, StatusCode::UNAUTHORIZED, code("unauthenticated"), began).await;
    }
    assert_eq!(everybody.answers(bob["token"].as_str().unwrap()).await[0], ok);
}

#[tokio::test]
async fn beside_a_server_of_an_embedded_database() {
    let shell = Shell::new().with("PORT", "0");
    let serving = shell.serve(&[]);
    an_operator_has_accounts_in_hand(&shell, vec![serving.url.clone()]).await;
    assert_eq!(serving.terminate(), 0);
}

#[tokio::test]
async fn beside_two_servers_over_postgres() {
    let database = Database::new().await;
    let shell = database.shell();
    let before = shell.run(&["admin", "users"]);
    assert_eq!(before.code, 78, "{}", before.stderr);
    assert!(before.stderr.contains("darkroom migrate"), "{}", before.stderr);
    assert_eq!(shell.run(&["migrate"]).code, 0);
    let servers = [shell.serve(&[]), shell.serve(&["serve", "--role", "api"])];
    let urls = servers.iter().map(|server| server.url.clone()).collect();
    an_operator_has_accounts_in_hand(&shell, urls).await;
    for server in servers {
        assert_eq!(server.terminate(), 0);
    }
}

#[tokio::test]
async fn who_is_shut_out_hears_nothing_more() {
    let shell = Shell::new().with("PORT", "0");
    let serving = shell.serve(&[]);
    let everybody = Everybody { urls: vec![serving.url.clone()] };
    let ada = everybody.register("ada").await;
    let token = ada["token"].as_str().unwrap();
    let torn = &include_bytes!("../pictures/rocket.jpg")[..20_000];
    let upload = client().post(format!("{}/api/v1/images", serving.url)).bearer_auth(token);
    let (_, image) = ask(upload.header("content-type", "image/jpeg").body(torn)).await;
    let path = format!("images/{}/transform", image["id"].as_str().unwrap());
    let spec = json!({ "resize": { "width": 20 } });
    let (_, job) = everybody.post(&path, Some(token), &spec).await;
    let failed = ["jobs", "list", "--status", "failed"];
    crate::process::eventually(|| (!done(shell.run(&failed)).is_empty()).then_some(()));

    let events = client().get(format!("{}/api/v1/events", serving.url)).bearer_auth(token);
    let events = events.send().await.unwrap();
    assert_eq!(events.status(), StatusCode::OK);
    let began = Instant::now();
    done(shell.run(&["admin", "disable", "ada"]));
    let shut = code("account_disabled");
    everybody.until(token, StatusCode::FORBIDDEN, shut, began).await;
    done(shell.run(&["jobs", "retry", job["job_id"].as_str().unwrap()]));
    let told = tokio::time::timeout(PATIENCE, events.text()).await.expect("an end").unwrap();
    assert_eq!(told.matches("event:").count(), 0, "{told}");
    assert_eq!(serving.terminate(), 0);
}

#[test]
fn without_a_database_nothing_is_done() {
    let nowhere = Shell::new().with("DATABASE_URL", "postgres://postgres@127.0.0.1:1/none");
    assert_eq!(nowhere.run(&["admin", "users"]).code, 69);
    assert_eq!(Shell::new().with("DATABASE_URL", "mysql://h").run(&["admin", "users"]).code, 78);
    assert_eq!(Shell::new().run(&["admin", "disable"]).code, 64);
}
