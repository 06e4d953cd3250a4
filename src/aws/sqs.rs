//! The queue that events come from: its messages are received and deleted.
//!
//! One request waits at the queue until there is a message, for twenty seconds at most,
//! and its timeouts are longer than that: those of other requests would take every
//! quiet queue for one that does not answer. A reply without a list is usual here, for
//! AWS sends none where there was no message. (Amazon SQS API Reference,
//! `ReceiveMessage`.)

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use aws_config::{Region, timeout::TimeoutConfig};
use aws_sdk_sqs::types::{DeleteMessageBatchRequestEntry, MessageSystemAttributeName};
use serde::Deserialize;

use super::{
    ATTEMPT_TIMEOUT, CONNECT_TIMEOUT, Clients, Session,
    operation::{Answer, Only, Operation},
};
use crate::{
    config::queue::Queue,
    model::{
        facts::{Fault, FaultClass},
        time::Moment,
    },
};

/// How long a request waits for a message: the most that AWS allows.
const WAIT: Duration = Duration::from_secs(20);

/// Who has received a message and does not delete it within this time gets it again.
/// Nothing is done with one that takes longer.
const INVISIBLE_SECONDS: i32 = 10;

/// The most messages that one request can receive, or delete.
const MOST_MESSAGES: i32 = 10;

/// Receives the messages of one queue.
#[derive(Clone, Debug)]
pub struct Inbox {
    session: Session,
    queue: Queue,
    /// Made when there are credentials.
    client: Arc<OnceLock<aws_sdk_sqs::Client>>,
}

/// A message that was received.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Message {
    /// What somebody has sent. It may name users and addresses, and may be forged.
    pub body: String,
    /// By which it can be deleted.
    receipt_handle: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Received {
    messages: Option<Vec<Message>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Deleted {
    failed: Option<Vec<Failed>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Failed {
    code: String,
}

// === impl Inbox ===

impl Inbox {
    /// The messages of `queue`, by these credentials.
    #[must_use]
    pub fn new(session: Session, queue: Queue) -> Self {
        Self { session, queue, client: Arc::default() }
    }

    /// The queue.
    #[must_use]
    pub fn queue(&self) -> &Queue {
        &self.queue
    }

    /// The time, as whoever calls AWS has it.
    #[must_use]
    pub fn now(&self) -> Moment {
        self.session.caller().clock().now()
    }

    /// Waits for messages. There are none if none came in time.
    ///
    /// # Errors
    /// When the queue could not be asked.
    pub async fn receive(&self) -> Result<Vec<Message>, Fault> {
        let verified = self.session.verified().await?;
        let client = self.client();
        let request = |only: Only| {
            let request = client.receive_message().queue_url(self.queue.url()).max_number_of_messages(MOST_MESSAGES);
            let request = request.wait_time_seconds(seconds(WAIT)).visibility_timeout(INVISIBLE_SECONDS);
            let request = request.message_system_attribute_names(MessageSystemAttributeName::SentTimestamp);
            request.customize().config_override(only).send()
        };
        let read = |answer: Answer<'_>| Ok(answer.json::<Received>()?.messages.unwrap_or_default());
        let operation = Operation::sqs("ReceiveMessage").waiting();
        let received = self.session.caller().ask(&verified.credentials, operation, request, read).await;
        self.or_forget(received).await
    }

    /// Deletes messages that were received, ten at most.
    ///
    /// # Errors
    /// When one of them could not be deleted. It is received again.
    pub async fn delete(&self, messages: &[Message]) -> Result<(), Fault> {
        let verified = self.session.verified().await?;
        let client = self.client();
        let entries: Vec<_> = messages.iter().zip(0..).map(entry).collect();
        let request = |only: Only| {
            let request = client.delete_message_batch().queue_url(self.queue.url()).set_entries(Some(entries.clone()));
            request.customize().config_override(only).send()
        };
        let read = |answer: Answer<'_>| Ok(answer.json::<Deleted>()?.failed.unwrap_or_default());
        let operation = Operation::sqs("DeleteMessageBatch");
        let deleted = self.session.caller().ask(&verified.credentials, operation, request, read).await;
        match self.or_forget(deleted).await?.first() {
            None => Ok(()),
            Some(failed) => Err(Fault::new(FaultClass::Rejected, undeleted(&failed.code))),
        }
    }

    /// Credentials that AWS has refused are not used again.
    async fn or_forget<T>(&self, ended: Result<T, Fault>) -> Result<T, Fault> {
        if ended.as_ref().is_err_and(|fault| fault.class == FaultClass::InvalidCredentials) {
            self.session.forget().await;
        }
        ended.map_err(advise)
    }

    fn client(&self) -> &aws_sdk_sqs::Client {
        self.client.get_or_init(|| self.session.caller().clients.sqs(self.queue.region()))
    }
}

/// The body and the handle are not shown.
impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Message").field("bytes", &self.body.len()).finish_non_exhaustive()
    }
}

impl Clients {
    /// Amazon SQS in a region of its own, with time to wait for messages.
    fn sqs(&self, region: &str) -> aws_sdk_sqs::Client {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(WAIT + ATTEMPT_TIMEOUT)
            .operation_attempt_timeout(WAIT + ATTEMPT_TIMEOUT)
            .operation_timeout(WAIT + ATTEMPT_TIMEOUT + Duration::from_secs(1))
            .build();
        let settings = aws_sdk_sqs::config::Builder::from(&self.settings);
        aws_sdk_sqs::Client::from_conf(settings.region(Region::new(region.to_owned())).timeout_config(timeouts).build())
    }
}

fn seconds(time: Duration) -> i32 {
    i32::try_from(time.as_secs()).unwrap_or(i32::MAX)
}

fn entry((message, id): (&Message, u8)) -> DeleteMessageBatchRequestEntry {
    let entry = DeleteMessageBatchRequestEntry::builder().id(id.to_string()).receipt_handle(&message.receipt_handle);
    entry.build().expect("it has both that it needs")
}

fn undeleted(code: &str) -> String {
    format!("DeleteMessageBatch: a message was not deleted code={}", super::fault::word(code))
}

/// What a queue refuses, it refuses for reasons of its own.
fn advise(fault: Fault) -> Fault {
    let is_special = fault.remedy() != fault.class.remedy();
    match fault.class {
        FaultClass::AccessDenied if !is_special => fault.advising(
            "allow sqs:ReceiveMessage and sqs:DeleteMessage on this queue, as `aws-mfa-exporter iam-policy --of exporter` \
             prints; if the queue is in another account than the credentials, its queue policy must allow them too",
        ),
        FaultClass::Timeout | FaultClass::Connection if !is_special => {
            fault.advising("check DNS, proxy and egress from this host to the SQS endpoint of the queue's region")
        }
        FaultClass::Throttled if !is_special => fault.advising("wait: the exporter tries again by itself"),
        _ => fault,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_without_messages_is_no_fault_and_a_message_without_a_handle_is() {
        let read =
            |text: &str| serde_json::from_str::<Received>(text).map(|received| received.messages.map(|m| m.len()));
        assert_eq!(read("{}").unwrap(), None);
        assert_eq!(read(r#"{"Messages":[{"Body":"x","ReceiptHandle":"y","MessageId":"z"}]}"#).unwrap(), Some(1));
        assert!(read(r#"{"Messages":[{"Body":"x"}]}"#).is_err());
    }

    #[test]
    fn a_message_does_not_show_what_it_says() {
        let message = Message { body: "secret".into(), receipt_handle: "handle".into() };
        assert_eq!(format!("{message:?}"), "Message { bytes: 6, .. }");
    }
}
