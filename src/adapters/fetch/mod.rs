//! The one way out: what clients have the service fetch, and where it sends webhooks.
//!
//! Whoever names a URL must not reach by it what only this machine can reach. So every URL is checked against [`rules`]
//! before anything is looked up; its host is looked up once, and only addresses that were checked are connected to; what a
//! redirect leads to is checked as if somebody had written it. Proxies are not asked: they would look up again.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use reqwest::{
    Client, Response,
    header::{ACCEPT, ACCEPT_ENCODING, CONTENT_DISPOSITION, HeaderMap, LOCATION},
};
use tokio::time::{Instant, timeout_at};
use url::Url;

use self::{
    failure::explained,
    lookup::{Guarded, Lookup, System},
    rules::Rules,
};
use crate::{
    config,
    domain::error::{Code, Error, Result},
};

mod addresses;
mod failure;
mod filename;
mod lookup;
mod rules;
#[cfg(test)]
mod tests;

pub use self::rules::Refused;

/// Redirects that are followed.
const MAX_REDIRECTS: usize = 5;
/// Bytes of a URL.
pub const MAX_URL: usize = 2048;
/// How long a connection may take to be made, should there be more time for the whole.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Who asks.
const AGENT: &str = concat!("Darkroom/", env!("CARGO_PKG_VERSION"));

/// Fetches what the rules allow. Cheap to clone.
#[derive(Clone)]
pub struct Fetcher(Arc<Inner>);

struct Inner {
    rules: Arc<Rules>,
    lookup: Arc<dyn Lookup>,
    /// One for each port: what a name may lead to depends on it, and whoever looks up is told only the name.
    clients: Mutex<HashMap<u16, Client>>,
}

impl fmt::Debug for Fetcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Fetcher").field(&self.0.rules).finish()
    }
}

impl Fetcher {
    /// One that keeps to `settings`.
    pub fn new(settings: config::Fetch) -> Self {
        Self::with(settings, Arc::new(System::default()))
    }

    fn with(settings: config::Fetch, lookup: Arc<dyn Lookup>) -> Self {
        let rules = Arc::new(Rules::new(settings));
        Self(Arc::new(Inner { rules, lookup, clients: Mutex::default() }))
    }

    /// Whether `url` may be fetched, as far as can be told without looking up its host.
    ///
    /// # Errors
    /// The rule that it breaks.
    pub fn check(&self, url: &str) -> Result<(), Refused> {
        self.0.rules.read(url).map(drop)
    }

    /// How long a fetch may take.
    pub fn timeout(&self) -> Duration {
        self.0.rules.settings().timeout
    }

    /// Begins to fetch what is at `url`, and follows redirects.
    ///
    /// # Errors
    /// `fetch_refused`, `fetch_failed`.
    pub async fn get(&self, url: &str) -> Result<Fetched> {
        let deadline = Instant::now() + self.timeout();
        let mut url = self.0.rules.read(url)?;
        for _ in 0..=MAX_REDIRECTS {
            let request = self.client(&url)?.get(url.clone());
            let request = request.header(ACCEPT, "image/*, */*;q=0.1");
            // What is counted are the bytes that arrive; nobody's few shall become many here.
            let request = request.header(ACCEPT_ENCODING, "identity");
            let response = within(deadline, request.send()).await?;
            match response.status().as_u16() {
                200 | 203 => return Ok(Fetched { response, url, deadline }),
                301 | 302 | 303 | 307 | 308 => url = self.followed(&url, &response)?,
                status => return Err(failed(format!("it was answered {status}"))),
            }
        }
        Err(failed(format!("it was redirected more than {MAX_REDIRECTS} times")))
    }

    /// Posts `body` to `url`, and does not follow redirects; the status of the answer.
    ///
    /// # Errors
    /// `fetch_refused`, `fetch_failed`.
    pub async fn post(&self, url: &str, headers: HeaderMap, body: String) -> Result<u16> {
        let deadline = Instant::now() + self.timeout();
        let url = self.0.rules.read(url)?;
        let request = self.client(&url)?.post(url).headers(headers).body(body);
        Ok(within(deadline, request.send()).await?.status().as_u16())
    }

    /// Where a redirect leads, if that may be fetched.
    fn followed(&self, url: &Url, response: &Response) -> Result<Url> {
        let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
        let target = location.and_then(|location| url.join(location).ok());
        let target = target.ok_or_else(|| failed("it was redirected to nowhere"))?;
        match self.0.rules.check(&target) {
            Ok(()) => Ok(target),
            Err(Refused(why)) => {
                let detail = format!("the URL leads to one that is not fetched: {why}");
                Err(Error::new(Code::FetchRefused, detail))
            }
        }
    }

    /// The client for what `url` names, which has been checked.
    fn client(&self, url: &Url) -> Result<Client> {
        let port = url.port_or_known_default().unwrap_or_default();
        let mut clients = self.0.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(&port) {
            return Ok(client.clone());
        }
        let (rules, lookup) = (self.0.rules.clone(), self.0.lookup.clone());
        let client = Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            // Whatever other parts of the program have built in: no second protocol, and nothing unpacked.
            .http1_only()
            .no_gzip()
            .no_brotli()
            .no_zstd()
            .no_deflate()
            // Each connection was looked up and checked for the request that it is for.
            .pool_max_idle_per_host(0)
            .connect_timeout(CONNECT_TIMEOUT.min(self.timeout()))
            .user_agent(AGENT)
            .dns_resolver(Guarded { rules, lookup, port })
            .build()
            .map_err(Error::internal)?;
        clients.insert(port, client.clone());
        Ok(client)
    }
}

/// Something that is being fetched.
pub struct Fetched {
    response: Response,
    url: Url,
    deadline: Instant,
}

impl fmt::Debug for Fetched {
    /// Without its URL, which may be a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fetched").field("status", &self.response.status()).finish_non_exhaustive()
    }
}

impl Fetched {
    /// How many bytes it says it has.
    pub fn length(&self) -> Option<u64> {
        self.response.content_length()
    }

    /// What it is called: by its own words, else by its URL. As it came, harmless or not.
    pub fn filename(&self) -> Option<String> {
        let disposition = self.response.headers().get(CONTENT_DISPOSITION);
        let said = disposition.and_then(|value| filename::of_disposition(value.as_bytes()));
        said.or_else(|| filename::of_url(&self.url))
    }

    /// The next piece; `None` after the last.
    ///
    /// # Errors
    /// `fetch_failed`, also when it ends before its time.
    pub async fn next(&mut self) -> Result<Option<Bytes>> {
        within(self.deadline, self.response.chunk()).await
    }
}

async fn within<T>(deadline: Instant, work: impl Future<Output = reqwest::Result<T>>) -> Result<T> {
    // What is there already is handed out before the clock is looked at: of a body that always has more, for ever.
    if Instant::now() >= deadline {
        return Err(failed("it took too long"));
    }
    match timeout_at(deadline, work).await {
        Ok(done) => done.map_err(explained),
        Err(_) => Err(failed("it took too long")),
    }
}

/// `fetch_failed`.
fn failed(why: impl fmt::Display) -> Error {
    Error::new(Code::FetchFailed, format!("the URL could not be fetched: {why}"))
}
