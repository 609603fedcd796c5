//! From a path to a picture and what to make of it: who may see it is settled here, in this order. A signature is checked
//! before any picture is looked up; whoever has none learns nothing of pictures that are not public.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::SystemTime,
};

use super::{
    Delivery,
    known::{Fact, Owner},
};
use crate::{
    actors::address::Address,
    adapters::{
        db::Db,
        pictures::Key,
        signature::{Signature, Signed},
    },
    domain::{
        error::{Code, Error, Fault, Result},
        format::Format,
        ids::ImageId,
        image::Image,
        link::Link,
        transform::{Asks, FormatChoice, Hints, Spec},
    },
    flows::transform::source,
};

/// What a client asks for.
#[derive(Debug, Clone, Default)]
pub struct Ask {
    /// What follows `/i/`, as it was sent.
    pub path: String,
    /// The parameter `exp`, as it was sent.
    pub exp: Option<String>,
    /// What of the header `Accept` counts.
    pub accept: Option<&'static str>,
    /// What the client says of itself.
    pub hints: Hints,
}

impl Ask {
    /// What tells it from all others.
    pub(super) fn key(&self) -> String {
        let Self { path, exp, accept, hints } = self;
        let mut key = [path, "\n", accept.unwrap_or_default()].concat();
        // Most say nothing more.
        if exp.is_some() || *hints != Hints::default() {
            key.push_str(&format!("\n{exp:?}{hints:?}"));
        }
        key
    }
}

/// Which picture, and what to make of it.
pub struct Plan {
    /// The picture as it was uploaded.
    pub image: Image,
    /// What to make of it; nothing is left open.
    pub spec: Arc<Spec>,
    /// The variant that this is.
    pub key: Key,
    /// SHA-256 of the spec, hex.
    pub spec_hash: String,
    /// What of the request the answer depends on.
    pub asks: Asks,
    pub(super) right: Right,
    rests_on: Foundations,
}

/// What was looked up for a plan, and turns true when it is no longer so. `None` for what nobody will tell of.
type Foundations = Vec<Option<Arc<AtomicBool>>>;

impl Plan {
    /// Whether all that was looked up for it is still so, as far as is known.
    pub fn is_current(&self) -> bool {
        self.rests_on.iter().flatten().all(|gone| !gone.load(Ordering::Acquire))
    }

    /// Whether it would be told if not.
    pub(super) fn can_be_kept(&self) -> bool {
        self.rests_on.iter().all(Option::is_some)
    }

    /// Until when the link is good, if not for ever.
    pub fn expires(&self) -> Option<SystemTime> {
        self.right.expires
    }

    /// Bytes that it takes, about.
    pub(super) fn weight(&self) -> usize {
        1024 + self.spec.operations.len() * 512
    }
}

/// What somebody may have of an account.
#[derive(Clone)]
pub(super) struct Right {
    pub owner: Arc<Fact<Owner>>,
    pub access: Access,
    /// Until when.
    pub expires: Option<SystemTime>,
}

/// Why somebody may have what they ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// The account has signed it.
    Signed,
    /// The account has named it.
    Named,
    /// The account allows everything.
    Open,
}

/// Why there is no plan.
pub(super) struct Refusal {
    pub error: Error,
    /// What whoever asked may have all the same.
    pub right: Option<Right>,
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self { error, right: None }
    }
}

/// What looking up takes.
pub(super) struct Planner<'a> {
    pub delivery: &'a Delivery,
    pub database: &'a Address<Db>,
}

