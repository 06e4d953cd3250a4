//! The file behind `--config.file`.
//!
//! Read strictly: a key that is not known is a mistake, for what it was meant to
//! say would go unheard. All mistakes in what the keys say are told together,
//! each with its line and a caret; a file that is no YAML, or of another form,
//! is told of at the first.

mod form;

use std::{collections::BTreeSet, fmt, ops::RangeInclusive, time::Duration};

use serde_saphyr::{Location, Spanned};

use super::{
    Access, Config, DISCOVERY_INTERVAL, Filter, Organization, Rates, Role, SESSION_NAME, StaticAccount,
    collectors::Collectors,
    mistake::{Mistake, Mistakes},
    queue::{EventSource, Queue},
    value::{date, duration, is_word, rate, role_name},
    yaml::{Quoting, read},
};
use crate::model::{
    account::{AccountId, Identity},
    exemption::{Exemption, Subject},
    judge::Control,
    labels::LabelPlan,
    organization::UnitRef,
    snapshot::ROOT_ACCESS_INTERVAL,
};
use form::{
    File, FileAccess, FileAccount, FileAws, FileExemption, FileFilter, FileLabels, FileOrganization, FileQueue,
    FileUnit, Text,
};

/// Intervals between two lists of accounts that make sense.
const INTERVALS: RangeInclusive<Duration> = Duration::from_secs(10)..=Duration::from_secs(24 * 3_600);

/// The file cannot be used.
pub type FileError = Mistakes;

impl Config {
    /// Reads the text of a configuration file; `name` is what errors call it.
    ///
    /// # Errors
    /// All mistakes, each with its place.
    pub fn parse(text: &str, name: &str) -> Result<Self, FileError> {
        let wrong = |list| Mistakes::new(name, text, list);
        let file: File = read(text, Quoting::Allowed).map_err(|mistake| wrong(vec![mistake]))?;
        let mut check = Validator(Vec::new());
        let section = file.collectors.0.unwrap_or_default();
        let config = Self {
            organization: file.organization.0.map(|organization| check.organization(organization)),
            accounts: check.accounts(file.accounts.0.unwrap_or_default()),
            collectors: Collectors::of_section(&section, |at, what| check.wrong_at(at, what)),
            rates: check.rates(file.aws.0.unwrap_or_default()),
            events: check.events(file.events.0.unwrap_or_default()),
            exemptions: check.exemptions(file.exemptions.0.unwrap_or_default()).into(),
        };
        if check.0.is_empty() { Ok(config) } else { Err(wrong(check.0)) }
    }
}

/// What was found wrong so far.
struct Validator(Vec<Mistake>);

impl Validator {
    /// Notes a mistake at the place of `at`.
    fn wrong<T>(&mut self, at: &Spanned<T>, what: impl fmt::Display) {
        self.wrong_at(at.referenced, what);
    }

    fn wrong_at(&mut self, at: Location, what: impl fmt::Display) {
        let [line, column] = [at.line(), at.column()].map(|n| usize::try_from(n).unwrap_or(1));
        self.0.push(Mistake { place: Some((line, column)), what: what.to_string() });
    }

    /// Reads a value as a flag's would be; `None` when that is a mistake.
    fn read<T>(&mut self, key: &str, text: &Text, read: impl Fn(&str) -> Result<T, String>) -> Option<T> {
        read(&text.value).map_err(|error| self.wrong(text, format_args!("{key}: {error}"))).ok()
    }

    fn rates(&mut self, file: FileAws) -> Rates {
        let mut rate = |key, text: Option<Text>| text.and_then(|text| self.read(key, &text, rate));
        Rates { serve: rate("aws.max_rate", file.max_rate.0), check: rate("aws.check_max_rate", file.check_max_rate.0) }
    }

    fn organization(&mut self, file: FileOrganization) -> Organization {
        let interval = file.interval.0;
        let interval = interval.map(|text| self.read("organization.interval", &text, duration(INTERVALS)));
        let root_access_interval = file.root_access_interval.0.and_then(|text| {
            if !file.root_access {
                self.wrong(&text, "this needs root_access: true in the same section");
            }
            self.read("organization.root_access_interval", &text, duration(INTERVALS))
        });
        Organization {
            role_name: self.read("organization.role_name", &file.role_name, role_name).unwrap_or_default(),
            external_id: self.external_id(file.external_id.0),
            session_name: self.session_name(file.session_name.0),
            interval: interval.flatten().unwrap_or(DISCOVERY_INTERVAL),
            include: self.filter(file.include.0.unwrap_or_default()),
            exclude: self.filter(file.exclude.0.unwrap_or_default()),
            labels: self.labels(file.labels.0.unwrap_or_default()),
            root_access: file.root_access,
            root_access_interval: root_access_interval.unwrap_or(ROOT_ACCESS_INTERVAL),
        }
    }

