//! The crate `iam-rs`, and what has to be told to it in other words than to AWS.
//!
//! It evaluates all policies as one list and has no permissions boundary, so a user with one is
//! two questions: what both allow is allowed (IAM User Guide, "Permissions boundaries for IAM
//! entities"). Each other difference from AWS is a function here, with AWS's page that settles
//! it, and a test at the end that fails once `iam-rs` does as AWS does.

use iam_rs::{
    Arn, Context as Values, ContextValue, Decision, IAMPolicy, IAMRequest, PolicyEvaluator, Principal, PrincipalId,
};
use serde_json::{Map, Value, json};

use super::{Documents, calls::Call};

/// What an operator of another type than the key is taken for, and what several truth values:
/// AWS's documentation does not settle it, so what is said of a user must hold in each reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// They are not comparable, which is what a negated operator asks for. So has `iam-rs` it.
    NotComparable,
    /// The key is a text. So has `iam-simulate` it.
    Text,
    /// "The match always fails and the policy statement never applies": Amazon Neptune User Guide,
    /// <https://docs.aws.amazon.com/neptune/latest/userguide/security-iam-access-manage.html>.
    Never,
}

/// A user's policies in one reading.
pub(super) struct Reader {
    pub(super) reading: Reading,
    told: Documents,
    identity: PolicyEvaluator,
    boundary: Option<PolicyEvaluator>,
    more: Values,
}

// === impl Reader ===

impl Reader {
    /// One for each reading that makes a difference to these documents; the first is that of
    /// `iam-rs`.
    pub(super) fn of_each_reading(documents: &Documents, more: &Value) -> Vec<Self> {
        let mut all: Vec<Self> = Vec::new();
        for reading in [Reading::NotComparable, Reading::Text, Reading::Never] {
            let told = [0, 1].map(|at: usize| documents[at].iter().map(|document| told(document, reading)).collect());
            if !all.iter().any(|known| known.told == told) {
                all.push(Self::new(reading, told, more));
            }
        }
        all
    }

    fn new(reading: Reading, told: Documents, more: &Value) -> Self {
        let evaluator = |documents: &[Value]| PolicyEvaluator::with_policies(documents.iter().map(policy).collect());
        let boundary = (!told[1].is_empty()).then(|| evaluator(&told[1]));
        let mut values = Values::new().with_string("aws:username", "alice").with_boolean("aws:ViaAWSService", false);
        for (key, value) in more.as_object().unwrap() {
            values.insert(key.clone(), ContextValue::String(value.as_str().unwrap().to_owned()));
        }
        values = values.with_string(as_text("aws:ViaAWSService"), "false");
        Self { reading, identity: evaluator(&told[0]), boundary, told, more: values }
    }

    /// Whether the call is allowed, with the key `aws:MultiFactorAuthPresent` of a session of the
    /// console, or without it, as a long-term access key calls.
    pub(super) fn allows(&self, call: &Call, context: &str) -> bool {
        let mut values = self.more.clone();
        if context == "console" {
            values = values.with_boolean("aws:MultiFactorAuthPresent", false);
            values = values.with_string(as_text("aws:MultiFactorAuthPresent"), "false");
        }
        let user = Principal::Aws(PrincipalId::String("arn:aws:iam::123456789012:user/alice".to_owned()));
        let request = IAMRequest::new_with_context(user, call.action.clone(), resource(call), values);
        let allows = |policies: &PolicyEvaluator| policies.evaluate(&request).unwrap().decision == Decision::Allow;
        allows(&self.identity) && self.boundary.as_ref().is_none_or(allows)
    }
}

fn policy(document: &Value) -> IAMPolicy {
    serde_json::from_value(document.clone()).unwrap_or_else(|error| panic!("{error}: {document}"))
}

// === what is told in other words ===

/// `iam-rs` asks for an ARN, also where an action is about no single resource, and only `*` is a
/// resource of it: this one is of a service that no policy names. Service Authorization
/// Reference, "The actions table": "you must specify all resources".
/// <https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html>
fn resource(call: &Call) -> Arn {
    Arn::parse(call.resource.unwrap_or("arn:aws:none:::none")).unwrap()
}

