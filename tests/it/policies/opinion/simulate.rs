//! The npm package `@cloud-copilot/iam-simulate`, in a process of its own.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::PathBuf,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use serde_json::{Value, json};

use super::{
    Documents,
    calls::{Call, probes, session},
};

pub(super) struct Simulator {
    process: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
}

/// What a user is tried by.
pub(super) struct Question<'a> {
    /// The contexts of which all calls are tried.
    pub(super) all: &'a [&'static str],
    /// Those that are left at the first call that is allowed.
    pub(super) some: &'a [&'static str],
    pub(super) calls: Vec<Call>,
}

impl Question<'_> {
    /// The calls whose answer is known in this context.
    pub(super) fn known<'a>(&'a self, context: &'a str, answer: &'a Value) -> impl Iterator<Item = (&'a Call, bool)> {
        let allowed: Vec<_> =
            answer[context].as_array().unwrap().iter().map(|action| action.as_str().unwrap()).collect();
        let first = self.calls.iter().position(|call| allowed.contains(&call.action.as_str()));
        let tried = match first {
            _ if self.all.contains(&context) => self.calls.len(),
            Some(first) if self.some.contains(&context) => first + 1,
            None if self.some.contains(&context) => self.calls.len(),
            _ => 0,
        };
        self.calls[..tried].iter().map(move |call| (call, allowed.contains(&call.action.as_str())))
    }
}

impl Simulator {
    pub(super) fn start() -> Self {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let modules = std::env::var_os("TEST_NODE_MODULES")
            .map_or_else(|| root.join("target/test-npm/node_modules"), PathBuf::from);
        assert!(
            modules.join("@cloud-copilot/iam-simulate").is_dir(),
            "{}: no evaluator; tests/run installs it",
            modules.display()
        );
        let mut process = Command::new("node")
            .arg(root.join("tests/iam-simulate/opinion.cjs"))
            .env("TEST_NODE_MODULES", modules)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("node runs");
        let (questions, answers) = (process.stdin.take().unwrap(), BufReader::new(process.stdout.take().unwrap()));
        Self { process, questions, answers }
    }

    /// The actions that are allowed in each context.
    pub(super) fn ask(&mut self, [identity, boundary]: &Documents, more: &Value, question: &Question<'_>) -> Value {
        let calls = question.calls.iter().map(|call| json!([call.action, call.resource.unwrap_or("*")]));
        let actions: Vec<_> = calls.collect();
        let (all, some) = (question.all, question.some);
        let question = json!({"identity": identity, "boundary": boundary, "more": more, "actions": actions, "all": all, "some": some});
        writeln!(self.questions, "{question}").unwrap();
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }

    /// Whether an access key is let do something, or gets a session, which is.
    pub(super) fn is_key_open(&mut self, documents: &Documents, more: &Value) -> bool {
        let calls = probes().into_iter().chain([session()]).collect();
        self.ask(documents, more, &Question { all: &[], some: &["key"], calls })["key"] != json!([])
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
