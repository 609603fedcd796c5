//! Floor 5: HTTP. A request comes in through [`serve`], passes the [`gate`], and is answered by the
//! module that bears the name of what it is about.

use warp::{Filter, filters::BoxedFilter, reply::Response};

mod accounts;
mod body;
mod console;
mod content;
pub mod context;
mod deletions;
mod delivery;
mod events;
mod explain;
mod fields;
mod gate;
mod health;
mod idempotency;
mod images;
mod imports;
mod info;
mod jobs;
mod limit;
pub mod openapi;
mod presets;
mod problem;
mod purge;
pub mod serve;
mod signing;
mod transforms;
mod unread;
mod upload;
mod variants;
mod webhooks;

/// Every route of the service but those to pictures by URL, which would have to go through all of them: each `or` is a layer.
fn routes(context: &context::Context) -> BoxedFilter<(Response,)> {
    health::routes(context)
        .or(accounts::routes(context))
        .unify()
        .boxed()
        .or(upload::routes(context))
        .unify()
        .boxed()
        .or(imports::routes(context))
        .unify()
        .boxed()
        .or(images::routes(context))
        .unify()
        .boxed()
        .or(info::routes(context))
        .unify()
        .boxed()
        .or(transforms::routes(context))
        .unify()
        .boxed()
        .or(explain::routes(context))
        .unify()
        .boxed()
        .or(variants::routes(context))
        .unify()
        .boxed()
        .or(jobs::routes(context))
        .unify()
        .boxed()
        .or(webhooks::routes(context))
        .unify()
        .boxed()
        .or(events::routes(context))
        .unify()
        .boxed()
        .or(deletions::routes(context))
        .unify()
        .boxed()
        .or(presets::routes(context))
        .unify()
        .boxed()
        .or(signing::routes(context))
        .unify()
        .boxed()
        .or(purge::routes(context))
        .unify()
        .boxed()
        .or(openapi::routes())
        .unify()
        .boxed()
        .or(console::routes())
        .unify()
        .boxed()
}
