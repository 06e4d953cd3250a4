//! The variables that the AWS SDK would take as they are.

use std::env::{self, VarError};

use aws_config::Region;
use http::Uri;

use crate::model::facts::{Fault, FaultClass};

/// Where requests go instead of AWS's own endpoints.
const URLS: [&str; 8] = [
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_IAM",
    "AWS_ENDPOINT_URL_ORGANIZATIONS",
    "AWS_ENDPOINT_URL_SQS",
    "AWS_ENDPOINT_URL_SSO",
    "AWS_ENDPOINT_URL_SSO_OIDC",
    "AWS_ENDPOINT_URL_STS",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT",
];

/// Switches that the SDK leaves off where it does not understand them.
const BOOLEANS: [&str; 4] = [
    "AWS_EC2_METADATA_DISABLED",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "AWS_USE_DUALSTACK_ENDPOINT",
    "AWS_USE_FIPS_ENDPOINT",
];

/// By which protocol the metadata service of an instance is reached.
const MODE: &str = "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE";

/// Proxies, whose URLs may hold a password.
const PROXIES: [&str; 6] = ["ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "all_proxy", "http_proxy", "https_proxy"];

/// What a variable says; an empty one counts as unset.
///
/// # Errors
/// When it is no text.
pub(crate) fn variable(name: &str) -> Result<Option<String>, Fault> {
    match env::var(name) {
        Ok(value) => Ok(Some(value).filter(|value| !value.is_empty())),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => Err(invalid(format!("{name} does not hold a text in UTF-8"))),
    }
}

/// A fault of what somebody has written.
pub(crate) fn invalid(detail: impl Into<String>) -> Fault {
    Fault::new(FaultClass::InvalidConfiguration, detail)
}

/// Checks every variable whose value would be passed on unseen.
pub(super) fn check() -> Result<(), Fault> {
    for name in URLS {
        match (env::var_os(name), variable(name)?) {
            (Some(_), None) => {
                return Err(invalid(format!("{name} is set and empty"))
                    .advising(format!("unset {name}, or write a URL into it: https://example.com")));
            }
            (_, Some(text)) => url(name, &text)?,
            (None, None) => {}
        }
    }
    for name in BOOLEANS {
        boolean(name, &variable(name)?.unwrap_or_default())?;
    }
    let mode = variable(MODE)?.unwrap_or_default();
    if !["", "ipv4", "ipv6"].contains(&&*mode.to_ascii_lowercase()) {
        return Err(invalid(format!("{MODE} holds {mode:?}, which is neither IPv4 nor IPv6")));
    }
    for name in PROXIES {
        if let Some(text) = variable(name)? {
            proxy(name, &text)?;
        }
    }
    Ok(())
}

pub(super) fn boolean(name: &str, text: &str) -> Result<(), Fault> {
    if ["", "true", "false"].contains(&&*text.to_ascii_lowercase()) {
        return Ok(());
    }
    Err(invalid(format!("{name} holds {text:?}, which is not true or false")))
}

/// AWS publishes no list of regions that one could compare with. But a region's name
/// is part of a host's, and one that cannot be is a mistake.
pub(super) fn region(by: &str, text: &str) -> Result<Region, Fault> {
    let is_label = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let (begins, ends) = (text.bytes().next(), text.bytes().last());
    let is_bounded = begins.is_some_and(|byte| byte.is_ascii_lowercase()) && ends != Some(b'-');
    if is_bounded && text.len() <= 63 && text.bytes().all(is_label) {
        return Ok(Region::new(text.to_owned()));
    }
    let shown: String = text.chars().take(40).collect();
    Err(invalid(format!("{by} holds {shown:?}, which is not the name of a region"))
        .advising("write the name of one region, without spaces and line breaks: us-east-1"))
}

/// A URL may hold a password, so it is not shown.
pub(super) fn url(name: &str, text: &str) -> Result<(), Fault> {
    let uri = text.parse::<Uri>().ok();
    let is_url = uri.is_some_and(|uri| matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some());
    if is_url {
        return Ok(());
    }
    Err(invalid(format!("{name} does not hold the URL of an endpoint"))
        .advising(format!("write a URL into {name}, without spaces and line breaks: https://example.com")))
}

fn proxy(name: &str, text: &str) -> Result<(), Fault> {
    let uri = text.parse::<Uri>().ok();
    if uri.is_some_and(|uri| matches!(uri.scheme_str(), None | Some("http" | "https")) && uri.authority().is_some()) {
        return Ok(());
    }
    Err(invalid(format!("{name} does not hold the URL of an HTTP proxy")).advising(format!(
        "write a URL into {name}, with %-escapes in user and password: http://user:password@proxy.example.com:3128"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_regions_of_every_partition_are_taken_and_others_refused_by_name() {
        for name in ["us-east-1", "cn-north-1", "us-gov-west-1", "eusc-de-east-1", "us-isob-east-1", "mx-central-1"] {
            assert!(region("AWS_REGION", name).is_ok(), "{name}");
        }
        let long = "a".repeat(64);
        for wrong in ["us-east-1 ", " us-east-1", "us-east-1\n", "\n", "a,b", "US-EAST-1", "us_east_1", "-", "1", &long]
        {
            let fault = region("AWS_REGION", wrong).unwrap_err();
            assert_eq!(fault.class, FaultClass::InvalidConfiguration);
            assert!(fault.detail.starts_with("AWS_REGION holds \"") && !fault.detail.contains('\n'), "{fault}");
        }
    }

    #[test]
    fn urls_and_proxies_are_refused_without_showing_what_they_hold() {
        for wrong in ["localhost:4566", "http://", "ftp://x", "http://a b", "http://x\n", "s3cret"] {
            let fault = url("AWS_ENDPOINT_URL", wrong).unwrap_err();
            assert!(fault.detail.starts_with("AWS_ENDPOINT_URL ") && !fault.detail.contains("s3cret"), "{fault}");
        }
        assert!(url("AWS_ENDPOINT_URL", "https://vpce-1.sts.us-east-1.vpce.amazonaws.com").is_ok());
        for good in ["proxy:3128", "http://u:p@proxy:3128", "https://proxy"] {
            assert!(proxy("HTTPS_PROXY", good).is_ok(), "{good}");
        }
        for wrong in ["socks5://proxy:1080", "http://u:s3cret@pro xy", "/proxy"] {
            let fault = proxy("HTTPS_PROXY", wrong).unwrap_err();
            assert!(!format!("{fault:?}").contains("s3cret"), "{fault:?}");
        }
    }
}
