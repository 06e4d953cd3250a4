//! Which actions a statement is about.

/// What a user without MFA may be let do and still be made to use it: what it takes to
/// register a device and to begin a session with it, and to see what little the console
/// shows on the way. A statement that exempts anything else binds nobody.
///
/// The first eight are those of AWS's own policy (IAM User Guide, "AWS: Allows
/// MFA-authenticated IAM users to manage their own credentials on the Security credentials
/// page"), the next three those that the same page says may be added, of which it does not
/// recommend the first two. The others are in older forms of the policy, and reveal or
/// give nothing: a virtual device that somebody uses cannot be deleted
/// (API Reference, `DeleteVirtualMFADevice`), and `sts:GetCallerIdentity` cannot be denied.
pub const SAFE: [&str; 15] = [
    "iam:createvirtualmfadevice",
    "iam:enablemfadevice",
    "iam:getmfadevice",
    "iam:getuser",
    "iam:listmfadevices",
    "iam:listvirtualmfadevices",
    "iam:resyncmfadevice",
    "sts:getsessiontoken",
    "iam:changepassword",
    "iam:getaccountpasswordpolicy",
    "iam:listusers",
    "iam:deletevirtualmfadevice",
    "iam:getaccountsummary",
    "iam:listaccountaliases",
    "sts:getcalleridentity",
];

/// An action by which it is tried whether something is left open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probe {
    /// The action, in lower case.
    pub action: &'static str,
    /// Whether it is of no single resource (Service Authorization Reference), so that the
    /// name of a resource of another service is not about it.
    pub is_account_wide: bool,
}

impl Probe {
    /// The service.
    pub(super) fn service(&self) -> &'static str {
        self.action.split(':').next().unwrap_or_default()
    }
}

const fn wide(action: &'static str) -> Probe {
    Probe { action, is_account_wide: true }
}

const fn of_resource(action: &'static str) -> Probe {
    Probe { action, is_account_wide: false }
}

/// Actions of many services, those by which a user comes by more, and those that policies
/// are known to exempt: none of them is in [`SAFE`].
pub const PROBES: [Probe; 64] = [
    wide("aws-marketplace:viewsubscriptions"),
    wide("aws-portal:viewbilling"),
    wide("cloudtrail:describetrails"),
    wide("config:describeconfigrules"),
    wide("dynamodb:listtables"),
    wide("ec2:describeinstances"),
    wide("ec2:describeregions"),
    wide("ecr:getauthorizationtoken"),
    wide("ecs:listclusters"),
    wide("health:describeevents"),
    wide("iam:generatecredentialreport"),
    wide("iam:getaccountauthorizationdetails"),
    wide("iam:listgroups"),
    wide("iam:listpolicies"),
    wide("iam:listroles"),
    wide("iam:updateaccountpasswordpolicy"),
    wide("kms:listkeys"),
    wide("lambda:listfunctions"),
    wide("logs:describeloggroups"),
    wide("organizations:listaccounts"),
    wide("route53:listhostedzones"),
    wide("s3:listallmybuckets"),
    wide("secretsmanager:listsecrets"),
    wide("sns:listtopics"),
    wide("sqs:listqueues"),
    wide("ssm:describeparameters"),
    wide("sts:decodeauthorizationmessage"),
    wide("support:createcase"),
    wide("tag:getresources"),
    of_resource("cloudshell:createsession"),
    of_resource("codecommit:gitpull"),
    of_resource("iam:addusertogroup"),
    of_resource("iam:attachuserpolicy"),
    of_resource("iam:createaccesskey"),
    of_resource("iam:createloginprofile"),
    of_resource("iam:createuser"),
    of_resource("iam:deactivatemfadevice"),
    of_resource("iam:deleteaccesskey"),
    of_resource("iam:getaccesskeylastused"),
    of_resource("iam:getloginprofile"),
    of_resource("iam:getpolicy"),
    of_resource("iam:getrole"),
    of_resource("iam:getsshpublickey"),
    of_resource("iam:listaccesskeys"),
    of_resource("iam:listattacheduserpolicies"),
    of_resource("iam:listgroupsforuser"),
    of_resource("iam:listservicespecificcredentials"),
    of_resource("iam:listsigningcertificates"),
    of_resource("iam:listsshpublickeys"),
    of_resource("iam:listuserpolicies"),
    of_resource("iam:listusertags"),
    of_resource("iam:passrole"),
    of_resource("iam:putuserpolicy"),
    of_resource("iam:updateaccesskey"),
    of_resource("iam:updateloginprofile"),
    of_resource("iam:uploadsshpublickey"),
    of_resource("kms:decrypt"),
    of_resource("lambda:invokefunction"),
    of_resource("s3:getobject"),
    of_resource("s3:listbucket"),
    of_resource("s3:putobject"),
    of_resource("secretsmanager:getsecretvalue"),
    of_resource("sts:assumerole"),
    of_resource("sts:getfederationtoken"),
];

/// `Action` or `NotAction`, in lower case, as IAM compares them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Actions {
    Only(Vec<String>),
    AllBut(Vec<String>),
}

impl Actions {
    /// Whether these are all actions, or all that are not [`SAFE`].
    pub(super) fn are_all(&self) -> bool {
        match self {
            Self::Only(patterns) => patterns.iter().any(|pattern| pattern == "*" || pattern == "*:*"),
            Self::AllBut(exempted) => exempted.iter().all(|action| SAFE.contains(&action.as_str())),
        }
    }

    /// Whether `action`, which is in lower case, is one of these.
    pub(super) fn hold(&self, action: &str) -> bool {
        match self {
            Self::Only(patterns) => patterns.iter().any(|pattern| matches(pattern, action)),
            Self::AllBut(exempted) => !exempted.iter().any(|pattern| matches(pattern, action)),
        }
    }
}

/// Whether `text` is what `pattern` stands for: `*` for anything, `?` for one character.
fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut at, mut of) = (0, 0);
    // Where the last star stands, and what it has taken so far.
    let mut star = None;
    while of < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, of));
                at += 1;
            }
            Some(byte) if *byte == b'?' || *byte == text[of] => (at, of) = (at + 1, of + 1),
            _ => {
                let Some((place, taken)) = star else { return false };
                star = Some((place, taken + 1));
                (at, of) = (place + 1, taken + 1);
            }
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_question_marks_stand_for_what_they_do() {
        for (pattern, text, is_match) in [
            ("*", "iam:getuser", true),
            ("iam:*", "iam:getuser", true),
            ("iam:get*r", "iam:getuser", true),
            ("iam:*get*user*", "iam:getuser", true),
            ("iam:get?ser", "iam:getuser", true),
            ("iam:getuser", "iam:getusers", false),
            ("iam:*x*", "iam:getuser", false),
            ("iam:getuse?", "iam:getuse", false),
            ("", "iam:getuser", false),
            ("*:*user", "iam:getuser", true),
            ("i*m:*r*z", "iam:getuser", false),
        ] {
            assert_eq!(matches(pattern, text), is_match, "{pattern} {text}");
        }
    }

    #[test]
    fn no_probe_is_harmless_and_all_are_in_lower_case() {
        for probe in PROBES {
            assert!(!SAFE.contains(&probe.action) && probe.action == probe.action.to_lowercase(), "{probe:?}");
        }
        assert!(SAFE.iter().all(|action| *action == action.to_lowercase()));
    }
}
