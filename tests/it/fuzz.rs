//! What fuzzing holds of the readers, held again of all that it has found worth
//! keeping, and of some bytes that nobody has chosen. `tests/fuzz` has the targets,
//! and says how they are run.

use std::{fs, panic::catch_unwind, path::Path};

use aws_mfa_exporter as exporter;
use aws_mfa_exporter::aws::wire::{
    ReplyError,
    xml::{self, Page},
};
use proptest::{prelude::*, test_runner::Config};

#[path = "../fuzz/src/outside.rs"]
mod outside;
#[path = "../fuzz/src/promises.rs"]
mod promises;

type Promise = fn(&[u8]) -> bool;

/// Each target, and what it holds.
const TARGETS: [(&str, Promise); 12] = [
    ("accept", outside::any_accept),
    ("accept_encoding", outside::any_accept_encoding),
    ("authorization", outside::any_authorization),
    ("config", outside::any_config),
    ("state", outside::any_state),
    ("web_config", outside::any_web_config),
    ("policy", promises::any_policy),
    ("report", promises::any_report),
    ("report_written", promises::written_report),
    ("serial", promises::any_serial),
    ("reply", promises::any_reply),
    ("reply_written", promises::written_reply),
];

/// The files of a target's corpus: name and bytes.
fn corpus(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(target);
    let files = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    files
        .map(|file| file.unwrap())
        .map(|file| (file.file_name().into_string().unwrap(), fs::read(file.path()).unwrap()))
        .collect()
}

#[test]
fn everything_that_fuzzing_has_kept_holds() {
    for (target, promise) in TARGETS {
        let mut held = [0, 0];
        for (name, bytes) in corpus(target) {
            let is_one = catch_unwind(|| promise(&bytes));
            let is_one = is_one.unwrap_or_else(|_| panic!("tests/fuzz/corpus/{target}/{name} breaks the promise"));
            held[usize::from(is_one)] += 1;
        }
        // A corpus of rubbish alone, or of nothing, would hold anything.
        assert!(held.iter().all(|many| *many >= 3), "{target}: {held:?}");
    }
}

proptest! {
    #![proptest_config(Config { cases: 2_000, failure_persistence: None, ..Config::default() })]

    #[test]
    fn bytes_that_nobody_has_chosen_hold(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        for (_, promise) in TARGETS {
            promise(&bytes);
        }
    }
}

/// Where the list of users goes on in a reply with these fields.
fn page(fields: &str) -> Result<Page, ReplyError> {
    let text = format!("<ListUsersResponse><ListUsersResult><Users/>{fields}</ListUsersResult></ListUsersResponse>");
    xml::result(text.as_bytes(), "ListUsers", |result| {
        result.members("Users").map(drop)?;
        result.page()
    })
}

/// Found by fuzzing: of two contradicting fields the last was taken, and the text
/// after another element for the whole. Either ended a list that goes on.
#[test]
fn a_reply_that_contradicts_itself_ends_no_list() {
    const TWO: Result<Page, ReplyError> = Err(ReplyError::Ambiguous);
    assert_eq!(page("<IsTruncated>true</IsTruncated><IsTruncated>false</IsTruncated>"), TWO);
    assert_eq!(page("<IsTruncated>true<b/>false</IsTruncated>"), TWO);
    assert_eq!(page("<IsTruncated><![CDATA[true]]>false</IsTruncated>"), TWO);
    assert_eq!(page("<IsTruncated>false</IsTruncated><Users/>"), TWO);
    assert_eq!(page("<IsTruncated>fal<!-- true -->se</IsTruncated>"), TWO, "some read what is before the comment");
    assert_eq!(page("<IsTruncated>false</IsTruncated><!-- true -->"), Ok(Page::Last), "a comment is nothing");
}

/// Found by fuzzing: what a reply says of itself, or beside the result, is not about
/// the list.
#[test]
fn only_the_result_ends_a_list() {
    let text = "<ListUsersResponse><ListUsersResult><Users/></ListUsersResult><ResponseMetadata>\
                <IsTruncated>false</IsTruncated></ResponseMetadata></ListUsersResponse>";
    let read = |text: &str| xml::result(text.as_bytes(), "ListUsers", |result| result.page());
    assert_eq!(read(text), Err(ReplyError::Missing("IsTruncated")));
    assert_eq!(read("<html><body><p>proxy</p></body></html>"), Err(ReplyError::Malformed));
    assert_eq!(read(&text.replace("ListUsers", "ListRoles")), Err(ReplyError::Malformed), "another operation's");
}

/// Found by fuzzing: a marker with a character that XML writes otherwise was sent
/// back as it was written, and no page had it.
#[test]
fn a_marker_is_sent_back_as_it_was_meant() {
    let more = |marker: &str| page(&format!("<IsTruncated>true</IsTruncated><Marker>{marker}</Marker>"));
    assert_eq!(more("a&amp;b&#x2B;c=="), Ok(Page::More("a&b+c==".into())));
    assert_eq!(more("a&unknown;"), Err(ReplyError::Malformed));
    assert_eq!(more("<b>a</b>"), Err(ReplyError::Unreadable("Marker")));
    assert_eq!(more(""), Err(ReplyError::Missing("Marker")));
}

/// A page of elements that nest for ever, or of more than anybody has, is refused
/// and costs nothing.
#[test]
fn a_reply_without_measure_is_refused() {
    for part in ["<a>", "<a/>", "=", "<a b='c'>"] {
        let text = part.repeat(1 << 20);
        assert_eq!(page(&text), Err(ReplyError::Malformed), "{part}");
    }
    let nested = "<a>".repeat(50_000) + &"</a>".repeat(50_000);
    assert_eq!(page(&format!("<IsTruncated>false</IsTruncated>{nested}")), Ok(Page::Last), "nobody reads it");
}