    fn filter(&mut self, file: FileFilter) -> Filter {
        let (ids, ous) = (file.accounts.0.unwrap_or_default(), file.ous.0.unwrap_or_default());
        Filter {
            accounts: ids.iter().filter_map(|id| self.account_id(id)).collect(),
            ous: ous.iter().filter_map(|unit| self.unit(unit)).collect(),
            tags: file.tags.0.unwrap_or_default(),
        }
    }

    fn unit(&mut self, file: &Spanned<FileUnit>) -> Option<UnitRef> {
        let unit = match &file.value {
            FileUnit::Text(text) => UnitRef::parse(text),
            FileUnit::Names(names) => UnitRef::path(names.clone()),
        };
        if unit.is_none() {
            let what = "the path of an organizational unit is wanted, Workloads/Production say, or its id, or the names \
                        of its path as a list, [Workloads, A/B] say, where one holds a slash";
            self.wrong(file, what);
        }
        unit
    }

    fn labels(&mut self, file: FileLabels) -> LabelPlan {
        let mut plan = LabelPlan { ou: file.ou, ..LabelPlan::default() };
        for tag in file.tags.0.into_iter().flatten() {
            if let Err(error) = plan.add(&tag.value) {
                self.wrong(&tag, error);
            }
        }
        plan
    }

    fn accounts(&mut self, files: Vec<FileAccount>) -> Vec<StaticAccount> {
        let mut accounts: Vec<StaticAccount> = Vec::new();
        for file in files {
            let Some(id) = self.account_id(&file.id) else { continue };
            if accounts.iter().any(|known| known.id == id) {
                self.wrong(&file.id, format_args!("account {id} is here twice: remove one of the two"));
            }
            let access = FileAccess::of([file.profile, file.role_arn, file.external_id, file.session_name]);
            accounts.push(StaticAccount { id, name: file.name.0, access: self.access(Some(id), access) });
        }
        accounts
    }

    fn events(&mut self, files: Vec<FileQueue>) -> Vec<EventSource> {
        let mut sources: Vec<EventSource> = Vec::new();
        for file in files {
            let access = FileAccess::of([file.profile, file.role_arn, file.external_id, file.session_name]);
            let access = self.access(None, access);
            let Some(queue) = self.read("events.queue_url", &file.queue_url, Queue::parse) else { continue };
            if sources.iter().any(|known| known.queue.arn() == queue.arn()) {
                self.wrong(&file.queue_url, "this queue is here twice: remove one of the two");
            }
            sources.push(EventSource { queue, access });
        }
        sources
    }

    /// How to come by credentials, of `owner` where it is said whose they are to be.
    fn access(&mut self, owner: Option<AccountId>, file: FileAccess) -> Access {
        let profile = file.profile.map(|profile| profile.value);
        let Some(arn) = file.role_arn else {
            for idle in [&file.external_id, &file.session_name].into_iter().flatten() {
                self.wrong(idle, "this needs role_arn: there is none here");
            }
            return profile.map_or(Access::Ambient, Access::Profile);
        };
        match Identity::of_arn(&arn.value) {
            Ok(Identity { account, .. }) if owner.is_some_and(|owner| owner != account) => {
                let owner = owner.map(|owner| owner.to_string()).unwrap_or_default();
                self.wrong(&arn, format_args!("the role belongs to account {account}, not to {owner}"));
            }
            Ok(_) if arn.value.split(':').nth(5).is_some_and(|resource| resource.starts_with("role/")) => {}
            _ => {
                let owner = owner.map_or_else(|| "ACCOUNT".to_owned(), |owner| owner.to_string());
                self.wrong(&arn, format_args!("not the ARN of a role: write arn:aws:iam::{owner}:role/NAME"));
            }
        }
        let (external_id, session_name) = (self.external_id(file.external_id), self.session_name(file.session_name));
        Access::Role { profile, role: Role { arn: arn.value, session_name, external_id } }
    }

    fn account_id(&mut self, text: &Text) -> Option<AccountId> {
        let id = text.value.parse();
        id.map_err(|error| self.wrong(text, error)).ok()
    }

