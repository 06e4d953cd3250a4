//! Organizations: the lists, who may read them, and what can be wrong with them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::client::{Response, organizations, query, try_organizations};
use crate::{Account, Fault, Member, Organization, ROOT, Scenario, Sim, Unit};

const MANAGEMENT: &str = "000000000001";
const DELEGATED: &str = "100000000001";
const MEMBER: &str = "100000000002";

fn id(n: usize) -> String {
    if n == 0 { MANAGEMENT.to_owned() } else { format!("1{n:011}") }
}

fn scenario(count: usize) -> Scenario {
    let members = (0..count).map(|n| Member::new(&id(n), &format!("name-{n}"))).collect();
    let keys = [("AKIAMANAGEMENT", MANAGEMENT), ("AKIADELEGATED", DELEGATED), ("AKIAMEMBER", MEMBER)];
    Scenario {
        accounts: keys.map(|(_, id)| Account::with_root_devices(id, &[])).into(),
        credentials: BTreeMap::from(keys.map(|(key, id)| (key.to_owned(), id.to_owned()))),
        organization: Some(Organization {
            management: MANAGEMENT.into(),
            delegated: vec![DELEGATED.into()],
            members,
            ..Organization::default()
        }),
        ..Scenario::default()
    }
}

fn simulation(count: usize) -> Sim {
    Sim::start(scenario(count)).unwrap()
}

fn ask(sim: &Sim, operation: &str, params: &Value) -> Response {
    organizations(sim, "AKIAMANAGEMENT", operation, params)
}

/// The values of `field` in all pages of a list, and the lengths of the pages.
fn all(sim: &Sim, operation: &str, list: &str, field: &str, params: &Value) -> (Vec<String>, Vec<usize>) {
    let (mut values, mut lengths, mut params) = (Vec::new(), Vec::new(), params.clone());
    loop {
        let page = ask(sim, operation, &params).json();
        let items = page[list].as_array().unwrap();
        lengths.push(items.len());
        values.extend(items.iter().map(|item| item[field].as_str().unwrap().to_owned()));
        match page.get("NextToken") {
            Some(token) => params["NextToken"] = token.clone(),
            None => return (values, lengths),
        }
    }
}

fn wanted(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(id).collect()
}

#[test]
fn accounts_are_listed_in_pages() {
    let sim = simulation(45);
    let list = |params: &Value| all(&sim, "ListAccounts", "Accounts", "Id", params);
    assert_eq!(list(&json!({"MaxResults": 20})), (wanted(0..45), vec![20, 20, 5]));
    assert_eq!(list(&json!({"MaxResults": 15})), (wanted(0..45), vec![15, 15, 15]), "no page more than there is");
    sim.edit_organization(|organization| organization.page_size = 44);
    assert_eq!(list(&json!({})), (wanted(0..45), vec![44, 1]));
    for wrong in [json!({"MaxResults": 0}), json!({"MaxResults": 21}), json!({"NextToken": "there"})] {
        assert_eq!(ask(&sim, "ListAccounts", &wrong).error(), (400, "InvalidInputException".to_owned()), "{wrong}");
    }
}

#[test]
fn an_account_says_what_the_scenario_says() {
    let mut scenario = scenario(3);
    let members = &mut scenario.organization.as_mut().unwrap().members;
    (members[1].state, members[1].status) = (None, Some("SUSPENDED".into()));
    members[2] = Member { email: "two@example.net".into(), name: "zwölf".into(), ..members[2].clone() };
    let sim = Sim::start(scenario).unwrap();
    let reply = ask(&sim, "ListAccounts", &json!({}));
    assert_eq!((reply.status, &*reply.content_type), (200, "application/x-amz-json-1.1"));
    let accounts = &reply.json()["Accounts"];
    assert_eq!((&accounts[0]["State"], accounts[0].get("Status")), (&json!("ACTIVE"), None));
    assert_eq!((accounts[1].get("State"), &accounts[1]["Status"]), (None, &json!("SUSPENDED")));
    assert_eq!(
        accounts[2],
        json!({
            "Id": MEMBER, "Name": "zwölf", "Email": "two@example.net", "State": "ACTIVE",
            "Arn": "arn:aws:organizations::000000000001:account/o-example/100000000002",
            "JoinedMethod": "CREATED", "JoinedTimestamp": 1_700_000_000.5,
        })
    );
    assert_eq!(accounts[0]["Email"], json!("000000000001@example.org"));
}

