//! What is known of pictures, accounts and keys: looked up once, and trusted until the feed says that it has changed.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use moka::{policy::EvictionPolicy, sync::Cache};

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
    flows::flights::Flights,
};

/// Bytes, about, of the facts of one kind that are remembered.
const REMEMBERED: u64 = 32 << 20;
/// How long it is remembered that something is not there, and of how many things.
const ABSENT: (Duration, u64) = (Duration::from_secs(3), 10_000);

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
    /// The ids of the keys that it signs with now.
    pub keys: Vec<String>,
    /// Shown in the place of what can't be shown.
    pub fallback: Option<ImageId>,
    weight: usize,
}

impl Owner {
    fn new(id: UserId, account: Account, profile: Profile) -> Result<Self> {
        let mut weight = 0;
        let preset = |(name, spec): (String, serde_json::Value)| {
            // Read, it takes some times what it is written in.
            weight += 4 * spec.to_string().len() + name.len();
            let spec = Spec::parse(&spec).map_err(Error::invalid).map_err(Error::internal)?;
            Ok((name, spec))
        };
        let presets = account.presets.into_iter().map(preset).collect::<Result<HashMap<_, _>>>()?;
        let find = |name: &str| presets.get(name).cloned();
        let meaning = |text: String| {
            weight += 8 * text.len();
            // What names a preset that has gone means nothing.
            let spec = Spec::from_url_with(&text, profile, &find).ok();
            (text, spec)
        };
        let allowed = account.settings.allowed.into_iter().map(meaning).collect();
        let (strict, fallback) = (account.settings.strict, account.settings.fallback_image_id);
        Ok(Self { id, strict, allowed, presets, keys: account.keys, fallback, weight })
    }
}

/// All of it.
pub struct Known {
    images: Kind<ImageId, Image>,
    owners: Kind<UserId, Owner>,
    /// They never change; whether they still count is said by their owner.
    keys: Kind<String, SigningKey>,
    /// What a transformation means that names none.
    profile: Profile,
    /// Goes up with whatever is forgotten: what was looked up before is not remembered.
    epoch: Arc<RwLock<u64>>,
}

/// Facts of one kind.
struct Kind<K, T> {
    there: Cache<K, Arc<Fact<T>>>,
    absent: Cache<K, ()>,
    looking: Looking<K, T>,
}

/// Who is being looked up, and in which epoch.
type Looking<K, T> = Arc<Flights<(K, u64), Result<Arc<Fact<T>>>>>;

impl<K, T> Kind<K, T>
where
    K: Eq + Hash + Clone + Send + Sync + 'static,
    T: Send + Sync + 'static,
{
    fn new(weight: fn(&T) -> usize) -> Self {
        let weigher = move |_: &K, fact: &Arc<Fact<T>>| {
            u32::try_from(512 + fact.there().map_or(0, weight)).unwrap_or(u32::MAX)
        };
        let (absent, most) = ABSENT;
        Self {
            there: Cache::builder()
                .max_capacity(REMEMBERED)
                .weigher(weigher)
                // What was just looked up is needed now, whatever was asked for more often.
                .eviction_policy(EvictionPolicy::lru())
                // Nobody could tell later that it has changed.
                .eviction_listener(|_, fact: Arc<Fact<T>>, _| fact.forget())
                .build(),
            absent: Cache::builder().max_capacity(most).time_to_live(absent).build(),
            looking: Arc::default(),
        }
    }

    fn forget(&self, key: &K) {
        if let Some(fact) = self.there.remove(key) {
            fact.forget();
        }
        self.absent.invalidate(key);
    }

    fn forget_all(&self) {
        for (key, fact) in &self.there {
            fact.forget();
            self.there.invalidate(&*key);
        }
        self.absent.invalidate_all();
    }
}

impl Known {
    /// Nothing, yet.
    pub fn new(profile: Profile) -> Self {
        Self {
            images: Kind::new(|image| {
                image.filename.len() + image.tags.iter().map(|tag| tag.len() + 32).sum::<usize>()
            }),
            owners: Kind::new(|owner| owner.weight),
            keys: Kind::new(|_| 0),
            profile,
            epoch: Arc::default(),
        }
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
        let database = database.clone();
        let look_up = async move || database.ask(ImageForDelivery { id }).await;
        self.remembered(&self.images, id, look_up).await
    }

    /// An account; none if it is disabled.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn owner(&self, database: &Address<Db>, user_id: UserId) -> Result<Arc<Fact<Owner>>> {
        let (database, profile) = (database.clone(), self.profile);
        let look_up = async move || {
            let found = database.ask(DeliveryAccount { user_id }).await?;
            let account = found.filter(|found| !found.disabled);
            account.map(|account| Owner::new(user_id, account, profile)).transpose()
        };
        self.remembered(&self.owners, user_id, look_up).await
    }

    /// The key of that id, also if it does not count any more.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn key(&self, database: &Address<Db>, id: &str) -> Result<Arc<Fact<SigningKey>>> {
        let (database, key) = (database.clone(), id.to_owned());
        let look_up = async move || {
            let found = database.ask(SigningKeyById { id: key }).await?;
            Ok(found.map(|(key, _)| key))
        };
        self.remembered(&self.keys, id.to_owned(), look_up).await
    }

    /// Looks it up once for all who want it at this moment.
    async fn remembered<K, T, F>(
        &self,
        kind: &Kind<K, T>,
        key: K,
        look_up: impl FnOnce() -> F,
    ) -> Result<Arc<Fact<T>>>
    where
        K: Eq + Hash + Clone + Send + Sync + 'static,
        T: Send + Sync + 'static,
        F: Future<Output = Result<Option<T>>> + Send + 'static,
    {
        if let Some(fact) = kind.there.get(&key) {
            return Ok(fact);
        }
        let nothing = || Arc::new(Fact::new(None, false));
        if kind.absent.contains_key(&key) {
            return Ok(nothing());
        }
        let before = *self.epoch.read().unwrap_or_else(PoisonError::into_inner);
        let (there, absent, epoch) = (kind.there.clone(), kind.absent.clone(), self.epoch.clone());
        let (place, look_up) = (key.clone(), look_up());
        let work = || async move {
            let value = look_up.await?;
            let epoch = epoch.read().unwrap_or_else(PoisonError::into_inner);
            let fact = Arc::new(Fact::new(value, *epoch == before));
            match (&fact.value, fact.is_kept) {
                (Some(_), true) => there.insert(place, fact.clone()),
                (None, true) => absent.insert(place, ()),
                (_, false) => {}
            }
            Ok(fact)
        };
        // Who comes after a change does not wait for what was asked before it.
        kind.looking.join((key, before), work).await?
    }

    /// Forgets what `changes` are about. What an account has said is forgotten with the account; its pictures and keys are
    /// nothing without it.
    pub fn forget(&self, changes: &[Change]) {
        let mut epoch = self.epoch.write().unwrap_or_else(PoisonError::into_inner);
        *epoch += 1;
        for change in changes {
            match change.image_id {
                Some(id) => self.images.forget(&id),
                None => self.owners.forget(&change.user_id),
            }
        }
    }

    /// Forgets everything.
    pub fn forget_all(&self) {
        let mut epoch = self.epoch.write().unwrap_or_else(PoisonError::into_inner);
        *epoch += 1;
        self.images.forget_all();
        self.owners.forget_all();
    }
}
