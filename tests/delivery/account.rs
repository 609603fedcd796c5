//! An account with pictures that anybody may have transformed, and a client who asks for them.

use bytes::Bytes;
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode, header::HeaderMap};
use serde_json::{Value, json};

/// 160 × 120: quickly transformed, unoptimised too.
const PICTURE: &[u8] = include_bytes!("../golden/sources/cat.png");

/// An answer, read to its end.
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    async fn read(response: Response) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Self { status, headers, body: response.bytes().await.unwrap() }
    }

    /// A header's value; empty when there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// Asks for what is at `url`, with these headers.
pub async fn get(client: &Client, url: &str, headers: &[(&str, &str)]) -> Answer {
    ask(client, Method::GET, url, headers).await
}

/// The same by any method.
pub async fn ask(client: &Client, method: Method, url: &str, headers: &[(&str, &str)]) -> Answer {
    let request = client.request(method, url);
    let request =
        headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    Answer::read(request.send().await.unwrap()).await
}

/// Who asks for pictures.
pub fn client() -> Client {
    Client::builder().no_proxy().build().unwrap()
}

/// An account of the service at `url`.
pub struct Account {
    http: Client,
    url: String,
    token: String,
}

impl Account {
    /// Opens one; what is public of it may be transformed in any way.
    pub async fn open(url: &str) -> Self {
        let mut account = Self { http: client(), url: url.to_owned(), token: String::new() };
        let body = json!({ "username": "ada", "password": "correct horse battery" });
        let register = account.request(Method::POST, "/auth/register").json(&body);
        account.token =
            answer(register, StatusCode::CREATED).await["token"].as_str().unwrap().to_owned();
        account.allow(&[], false).await;
        account
    }

    /// Says what may be asked for unsigned.
    pub async fn allow(&self, allowed: &[&str], strict: bool) {
        let body = json!({ "allowed": allowed, "strict": strict, "fallback_image_id": null });
        answer(self.request(Method::PUT, "/me/delivery").json(&body), StatusCode::OK).await;
    }

    /// Uploads a picture; its id.
    pub async fn upload(&self) -> String {
        let upload = self.request(Method::POST, "/images?filename=cat.png&tags=cats");
        let upload = upload.header("content-type", "image/png").body(PICTURE);
        answer(upload, StatusCode::CREATED).await["id"].as_str().unwrap().to_owned()
    }

    /// Uploads a picture that anybody may see; its id.
    pub async fn publish(&self) -> String {
        let id = self.upload().await;
        self.set_public(&id, true).await;
        id
    }

    pub async fn set_public(&self, id: &str, public: bool) {
        let patch = self.request(Method::PATCH, &format!("/images/{id}"));
        answer(patch.json(&json!({ "public": public })), StatusCode::OK).await;
    }

    pub async fn delete(&self, id: &str) {
        self.done(self.request(Method::DELETE, &format!("/images/{id}"))).await;
    }

    pub async fn purge(&self, id: &str) {
        self.done(self.request(Method::POST, &format!("/images/{id}/purge"))).await;
    }

    pub async fn purge_tag(&self, tag: &str) {
        let purge = self.request(Method::POST, "/purge").json(&json!({ "tag": tag }));
        answer(purge, StatusCode::OK).await;
    }

    /// The path of a signed URL that is good for so many seconds, and until when it is, in seconds since 1970.
    pub async fn sign(&self, id: &str, transformation: &str, seconds: u32) -> (String, i64) {
        let body = json!({ "transformation": transformation, "expires_in": seconds, "window": 1 });
        let sign = self.request(Method::POST, &format!("/images/{id}/sign")).json(&body);
        let signed = answer(sign, StatusCode::OK).await;
        let path = signed["url"].as_str().unwrap().to_owned();
        let exp = path.rsplit_once("?exp=").unwrap().1.parse().unwrap();
        (path, exp)
    }

    /// What the account holds.
    pub async fn usage(&self) -> Value {
        answer(self.request(Method::GET, "/me"), StatusCode::OK).await["usage"].take()
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}/api/v1{path}", self.url)).bearer_auth(&self.token)
    }

    async fn done(&self, request: RequestBuilder) {
        assert_eq!(request.send().await.unwrap().status(), StatusCode::NO_CONTENT);
    }
}

async fn answer(request: RequestBuilder, status: StatusCode) -> Value {
    let answer = request.send().await.unwrap();
    let actual = answer.status();
    let body = answer.text().await.unwrap();
    assert_eq!(actual, status, "{body}");
    serde_json::from_str(&body).unwrap()
}