#[test]
fn the_management_account_and_delegated_ones_may_list_and_no_others() {
    let sim = simulation(3);
    let may = |key, operation| organizations(&sim, key, operation, &json!({"ParentId": ROOT, "ResourceId": MEMBER}));
    let lists = [
        "ListAccounts",
        "ListRoots",
        "ListOrganizationalUnitsForParent",
        "ListAccountsForParent",
        "ListTagsForResource",
    ];
    for operation in lists {
        assert_eq!(may("AKIAMANAGEMENT", operation).status, 200, "{operation}");
        assert_eq!(may("AKIADELEGATED", operation).status, 200, "{operation}");
        assert_eq!(may("AKIAMEMBER", operation).error(), (400, "AccessDeniedException".to_owned()), "{operation}");
        assert_eq!(may("AKIANOBODY", operation).error(), (400, "UnrecognizedClientException".to_owned()));
        assert_eq!(may("", operation).error(), (400, "MissingAuthenticationTokenException".to_owned()));
    }
    assert_eq!(may("AKIAMANAGEMENT", "ListMoons").error(), (400, "UnknownOperationException".to_owned()));
    let described = may("AKIAMEMBER", "DescribeOrganization").json();
    let described = &described["Organization"];
    assert_eq!((&described["Id"], &described["FeatureSet"]), (&json!("o-example"), &json!("ALL")));
    assert_eq!(described["MasterAccountId"], json!(MANAGEMENT), "any member may know that");
    assert_eq!(
        described["MasterAccountArn"],
        json!("arn:aws:organizations::000000000001:account/o-example/000000000001")
    );
}

#[test]
fn without_an_organization_there_is_nothing_to_list() {
    let sim = Sim::start(Scenario { organization: None, ..scenario(1) }).unwrap();
    for operation in ["ListAccounts", "DescribeOrganization"] {
        let reply = ask(&sim, operation, &json!({}));
        assert_eq!(reply.error(), (400, "AWSOrganizationsNotInUseException".to_owned()));
    }
}

#[test]
fn the_tree_is_listed_level_by_level() {
    let mut scenario = scenario(50);
    let organization = scenario.organization.as_mut().unwrap();
    let unit = |id: &str, name: &str, parent: &str| Unit { id: id.into(), name: name.into(), parent: parent.into() };
    organization.units = vec![unit("ou-a", "Workloads", ROOT), unit("ou-b", "Sandbox", "ou-a")];
    organization.members[5..45].iter_mut().for_each(|member| member.unit = "ou-b".into());
    let sim = Sim::start(scenario).unwrap();
    let below = |parent| {
        let params = json!({"ParentId": parent});
        let units = all(&sim, "ListOrganizationalUnitsForParent", "OrganizationalUnits", "Name", &params).0;
        (units, all(&sim, "ListAccountsForParent", "Accounts", "Id", &params))
    };
    assert_eq!(all(&sim, "ListRoots", "Roots", "Id", &json!({})), (vec![ROOT.to_owned()], vec![1]));
    let top = [wanted(0..5), wanted(45..50)].concat();
    assert_eq!(below(ROOT), (vec!["Workloads".to_owned()], (top, vec![10])));
    assert_eq!(below("ou-a"), (vec!["Sandbox".to_owned()], (Vec::new(), vec![0])));
    assert_eq!(below("ou-b"), (Vec::new(), (wanted(5..45), vec![20, 20])));
    let lost = ask(&sim, "ListAccountsForParent", &json!({"ParentId": "ou-c"}));
    assert_eq!(lost.error(), (400, "ParentNotFoundException".to_owned()));
}

#[test]
fn tags_are_listed_in_pages() {
    let mut scenario = scenario(2);
    let tags = (0..25).map(|n| (format!("key-{n:02}"), "value".to_owned())).collect::<BTreeMap<_, _>>();
    scenario.organization.as_mut().unwrap().members[1].tags = tags.clone();
    let sim = Sim::start(scenario).unwrap();
    let of = |id: &str| all(&sim, "ListTagsForResource", "Tags", "Key", &json!({"ResourceId": id}));
    assert_eq!(of(DELEGATED), (tags.into_keys().collect(), vec![20, 5]));
    assert_eq!(of(MANAGEMENT), (Vec::new(), vec![0]));
    let lost = ask(&sim, "ListTagsForResource", &json!({"ResourceId": "999999999999"}));
    assert_eq!(lost.error(), (400, "TargetNotFoundException".to_owned()));
}

