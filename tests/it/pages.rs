//! From an account that loses root's MFA to the webhook that pages, and what else
//! an organization and its exporters go through.

/// The programs, and how they are strung together.
pub mod chain;

use std::{
    collections::BTreeSet,
    fs,
    io::Write as _,
    path::Path,
    time::{Duration, Instant},
};

use aws_sim::{Account, Fault, FaultId, Member, Organization, Role, Scenario, Sim};

use self::chain::{Chain, Notice, Victoria};
use crate::{
    peers::wait_until,
    rules::installations,
    support::{Exporter, ID, KEY, Samples, healthy, sim},
};

const OWN: &str = "000000000001";
const ROLE: &str = "aws-mfa-exporter";
const MEMBERS: [&str; 5] = ["100000000001", "100000000002", "100000000003", "100000000004", "100000000005"];
/// A member that outlives the first outage.
const LAST: &str = "100000000006";
const ROLELESS: &str = "100000000007";
const FRESH: &str = "100000000008";
/// A member that was never protected, from the beginning.
const BARE: &str = "100000000009";
/// How long that may be so before it pages.
const UNPROTECTED_GRACE: Duration = Duration::from_secs(60);

/// From the change in the account to the arrival of the page.
const TARGET: Duration = Duration::from_secs(10);

fn account(id: &str) -> Account {
    let fido = Account { id: id.into(), ..Account::default() }.root_fido_serial("key");
    Account { roles: vec![Role::named(ROLE)], ..Account::with_root_devices(id, &[&fido]) }
}

fn bare(id: &str) -> Account {
    Account { roles: vec![Role::named(ROLE)], ..Account::with_root_devices(id, &[]) }
}

fn organization() -> Scenario {
    let ids = || [OWN].into_iter().chain(MEMBERS).chain([LAST, BARE]);
    let members = ids().map(|id| Member::new(id, &format!("name-{id}"))).collect();
    Scenario {
        organization: Some(Organization { management: OWN.into(), members, ..Organization::default() }),
        accounts: ids().map(|id| if id == BARE { bare(id) } else { account(id) }).collect(),
        credentials: [(KEY.to_owned(), OWN.to_owned())].into(),
        ..Scenario::default()
    }
}

/// Shows a figure also where the output of tests that pass is not shown.
fn say(figure: &str) {
    std::io::stderr().write_all(format!("{figure}\n").as_bytes()).unwrap();
}

/// The story of one organization, told to one Prometheus and one Alertmanager.
fn story(installation: Option<&Path>) {
    let which = if installation.is_some() { "Prometheus 3" } else { "Debian's Prometheus" };
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), format!("organization: {{role_name: {ROLE}, interval: 10s}}\n")).unwrap();
    let flag = format!("--config.file={}", file.path().display());
    let mut chain = Chain::start(installation, Sim::start(organization()).unwrap());
    let began = Instant::now();
    let endpoint = chain.sim.endpoint();
    chain.add_exporter(&endpoint, &[&flag]);
    let protected = r#"count(account_control:aws_mfa_control_last_protected_timestamp_seconds:max{control="IAM.9"})"#;
    wait_until("all is well", Duration::from_secs(60), || chain.ask(protected)[0]["value"][1] == "7");
    assert!(chain.webhook.notices().iter().all(|notice| notice.receiver != "pager"), "nothing is wrong yet");

    what_was_never_protected_pages_in_time(&chain, began, which);
    root_mfa_goes_off(&chain, which);
    let management = it_comes_back_and_aws_denies(&chain, which);
    accounts_join(&chain, management, which);
    the_exporter_is_killed_and_comes_back(&mut chain, &endpoint, &flag, which);
    prometheus_is_killed_and_comes_back(&mut chain);
    the_exporter_is_scaled_away(&mut chain, which);
    no_page_came_twice_and_none_was_taken_back(&chain);
}

/// A ticket at once, which the example keeps back for a while, and a page when the time to mend it is over.
fn what_was_never_protected_pages_in_time(chain: &Chain, began: Instant, which: &str) {
    wait_until("the ticket", Duration::from_secs(30), || chain.active("AwsMfaRootMfaOff").contains(BARE));
    assert!(chain.active("AwsMfaNewAccountRootMfaOff").is_empty(), "no page yet");
    let took = chain.wait_for("AwsMfaNewAccountRootMfaOff", BARE) - began;
    say(&format!("{which}: unprotected from the beginning, to the page, with 30 s in which to gather: {took:?}"));
    assert!(took >= UNPROTECTED_GRACE, "{took:?}");
    let page = &chain.webhook.of("AwsMfaNewAccountRootMfaOff", "firing")[0];
    assert_eq!((page.receiver.as_str(), page.alerts.len()), ("pager", 1));
}

