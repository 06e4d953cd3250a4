//! moto's SQS, which nobody here wrote.

use aws_sim::queue::URL;
use serde_json::{Value, json};

use crate::{
    peers::{Peer, moto},
    support::request,
};

/// A queue of it.
pub struct MotoQueue {
    address: String,
    _server: Peer,
}

impl MotoQueue {
    /// With the queue.
    pub fn start() -> Self {
        let queue = Self::without_queue();
        queue.create();
        queue
    }

    pub fn without_queue() -> Self {
        let (server, address) = moto();
        Self { address, _server: server }
    }

    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn create(&self) {
        self.ask("CreateQueue", &json!({ "QueueName": "mfa-events" }));
    }

    pub fn send(&self, body: &str) {
        self.ask("SendMessage", &json!({ "QueueUrl": URL, "MessageBody": body }));
    }

    /// How many messages there are, also those that somebody has received and not deleted.
    pub fn depth(&self) -> u64 {
        let answer = self.ask("GetQueueAttributes", &json!({ "QueueUrl": URL, "AttributeNames": ["All"] }));
        let count = |name: &str| answer["Attributes"][name].as_str().unwrap().parse::<u64>().unwrap();
        count("ApproximateNumberOfMessages") + count("ApproximateNumberOfMessagesNotVisible")
    }

    fn ask(&self, operation: &str, body: &Value) -> Value {
        let body = body.to_string();
        let head = format!(
            "POST / HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nX-Amz-Target: AmazonSQS.{operation}\r\n\
             Content-Type: application/x-amz-json-1.0\r\nContent-Length: {}\r\n\
             Authorization: AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE/20261127/us-east-1/sqs/aws4_request, \
             SignedHeaders=host, Signature=x\r\n\r\n",
            self.address,
            body.len()
        );
        let answer = request(&self.address, &format!("{head}{body}"));
        assert_eq!(answer.status, 200, "{operation}: {}", answer.text());
        serde_json::from_slice(&answer.body).unwrap_or_default()
    }
}
