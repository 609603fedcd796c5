//! The signatures of delivery URLs: HMAC-SHA256 over what stands in the path, by a key that the URL names.
//!
//! `/i/s--ID.MAC--/TRANSFORMATION/FILE?exp=EXP`, where MAC is the first 22 characters of the base64url of the HMAC of
//! `TRANSFORMATION/FILE\nEXP`. Each part is taken as it was sent; without a transformation the text begins with the slash, without an
//! `exp` it ends with the line feed. The key is the text of the secret as it was shown. By hand:
//!
//! ```text
//! printf 'c_fill,w_300/0198c0de-0000-7000-8000-000000000000.jpg\n' |
//!     openssl dgst -sha256 -hmac "$SECRET" -binary | openssl base64 -A | tr '+/' '-_' | cut -c1-22
//! ```

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as BASE64URL};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::domain::error::{Error, Result};

/// Characters of the HMAC that are kept: 132 bits.
const KEPT: usize = 22;
/// Characters of a key's id: 47 bits, for they need only be unique.
const ID: usize = 8;
const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The windows that are chosen from when none is asked for, in seconds.
const WINDOWS: [i64; 8] = [1, 10, 60, 300, 900, 3600, 21_600, 86_400];

/// What is signed, each part as it stands in the URL.
#[derive(Debug, Clone, Copy)]
pub struct Signed<'a> {
    /// What stands between the signature and the file; may be empty.
    pub transformation: &'a str,
    /// The image's id, with the extension if there is one.
    pub file: &'a str,
    /// The value of `exp`; empty if there is none.
    pub exp: &'a str,
}

impl Signed<'_> {
    /// The signature by a key, as it stands between `s--` and `--`.
    pub fn sign(&self, key_id: &str, secret: &str) -> String {
        format!("{key_id}.{}", self.code(secret))
    }

    fn code(&self, secret: &str) -> String {
        // HMAC takes keys of every length.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else {
            return String::new();
        };
        for part in [self.transformation, "/", self.file, "\n", self.exp] {
            mac.update(part.as_bytes());
        }
        let mut code = BASE64URL.encode(mac.finalize().into_bytes());
        code.truncate(KEPT);
        code
    }
}

/// A signature as it was sent: well-formed, and not yet believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signature<'a> {
    /// Whose key it claims to be by.
    pub key_id: &'a str,
    code: &'a str,
}

impl<'a> Signature<'a> {
    /// Reads what stands between `s--` and `--`; `None` if no key of ours can have written it.
    pub fn read(text: &'a str) -> Option<Self> {
        let (key_id, code) = text.split_once('.')?;
        let is_ours = key_id.len() == ID
            && key_id.bytes().all(|byte| byte.is_ascii_alphanumeric())
            && code.len() == KEPT;
        is_ours.then_some(Self { key_id, code })
    }

    /// Whether it is by the key with this secret; in a time that does not tell how far it is right.
    pub fn is_of(&self, secret: &str, signed: &Signed<'_>) -> bool {
        signed.code(secret).as_bytes().ct_eq(self.code.as_bytes()).into()
    }
}

/// The id of a new key.
///
/// # Errors
/// `internal`, when the machine has no randomness.
pub fn new_key_id() -> Result<String> {
    let mut id = String::with_capacity(ID);
    while id.len() < ID {
        let mut bytes = [0u8; 2 * ID];
        getrandom::fill(&mut bytes).map_err(Error::internal)?;
        // Six bits each; what lies past the alphabet is drawn again, so that every character is as likely.
        let characters = bytes.iter().filter_map(|byte| BASE62.get(usize::from(byte >> 2)));
        id.extend(characters.map(|byte| char::from(*byte)).take(ID - id.len()));
    }
    Ok(id)
}

