//! The SDK decodes no summary and no page of policies (`aws/wire`), so it is no second
//! opinion on one either.
//! What is held instead: no reply is read that the SDK would refuse, and none differently.
//!
//! `PROPTEST_CASES=1000000 cargo test --test it undecoded` looks for longer.

use std::{collections::HashMap, fs, path::Path};

use aws_mfa_exporter::{
    aws::{reply, wire::xml},
    model::{account::Identity, facts::Summary},
};
use aws_sdk_iam::{
    operation::{
        get_account_authorization_details::{GetAccountAuthorizationDetails, GetAccountAuthorizationDetailsOutput},
        get_account_summary::{GetAccountSummary, GetAccountSummaryOutput},
    },
    types::{PolicyDetail, SummaryKeyType},
};
use aws_smithy_runtime_api::{
    client::{
        orchestrator::HttpResponse,
        runtime_plugin::RuntimePlugin as _,
        ser_de::{DeserializeResponse as _, SharedResponseDeserializer},
    },
    http::StatusCode,
};
use aws_smithy_types::{body::SdkBody, config_bag::ConfigBag};
use proptest::{prelude::*, test_runner::Config};

/// What the SDK reads in the body of a reply.
fn by_the_sdk(body: &[u8]) -> Option<HashMap<SummaryKeyType, i32>> {
    let config = ConfigBag::of_layers([]);
    let layer = GetAccountSummary::new().config().unwrap();
    let decoder = layer.load::<SharedResponseDeserializer>().unwrap();
    let response = HttpResponse::new(StatusCode::try_from(200).unwrap(), SdkBody::from(body));
    let output = decoder.deserialize_nonstreaming_with_config(&response, &config).ok()?;
    output.downcast::<GetAccountSummaryOutput>().unwrap().summary_map
}

/// Tells whether the quick reading knows these bytes; if so, the careful one reads the same.
fn is_plain(body: &[u8]) -> bool {
    let text = str::from_utf8(body).unwrap_or("<");
    let plain = xml::plain::elements(text);
    let is_alike = |plain: &Vec<_>| xml::careful::elements(text).as_ref() == Ok(plain);
    assert!(plain.as_ref().is_none_or(is_alike), "{text}");
    plain.is_some()
}

fn by_us(body: &[u8]) -> Option<Summary> {
    xml::result(body, "GetAccountSummary", reply::summary).ok()
}

/// Holds one reading against the other; tells whether there is one.
fn is_read(body: &[u8]) -> bool {
    is_plain(body);
    let Some(summary) = by_us(body) else { return false };
    let text = String::from_utf8_lossy(body);
    let map = by_the_sdk(body).unwrap_or_else(|| panic!("the SDK refuses: {text}"));
    let number = |key: &str| map.get(&SummaryKeyType::from(key)).map(|n| u32::try_from(*n).unwrap());
    let present = |key: &str| number(key).map(|n| n > 0);
    let expected = Summary {
        mfa_enabled: present("AccountMFAEnabled"),
        password: present("AccountPasswordPresent"),
        access_keys: present("AccountAccessKeysPresent"),
        signing_certificates: present("AccountSigningCertificatesPresent"),
        users: number("Users"),
        mfa_devices: number("MFADevices"),
        mfa_devices_in_use: number("MFADevicesInUse"),
    };
    assert_eq!(summary, expected, "{text}");
    true
}

/// A reply as AWS sends it.
fn honest() -> String {
    let entry = |(key, value): (&str, u32)| format!("<entry>\n<key>{key}</key>\n<value>{value}</value>\n</entry>\n");
    let entries: String = [
        ("Users", 27),
        ("AccountMFAEnabled", 1),
        ("GroupsQuota", 100),
        ("MFADevices", 9),
        ("MFADevicesInUse", 8),
        ("AccountPasswordPresent", 1),
        ("AccountAccessKeysPresent", 0),
        ("AccountSigningCertificatesPresent", 0),
    ]
    .map(entry)
    .concat();
    format!(
        "<GetAccountSummaryResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\">\n<GetAccountSummaryResult>\n\
         <SummaryMap>\n{entries}</SummaryMap>\n</GetAccountSummaryResult>\n<ResponseMetadata>\n\
         <RequestId>7a62c49f</RequestId>\n</ResponseMetadata>\n</GetAccountSummaryResponse>\n"
    )
}

/// What readers quarrel about.
const PARTS: [&str; 44] = [
    "",
    " ",
    "\n",
    "\r",
    "\t",
    "\u{feff}",
    "0",
    "1",
    "-1",
    "+1",
    "2147483647",
    "2147483648",
    "4294967295",
    "1.0",
    "&#49;",
    "&#x31;",
    "&#x1;",
    "&amp;",
    "&lt;",
    "&unknown;",
    "&",
    "<!-- 1 -->",
    "<![CDATA[1]]>",
    "<?xml version=\"1.0\"?>",
    "<?a b?>",
    "<!DOCTYPE a>",
    "<a/>",
    "<a>",
    "</a>",
    "a:",
    "xmlns:a=\"b\"",
    " a=\"b\"",
    "<key>Users</key>",
    "<value>1</value>",
    "<value>x</value>",
    "<entry><key>Users</key><value>1</value></entry>",
    "<entry><key>a</key><value>x</value></entry>",
    "<entry><key>a</key><value>-5</value></entry>",
    "<entry/>",
    "<SummaryMap/>",
    "<SummaryMap>",
    "</SummaryMap>",
    "<GetAccountSummaryResult/>",
    "\u{fffd}",
];