fn told(document: &Value, reading: Reading) -> Value {
    let mut document = document.clone();
    let without_variables = document["Version"] == "2008-10-17";
    let statements = match &mut document["Statement"] {
        Value::Array(many) => many.iter_mut().collect(),
        one => vec![one],
    };
    for statement in statements {
        if let Some(conditions) = statement.get_mut("Condition") {
            *conditions = told_conditions(conditions, reading);
        }
        for element in ["Resource", "NotResource"].into_iter().filter(|_| without_variables) {
            statement.get_mut(element).into_iter().for_each(literal);
        }
    }
    document
}

/// `iam-rs` replaces variables whatever the version. IAM User Guide, "IAM policy elements:
/// Variables and tags": without `2012-10-17` "variables like `${aws:username}` are treated as
/// literal strings". <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html>
fn literal(resources: &mut Value) {
    match resources {
        Value::Array(many) => many.iter_mut().for_each(literal),
        one => *one = json!(one.as_str().unwrap().replace("${", "$(")),
    }
}

fn told_conditions(conditions: &Value, reading: Reading) -> Value {
    let mut all = Map::new();
    for (operator, keys) in conditions.as_object().unwrap() {
        for (key, values) in keys.as_object().unwrap() {
            let operator = spelt(operator);
            let (operator, key, values) = match in_reading(operator, key, values, reading) {
                Read::As(operator, key, values) => (operator, key, values),
                Read::Always => continue,
                Read::Never => ("Bool", "test:absent".to_owned(), json!(true)),
            };
            put(all.entry(operator).or_insert_with(|| json!({})).as_object_mut().unwrap(), key, values);
        }
    }
    Value::Object(all)
}

/// A condition as it is told.
enum Read {
    As(&'static str, String, Value),
    Always,
    Never,
}

fn in_reading(operator: &'static str, key: &str, values: &Value, reading: Reading) -> Read {
    let is_several = values.as_array().is_some_and(|values| values.len() > 1);
    let is_of_truth = ["aws:MultiFactorAuthPresent", "aws:ViaAWSService"].iter().any(|of| key.eq_ignore_ascii_case(of));
    let is_text = operator.starts_with("String");
    let is_unsettled = match operator {
        "Null" => is_several,
        _ => is_of_truth && (is_text || is_several),
    };
    match operator {
        _ if is_unsettled && reading == Reading::Never => Read::Never,
        // Values are alternatives, and one of the two is met: `iam-rs` reads the first alone, or
        // has no list of truth values.
        "Null" | "ForAllValues:Bool" if is_several => Read::Always,
        "ForAnyValue:Bool" if is_several => Read::As("Null", key.to_owned(), json!(false)),
        "ForAllValues:Bool" | "ForAnyValue:Bool" => Read::As(operator, key.to_owned(), truth(values)),
        _ if is_text && is_unsettled && reading == Reading::Text => Read::As(operator, as_text(key), texts(values)),
        _ if is_text => Read::As(operator, key.to_owned(), texts(values)),
        _ => Read::As(operator, key.to_owned(), values.clone()),
    }
}

/// A key of our own with the same value as a text.
fn as_text(key: &str) -> String {
    format!("text:{}", key.to_ascii_lowercase())
}

/// `iam-rs` knows operators by one spelling alone. AWS's pages do not say that capitals make a
/// difference, and IAM keeps no policy with an operator that it does not know, so that one
/// which it keeps is that operator.
fn spelt(operator: &str) -> &'static str {
    const OPERATORS: [&str; 20] = [
        "Bool",
        "BoolIfExists",
        "ForAllValues:Bool",
        "ForAnyValue:Bool",
        "IpAddress",
        "NotIpAddress",
        "Null",
        "NumericEquals",
        "NumericGreaterThan",
        "NumericGreaterThanIfExists",
        "NumericLessThan",
        "NumericLessThanEqualsIfExists",
        "NumericNotEquals",
        "StringEquals",
        "StringEqualsIfExists",
        "StringLike",
        "StringNotEquals",
        "StringNotEqualsIfExists",
        "StringNotEqualsIgnoreCase",
        "StringNotLike",
    ];
    let known = OPERATORS.iter().find(|known| known.eq_ignore_ascii_case(operator));
    known.unwrap_or_else(|| panic!("{operator}: how is it spelt?"))
}

