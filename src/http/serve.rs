//! The connection loop: accepts, bounds the time that a client may take, gives each request its id,
//! its way through the gate and its line in the log, and drains when told to.

use std::{
    convert::Infallible,
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    panic::AssertUnwindSafe,
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::FutureExt;
use http_body_util::{BodyExt, combinators::UnsyncBoxBody};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::GracefulConnection},
};
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::{Layer, Service, ServiceExt, util::BoxCloneSyncService, util::option_layer};
use tower_http::{
    compression::CompressionLayer,
    cors::{AllowOrigin, CorsLayer},
};
use uuid::Uuid;
use warp::{
    filters::BoxedFilter,
    http::{
        HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode,
        header::{self, Entry},
    },
    reply::Response,
};

use super::{
    context::{Arrival, Context},
    delivery,
    gate::Gate,
    openapi::OPENAPI,
    problem::{raise, render},
    unread::Unread,
};
use crate::{
    config,
    domain::{
        error::{Error, Result},
        link,
    },
};

/// How long a new connection may say nothing.
const SILENCE: Duration = Duration::from_secs(15);
/// How long a connection may idle between requests, and how long a request's head may take; longer
/// than load balancers keep theirs, so that it is they who close.
const HEAD_TIMEOUT: Duration = Duration::from_secs(75);
/// What a connection that has not asked anything yet is given when the server stops.
const LAST_CALL: Duration = Duration::from_secs(1);
/// Connections at a time; further ones wait to be accepted.
const MAX_CONNECTIONS: usize = 8192;
/// Connections that stand in line to be accepted, if the system allows as many. Whoever does not fit in tries again after a second.
const IN_LINE: u32 = 4096;
/// Longest request id that we take from a client.
const MAX_REQUEST_ID: usize = 128;

/// Tells a request from all others, in answers and in the log.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// A body whose kind is forgotten; without it the layers' types don't fit hyper's bounds.
type AnyBody<E> = UnsyncBoxBody<Bytes, E>;
type AnyError = Box<dyn std::error::Error + Send + Sync>;
type Answer = warp::http::Response<AnyBody<AnyError>>;
type Layered<B> =
    BoxCloneSyncService<Request<Incoming>, warp::http::Response<AnyBody<B>>, Infallible>;
type Routes = BoxedFilter<(Response,)>;

/// Binds the listener: to `host`, or else to every address of both families.
///
/// # Errors
/// When the address is taken, or not ours.
pub fn bind(settings: &config::Http) -> io::Result<TcpListener> {
    match settings.host {
        Some(host) => listen(SocketAddr::new(host, settings.port)),
        None => {
            let both = SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), settings.port);
            match listen(both) {
                Err(error) if error.kind() != io::ErrorKind::AddrInUse => {
                    listen(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), settings.port))
                }
                bound => bound,
            }
        }
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv6() { TcpSocket::new_v6() } else { TcpSocket::new_v4() }?;
    // A new process takes the place of one that has just ended.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(IN_LINE)
}

