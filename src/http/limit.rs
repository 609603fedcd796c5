//! How often clients may do what costs something, and how their answers tell them: `RateLimit` and `RateLimit-Policy`
//! (draft-ietf-httpapi-ratelimit-headers-11, in structured fields), and 429 with `Retry-After`.
//!
//! Reading, watching jobs and fetching pictures are not counted. Without the cache's actor nothing is counted either: a
//! limit is there to protect the service, and does not take it down.

use std::{net::IpAddr, time::Duration};

use ipnet::Ipv6Net;
use utoipa::{
    ToResponse,
    openapi::{HeaderBuilder, ObjectBuilder, RefOr, Response as Documented, schema::Type},
};
use warp::reply::Response;

use super::{
    body::with_header,
    context::Request,
    problem::{Problem, raise},
};
use crate::{
    adapters::{cache::TakeRate, token::digest},
    config::RateLimits,
    domain::{
        error::{Code, Error, Result},
        ids::UserId,
        rate::{Quota, Verdict},
    },
};

/// How long a login waits whose username has been tried too often, from wherever.
const SLOWED: Duration = Duration::from_secs(2);

/// What is limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// Pictures uploaded, of an account.
    Uploads,
    /// Transformations asked for, pictures purged, and what is put for delivery, of an account.
    Transforms,
    /// Accounts opened, of an address.
    Register,
    /// Failed logins, of an address.
    Login,
    /// Failed logins, of a username at an address.
    LoginUsername,
    /// Failed logins, of a username from wherever. It refuses nobody.
    Username,
}

impl Limit {
    /// What it is called in headers and keys.
    const fn name(self) -> &'static str {
        match self {
            Limit::Uploads => "uploads",
            Limit::Transforms => "transforms",
            Limit::Register => "register",
            Limit::Login => "login",
            Limit::LoginUsername => "login-username",
            Limit::Username => "username",
        }
    }

    /// What there may be at most so many of.
    const fn what(self) -> &'static str {
        match self {
            Limit::Uploads => "uploads",
            Limit::Transforms => "transformations, purges and changes of delivery",
            Limit::Register => "new accounts from one address",
            Limit::Login => "failed logins from one address",
            Limit::LoginUsername => "failed logins of one username from one address",
            Limit::Username => "failed logins of one username",
        }
    }

    fn quota(self, settings: &RateLimits) -> Option<Quota> {
        let limit = match self {
            Limit::Uploads => settings.uploads,
            Limit::Transforms => settings.transforms,
            Limit::Register => settings.register,
            Limit::Login => settings.login,
            Limit::LoginUsername | Limit::Username => settings.login_username,
        };
        Quota::new(limit, settings.window)
    }
}

/// What a request has taken of its limits.
#[derive(Default)]
pub struct Tally(Vec<Standing>);

struct Standing {
    limit: Limit,
    key: String,
    quota: Quota,
    cost: i32,
    verdict: Verdict,
}

impl Tally {
    /// Takes `cost` of an account's limit.
    ///
    /// # Errors
    /// `rate_limited`.
    pub async fn take_of_account(
        &mut self,
        request: &Request,
        limit: Limit,
        user_id: UserId,
        cost: usize,
    ) -> Result<()> {
        self.take(request, limit, &user_id.to_string(), cost).await
    }

    /// Takes one of the limit of the request's address.
    ///
    /// # Errors
    /// `rate_limited`.
    pub async fn take_of_address(&mut self, request: &Request, limit: Limit) -> Result<()> {
        self.take(request, limit, &network(request.address()), 1).await
    }

    /// Takes one failed login in advance, of the address and of `username` there; what did not fail is to be given back.
    /// A username that is tried from many addresses is slowed, and never locked: its owner gets in.
    ///
    /// # Errors
    /// `rate_limited`.
    pub async fn take_login(&mut self, request: &Request, username: &str) -> Result<()> {
        let network = network(request.address());
        // Not as it was typed: it may be a password that went into the wrong field.
        let name = digest(&username.to_lowercase());
        self.take(request, Limit::LoginUsername, &format!("{name}:{network}"), 1).await?;
        self.take(request, Limit::Login, &network, 1).await?;
        if self.take(request, Limit::Username, &name, 1).await.is_err() {
            tokio::time::sleep(SLOWED).await;
        }
        Ok(())
    }

    async fn take(
        &mut self,
        request: &Request,
        limit: Limit,
        whose: &str,
        cost: usize,
    ) -> Result<()> {
        let Some(quota) = limit.quota(&request.settings().rate_limits) else { return Ok(()) };
        let key = format!("rate:{}:{whose}", limit.name());
        let cost = i32::try_from(cost).unwrap_or(i32::MAX);
        let Some(verdict) = ask(request, key.clone(), quota, cost).await else { return Ok(()) };
        self.0.push(Standing { limit, key, quota, cost, verdict });
        if verdict.admitted {
            return Ok(());
        }
        let (what, most) = (limit.what(), quota.limit);
        let window = humantime::format_duration(quota.window);
        let seconds = seconds(verdict.retry_in).max(1);
        let detail = format!("at most {most} {what} in {window}; try again in {seconds} s");
        Err(Error::new(Code::RateLimited, detail).retry_after(seconds))
    }

