//! Scenarios as the program reads them.

use crate::{Member, Organization, ROOT, Role, Scenario, User};

const TEXT: &str = r#"
accounts:
- id: "000000000001"
  roles:
  - {name: plain}
  - {name: a/b, external_id: sesame, max_session_seconds: 7200, trusts: ["000000000002"]}
organization:
  id: o-other
  management: "000000000001"
  delegated: ["000000000002"]
  page_size: 5
  units: [{id: ou-a, name: Workloads, parent: r-root}]
  members:
  - {id: "000000000001", name: own}
  - {id: "000000000002", state: null, status: SUSPENDED, unit: ou-a, email: a@example.net, tags: {team: x}}
"#;

#[test]
fn roles_and_organizations_are_read() {
    let scenario: Scenario = serde_saphyr::from_str(TEXT).unwrap();
    let [plain, full] = &scenario.accounts[0].roles[..] else { panic!("{scenario:?}") };
    assert_eq!((plain, plain.max_session_seconds), (&Role::named("plain"), 3_600));
    assert_eq!((full.max_session_seconds, full.external_id.as_deref()), (7_200, Some("sesame")));
    let organization = scenario.organization.unwrap();
    assert_eq!((&*organization.id, organization.page_size), ("o-other", 5));
    assert_eq!(organization.members[0], Member::new("000000000001", "own"));
    assert_eq!((&*organization.members[0].unit, &*organization.members[1].unit), (ROOT, "ou-a"));
    assert_eq!((organization.members[1].state.as_deref(), &*organization.members[1].tags["team"]), (None, "x"));
    assert_eq!(organization.units[0].parent, ROOT);
}

#[test]
fn what_is_left_out_has_its_default_and_what_is_misspelt_is_an_error() {
    let scenario: Scenario = serde_saphyr::from_str("organization: {}").unwrap();
    assert_eq!(scenario.organization, Some(Organization::default()));
    for wrong in ["organization: {members: [{ou: x}]}", "accounts: [{roles: [{external: x}]}]"] {
        assert!(serde_saphyr::from_str::<Scenario>(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn users_are_read() {
    let text = r#"
accounts:
- root: {password: true, password_last_used: "2026-01-02T03:04:05Z"}
  report_omit_columns: [mfa_active]
  users:
  - {name: backup-reader}
  - {name: ci-deployer, id: AIDAEXAMPLE, path: /ci/, created: "2025-01-01T00:00:00Z", access_keys: [true, false]}
  - {name: console-operator, password: true, password_last_changed: "2025-01-01T00:00:00Z", devices: [GAHT12345678]}
"#;
    let scenario: Scenario = serde_saphyr::from_str(text).unwrap();
    let account = &scenario.accounts[0];
    assert_eq!(account.root.password_last_used.as_deref(), Some("2026-01-02T03:04:05Z"));
    assert_eq!(account.report_omit_columns, ["mfa_active"]);
    let [reader, deployer, operator] = &account.users[..] else { panic!("{account:?}") };
    assert_eq!((reader, &*reader.created), (&User::named("backup-reader"), "2024-01-02T03:04:05Z"));
    assert_eq!((&*deployer.user_id(), &deployer.access_keys[..]), ("AIDAEXAMPLE", &[true, false][..]));
    assert!(operator.password && operator.password_last_used.is_none() && operator.devices == ["GAHT12345678"]);
    assert!(serde_saphyr::from_str::<Scenario>("accounts: [{users: [{access_key: [true]}]}]").is_err());
}