    /// AWS: 2 to 1,224 characters of `[\w+=,.@:\/-]`.
    fn external_id(&mut self, text: Option<Text>) -> Option<String> {
        let text = text?;
        if !(2..=1_224).contains(&text.value.len()) || !text.value.bytes().all(|b| is_word(b) || b":/".contains(&b)) {
            self.wrong(&text, "not an external id: AWS accepts 2 to 1224 letters, digits and _+=,.@:/-");
        }
        Some(text.value)
    }

    /// AWS: 2 to 64 characters of `[\w+=,.@-]`.
    fn session_name(&mut self, text: Option<Text>) -> String {
        let Some(text) = text else { return SESSION_NAME.to_owned() };
        if !(2..=64).contains(&text.value.len()) || !text.value.bytes().all(is_word) {
            self.wrong(&text, "not a session name: AWS accepts 2 to 64 letters, digits and _+=,.@-");
        }
        text.value
    }

    fn exemptions(&mut self, file: Vec<FileExemption>) -> Vec<Exemption> {
        let mut ids = BTreeSet::new();
        let mut exemptions = Vec::new();
        for exemption in file {
            let id = &exemption.id;
            if !(1..=64).contains(&id.value.len()) || !id.value.bytes().all(is_word) {
                self.wrong(id, "an exemption's id is a label value: write 1 to 64 letters, digits and _+=,.@-");
            }
            if !ids.insert(id.value.clone()) {
                self.wrong(id, "another exemption already has this id");
            }
            if exemption.reason.value.trim().is_empty() {
                self.wrong(&exemption.reason, "an exemption needs a reason: write one");
            }
            exemptions.extend(self.exemption(exemption));
        }
        exemptions
    }

    fn exemption(&mut self, file: FileExemption) -> Option<Exemption> {
        let until = file.until.0.as_ref().and_then(|text| {
            date(&text.value).or_else(|| {
                self.wrong(text, "not a date: write 2027-01-31, or 2027-01-31T12:00:00Z");
                None
            })
        });
        let (account, user_id) = (file.account.0.as_ref(), file.user_id.0.as_ref());
        let subject = match (&file.user.0, &file.control.0) {
            (Some(user), None) => self.users(user, user_id),
            (None, Some(control)) => self.control(control, account.is_some(), user_id),
            (Some(_), Some(control)) => {
                self.wrong(control, "an exemption covers either users or a control: write two exemptions");
                return None;
            }
            (None, None) => {
                self.wrong(&file.id, "this exemption covers nothing: write a user, or a control of an account");
                return None;
            }
        };
        Some(Exemption {
            account: account.and_then(|text| self.account_id(text)),
            id: file.id.value,
            subject,
            reason: file.reason.value,
            until,
        })
    }

    fn users(&mut self, user: &Text, id: Option<&Text>) -> Subject {
        let is_name = |byte: u8| is_word(byte) || byte == b'*';
        if user.value.bytes().all(|byte| byte == b'*') {
            self.wrong(
                user,
                "this exemption covers no user, or all users: write the user's name, or a part of it with a *",
            );
        } else if user.value.len() > 64 || !user.value.bytes().all(is_name) {
            self.wrong(user, "not a user name or a pattern: AWS accepts up to 64 letters, digits and _+=,.@-");
        }
        if let Some(id) = id.filter(|id| !id.value.starts_with("AIDA")) {
            self.wrong(id, "not the unique id of a user: it begins with AIDA, and `aws iam get-user` prints it");
        }
        Subject::Users { names: user.value.clone(), id: id.map(|id| id.value.as_str().into()) }
    }

