//! Where pictures live: on this machine's disk, at Cloudinary, or at what speaks S3.

use std::path::PathBuf;

use percent_encoding::percent_decode_str;
use secrecy::SecretString;
use url::Url;

use super::{
    check::{Values, mismatch, settle},
    report::{Fault, Faults, Warning},
    services,
    settings::Settings,
};

/// The names that make a storage of Cloudinary and of S3.
const CLOUDINARY_NAMES: &[&str] = &["CLOUDINARY_URL", "CLOUDINARY_CLOUD_NAME"];
const S3_NAMES: &[&str] = &["S3_BUCKET"];
/// What Cloudinary takes in no name.
const NOT_IN_PUBLIC_IDS: &str = r"?&#\%<>";

/// Where pictures live, and where they might.
#[derive(Debug, Clone)]
pub struct Storage {
    /// `STORAGE`: the one in use.
    pub kind: StorageKind,
    /// Whether `STORAGE` was said; else it follows from what is configured.
    pub is_said: bool,
    /// S3, if it is configured.
    pub s3: Option<S3>,
    /// Cloudinary, if it is configured.
    pub cloudinary: Option<Cloudinary>,
}

/// `STORAGE`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StorageKind {
    /// Files under `DATA_DIR`.
    Fs,
    /// S3 and what speaks it.
    S3,
    /// Cloudinary.
    Cloudinary,
}

impl StorageKind {
    /// Every kind.
    pub const ALL: &[Self] = &[Self::Fs, Self::S3, Self::Cloudinary];

    /// Its name in settings.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fs => "fs",
            Self::S3 => "s3",
            Self::Cloudinary => "cloudinary",
        }
    }

    /// The kind of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.as_str() == name)
    }
}

/// A bucket.
#[derive(Debug, Clone)]
pub struct S3 {
    /// `S3_BUCKET`.
    pub bucket: String,
    /// `S3_REGION`.
    pub region: String,
    /// `S3_ENDPOINT`; `None` is Amazon's.
    pub endpoint: Option<String>,
    /// `S3_ACCESS_KEY_ID` and `S3_SECRET_ACCESS_KEY`; `None`: the identity that the environment gives (a role of the machine or
    /// the container).
    pub keys: Option<(String, SecretString)>,
    /// `S3_PATH_STYLE`: whether the bucket stands in the path, not in the host's name.
    pub path_style: bool,
    /// `S3_PREFIX`: what object names start with.
    pub prefix: String,
}

/// A cloud at Cloudinary.
#[derive(Debug, Clone)]
pub struct Cloudinary {
    /// `CLOUDINARY_CLOUD_NAME`.
    pub cloud_name: String,
    /// `CLOUDINARY_API_KEY`.
    pub api_key: String,
    /// `CLOUDINARY_API_SECRET`.
    pub api_secret: SecretString,
    /// `CLOUDINARY_FOLDER`, without slashes at its ends.
    pub folder: String,
    /// `CLOUDINARY_UPLOAD_PREFIX`: where its API is, without a slash at the end.
    pub upload_prefix: String,
    /// `CLOUDINARY_DELIVERY_PREFIX`: where assets are fetched from, the cloud's name included if it belongs there; without a
    /// slash at the end.
    pub delivery_prefix: String,
    /// `CLOUDINARY_SIGNATURE_ALGORITHM`.
    pub algorithm: SignatureAlgorithm,
}

/// What Cloudinary's signatures are made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignatureAlgorithm {
    /// What a new cloud expects.
    Sha1,
    /// What a cloud may be set to.
    Sha256,
}

impl Storage {
    /// Whether objects could be kept there, in use or not.
    pub const fn has(&self, kind: StorageKind) -> bool {
        match kind {
            StorageKind::Fs => true,
            StorageKind::S3 => self.s3.is_some(),
            StorageKind::Cloudinary => self.cloudinary.is_some(),
        }
    }

