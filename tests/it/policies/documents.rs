//! The rule, document by document: AWS's own policy, its weaker variants, and each known hole.

use aws_mfa_exporter::model::{
    facts::policies::Enforcement::{self, ConsoleOnly, Full, KeysOnly, None, Unknown},
    judge::policies::{Denies, PROBES, SAFE, enforcement},
};

use super::{BOOTSTRAP, canonical, deny_but};

fn of(documents: &[&str]) -> Enforcement {
    let read: Vec<_> = documents.iter().map(|text| Denies::of_document(text)).collect();
    let is_all = read.iter().all(Result::is_ok);
    let denies: Vec<_> = read.iter().filter_map(|read| read.as_ref().ok()).collect();
    enforcement(&denies, is_all)
}

fn statement(body: &str) -> String {
    format!(r#"{{"Version":"2012-10-17","Statement":{{{body}}}}}"#)
}

/// Denies everything, by this condition.
fn deny_all(condition: &str) -> String {
    statement(&format!(r#""Effect":"Deny","Action":"*","Resource":"*","Condition":{condition}"#))
}

const FALSE: &str = r#"{"BoolIfExists":{"aws:MultiFactorAuthPresent":"false"}}"#;

/// P1: AWS's own policy.
#[test]
fn the_policy_of_aws_is_full() {
    assert_eq!(of(&[&canonical()]), Full);
}

#[test]
fn without_any_deny_there_is_no_enforcement() {
    assert_eq!(of(&[]), None);
    assert_eq!(of(&[&statement(r#""Effect":"Allow","Action":"*","Resource":"*""#)]), None);
    // What allows only with MFA is undone by any other policy that allows.
    let allows = statement(
        r#""Effect":"Allow","Action":"*","Resource":"*","Condition":{"Bool":{"aws:MultiFactorAuthPresent":"true"}}"#,
    );
    assert_eq!(of(&[&allows]), None);
}

/// IAM User Guide, "AWS global condition context keys" and "Condition operators"; the table of
/// two evaluators is in agreement.
/// P2: it is one word that leaves keys open.
#[test]
fn each_condition_binds_whom_it_binds() {
    for (condition, wanted) in [
        (FALSE, Full),
        (r#"{"BoolIfExists":{"aws:MultiFactorAuthPresent":false}}"#, Full),
        (r#"{"BoolIfExists":{"aws:MultiFactorAuthPresent":["false"]}}"#, Full),
        (r#"{"boolifexists":{"AWS:multifactorauthpresent":"false"}}"#, Full),
        (r#"{"Bool":{"aws:MultiFactorAuthPresent":"false"}}"#, ConsoleOnly),
        (r#"{"Bool":{"aws:MultiFactorAuthPresent":false}}"#, ConsoleOnly),
        (r#"{"Null":{"aws:MultiFactorAuthPresent":"true"}}"#, KeysOnly),
        (r#"{"Null":{"aws:MultiFactorAuthPresent":true}}"#, KeysOnly),
        (r#"{"Null":{"aws:MultiFactorAuthAge":"true"}}"#, Full),
        (r#"{"NumericGreaterThanIfExists":{"aws:MultiFactorAuthAge":"3600"}}"#, Full),
        (r#"{"NumericGreaterThanIfExists":{"aws:MultiFactorAuthAge":3600}}"#, Full),
        (r#"{"NumericGreaterThan":{"aws:MultiFactorAuthAge":"3600"}}"#, None),
        // The wrong way round: it denies those with MFA, or those without the key.
        (r#"{"Bool":{"aws:MultiFactorAuthPresent":"true"}}"#, None),
        (r#"{"BoolIfExists":{"aws:MultiFactorAuthPresent":"true"}}"#, KeysOnly),
        (r#"{"Null":{"aws:MultiFactorAuthPresent":"false"}}"#, ConsoleOnly),
        (r#"{"Null":{"aws:MultiFactorAuthAge":"false"}}"#, None),
        // What nobody wrote with care: not certain, so not known.
        (r#"{"Null":{"aws:MultiFactorAuthPresent":["true","false"]}}"#, Unknown),
        (r#"{"BoolIfExists":{"aws:MultiFactorAuthPresent":"False"}}"#, Unknown),
        (r#"{"BoolIfExists":{"aws:MultiFactorAuthPresent":[]}}"#, Unknown),
        (r#"{"BoolIfExists":{"aws:MultiFactorAuthPresent":0}}"#, Unknown),
        (r#"{"BoolIfExists":{}}"#, Unknown),
        (r#"{"ForAllValues:Bool":{"aws:MultiFactorAuthPresent":"false"}}"#, Unknown),
        (r#"{"ForAnyValue:Bool":{"aws:MultiFactorAuthPresent":"false"}}"#, Unknown),
        (r#"{"NullIfExists":{"aws:MultiFactorAuthPresent":"true"}}"#, Unknown),
        (r#"{"BoolIfExist":{"aws:MultiFactorAuthPresent":"false"}}"#, Unknown),
        (r#"{"BoolIfExists":{"aws:MultiFactorAuthPresents":"false"}}"#, Unknown),
        // No condition at all: nothing can be done, with MFA or without.
        ("{}", Full),
    ] {
        assert_eq!(of(&[&deny_all(condition)]), wanted, "{condition}");
    }
}

/// "If you use a condition operator that is not compatible with that data type, the match
/// always fails and the policy statement never applies."
/// <https://docs.aws.amazon.com/neptune/latest/userguide/security-iam-access-manage.html>
///
/// "The `aws:MultiFactorAuthPresent` global condition key requires a condition operator with
/// the `Boolean` data type"; "when you provide multiple Boolean values, the condition match
/// might not return the results that you expect".
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/access-analyzer-reference-policy-checks.html>
///
/// Two evaluators that others wrote find the first three to be met.
#[test]
fn an_operator_of_another_type_than_the_key_and_several_truth_values_prove_nothing() {
    for (condition, wanted) in [
        (r#"{"StringNotEquals":{"aws:MultiFactorAuthPresent":"true"}}"#, Unknown),
        (r#"{"StringNotEqualsIfExists":{"aws:MultiFactorAuthPresent":"true"}}"#, Unknown),
        (r#"{"StringNotLike":{"aws:MultiFactorAuthPresent":"true"}}"#, Unknown),
        (r#"{"StringEqualsIfExists":{"aws:MultiFactorAuthPresent":"true"}}"#, Unknown),
        (r#"{"StringEquals":{"aws:MultiFactorAuthPresent":"false"}}"#, Unknown),
        (r#"{"StringLike":{"aws:MultiFactorAuthPresent":"f*"}}"#, Unknown),
        (r#"{"NumericNotEquals":{"aws:MultiFactorAuthPresent":"1"}}"#, Unknown),
        (r#"{"StringNotEquals":{"aws:MultiFactorAuthAge":"0"}}"#, Unknown),
        (r#"{"BoolIfExists":{"aws:MultiFactorAuthAge":"false"}}"#, Unknown),
        (r#"{"Bool":{"aws:MultiFactorAuthPresent":["true","false"]}}"#, Unknown),
        (r#"{"BoolIfExists":{"aws:MultiFactorAuthPresent":["false","true"]}}"#, Unknown),
        (r#"{"NumericGreaterThanIfExists":{"aws:MultiFactorAuthAge":"an hour"}}"#, Unknown),
        // None of these is met, whatever the rule is.
        (r#"{"StringEquals":{"aws:MultiFactorAuthPresent":"true"}}"#, None),
        (r#"{"StringEquals":{"aws:MultiFactorAuthAge":"0"}}"#, None),
    ] {
        assert_eq!(of(&[&deny_all(condition)]), wanted, "{condition}");
    }
}

/// P4: whatever narrows a deny leaves it open.
#[test]
fn a_further_condition_makes_it_uncertain_but_one_that_is_never_met_decides() {
    let and = |more: &str| deny_all(&format!(r#"{{"BoolIfExists":{{"aws:MultiFactorAuthPresent":"false"}},{more}}}"#));
    for (more, wanted) in [
        (r#""NotIpAddress":{"aws:SourceIp":"192.0.2.0/24"}"#, Unknown),
        (r#""StringNotEquals":{"aws:PrincipalTag/mfa":"no"}"#, Unknown),
        (r#""DateGreaterThan":{"aws:CurrentTime":"2020-01-01T00:00:00Z"}"#, Unknown),
        (r#""Bool":{"aws:ViaAWSService":"false"}"#, Full),
        (r#""boolIfExists":{"aws:ViaAWSService":"false"}"#, Full),
        // An operator that stands twice.
        (r#""BoolIfExists":{"aws:ViaAWSService":"false"}"#, Unknown),
        (r#""Bool":{"aws:ViaAWSService":"true"}"#, None),
        (r#""Null":{"aws:MultiFactorAuthAge":"false"}"#, None),
        (r#""Null":{"aws:MultiFactorAuthAge":"true"}"#, Full),
        (r#""Bool":{"aws:MultiFactorAuthPresent":"false"}"#, ConsoleOnly),
    ] {
        assert_eq!(of(&[&and(more)]), wanted, "{more}");
    }
    let two_keys = r#"{"BoolIfExists":{"aws:MultiFactorAuthPresent":"false","aws:SecureTransport":"true"}}"#;
    assert_eq!(of(&[&deny_all(two_keys)]), Unknown);
}

/// P3: the holes that are known.
#[test]
fn what_may_be_exempted_is_a_list_and_anything_more_is_a_hole() {
    let with = |more: &str| deny_but(&BOOTSTRAP.replace(']', &format!(",\"{more}\"]")), FALSE);
    for action in SAFE {
        assert_eq!(of(&[&with(action)]), Full, "{action}");
    }
    assert_eq!(of(&[&with("IAM:listUSERS")]), Full, "actions have no capitals");
    for probe in PROBES {
        assert_eq!(of(&[&with(probe.action)]), None, "{}", probe.action);
    }
    for hole in ["iam:*", "sts:*", "*", "iam:Create*", "iam:List*", "iam:Get*", "iam:*MFADevice", "s3:*", "iam:*Login*"]
    {
        assert_eq!(of(&[&with(hole)]), None, "{hole}");
    }
    // It exempts something, and nobody can say whether that is anything.
    for doubt in ["iam:ListMFADevices*", "iam:GetUser?", "workmail:*", "iam:NoSuchAction", "braket:CancelJob"] {
        assert_eq!(of(&[&with(doubt)]), Unknown, "{doubt}");
    }
    assert_eq!(of(&[&deny_but("\"sts:GetSessionToken\"", FALSE)]), Full, "one instead of a list");
}

/// The pages of AWS name these beside its policy.
/// P3: the holes that are known.
#[test]
fn the_variants_that_aws_names_are_what_they_are() {
    let with = |more: &str| deny_but(&BOOTSTRAP.replace(']', &format!("{more}]")), FALSE);
    assert_eq!(of(&[&with(r#","iam:ChangePassword","iam:GetAccountPasswordPolicy""#)]), Full);
    assert_eq!(of(&[&with(r#","iam:ListUsers""#)]), Full);
    assert_eq!(of(&[&with(r#","iam:UpdateLoginProfile""#)]), None);
    // The policy of 2017 that a user could turn against itself.
    assert_eq!(of(&[&with(r#","iam:DeactivateMFADevice""#)]), None);
}

#[test]
fn a_deny_on_some_resources_binds_nobody() {
    let on = |resource: &str| statement(&format!(r#""Effect":"Deny","Action":"*",{resource},"Condition":{FALSE}"#));
    assert_eq!(of(&[&on(r#""Resource":"*""#)]), Full);
    assert_eq!(of(&[&on(r#""Resource":["arn:aws:s3:::x","*"]"#)]), Full);
    for named in [r#""Resource":"arn:aws:s3:::*""#, r#""Resource":["arn:aws:s3:::x","arn:aws:iam::*:user/*"]"#] {
        assert_eq!(of(&[&on(named)]), None, "{named}");
    }
    for vague in [
        r#""Resource":"arn:*""#,
        r#""Resource":"arn:aws:*:::x""#,
        r#""Resource":"arn:*:s3:::x""#,
        r#""Resource":"**""#,
        r#""Resource":"?""#,
        r#""Resource":"${aws:username}""#,
        r#""NotResource":"arn:aws:s3:::x""#,
    ] {
        assert_eq!(of(&[&on(vague)]), Unknown, "{vague}");
    }
}

#[test]
fn a_list_of_actions_is_not_all_of_them() {
    let of_actions = |actions: &str| {
        of(&[&statement(&format!(r#""Effect":"Deny","Action":{actions},"Resource":"*","Condition":{FALSE}"#))])
    };
    assert_eq!(of_actions(r#"["*"]"#), Full);
    assert_eq!(of_actions(r#""*:*""#), Full);
    assert_eq!(of_actions(r#"["iam:*","s3:*","ec2:*"]"#), None);
    assert_eq!(
        of_actions(r#"["a*","c*","d*","e*","h*","i*","k*","l*","o*","r*","s*","t*"]"#),
        Unknown,
        "no proof, no witness"
    );
    assert_eq!(of_actions(r#""*s*""#), None);
}

/// Each covers one of the two ways; together they cover both.
/// P2: it is one word that leaves keys open.
#[test]
fn two_denies_make_what_one_does_not() {
    let console = deny_but(BOOTSTRAP, r#"{"Bool":{"aws:MultiFactorAuthPresent":"false"}}"#);
    let keys = deny_but(BOOTSTRAP, r#"{"Null":{"aws:MultiFactorAuthPresent":"true"}}"#);
    assert_eq!(of(&[&console]), ConsoleOnly);
    assert_eq!(of(&[&console, &keys]), Full);
    // Nothing undoes an explicit deny, and a hole in one is closed by another.
    let holed = deny_but(r#"["iam:*"]"#, FALSE);
    assert_eq!(of(&[&holed, &console, &keys]), Full);
    assert_eq!(of(&[&canonical(), "not a policy"]), Full);
    assert_eq!(of(&[&console, "not a policy"]), Unknown);
    assert_eq!(of(&["not a policy"]), Unknown);
    let misspelt = deny_but(BOOTSTRAP, r#"{"BoolIfExists":{"aws:MultiFactorAuthPresent":"False"}}"#);
    assert_eq!(of(&[&console, &misspelt]), Unknown);
    // Both have holes, and not the same.
    assert_eq!(of(&[&holed, &deny_but(r#"["s3:*"]"#, FALSE)]), Unknown);
}

/// A key that may call `sts:GetSessionToken` gets a session, which is a session without MFA:
/// one of the other kind.
/// P6: a session is a way round.
#[test]
fn a_key_that_gets_a_session_is_not_bound_where_sessions_are_not() {
    let null = r#"{"Null":{"aws:MultiFactorAuthPresent":"true"}}"#;
    assert_eq!(of(&[&deny_all(null)]), KeysOnly);
    assert_eq!(of(&[&deny_but(BOOTSTRAP, null)]), None);
    assert_eq!(of(&[&deny_but(r#"["iam:EnableMFADevice"]"#, null)]), KeysOnly);
    let uncertain = statement(
        r#""Effect":"Deny","Action":"sts:*","Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"192.0.2.1"}}"#,
    );
    assert_eq!(of(&[&deny_but(BOOTSTRAP, null), &uncertain]), Unknown);
}

#[test]
fn what_is_no_policy_by_its_grammar_is_not_read() {
    let good = r#""Effect":"Deny","Action":"*","Resource":"*""#;
    assert_eq!(of(&[&statement(good)]), Full);
    for bad in [
        r#""Effect":"deny","Action":"*","Resource":"*""#,
        r#""effect":"Deny","Action":"*","Resource":"*""#,
        r#""Effect":"Deny","Action":"*""#,
        r#""Effect":"Deny","Resource":"*""#,
        r#""Effect":"Deny","Action":"*","NotAction":"iam:*","Resource":"*""#,
        r#""Effect":"Deny","Action":"*","Resource":"*","NotResource":"*""#,
        r#""Effect":"Deny","Action":[],"Resource":"*""#,
        r#""Effect":"Deny","Action":"*","Resource":[]"#,
        r#""Effect":"Deny","Action":null,"Resource":"*""#,
        r#""Effect":"Deny","Action":"*","NotAction":null,"Resource":"*""#,
        r#""Effect":"Deny","Action":{"a":"*"},"Resource":"*""#,
        r#""Effect":"Deny","Action":"*","Resource":"*","Condition":null"#,
        r#""Effect":"Deny","Action":"*","Resource":"*","Condition":[]"#,
        r#""Effect":"Deny","Action":"*","Resource":"*","Condition":{"Bool":"false"}"#,
        r#""Effect":"Deny","Action":"*","Resource":"*","Principal":"*""#,
        r#""Effect":"Deny","Action":"*","Resource":"*","NotPrincipal":{"AWS":"*"}"#,
        r#""Effect":"Deny","Action":"*","Resource":"*","Effect":"Allow""#,
        r#""Effect":"Deny","Action":"*","Resource":"*","Condition":{"Null":{"aws:MultiFactorAuthAge":"true","aws:MultiFactorAuthAge":"false"}}"#,
        r#""Effect":"Deny","Action":"*","Resource":"*","Condition":{"Null":{"a:b":"true"},"Null":{"a:b":"true"}}"#,
        r#""Effect":"Deny","Action":"*","Resource":"*","Unknown":1"#,
    ] {
        assert_eq!(of(&[&statement(bad)]), Unknown, "{bad}");
    }
    for bad in [
        "",
        "{}",
        "[]",
        r#"{"Statement":[]}"#,
        r#"{"Version":"2012-10-18","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}"#,
        r#"{"Version":null,"Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}"#,
        r#"{"Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]} and more"#,
    ] {
        assert_eq!(of(&[bad]), Unknown, "{bad}");
    }
    assert_eq!(
        of(&[r#"{"Version":"2008-10-17","Id":"x","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}"#]),
        Full
    );
}

#[test]
fn documents_are_read_as_iam_sends_them() {
    let encoded: String = canonical().bytes().map(|byte| format!("%{byte:02X}")).collect();
    let denies = Denies::of_encoded(&encoded).unwrap();
    assert_eq!(enforcement(&[&denies], true), Full);
    assert!(Denies::of_encoded("%7B%22Version%").is_err());
    assert!(Denies::of_encoded("%FF").is_err());
}
