//! The rule against an evaluator of IAM policies that others wrote: random users, groups,
//! policies and boundaries, and whether each call is denied.
//!
//! The evaluator is the npm package `@cloud-copilot/iam-simulate`, in a process of its own. A
//! user who is said to be bound must be denied every probe in that context; one who is not,
//! allowed at least one, where a policy allows everything. Nothing is said of `unknown`.
//! `POLICY_CASES` sets the number of users; `tests/run` has fewer than what was once run.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Write as _},
    path::PathBuf,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::Duration,
};

use aws_mfa_exporter::{
    collect::{
        changes::SharedChanges,
        iam::{
            DevicePage, Iam,
            details::{DetailsPage, GroupDetail, ManagedPolicy, OwnPolicies, UserDetail},
        },
        policies::{PageSize, Policies, collect},
    },
    model::{
        facts::{Fault, Summary, policies::Enforcement},
        judge::policies::{PROBES, SAFE},
        snapshot::News,
        time::{Moment, Timestamp, Uptime},
    },
};
use proptest::{
    prelude::*,
    sample::{select, subsequence},
    strategy::ValueTree as _,
    test_runner::TestRunner,
};
use serde_json::{Value, json};

use crate::support::at_once;

const ALLOW: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;
const USERS: usize = 4;

// === documents ===

/// A value of a condition as people write it: a text or a truth value, alone or in a list.
fn truth() -> impl Strategy<Value = Value> {
    prop_oneof![
        4 => Just(json!("false")), 1 => Just(json!(false)), 1 => Just(json!(["false"])),
        1 => Just(json!("true")), 1 => Just(json!(true)), 1 => Just(json!(["true", "false"])),
    ]
}

/// A name in other capitals, which is the same to IAM.
fn cased(name: &'static str) -> impl Strategy<Value = String> {
    prop_oneof![8 => Just(name.to_owned()), 1 => Just(name.to_lowercase()), 1 => Just(name.to_uppercase())]
}

/// One operator with one key.
fn condition() -> impl Strategy<Value = (String, String, Value)> {
    let with = |operator: &'static str, key: &'static str, value: BoxedStrategy<Value>| {
        (cased(operator), cased(key), value).boxed()
    };
    let present = move |operator| with(operator, "aws:MultiFactorAuthPresent", truth().boxed());
    let age = move |operator| with(operator, "aws:MultiFactorAuthAge", select(vec![json!("3600"), json!("0")]).boxed());
    let fixed = |operator, key, value| with(operator, key, Just(json!(value)).boxed());
    prop_oneof![
        12 => present("BoolIfExists"),
        6 => present("Bool"),
        4 => present("Null"),
        2 => with("Null", "aws:MultiFactorAuthAge", truth().boxed()),
        2 => select(vec!["StringNotEquals", "StringNotEqualsIfExists", "StringEquals", "StringEqualsIfExists", "StringNotLike", "StringLike", "StringNotEqualsIgnoreCase"]).prop_flat_map(present),
        2 => select(vec!["NumericGreaterThan", "NumericGreaterThanIfExists", "NumericLessThan", "NumericLessThanEqualsIfExists", "NumericNotEquals", "NumericEquals"]).prop_flat_map(age),
        1 => select(vec!["ForAllValues:Bool", "ForAnyValue:Bool"]).prop_flat_map(present),
        1 => with("Bool", "aws:ViaAWSService", truth().boxed()),
        1 => fixed("NotIpAddress", "aws:SourceIp", "192.0.2.0/24"),
        1 => fixed("IpAddress", "aws:SourceIp", "192.0.2.0/24"),
        1 => fixed("StringNotEqualsIfExists", "aws:PrincipalTag/mfa", "none"),
        1 => fixed("StringEquals", "aws:PrincipalTag/mfa", "none"),
    ]
}

fn conditions() -> impl Strategy<Value = Value> {
    let more = prop_oneof![2 => Just(0_usize), 12 => Just(1), 3 => Just(2)];
    more.prop_flat_map(|count| proptest::collection::vec(condition(), count)).prop_map(|all| {
        let mut block: BTreeMap<String, BTreeMap<String, Value>> = BTreeMap::new();
        for (operator, key, value) in all {
            block.entry(operator).or_default().insert(key, value);
        }
        json!(block)
    })
}

