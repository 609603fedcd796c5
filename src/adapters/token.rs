//! What clients carry: access tokens (JWT, HS256), refresh tokens and API keys.

use std::{sync::Arc, time::Duration};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as BASE64URL};
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, errors::ErrorKind};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::storage::hex;
use crate::domain::{
    error::{Code, Error, Result},
    ids::TokenId,
    user::User,
};

/// What an API key starts with.
pub const API_KEY_PREFIX: &str = "dk_";

/// The claims of an access token (RFC 7519).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Claims {
    /// The account.
    pub sub: Uuid,
    /// Its name.
    pub username: String,
    /// `JWT_ISSUER`.
    pub iss: String,
    /// When it was issued, in seconds since 1970.
    pub iat: i64,
    /// When it ends, in seconds since 1970.
    pub exp: i64,
    /// The refresh token issued beside it: its login is looked up by this.
    pub jti: Uuid,
}

/// Makes and checks tokens.
#[derive(Clone)]
pub struct Tokens(Arc<Keys>);

struct Keys {
    encoding: EncodingKey,
    decoding: DecodingKey,
    validation: Validation,
    issuer: String,
    lifetime: Duration,
    secret: SecretString,
}

impl Tokens {
    /// Tokens signed with `secret`, good for `lifetime`.
    pub fn new(secret: SecretString, issuer: String, lifetime: Duration) -> Self {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.leeway = 0;
        validation.set_issuer(&[&issuer]);
        validation.set_required_spec_claims(&["exp", "iss", "sub"]);
        let bytes = secret.expose_secret().as_bytes();
        Self(Arc::new(Keys {
            encoding: EncodingKey::from_secret(bytes),
            decoding: DecodingKey::from_secret(bytes),
            validation,
            issuer,
            lifetime,
            secret,
        }))
    }

    /// How long an access token is good for.
    pub fn lifetime(&self) -> Duration {
        self.0.lifetime
    }

    /// An access token for `user`, issued `now` beside the refresh token `id`.
    ///
    /// # Errors
    /// `internal`, if it can't be signed.
    pub fn access(&self, user: &User, id: TokenId, now: DateTime<Utc>) -> Result<String> {
        let lifetime = i64::try_from(self.0.lifetime.as_secs()).unwrap_or(i64::MAX);
        let claims = Claims {
            sub: user.id.0,
            username: user.username.clone(),
            iss: self.0.issuer.clone(),
            iat: now.timestamp(),
            exp: now.timestamp().saturating_add(lifetime),
            jti: id.0,
        };
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.0.encoding)
            .map_err(Error::internal)
    }

    /// What an access token says, if it is ours and has not ended.
    ///
    /// # Errors
    /// `token_expired`, or `unauthenticated` for anything else.
    pub fn verify(&self, token: &str) -> Result<Claims> {
        jsonwebtoken::decode::<Claims>(token, &self.0.decoding, &self.0.validation)
            .map(|token| token.claims)
            .map_err(|error| match error.kind() {
                ErrorKind::ExpiredSignature => {
                    Error::new(Code::TokenExpired, "the token has expired; refresh it or log in")
                }
                _ => Error::new(Code::Unauthenticated, "the token is not valid").caused_by(error),
            })
    }

    /// The refresh token that follows `spent`. It is the same whenever it is derived, so a client
    /// whose answer was lost can be given it again although only its hash is kept.
    pub fn successor(&self, spent: &str) -> String {
        let secret = self.0.secret.expose_secret().as_bytes();
        let code = match Hmac::<Sha256>::new_from_slice(secret) {
            Ok(mut mac) => {
                mac.update(b"refresh\n");
                mac.update(spent.as_bytes());
                mac.finalize().into_bytes()
            }
            // HMAC takes keys of every length.
            Err(_) => Sha256::digest(spent.as_bytes()),
        };
        BASE64URL.encode(code)
    }
}

/// A new secret of 256 random bits, base64url.
///
/// # Errors
/// `internal`, when the machine has no randomness.
pub fn random() -> Result<String> {
    let mut bytes = [0u8; 32];
    getrandom::fill(&mut bytes).map_err(Error::internal)?;
    Ok(BASE64URL.encode(bytes))
}

/// What is kept of a refresh token or API key. They are random, so a plain hash is enough.
pub fn digest(token: &str) -> String {
    hex(&Sha256::digest(token.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{adapters::db::now, domain::ids::UserId};

    const SECRET: &str = "a secret that only this test knows of";

    fn tokens() -> Tokens {
        Tokens::new(SECRET.to_owned().into(), "darkroom".to_owned(), Duration::from_secs(60))
    }

    fn user() -> User {
        User { id: UserId::new(), username: "ada".to_owned(), created_at: now() }
    }

    #[test]
    fn a_token_says_whose_it_is() {
        let (user, id) = (user(), TokenId::new());
        let token = tokens().access(&user, id, now()).unwrap();
        let claims = tokens().verify(&token).unwrap();
        assert_eq!((claims.sub, claims.jti), (user.id.0, id.0));
    }

    #[test]
    fn a_token_ends() {
        let then = now() - chrono::Duration::seconds(61);
        let token = tokens().access(&user(), TokenId::new(), then).unwrap();
        assert_eq!(tokens().verify(&token).unwrap_err().code, Code::TokenExpired);
    }

    #[test]
    fn a_token_of_another_secret_issuer_or_algorithm_is_refused() {
        let (lifetime, user) = (Duration::from_secs(60), user());
        let other_secret = "another secret, of another service, as long".to_owned();
        let forged = [
            Tokens::new(other_secret.into(), "darkroom".to_owned(), lifetime),
            Tokens::new(SECRET.to_owned().into(), "elsewhere".to_owned(), lifetime),
        ]
        .map(|tokens| tokens.access(&user, TokenId::new(), now()).unwrap());
        let good = tokens().access(&user, TokenId::new(), now()).unwrap();
        let claims = tokens().verify(&good).unwrap();
        let key = EncodingKey::from_secret(SECRET.as_bytes());
        let hs512 = jsonwebtoken::encode(&Header::new(Algorithm::HS512), &claims, &key).unwrap();
        let payload = good.split('.').nth(1).unwrap();
        let none = format!("{}.{payload}.", BASE64URL.encode(r#"{"alg":"none","typ":"JWT"}"#));
        for token in forged.into_iter().chain([hs512, none, String::new()]) {
            assert_eq!(tokens().verify(&token).unwrap_err().code, Code::Unauthenticated, "{token}");
        }
    }

    #[test]
    fn a_successor_can_be_derived_again_but_not_guessed() {
        assert_eq!(tokens().successor("a"), tokens().successor("a"));
        assert_ne!(tokens().successor("a"), tokens().successor("b"));
    }
}
