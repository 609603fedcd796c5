//! What is known of pictures, accounts and keys: looked up once, and trusted until the feed says that it has changed.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
};

use moka::sync::Cache;

use crate::{
    actors::address::Address,
    adapters::db::{
        Db, delivery::DeliveryAccount, images::ImageForDelivery, signing_keys::SigningKeyById,
    },
    domain::{
        delivery::{Account, Change, SigningKey},
        error::{Error, Result},
        ids::{ImageId, UserId},
        image::Image,
        transform::{Asks, Hints, Profile, Spec},
    },
};

/// Facts of each kind that are remembered.
const REMEMBERED: u64 = 50_000;

/// Something that was looked up; whether it still is so can be asked at any time.
pub struct Fact<T> {
    value: Option<T>,
    gone: Arc<AtomicBool>,
    is_kept: bool,
}

impl<T> Fact<T> {
    fn new(value: Option<T>, is_kept: bool) -> Self {
        Self { value, gone: Arc::default(), is_kept }
    }

    /// What is there, if anything is.
    pub fn there(&self) -> Option<&T> {
        self.value.as_ref()
    }

    /// Turns true when it must be looked up again. `None` if nobody will tell: it was looked up while something changed, and is good
    /// for the answer that it was looked up for.
    pub fn gone(&self) -> Option<Arc<AtomicBool>> {
        self.is_kept.then(|| self.gone.clone())
    }

    fn forget(&self) {
        self.gone.store(true, Ordering::Release);
    }
}

/// An account that pictures are served for.
pub struct Owner {
    /// Which.
    pub id: UserId,
    /// Unsigned, only presets and what is `allowed`.
    pub strict: bool,
    /// What may be asked for unsigned, and what it means.
    pub allowed: Vec<(String, Option<Spec>)>,
    /// Transformations by name.
    pub presets: HashMap<String, Spec>,
    /// Shown in the place of what can't be shown.
    pub fallback: Option<ImageId>,
}

impl Owner {
    fn new(id: UserId, account: Account, profile: Profile) -> Result<Self> {
        let preset = |(name, spec)| {
            let spec = Spec::parse(&spec).map_err(Error::invalid).map_err(Error::internal)?;
            Ok((name, spec))
        };
        let presets = account.presets.into_iter().map(preset).collect::<Result<HashMap<_, _>>>()?;
        let find = |name: &str| presets.get(name).cloned();
        let meaning = |text: String| {
            // What names a preset that has gone means nothing.
            let spec = Spec::from_url_with(&text, profile, &find).ok();
            (text, spec)
        };
        let allowed = account.settings.allowed.into_iter().map(meaning).collect();
        let (strict, fallback) = (account.settings.strict, account.settings.fallback_image_id);
        Ok(Self { id, strict, allowed, presets, fallback })
    }
}

/// All of it.
pub struct Known {
    images: Map<ImageId, Image>,
    accounts: Map<UserId, Owner>,
    keys: Map<String, SigningKey>,
    /// What a transformation means that names none.
    profile: Profile,
    /// Goes up with whatever is forgotten: what was looked up before is not remembered.
    epoch: RwLock<u64>,
}

/// What is not there is known as well.
type Map<K, T> = Cache<K, Arc<Fact<T>>>;

fn map<K: Eq + Hash + Send + Sync + 'static, T: Send + Sync + 'static>() -> Map<K, T> {
    Cache::builder()
        .max_capacity(REMEMBERED)
        // Nobody could tell later that it has changed.
        .eviction_listener(|_, fact: Arc<Fact<T>>, _| fact.forget())
        .build()
}

impl Known {
    /// Nothing, yet.
    pub fn new(profile: Profile) -> Self {
        let (images, accounts, keys) = (map(), map(), map());
        Self { images, accounts, keys, profile, epoch: RwLock::default() }
    }

    /// What is made of a transformation in the URL form that `owner` may use.
    ///
    /// # Errors
    /// `validation_failed`.
    pub fn read(&self, text: &str, owner: &Owner, hints: &Hints) -> Result<(Spec, Asks)> {
        if text.is_empty() {
            return Ok((Spec { profile: self.profile, ..Spec::default() }, Asks::default()));
        }
        let presets = |name: &str| owner.presets.get(name).cloned();
        Spec::from_url_for(text, self.profile, &presets, hints).map_err(Error::invalid)
    }

    /// A picture, whoever's it is.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn image(&self, database: &Address<Db>, id: ImageId) -> Result<Arc<Fact<Image>>> {
        let look_up = async || database.ask(ImageForDelivery { id }).await;
        self.remembered(&self.images, id, look_up).await
    }

    /// An account; none if it is disabled.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn owner(&self, database: &Address<Db>, user_id: UserId) -> Result<Arc<Fact<Owner>>> {
        let look_up = async || {
            let found = database.ask(DeliveryAccount { user_id }).await?;
            let account = found.filter(|found| !found.disabled);
            account.map(|account| Owner::new(user_id, account, self.profile)).transpose()
        };
        self.remembered(&self.accounts, user_id, look_up).await
    }

    /// The key of that id; none if its account is disabled.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn key(&self, database: &Address<Db>, id: &str) -> Result<Arc<Fact<SigningKey>>> {
        let look_up = async || {
            let found = database.ask(SigningKeyById { id: id.to_owned() }).await?;
            Ok(found.filter(|(_, disabled)| !disabled).map(|(key, _)| key))
        };
        self.remembered(&self.keys, id.to_owned(), look_up).await
    }

    async fn remembered<K: Eq + Hash + Send + Sync + 'static, T: Send + Sync + 'static>(
        &self,
        map: &Map<K, T>,
        key: K,
        look_up: impl AsyncFnOnce() -> Result<Option<T>>,
    ) -> Result<Arc<Fact<T>>> {
        if let Some(fact) = map.get(&key) {
            return Ok(fact);
        }
        let before = *self.epoch.read().unwrap_or_else(PoisonError::into_inner);
        let value = look_up().await?;
        let epoch = self.epoch.read().unwrap_or_else(PoisonError::into_inner);
        let fact = Arc::new(Fact::new(value, *epoch == before));
        if fact.is_kept {
            map.insert(key, fact.clone());
        }
        Ok(fact)
    }

    /// Forgets what `change` is about.
    pub fn forget(&self, change: &Change) {
        let mut epoch = self.epoch.write().unwrap_or_else(PoisonError::into_inner);
        *epoch += 1;
        let user_id = change.user_id;
        match change.image_id {
            Some(id) => {
                if let Some(fact) = self.images.remove(&id) {
                    fact.forget();
                }
            }
            None => {
                forget(&self.accounts, |key, _| *key == user_id);
                forget(&self.images, |_, image| image.is_some_and(|it| it.user_id == user_id));
                // One that was not there may have been made.
                forget(&self.keys, |_, key| key.is_none_or(|it| it.user_id == user_id));
            }
        }
    }

    /// Forgets everything.
    pub fn forget_all(&self) {
        let mut epoch = self.epoch.write().unwrap_or_else(PoisonError::into_inner);
        *epoch += 1;
        forget(&self.images, |_, _| true);
        forget(&self.accounts, |_, _| true);
        forget(&self.keys, |_, _| true);
    }
}

fn forget<K: Eq + Hash + Clone + Send + Sync + 'static, T: Send + Sync + 'static>(
    map: &Map<K, T>,
    is_meant: impl Fn(&K, Option<&T>) -> bool,
) {
    for (key, fact) in map {
        if is_meant(&key, fact.there()) {
            fact.forget();
            map.invalidate(&*key);
        }
    }
}
