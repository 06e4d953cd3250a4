//! Replies that AWS does not send: what stands in one twice, what can be read in two
//! ways, what lacks what it must have. Each through the real binary: none of them
//! makes anybody pass, and each is named by its class.

use std::{thread, time::Duration};

use aws_sim::{Account, Fault, Member, Organization, Scenario, Sim, User};

use crate::support::{Exporter, ID, KEY, Samples, healthy, sim};

const SOON: Duration = Duration::from_secs(40);
const TOKEN: &str = "GAHT12345678";
const MALFORMED: &str = "malformed_reply";
const INCOMPLETE: &str = "incomplete_reply";

fn rewrite(from: &str, to: &str) -> Fault {
    Fault::Rewrite(from.to_owned(), to.to_owned())
}

/// A user with a password and these devices.
fn console(name: &str, devices: &[&str]) -> User {
    User { password: true, devices: devices.iter().map(|&serial| serial.into()).collect(), ..User::named(name) }
}

fn account(users: Vec<User>) -> Account {
    Account { users, ..healthy() }
}

fn start(sim: &Sim) -> Exporter {
    let fast = ["--collector.root.interval=1s", "--collector.devices.interval=2s", "--collector.users.interval=2s"];
    Exporter::start(&sim.endpoint(), &fast)
}

/// One broken reply, and what is to be said of it.
struct Case {
    what: &'static str,
    account: Account,
    operation: &'static str,
    fault: Fault,
    collector: &'static str,
    class: &'static str,
    control: &'static str,
}

/// Every case in a simulation and an exporter of its own, all at once: the collector
/// is down for the reason that is wanted, and the control is never protected.
fn are_refused(cases: Vec<Case>) {
    thread::scope(|scope| {
        for case in cases {
            scope.spawn(move || is_refused(&case));
        }
    });
}

fn is_refused(case: &Case) {
    // The last report is older than the users, so that it says nothing of them.
    let sim = sim(Account { users: Vec::new(), ..case.account.clone() });
    sim.generate_report(ID, Duration::ZERO);
    sim.edit(ID, |account| account.users.clone_from(&case.account.users));
    sim.fault(ID, Some(case.operation), case.fault.clone());
    let exporter = start(&sim);
    let is_refused = |samples: &Samples| {
        let status = samples.status(case.control);
        assert!(!["passed", "not_applicable"].contains(&&*status), "{}: {status}\n{}", case.what, exporter.log());
        samples.fault(case.collector) == case.class && status == "unknown"
    };
    exporter.wait_for(&format!("{} is {}", case.what, case.class), SOON, is_refused);
    // It was no passing state.
    for _ in 0..10 {
        thread::sleep(Duration::from_millis(250));
        is_refused(&exporter.metrics());
    }
}

/// A user's only device, a token of hardware, in a reply to `ListMFADevices`.
fn of_a_user(what: &'static str, from: &str, to: &str, class: &'static str) -> Case {
    Case {
        what,
        account: account(vec![console("ann", &[TOKEN])]),
        operation: "ListMFADevices",
        fault: rewrite(from, to),
        collector: "users",
        class,
        control: "IAM.5",
    }
}

#[test]
fn a_device_without_a_serial_number_is_nobodys_device() {
    let serial = format!("<SerialNumber>{TOKEN}</SerialNumber>");
    are_refused(vec![
        of_a_user("no serial number", &serial, "", INCOMPLETE),
        of_a_user("an empty serial number", &serial, "<SerialNumber></SerialNumber>", INCOMPLETE),
        of_a_user("a closed serial number", &serial, "<SerialNumber/>", INCOMPLETE),
        of_a_user("a blank serial number", &serial, "<SerialNumber> \n</SerialNumber>", INCOMPLETE),
        of_a_user("a member with nothing", "<member>", "<member/><member>", INCOMPLETE),
        of_a_user("no date", "<EnableDate>2024-01-02T03:04:05Z</EnableDate>", "", INCOMPLETE),
        of_a_user("no name", "<UserName>ann</UserName>", "", INCOMPLETE),
        of_a_user("another's name", "<UserName>ann</UserName>", "<UserName>bob</UserName>", MALFORMED),
        of_a_user("no list", "MFADevices>", "Devices>", MALFORMED),
    ]);
}