#[test]
fn a_list_can_begin_with_nothing_and_go_on_for_ever() {
    let sim = simulation(45);
    let list = || all(&sim, "ListAccounts", "Accounts", "Id", &json!({"MaxResults": 20}));
    let fault = sim.fault(MANAGEMENT, Some("ListAccounts"), Fault::EmptyFirstPage);
    assert_eq!(list(), (wanted(0..45), vec![0, 20, 20, 5]));
    sim.clear(fault);
    sim.fault(MANAGEMENT, Some("ListAccounts"), Fault::MarkerLoop);
    let page = |params| ask(&sim, "ListAccounts", &params).json();
    let first = page(json!({}));
    assert_eq!(page(json!({"NextToken": first["NextToken"]})), first);
}

#[test]
fn faults_speak_the_language_that_was_spoken() {
    let sim = simulation(1);
    let struck = |fault: &Fault| {
        sim.clear_faults();
        sim.fault(MANAGEMENT, None, fault.clone());
        try_organizations(&sim, "AKIAMANAGEMENT", "ListAccounts", &json!({}))
    };
    for (fault, status, code) in [
        (Fault::AccessDenied, 400, "AccessDeniedException"),
        (Fault::Throttled, 400, "TooManyRequestsException"),
        (Fault::ServerError, 500, "ServiceException"),
        (Fault::ExpiredToken, 400, "ExpiredTokenException"),
        (Fault::Rejected, 400, "SomethingNewException"),
    ] {
        let reply = struck(&fault).unwrap();
        assert_eq!((&*reply.content_type, reply.error()), ("application/x-amz-json-1.1", (status, code.to_owned())));
    }
    for fault in [Fault::HalfDocument, Fault::Malformed, Fault::EmptyBody, Fault::NotXml] {
        let reply = struck(&fault).unwrap();
        assert_eq!(reply.status, 200);
        assert!(serde_json::from_str::<Value>(&reply.body).is_err(), "{fault:?}: {}", reply.body);
    }
    assert_eq!(struck(&Fault::Omit("Accounts")).unwrap().json(), json!({}));
    assert_eq!(struck(&Fault::Omit("State")).unwrap().json()["Accounts"][0].get("State"), None);
    let padded = struck(&Fault::Oversized(100_000)).unwrap();
    assert!(padded.body.len() > 100_000 && padded.json()["Accounts"][0]["Id"] == json!(MANAGEMENT));
    assert!(struck(&Fault::Reset).is_err() && struck(&Fault::ResetMidBody).is_err());
    sim.clear_faults();
    let identity = [("Action", "GetCallerIdentity")];
    assert_eq!(query(&sim, "AKIAMANAGEMENT", "sts", &identity).element("Account"), MANAGEMENT);
}

#[test]
fn what_was_asked_in_json_is_seen() {
    let sim = simulation(45);
    ask(&sim, "ListAccounts", &json!({"MaxResults": 20, "NextToken": "at-20", "Filter": {"no": "text"}}));
    organizations(&sim, "AKIADELEGATED", "ListRoots", &json!({}));
    let [accounts, roots] = &sim.seen()[..] else { panic!("{:?}", sim.seen()) };
    assert_eq!(
        (&*accounts.account, &*accounts.service, &*accounts.operation),
        (MANAGEMENT, "organizations", "ListAccounts")
    );
    let params = [("(Region)", "us-east-1"), ("MaxResults", "20"), ("NextToken", "at-20")]
        .map(|(key, value)| (key.to_owned(), value.to_owned()));
    assert_eq!(accounts.params, BTreeMap::from(params));
    assert_eq!((&*roots.account, &*roots.operation), (DELEGATED, "ListRoots"));
    assert_eq!((sim.count(MANAGEMENT, "ListAccounts"), sim.count(DELEGATED, "ListAccounts")), (1, 0));
    sim.stop_recording();
    ask(&sim, "ListAccounts", &json!({}));
    assert_eq!((sim.seen().len(), sim.total("ListAccounts")), (0, 2));
}