/// `NotAction` or `Action`: what may be exempted, mostly, and now and then a hole.
fn actions() -> impl Strategy<Value = (&'static str, Value)> {
    let holes: Vec<String> = PROBES.iter().map(|probe| probe.action.to_owned()).collect();
    let hole = prop_oneof![
        select(holes),
        select(vec!["iam:*", "sts:*", "iam:Create*", "iam:List*", "s3:*", "iam:*MFADevice", "*", "iam:GetUse?"])
            .prop_map(str::to_owned),
    ];
    let exempted = (subsequence(SAFE.to_vec(), 0..SAFE.len()), proptest::collection::vec(hole.clone(), 0..2), 0..3_u8);
    let exempted = exempted.prop_map(|(safe, holes, luck)| {
        let holes = holes.into_iter().filter(|_| luck == 0);
        let all: Vec<String> = safe.into_iter().map(str::to_owned).chain(holes).collect();
        if all.is_empty() { json!("iam:EnableMFADevice") } else { json!(all) }
    });
    prop_oneof![
        8 => exempted.prop_map(|exempted| ("NotAction", exempted)),
        2 => select(vec![json!("*"), json!(["*"]), json!(["iam:GetUser", "*"])]).prop_map(|all| ("Action", all)),
        1 => hole.prop_map(|one| ("Action", json!([one]))),
        1 => Just(("Action", json!(["iam:*", "sts:*", "s3:*", "ec2:*"]))),
    ]
}

fn resources() -> impl Strategy<Value = (&'static str, Value)> {
    prop_oneof![
        14 => Just(("Resource", json!("*"))),
        2 => Just(("Resource", json!(["arn:aws:s3:::bucket", "*"]))),
        1 => Just(("Resource", json!("arn:aws:iam::123456789012:user/*"))),
        1 => Just(("Resource", json!(["arn:aws:s3:::*", "arn:aws:iam::*:user/${aws:username}"]))),
        1 => Just(("NotResource", json!("arn:aws:s3:::other"))),
    ]
}

fn statement() -> impl Strategy<Value = Value> {
    let effect = prop_oneof![5 => Just("Deny"), 1 => Just("Allow")];
    (effect, actions(), resources(), conditions()).prop_map(
        |(effect, (actions, names), (resource, arns), conditions)| {
            let mut statement = json!({"Effect": effect, actions: names, resource: arns});
            if conditions.as_object().is_some_and(|block| !block.is_empty()) || effect == "Deny" {
                statement["Condition"] = conditions;
            }
            statement
        },
    )
}

fn document() -> impl Strategy<Value = String> {
    let version = select(vec!["2012-10-17", "2008-10-17"]);
    (version, proptest::collection::vec(statement(), 1..3)).prop_map(|(version, statements)| {
        let statements = if statements.len() == 1 { statements[0].clone() } else { json!(statements) };
        json!({"Version": version, "Statement": statements}).to_string()
    })
}

// === accounts ===

/// Which policies a user or a group has: documents of its own, and managed ones by number.
type Own = (Vec<String>, Vec<usize>);

/// An account: managed policies, groups, and users with groups and a boundary.
#[derive(Clone, Debug)]
struct World {
    managed: Vec<String>,
    groups: Vec<Own>,
    users: Vec<(Own, Vec<usize>, Option<usize>)>,
    /// What else is in a request.
    more: Value,
}

fn own() -> impl Strategy<Value = Own> {
    let many = prop_oneof![4 => Just(0_usize), 3 => Just(1), 1 => Just(2)];
    let inline = many.clone().prop_flat_map(|count| proptest::collection::vec(document(), count));
    (inline, many.prop_flat_map(|count| proptest::collection::vec(0..3_usize, count)))
}

fn world() -> impl Strategy<Value = World> {
    let user = (own(), proptest::collection::vec(0..2_usize, 0..2), proptest::option::weighted(0.2, 0..3_usize));
    let more = select(vec![
        json!({"aws:SourceIp": "192.0.2.7", "aws:PrincipalTag/mfa": "none"}),
        json!({"aws:SourceIp": "198.51.100.7"}),
    ]);
    let managed = proptest::collection::vec(document(), 3);
    (managed, proptest::collection::vec(own(), 2), proptest::collection::vec(user, USERS), more)
        .prop_map(|(managed, groups, users, more)| World { managed, groups, users, more })
}