/// Changes a part between two places: another stands there, or what stands elsewhere.
#[derive(Clone, Debug)]
enum Change {
    Part(prop::sample::Index, usize, &'static str),
    Text(prop::sample::Index, usize, String),
    Copy([prop::sample::Index; 3]),
    /// At a place where elements meet.
    Joint(prop::sample::Index, &'static str),
    Drop(prop::sample::Index, prop::sample::Index),
}

fn change() -> impl Strategy<Value = Change> {
    let part = || prop::sample::select(&PARTS[..]);
    let place = any::<prop::sample::Index>;
    prop_oneof![
        (place(), 0..12usize, part()).prop_map(|(at, many, part)| Change::Part(at, many, part)),
        (place(), 0..4usize, ".{0,3}").prop_map(|(at, many, text)| Change::Text(at, many, text)),
        [place(), place(), place()].prop_map(Change::Copy),
        (place(), part()).prop_map(|(at, part)| Change::Joint(at, part)),
        (place(), place()).prop_map(|(from, to)| Change::Drop(from, to)),
    ]
}

impl Change {
    /// The text is ASCII at first, and characters that are cut end as something else.
    fn apply(&self, text: &mut Vec<u8>) {
        let joints: Vec<_> = (0..text.len()).filter(|at| text[*at] == b'<').collect();
        let joint = |at: &prop::sample::Index| if joints.is_empty() { 0 } else { *at.get(&joints) };
        let place = |at: &prop::sample::Index| at.index(text.len() + 1);
        let (from, to, new) = match self {
            Self::Part(at, many, part) => (place(at), place(at) + many, part.as_bytes().to_vec()),
            Self::Text(at, many, new) => (place(at), place(at) + many, new.as_bytes().to_vec()),
            Self::Copy([from, to, at]) => {
                let (from, to) = (joint(from).min(joint(to)), joint(from).max(joint(to)));
                (joint(at), joint(at), text[from..to].to_vec())
            }
            Self::Joint(at, part) => (joint(at), joint(at), part.as_bytes().to_vec()),
            Self::Drop(from, to) => (joint(from).min(joint(to)), joint(from).max(joint(to)), Vec::new()),
        };
        text.splice(from..to.min(text.len()), new);
    }
}

proptest! {
    #![proptest_config(Config { failure_persistence: None, ..Config::default() })]

    #[test]
    fn no_summary_is_read_that_the_sdk_would_refuse_or_read_otherwise(
        changes in prop::collection::vec(change(), 1..5),
    ) {
        let mut text = honest().into_bytes();
        changes.iter().for_each(|change| change.apply(&mut text));
        is_read(&text);
    }
}

/// Were each changed reply refused, nothing would be held.
#[test]
fn of_the_parts_that_readers_quarrel_about_some_are_read_and_some_are_not() {
    let honest = honest();
    let places = honest.match_indices(['<', '>']).map(|(at, sign)| if sign == "<" { at } else { at + 1 });
    let mut read = [0, 0];
    for (at, part) in places.flat_map(|at| PARTS.map(|part| (at, part))) {
        let text = format!("{}{part}{}", &honest[..at], &honest[at..]);
        read[usize::from(is_read(text.as_bytes()))] += 1;
    }
    assert!(is_read(honest.as_bytes()) && read.iter().all(|many| *many > 500), "{read:?}");
}

#[test]
fn what_fuzzing_has_kept_of_replies_is_read_alike() {
    for target in ["reply", "reply_written"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(target);
        for file in fs::read_dir(folder).unwrap() {
            is_read(&fs::read(file.unwrap().path()).unwrap());
        }
    }
}

/// Were the quick reading to know nothing, or all, no other test would see it.
#[test]
fn the_quick_reading_is_of_what_aws_writes_and_of_nothing_else() {
    let honest = honest();
    assert!(is_plain(honest.as_bytes()) && is_plain(honest_details().as_bytes()));
    let put = |place: &str, part: &str| honest.replacen(place, part, 1);
    for plain in ["<Other/>", "<Other></Other>", "<Other>a = \"b\"; c!?</Other>", "\n"] {
        assert!(is_plain(put("<SummaryMap>", &format!("{plain}<SummaryMap>")).as_bytes()), "{plain}");
    }
    for odd in [
        "text",
        "&amp;",
        ">",
        "\t",
        "\u{e9}",
        "<!-- -->",
        "<?a?>",
        "<![CDATA[]]>",
        "<a b=\"c\"/>",
        "<a />",
        "<a></a >",
        "<a/",
        "<1/>",
        "<a_b/>",
        "<a:b/>",
        "<a></b>",
        "</a>",
        "<a>",
        "<a/><a/>",
        "<member/>",
        "<a>b<c/></a>",
        "<a><c/>b</a>",
        "<a><member/><c/></a>",
        "<a><entry/><member/></a>",
    ] {
        assert!(!is_plain(put("<SummaryMap>", &format!("{odd}<SummaryMap>")).as_bytes()), "{odd}");
    }
    for odd in ["", " xmlns=\"http://a\"", " xmlns='https://a'", " xmlns=\"https://a\" b=\"c\"", " b=\"c\""] {
        let tag = "<GetAccountSummaryResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\">";
        let text = put(tag, &format!("<GetAccountSummaryResponse{odd}>"));
        assert_eq!(is_plain(text.as_bytes()), odd.is_empty(), "{odd}");
    }
    for (text, known) in [
        ("", false),
        (" ", false),
        ("<a/>", true),
        ("<a/> ", true),
        (" <a/>", true),
        ("<a/>b", false),
        ("<a/><b/>", false),
    ] {
        assert_eq!(is_plain(text.as_bytes()), known, "{text}");
    }
    let many = |many: usize| (0..many).map(|n| format!("<a{n}/>")).collect::<String>();
    assert!(is_plain(format!("<a>{}</a>", many(33)).as_bytes()));
    assert!(!is_plain(format!("<a>{}</a>", many(40)).as_bytes()), "too many to compare each with each");
}

/// Both are refused by the SDK, and were read without it.
#[test]
fn a_value_that_is_no_number_or_too_large_refuses_the_whole_summary() {
    for (from, to) in
        [("<value>100<", "<value>x<"), ("<value>27<", "<value>2147483648<"), ("<value>100<", "<value> 1<")]
    {
        let text = honest().replace(from, to);
        assert!(by_us(text.as_bytes()).is_none() && by_the_sdk(text.as_bytes()).is_none(), "{to}");
    }
    let late = honest().replace("<GetAccountSummaryResult>", "<Other/><GetAccountSummaryResult>");
    assert!(by_us(late.as_bytes()).is_none() && by_the_sdk(late.as_bytes()).is_none());
}

/// Documents by whom they are of, and where the list goes on.
type Details = (Vec<(String, Vec<String>)>, Option<String>);

/// The documents that the SDK sees in a page of `GetAccountAuthorizationDetails`, by whom they
/// are of, and whether the list goes on.
fn details_by_the_sdk(body: &[u8]) -> Option<Details> {
    let config = ConfigBag::of_layers([]);
    let layer = GetAccountAuthorizationDetails::new().config().unwrap();
    let decoder = layer.load::<SharedResponseDeserializer>().unwrap();
    let response = HttpResponse::new(StatusCode::try_from(200).unwrap(), SdkBody::from(body));
    let output = decoder.deserialize_nonstreaming_with_config(&response, &config).ok()?;
    let output = output.downcast::<GetAccountAuthorizationDetailsOutput>().unwrap();
    let inline = |policies: &[PolicyDetail]| -> Vec<String> {
        policies.iter().map(|policy| policy.policy_document().unwrap_or_default().to_owned()).collect()
    };
    let users = output.user_detail_list().iter();
    let users = users.map(|user| (user.user_id().unwrap_or_default().to_owned(), inline(user.user_policy_list())));
    let groups = output.group_detail_list().iter();
    let groups =
        groups.map(|group| (group.group_name().unwrap_or_default().to_owned(), inline(group.group_policy_list())));
    let policies = output.policies().iter().map(|policy| {
        let versions = policy.policy_version_list().iter().filter(|version| version.is_default_version());
        (
            policy.arn().unwrap_or_default().to_owned(),
            versions.map(|version| version.document().unwrap_or_default().to_owned()).collect(),
        )
    });
    let next = output.is_truncated().then(|| output.marker().unwrap_or_default().to_owned());
    Some((users.chain(groups).chain(policies).collect(), next))
}

/// The same, as it is read here.
fn details_by_us(body: &[u8]) -> Option<Details> {
    let identity = Identity::parse("arn:aws:iam::111111111111:root", "111111111111").unwrap();
    let read = |result: xml::Element<'_>| reply::details::page(result, &identity);
    let page = xml::result(body, "GetAccountAuthorizationDetails", read).ok()?;
    let users = page.users.into_iter().map(|user| (user.id.to_string(), user.own.inline));
    let groups = page.groups.into_iter().map(|group| (group.name, group.own.inline));
    let policies = page.policies.into_iter().map(|policy| (policy.arn, vec![policy.document]));
    Some((users.chain(groups).chain(policies).collect(), page.next))
}

fn honest_details() -> String {
    include_str!("../fuzz/corpus/reply/seed-details").to_owned()
}

/// That no element is read otherwise than by the SDK's decoder, fuzzing holds of every reply.
#[test]
fn an_honest_page_of_policies_is_read_as_the_sdk_reads_it() {
    let read = details_by_us(honest_details().as_bytes());
    assert!(read.is_some());
    assert_eq!(read, details_by_the_sdk(honest_details().as_bytes()));
}
