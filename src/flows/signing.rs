//! Making signed URLs, and the keys that they are signed with.

use std::fmt::Write;

use chrono::{DateTime, Utc};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use super::{Services, overlays, presets::Presets};
use crate::{
    adapters::{
        db::{
            now,
            signing_keys::{DeleteSigningKey, EnsureSigningKey, InsertSigningKey, SigningKeysOf},
        },
        signature::{Signed, expiry, new_key_id},
        token::random,
    },
    domain::{
        delivery::{ChangeKind, SigningKey},
        error::{Error, Fault, Result},
        ids::{ImageId, UserId},
        transform::Profile,
    },
};

/// What may not stand in a path as it is. A slash parts components, a percent sign is looked at by itself.
const NOT_IN_PATH: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// The name of a key that nobody asked for.
const DEFAULT_NAME: &str = "default";

/// A URL to be signed.
#[derive(Debug, Clone)]
pub struct Order {
    /// Where it stands in what was asked for: empty, or `/items/3`.
    pub pointer: String,
    /// The picture.
    pub image_id: ImageId,
    /// What to make of it, in the URL form; may be empty.
    pub transformation: String,
    /// The extension, which was checked.
    pub ext: Option<String>,
    /// For how many seconds it holds; `None` is for ever.
    pub expires_in: Option<i64>,
    /// Seconds: URLs that end within one window end together.
    pub window: Option<i64>,
}

/// A signed URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedUrl {
    /// Its path and its query.
    pub path: String,
    /// When it ends.
    pub expires_at: Option<DateTime<Utc>>,
}

/// Makes a key; it is what the account signs with from now on.
///
/// # Errors
/// `quota_exceeded`.
pub async fn create_key(
    services: &Services,
    user_id: UserId,
    name: Option<String>,
) -> Result<SigningKey> {
    let key = new_key(user_id, name)?;
    services.database.ask(InsertSigningKey { key: key.clone() }).await?;
    services.delivery.changed(user_id, None, ChangeKind::Facts);
    Ok(key)
}

/// Takes a key back: what it has signed is refused.
///
/// # Errors
/// `not_found`.
pub async fn delete_key(services: &Services, user_id: UserId, id: String) -> Result<()> {
    services.database.ask(DeleteSigningKey { user_id, id }).await?;
    services.delivery.changed(user_id, None, ChangeKind::Facts);
    Ok(())
}

fn new_key(user_id: UserId, name: Option<String>) -> Result<SigningKey> {
    let name = name.unwrap_or_else(|| DEFAULT_NAME.to_owned());
    Ok(SigningKey { id: new_key_id()?, user_id, name, secret: random()?, created_at: now() })
}

/// The key that the account signs with; made now if it has none.
async fn key(services: &Services, user_id: UserId) -> Result<SigningKey> {
    let keys = services.database.ask(SigningKeysOf { user_id }).await?;
    match keys.into_iter().next() {
        Some(newest) => Ok(newest),
        None => {
            let key = new_key(user_id, None)?;
            let key = services.database.ask(EnsureSigningKey { key }).await?;
            services.delivery.changed(user_id, None, ChangeKind::Facts);
            Ok(key)
        }
    }
}

/// Signs what was asked for, in order. `faults` are those that were found before.
///
/// # Errors
/// `validation_failed`, naming every transformation that can't be read and every picture that is not the account's.
pub async fn sign(
    services: &Services,
    user_id: UserId,
    orders: Vec<Order>,
    mut faults: Vec<Fault>,
) -> Result<Vec<SignedUrl>> {
    let (presets, profile) = (Presets::of(services, user_id).await?, services.profile);
    let read = move || {
        let (named, found) = read(&orders, &presets, profile);
        (orders, named, found)
    };
    // A thousand texts take their time.
    let (orders, named, found) =
        tokio::task::spawn_blocking(read).await.map_err(Error::internal)?;
    faults.extend(found);
    faults.extend(overlays::missing(services, user_id, named).await?);
    if !faults.is_empty() {
        return Err(Error::invalid(faults));
    }
    let (key, at) = (key(services, user_id).await?, now());
    Ok(orders.iter().map(|order| order.signed(&key, at)).collect())
}

