//! The rule against two evaluators of IAM policies that others wrote: random users, groups,
//! policies and boundaries, and whether each call is denied.
//!
//! One is the npm package `@cloud-copilot/iam-simulate`, in a process of its own, the other the
//! crate `iam-rs`. A user who is said to be bound must be denied every probe in that context; one
//! who is not, allowed at least one, where a policy allows everything. Nothing is said of
//! `unknown`. Where the two differ from each other, AWS's documentation decides, and where it is
//! silent what is said must hold whoever is right: see `iam_rs`.
//!
//! `POLICY_CASES` sets the number of users. With 20,000 of them (7,937 `full`, 1,391
//! `console_only`, 413 `keys_only`, 5,996 `none`, 4,263 `unknown`) neither contradicted: `iam-rs`
//! in 59 s on one busy core, 6,588 users in several readings, `iam-simulate` in 899 s. Of
//! 813,079 calls the two differed in 1,627 where a truth value is compared with a text, and in
//! 398 where a policy of version 2008-10-17 has a variable.

mod calls;
mod iam_rs;
mod simulate;
mod worlds;

use std::collections::BTreeMap;

use aws_mfa_exporter::model::facts::policies::Enforcement;
use proptest::{
    strategy::{Strategy as _, ValueTree as _},
    test_runner::TestRunner,
};
use serde_json::{Value, json};

use calls::{Call, beside_the_list, probes, session};
use iam_rs::{Reader, Reading};
use simulate::{Question, Simulator};
use worlds::{World, world};

/// Those of a user's policies, and those of the boundary.
type Documents = [Vec<Value>; 2];

/// In which contexts everything is denied, and in which something is allowed.
const fn claims(enforcement: Enforcement) -> Option<(&'static [&'static str], &'static [&'static str])> {
    Some(match enforcement {
        Enforcement::Full => (&["console", "key"], &[]),
        Enforcement::ConsoleOnly => (&["console"], &["key"]),
        Enforcement::KeysOnly => (&["key"], &["console"]),
        Enforcement::None => (&[], &["console"]),
        Enforcement::Unknown => return None,
    })
}