/// Serves until `stop`, then finishes the requests that are under way, at most for `patience`.
///
/// # Errors
/// When the routes contradict each other.
pub async fn serve(
    listener: TcpListener,
    context: Context,
    stop: CancellationToken,
    patience: Duration,
) -> Result<()> {
    let exchange = Arc::new(Exchange::of(&context)?);
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let connections = TaskTracker::new();
    let cut = CancellationToken::new();
    let mut http = auto::Builder::new(TokioExecutor::new());
    http.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
    http.http2().timer(TokioTimer::new()).keep_alive_interval(SILENCE).keep_alive_timeout(SILENCE);
    let begin = |(stream, peer, place): Accepted| {
        let begun = CancellationToken::new();
        let (exchange, has_begun) = (exchange.clone(), begun.clone());
        let service = service_fn(move |request| {
            has_begun.cancel();
            let exchange = exchange.clone();
            async move { Ok::<_, Infallible>(exchange.answer(request, peer).await) }
        });
        let connection =
            http.serve_connection_with_upgrades(TokioIo::new(stream), service).into_owned();
        let exchanging = exchange_until(connection, begun, stop.clone());
        let cut = cut.clone();
        connections.spawn(async move {
            let _place = place;
            tokio::select! {
                ended = exchanging => if let Err(error) = ended {
                    tracing::debug!(%peer, error, "a connection broke");
                },
                () = cut.cancelled() => tracing::debug!(%peer, "cut off"),
            }
        });
    };
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &places) => accepted,
            () = stop.cancelled() => break,
        };
        match accepted {
            Ok(accepted) => begin(accepted),
            Err(error) => {
                // Out of descriptors, or a client that left at once: the next may do better.
                tracing::warn!(%error, "could not accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
    match last_in_line(listener, &places) {
        Ok(last) => last.into_iter().for_each(begin),
        Err(error) => tracing::warn!(%error, "could not accept who stood in line"),
    }
    connections.close();
    if tokio::time::timeout(patience, connections.wait()).await.is_err() {
        tracing::warn!("requests were still under way; their connections are closed");
        cut.cancel();
    }
    Ok(())
}

/// Answers until the client leaves, or, after `stop`, what was asked is answered.
async fn exchange_until<F>(
    connection: F,
    begun: CancellationToken,
    stop: CancellationToken,
) -> std::result::Result<(), AnyError>
where
    F: GracefulConnection<Error = AnyError>,
{
    let mut connection = pin!(connection);
    let silence = async {
        tokio::select! {
            () = tokio::time::sleep(SILENCE) => {}
            () = stop.cancelled() => tokio::time::sleep(LAST_CALL).await,
        }
        if begun.is_cancelled() {
            std::future::pending::<()>().await;
        }
    };
    // A connection that has not asked anything yet would close at once when told to, and its question may be on the way.
    let told = async {
        begun.cancelled().await;
        stop.cancelled().await;
    };
    tokio::select! {
        // First, so that what has been asked in time is answered, however late it is looked at.
        biased;
        ended = connection.as_mut() => return ended,
        () = told => {}
        () = silence => return Ok(()),
    }
    connection.as_mut().graceful_shutdown();
    connection.await
}

/// A connection, where it comes from, and its place among the others.
type Accepted = (TcpStream, SocketAddr, OwnedSemaphorePermit);

async fn accept(listener: &TcpListener, places: &Arc<Semaphore>) -> io::Result<Accepted> {
    let place = places.clone().acquire_owned().await.map_err(io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    stream.set_nodelay(true)?;
    Ok((stream, peer, place))
}

/// Closes the listener, and accepts those who stand in line: as far as they know they are connected, and may have asked already.
/// The system is asked directly, because the runtime may not have heard of the last of them.
fn last_in_line(listener: TcpListener, places: &Arc<Semaphore>) -> io::Result<Vec<Accepted>> {
    let listener = listener.into_std()?;
    let mut accepted = Vec::new();
    while let (Ok(place), Ok((stream, peer))) =
        (places.clone().try_acquire_owned(), listener.accept())
    {
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        accepted.push((TcpStream::from_std(stream)?, peer, place));
    }
    Ok(accepted)
}

/// What every request goes through, from the connection to the answer.
struct Exchange {
    gate: Arc<Gate>,
    /// Pictures by URL say themselves who may see them, which is everybody, and are as small as they get: nothing lies around them.
    pictures: Routes,
    /// All others, with CORS and compression around them.
    others: Layered<AnyError>,
}

impl Exchange {
    fn of(context: &Context) -> Result<Self> {
        let gate = Gate::new(&OPENAPI).map_err(Error::internal)?;
        let (pictures, others) = (delivery::routes(context), super::routes(context));
        Ok(Self::new(gate, pictures, others, &context.settings().allowed_origins))
    }

    fn new(gate: Gate, pictures: Routes, others: Routes, origins: &[String]) -> Self {
        let gate = Arc::new(gate);
        let others = {
            let gate = gate.clone();
            tower::service_fn(move |request| {
                let (gate, routes) = (gate.clone(), others.clone());
                async move { Ok::<_, Infallible>(answer(&gate, routes, request).await) }
            })
        };
        let others = option_layer(cors(origins)).layer(others).map_response(|mut response| {
            // A preflight is answered by CORS itself.
            if let Entry::Vacant(missing) = response.headers_mut().entry(REQUEST_ID)
                && let Ok(value) = HeaderValue::from_str(&new_request_id())
            {
                missing.insert(value);
            }
            response.map(UnsyncBoxBody::new)
        });
        let others = CompressionLayer::new().layer(Layered::<warp::Error>::new(others));
        let others = Layered::new(others.map_response(|response| response.map(UnsyncBoxBody::new)));
        Self { gate, pictures, others }
    }

    /// Answers what came from `peer`.
    async fn answer(&self, mut request: Request<Incoming>, peer: SocketAddr) -> Answer {
        let uri = request.uri().clone();
        let is_picture = uri.path().starts_with(link::PREFIX);
        request.extensions_mut().insert(Arrival { uri, peer });
        if is_picture {
            let response = answer(&self.gate, self.pictures.clone(), request).await;
            return delivery::open(response)
                .map(|body| UnsyncBoxBody::new(body.map_err(AnyError::from)));
        }
        match self.others.clone().oneshot(request).await {
            Ok(answer) => answer,
            Err(never) => match never {},
        }
    }
}

async fn answer(gate: &Gate, routes: Routes, mut request: Request<Incoming>) -> Response {
    let started = Instant::now();
    let request_id = request_id(request.headers());
    let method = request.method().clone();
    let (template, mut response) = match gate.admit(&method, request.uri().path()) {
        Ok(template) => {
            // The answer to HEAD is that to GET; hyper leaves the body out.
            if method == Method::HEAD {
                *request.method_mut() = Method::GET;
                // Parts are for GET alone.
                request.headers_mut().remove(header::RANGE);
            }
            (template, handle(routes, request).await)
        }
        Err(response) => {
            // What it sent is read and discarded, so that it sees the answer.
            drop(unread(request));
            ("", *response)
        }
    };
    render(&mut response, &request_id);
    if let Ok(value) = HeaderValue::from_str(&request_id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    tracing::info!(
        request_id,
        %method,
        route = template,
        status = response.status().as_u16(),
        ms = started.elapsed().as_millis(),
        "request"
    );
    response
}

/// Lets the routes answer. A handler that panics is an error like any other.
async fn handle(routes: Routes, request: Request<Incoming>) -> Response {
    let mut service = warp::service(routes);
    let handled = AssertUnwindSafe(service.call(unread(request))).catch_unwind().await;
    match handled {
        // An error that is not one of ours comes from the router: the gate let in what no route takes.
        Ok(Ok(response)) if is_foreign_error(&response) => {
            raise(Error::internal(format_args!("no route answered: {}", response.status())))
        }
        Ok(Ok(response)) => response,
        Ok(Err(never)) => match never {},
        Err(_) => raise(Error::internal("a handler panicked")),
    }
}

fn is_foreign_error(response: &Response) -> bool {
    let said = response.extensions().get::<Error>().is_some()
        || response
            .headers()
            .get(header::CONTENT_TYPE)
            .is_some_and(|value| value == "application/json");
    response.status().as_u16() >= StatusCode::BAD_REQUEST.as_u16() && !said
}

fn unread(request: Request<Incoming>) -> Request<Unread> {
    let waits = request
        .headers()
        .get(header::EXPECT)
        .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"));
    request.map(|body| Unread::new(body, waits))
}

/// The client's id for the request if it is sane, else a new one.
fn request_id(headers: &HeaderMap) -> String {
    let sane = |id: &&str| {
        (1..=MAX_REQUEST_ID).contains(&id.len())
            && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    headers
        .get(REQUEST_ID)
        .and_then(|id| id.to_str().ok())
        .filter(sane)
        .map_or_else(new_request_id, str::to_owned)
}

fn new_request_id() -> String {
    Uuid::now_v7().hyphenated().encode_lower(&mut Uuid::encode_buffer()).to_owned()
}

/// What pages of `origins` may do; `None` if there are none.
fn cors(origins: &[String]) -> Option<CorsLayer> {
    let all = origins.iter().any(|origin| origin == "*");
    let listed: Vec<HeaderValue> =
        origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok()).collect();
    let allowed = if all { AllowOrigin::any() } else { AllowOrigin::list(listed) };
    let methods =
        [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
    let sent = [
        header::AUTHORIZATION,
        header::CONTENT_TYPE,
        header::RANGE,
        header::IF_NONE_MATCH,
        HeaderName::from_static("idempotency-key"),
        REQUEST_ID,
    ];
    let seen = [
        header::ETAG,
        header::LOCATION,
        header::RETRY_AFTER,
        header::CONTENT_RANGE,
        HeaderName::from_static("x-cache"),
        HeaderName::from_static("deletion-receipt"),
        HeaderName::from_static("idempotent-replayed"),
        HeaderName::from_static("ratelimit"),
        HeaderName::from_static("ratelimit-policy"),
        REQUEST_ID,
    ];
    (!origins.is_empty()).then(|| {
        CorsLayer::new()
            .allow_origin(allowed)
            .allow_methods(methods)
            .allow_headers(sent)
            .expose_headers(seen)
    })
}

#[cfg(test)]
mod tests {
    use http_body_util::{BodyExt, Empty};
    use serde_json::Value;
    use warp::Filter;

    use super::*;

    #[tokio::test]
    async fn a_panic_in_a_handler_costs_one_request() {
        let routes = warp::path("health").map(|| -> Response { panic!("a secret of ours") });
        let well = warp::path("ready").map(|| Response::new("well".into()));
        let routes = routes.or(well).unify().boxed();
        let gate = Gate::new(&OPENAPI).unwrap();
        let exchange = Arc::new(Exchange::new(gate, routes.clone(), routes, &[]));
        let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
        let service = service_fn(move |request| {
            let exchange = exchange.clone();
            async move { Ok::<_, Infallible>(exchange.answer(request, peer).await) }
        });
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        let server = hyper::server::conn::http1::Builder::new();
        tokio::spawn(server.serve_connection(TokioIo::new(theirs), service));
        let (mut client, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(ours)).await.unwrap();
        tokio::spawn(connection);

        let request = |path| Request::get(path).header("x-request-id", "mine");
        let request = |path| request(path).body(Empty::<Bytes>::new()).unwrap();
        let response = client.send_request(request("/health")).await.unwrap();
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json");
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let problem: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(
            (&problem["code"], &problem["request_id"]),
            (&"internal".into(), &"mine".into())
        );
        assert!(!problem.to_string().contains("secret"), "{problem}");
        // The same connection goes on.
        client.ready().await.unwrap();
        let response = client.send_request(request("/ready")).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
    }

    #[test]
    fn a_request_id_is_kept_if_it_is_sane() {
        let id = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(REQUEST_ID, HeaderValue::from_str(value).unwrap());
            request_id(&headers)
        };
        let long = "x".repeat(MAX_REQUEST_ID);
        for sane in ["a", "018f-A_b.c", long.as_str()] {
            assert_eq!(id(sane), sane);
        }
        for insane in ["", "a b", "a\"b", "{id}", &format!("{long}x")] {
            assert!(Uuid::try_parse(&id(insane)).is_ok(), "{insane}");
        }
    }
}