/// The pictures that are named, and where; and what is wrong with the transformations.
fn read(
    orders: &[Order],
    presets: &Presets,
    profile: Profile,
) -> (Vec<(String, ImageId)>, Vec<Fault>) {
    let (mut named, mut faults) = (Vec::new(), Vec::new());
    for Order { pointer, image_id, transformation, .. } in orders {
        named.push((format!("{pointer}/image_id"), *image_id));
        if transformation.is_empty() {
            continue;
        }
        let pointer = format!("{pointer}/transformation");
        match presets.read(transformation, profile) {
            Ok(spec) => named.extend(spec.overlays().map(|id| (pointer.clone(), id))),
            Err(found) => {
                faults.extend(found.into_iter().map(|fault| Fault::new(&pointer, fault.detail)));
            }
        }
    }
    (named, faults)
}

impl Order {
    fn signed(&self, key: &SigningKey, at: DateTime<Utc>) -> SignedUrl {
        let transformation = in_path(&self.transformation);
        let mut file = self.image_id.to_string();
        if let Some(ext) = &self.ext {
            file.push('.');
            file.push_str(ext);
        }
        let end = self.expires_in.map(|seconds| expiry(at.timestamp(), seconds, self.window));
        let exp = end.map(|end| end.to_string()).unwrap_or_default();
        let signed = Signed { transformation: &transformation, file: &file, exp: &exp };
        let mut path = format!("/i/s--{}--/", signed.sign(&key.id, &key.secret));
        if !transformation.is_empty() {
            let _ = write!(path, "{transformation}/");
        }
        path.push_str(&file);
        if !exp.is_empty() {
            let _ = write!(path, "?exp={exp}");
        }
        SignedUrl { path, expires_at: end.and_then(|end| DateTime::from_timestamp(end, 0)) }
    }
}

/// A transformation as it stands in a path. It means the same: what is encoded already stays so, and what may not stand there is
/// encoded, the percent signs among it that encode nothing.
fn in_path(text: &str) -> String {
    let mut parts = text.split('%');
    let mut path = utf8_percent_encode(parts.next().unwrap_or_default(), NOT_IN_PATH).to_string();
    for part in parts {
        let encodes =
            part.as_bytes().get(..2).is_some_and(|code| code.iter().all(u8::is_ascii_hexdigit));
        path.push_str(if encodes { "%" } else { "%25" });
        path.extend(utf8_percent_encode(part, NOT_IN_PATH));
    }
    path
}

#[cfg(test)]
mod tests {
    use percent_encoding::percent_decode_str;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_may_stand_in_a_path_stays_as_it_is() {
        for text in [
            "",
            "c_fill,w_300,h_200/e_sepia:50/f_auto,q_auto:good",
            "l_text:Arial_40:A%2520B/fl_layer_apply",
        ] {
            assert_eq!(in_path(text), text);
        }
        assert_eq!(
            in_path("l_text:Arial_40:A B?#é%/co_rgb:fff"),
            "l_text:Arial_40:A%20B%3F%23%C3%A9%25/co_rgb:fff"
        );
    }

    proptest! {
        #[test]
        fn a_path_means_what_the_text_means(text in "(\\PC|%[0-9a-fA-F]{2}|[%#?\\\\ /]){0,30}") {
            let path = in_path(&text);
            let decode = |text: &str| percent_decode_str(text).collect::<Vec<u8>>();
            prop_assert_eq!(decode(&path), decode(&text));
            // What clients make of a URL before they send it changes nothing.
            let url = url::Url::parse(&format!("http://host/i/s--a.b--/{path}/file?exp=1")).unwrap();
            let dots = |part: &str| matches!(part.to_lowercase().replace("%2e", ".").as_str(), "." | "..");
            if !path.split('/').any(dots) {
                prop_assert_eq!(url.path(), format!("/i/s--a.b--/{path}/file"));
                prop_assert_eq!(url.query(), Some("exp=1"));
            }
            prop_assert_eq!(in_path(&path), path);
        }
    }
}
