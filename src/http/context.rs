//! What handlers are handed: the services, the settings of HTTP, and the request without its body.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use tokio::sync::watch;
use warp::{
    Filter,
    http::{HeaderMap, Uri, header},
};

use crate::{
    config,
    domain::error::{Code, Error, Result},
    flows::{
        Services,
        sessions::{Caller, authenticate},
    },
};

/// What every handler may use. Cheap to clone.
#[derive(Clone)]
pub struct Context(Arc<Inner>);

struct Inner {
    services: Arc<Services>,
    settings: config::Http,
    draining: watch::Receiver<bool>,
}

impl Context {
    /// A context; `draining` turns true when the process is about to stop.
    pub fn new(
        services: Arc<Services>,
        settings: config::Http,
        draining: watch::Receiver<bool>,
    ) -> Self {
        Self(Arc::new(Inner { services, settings, draining }))
    }

    /// The settings of HTTP.
    pub fn settings(&self) -> &config::Http {
        &self.0.settings
    }

    /// Whether the process is about to stop.
    pub fn is_draining(&self) -> bool {
        *self.0.draining.borrow()
    }

    /// Extracts the request, without its body. Never rejects.
    pub fn request(
        &self,
    ) -> impl Filter<Extract = (Request,), Error = warp::Rejection> + Clone + use<> {
        let context = self.clone();
        warp::header::headers_cloned().and(warp::ext::get::<Arrival>()).map(
            move |headers, Arrival { uri, peer }: Arrival| Request {
                context: context.clone(),
                path: uri.path().to_owned(),
                query: uri.query().unwrap_or_default().to_owned(),
                headers,
                peer,
            },
        )
    }
}

/// What was asked for, and the address at the other end of the connection.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// As sent.
    pub uri: Uri,
    /// The client, or what stands before it.
    pub peer: SocketAddr,
}

/// A request without its body.
pub struct Request {
    context: Context,
    /// The path as sent.
    pub path: String,
    /// What follows the `?`, as sent.
    pub query: String,
    /// The headers.
    pub headers: HeaderMap,
    peer: SocketAddr,
}

impl Request {
    /// What flows work with.
    pub fn services(&self) -> &Services {
        &self.context.0.services
    }

    /// The same, to be taken along into a task.
    pub fn shared_services(&self) -> Arc<Services> {
        self.context.0.services.clone()
    }

    /// The settings of HTTP.
    pub fn settings(&self) -> &config::Http {
        self.context.settings()
    }

    /// Whether the process is about to stop.
    pub fn is_draining(&self) -> bool {
        self.context.is_draining()
    }

    /// Turns true when the process is about to stop.
    pub fn draining(&self) -> watch::Receiver<bool> {
        self.context.0.draining.clone()
    }

    /// A header's value, if it is text.
    pub fn header(&self, name: impl header::AsHeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Whom the request speaks for.
    ///
    /// # Errors
    /// `unauthenticated`, `token_expired`, `account_disabled`.
    pub async fn caller(&self) -> Result<Caller> {
        let missing = || {
            let detail = "send a token or an API key as `Authorization: Bearer …`";
            Error::new(Code::Unauthenticated, detail)
        };
        let value = self.header(header::AUTHORIZATION).ok_or_else(missing)?;
        let (scheme, credential) = value.split_once(' ').ok_or_else(missing)?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(missing());
        }
        authenticate(self.services(), credential.trim()).await
    }

    /// The client's address: the connection's, or behind trusted proxies the right-most
    /// `X-Forwarded-For` entry that is none of them.
    pub fn address(&self) -> IpAddr {
        let trusted = |address: &IpAddr| {
            self.settings().trusted_proxies.iter().any(|range| range.contains(address))
        };
        let peer = self.peer.ip().to_canonical();
        if !trusted(&peer) {
            return peer;
        }
        let forwarded = self.headers.get_all("x-forwarded-for").iter();
        let hops: Vec<_> = forwarded
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .map(|hop| hop.trim().parse::<IpAddr>().map(|address| address.to_canonical()))
            .collect();
        let mut nearest = peer;
        for hop in hops.into_iter().rev() {
            // What stands left of an entry that is no address can't be believed either.
            let Ok(address) = hop else { break };
            nearest = address;
            if !trusted(&address) {
                break;
            }
        }
        nearest
    }

    /// Tells this client from others: its address and what it calls itself.
    pub fn client(&self) -> String {
        let agent = self.header(header::USER_AGENT).unwrap_or_default();
        crate::adapters::token::digest(&format!("{}\n{agent}", self.address()))
    }

    /// `path` as clients shall see it: under `PUBLIC_URL` if there is one, else as it is.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.settings().public_url.as_deref().unwrap_or_default())
    }
}
