//! The certificate authorities by which AWS's answers are verified.
//!
//! `tests/packages` holds this with the image: a build with debug assertions is
//! ended by one of the SDK's as soon as there are none.

/// Says so at the start when there are none, as in an image without them: each call
/// would fail, and "AWS cannot be reached" sends its reader to the network.
pub fn warn_without_any() {
    let found = rustls_native_certs::load_native_certs();
    if found.certs.is_empty() {
        let error = found.errors.first().map(ToString::to_string);
        tracing::warn!(
            error,
            "This host has no certificate authorities, so no answer of AWS can be verified. Install its package \
             ca-certificates, or name a file of them by SSL_CERT_FILE.",
        );
    }
}
