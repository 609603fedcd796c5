//! `/auth`, `/me` and `/api-keys`.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use warp::{Filter, filters::BoxedFilter, http::StatusCode, reply::Response};

use super::{
    body::{self, Body, json, no_content, reply, with_header},
    context::{Context, Request},
    fields::Fields,
    limit::{Limit, RateLimited, Tally},
    problem::answered,
};
use crate::{
    adapters::db::{
        tokens::{ApiKeysOf, DeleteApiKey},
        users::{CredentialsById, UsageOf},
    },
    domain::{
        error::{Code, Error, Result},
        ids::{ApiKeyId, UserId},
        user::{ApiKey, Usage, User, check_api_key_name, check_password, check_username},
    },
    flows::accounts::{self, Issued},
};

pub(super) fn routes(context: &Context) -> BoxedFilter<(Response,)> {
    let auth = warp::path!("api" / "v1" / "auth" / ..);
    let post = || warp::post().and(context.request()).and(body::stream());
    let register = auth
        .and(warp::path!("register"))
        .and(post())
        .then(|request, body| answered(register(request, body)))
        .boxed();
    let login = auth
        .and(warp::path!("login"))
        .and(post())
        .then(|request, body| answered(log_in(request, body)))
        .boxed();
    let refresh = auth
        .and(warp::path!("refresh"))
        .and(post())
        .then(|request, body| answered(refresh(request, body)))
        .boxed();
    let logout = auth
        .and(warp::path!("logout"))
        .and(post())
        .then(|request, body| answered(log_out(request, body)))
        .boxed();
    let password = warp::path!("api" / "v1" / "me" / "password")
        .and(post())
        .then(|request, body| answered(change_password(request, body)))
        .boxed();
    let me = warp::path!("api" / "v1" / "me")
        .and(warp::get())
        .and(context.request())
        .then(|request| answered(me(request)))
        .boxed();
    let close = warp::path!("api" / "v1" / "me")
        .and(warp::delete())
        .and(context.request())
        .and(body::stream())
        .then(|request, body| answered(close(request, body)))
        .boxed();
    let create_key = warp::path!("api" / "v1" / "api-keys")
        .and(post())
        .then(|request, body| answered(create_api_key(request, body)))
        .boxed();
    let keys = warp::path!("api" / "v1" / "api-keys")
        .and(warp::get())
        .and(context.request())
        .then(|request| answered(list_api_keys(request)))
        .boxed();
    let delete_key = warp::path!("api" / "v1" / "api-keys" / String)
        .and(warp::delete())
        .and(context.request())
        .then(|id, request| answered(delete_api_key(request, id)))
        .boxed();
    register
        .or(login)
        .unify()
        .or(refresh)
        .unify()
        .or(logout)
        .unify()
        .boxed()
        .or(password)
        .unify()
        .or(me)
        .unify()
        .or(close)
        .unify()
        .boxed()
        .or(create_key)
        .unify()
        .or(keys)
        .unify()
        .or(delete_key)
        .unify()
        .boxed()
}

/// Who wants in.
#[derive(ToSchema)]
#[allow(dead_code)]
pub(super) struct LoginBody {
    /// 3 to 64 of `A-Z a-z 0-9 _ . -`; unique without regard to case.
    #[schema(min_length = 3, max_length = 64, example = "ada")]
    username: String,
    /// 8 to 128 characters.
    #[schema(min_length = 8, max_length = 128, format = Password)]
    password: String,
}

/// An account.
#[derive(Serialize, ToSchema)]
pub(super) struct UserView {
    id: UserId,
    username: String,
    created_at: DateTime<Utc>,
}

impl From<User> for UserView {
    fn from(user: User) -> Self {
        Self { id: user.id, username: user.username, created_at: user.created_at }
    }
}

/// An account and what it is proved with from now on.
#[derive(Serialize, ToSchema)]
pub(super) struct IssuedView {
    user: UserView,
    /// Send it as `Authorization: Bearer …`.
    token: String,
    #[schema(example = "Bearer")]
    token_type: &'static str,
    /// Seconds for which the token is good.
    expires_in: u64,
    /// Gets the next token; good once.
    refresh_token: String,
}

fn issued(status: StatusCode, issued: Issued) -> Result<Response> {
    let view = IssuedView {
        user: issued.user.into(),
        token: issued.token,
        token_type: "Bearer",
        expires_in: issued.lifetime.as_secs(),
        refresh_token: issued.refresh_token,
    };
    with_header(reply(status, &view)?, "cache-control", "no-store")
}