    /// Where objects are kept there, in words without a secret; of files only that they are files.
    pub fn place(&self, kind: StorageKind) -> String {
        match (kind, &self.s3, &self.cloudinary) {
            (StorageKind::S3, Some(S3 { bucket, region, endpoint, prefix, .. }), _) => {
                let host = endpoint
                    .clone()
                    .unwrap_or_else(|| format!("https://s3.{region}.amazonaws.com"));
                format!("{host}/{bucket}/{prefix}")
            }
            (StorageKind::Cloudinary, _, Some(cloud)) => {
                format!("cloudinary://{}/{}", cloud.cloud_name, cloud.folder)
            }
            _ => kind.as_str().to_owned(),
        }
    }
}

impl Settings {
    /// Every storage that is configured, in use or not, and `DATA_DIR`, for a command that works on what is stored.
    pub fn check_storage(&self) -> Result<(Storage, PathBuf), Faults> {
        let mut faults = Vec::new();
        let values = self.values(&mut faults);
        services::check(self, &mut faults);
        let storage = meant(self, &values, &mut faults, &mut Vec::new());
        faults.retain(|fault| is_of_storage(&fault.name) || fault.name == "DATA_DIR");
        faults.extend_from_slice(self.unreadable());
        let data_dir = values.text("DATA_DIR").map(PathBuf::from);
        let meant = storage.zip(data_dir).ok_or_else(|| mismatch("STORAGE"));
        settle(meant, faults, Vec::new()).map(|(meant, _)| meant)
    }
}

/// Whether it says where objects are kept; where files are, `DATA_DIR` says.
pub(super) fn is_of_storage(name: &str) -> bool {
    name == "STORAGE" || name.starts_with("S3_") || name.starts_with("CLOUDINARY_")
}

/// Whether Cloudinary is configured, and whether S3 is.
fn configured(settings: &Settings) -> (bool, bool) {
    let is_said = |names| settings.said_first(names).is_some();
    (is_said(CLOUDINARY_NAMES), is_said(S3_NAMES))
}

/// The kind that is meant, if that is clear.
pub(super) fn kind(settings: &Settings) -> Option<StorageKind> {
    match (settings.said("STORAGE"), configured(settings)) {
        (Some(said), _) => StorageKind::from_name(said.text.trim()),
        (None, (true, true)) => None,
        (None, (true, false)) => Some(StorageKind::Cloudinary),
        (None, (false, true)) => Some(StorageKind::S3),
        (None, (false, false)) => Some(StorageKind::Fs),
    }
}

/// The storage that is meant. What is wrong with a value by itself, and services that are configured by half, are reported
/// elsewhere.
pub(super) fn meant(
    settings: &Settings,
    values: &Values,
    faults: &mut Vec<Fault>,
    warnings: &mut Vec<Warning>,
) -> Option<Storage> {
    let (has_cloudinary, has_s3) = configured(settings);
    if settings.said("STORAGE").is_none() && has_cloudinary && has_s3 {
        let detail = "must say which of them is used: Cloudinary and S3 are both configured";
        faults.push(Fault::new("STORAGE", detail));
    }
    let kind = kind(settings)?;
    let lacks = match kind {
        StorageKind::Cloudinary if !has_cloudinary => "CLOUDINARY_URL (or its parts)",
        StorageKind::S3 if !has_s3 => "S3_BUCKET",
        _ => "",
    };
    if !lacks.is_empty() {
        let detail = format!("= {:?} needs {lacks}", kind.as_str());
        faults.push(Fault::new("STORAGE", detail));
        return None;
    }
    let s3 = if has_s3 { Some(s3(settings, values, faults)?) } else { None };
    let cloudinary =
        if has_cloudinary { Some(cloudinary(settings, values, faults, warnings)?) } else { None };
    Some(Storage { kind, is_said: settings.said("STORAGE").is_some(), s3, cloudinary })
}