#[test]
fn a_device_that_can_be_read_in_two_ways_is_not_read() {
    let name = "<UserName>ann</UserName>";
    are_refused(vec![
        of_a_user("two names", name, &format!("<UserName>bob</UserName>{name}"), MALFORMED),
        of_a_user("a name cut by a comment", name, "<UserName>ann<!-- -->a</UserName>", MALFORMED),
        of_a_user("a name in CDATA", name, "<UserName><![CDATA[ann]]></UserName>", MALFORMED),
        of_a_user("a name beside CDATA", name, "<UserName>ann<![CDATA[a]]></UserName>", MALFORMED),
        of_a_user(
            "a name of another namespace",
            name,
            &format!("<x:UserName xmlns:x=\"x\">bob</x:UserName>{name}"),
            MALFORMED,
        ),
        of_a_user("a name with an attribute", name, "<UserName nil=\"true\">ann</UserName>", MALFORMED),
        of_a_user("a text beside fields", name, &format!("{name}bob"), MALFORMED),
        of_a_user("another thing in the list", "<member>", "<device/><member>", MALFORMED),
        of_a_user("two lists", "<MFADevices>", "<MFADevices/><MFADevices>", MALFORMED),
        of_a_user("two ends", "<IsTruncated>", "<IsTruncated>true</IsTruncated><IsTruncated>", MALFORMED),
        of_a_user(
            "one device twice",
            "</member>",
            &format!(
                "</member><member>{name}<SerialNumber>{TOKEN}</SerialNumber><EnableDate>2024-01-02T03:04:05Z</EnableDate></member>"
            ),
            MALFORMED,
        ),
        of_a_user("another operation's reply", "ListMFADevicesResult>", "ListUsersResult>", MALFORMED),
        of_a_user("a document type", "<ListMFADevicesResponse", "<!DOCTYPE html><ListMFADevicesResponse", MALFORMED),
    ]);
}

/// A fault of the list of virtual devices, which shows user a's.
fn of_the_list(what: &'static str, from: &str, to: &str, class: &'static str) -> Case {
    Case {
        what,
        account: account(vec![console("ann", &[&format!("arn:aws:iam::{ID}:mfa/ann")])]),
        operation: "ListVirtualMFADevices",
        fault: rewrite(from, to),
        collector: "devices",
        class,
        control: "IAM.5",
    }
}

#[test]
fn a_virtual_device_without_a_serial_number_is_nobodys_device() {
    let serial = format!("<SerialNumber>arn:aws:iam::{ID}:mfa/ann</SerialNumber>");
    are_refused(vec![
        of_the_list("no serial number", &serial, "", INCOMPLETE),
        of_the_list("an empty serial number", &serial, "<SerialNumber/>", INCOMPLETE),
        of_the_list("two serial numbers", &serial, &format!("{serial}<SerialNumber>x</SerialNumber>"), MALFORMED),
        of_the_list("two owners", "<User>", "<User/><User>", MALFORMED),
        of_the_list("two ids", "<UserId>", "<UserId>AIDAOTHER</UserId><UserId>", MALFORMED),
    ]);
}

/// The decoder of the SDK takes what it cannot read between two elements for the end
/// of the list, and root's device stood behind it.
#[test]
fn a_list_that_breaks_off_in_the_decoder_does_not_hide_roots_device() {
    let mut owned = account(vec![console("ann", &[&format!("arn:aws:iam::{ID}:mfa/ann")])]);
    owned.root.devices.push(format!("arn:aws:iam::{ID}:mfa/zzz"));
    let case = |what, to: &str| Case {
        what,
        account: owned.clone(),
        operation: "ListVirtualMFADevices",
        fault: rewrite("</member>", to),
        collector: "devices",
        class: MALFORMED,
        control: "IAM.6",
    };
    are_refused(vec![
        case("a character that XML does not have", "</member>\u{1}"),
        case("a comment that is none", "</member><!-- a -- b -->"),
        case("an instruction without a name", "</member><? ?>"),
    ]);
}

