//! The queues that events come from.
//!
//! A queue is named by its URL, as AWS prints it. Its region, its account and its name
//! are read off the URL. A request goes to the endpoint that the SDK knows for the
//! region (or to the one in `AWS_ENDPOINT_URL_SQS`), never to the host of the URL.

use std::fmt;

use super::Access;
use crate::model::account::AccountId;

/// A standard queue of Amazon SQS.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Queue {
    url: String,
    region: String,
    account: AccountId,
    name: String,
}

/// A queue, and how to come by credentials that may read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventSource {
    /// The queue.
    pub queue: Queue,
    /// Whose credentials receive and delete its messages.
    pub access: Access,
}

const WANTED: &str = "not the URL of a queue: write https://sqs.REGION.amazonaws.com/ACCOUNT/NAME, as `aws sqs \
                      get-queue-url` prints it";

const FIFO: &str = "this is a FIFO queue, which holds events back behind others: use a standard queue, whose name does \
                    not end in .fifo";

// === impl Queue ===

impl Queue {
    /// Reads the URL of a queue. (Amazon SQS Developer Guide, "Amazon SQS queue and
    /// message identifiers".)
    ///
    /// # Errors
    /// When it is none, or is that of a FIFO queue.
    pub fn parse(url: &str) -> Result<Self, String> {
        let parts: Vec<_> = url.strip_prefix("https://").ok_or(WANTED)?.split('/').collect();
        let [host, account, name] = *parts else { return Err(WANTED.to_owned()) };
        let region = region(host).ok_or(WANTED)?;
        if name.ends_with(".fifo") {
            return Err(FIFO.to_owned());
        }
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        if !(1..=80).contains(&name.len()) || !name.bytes().all(is_name) {
            return Err(WANTED.to_owned());
        }
        let account = account.parse().map_err(|_| WANTED)?;
        Ok(Self { url: url.to_owned(), region: region.to_owned(), account, name: name.to_owned() })
    }

    /// The URL, as it was written.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The region that its messages are in.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.region
    }

    /// Its ARN, by which metrics, logs and policies name it.
    #[must_use]
    pub fn arn(&self) -> String {
        format!("arn:{}:sqs:{}:{}:{}", self.partition(), self.region, self.account, self.name)
    }

    /// The partition of its region, by the region's name.
    fn partition(&self) -> &'static str {
        match self.region.split('-').next().unwrap_or_default() {
            "cn" => "aws-cn",
            "eusc" => "aws-eusc",
            "us" if self.region.starts_with("us-gov-") => "aws-us-gov",
            _ => "aws",
        }
    }
}

impl fmt::Display for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.arn())
    }
}

/// The region in the host of an endpoint, also of a FIPS or dual-stack one.
fn region(host: &str) -> Option<&str> {
    let (service, rest) = host.split_once('.')?;
    let (region, domain) = rest.split_once('.')?;
    let is_region = region.split('-').count() >= 3
        && region.ends_with(|last: char| last.is_ascii_digit())
        && region.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    let is_awss = ["amazonaws.com", "amazonaws.com.cn", "amazonaws.eu", "api.aws", "api.amazonwebservices.com.cn"];
    (["sqs", "sqs-fips"].contains(&service) && is_region && is_awss.contains(&domain)).then_some(region)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_says_its_region_and_its_arn() {
        for (url, arn) in [
            ("https://sqs.us-east-1.amazonaws.com/012345678901/a-b_C", "arn:aws:sqs:us-east-1:012345678901:a-b_C"),
            ("https://sqs.cn-north-1.amazonaws.com.cn/111111111111/q", "arn:aws-cn:sqs:cn-north-1:111111111111:q"),
            (
                "https://sqs-fips.us-gov-west-1.amazonaws.com/111111111111/q",
                "arn:aws-us-gov:sqs:us-gov-west-1:111111111111:q",
            ),
            (
                "https://sqs.eusc-de-east-1.amazonaws.eu/111111111111/q",
                "arn:aws-eusc:sqs:eusc-de-east-1:111111111111:q",
            ),
            ("https://sqs.us-east-1.api.aws/111111111111/q", "arn:aws:sqs:us-east-1:111111111111:q"),
        ] {
            assert_eq!(Queue::parse(url).unwrap().arn(), arn);
        }
    }

    #[test]
    fn what_is_no_queue_is_refused_with_what_to_write() {
        for url in [
            "",
            "arn:aws:sqs:us-east-1:111111111111:q",
            "http://sqs.us-east-1.amazonaws.com/111111111111/q",
            "https://sqs.us-east-1.example.com/111111111111/q",
            "https://sns.us-east-1.amazonaws.com/111111111111/q",
            "https://sqs.amazonaws.com/111111111111/q",
            "https://sqs.us-east-1.amazonaws.com/1111/q",
            "https://sqs.us-east-1.amazonaws.com/111111111111/",
            "https://sqs.us-east-1.amazonaws.com/111111111111/q/r",
            "https://sqs.us-east-1.amazonaws.com/111111111111/q?x",
        ] {
            assert!(Queue::parse(url).unwrap_err().contains("aws sqs get-queue-url"), "{url}");
        }
        assert!(Queue::parse("https://sqs.us-east-1.amazonaws.com/111111111111/q.fifo").unwrap_err().contains("FIFO"));
    }
}
