//! What became of webhooks, and what they are signed with.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use warp::{Filter, filters::BoxedFilter, http::StatusCode, reply::Response};

use super::{
    body::{reply, with_header},
    context::{Context, Request},
    jobs::job_id,
    problem::answered,
};
use crate::{
    adapters::db::{
        now,
        webhooks::{DeliveriesOf, RotateWebhookSecret, WebhookSecretOf},
    },
    domain::{
        error::Result,
        ids::{JobId, WebhookId},
        webhook::{Attempt, Delivery, DeliveryStatus, WebhookSecret, WebhookType},
    },
};

pub(super) fn routes(context: &Context) -> BoxedFilter<(Response,)> {
    let deliveries = warp::path!("api" / "v1" / "jobs" / String / "deliveries")
        .and(warp::get())
        .and(context.request())
        .then(|id, request| answered(deliveries(request, id)))
        .boxed();
    let secret = warp::path!("api" / "v1" / "webhook-secret")
        .and(warp::get())
        .and(context.request())
        .then(|request| answered(secret(request)))
        .boxed();
    let rotate = warp::path!("api" / "v1" / "webhook-secret" / "rotate")
        .and(warp::post())
        .and(context.request())
        .then(|request| answered(rotate(request)))
        .boxed();
    deliveries.or(secret).unify().or(rotate).unify().boxed()
}

/// What is told to one `webhook_url` of the end of a job.
#[derive(Serialize, ToSchema)]
pub(super) struct DeliveryView {
    /// The `webhook-id` of every attempt.
    id: WebhookId,
    url: String,
    #[serde(rename = "type")]
    event: WebhookType,
    status: DeliveryStatus,
    /// What was tried, in order.
    attempts: Vec<Attempt>,
    /// While it is pending: when it is tried next, or, while it is being tried, when it is tried again should nothing be heard
    /// of that.
    next_attempt_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    /// When it was delivered or given up on.
    finished_at: Option<DateTime<Utc>>,
}

impl From<Delivery> for DeliveryView {
    fn from(delivery: Delivery) -> Self {
        let is_pending = delivery.status == DeliveryStatus::Pending;
        Self {
            id: delivery.id,
            url: delivery.url,
            event: delivery.event,
            status: delivery.status,
            attempts: delivery.attempts,
            next_attempt_at: is_pending.then_some(delivery.due_at),
            created_at: delivery.created_at,
            finished_at: delivery.finished_at,
        }
    }
}

/// Deliveries, in order.
#[derive(Serialize, ToSchema)]
pub(super) struct DeliveriesView {
    deliveries: Vec<DeliveryView>,
}

/// What became of a job's webhooks.
///
/// There are none before the job has ended. They are remembered for 30 days; the latest 100 are shown.
#[utoipa::path(get, path = "/api/v1/jobs/{id}/deliveries", operation_id = "list_deliveries", tag = "webhooks",
    params(("id" = JobId, Path)), responses((status = 200, body = DeliveriesView)))]
pub(super) async fn deliveries(request: Request, id: String) -> Result<Response> {
    let user_id = request.caller().await?.user_id;
    let query = DeliveriesOf { user_id, job_id: job_id(&id)? };
    let deliveries = request.services().database.ask(query).await?;
    let deliveries = deliveries.into_iter().map(DeliveryView::from).collect();
    reply(StatusCode::OK, &DeliveriesView { deliveries })
}

/// What webhooks are signed with.
#[derive(Serialize, ToSchema)]
pub(super) struct WebhookSecretView {
    /// `whsec_` and base64, as libraries of Standard Webhooks take it.
    #[schema(example = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo=")]
    secret: String,
    created_at: DateTime<Utc>,
    /// After a rotation: until when the secret before it signs too.
    previous_until: Option<DateTime<Utc>>,
}

fn shown(secret: WebhookSecret) -> Result<Response> {
    let WebhookSecret { secret, created_at, previous_until } = secret;
    let view = WebhookSecretView { secret, created_at, previous_until };
    with_header(reply(StatusCode::OK, &view)?, "cache-control", "no-store")
}

/// The secret that the account's webhooks are signed with; it is made when it is first needed.
#[utoipa::path(get, path = "/api/v1/webhook-secret", operation_id = "get_webhook_secret", tag = "webhooks",
    responses((status = 200, body = WebhookSecretView)))]
pub(super) async fn secret(request: Request) -> Result<Response> {
    let user_id = request.caller().await?.logged_in()?.user_id;
    shown(request.services().database.ask(WebhookSecretOf { user_id, now: now() }).await?)
}

/// Puts another secret in force.
///
/// The one before it signs on for 24 hours, so that receivers can be told in their own time. While four do, this is `rate_limited`.
#[utoipa::path(post, path = "/api/v1/webhook-secret/rotate", operation_id = "rotate_webhook_secret", tag = "webhooks",
    responses((status = 200, body = WebhookSecretView)))]
pub(super) async fn rotate(request: Request) -> Result<Response> {
    let user_id = request.caller().await?.logged_in()?.user_id;
    shown(request.services().database.ask(RotateWebhookSecret { user_id, now: now() }).await?)
}