fn root_mfa_goes_off(chain: &Chain, which: &str) {
    let [one, two, three, ..] = MEMBERS;
    let mut took = [one, two, three].map(|account| {
        chain.sim.edit(account, |account| account.root.devices.clear());
        let began = Instant::now();
        chain.wait_for("AwsMfaRootMfaRegressed", account) - began
    });
    say(&format!("{which}: from root MFA off to the page: {took:?}"));
    // Of three, since something else may have the machine for a moment.
    took.sort();
    assert!(took[1] <= TARGET, "{took:?}");
    let pages = chain.webhook.of("AwsMfaRootMfaRegressed", "firing");
    assert!(pages.iter().all(|page| page.alerts.len() == 1), "each account is a page of its own");
    let text = pages[0].alerts[0]["annotations"]["description"].as_str().unwrap();
    assert!(text.contains(&format!("Account {one} (name-{one}): the root user has credentials")), "{text}");
}

/// MFA is on again in one account; then AWS denies everything in most members, a
/// while later in one more, and in the management account: the fault there.
fn it_comes_back_and_aws_denies(chain: &Chain, which: &str) -> FaultId {
    let (one, webhook) = (MEMBERS[0], &chain.webhook);
    // Whoever it is that signs in, AWS makes them register a device.
    let fido = chain.sim.account(one).root_fido_serial("nobody-knows");
    chain.sim.edit(one, |account| account.root.devices.push(fido));
    let (off, on) = (webhook.told("pager", "AwsMfaRootMfaRegressed", one, "firing").unwrap(), Instant::now());
    assert!(on - off < Duration::from_secs(60), "the device comes on within a minute of the page: {:?}", on - off);
    let is_on = |samples: &Samples| samples.status_of(one, "IAM.9") == "passed";
    chain.exporters[0].wait_for("MFA on again", Duration::from_secs(25), is_on);
    let began = Instant::now();
    let page = chain.wait_for("AwsMfaRootMfaOnAfterFailure", one);
    say(&format!("{which}: from an unknown device to the page of the change: {:?}", page - began));
    assert_eq!(webhook.of("AwsMfaRootMfaOnAfterFailure", "firing")[0].receiver, "pager");
    let began = Instant::now();
    MEMBERS.into_iter().for_each(|account| _ = chain.sim.fault(account, None, Fault::AccessDenied));
    let unknown = chain.wait_for("AwsMfaRootMfaUnknown", one);
    say(&format!("{which}: from the denial to the page, with 30 s in which to gather: {:?}", unknown - began));
    let pages = webhook.of("AwsMfaRootMfaUnknown", "firing");
    assert_eq!((pages.len(), pages[0].alerts.len()), (1, 5), "one page for all of them");
    assert_eq!(pages[0].receiver, "pager");
    let text = pages[0].alerts[0]["annotations"]["description"].as_str().unwrap();
    assert!(text.contains("root access_denied"), "{text}");
    assert_eq!(chain.active("AwsMfaRootMfaRegressed"), still_off(), "what is unknown has not been mended");

    // The first outage is still there, and the second is a page all the same, as is the management account.
    let began = Instant::now();
    let [_, denied] = [LAST, OWN].map(|account| chain.sim.fault(account, None, Fault::AccessDenied));
    let management = chain.wait_for("AwsMfaManagementRootMfaUnknown", OWN);
    let second = chain.wait_for("AwsMfaRootMfaUnknown", LAST);
    say(&format!(
        "{which}: the same while others are unknown: {:?}, in the management account without the 30 s: {:?}",
        second - began,
        management - began
    ));
    let pages = webhook.of("AwsMfaRootMfaUnknown", "firing");
    assert_eq!((pages.len(), pages[1].alerts.len()), (2, 1), "a page of its own");
    let resolved = || webhook.told("pager", "AwsMfaRootMfaRegressed", one, "resolved");
    wait_until("the regression is taken back", Duration::from_secs(60), || resolved().is_some());
    assert_eq!(chain.active("AwsMfaRootMfaOnAfterFailure"), came_on(), "the page of the change stays");
    denied
}

