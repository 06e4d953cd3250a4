//! The calls by which both evaluators are tried.

use aws_mfa_exporter::model::judge::policies::{PROBES, Probe, SAFE};

/// An action, and the resource that it is about; `None` where it is about no single one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) action: String,
    pub(super) resource: Option<&'static str>,
}

/// What gets from an access key to a session.
pub(super) fn session() -> Call {
    Call { action: "sts:getsessiontoken".to_owned(), resource: None }
}

/// Every probe.
pub(super) fn probes() -> Vec<Call> {
    let of = |probe: &Probe| Call { action: probe.action.to_owned(), resource: resource(probe) };
    PROBES.iter().map(of).collect()
}

/// Actions that are spelled almost as those that may be exempted.
pub(super) fn beside_the_list() -> Vec<Call> {
    let near = |safe: &str| [safe[..safe.len() - 1].to_owned(), format!("{safe}s"), safe.replace(':', ":x")];
    let others = SAFE.iter().flat_map(|safe| near(safe)).filter(|action| !SAFE.contains(&action.as_str()));
    others.map(|action| Call { action, resource: None }).collect()
}

fn resource(probe: &Probe) -> Option<&'static str> {
    const USER: &str = "arn:aws:iam::123456789012:user/alice";
    (!probe.is_account_wide).then(|| match probe.action {
        "iam:addusertogroup" => "arn:aws:iam::123456789012:group/admins",
        "iam:getpolicy" => "arn:aws:iam::123456789012:policy/admin",
        "iam:getrole" | "iam:passrole" | "sts:assumerole" => "arn:aws:iam::123456789012:role/admin",
        "sts:getfederationtoken" => "arn:aws:sts::123456789012:federated-user/alice",
        "s3:getobject" | "s3:putobject" => "arn:aws:s3:::bucket/key",
        "s3:listbucket" => "arn:aws:s3:::bucket",
        "kms:decrypt" => "arn:aws:kms:eu-west-1:123456789012:key/1234",
        "lambda:invokefunction" => "arn:aws:lambda:eu-west-1:123456789012:function:f",
        "secretsmanager:getsecretvalue" => "arn:aws:secretsmanager:eu-west-1:123456789012:secret:s",
        "codecommit:gitpull" => "arn:aws:codecommit:eu-west-1:123456789012:r",
        "cloudshell:createsession" => "arn:aws:cloudshell:eu-west-1:123456789012:environment/e",
        action if action.starts_with("iam:") => USER,
        action => panic!("{action}: of which resource is it?"),
    })
}
