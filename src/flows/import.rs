//! Taking a picture in from elsewhere: fetched as an upload is received, and stored like one.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{
    Services,
    upload::{Receiving, too_large},
};
use crate::{
    adapters::storage::Spooled,
    domain::{
        error::{Code, Error, Result},
        ids::UserId,
    },
};

/// Imports under way at a time in this process. Each has a connection, and a file that grows.
const UNDER_WAY: usize = 64;
/// Of those, the ones of one account: slow servers of one must not take all places.
const OF_ACCOUNT: usize = 8;
/// When to ask again who has that many: some have come to their end by then.
const RETRY_AFTER: u32 = 2;

/// A file that was fetched.
pub struct Imported {
    /// The file, which has no key yet.
    pub spooled: Spooled,
    /// What it is called where it comes from, harmless or not.
    pub filename: Option<String>,
}

/// How many imports are under way, of each account that has any.
#[derive(Debug, Clone, Default)]
pub struct Imports(Arc<Mutex<HashMap<UserId, usize>>>);

/// A place among them, free again when it goes out of scope.
struct Place {
    imports: Imports,
    user_id: UserId,
}

impl Imports {
    fn of_accounts(&self) -> MutexGuard<'_, HashMap<UserId, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, user_id: UserId) -> Result<Place> {
        let mut of_accounts = self.of_accounts();
        if of_accounts.get(&user_id).is_some_and(|count| *count >= OF_ACCOUNT) {
            let detail = format!("at most {OF_ACCOUNT} imports at a time; try again shortly");
            return Err(Error::new(Code::RateLimited, detail).retry_after(RETRY_AFTER));
        }
        if of_accounts.values().sum::<usize>() >= UNDER_WAY {
            return Err(Error::overloaded(format!("{UNDER_WAY} imports are under way")));
        }
        *of_accounts.entry(user_id).or_default() += 1;
        Ok(Place { imports: self.clone(), user_id })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut of_accounts = self.imports.of_accounts();
        match of_accounts.get_mut(&self.user_id) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(of_accounts.remove(&self.user_id)),
        }
    }
}

/// Fetches what is at `url`, for that account.
///
/// # Errors
/// `fetch_refused`, `fetch_failed`, `payload_too_large`; `rate_limited` and `overloaded` while too much is fetched already.
pub async fn fetch(services: &Services, user_id: UserId, url: &str) -> Result<Imported> {
    let _place = services.imports.begin(user_id)?;
    let mut fetched = services.fetcher.get(url).await?;
    let limit = services.limits.upload_size;
    if fetched.length().is_some_and(|length| length > limit) {
        return Err(too_large(limit));
    }
    let filename = fetched.filename();
    let mut file = Receiving::begin(services).await?;
    while let Some(piece) = fetched.next().await? {
        file.write(&piece).await?;
    }
    Ok(Imported { spooled: file.finish().await?, filename })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_have_few_places_and_the_process_some() {
        let imports = Imports::default();
        let mut places = Vec::new();
        for _ in 0..UNDER_WAY / OF_ACCOUNT {
            let user_id = UserId::new();
            places.extend((0..OF_ACCOUNT).map(|_| imports.begin(user_id).unwrap()));
            let refused = imports.begin(user_id).err().unwrap();
            assert_eq!((refused.code, refused.retry_after), (Code::RateLimited, Some(RETRY_AFTER)));
        }
        let (first, other) = (places[0].user_id, UserId::new());
        assert_eq!(imports.begin(other).err().unwrap().code, Code::Overloaded);
        places.remove(0);
        let place = imports.begin(other).unwrap();
        assert_eq!(imports.begin(first).err().unwrap().code, Code::Overloaded);
        drop((place, places));
        assert!(imports.of_accounts().is_empty());
    }
}