/// One account joins that has no role yet, and one whose root user is unprotected.
fn accounts_join(chain: &Chain, management: FaultId, which: &str) {
    let began = Instant::now();
    // Nobody is let in for a moment, which would be the end of an outage and the next one.
    chain.sim.clear(management);
    chain.sim.add(Account { roles: Vec::new(), ..account(ROLELESS) });
    chain.sim.add(bare(FRESH));
    chain.sim.edit_organization(|organization| {
        organization.members.extend([ROLELESS, FRESH].map(|id| Member::new(id, "new")));
    });
    let page = chain.wait_for("AwsMfaNewAccountRootMfaOff", FRESH);
    say(&format!(
        "{which}: from a new unprotected account to the page, with 30 s in which to gather: {:?}",
        page - began
    ));
    let ticket = chain.wait_for("AwsMfaAccountNeverRead", ROLELESS);
    say(&format!("{which}: from a new account without a role to the ticket: {:?}", ticket - began));
    let told = |notice: &Notice| notice.alerts.iter().any(|told| told["labels"]["account_id"] == ROLELESS);
    assert!(chain.webhook.notices().iter().filter(|notice| told(notice)).all(|notice| notice.receiver == "tickets"));
}

fn the_exporter_is_killed_and_comes_back(chain: &mut Chain, endpoint: &str, flag: &str, which: &str) {
    let mut exporter = chain.exporters.remove(0);
    exporter.signal("-KILL");
    exporter.wait();
    let killed = Instant::now();
    let took = chain.wait_for("AwsMfaExporterAbsent", "") - killed;
    say(&format!("{which}: from the kill to the page, `for: 2s` included: {took:?}"));
    assert!(took <= TARGET * 2, "{took:?}");
    // Long enough for whatever is not inhibited to come, and for a page to be taken back.
    std::thread::sleep(Duration::from_secs(20));
    chain.add_exporter(endpoint, &[flag]);
    let resolved = || !chain.webhook.of("AwsMfaExporterAbsent", "resolved").is_empty();
    wait_until("it is there again", Duration::from_secs(60), resolved);
}

fn prometheus_is_killed_and_comes_back(chain: &mut Chain) {
    chain.restart_prometheus();
    wait_until("it scrapes", Duration::from_secs(60), || !chain.ask("aws_mfa_exporter_build_info").is_null());
    std::thread::sleep(Duration::from_secs(20));
}

/// The exporter of another organization is there when the first one leaves service discovery.
fn the_exporter_is_scaled_away(chain: &mut Chain, which: &str) {
    let other = sim(healthy());
    chain.add_exporter(&other.endpoint(), &[]);
    wait_until("both are scraped", Duration::from_secs(60), || {
        chain.ask("count(aws_mfa_exporter_build_info)")[0]["value"][1] == "2"
    });
    drop(chain.exporters.remove(0));
    chain.scrape();
    let began = Instant::now();
    let took = chain.wait_for("AwsMfaAccountsUnwatched", "") - began;
    say(&format!("{which}: from an exporter that leaves service discovery to the page, `for: 5s` included: {took:?}"));
    let page = &chain.webhook.of("AwsMfaAccountsUnwatched", "firing")[0].alerts[0];
    let text = page["annotations"]["description"].as_str().unwrap();
    assert!(text.contains("Accounts of job aws-mfa-exporter that no exporter watches now: 10."), "{text}");
    std::thread::sleep(Duration::from_secs(20));
    assert_eq!(chain.active("AwsMfaRootMfaRegressed"), still_off(), "what nobody watches has not been mended");
    assert_eq!(chain.active("AwsMfaRootMfaOnAfterFailure"), came_on(), "nor has anybody said whose device it is");
    assert_eq!(chain.active("AwsMfaNewAccountRootMfaOff"), [FRESH, BARE].map(String::from).into(), "nor been secured");
}