    /// `root` is every control of the root user.
    fn control(&mut self, text: &Text, has_account: bool, user_id: Option<&Text>) -> Subject {
        let named = |name: &str| Control::ALL.into_iter().find(|control| control.as_str() == name);
        let controls = match text.value.as_str() {
            "root" => Control::ALL.into_iter().filter(|control| control.is_of_root()).collect(),
            name => Vec::from_iter(named(name)),
        };
        if controls.is_empty() {
            let known = Control::ALL.map(Control::as_str).join(", ");
            self.wrong(
                text,
                format_args!("not a control: write one of {known}, or root for all controls of the root user"),
            );
        }
        if !has_account {
            self.wrong(text, "an exemption of a control needs `account`: write the account's id");
        }
        if let Some(id) = user_id {
            self.wrong(id, "this belongs to an exemption of users, and this exemption covers a control");
        }
        Subject::Controls(controls)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Config, String> {
        Config::parse(text, "x.yml").map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn a_role_name_is_all_that_an_organization_needs() {
        let config = parse("organization: {role_name: audit/mfa}\n").unwrap();
        assert_eq!(config.organization.unwrap(), Organization::with_role("audit/mfa".to_owned()));
        assert!(parse("# nothing\n\n").unwrap().is_single_account());
    }

    #[test]
    fn account_ids_keep_their_zeros_with_quotes_and_without() {
        let config = parse("accounts:\n- id: \"012345678901\"\n- id: 000000000012\n  profile: p\n").unwrap();
        let ids: Vec<_> = config.accounts.iter().map(|account| account.id.to_string()).collect();
        assert_eq!(ids, ["012345678901", "000000000012"]);
        assert_eq!(config.accounts[1].access, Access::Profile("p".to_owned()));
    }

    #[test]
    fn all_mistakes_are_told_at_once_each_with_its_line_and_a_caret() {
        let error = parse(
            "organization:\n  role_name: arn:aws:iam::1:role/x\n  interval: 10\n  exclude: {accounts: [\"12\"], ous: [/]}\n\
             accounts:\n- id: \"111111111111\"\n  role_arn: arn:aws:iam::222222222222:role/x\n\
             - id: \"111111111111\"\n  external_id: x y\n",
        )
        .unwrap_err();
        for place in ["x.yml:2:14: ", "x.yml:3:13: ", "x.yml:4:24: ", "x.yml:7:13: ", "x.yml:8:7: ", "x.yml:9:16: "] {
            assert!(error.contains(place), "{place}\n{error}");
        }
        assert!(error.contains("  |   interval: 10\n  |             ^"), "{error}");
    }

    #[test]
    fn a_rate_is_a_number_of_requests_a_second() {
        let config = parse("aws: {max_rate: 10, check_max_rate: 20}\n").unwrap();
        assert_eq!(config.rates, Rates { serve: Some(10), check: Some(20) });
        let error = parse("aws:\n  max_rate: 0\n  check_max_rate: fast\n").unwrap_err();
        assert!(error.contains("x.yml:2:13: aws.max_rate: no rate: write how many requests a second"), "{error}");
        assert!(error.contains("x.yml:3:19: aws.check_max_rate: "), "{error}");
    }

    #[test]
    fn events_come_from_queues_and_each_is_there_once() {
        let url = "https://sqs.us-east-1.amazonaws.com/111111111111/q";
        let role = "arn:aws:iam::222222222222:role/events";
        let events = parse(&format!("events: [{{queue_url: {url}, role_arn: {role}}}]\n")).unwrap().events;
        assert_eq!(events[0].queue.url(), url);
        assert!(
            matches!(&events[0].access, Access::Role { role: entered, .. } if entered.arn == role),
            "of any account"
        );
        let error = parse(&format!(
            "events:\n- queue_url: {url}\n- queue_url: {url}\n  external_id: x1\n- queue_url: sqs\n- role_arn: {role}\n"
        ));
        assert!(error.unwrap_err().contains("queue_url"), "it is needed");
        let error =
            parse(&format!("events:\n- queue_url: {url}\n- queue_url: {url}\n  external_id: x1\n- queue_url: sqs\n"))
                .unwrap_err();
        for (place, what) in [("3:14", "is here twice"), ("4:16", "needs role_arn"), ("5:14", "aws sqs get-queue-url")]
        {
            assert!(error.contains(&format!("x.yml:{place}: ")) && error.contains(what), "{place}: {error}");
        }
    }

    #[test]
    fn a_unit_is_named_by_its_id_its_path_or_the_names_of_its_path() {
        let text =
            "organization:\n  role_name: x\n  include:\n    ous: [r-abcd, ou-abcd-11111111, A/B, [A, B/C], [r-abcd]]\n";
        let ous = parse(text).unwrap().organization.unwrap().include.ous;
        let names = |names: &[&str]| UnitRef::Path(names.iter().map(|&name| name.to_owned()).collect());
        let ids = ["r-abcd", "ou-abcd-11111111"].map(|id| UnitRef::Id(id.to_owned()));
        let [root, unit] = ids;
        assert_eq!(ous, [root, unit, names(&["A", "B"]), names(&["A", "B/C"]), names(&["r-abcd"])]);
        for (wrong, place) in [("[[]]", "x.yml:1:60: "), ("[\"\"]", "x.yml:1:60: "), ("[[A, \"\"]]", "x.yml:1:60: ")] {
            let error = parse(&format!("organization: {{role_name: x, exclude: {{accounts: [], ous: {wrong}}}}}\n"))
                .unwrap_err();
            assert!(error.contains(place) && error.contains("[Workloads, A/B]"), "{wrong}: {error}");
        }
        let error = parse("organization: {role_name: x, exclude: {ous: [{a: b}]}}\n").unwrap_err();
        assert!(error.contains("as a list"), "{error}");
    }

    #[test]
    fn an_exemption_says_who_why_and_until_when() {
        let config = parse(
            "exemptions:\n- id: OPS-7\n  account: \"012345678901\"\n  user: svc-*\n  reason: no console\n  until: 2027-01-31\n",
        )
        .unwrap();
        let exemption = &config.exemptions[0];
        assert_eq!(exemption.subject, Subject::Users { names: "svc-*".into(), id: None });
        assert_eq!(exemption.until.unwrap().as_millis(), 1_801_353_600_000);
        for (wrong, what) in [
            ("{id: a, user: \"*\", reason: x}", "or all users"),
            ("{id: a, user: \"\", reason: x}", "covers no user"),
            ("{id: a, user: b, reason: \" \"}", "needs a reason"),
            ("{id: a, user: b}", "reason"),
            ("{id: \"a b\", user: b, reason: x}", "label value"),
            ("{id: a, user: b/c, reason: x}", "not a user name"),
            ("{id: a, user: b, reason: x, user_id: AROA1}", "AIDA"),
            ("{id: a, user: b, reason: x, until: soon}", "2027-01-31"),
            ("{id: a, user: b, reason: x, account: \"1\"}", "account"),
            ("{id: a, user: b, reason: x}, {id: a, user: c, reason: x}", "another exemption already has"),
            ("{id: a, reason: x}", "covers nothing"),
            ("{id: a, user: b, control: root, reason: x}", "write two"),
            ("{id: a, account: \"111111111111\", control: IAM.1, reason: x}", "IAM.9"),
            ("{id: a, control: root, reason: x}", "`account`"),
            ("{id: a, account: \"111111111111\", control: root, user_id: AIDA1, reason: x}", "covers a control"),
        ] {
            let error = parse(&format!("exemptions: [{wrong}]\n")).unwrap_err();
            assert!(error.contains(what), "{wrong}: {error}");
        }
    }

    #[test]
    fn a_control_of_an_account_can_be_exempt_and_so_can_its_root_user() {
        let subject = |control: &str| {
            let text = format!("exemptions: [{{id: a, account: \"111111111111\", control: {control}, reason: x}}]");
            parse(&text).unwrap().exemptions[0].subject.clone()
        };
        assert_eq!(subject("IAM.6"), Subject::Controls(vec![Control::Iam6]));
        let Subject::Controls(of_root) = subject("root") else { panic!() };
        assert_eq!(of_root.len(), 3);
    }

    #[test]
    fn a_unit_and_tags_become_labels_and_two_tags_not_one() {
        let plan = |labels: &str| parse(&format!("organization: {{role_name: x, labels: {labels}}}\n"));
        let organization = plan("{ou: true, tags: [team, env]}").unwrap().organization.unwrap();
        assert!(organization.asks_for_units() && organization.asks_for_tags());
        assert!(!Organization::with_role("x".into()).asks_for_tags());
        assert!(plan("{tags: [a-b, a.b]}").unwrap_err().contains(":1:"));
        assert!(plan("{team: true}").is_err());
    }

    #[test]
    fn centralized_root_access_is_asked_about_on_request_alone() {
        let organization = |more: &str| parse(&format!("organization: {{role_name: x{more}}}\n"));
        assert!(!organization("").unwrap().organization.unwrap().root_access);
        let asked = organization(", root_access: true, root_access_interval: 30m").unwrap().organization.unwrap();
        assert_eq!((asked.root_access, asked.root_access_interval), (true, Duration::from_secs(1_800)));
        let error = organization(", root_access_interval: 1s").unwrap_err();
        assert!(error.contains("needs root_access: true") && error.contains("between 10s and 1day"), "{error}");
        assert!(organization(", root_access: perhaps").is_err());
    }

    #[test]
    fn a_key_that_is_not_known_is_a_mistake_and_the_line_is_shown() {
        let error = parse("organization:\n  role_name: x\n  rolename: y\n").unwrap_err();
        assert!(error.contains("x.yml:3:3: \"rolename\" is not a key here. Did you mean role_name?"), "{error}");
        assert!(parse("accounts: [{id: \"111111111111\", rolearn: x}]").is_err());
        assert!(parse("organization: {}\n").unwrap_err().contains("role_name"));
    }
}
