//! What signatures must be, worked out apart from the code that is tested.

use base64::{Engine, engine::general_purpose::URL_SAFE};
use darkroom::config::SignatureAlgorithm;
use sha1::{Digest, Sha1};
use sha2::Sha256;

use super::SECRET;

fn digest(algorithm: SignatureAlgorithm, text: &str) -> Vec<u8> {
    match algorithm {
        SignatureAlgorithm::Sha1 => Sha1::new().chain_update(text).finalize().to_vec(),
        SignatureAlgorithm::Sha256 => Sha256::new().chain_update(text).finalize().to_vec(),
    }
}

/// What is signed of a form.
pub fn string_to_sign(fields: &[(String, String)]) -> String {
    let mut fields = fields.to_vec();
    fields.sort();
    let mut text = String::new();
    for (name, value) in fields {
        if value.is_empty() || name == "signature" || name == "api_key" {
            continue;
        }
        if !text.is_empty() {
            text.push('&');
        }
        text += &format!("{name}={}", value.split('&').collect::<Vec<_>>().join("%26"));
    }
    text
}

/// The signature of a form.
pub fn of_call(algorithm: SignatureAlgorithm, string_to_sign: &str) -> String {
    let digest = digest(algorithm, &format!("{string_to_sign}{SECRET}"));
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The signature of a delivery.
pub fn of_path(algorithm: SignatureAlgorithm, path: &str) -> String {
    let text = URL_SAFE.encode(digest(algorithm, &format!("{path}{SECRET}")));
    let length = if algorithm == SignatureAlgorithm::Sha1 { 8 } else { 32 };
    format!("s--{}--", &text[..length])
}