fn arn(policy: usize) -> String {
    format!("arn:aws:iam::123456789012:policy/p{policy}")
}

impl World {
    fn page(&self) -> DetailsPage {
        let encode = |text: &String| text.replace('%', "%25").replace('"', "%22");
        let own = |(inline, attached): &Own| OwnPolicies {
            inline: inline.iter().map(encode).collect(),
            attached: attached.iter().map(|number| arn(*number)).collect(),
        };
        let managed = self.managed.iter().enumerate();
        let groups = self.groups.iter().enumerate();
        let users = self.users.iter().enumerate();
        DetailsPage {
            users: users
                .map(|(number, (policies, groups, boundary))| UserDetail {
                    id: format!("AIDA{number}").as_str().into(),
                    own: own(policies),
                    groups: groups.iter().map(|group| format!("g{group}")).collect(),
                    boundary: boundary.map(arn),
                })
                .collect(),
            groups: groups.map(|(n, group)| GroupDetail { name: format!("g{n}"), own: own(group) }).collect(),
            policies: managed.map(|(n, text)| ManagedPolicy { arn: arn(n), document: encode(text) }).collect(),
            next: None,
        }
    }

    /// All documents that a user has, one that allows everything among them, and those of the
    /// boundary. A boundary that allows nothing would deny everything, MFA or not.
    fn documents(&self, user: usize) -> [Vec<Value>; 2] {
        let (own, groups, boundary) = &self.users[user];
        let read = |text: &String| serde_json::from_str::<Value>(text).unwrap();
        let mut identity = vec![serde_json::from_str(ALLOW).unwrap()];
        for (inline, attached) in std::iter::once(own).chain(groups.iter().map(|group| &self.groups[*group])) {
            identity.extend(inline.iter().map(read));
            identity.extend(attached.iter().map(|number| read(&self.managed[*number])));
        }
        let bounded = boundary.map(|number| {
            let mut document = read(&self.managed[number]);
            let allow = json!({"Effect": "Allow", "Action": "*", "Resource": "*"});
            let statements = document["Statement"].take();
            let mut all = statements.as_array().cloned().unwrap_or_else(|| vec![statements]);
            all.push(allow);
            document["Statement"] = json!(all);
            document
        });
        [identity, bounded.into_iter().collect()]
    }

    /// What the collector finds of each user.
    fn enforcement(&self) -> Vec<Enforcement> {
        let (finding, _) = at_once(collect(self, None, &SharedChanges::default()));
        let News::Policies(reading) = finding.news else { panic!("{finding:?}") };
        assert_eq!(finding.fault, None, "{self:?}");
        (0..USERS).map(|number| reading.of(&format!("AIDA{number}").as_str().into()).unwrap()).collect()
    }
}

impl Iam for World {
    fn now(&self) -> Moment {
        Moment { wall: Timestamp::default(), mono: Uptime::default() }
    }

    async fn summary(&self) -> Result<Summary, Fault> {
        let none = Some(false);
        Ok(Summary {
            mfa_enabled: none,
            password: none,
            access_keys: none,
            signing_certificates: none,
            users: Some(u32::try_from(USERS).unwrap()),
            mfa_devices: Some(0),
            mfa_devices_in_use: Some(0),
        })
    }

    async fn assigned_devices(&self, _: Option<String>) -> Result<DevicePage, Fault> {
        unreachable!("nobody asks for devices")
    }

    async fn pause(&self, _: Duration) {}
}

impl Policies for World {
    async fn authorization_details(&self, _: PageSize, _: Option<String>) -> Result<DetailsPage, Fault> {
        Ok(self.page())
    }
}

// === the evaluator ===