fn s3(settings: &Settings, values: &Values, faults: &mut Vec<Fault>) -> Option<S3> {
    let text = |name| values.text(name).map(str::to_owned);
    let endpoint = text("S3_ENDPOINT");
    let path_style = match settings.said("S3_PATH_STYLE") {
        Some(_) => values.flag("S3_PATH_STYLE")?,
        None => endpoint.is_some(),
    };
    let prefix = text("S3_PREFIX").unwrap_or_default();
    // The last segment goes on in an object's key.
    let mut segments = prefix.strip_prefix('/').unwrap_or(&prefix).rsplit('/').skip(1);
    if segments.any(|segment| matches!(segment, "" | "." | "..")) {
        let detail = format!("= {prefix:?} must not have empty segments, nor . and ..");
        faults.push(Fault::new("S3_PREFIX", detail));
    }
    Some(S3 {
        bucket: text("S3_BUCKET")?,
        region: text("S3_REGION")?,
        endpoint,
        keys: text("S3_ACCESS_KEY_ID").zip(values.secret("S3_SECRET_ACCESS_KEY")),
        path_style,
        prefix,
    })
}

fn cloudinary(
    settings: &Settings,
    values: &Values,
    faults: &mut Vec<Fault>,
    warnings: &mut Vec<Warning>,
) -> Option<Cloudinary> {
    let used = settings.said_first(CLOUDINARY_NAMES)?;
    if let Some(other) = CLOUDINARY_NAMES
        .iter()
        .filter(|name| **name != used.name)
        .find_map(|name| settings.said(name))
    {
        let detail =
            format!("(from {}) is ignored for {} (from {})", other.source, used.name, used.source);
        warnings.push(Warning::new(other.name, detail));
    }
    let text = |name| values.text(name).map(str::to_owned);
    let (cloud_name, api_key, api_secret) = match used.name {
        "CLOUDINARY_URL" => match parts(values.text("CLOUDINARY_URL")?) {
            Some(parts) => parts,
            None => {
                let form = "must be cloudinary://<api key>:<api secret>@<cloud name>";
                let detail = format!("(from {}) {form}", used.source);
                faults.push(Fault::new("CLOUDINARY_URL", detail));
                return None;
            }
        },
        _ => (
            text("CLOUDINARY_CLOUD_NAME")?,
            text("CLOUDINARY_API_KEY")?,
            values.secret("CLOUDINARY_API_SECRET")?,
        ),
    };
    let folder = text("CLOUDINARY_FOLDER")?.trim_matches('/').to_owned();
    let is_bad = |c: char| c.is_control() || NOT_IN_PUBLIC_IDS.contains(c);
    if folder.contains(is_bad) || folder.trim() != folder {
        let detail = format!(
            "= {folder:?} must not have any of {NOT_IN_PUBLIC_IDS} nor control characters, nor spaces at its ends"
        );
        faults.push(Fault::new("CLOUDINARY_FOLDER", detail));
    }
    Some(Cloudinary {
        folder,
        upload_prefix: text("CLOUDINARY_UPLOAD_PREFIX")?,
        delivery_prefix: text("CLOUDINARY_DELIVERY_PREFIX")
            .unwrap_or_else(|| format!("https://res.cloudinary.com/{cloud_name}")),
        algorithm: match values.text("CLOUDINARY_SIGNATURE_ALGORITHM")? {
            "sha256" => SignatureAlgorithm::Sha256,
            _ => SignatureAlgorithm::Sha1,
        },
        cloud_name,
        api_key,
        api_secret,
    })
}

/// The cloud's name, the key and its secret out of `CLOUDINARY_URL`.
fn parts(url: &str) -> Option<(String, String, SecretString)> {
    let url = Url::parse(url).ok()?;
    let decoded = |text: &str| percent_decode_str(text).decode_utf8().ok().map(String::from);
    let key = decoded(url.username()).filter(|key| !key.is_empty())?;
    let secret = decoded(url.password()?).filter(|secret| !secret.is_empty())?;
    Some((url.host_str()?.to_owned(), key, secret.into()))
}
