//! The verdict tables, one test a row, without any AWS: what was read, and what
//! must be said of IAM.9, IAM.6 and IAM.4.

use std::time::Duration;

use aws_mfa_exporter::model::{
    account::{Account, Identity},
    facts::{Confirmation, Known, RootReading, Summary, VirtualDevices},
    judge::{
        Cadence, Control, Reason,
        Status::{self, Failed, NotApplicable, Passed, Unknown},
        root::{RootEvidence, judge},
    },
    time::{Moment, Timestamp, Uptime},
};

const CADENCE: Cadence = Cadence::new(Duration::from_secs(60), Duration::from_secs(900));
const NOW: u64 = 10_000;

/// What one row of a table says; the defaults are a root user with a password
/// and a hardware key, everything read ten seconds ago.
#[derive(Clone, Debug)]
struct Row {
    partition: &'static str,
    management: bool,
    mfa: Option<bool>,
    password: Option<bool>,
    keys: Option<bool>,
    certificates: Option<bool>,
    confirmation: Confirmation,
    reading_age: u64,
    read: bool,
    list_age: u64,
    listed: bool,
    root_owned: u32,
    unowned: u32,
    in_use_then: Option<u32>,
    in_use_now: Option<u32>,
}

impl Default for Row {
    fn default() -> Self {
        Self {
            partition: "aws",
            management: false,
            mfa: Some(true),
            password: Some(true),
            keys: Some(false),
            certificates: Some(false),
            confirmation: Confirmation::NotNeeded,
            reading_age: 10,
            read: true,
            list_age: 10,
            listed: true,
            root_owned: 0,
            unowned: 0,
            in_use_then: Some(3),
            in_use_now: Some(3),
        }
    }
}

fn at(seconds: u64) -> Moment {
    Moment {
        wall: Timestamp::from_millis(1_764_000_000_000 + seconds as i64 * 1000),
        mono: Uptime::after_start(Duration::from_secs(seconds)),
    }
}

impl Row {
    fn summary(&self, in_use: Option<u32>) -> Summary {
        Summary {
            mfa_enabled: self.mfa,
            password: self.password,
            access_keys: self.keys,
            signing_certificates: self.certificates,
            users: Some(2),
            mfa_devices: Some(1),
            mfa_devices_in_use: in_use,
        }
    }

    fn verdicts(&self) -> [(Status, Reason); 3] {
        let arn = format!("arn:{}:sts::111111111111:assumed-role/a/b", self.partition);
        let mut account = Account::ambient(Identity::parse(&arn, "111111111111").unwrap());
        account.management = self.management;
        let reading = RootReading { summary: self.summary(self.in_use_now), confirmation: self.confirmation };
        let fingerprint = self.summary(self.in_use_then).fingerprint();
        let list = VirtualDevices {
            root_owned: self.root_owned,
            unowned: self.unowned,
            others: None,
            roots: None,
            fingerprint,
        };
        let reading = Known::new(reading, at(NOW - self.reading_age));
        let list = Known::new(list, at(NOW - self.list_age));
        let evidence = RootEvidence {
            audit: None,
            reading: self.read.then_some(&reading),
            devices: self.listed.then_some(&list),
            ..RootEvidence::default()
        };
        [Control::Iam9, Control::Iam6, Control::Iam4].map(|control| {
            let verdict = judge(control, &account, evidence, &CADENCE, at(NOW));
            assert_eq!(verdict.as_of.is_none(), verdict.status == Unknown, "a known verdict has a time, and only that");
            (verdict.status, verdict.reason)
        })
    }
}