#[test]
fn a_user_in_the_list_has_all_that_a_user_has() {
    let arn = format!("<Arn>arn:aws:iam::{ID}:user/ann</Arn>");
    let case = |what, from: &str, to: &str, class| Case {
        what,
        account: account(vec![console("ann", &[&format!("arn:aws:iam::{ID}:mfa/ann")])]),
        operation: "ListUsers",
        fault: rewrite(from, to),
        collector: "users",
        class,
        control: "IAM.19",
    };
    are_refused(vec![
        case("no ARN", &arn, "", INCOMPLETE),
        case("no name", "<UserName>ann</UserName>", "", INCOMPLETE),
        case("no path", "<Path>/</Path>", "", INCOMPLETE),
        case("an empty id", &format!("<UserId>{}</UserId>", User::named("ann").user_id()), "<UserId/>", INCOMPLETE),
        case("no time", "<CreateDate>2024-01-02T03:04:05Z</CreateDate>", "", INCOMPLETE),
        case("a time that cannot be", "2024-01-02T03:04:05Z", "2024-13-02T03:04:05Z", MALFORMED),
        case("another account's user", &arn, "<Arn>arn:aws:iam::222222222222:user/ann</Arn>", MALFORMED),
        case("another's ARN", &arn, &format!("<Arn>arn:aws:iam::{ID}:user/bob</Arn>"), MALFORMED),
        case("a role", &arn, &format!("<Arn>arn:aws:iam::{ID}:role/ann</Arn>"), MALFORMED),
        case(
            "one name twice",
            "</member>",
            &format!(
                "</member><member><Path>/</Path><UserName>ann</UserName><UserId>AIDAOTHER</UserId>{arn}<CreateDate>2024-01-02T03:04:05Z</CreateDate></member>"
            ),
            MALFORMED,
        ),
    ]);
}

#[test]
fn a_summary_that_can_be_read_in_two_ways_is_not_read() {
    let on = |value: &str| format!("<key>AccountMFAEnabled</key>\n        <value>{value}");
    let case = |what, from: &str, to: &str, class| Case {
        what,
        account: Account::with_root_devices(ID, &[]),
        operation: "GetAccountSummary",
        fault: rewrite(from, to),
        collector: "root",
        class,
        control: "IAM.9",
    };
    are_refused(vec![
        case("two values", &on("0"), &on("0</value><value>1"), MALFORMED),
        case("a value cut by a comment", &on("0"), &on("1<!-- -->0"), MALFORMED),
        case("a value in CDATA", &on("0"), &on("<![CDATA[1]]>"), MALFORMED),
        case("a value with a sign", &on("0"), &on("+1"), MALFORMED),
        case("a value below nothing", &on("0"), &on("-1"), MALFORMED),
        case(
            "a key spelt otherwise",
            "<SummaryMap>",
            "<SummaryMap><entry><key>Account&#77;FAEnabled</key><value>1</value></entry>",
            MALFORMED,
        ),
        case(
            "a key in CDATA",
            "<SummaryMap>",
            "<SummaryMap><entry><key><![CDATA[AccountMFAEnabled]]></key><value>1</value></entry>",
            MALFORMED,
        ),
        case(
            "two keys in one entry",
            "<key>AccountMFAEnabled</key>",
            "<key>Users</key><key>AccountMFAEnabled</key>",
            MALFORMED,
        ),
        case("two maps", "<SummaryMap>", "<SummaryMap/><SummaryMap>", MALFORMED),
        case(
            "two results",
            "<GetAccountSummaryResult>",
            "<GetAccountSummaryResult/><GetAccountSummaryResult>",
            MALFORMED,
        ),
        case("an entry without a value", "<SummaryMap>", "<SummaryMap><entry><key>Odd</key></entry>", MALFORMED),
        case("text in the map", "<SummaryMap>", "<SummaryMap>text", MALFORMED),
    ]);
}