/// When a URL made at `now` ends, both in seconds since 1970: after `expires_in`, and then at the next multiple of the window, so that
/// all URLs made within one are the same and caches know them. Where no window is asked for it is at most a quarter of `expires_in`.
pub fn expiry(now: i64, expires_in: i64, window: Option<i64>) -> i64 {
    let fits = |window: &&i64| **window <= expires_in / 4;
    let window = window.or_else(|| WINDOWS.iter().rev().find(fits).copied()).unwrap_or(1).max(1);
    let end = now.saturating_add(expires_in);
    match end.rem_euclid(window) {
        0 => end,
        past => end.saturating_add(window - past),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECRET: &str = "kq3ZkJ0lWbX3b4w4a1uX5mPp0yB7u6nq2cQe8HkX1pA";

    fn signed<'a>(transformation: &'a str, file: &'a str, exp: &'a str) -> Signed<'a> {
        Signed { transformation, file, exp }
    }

    /// What `openssl` says of the same texts: see the head of this file.
    #[test]
    fn a_signature_can_be_made_by_hand() {
        let file = "0198c0de-0000-7000-8000-000000000000.jpg";
        for (transformation, file, exp, code) in [
            ("c_fill,w_300", file, "", "NraKSeZZHYzOppGEuSKLl9"),
            ("c_fill,w_300", file, "1767225600", "lWimnPot1afZkmHdhpaxo9"),
            ("", file, "", "JjNJGUbZIenVVeFtQnwBqj"),
            ("", "0198c0de-0000-7000-8000-000000000000", "", "MnC9iojckTqAn-z3Acn6z2"),
        ] {
            let made = signed(transformation, file, exp).sign("4fZ0aB9x", SECRET);
            assert_eq!(made, format!("4fZ0aB9x.{code}"), "{transformation} {file} {exp}");
        }
    }

    #[test]
    fn what_no_key_can_have_written_is_not_read() {
        let good = signed("w_1", "a", "").sign("4fZ0aB9x", SECRET);
        assert_eq!(Signature::read(&good).unwrap().key_id, "4fZ0aB9x");
        for text in ["", ".", "4fZ0aB9x", "4fZ0aB9x.", "4fZ0aB9.AAAAAAAAAAAAAAAAAAAAAA"] {
            assert_eq!(Signature::read(text), None, "{text}");
        }
        assert_eq!(Signature::read(&format!("{good}A")), None);
        assert_eq!(Signature::read(&good.replace('Z', "-")), None);
    }

    #[test]
    fn ids_of_keys_are_random_and_plain() {
        let ids: std::collections::BTreeSet<_> = (0..1000).map(|_| new_key_id().unwrap()).collect();
        assert_eq!(ids.len(), 1000);
        assert!(
            ids.iter().all(|id| id.len() == ID && id.bytes().all(|b| b.is_ascii_alphanumeric()))
        );
        let used: std::collections::BTreeSet<_> = ids.iter().flat_map(|id| id.bytes()).collect();
        assert_eq!(used.len(), BASE62.len(), "all of the alphabet");
    }

    #[test]
    fn a_window_is_at_most_a_quarter_of_the_time() {
        for (expires_in, end) in [
            (1, 1_000_000_001),
            (39, 1_000_000_039),
            (40, 1_000_000_040),
            (45, 1_000_000_050),
            (3600, 1_000_004_400),
            (86_400, 1_000_101_600),
        ] {
            assert_eq!(expiry(1_000_000_000, expires_in, None), end, "{expires_in}");
        }
        assert_eq!(expiry(1_000_000_000, 60, Some(86_400)), 1_000_080_000);
    }

    proptest! {
        #[test]
        fn a_signature_is_of_its_text_and_its_secret_alone(
            transformation in "[ -~]{0,40}", file in "[ -~&&[^/]]{1,40}", exp in "[0-9]{0,10}",
            place in any::<prop::sample::Index>(), other in "[0-9A-Za-z_-]",
        ) {
            let this = signed(&transformation, &file, &exp);
            let made = this.sign("4fZ0aB9x", SECRET);
            let read = Signature::read(&made).unwrap();
            prop_assert!(read.is_of(SECRET, &this));
            prop_assert!(!read.is_of("another", &this));
            let longer = format!("{transformation}x");
            let others = [signed(&longer, &file, &exp), signed(&transformation, "no/file", &exp)];
            prop_assert!(others.iter().all(|other| !read.is_of(SECRET, other)));
            let mut forged = made.clone();
            let place = 9 + place.index(KEPT);
            forged.replace_range(place..=place, &other);
            let is_same = forged == made;
            prop_assert_eq!(Signature::read(&forged).unwrap().is_of(SECRET, &this), is_same);
        }

        #[test]
        fn a_url_never_ends_too_early_nor_a_window_too_late(
            now in 0..10_000_000_000_i64, expires_in in 1..400_000_000_i64,
            window in proptest::option::of(1..400_000_000_i64), later in 0..100_000_i64,
        ) {
            let end = expiry(now, expires_in, window);
            let most = window.unwrap_or(86_400.min((expires_in / 4).max(1)));
            prop_assert!(end >= now + expires_in);
            prop_assert!(end < now + expires_in + most);
            if let Some(window) = window {
                prop_assert_eq!(end % window, 0);
                // All that are made until the next multiple are the same.
                let same = now + later + expires_in <= end;
                prop_assert_eq!(expiry(now + later, expires_in, Some(window)) == end, same);
            }
        }
    }
}
