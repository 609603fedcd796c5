//! Certificates, and an authority that gives them out: as a managed service has them, on this machine.

use std::{fs, io::Write, os::unix::fs::PermissionsExt, path::Path, path::PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
};
use tempfile::NamedTempFile;

/// Where the servers are said to be; their certificates are for this name.
pub const HOST: &str = "localhost";

/// Whom to believe: a private authority.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    file: NamedTempFile,
}

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let name = format!("Authority {}", uuid::Uuid::now_v7());
        params.distinguished_name.push(DnType::CommonName, name);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let mut file = NamedTempFile::with_prefix("darkroom-authority-").unwrap();
        file.write_all(issuer.pem().as_bytes()).unwrap();
        Self { issuer, file }
    }

    /// Its certificate, as a file.
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// A server that may say it is `host`.
    pub fn identity(&self, host: &str) -> Identity {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([host.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Identity {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
            authority: self.path().to_owned(),
        }
    }
}

/// What a server shows of itself.
pub struct Identity {
    /// PEM.
    pub certificate: String,
    /// PEM.
    pub key: String,
    /// Who vouches for it.
    pub authority: PathBuf,
}

/// An identity as servers read it.
pub struct Files {
    pub certificate: PathBuf,
    pub key: PathBuf,
    pub authority: PathBuf,
}

impl Identity {
    /// Puts it where a server on `directory` finds it; the key is readable to its owner only.
    pub fn write(&self, directory: &Path) -> Files {
        let write = |name: &str, text: &str| {
            let path = directory.join(name);
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            path
        };
        Files {
            certificate: write("server.crt", &self.certificate),
            key: write("server.key", &self.key),
            authority: self.authority.clone(),
        }
    }
}
