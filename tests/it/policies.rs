//! What policies enforce: documents one by one, the collector in the real binary and against
//! an account that changes, and an evaluator that others wrote.

mod binary;
mod documents;
mod opinion;
mod properties;

/// What AWS exempts in its own policy (IAM User Guide, "AWS: Allows MFA-authenticated IAM
/// users to manage their own credentials on the Security credentials page").
const BOOTSTRAP: &str = r#"["iam:CreateVirtualMFADevice","iam:EnableMFADevice","iam:GetUser","iam:GetMFADevice","iam:ListMFADevices","iam:ListVirtualMFADevices","iam:ResyncMFADevice","sts:GetSessionToken"]"#;

/// A document with one statement that denies all but these without MFA, by this condition.
fn deny_but(exempted: &str, condition: &str) -> String {
    format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Sid":"AllowAll","Effect":"Allow","Action":"*","Resource":"*"}},{{"Sid":"DenyAllExceptListedIfNoMFA","Effect":"Deny","NotAction":{exempted},"Resource":"*","Condition":{condition}}}]}}"#
    )
}

/// AWS's own policy.
fn canonical() -> String {
    deny_but(BOOTSTRAP, r#"{"BoolIfExists":{"aws:MultiFactorAuthPresent":"false"}}"#)
}