/// `iam-rs` wants a truth value in quotes for operators of texts, and one without for
/// `ForAllValues:Bool`. IAM User Guide, "Grammar of the IAM JSON policy language": "Quotation
/// marks are optional for numeric and Boolean values."
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html>
fn texts(values: &Value) -> Value {
    values.as_bool().map_or_else(|| values.clone(), |value| json!(value.to_string()))
}

fn truth(values: &Value) -> Value {
    let one = values.as_array().map_or(values, |values| &values[0]);
    one.as_str().map_or_else(|| one.clone(), |text| json!(text == "true"))
}

/// An operator that stands twice, in different capitals, is one to `iam-rs`. Both must be met, as
/// of any two operators; so the key is spelt as it was not yet, which is the same key (IAM User
/// Guide, "IAM JSON policy elements: Condition": "Context key names are not case-sensitive").
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition.html>
fn put(keys: &mut Map<String, Value>, key: String, values: Value) {
    let (upper, lower) = (key.to_uppercase(), key.to_lowercase());
    let free = [key, upper, lower].into_iter().find(|key| !keys.contains_key(key)).unwrap();
    keys.insert(free, values);
}

// === what iam-rs does of itself ===

fn untold(resource: &str, version: &str, condition: Value) -> Result<Decision, String> {
    let statement = json!({"Effect": "Deny", "Action": "*", "Resource": resource, "Condition": condition});
    let document = json!({"Version": version, "Statement": statement});
    let policy: IAMPolicy = serde_json::from_value(document).map_err(|error| error.to_string())?;
    let user = "arn:aws:iam::123456789012:user/alice";
    let values = Values::new().with_string("aws:username", "alice").with_boolean("aws:MultiFactorAuthPresent", false);
    let principal = Principal::Aws(PrincipalId::String(user.to_owned()));
    let request = IAMRequest::new_with_context(principal, "iam:GetUser", Arn::parse(user).unwrap(), values);
    iam_rs::evaluate_policy(&policy, &request).map_err(|error| error.to_string())
}

/// A difference that is gone need not be told in other words any more.
#[test]
fn what_is_told_in_other_words_iam_rs_does_not_understand() {
    let with = |condition: Value| untold("*", "2012-10-17", condition);
    let present = |operator: &str, values: Value| json!({operator: {"AWS:multifactorauthpresent": values}});
    assert_eq!(with(present("BoolIfExists", json!("false"))), Ok(Decision::Deny), "it denies");
    assert!(with(present("boolifexists", json!("false"))).is_err(), "capitals of an operator");
    assert!(with(present("StringNotEquals", json!(true))).is_err(), "a truth value for a text");
    assert!(with(present("ForAllValues:Bool", json!("false"))).is_err(), "a text for a truth value");
    assert!(with(present("ForAllValues:Bool", json!([false]))).is_err(), "a list of truth values");
    assert_eq!(with(present("Null", json!(["true", "false"]))), Ok(Decision::NotApplicable), "the first alone");
    let own = "arn:aws:iam::*:user/${aws:username}";
    assert_eq!(untold(own, "2008-10-17", json!({})), Ok(Decision::Deny), "a variable before there were any");
    assert!(Arn::parse("*").is_err(), "a resource that is none");
}

#[test]
fn an_operator_of_another_type_than_the_key_is_read_in_three_ways() {
    let document =
        super::super::deny_but("\"iam:GetUser\"", r#"{"StringNotEquals":{"aws:MultiFactorAuthPresent":"false"}}"#);
    let documents = [vec![serde_json::from_str(&document).unwrap()], Vec::new()];
    let readers = Reader::of_each_reading(&documents, &json!({}));
    let said: Vec<_> =
        readers.iter().map(|reader| (reader.reading, reader.allows(&super::session(), "console"))).collect();
    assert_eq!(said, [(Reading::NotComparable, false), (Reading::Text, true), (Reading::Never, true)]);
    let plain = Reader::of_each_reading(
        &[vec![serde_json::from_str(&super::super::canonical()).unwrap()], Vec::new()],
        &json!({}),
    );
    assert_eq!(plain.len(), 1, "nothing to be read in several ways");
}