    /// Gives back what was taken: it did not come to what is counted.
    pub async fn give_back(&mut self, request: &Request) {
        for standing in self.0.iter_mut().filter(|standing| standing.verdict.admitted) {
            let Standing { key, quota, cost, .. } = standing;
            if let Some(verdict) = ask(request, key.clone(), *quota, -*cost).await {
                standing.verdict = verdict;
            }
        }
    }

    /// The answer, with how the client's limits stand; also if it is an error.
    ///
    /// # Errors
    /// None that `answer` is.
    pub fn told(self, answer: Result<Response>) -> Result<Response> {
        let response = answer.unwrap_or_else(raise);
        let told = || self.0.iter().filter(|standing| standing.limit != Limit::Username);
        if told().next().is_none() {
            return Ok(response);
        }
        let list = |item: fn(&Standing) -> String| told().map(item).collect::<Vec<_>>().join(", ");
        let response = with_header(response, "ratelimit-policy", &list(Standing::policy))?;
        with_header(response, "ratelimit", &list(Standing::state))
    }
}

impl Standing {
    fn policy(&self) -> String {
        let Quota { limit, window } = self.quota;
        format!("\"{}\";q={limit};w={}", self.limit.name(), seconds(window))
    }

    /// `t` is until there is one more: within that time no more than `r` can be had, as the draft has it.
    fn state(&self) -> String {
        let Verdict { remaining, more_in, .. } = self.verdict;
        format!("\"{}\";r={remaining};t={}", self.limit.name(), seconds(more_in))
    }
}

async fn ask(request: &Request, key: String, quota: Quota, cost: i32) -> Option<Verdict> {
    let asked = request.services().cache.ask(TakeRate { key, quota, cost }).await;
    asked.inspect_err(|error| tracing::warn!(%error, cause = error.cause, "not counted")).ok()
}

/// Begun seconds.
fn seconds(time: Duration) -> u32 {
    u32::try_from(time.as_micros().div_ceil(1_000_000)).unwrap_or(u32::MAX)
}

/// Whose an address is: of IPv6, where one customer has 2^64 and more, the first half says it.
fn network(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => match Ipv6Net::new(address, 64) {
            Ok(network) => network.trunc().to_string(),
            Err(_) => address.to_string(),
        },
    }
}

/// Too many; `Retry-After` says when to try again.
#[derive(ToResponse)]
#[response(
    description = "Too many; try again later",
    content_type = "application/problem+json",
    headers(("Retry-After" = u32, description = "seconds"))
)]
#[allow(dead_code)]
pub(super) struct RateLimited<'a>(Problem<'a>);

/// Adds to what is documented of an operation that is limited what all its answers tell.
pub(super) fn document<'a>(responses: impl Iterator<Item = &'a mut RefOr<Documented>>) {
    let headers = [
        ("RateLimit-Policy", "the limits that the request counts against: `q` in `w` seconds"),
        ("RateLimit", "how they stand: `r` are left, and one more in `t` seconds"),
    ];
    for response in responses {
        let RefOr::T(response) = response else { continue };
        for (name, description) in headers {
            let text = ObjectBuilder::new().schema_type(Type::String).build();
            let header = HeaderBuilder::new().schema(Some(text)).description(Some(description));
            response.headers.insert(name.to_owned(), header.build().into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_one_customer_count_as_one() {
        let of = |text: &str| network(text.parse().unwrap());
        assert_eq!(of("2001:db8:0:1::5"), of("2001:db8:0:1:ffff::1"));
        assert_ne!(of("2001:db8:0:1::5"), of("2001:db8:0:2::5"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
    }

    #[test]
    fn headers_are_structured_fields() {
        let quota = Quota::new(600, Duration::from_secs(60)).unwrap();
        let standing = |limit, cost| Standing {
            limit,
            key: String::new(),
            quota,
            cost,
            verdict: quota.take(0, 1_000_000, cost),
        };
        let tally = Tally(vec![standing(Limit::Uploads, 1), standing(Limit::Transforms, 20)]);
        let response = tally.told(Ok(Response::default())).unwrap();
        assert_eq!(
            response.headers()["ratelimit-policy"],
            "\"uploads\";q=600;w=60, \"transforms\";q=600;w=60"
        );
        assert_eq!(
            response.headers()["ratelimit"],
            "\"uploads\";r=599;t=1, \"transforms\";r=580;t=1"
        );
    }
}
