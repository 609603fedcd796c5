//! Signatures, by which Cloudinary knows us. The one place that sees the secret.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as BASE64URL};
use secrecy::{ExposeSecret, SecretString};
use sha1::Sha1;
use sha2::{Digest, Sha256};

use crate::{adapters::storage::hex, config::SignatureAlgorithm};

/// What is sent beside the parameters, and never signed.
const UNSIGNED: &[&str] = &["file", "api_key", "cloud_name", "resource_type", "signature"];

/// Signs with the secret of an API key.
pub(super) struct Signer {
    secret: SecretString,
    algorithm: SignatureAlgorithm,
}

impl Signer {
    pub(super) fn new(secret: SecretString, algorithm: SignatureAlgorithm) -> Self {
        Self { secret, algorithm }
    }

    /// Signs the parameters of a call of the API.
    pub(super) fn call(&self, parameters: &[(&str, String)]) -> String {
        let mut signed: Vec<String> = parameters
            .iter()
            .filter(|(name, value)| !UNSIGNED.contains(name) && !value.is_empty())
            // Else one value could pass for several parameters.
            .map(|(name, value)| format!("{name}={}", value.replace('&', "%26")))
            .collect();
        signed.sort_unstable();
        hex(&self.digest(&signed.join("&")))
    }

    /// The part of a delivery URL that signs what follows it (but not the version).
    pub(super) fn path(&self, path: &str) -> String {
        let length = match self.algorithm {
            SignatureAlgorithm::Sha1 => 8,
            SignatureAlgorithm::Sha256 => 32,
        };
        let mut signature = BASE64URL.encode(self.digest(path));
        signature.truncate(length);
        format!("s--{signature}--")
    }

    /// `text` of somebody else's, without the secret should it be in there.
    pub(super) fn redact(&self, text: &str) -> String {
        text.replace(self.secret.expose_secret(), "…")
    }

    fn digest(&self, text: &str) -> Vec<u8> {
        let signed = [text.as_bytes(), self.secret.expose_secret().as_bytes()].concat();
        match self.algorithm {
            SignatureAlgorithm::Sha1 => Sha1::digest(signed).to_vec(),
            SignatureAlgorithm::Sha256 => Sha256::digest(signed).to_vec(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signer(secret: &str, algorithm: SignatureAlgorithm) -> Signer {
        Signer::new(secret.into(), algorithm)
    }

    fn call(algorithm: SignatureAlgorithm, parameters: &[(&str, &str)]) -> String {
        let parameters: Vec<_> =
            parameters.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        signer("abcd", algorithm).call(&parameters)
    }

    #[test]
    fn a_call_is_signed_as_cloudinary_publishes_it() {
        let sample = [("timestamp", "1315060510"), ("public_id", "sample_image")];
        let sha1 = "b4ad47fb4e25c7bf5f92a20089f9db59bc302313";
        assert_eq!(call(SignatureAlgorithm::Sha1, &sample), sha1);
        let eager = ("eager", "w_400,h_300,c_pad|w_260,h_200,c_crop");
        assert_eq!(
            call(SignatureAlgorithm::Sha1, &[sample[0], sample[1], eager]),
            "bfd09f95f331f558cbd1320e67aa8d488770583e"
        );
        let expected = Sha256::digest("public_id=sample_image&timestamp=1315060510abcd");
        assert_eq!(call(SignatureAlgorithm::Sha256, &sample), hex(&expected));
        // What is not signed, and what is empty, changes nothing.
        let beside = UNSIGNED.iter().map(|name| (*name, "x")).chain([("folder", "")]);
        let more: Vec<_> = sample.into_iter().chain(beside).collect();
        assert_eq!(call(SignatureAlgorithm::Sha1, &more), sha1);
    }

    #[test]
    fn no_value_passes_for_another_parameter() {
        let one = call(SignatureAlgorithm::Sha1, &[("a", "1&b=2")]);
        assert_ne!(one, call(SignatureAlgorithm::Sha1, &[("a", "1"), ("b", "2")]));
        assert_eq!(one, hex(&Sha1::digest("a=1%26b=2abcd")));
    }

    #[test]
    fn a_path_is_signed_as_the_sdks_do() {
        let sha1 = signer("b", SignatureAlgorithm::Sha1);
        assert_eq!(sha1.path("c_crop,h_20,w_10/image.jpg"), "s--Ai4Znfl3--");
        assert_eq!(sha1.path("image.jpg"), "s----SjmNDA--");
        let sha256 = signer("b", SignatureAlgorithm::Sha256);
        assert_eq!(sha256.path("sample.jpg"), "s--2hbrSMPOjj5BJ4xV7SgFbRDevFaQNUFf--");
    }

    #[test]
    fn the_secret_is_taken_out() {
        let signer = signer("hunter2", SignatureAlgorithm::Sha1);
        assert_eq!(signer.redact("String to sign - a=1hunter2"), "String to sign - a=1…");
    }
}