/// Random users, as many at least as `POLICY_CASES` says, with what is said of each, until all
/// were seen.
fn each_user(cases: usize, mut see: impl FnMut(&World, usize, Enforcement, usize)) {
    let cases: usize = std::env::var("POLICY_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(cases);
    let (mut runner, worlds) = (TestRunner::deterministic(), world());
    let (mut counts, mut case) = (BTreeMap::<&str, usize>::new(), 0);
    while case < cases {
        let world = worlds.new_tree(&mut runner).unwrap().current();
        for (user, enforcement) in world.enforcement().into_iter().enumerate() {
            *counts.entry(enforcement.as_str()).or_default() += 1;
            see(&world, user, enforcement, case);
            case += 1;
        }
    }
    eprintln!("{case} users: {counts:?}");
    for kind in Enforcement::ALL {
        assert!(counts.get(kind.as_str()).is_some_and(|count| count * 200 > case), "{}: {counts:?}", kind.as_str());
    }
}

// === iam-simulate ===

/// The answers of `iam-simulate`; none where AWS would not keep such a document.
fn check(
    simulator: &mut Simulator,
    world: &World,
    user: usize,
    enforcement: Enforcement,
    case: usize,
) -> Option<(Question<'static>, Value)> {
    let documents = world.documents(user);
    let (all, some) = claims(enforcement).unwrap_or((&["console", "key"], &[]));
    let count = match enforcement {
        Enforcement::Unknown => 4,
        _ if some.is_empty() => 40,
        _ => probes().len(),
    };
    let calls = probes().into_iter().cycle().skip(case % probes().len()).take(count).collect();
    let question = Question { all, some, calls };
    let said = simulator.ask(&documents, &world.more, &question);
    if let Some(error) = said.get("error") {
        eprintln!("no opinion: {error}");
        return None;
    }
    if enforcement != Enforcement::Unknown {
        let allowed = |context: &str| said[context].as_array().unwrap().len();
        let told = || format!("{enforcement:?}: {said}\n{}", json!(documents));
        assert!(all.iter().all(|context| allowed(context) == 0), "something is allowed: {}", told());
        assert!(some.iter().all(|context| allowed(context) > 0), "nothing is allowed: {}", told());
        let is_open = enforcement != Enforcement::None || simulator.is_key_open(&documents, &world.more);
        assert!(is_open, "a key is bound: {}", told());
    }
    Some((question, said))
}

/// How the two evaluators differ from each other. "A text": see `iam_rs::Reading`. The
/// "variable" of an older policy is a literal to AWS, which `iam-rs` is told and `iam-simulate`
/// does not know (see `iam_rs::literal`): it may find a call denied that is not.
const KINDS: [&str; 3] = ["agreed", "a truth value is a text", "a variable of 2008 is replaced"];

/// Counts the calls by how `iam-simulate` differs from `iam-rs`.
fn compare(
    documents: &Documents,
    more: &Value,
    question: &Question<'_>,
    said: &Value,
    kinds: &mut BTreeMap<&str, usize>,
) {
    let readers = Reader::of_each_reading(documents, more);
    let with_variables = Reader::of_each_reading(&documents.clone().map(of_2012), more);
    for context in ["console", "key"] {
        for (call, is_allowed) in question.known(context, said) {
            let of = |readers: &[Reader], reading| {
                let one = readers.iter().find(|reader| reader.reading == reading);
                one.is_some_and(|reader| reader.allows(call, context) == is_allowed)
            };
            let is = [
                of(&readers, Reading::NotComparable),
                of(&readers, Reading::Text),
                of(&with_variables, Reading::NotComparable) || of(&with_variables, Reading::Text),
            ];
            let kind = is.iter().position(|agrees| *agrees);
            let kind = kind.unwrap_or_else(|| panic!("{call:?} {context} {is_allowed}: {}", json!(documents)));
            *kinds.entry(KINDS[kind]).or_default() += 1;
        }
    }
}

fn of_2012(mut documents: Vec<Value>) -> Vec<Value> {
    documents.iter_mut().for_each(|document| document["Version"] = json!("2012-10-17"));
    documents
}

#[test]
fn nobody_is_bound_or_open_against_the_opinion_of_others() {
    let (mut simulator, mut refused, mut seen) = (Simulator::start(), 0, 0);
    let mut kinds = BTreeMap::new();
    each_user(800, |world, user, enforcement, case| {
        seen += 1;
        match check(&mut simulator, world, user, enforcement, case) {
            Some((question, said)) => compare(&world.documents(user), &world.more, &question, &said, &mut kinds),
            None => refused += 1,
        }
    });
    eprintln!("{refused} of {seen} without an opinion; iam-simulate and iam-rs: {kinds:?}");
    assert!(refused * 50 < seen, "{refused} of {seen} documents are refused");
    assert!(kinds.keys().eq([KINDS[1], KINDS[2], KINDS[0]].iter()), "{kinds:?}");
}

/// The evaluator is asked the right question: a user whom nothing binds is found to be open.
#[test]
fn the_evaluator_contradicts_who_says_what_is_not_so() {
    let mut simulator = Simulator::start();
    let mut ask = |document: &str, some| {
        let documents = [vec![read(document)], Vec::new()];
        simulator.ask(&documents, &json!({}), &Question { all: &["console", "key"], some, calls: probes() })
    };
    let said = ask(&holed(), &["console"]);
    assert_eq!(said, json!({"console": ["iam:createaccesskey"], "key": ["iam:createaccesskey"]}));
    assert_eq!(ask(&super::canonical(), &["key"]), json!({"console": [], "key": []}));
}

// === iam-rs ===

/// What `iam-rs` finds wrong with what is said of a user.
fn contradiction(reader: &Reader, enforcement: Enforcement) -> Option<String> {
    let (all, some) = claims(enforcement)?;
    let is_allowed = |context, call: &Call| reader.allows(call, context);
    let hole = |context, calls: Vec<Call>| {
        let hole = calls.into_iter().find(|call| is_allowed(context, call))?;
        Some(format!("{context}: allowed {}", hole.action))
    };
    let closed = |context, calls: Vec<Call>| {
        (!calls.iter().any(|call| is_allowed(context, call))).then(|| format!("{context}: nothing is allowed"))
    };
    let bound = all.iter().find_map(|context| hole(context, [probes(), beside_the_list()].concat()));
    let open = || some.iter().find_map(|context| closed(context, probes()));
    let of_keys = || match enforcement {
        Enforcement::KeysOnly => hole("key", vec![session()]),
        Enforcement::None => closed("key", [probes(), vec![session()]].concat()),
        _ => None,
    };
    bound.or_else(open).or_else(of_keys)
}

#[test]
fn nobody_is_bound_or_open_against_a_second_opinion_in_any_reading() {
    let mut several = 0;
    each_user(2000, |world, user, enforcement, _| {
        let documents = world.documents(user);
        let readers = Reader::of_each_reading(&documents, &world.more);
        several += usize::from(readers.len() > 1);
        for reader in readers {
            let wrong = contradiction(&reader, enforcement);
            assert_eq!(wrong, None, "{enforcement:?}, {:?}: {}", reader.reading, json!(documents));
        }
    });
    eprintln!("{several} of them can be read in several ways");
    assert!(several > 100, "{several}");
}

#[test]
fn the_second_evaluator_contradicts_who_says_what_is_not_so() {
    let of = |document: &str, enforcement| {
        let documents = [vec![read(document)], Vec::new()];
        contradiction(&Reader::of_each_reading(&documents, &json!({}))[0], enforcement)
    };
    let open = Some("console: allowed iam:createaccesskey".to_owned());
    assert_eq!(of(&holed(), Enforcement::Full), open);
    assert_eq!(of(&holed(), Enforcement::None), None);
    assert_eq!(of(&super::canonical(), Enforcement::Full), None);
    for wrong in [Enforcement::None, Enforcement::ConsoleOnly, Enforcement::KeysOnly] {
        assert!(of(&super::canonical(), wrong).is_some(), "{wrong:?}");
    }
    let keys = super::deny_but(super::BOOTSTRAP, r#"{"Null":{"aws:MultiFactorAuthPresent":"true"}}"#);
    let session = Some("key: allowed sts:getsessiontoken".to_owned());
    assert_eq!(of(&keys, Enforcement::KeysOnly), session, "a session is a way round");
}

fn holed() -> String {
    super::deny_but(r#"["iam:CreateAccessKey"]"#, r#"{"BoolIfExists":{"aws:MultiFactorAuthPresent":"false"}}"#)
}

fn read(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}