/// Opens an account.
#[utoipa::path(post, path = "/api/v1/auth/register", tag = "accounts", security(()),
    request_body = LoginBody,
    responses((status = 201, body = IssuedView), (status = 429, response = inline(RateLimited))))]
pub(super) async fn register(request: Request, body: Body) -> Result<Response> {
    let mut tally = Tally::default();
    let answer = open(&request, body, &mut tally).await;
    tally.told(answer)
}

async fn open(request: &Request, body: Body, tally: &mut Tally) -> Result<Response> {
    tally.take_of_address(request, Limit::Register).await?;
    let mut fields = Fields::of(json(request, body).await?)?;
    let username = fields.checked("username", check_username);
    let password = fields.checked("password", check_password);
    fields.finish()?;
    let account = accounts::register(request.services(), username, password).await?;
    issued(StatusCode::CREATED, account)
}

/// Begins a login.
///
/// A wrong password and an unknown username get the same answer after the same time.
#[utoipa::path(post, path = "/api/v1/auth/login", tag = "accounts", security(()),
    request_body = LoginBody,
    responses((status = 200, body = IssuedView), (status = 429, response = inline(RateLimited))))]
pub(super) async fn log_in(request: Request, body: Body) -> Result<Response> {
    let mut fields = Fields::of(json(&request, body).await?)?;
    let username = fields.required("username", "a string");
    let password = fields.required("password", "a string");
    fields.finish()?;
    let mut tally = Tally::default();
    let account = prove(&request, username, password, &mut tally).await;
    // Only a failure counts.
    if !account.as_ref().is_err_and(|error| error.code == Code::InvalidCredentials) {
        tally.give_back(&request).await;
    }
    tally.told(account.and_then(|account| issued(StatusCode::OK, account)))
}

async fn prove(
    request: &Request,
    username: String,
    password: String,
    tally: &mut Tally,
) -> Result<Issued> {
    tally.take_login(request, &username).await?;
    accounts::log_in(request.services(), username, password).await
}

/// What continues a login, or ends it.
#[derive(ToSchema)]
#[allow(dead_code)]
pub(super) struct RefreshBody {
    refresh_token: String,
}

async fn refresh_token(request: &Request, body: Body) -> Result<String> {
    let mut fields = Fields::of(json(request, body).await?)?;
    let token = fields.required("refresh_token", "a string");
    fields.finish()?;
    Ok(token)
}

/// Spends a refresh token for the next pair of tokens.
///
/// Shown again within 10 s by the same client it gets the same successor; shown again later, or by
/// another client, it ends the whole login.
#[utoipa::path(post, path = "/api/v1/auth/refresh", operation_id = "refresh_tokens", tag = "accounts", security(()),
    request_body = RefreshBody, responses((status = 200, body = IssuedView)))]
pub(super) async fn refresh(request: Request, body: Body) -> Result<Response> {
    let token = refresh_token(&request, body).await?;
    let account = accounts::refresh(request.services(), &token, request.client()).await?;
    issued(StatusCode::OK, account)
}

/// Ends a login: its refresh token at once, its access tokens within 5 s.
#[utoipa::path(post, path = "/api/v1/auth/logout", tag = "accounts",
    request_body = RefreshBody, responses((status = 204)))]
pub(super) async fn log_out(request: Request, body: Body) -> Result<Response> {
    let caller = request.caller().await?.logged_in()?;
    let token = refresh_token(&request, body).await?;
    accounts::log_out(request.services(), caller.user_id, &token).await?;
    Ok(no_content())
}

/// The old password and the new one.
#[derive(ToSchema)]
#[allow(dead_code)]
pub(super) struct PasswordBody {
    #[schema(format = Password)]
    old: String,
    /// 8 to 128 characters.
    #[schema(min_length = 8, max_length = 128, format = Password)]
    new: String,
}

/// Changes the password, and ends every login.
#[utoipa::path(post, path = "/api/v1/me/password", tag = "accounts",
    request_body = PasswordBody, responses((status = 204)))]
pub(super) async fn change_password(request: Request, body: Body) -> Result<Response> {
    let caller = request.caller().await?.logged_in()?;
    let mut fields = Fields::of(json(&request, body).await?)?;
    let old = fields.required("old", "a string");
    let new = fields.checked("new", check_password);
    fields.finish()?;
    accounts::change_password(request.services(), caller.user_id, old, new).await?;
    Ok(no_content())
}

/// An account and what it holds.
#[derive(Serialize, ToSchema)]
pub(super) struct MeView {
    #[serde(flatten)]
    user: UserView,
    usage: UsageView,
}

