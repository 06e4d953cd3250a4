//! Random accounts: policies as people write them, and as nobody would.

use std::{collections::BTreeMap, time::Duration};

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
};
use serde_json::{Value, json};

use crate::support::at_once;

const ALLOW: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;
pub(super) const USERS: usize = 4;

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
pub(super) struct World {
    managed: Vec<String>,
    groups: Vec<Own>,
    users: Vec<(Own, Vec<usize>, Option<usize>)>,
    /// What else is in a request.
    pub(super) more: Value,
}

fn own() -> impl Strategy<Value = Own> {
    let many = prop_oneof![4 => Just(0_usize), 3 => Just(1), 1 => Just(2)];
    let inline = many.clone().prop_flat_map(|count| proptest::collection::vec(document(), count));
    (inline, many.prop_flat_map(|count| proptest::collection::vec(0..3_usize, count)))
}

pub(super) fn world() -> impl Strategy<Value = World> {
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
    pub(super) fn documents(&self, user: usize) -> [Vec<Value>; 2] {
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
    pub(super) fn enforcement(&self) -> Vec<Enforcement> {
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