fn no_page_came_twice_and_none_was_taken_back(chain: &Chain) {
    let sent = |alert: &str, status: &str| {
        let notices = chain.webhook.of(alert, status).into_iter().flat_map(|notice| notice.alerts);
        notices.filter(|told| told["status"] == status).count()
    };
    assert_eq!(sent("AwsMfaRootMfaRegressed", "firing"), 3, "no page twice");
    assert_eq!(sent("AwsMfaRootMfaRegressed", "resolved"), 1, "and none taken back but the one");
    assert_eq!(sent("AwsMfaRootMfaOnAfterFailure", "firing"), 1, "of the account that has MFA again");
    assert_eq!(sent("AwsMfaRootMfaOnAfterFailure", "resolved"), 0, "it waits for somebody to say whose device it is");
    assert_eq!(sent("AwsMfaRootMfaUnknown", "resolved"), 0, "nobody has looked, so nothing is resolved");
    let unknown = chain.webhook.of("AwsMfaRootMfaUnknown", "firing").len();
    assert_eq!(unknown, 2, "two outages, each told once");
    let told_off = |id: &str| chain.webhook.told("tickets", "AwsMfaRootMfaOff", id, "firing").is_some();
    assert!(!MEMBERS.into_iter().any(told_off), "inhibited: a regression says more");
    assert_eq!(sent("AwsMfaNewAccountRootMfaOff", "resolved"), 0, "they are as they were");
    assert_eq!(sent("AwsMfaExporterDown", "firing"), 0, "inhibited: other alerts say more");
    assert_eq!(sent("AwsMfaAccountVanished", "firing"), 0, "nobody has dropped an account");
    let pages = chain.webhook.notices().into_iter().filter(|notice| notice.receiver == "pager");
    let about = |notice: Notice| notice.alerts.into_iter().map(|told| told["labels"]["alertname"].to_string());
    let about: BTreeSet<_> = pages.flat_map(about).collect();
    assert_eq!(about.len(), 7, "regressed, on after failure, unknown, management, new, absent, unwatched: {about:?}");
}

/// The account in which MFA came on after it was off.
fn came_on() -> BTreeSet<String> {
    [MEMBERS[0].to_owned()].into()
}

/// The accounts that have lost their MFA for good.
fn still_off() -> BTreeSet<String> {
    MEMBERS[1..3].iter().map(ToString::to_string).collect()
}

#[test]
fn root_mfa_off_pages_and_so_does_silence() {
    story(None);
}

#[test]
fn root_mfa_off_pages_with_prometheus_3_too() {
    for installation in installations().into_iter().flatten() {
        story(Some(&installation));
    }
}

/// Root MFA goes off, then AWS denies, then the exporter is gone.
fn victoria(installation: Option<&Path>, flags: &[&str], which: &str) {
    let sim = sim(healthy());
    let mut exporter = Exporter::fast(&sim);
    exporter.expect("IAM.9", "passed");
    let victoria = Victoria::start(installation, &exporter.address, flags);
    // It has to be seen protected, or this is no regression.
    std::thread::sleep(Duration::from_secs(20));
    sim.edit(ID, |account| account.root.devices.clear());
    let began = Instant::now();
    let took = victoria.webhook.wait_for("AwsMfaRootMfaRegressed", ID) - began;
    say(&format!("{which}: from root MFA off to the page: {took:?}"));
    let text =
        victoria.webhook.of("AwsMfaRootMfaRegressed", "firing")[0].alerts[0]["annotations"]["description"].clone();
    let starts = format!(
        "Account {ID}: the root user has credentials and no MFA device. The exporter last saw it protected at 20"
    );
    assert!(text.as_str().unwrap().starts_with(&starts), "{text}");
    sim.fault(ID, None, Fault::AccessDenied);
    let began = Instant::now();
    let took = victoria.webhook.wait_for("AwsMfaRootMfaUnknown", ID) - began;
    say(&format!("{which}: from the denial to the page, with 30 s in which to gather: {took:?}"));
    // It was absent before its first scrape, too.
    let absent = || victoria.webhook.of("AwsMfaExporterAbsent", "firing").len();
    let (before, began) = (absent(), Instant::now());
    exporter.signal("-KILL");
    exporter.wait();
    wait_until("absent", Duration::from_secs(120), || absent() > before);
    say(&format!("{which}: from the kill to the page: {:?}", began.elapsed()));
    assert!(
        victoria.webhook.of("AwsMfaRootMfaRegressed", "resolved").is_empty(),
        "what nobody watches has not been mended"
    );
}

#[test]
fn an_old_vmalert_pages_with_the_simple_alerts() {
    victoria(None, &["--set=simple"], "Debian's vmalert");
}

#[test]
fn a_newer_vmalert_pages_with_the_full_ones() {
    for installation in installations().into_iter().flatten() {
        victoria(Some(&installation), &[], "a newer vmalert");
    }
}