struct Evaluator {
    process: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Evaluator {
    fn start() -> Self {
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

    /// The actions that are allowed in each context, all of them in those of `all`, and one
    /// at least in those of `some`.
    fn ask(&mut self, documents: &[Vec<Value>; 2], more: &Value, all: &[&str], some: &[&str], from: usize) -> Value {
        let count = if some.is_empty() { 40 } else { PROBES.len() };
        let probes = PROBES.iter().cycle().skip(from % PROBES.len()).take(count);
        let actions = probes.map(|probe| json!([probe.action, probe.is_account_wide])).collect();
        self.ask_of(documents, more, all, some, actions)
    }

    /// Whether an access key is let do something, or gets a session, which is.
    fn is_key_open(&mut self, documents: &[Vec<Value>; 2], more: &Value) -> bool {
        let mut actions: Vec<_> = PROBES.iter().map(|probe| json!([probe.action, probe.is_account_wide])).collect();
        actions.push(json!(["sts:getsessiontoken", true]));
        self.ask_of(documents, more, &[], &["key"], actions)["key"] != json!([])
    }

    fn ask_of(
        &mut self,
        [identity, boundary]: &[Vec<Value>; 2],
        more: &Value,
        all: &[&str],
        some: &[&str],
        actions: Vec<Value>,
    ) -> Value {
        let question = json!({"identity": identity, "boundary": boundary, "more": more, "actions": actions, "all": all, "some": some});
        writeln!(self.questions, "{question}").unwrap();
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }
}

impl Drop for Evaluator {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// In which contexts everything is denied, and in which something is allowed.
const fn claims(enforcement: Enforcement) -> Option<(&'static [&'static str], &'static [&'static str])> {
    Some(match enforcement {
        Enforcement::Full => (&["console", "key"], &[]),
        Enforcement::ConsoleOnly => (&["console"], &["key"]),
        Enforcement::KeysOnly => (&["key"], &["console"]),
        Enforcement::None => (&[], &["console"]),
        Enforcement::Unknown => return None,
    })
}

fn check(evaluator: &mut Evaluator, world: &World, user: usize, enforcement: Enforcement, case: usize) -> bool {
    let Some((all, some)) = claims(enforcement) else { return true };
    let documents = world.documents(user);
    let said = evaluator.ask(&documents, &world.more, all, some, case);
    if let Some(error) = said.get("error") {
        // AWS would not keep such a document.
        eprintln!("no opinion: {error}");
        return false;
    }
    let allowed = |context: &str| said[context].as_array().unwrap().len();
    let told = || format!("{enforcement:?}: {said}\n{}", json!(documents));
    assert!(all.iter().all(|context| allowed(context) == 0), "something is allowed: {}", told());
    assert!(some.iter().all(|context| allowed(context) > 0), "nothing is allowed: {}", told());
    let is_open = enforcement != Enforcement::None || evaluator.is_key_open(&documents, &world.more);
    assert!(is_open, "a key is bound: {}", told());
    true
}

#[test]
fn nobody_is_bound_or_open_against_the_opinion_of_others() {
    let cases: usize = std::env::var("POLICY_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(800);
    let (mut evaluator, mut runner) = (Evaluator::start(), TestRunner::deterministic());
    let worlds = world();
    let (mut counts, mut refused, mut case) = (BTreeMap::<&str, usize>::new(), 0, 0);
    while case < cases {
        let world = worlds.new_tree(&mut runner).unwrap().current();
        for (user, enforcement) in world.enforcement().into_iter().enumerate() {
            *counts.entry(enforcement.as_str()).or_default() += 1;
            refused += usize::from(!check(&mut evaluator, &world, user, enforcement, case));
            case += 1;
        }
    }
    eprintln!("{case} users: {counts:?}, {refused} without an opinion");
    assert!(refused * 50 < case, "{refused} of {case} documents are refused");
    for kind in Enforcement::ALL {
        assert!(counts.get(kind.as_str()).is_some_and(|count| count * 200 > case), "{}: {counts:?}", kind.as_str());
    }
}

/// The evaluator is asked the right question: a user whom nothing binds is found to be open.
#[test]
fn the_evaluator_contradicts_who_says_what_is_not_so() {
    let mut evaluator = Evaluator::start();
    let holed =
        super::deny_but(r#"["iam:CreateAccessKey"]"#, r#"{"BoolIfExists":{"aws:MultiFactorAuthPresent":"false"}}"#);
    let read = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    let documents = [vec![read(&holed)], Vec::new()];
    let said = evaluator.ask(&documents, &json!({}), &["console", "key"], &["console"], 0);
    assert_eq!(said, json!({"console": ["iam:createaccesskey"], "key": ["iam:createaccesskey"]}));
    let documents = [vec![read(&super::canonical())], Vec::new()];
    assert_eq!(
        evaluator.ask(&documents, &json!({}), &["console", "key"], &["key"], 0),
        json!({"console": [], "key": []})
    );
}
