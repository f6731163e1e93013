//! Encryption: whom to trust, and what to show.

use std::path::Path;
use std::sync::Arc;

use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio_rustls::rustls::{self, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use super::settings::WireSettings;
use crate::error::Error;

/// How to encrypt, as `settings` say.
///
/// # Errors
/// [`Error::Certificate`] for a file that cannot be read or holds something else.
pub(crate) fn config(settings: &WireSettings) -> Result<Arc<ClientConfig>, Error> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|source| Error::Tls { source: source.into() })?;
    let verifier: Arc<dyn ServerCertVerifier> = if settings.insecure {
        Arc::new(Anyone(provider))
    } else {
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots(&settings.ca)?), provider);
        verifier.build().map_err(|source| Error::Tls { source: source.into() })?
    };
    let builder = builder.dangerous().with_custom_certificate_verifier(verifier);
    let mut config = match (&settings.certificate, &settings.key) {
        (Some(certificate), Some(key)) => {
            let shown = certificates(certificate)?;
            let secret = PrivateKeyDer::from_pem_file(key).map_err(|source| wrong(key, source))?;
            builder.with_client_auth_cert(shown, secret).map_err(|source| wrong(certificate, source))?
        }
        _ => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![if settings.http2 { b"h2".to_vec() } else { b"http/1.1".to_vec() }];
    Ok(Arc::new(config))
}

/// The certificates to trust: those of the files, or the system's if there are none.
fn roots(files: &[impl AsRef<Path>]) -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    for file in files {
        for certificate in certificates(file.as_ref())? {
            roots.add(certificate).map_err(|source| wrong(file.as_ref(), source))?;
        }
    }
    if files.is_empty() {
        // Some of a system's certificates may be broken; that none is left shows when the first one is checked.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
    Ok(roots)
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_file_iter(file).and_then(Iterator::collect);
    let found = found.map_err(|source| wrong(file, source))?;
    if found.is_empty() { Err(wrong(file, "it holds no certificate")) } else { Ok(found) }
}

fn wrong(file: &Path, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::Certificate { path: file.to_owned(), source: source.into() }
}

/// Trusts anyone, but still wants to see that they have the key of the certificate that they show.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _certificate: &CertificateDer<'_>,
        _others: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
