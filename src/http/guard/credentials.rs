//! What a client says who it is. Pure.

use http::HeaderValue;

/// The name and password of a `Basic` header.
#[must_use]
pub fn credentials(header: &HeaderValue) -> Option<(String, String)> {
    let (scheme, encoded) = header.to_str().ok()?.split_once(' ')?;
    let bytes =
        scheme.eq_ignore_ascii_case("basic").then(|| aws_smithy_types::base64::decode(encoded.trim()).ok())??;
    let (user, password) = std::str::from_utf8(&bytes).ok()?.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_name_and_a_password_are_credentials() {
        let read = |text: &str| credentials(&HeaderValue::from_str(text).unwrap());
        let pair = |user: &str, password: &str| Some((user.to_owned(), password.to_owned()));
        assert_eq!(read("Basic YW5uOm9wZW4gc2VzYW1l"), pair("ann", "open sesame"));
        assert_eq!(read("bASIC YTpiOmM="), pair("a", "b:c"), "a password may hold colons");
        for wrong in ["", "Basic", "Basic ", "Basic YQ==", "Basic !!!!", "Bearer YTpi", "Basic /zo=", "Basic YTp"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
