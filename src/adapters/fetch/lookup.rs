//! From names to addresses: once for each connection, and to none that were not checked.

use std::{
    future::Future,
    io,
    net::{SocketAddr, ToSocketAddrs},
    pin::Pin,
    sync::Arc,
};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::sync::Semaphore;

use super::rules::Rules;

/// Names looked up at a time. Each holds a thread until the resolver gives up, long after nobody waits for it any more; a name
/// server that never answers must not take those that files are read by.
const LOOKUPS: usize = 64;

/// The addresses of a name.
pub(super) type Found = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>>;

/// Whoever knows the addresses of names.
pub(super) trait Lookup: Send + Sync {
    /// The addresses of `name`; their ports mean nothing.
    fn find(&self, name: &str) -> Found;
}

/// The machine's own resolver.
pub(super) struct System(Arc<Semaphore>);

impl Default for System {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(LOOKUPS)))
    }
}

impl Lookup for System {
    fn find(&self, name: &str) -> Found {
        let (name, threads) = (name.to_owned(), self.0.clone());
        Box::pin(async move {
            let thread = threads.acquire_owned().await.map_err(io::Error::other)?;
            let found = tokio::task::spawn_blocking(move || {
                let found = (name.as_str(), 0).to_socket_addrs().map(Iterator::collect);
                drop(thread);
                found
            });
            found.await.map_err(io::Error::other)?
        })
    }
}

/// Lets only addresses through that may be connected to on its port.
pub(super) struct Guarded {
    pub(super) rules: Arc<Rules>,
    pub(super) lookup: Arc<dyn Lookup>,
    pub(super) port: u16,
}

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let (rules, port, found) = (self.rules.clone(), self.port, self.lookup.find(name.as_str()));
        Box::pin(async move {
            let reachable = rules.reachable(found.await?.into_iter(), port)?;
            if reachable.is_empty() {
                return Err(io::Error::from(io::ErrorKind::NotFound).into());
            }
            Ok(Box::new(reachable.into_iter()) as Addrs)
        })
    }
}