macro_rules! rows {
    ($($(#[$doc:meta])* $name:ident: { $($field:ident: $value:expr),* } => [$iam9:expr, $iam6:expr, $iam4:expr];)*) => {
        $($(#[$doc])* #[test] #[allow(clippy::needless_update)] fn $name() {
            let row = Row { $($field: $value,)* ..Row::default() };
            assert_eq!(row.verdicts().map(|(status, _)| status), [$iam9, $iam6, $iam4], "{:?}", row.verdicts());
        })*
    };
}

const NO: Option<bool> = Some(false);
const YES: Option<bool> = Some(true);

rows! {
    hardware_key: {} => [Passed, Passed, Passed];
    /// R1
    credentials_removed: { mfa: NO, password: NO } => [NotApplicable, NotApplicable, Passed];
    /// R2, R3
    password_without_mfa: { mfa: NO, confirmation: Confirmation::Agreed } => [Failed, Failed, Passed];
    /// R4
    key_without_mfa: { mfa: NO, password: NO, keys: YES, confirmation: Confirmation::Agreed } => [Failed, Failed, Failed];
    certificate_without_mfa: { mfa: NO, password: NO, certificates: YES, confirmation: Confirmation::Agreed } => [Failed, Failed, Passed];
    /// R5
    password_flag_missing: { mfa: NO, password: None } => [Unknown, Unknown, Passed];
    /// R5
    password_flag_missing_with_key: { mfa: NO, password: None, keys: YES, confirmation: Confirmation::Agreed } => [Failed, Failed, Failed];
    key_flag_missing: { mfa: NO, password: NO, keys: None } => [Unknown, Unknown, Unknown];
    certificate_flag_missing: { mfa: NO, password: NO, certificates: None } => [Unknown, Unknown, Passed];
    mfa_flag_missing: { mfa: None } => [Unknown, Unknown, Passed];
    mfa_flag_missing_and_no_credentials: { mfa: None, password: NO } => [NotApplicable, NotApplicable, Passed];
    everything_missing: { mfa: None, password: None, keys: None, certificates: None } => [Unknown, Unknown, Unknown];
    mfa_on_and_password_flag_missing: { password: None } => [Passed, Unknown, Passed];
    /// D2, D6
    virtual_device_of_root: { root_owned: 1 } => [Passed, Failed, Passed];
    /// D10
    assigned_device_without_owner: { unowned: 1 } => [Passed, Unknown, Passed];
    virtual_device_and_one_without_owner: { root_owned: 1, unowned: 1 } => [Passed, Failed, Passed];
    /// D12
    list_never_read: { listed: false } => [Passed, Unknown, Passed];
    list_too_old: { list_age: 1_801 } => [Passed, Unknown, Passed];
    list_just_young_enough: { list_age: 1_800 } => [Passed, Passed, Passed];
    counter_moved_since_the_list: { in_use_now: Some(4) } => [Passed, Unknown, Passed];
    counter_moved_since_a_failing_list: { in_use_now: Some(4), root_owned: 1 } => [Passed, Unknown, Passed];
    counter_missing: { in_use_now: None } => [Passed, Unknown, Passed];
    counter_missing_on_both_sides: { in_use_now: None, in_use_then: None } => [Passed, Unknown, Passed];
    /// R11: a management account's root cannot be without credentials.
    management_without_credentials: { management: true, mfa: NO, password: NO } => [Unknown, Unknown, Passed];
    management_without_mfa: { management: true, mfa: NO, confirmation: Confirmation::Agreed } => [Failed, Failed, Passed];
    management_with_mfa_and_no_password_shown: { management: true, password: NO } => [Passed, Passed, Passed];
    /// R9
    govcloud_with_password: { partition: "aws-us-gov", mfa: NO } => [NotApplicable, NotApplicable, Passed];
    govcloud_with_key: { partition: "aws-us-gov", mfa: NO, password: NO, keys: YES } => [NotApplicable, NotApplicable, Failed];
    govcloud_unread: { partition: "aws-us-gov", read: false } => [Unknown, Unknown, Unknown];
    china: { partition: "aws-cn", root_owned: 1 } => [Passed, Failed, Passed];
    unconfirmed: { mfa: NO } => [Unknown, Unknown, Passed];
    confirmation_lost: { mfa: NO, confirmation: Confirmation::Lost } => [Unknown, Unknown, Passed];
    confirmation_disagreed_with_mfa: { confirmation: Confirmation::Disagreed } => [Unknown, Unknown, Passed];
    confirmation_disagreed_without_credentials: { mfa: NO, password: NO, confirmation: Confirmation::Disagreed } => [Unknown, Unknown, Passed];
    /// R7, E1
    never_read: { read: false } => [Unknown, Unknown, Unknown];
    /// E1
    heartbeat_too_old: { reading_age: 181 } => [Unknown, Unknown, Unknown];
    heartbeat_just_young_enough: { reading_age: 180 } => [Passed, Passed, Passed];
    slow_heartbeat_is_good_for_longer: { mfa: NO, password: NO, reading_age: 900 } => [NotApplicable, NotApplicable, Passed];
    slow_heartbeat_too_old: { mfa: NO, password: NO, reading_age: 901 } => [Unknown, Unknown, Unknown];
    failed_is_not_kept_for_ever_either: { mfa: NO, confirmation: Confirmation::Agreed, reading_age: 181 } => [Unknown, Unknown, Unknown];
}

/// Every combination of the summary's flags, against the rules said in words.
#[test]
fn no_combination_of_missing_flags_passes_by_default() {
    let values = [None, NO, YES];
    for n in 0..81 {
        let [mfa, password, keys, certificates] = [27, 9, 3, 1].map(|place| values[n / place % 3]);
        let row = Row { mfa, password, keys, certificates, confirmation: Confirmation::Agreed, ..Row::default() };
        let [(iam9, _), (iam6, _), (iam4, _)] = row.verdicts();
        assert_eq!(iam9 == NotApplicable, [password, keys, certificates] == [NO; 3], "{row:?}");
        assert!(iam9 != Passed || mfa == YES, "{row:?}");
        assert!(iam9 != Failed || mfa == NO && [password, keys, certificates].contains(&YES), "{row:?}");
        assert!(iam6 != Passed || iam9 == Passed, "hardware MFA is MFA: {row:?}");
        assert_eq!(iam4, [Unknown, Passed, Failed][values.iter().position(|&v| v == keys).unwrap()], "{row:?}");
    }
}