#[test]
fn an_owner_who_cannot_be_told_leaves_hardware_unknown() {
    let root = format!("arn:aws:iam::{ID}:root");
    let (id, arn) = (format!("<UserId>{ID}</UserId>"), format!("<Arn>{root}</Arn>"));
    let user = format!("<Arn>arn:aws:iam::{ID}:user/ann</Arn>");
    let rows = [
        ("root's id alone", arn.clone(), String::new()),
        ("root's id and a user's ARN", arn.clone(), user.clone()),
        ("a user's ARN without an id", format!("{id}{arn}"), user),
        ("another account's root", arn.clone(), "<Arn>arn:aws:iam::222222222222:root</Arn>".to_owned()),
        ("another partition's root", arn.clone(), format!("<Arn>arn:aws-cn:iam::{ID}:root</Arn>")),
        ("a role", arn.clone(), format!("<Arn>arn:aws:iam::{ID}:role/ann</Arn>")),
        (
            "a role with an id",
            format!("{id}{arn}"),
            format!("<UserId>AROAEXAMPLE</UserId><Arn>arn:aws:iam::{ID}:role/ann</Arn>"),
        ),
        ("root's ARN and a user's id", id.clone(), "<UserId>AIDAEXAMPLE</UserId>".to_owned()),
        ("nobody", format!("{id}{arn}"), String::new()),
    ];
    thread::scope(|scope| {
        for (what, from, to) in rows {
            scope.spawn(move || {
                let sim = sim(Account::with_root_devices(ID, &[&format!("arn:aws:iam::{ID}:mfa/phone")]));
                sim.fault(ID, Some("ListVirtualMFADevices"), rewrite(&from, &to));
                let exporter = start(&sim);
                let is_unknown = |samples: &Samples| {
                    let status = samples.status("IAM.6");
                    assert_ne!(status, "passed", "{what}\n{}", exporter.log());
                    status == "unknown" && samples.value("aws_mfa_exporter_initial_pass_complete") == Some(1.0)
                };
                exporter.wait_for(what, SOON, is_unknown);
                thread::sleep(Duration::from_millis(2_500));
                let samples = exporter.metrics();
                assert!(is_unknown(&samples), "{what}");
                let count = format!("aws_mfa_root_virtual_devices{{account_id=\"{ID}\"}}");
                assert_eq!(samples.value(&count), None, "{what}: no count is made up");
            });
        }
    });
}

/// Root's ARN alone says that it is root's.
#[test]
fn root_is_told_by_its_arn_alone() {
    let sim = sim(Account::with_root_devices(ID, &[&format!("arn:aws:iam::{ID}:mfa/phone")]));
    sim.fault(ID, Some("ListVirtualMFADevices"), rewrite(&format!("<UserId>{ID}</UserId>"), ""));
    start(&sim).expect("IAM.6", "failed");
}

