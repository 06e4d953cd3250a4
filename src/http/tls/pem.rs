//! Certificates and keys as they lie in files, and what is wrong with them: the file,
//! what it should hold, what it holds, and how to mend it. Never what is in it.

use std::{fs, io, path::Path};

use rustls::{
    Error as RustlsError,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};

use crate::http::config::Source;

/// The certificates or the key cannot be used. Never quotes them.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{place} cannot be read: {source}")]
    Read {
        /// Which key of the configuration, and which file.
        place: String,
        /// Why.
        source: io::Error,
    },
    /// It holds something else.
    #[error("{place} contains {holds}: write {wanted} in PEM into it{mend}")]
    Holds {
        /// Which key of the configuration, and which file.
        place: String,
        /// What is in it.
        holds: &'static str,
        /// What should be in it.
        wanted: &'static str,
        /// What to do about it.
        mend: String,
    },
    /// The certificate and the key stand in each other's place.
    #[error("{certificate} holds a private key, and {key} a certificate: the two are swapped")]
    Swapped {
        /// Where the certificate should be.
        certificate: String,
        /// Where the key should be.
        key: String,
    },
    /// The key is another certificate's.
    #[error("the private key in {key} does not belong to the certificate in {certificate}")]
    Mismatch {
        /// Where the certificate is.
        certificate: String,
        /// Where the key is.
        key: String,
    },
    /// rustls refuses them.
    #[error("{certificate} and {key} cannot be used: {reason}")]
    Refused {
        /// Where the certificate is.
        certificate: String,
        /// Where the key is.
        key: String,
        /// Why.
        reason: String,
    },
    /// The authorities that vouch for clients are none.
    #[error("client_ca cannot be used: {0}")]
    ClientCa(String),
    /// The versions, suites and curves leave nothing to speak.
    #[error("cannot use this choice of TLS versions, cipher suites and curves: {0}")]
    Choice(String),
}

/// What was read, and where from.
pub(super) struct Pem {
    place: String,
    path: String,
    bytes: Vec<u8>,
}

/// What a text holds, as far as it can be told without reading keys.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Holds {
    Certificate,
    Both,
    Key,
    EncryptedKey,
    Der,
    Nothing,
}

impl Pem {
    /// Reads what key `name` of the configuration says, or the file that it names.
    pub(super) fn read(name: &str, source: &Source) -> Result<Self, TlsError> {
        let place = place(name, source);
        match source {
            Source::Inline(text) => Ok(Self { place, path: "FILE".into(), bytes: text.0.clone().into_bytes() }),
            Source::File(path) => match fs::read(path) {
                Ok(bytes) => Ok(Self { place, path: path.display().to_string(), bytes }),
                Err(source) => Err(TlsError::Read { place, source }),
            },
        }
    }

    /// The certificates, of which there is at least one.
    pub(super) fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, TlsError> {
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&self.bytes).collect();
        chain.ok().filter(|chain| !chain.is_empty()).ok_or_else(|| self.wants("a certificate", "x509"))
    }

    fn key(&self) -> Result<PrivateKeyDer<'static>, TlsError> {
        PrivateKeyDer::from_pem_slice(&self.bytes).map_err(|_| self.wants("a private key", "pkey"))
    }

    fn wants(&self, wanted: &'static str, command: &str) -> TlsError {
        let path = &self.path;
        let (holds, mend) = match self.holds() {
            Holds::EncryptedKey => {
                let mend = "; the exporter cannot ask for a passphrase: write the key without one";
                ("an encrypted private key", format!("{mend}, by openssl pkey -in {path} -out NEW"))
            }
            Holds::Der => ("DER", format!("; convert it by openssl {command} -inform der -in {path} -out NEW")),
            Holds::Certificate if wanted == "a certificate" => ("a damaged certificate", String::new()),
            Holds::Key | Holds::Both if wanted != "a certificate" => ("a damaged private key", String::new()),
            Holds::Certificate | Holds::Both => ("a certificate", String::new()),
            Holds::Key => ("a private key", String::new()),
            Holds::Nothing => ("neither a certificate nor a private key", String::new()),
        };
        TlsError::Holds { place: self.place.clone(), holds, wanted, mend }
    }

    fn holds(&self) -> Holds {
        let text = String::from_utf8_lossy(&self.bytes);
        let has = |label: &str| text.contains(&format!("{label}-----"));
        match (has("CERTIFICATE"), has("PRIVATE KEY")) {
            (_, true) if has("ENCRYPTED PRIVATE KEY") || text.contains("Proc-Type: 4,ENCRYPTED") => Holds::EncryptedKey,
            (true, true) => Holds::Both,
            (true, false) => Holds::Certificate,
            (false, true) => Holds::Key,
            // An ASN.1 sequence with a length of two bytes, which any of them has.
            (false, false) if self.bytes.starts_with(&[0x30, 0x82]) => Holds::Der,
            (false, false) => Holds::Nothing,
        }
    }
}

/// The server's chain and key.
pub(super) fn chain_and_key(
    certificate: &Source,
    key: &Source,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), TlsError> {
    let (certificate, key) = (Pem::read("cert", certificate)?, Pem::read("key", key)?);
    if (certificate.holds(), key.holds()) == (Holds::Key, Holds::Certificate) {
        return Err(TlsError::Swapped { certificate: certificate.place, key: key.place });
    }
    Ok((certificate.certificates()?, key.key()?))
}

/// Why rustls does not take them.
pub(super) fn refusal(certificate: &Source, key: &Source, error: &RustlsError) -> TlsError {
    let (certificate, key) = (place("cert", certificate), place("key", key));
    match error {
        RustlsError::InconsistentKeys(_) => TlsError::Mismatch { certificate, key },
        _ => TlsError::Refused { certificate, key, reason: error.to_string() },
    }
}

fn place(name: &str, source: &Source) -> String {
    let of_file = |path: &Path| format!("{name}_file {}", path.display());
    match source {
        Source::Inline(_) => format!("tls_server_config.{name}"),
        Source::File(path) => of_file(path),
    }
}