impl Planner<'_> {
    /// What `ask` means.
    pub async fn plan(&self, ask: &Ask) -> Result<Plan, Refusal> {
        let link = Link::read(&ask.path);
        let missing = || Error::not_found("picture");
        let signed = match link.signature {
            Some(signature) => Some(self.signed(&link, signature, ask).await?),
            None => None,
        };
        let (id, ext) = link.picture().ok_or_else(missing)?;
        let image = self.delivery.known.image(self.database, id).await?;
        let mut rests_on = vec![image.gone()];
        let is_shown = |image: &&Image| match &signed {
            Some(Right { owner, .. }) => {
                owner.there().is_some_and(|owner| owner.id == image.user_id)
            }
            None => image.public,
        };
        let Some(image) = image.there().filter(is_shown).cloned() else {
            return Err(Refusal { error: missing(), right: signed });
        };
        let owner = match &signed {
            Some(right) => right.owner.clone(),
            None => self.delivery.known.owner(self.database, image.user_id).await?,
        };
        rests_on.push(owner.gone());
        let Some(account) = owner.there() else { return Err(missing().into()) };
        let (spec, asks) = self.delivery.known.read(link.transformation, account, &ask.hints)?;
        let right = match signed {
            Some(right) => right,
            None => {
                let access = access(&link, &spec, account)?;
                Right { owner: owner.clone(), access, expires: None }
            }
        };
        if let Err(error) = self.check_overlays(&spec, account, right.access, &mut rests_on).await {
            return Err(Refusal { error, right: Some(right) });
        }
        let of = Of { spec, asks, ext, right, rests_on };
        Ok(Plan::new(image, of, ask)?)
    }

    /// The same of another picture of the account, which its owner has put in the place of what can't be shown.
    pub async fn fallback(&self, ask: &Ask, right: &Right) -> Option<Plan> {
        let account = right.owner.there()?;
        let image = self.delivery.known.image(self.database, account.fallback?).await.ok()?;
        let mut rests_on = vec![image.gone(), right.owner.gone()];
        let image = image.there().filter(|image| image.user_id == account.id)?.clone();
        let link = Link::read(&ask.path);
        let read = self.delivery.known.read(link.transformation, account, &ask.hints);
        let (spec, asks) = read.ok()?;
        self.check_overlays(&spec, account, right.access, &mut rests_on).await.ok()?;
        let (_, ext) = link.picture()?;
        Plan::new(image, Of { spec, asks, ext, right: right.clone(), rests_on }, ask).ok()
    }

    /// Checks whose key has signed the link, and what that gives a right to.
    async fn signed(&self, link: &Link<'_>, signature: &str, ask: &Ask) -> Result<Right> {
        let wrong = || Error::new(Code::SignatureInvalid, "the signature is wrong");
        let signature = Signature::read(signature).ok_or_else(wrong)?;
        let key = self.delivery.known.key(self.database, signature.key_id).await?;
        let key = key.there().ok_or_else(wrong)?;
        let (transformation, file) = (link.transformation, link.file);
        let signed = Signed { transformation, file, exp: ask.exp.as_deref().unwrap_or_default() };
        if !signature.is_of(&key.secret, &signed) {
            return Err(wrong());
        }
        let owner = self.delivery.known.owner(self.database, key.user_id).await?;
        if !owner.there().is_some_and(|owner| owner.keys.contains(&key.id)) {
            return Err(wrong());
        }
        let expires = match &ask.exp {
            Some(exp) => {
                Some(time(exp).filter(|end| *end > SystemTime::now()).ok_or_else(expired)?)
            }
            None => None,
        };
        Ok(Right { owner, access: Access::Signed, expires })
    }

    /// Pictures that are laid over this one must be the account's; and public, where anybody may lay what they like over it.
    async fn check_overlays(
        &self,
        spec: &Spec,
        owner: &Owner,
        access: Access,
        rests_on: &mut Foundations,
    ) -> Result<()> {
        for id in spec.overlays() {
            let image = self.delivery.known.image(self.database, id).await?;
            rests_on.push(image.gone());
            let may = |image: &Image| {
                image.user_id == owner.id && (image.public || access != Access::Open)
            };
            if !image.there().is_some_and(may) {
                return Err(no_overlay(id));
            }
        }
        Ok(())
    }
}

fn no_overlay(id: ImageId) -> Error {
    Error::new(
        Code::TransformImpossible,
        format!("there is no image {id} to be laid over this one"),
    )
}

/// What a plan is made of, beside its picture.
struct Of<'a> {
    spec: Spec,
    asks: Asks,
    ext: Option<&'a str>,
    right: Right,
    rests_on: Foundations,
}

impl Plan {
    fn new(image: Image, of: Of<'_>, ask: &Ask) -> Result<Self> {
        let Of { mut spec, asks, ext, right, rests_on } = of;
        if let (None, Some(ext)) = (spec.format, ext) {
            spec.format = Some(FormatChoice::Fixed(format(ext)?));
        }
        let spec = Arc::new(spec.resolved(source(&image), ask.accept));
        let spec_hash = spec.hash();
        let key = Key::new(image.id, &spec_hash).ok_or_else(|| Error::internal("no hash"))?;
        Ok(Self { image, spec, key, spec_hash, asks, right, rests_on })
    }
}

/// Whether `spec` may be asked for unsigned.
fn access(link: &Link<'_>, spec: &Spec, owner: &Owner) -> Result<Access> {
    let is_listed = || {
        owner.allowed.iter().any(|(text, meaning)| {
            text == link.transformation || meaning.as_ref().is_some_and(|meaning| meaning == spec)
        })
    };
    if link.is_preset() || is_listed() {
        Ok(Access::Named)
    } else if owner.strict {
        let detail = "this transformation must be signed, or be a preset or in the account's list";
        Err(Error::new(Code::SignatureInvalid, detail))
    } else {
        Ok(Access::Open)
    }
}

/// The format that an extension asks for.
fn format(ext: &str) -> Result<Format> {
    let format = Format::from_name(&ext.to_ascii_lowercase());
    format.filter(|format| format.is_writable()).ok_or_else(|| {
        let known = Format::ALL.iter().filter(|format| format.is_writable());
        let known: Vec<_> = known.map(|format| format.extension()).collect();
        Error::invalid(vec![Fault::new("/ext", format!("must be one of {}", known.join(", ")))])
    })
}

/// For a link that was good once.
pub(super) fn expired() -> Error {
    Error::new(Code::SignatureExpired, "the link has expired")
}

/// Seconds since 1970, as a time.
fn time(seconds: &str) -> Option<SystemTime> {
    let since = std::time::Duration::from_secs(seconds.parse().ok()?);
    SystemTime::UNIX_EPOCH.checked_add(since)
}