/// What an account holds.
#[derive(Serialize, ToSchema)]
pub(super) struct UsageView {
    images: i64,
    variants: i64,
    bytes: i64,
}

/// The account.
#[utoipa::path(get, path = "/api/v1/me", operation_id = "get_me", tag = "accounts",
    responses((status = 200, body = MeView)))]
pub(super) async fn me(request: Request) -> Result<Response> {
    let caller = request.caller().await?;
    let database = &request.services().database;
    let found = database.ask(CredentialsById { id: caller.user_id }).await?;
    let user = found.ok_or_else(|| Error::not_found("account"))?.user.into();
    let Usage { images, variants, bytes } =
        database.ask(UsageOf { user_id: caller.user_id }).await?;
    reply(StatusCode::OK, &MeView { user, usage: UsageView { images, variants, bytes } })
}

/// The password, once more.
#[derive(ToSchema)]
#[allow(dead_code)]
pub(super) struct CloseBody {
    #[schema(format = Password)]
    password: String,
}

/// Deletes the account with every picture in it.
#[utoipa::path(delete, path = "/api/v1/me", operation_id = "delete_me", tag = "accounts", request_body = CloseBody,
    responses((status = 202, headers(("Deletion-Receipt" = String, description = "see `GET /deletions/{id}`")))))]
pub(super) async fn close(request: Request, body: Body) -> Result<Response> {
    let caller = request.caller().await?.logged_in()?;
    let mut fields = Fields::of(json(&request, body).await?)?;
    let password = fields.required("password", "a string");
    fields.finish()?;
    let deletion = accounts::close(request.services(), caller.user_id, password).await?;
    let mut response = no_content();
    *response.status_mut() = StatusCode::ACCEPTED;
    with_header(response, "deletion-receipt", &deletion.id.to_string())
}

/// What the key is called.
#[derive(ToSchema)]
#[allow(dead_code)]
pub(super) struct ApiKeyBody {
    #[schema(min_length = 1, max_length = 100, example = "backup script")]
    name: String,
}

/// A key. `key` is there only in the answer that made it.
#[derive(Serialize, ToSchema)]
pub(super) struct ApiKeyView {
    id: ApiKeyId,
    name: String,
    /// `dk_…`; sent as `Authorization: Bearer dk_…` wherever a token is.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    created_at: DateTime<Utc>,
}

impl ApiKeyView {
    fn new(row: ApiKey, key: Option<String>) -> Self {
        Self { id: row.id, name: row.name, key, created_at: row.created_at }
    }
}

/// Makes an API key. It is shown this once.
#[utoipa::path(post, path = "/api/v1/api-keys", tag = "accounts", request_body = ApiKeyBody,
    responses((status = 201, body = ApiKeyView)))]
pub(super) async fn create_api_key(request: Request, body: Body) -> Result<Response> {
    let caller = request.caller().await?.logged_in()?;
    let mut fields = Fields::of(json(&request, body).await?)?;
    let name = fields.checked("name", check_api_key_name);
    fields.finish()?;
    let (key, row) = accounts::create_api_key(request.services(), caller.user_id, name).await?;
    let view = ApiKeyView::new(row, Some(key));
    with_header(reply(StatusCode::CREATED, &view)?, "cache-control", "no-store")
}

/// The keys of an account.
#[derive(Serialize, ToSchema)]
pub(super) struct ApiKeysView {
    api_keys: Vec<ApiKeyView>,
}

/// The keys of the account, without the keys themselves.
#[utoipa::path(get, path = "/api/v1/api-keys", tag = "accounts",
    responses((status = 200, body = ApiKeysView)))]
pub(super) async fn list_api_keys(request: Request) -> Result<Response> {
    let caller = request.caller().await?.logged_in()?;
    let keys = request.services().database.ask(ApiKeysOf { user_id: caller.user_id }).await?;
    let api_keys = keys.into_iter().map(|row| ApiKeyView::new(row, None)).collect();
    reply(StatusCode::OK, &ApiKeysView { api_keys })
}

/// Takes a key back, within 5 s.
#[utoipa::path(delete, path = "/api/v1/api-keys/{id}", tag = "accounts",
    params(("id" = ApiKeyId, Path)), responses((status = 204)))]
pub(super) async fn delete_api_key(request: Request, id: String) -> Result<Response> {
    let caller = request.caller().await?.logged_in()?;
    let id = id.parse().map_err(|_| Error::not_found("API key"))?;
    request.services().database.ask(DeleteApiKey { user_id: caller.user_id, id }).await?;
    Ok(no_content())
}