/// "There is no such thing" is an answer only in the form that AWS gives it.
#[test]
fn a_refusal_that_can_be_read_in_two_ways_is_no_answer() {
    let nobody = account(vec![User { access_keys: vec![true], ..User::named("ann") }]);
    let case = |what, operation, fault, class| Case {
        what,
        account: nobody.clone(),
        operation,
        fault,
        collector: "users",
        class,
        control: if operation == "GetLoginProfile" { "IAM.5" } else { "IAM.19" },
    };
    let code = "<Code>NoSuchEntity</Code>";
    are_refused(vec![
        case("two codes", "GetLoginProfile", rewrite(code, &format!("<Code>AccessDenied</Code>{code}")), MALFORMED),
        case(
            "two errors",
            "GetLoginProfile",
            rewrite("<Error>", "<Error><Code>AccessDenied</Code></Error><Error>"),
            MALFORMED,
        ),
        case("an error as if it were none", "GetLoginProfile", Fault::Error(200, "NoSuchEntity"), MALFORMED),
        case("a proxy's page", "GetLoginProfile", Fault::NotXml, MALFORMED),
        case("compressed", "GetLoginProfile", Fault::Gzip, "rejected"),
        case("compressed devices", "ListMFADevices", Fault::Gzip, MALFORMED),
        case("compressed users", "ListUsers", Fault::Gzip, MALFORMED),
        case("devices as if it were an error", "ListMFADevices", Fault::Error(200, "NoSuchEntity"), MALFORMED),
    ]);
}

#[test]
fn markers_that_alternate_end_no_list_and_no_run_waits_for_the_deadline() {
    let token = || account(vec![console("ann", &[TOKEN])]);
    let case = |operation, collector, control| Case {
        what: operation,
        account: token(),
        operation,
        fault: Fault::MarkerCycle,
        collector,
        class: MALFORMED,
        control,
    };
    are_refused(vec![
        case("ListMFADevices", "users", "IAM.5"),
        case("ListUsers", "users", "IAM.5"),
        case("ListVirtualMFADevices", "devices", "IAM.6"),
    ]);
    let sim = sim(token());
    sim.fault(ID, Some("ListMFADevices"), Fault::MarkerCycle);
    let exporter = start(&sim);
    exporter.wait_for("malformed", SOON, |samples| samples.fault("users") == MALFORMED);
    assert!(sim.count(ID, "ListMFADevices") <= 12, "{}", sim.count(ID, "ListMFADevices"));
}

/// Whatever is wrong with the list of accounts, discovery is down and says so.
#[test]
fn a_list_of_accounts_that_can_be_read_in_two_ways_is_not_read() {
    let rows = [
        ("tokens that alternate", Fault::MarkerCycle, MALFORMED),
        ("an empty token", rewrite("{\"Accounts\"", "{\"NextToken\":\"\",\"Accounts\""), MALFORMED),
        ("two lists", rewrite("{\"Accounts\"", "{\"Accounts\":[],\"Accounts\""), MALFORMED),
        ("two ids", rewrite("\"Id\":", "\"Id\":\"222222222222\",\"Id\":"), MALFORMED),
        ("no id", rewrite("\"Id\":", "\"Odd\":"), MALFORMED),
        ("no list", rewrite("{\"Accounts\"", "{\"Members\""), INCOMPLETE),
        ("an error as if it were none", Fault::Error(200, "AccessDeniedException"), INCOMPLETE),
        ("compressed", Fault::Gzip, MALFORMED),
    ];
    thread::scope(|scope| {
        for (what, fault, class) in rows {
            scope.spawn(move || {
                let own = Member::new(ID, "own");
                let sim = Sim::start(Scenario {
                    accounts: vec![healthy()],
                    credentials: [(KEY.to_owned(), ID.to_owned())].into(),
                    organization: Some(Organization {
                        management: ID.into(),
                        members: vec![own],
                        ..Organization::default()
                    }),
                    ..Scenario::default()
                })
                .unwrap();
                sim.fault(ID, Some("ListAccounts"), fault);
                let exporter = Exporter::start(&sim.endpoint(), &["--organization.role-name=aws-mfa-exporter"]);
                let began = std::time::Instant::now();
                while !exporter.log().contains(&format!("fault={class}")) {
                    assert!(began.elapsed() < SOON, "{what}: {}", exporter.log());
                    thread::sleep(Duration::from_millis(50));
                }
                assert!(exporter.log().contains("ListAccounts: "), "{what}: {}", exporter.log());
                assert_eq!(exporter.metrics().value("aws_mfa_discovery_up"), Some(0.0), "{what}");
            });
        }
    });
}
