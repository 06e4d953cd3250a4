//! Queues for the exporter to read: moto's, and one that does what a test says.

use std::{
    collections::VecDeque,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    process::{Child, Stdio},
    sync::{Arc, Condvar, Mutex},
    time::Duration,
};

use serde_json::{Value, json};

use crate::{
    peers::{Peer, python},
    support::request,
};

/// The queue, as its owner calls it. Requests go where `AWS_ENDPOINT_URL_SQS` says.
pub const URL: &str = "https://sqs.us-east-1.amazonaws.com/123456789012/mfa-events";
pub const ARN: &str = "arn:aws:sqs:us-east-1:123456789012:mfa-events";

/// An event of IAM, as a rule of EventBridge sends it. (The form of the detail: AWS
/// CloudTrail User Guide, "CloudTrail record contents".)
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
pub fn echo(account: &str, request_id: &str) -> String {
    let mut event: Value = serde_json::from_str(&event(account, "GetAccountSummary")).unwrap();
    event["detail"]["requestID"] = request_id.into();
    event["detail"]["readOnly"] = true.into();
    event.to_string()
}

/// moto's SQS.
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
        let program = "from moto.moto_server.threaded_moto_server import ThreadedMotoServer\n\
            server = ThreadedMotoServer('127.0.0.1', 0, verbose=False)\n\
            server.start()\n\
            print(server.get_host_and_port()[1], flush=True)\n\
            input()\n";
        let mut python = python("python");
        python.args(["-c", program]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut server: Child = python.spawn().unwrap();
        let mut port = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut port).unwrap();
        Self { address: format!("127.0.0.1:{}", port.trim()), _server: Peer(server) }
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

/// How the test's own queue answers.
#[derive(Clone, Debug)]
pub enum Answer {
    /// As a queue does.
    Serve,
    /// As a queue of which no message can be deleted.
    KeepAll,
    /// With an error.
    Refuse(u16, String),
    /// With these bytes.
    Raw(String),
}

#[derive(Debug)]
struct Inner {
    answer: Answer,
    messages: VecDeque<String>,
    /// What was received last.
    received: VecDeque<String>,
    /// What there is no end of.
    flood: Vec<String>,
}

/// A queue that does as it is told.
#[derive(Clone, Debug)]
pub struct OwnQueue {
    address: String,
    inner: Arc<(Mutex<Inner>, Condvar)>,
}

impl OwnQueue {
    pub fn start(answer: Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let inner = Inner { answer, messages: VecDeque::new(), received: VecDeque::new(), flood: Vec::new() };
        let queue = Self { address, inner: Arc::new((Mutex::new(inner), Condvar::new())) };
        let serving = queue.clone();
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let (serving, client) = (serving.clone(), client.unwrap());
                std::thread::spawn(move || serving.serve(client));
            }
        });
        queue
    }

    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn send(&self, body: &str) {
        self.change(|inner| inner.messages.push_back(body.to_owned()));
    }

    /// From now on there are always ten messages of these bodies.
    pub fn flood(&self, bodies: &[String]) {
        self.change(|inner| inner.flood = bodies.to_vec());
    }

    pub fn answer(&self, answer: Answer) {
        self.change(|inner| inner.answer = answer);
    }

    fn change(&self, change: impl FnOnce(&mut Inner)) {
        change(&mut self.inner.0.lock().unwrap());
        self.inner.1.notify_all();
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
                length = line.strip_prefix("content-length: ").map_or(length, |n| n.parse().unwrap());
            }
            let mut body = vec![0; length];
            if reader.read_exact(&mut body).is_err() {
                return;
            }
            let (status, text) = self.reply(&head, &serde_json::from_slice(&body).unwrap());
            let reply = format!(
                "HTTP/1.1 {status} x\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: {}\r\n\r\n{text}",
                text.len()
            );
            if reader.get_mut().write_all(reply.as_bytes()).is_err() {
                return;
            }
        }
    }

    fn reply(&self, head: &str, asked: &Value) -> (u16, String) {
        assert_eq!(asked["QueueUrl"], URL, "the queue that is asked for");
        assert!(head.contains("/us-east-1/sqs/aws4_request"), "signed for the queue's region: {head}");
        let answer = self.inner.0.lock().unwrap().answer.clone();
        match answer {
            Answer::Refuse(status, code) => {
                (status, json!({ "__type": format!("com.amazonaws.sqs#{code}") }).to_string())
            }
            Answer::Raw(text) => (200, text),
            Answer::KeepAll if head.contains("DeleteMessageBatch") => {
                self.change(|inner| inner.messages.append(&mut inner.received.clone()));
                let failed = json!([{ "Id": "0", "SenderFault": true, "Code": "ReceiptHandleIsInvalid" }]);
                (200, json!({ "Failed": failed }).to_string())
            }
            Answer::Serve if head.contains("DeleteMessageBatch") => (200, r#"{"Successful":[]}"#.to_owned()),
            Answer::Serve | Answer::KeepAll => (200, self.messages().to_string()),
        }
    }

    /// Up to ten messages, for which it waits a second.
    fn messages(&self) -> Value {
        let (lock, arrival) = &*self.inner;
        let is_idle = |inner: &mut Inner| inner.messages.is_empty() && inner.flood.is_empty();
        let (mut inner, _) = arrival.wait_timeout_while(lock.lock().unwrap(), Duration::from_secs(1), is_idle).unwrap();
        let flood: Vec<_> = inner.flood.iter().cycle().take(10).cloned().collect();
        let few = inner.messages.len().min(10);
        let waiting: Vec<_> = inner.messages.drain(..few).collect();
        inner.received = waiting.iter().cloned().collect();
        let all = if flood.is_empty() { waiting } else { flood };
        if all.is_empty() {
            return json!({});
        }
        let message =
            |(n, body)| json!({ "MessageId": format!("m{n}"), "ReceiptHandle": format!("r{n}"), "Body": body });
        json!({ "Messages": all.into_iter().enumerate().map(message).collect::<Vec<_>>() })
    }
}
