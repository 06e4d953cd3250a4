//! A queue of Amazon SQS as far as the exporter asks one, which does as it is told, and the
//! events that a rule of EventBridge puts into it.

use std::{
    collections::VecDeque,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

/// The queue, as its owner calls it. Requests go where `AWS_ENDPOINT_URL_SQS` says.
pub const URL: &str = "https://sqs.us-east-1.amazonaws.com/123456789012/mfa-events";
/// Its ARN.
pub const ARN: &str = "arn:aws:sqs:us-east-1:123456789012:mfa-events";

/// An event of IAM, as a rule of EventBridge sends it. (The form of the detail: AWS
/// CloudTrail User Guide, "CloudTrail record contents".)
#[must_use]
pub fn event(account: &str, name: &str) -> String {
    json!({
        "version": "0", "id": "7bf73129-1428-4cd3-a780-95db273d1602",
        "detail-type": "AWS API Call via CloudTrail", "source": "aws.iam", "account": account,
        "time": "2026-11-27T05:00:00Z", "region": "us-east-1", "resources": [],
        "detail": {
            "eventVersion": "1.10", "userIdentity": { "type": "Root", "accountId": account },
            "eventSource": "iam.amazonaws.com", "eventName": name, "awsRegion": "us-east-1",
            "requestParameters": { "userName": "AWS ROOT USER" }, "readOnly": false,
        },
    })
    .to_string()
}

/// The event about a call of the exporter itself, which AWS has answered with this id.
#[must_use]
pub fn echo(account: &str, request_id: &str) -> String {
    let mut event: Value = serde_json::from_str(&event(account, "GetAccountSummary")).unwrap_or_default();
    event["detail"]["requestID"] = request_id.into();
    event["detail"]["readOnly"] = true.into();
    event.to_string()
}

/// How a queue answers.
#[derive(Clone, Debug)]
pub enum Answer {
    /// As a queue does.
    Serve,
    /// As a queue of which no message can be deleted.
    KeepAll,
    /// With an error: status and code.
    Refuse(u16, String),
    /// With these bytes.
    Raw(String),
}

#[derive(Debug)]
struct Inner {
    answer: Answer,
    /// What can be received, and from when on.
    messages: VecDeque<(Instant, String)>,
    /// What was received last.
    received: VecDeque<String>,
    /// What there is no end of.
    flood: Vec<String>,
}

/// A queue that does as it is told.
#[derive(Clone, Debug)]
pub struct Queue {
    address: String,
    inner: Arc<(Mutex<Inner>, Condvar)>,
}

// === impl Queue ===

impl Queue {
    /// Starts one on a free port of loopback. It serves until the process ends.
    ///
    /// # Panics
    /// If there is no free port.
    #[must_use]
    pub fn start(answer: Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address").to_string();
        let inner = Inner { answer, messages: VecDeque::new(), received: VecDeque::new(), flood: Vec::new() };
        let queue = Self { address, inner: Arc::new((Mutex::new(inner), Condvar::new())) };
        let serving = queue.clone();
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let serving = serving.clone();
                thread::spawn(move || serving.serve(client));
            }
        });
        queue
    }

    /// Where it listens, for `AWS_ENDPOINT_URL_SQS`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A message that can be received at once.
    pub fn send(&self, body: &str) {
        self.send_late(body, Duration::ZERO);
    }

    /// A message that can be received after `delay`, the same for all of a queue.
    pub fn send_late(&self, body: &str, delay: Duration) {
        self.change(|inner| inner.messages.push_back((Instant::now() + delay, body.to_owned())));
    }

    /// From now on there are always ten messages of these bodies.
    pub fn flood(&self, bodies: &[String]) {
        self.change(|inner| inner.flood = bodies.to_vec());
    }

    /// Answers so from now on.
    pub fn answer(&self, answer: Answer) {
        self.change(|inner| inner.answer = answer);
    }

    fn change(&self, change: impl FnOnce(&mut Inner)) {
        change(&mut self.lock());
        self.inner.1.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, client: TcpStream) {
        let mut reader = BufReader::new(client);
        loop {
            let (mut head, mut length) = (String::new(), 0);
            while !head.ends_with("\r\n\r\n") {
                if reader.read_line(&mut head).unwrap_or(0) == 0 {
                    return;
                }
                let line = head.lines().last().unwrap_or_default().to_lowercase();
                length = line.strip_prefix("content-length: ").map_or(length, |n| n.parse().unwrap_or(0));
            }
            let mut body = vec![0; length];
            if reader.read_exact(&mut body).is_err() {
                return;
            }
            let asked = serde_json::from_slice(&body).unwrap_or_default();
            let (status, text) = self.reply(&head, &asked, reader.get_ref());
            let reply = format!(
                "HTTP/1.1 {status} x\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: {}\r\n\r\n{text}",
                text.len()
            );
            if reader.get_mut().write_all(reply.as_bytes()).is_err() {
                return;
            }
        }
    }

    fn reply(&self, head: &str, asked: &Value, client: &TcpStream) -> (u16, String) {
        assert_eq!(asked["QueueUrl"], URL, "the queue that is asked for");
        assert!(head.contains("/us-east-1/sqs/aws4_request"), "signed for the queue's region: {head}");
        let answer = self.lock().answer.clone();
        match answer {
            Answer::Refuse(status, code) => {
                (status, json!({ "__type": format!("com.amazonaws.sqs#{code}") }).to_string())
            }
            Answer::Raw(text) => (200, text),
            Answer::KeepAll if head.contains("DeleteMessageBatch") => {
                self.change(|inner| {
                    let again: Vec<_> = inner.received.drain(..).map(|body| (Instant::now(), body)).collect();
                    inner.messages.extend(again);
                });
                let failed = json!([{ "Id": "0", "SenderFault": true, "Code": "ReceiptHandleIsInvalid" }]);
                (200, json!({ "Failed": failed }).to_string())
            }
            Answer::Serve if head.contains("DeleteMessageBatch") => (200, r#"{"Successful":[]}"#.to_owned()),
            Answer::Serve | Answer::KeepAll => (200, self.messages(client).to_string()),
        }
    }

    /// Up to ten messages, for which it waits a second.
    fn messages(&self, client: &TcpStream) -> Value {
        let all = self.await_messages(client);
        if all.is_empty() {
            return json!({});
        }
        let message =
            |(n, body)| json!({ "MessageId": format!("m{n}"), "ReceiptHandle": format!("r{n}"), "Body": body });
        json!({ "Messages": all.into_iter().enumerate().map(message).collect::<Vec<_>>() })
    }

    fn await_messages(&self, client: &TcpStream) -> Vec<String> {
        let (mut inner, end) = (self.lock(), Instant::now() + Duration::from_secs(1));
        loop {
            let now = Instant::now();
            if !inner.flood.is_empty() {
                return inner.flood.iter().cycle().take(10).cloned().collect();
            }
            let due = inner.messages.iter().take(10).take_while(|(from, _)| *from <= now).count();
            // Who has gone takes nothing with him: SQS would give it to the next who asks.
            if due > 0 && is_gone(client) {
                return Vec::new();
            }
            if due > 0 || now >= end {
                let bodies = inner.messages.drain(..due).map(|(_, body)| body);
                inner.received = bodies.collect();
                return inner.received.iter().cloned().collect();
            }
            let until = inner.messages.front().map_or(end, |(from, _)| end.min(*from));
            inner = self.inner.1.wait_timeout(inner, until - now).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// Whether the other end has closed the connection. It sends nothing while it waits.
fn is_gone(client: &TcpStream) -> bool {
    let _ = client.set_nonblocking(true);
    let is_gone = matches!(client.peek(&mut [0]), Ok(0));
    let _ = client.set_nonblocking(false);
    is_gone
}
