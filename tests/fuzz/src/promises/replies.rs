//! What must hold of the readers of raw replies.

use std::collections::BTreeMap;

use aws_smithy_xml::decode::{Document, ScopedDecoder, try_data};

use super::{
    super::exporter::{
        aws::{
            reply,
            wire::{
                Dates, ReplyError,
                xml::{self, Element, Page},
            },
        },
        collect::iam::Owner,
        model::{
            account::Identity,
            time::{Moment, Timestamp, Uptime},
        },
    },
    Choices,
};

const ACCOUNT: &str = "111111111111";

fn identity() -> Identity {
    Identity::of_arn("arn:aws:sts::111111111111:assumed-role/audit/exporter").expect("this is an ARN")
}

fn dates() -> Dates {
    Dates { received: Moment { wall: Timestamp::default(), mono: Uptime::default() }, sent: None }
}

/// The operations, and the lists in what they answer.
const OPERATIONS: [&str; 5] =
    ["ListUsers", "ListVirtualMFADevices", "ListMFADevices", "GetAccountSummary", "GetAccountAuthorizationDetails"];

/// Any bytes can be read in one way or are refused: the AWS SDK's decoder, which
/// refuses next to nothing, sees in what was not refused the same elements with the
/// same texts. Only an explicit `IsTruncated` of `false` ends a list. Tells whether
/// it was not refused.
pub fn any_reply(data: &[u8]) -> bool {
    is_read_quickly_as_carefully(data);
    let mut is_reply = false;
    for operation in OPERATIONS {
        let read = xml::result(data, operation, |result| {
            is_read_alike(result, data);
            if let Ok(page) = result.page() {
                assert!(page != Page::Last || says_that_it_ends(data), "{}", String::from_utf8_lossy(data));
                assert_ne!(page, Page::More(String::new()));
            }
            holds_what_it_says(result);
            Ok(())
        });
        is_reply |= read.is_ok();
    }
    let _ = xml::error(data);
    is_reply
}

/// The quick reading is of nothing that the careful one refuses or reads otherwise.
fn is_read_quickly_as_carefully(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    if let Some(plain) = xml::plain::elements(text) {
        assert!(xml::careful::elements(text).as_ref() == Ok(&plain), "{text}");
    }
}

/// Whatever a list tells of has what it must have.
fn holds_what_it_says(result: Element<'_>) {
    let members = |list| result.members(list).map_or(0, Iterator::count);
    if let Ok(page) = reply::virtual_devices(result, &identity(), &dates()) {
        assert_eq!(page.owners.len(), members("VirtualMFADevices"));
        for owner in page.owners.into_iter().flatten() {
            let is_root = owner.arn == "arn:aws:iam::111111111111:root";
            assert!(is_root || owner.arn.starts_with("arn:aws:iam::111111111111:user/"), "{owner:?}");
            assert_eq!(owner.id.as_str() == ACCOUNT, is_root, "{owner:?}");
        }
    }
    if let Ok(page) = reply::users(result, &identity()) {
        assert_eq!(page.users.len(), members("Users"));
        assert!(page.users.iter().all(|user| user.arn.ends_with(&format!("/{}", user.name))));
    }
    if let Ok((serials, _)) = reply::devices(result, "ann", &dates()) {
        assert_eq!(serials.len(), members("MFADevices"));
        assert!(serials.keys().all(|serial| !serial.trim_ascii().is_empty()));
    }
    if let Ok(page) = reply::details::page(result, &identity()) {
        let listed = [page.users.len(), page.groups.len(), page.policies.len()];
        assert_eq!(listed, ["UserDetailList", "GroupDetailList", "Policies"].map(members));
        let is_owns = |arn: &String| arn.starts_with("arn:aws:iam::111111111111:policy/");
        assert!(page.policies.iter().all(|policy| is_owns(&policy.arn) && !policy.document.is_empty()));
        let users = page.users.iter().map(|user| (&user.own, &user.boundary));
        for (own, boundary) in users.chain(page.groups.iter().map(|group| (&group.own, &None))) {
            let is_awss = |arn: &String| arn.starts_with("arn:aws:iam::aws:policy/");
            assert!(own.attached.iter().chain(boundary).all(|arn| is_owns(arn) || is_awss(arn)));
            assert!(own.inline.iter().all(|document| !document.is_empty()));
        }
    }
    let _ = reply::summary(result);
}

/// Holds the result against what the SDK's decoder sees in the same bytes.
fn is_read_alike(result: Element<'_>, data: &[u8]) {
    let mut document = Document::try_from(data).expect("what is read is text");
    // It refuses a namespace that nobody looks at, too.
    let Ok(mut root) = document.root_element() else { return };
    while let Some(tag) = root.next_tag() {
        if tag.start_el().local() == result.name() {
            return is_alike(result, tag);
        }
    }
    panic!("the decoder sees no {}", result.name());
}

fn is_alike(element: Element<'_>, mut tag: ScopedDecoder<'_, '_>) {
    assert_eq!(tag.start_el().local(), element.name());
    if element.elements().next().is_none() {
        // A line may end in two characters, or in one: that is no text of AWS's.
        let text = try_data(&mut tag).expect("a text is a text").replace("\r\n", "\n").replace('\r', "\n");
        assert!(text == element.own_text().replace('\r', "\n") || text.trim_ascii().is_empty(), "{text:?}");
        return;
    }
    for child in element.elements() {
        is_alike(child, tag.next_tag().expect("the decoder sees every element"));
    }
    assert!(tag.next_tag().is_none(), "the decoder sees no more elements");
}

/// Whether an element of that name, wherever it is, holds the word `false`.
fn says_that_it_ends(data: &[u8]) -> bool {
    let text = String::from_utf8_lossy(data);
    let mut rests = text.match_indices("IsTruncated").filter_map(|(at, _)| text[at..].split_once('>'));
    rests.any(|(_, rest)| {
        let word = rest.split('<').next().unwrap_or_default();
        word == "false" || word.contains('&')
    })
}

/// A reply that is written with a known meaning is read as such, and one that is
/// unsound, or cut short, in no way. Tells whether it is sound.
pub fn written_reply(data: &[u8]) -> bool {
    let mut writer = Writer { choices: Choices(data), is_sound: true };
    let (operation, text, meant) = match writer.choices.below(4) {
        0 => writer.users(),
        1 => writer.virtual_devices(),
        2 => writer.devices(),
        _ => writer.summary(),
    };
    let read = xml::result(text.as_bytes(), operation, |result| read(operation, result));
    match writer.is_sound {
        true => assert_eq!(read, meant, "{text}"),
        false => assert!(read.is_err(), "{read:?} {text}"),
    }
    let whole = text.rfind("Response>").expect("a reply ends");
    let mut end = writer.choices.below(256) * whole / 255;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let cut = xml::result(&text.as_bytes()[..end], operation, |_| Ok(()));
    assert!(cut.is_err(), "{}", &text[..end]);
    any_reply(text.as_bytes());
    writer.is_sound && meant.is_ok()
}

/// What a reply says, in words, and where its list goes on.
type Meaning = Result<(Vec<String>, Page), ReplyError>;

fn read(operation: &str, result: Element<'_>) -> Meaning {
    let page = |next: Option<String>| next.map_or(Page::Last, Page::More);
    Ok(match operation {
        "ListUsers" => {
            let users = reply::users(result, &identity())?;
            (users.users.iter().map(|user| format!("{} {}", user.id, user.name)).collect(), page(users.next))
        }
        "ListVirtualMFADevices" => {
            let devices = reply::virtual_devices(result, &identity(), &dates())?;
            (devices.owners.iter().map(told).collect(), page(devices.next))
        }
        "ListMFADevices" => {
            let (serials, next) = reply::devices(result, "ann", &dates())?;
            (serials.into_keys().collect(), page(next))
        }
        _ => {
            let summary = reply::summary(result)?;
            (vec![format!("{:?}", [summary.users, summary.mfa_devices, summary.mfa_devices_in_use])], Page::Last)
        }
    })
}

fn told(owner: &Option<Owner>) -> String {
    owner.as_ref().map_or("nobody".to_owned(), |owner| format!("{} {}", owner.id, owner.arn))
}

/// Writes replies, and notes what makes one unsound.
struct Writer<'a> {
    choices: Choices<'a>,
    is_sound: bool,
}

type Written = (&'static str, String, Meaning);

impl Writer<'_> {
    /// Once in a while.
    fn rarely(&mut self) -> bool {
        self.choices.below(32) == 31
    }

    fn unsound(&mut self, text: String) -> String {
        self.is_sound = false;
        text
    }

    /// An element that must be there and holds `text`, written in one of many ways,
    /// most of which cannot be read.
    fn leaf(&mut self, name: &str, text: &str) -> String {
        let plain = format!("<{name}>{}</{name}>", escape(text));
        if !self.rarely() {
            return plain;
        }
        let (first, rest) = text.split_at(text.chars().next().map_or(0, char::len_utf8));
        let (one, two) = (escape(first), escape(rest));
        let spoilt = match self.choices.below(16) {
            0 => String::new(),
            1 => format!("<{name}/>"),
            2 => format!("<{name}> \n</{name}>"),
            3 => format!("{plain}{plain}"),
            4 => format!("<{name}>other</{name}>{plain}"),
            5 => format!("<{name}><![CDATA[{text}]]></{name}>"),
            6 => format!("<{name}>{one}<!-- -->{two}</{name}>"),
            7 => format!("<{name}>{one}<?odd?>{two}</{name}>"),
            8 => format!("<{name}>{one}<b/>{two}</{name}>"),
            9 => format!("<{name}><b>{one}{two}</b></{name}>"),
            10 => format!("<{name} odd=\"1\">{one}{two}</{name}>"),
            11 => format!("<{name} xmlns=\"odd\">{one}{two}</{name}>"),
            12 => format!("<x:{name} xmlns:x=\"odd\">{one}{two}</x:{name}>"),
            13 => format!("<{name}>{one}&unknown;{two}</{name}>"),
            14 => format!("<{name}>{one}\u{1}{two}</{name}>"),
            // This one is sound.
            _ => {
                return format!(
                    "<{name}>{}</{name}>",
                    text.chars().map(|c| format!("&#{};", u32::from(c))).collect::<String>()
                );
            }
        };
        self.unsound(spoilt)
    }

    fn shuffled(&mut self, mut fields: Vec<String>) -> String {
        self.choices.shuffle(&mut fields);
        let filling = self.choices.of(&["", "\n  ", "<!-- member -->", "<?odd <member/>?>"]);
        fields.join(filling)
    }

    fn list(&mut self, name: &str, members: Vec<String>) -> String {
        let mut text: String = members.iter().map(|member| format!("<member>{member}</member>")).collect();
        if self.rarely() {
            let odd = self.choices.of(&["<Member/>", "<entry/>", "text", "&#x41;"]);
            text = self.unsound(format!("{text}{odd}"));
        }
        if text.is_empty() && self.choices.is() { format!("<{name}/>") } else { format!("<{name}>{text}</{name}>") }
    }

    /// A reply with this list, and what it says.
    fn reply(
        &mut self,
        operation: &'static str,
        list: &'static str,
        members: Vec<String>,
        told: Vec<String>,
    ) -> Written {
        let has_list = !self.rarely();
        let mut fields = if has_list { vec![self.list(list, members)] } else { Vec::new() };
        let (end, ends) = self.end();
        fields.extend(end);
        let result = self.shuffled(fields);
        let text = self.envelope(operation, &result);
        let meant = if has_list { ends.map(|page| (told, page)) } else { Err(ReplyError::Missing(list)) };
        (operation, text, meant)
    }

    /// How the list ends.
    fn end(&mut self) -> (Vec<String>, Result<Page, ReplyError>) {
        const TRUNCATED: &str = "IsTruncated";
        let marker = self.choices.text().chars().filter(|c| !c.is_control()).collect::<String>().trim().to_owned();
        let with_marker = |word: &str, marker: &str| vec![leaf(TRUNCATED, word), leaf("Marker", marker)];
        match self.choices.below(8) {
            0..3 => (vec![self.leaf(TRUNCATED, "false")], Ok(Page::Last)),
            3 | 4 if !marker.is_empty() => {
                (vec![self.leaf(TRUNCATED, "true"), self.leaf("Marker", &marker)], Ok(Page::More(marker)))
            }
            5 => (with_marker("false", &marker), Ok(Page::Last)),
            6 => (vec![leaf(TRUNCATED, "true")], Err(ReplyError::Missing("Marker"))),
            7 => {
                let odd = self.choices.of(&[" false", "FALSE", "0", "false\n", "no"]);
                (with_marker(odd, &marker), Err(ReplyError::Unreadable(TRUNCATED)))
            }
            _ => (Vec::new(), Err(ReplyError::Missing(TRUNCATED))),
        }
    }

    fn envelope(&mut self, operation: &str, result: &str) -> String {
        const DECOY: &str = "<IsTruncated>false</IsTruncated><Marker>decoy</Marker>";
        let [inside, outside] = [0; 2].map(|_| self.choices.of(&["", DECOY]));
        let head = self.choices.of(&["", "<?xml version=\"1.0\"?>\n"]);
        let (start, end) = if self.rarely() {
            self.is_sound = false;
            let odd = self.choices.of(&["<!DOCTYPE html>", "<a/>", "text"]);
            if self.choices.is() { (odd, "") } else { ("", odd) }
        } else {
            ("", "")
        };
        format!(
            "{head}{start}<{operation}Response xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\">\
             <{operation}Result>{result}</{operation}Result>\
             <ResponseMetadata><RequestId>x</RequestId>{inside}</ResponseMetadata>{outside}</{operation}Response>{end}"
        )
    }

    /// A name of letters that is nobody else's.
    fn name(&mut self, n: usize) -> String {
        format!("{}{n}", self.choices.of(&["ann", "root", "B+c=d", "a,b@c"]))
    }

    fn users(&mut self) -> Written {
        let (mut members, mut told) = (Vec::new(), Vec::new());
        for n in 0..self.choices.below(4) {
            let name = self.name(n);
            let (id, path) = (format!("AIDA{n}"), self.choices.of(&["/", "/team/"]));
            let owner = if self.rarely() {
                self.is_sound = false;
                self.choices.of(&["222222222222:user", "111111111111:role", "111111111111:user/other"])
            } else {
                "111111111111:user"
            };
            let fields = [
                ("Path", path.to_owned()),
                ("UserName", name.clone()),
                ("UserId", id.clone()),
                (
                    "Arn",
                    if owner.ends_with("other") {
                        format!("arn:aws:iam::{owner}")
                    } else {
                        format!("arn:aws:iam::{owner}{path}{name}")
                    },
                ),
                ("CreateDate", "2024-01-02T03:04:05Z".to_owned()),
            ];
            let fields = fields.iter().map(|(field, text)| self.leaf(field, text)).collect();
            members.push(self.shuffled(fields));
            told.push(format!("{id} {name}"));
        }
        self.reply("ListUsers", "Users", members, told)
    }

    fn virtual_devices(&mut self) -> Written {
        let (mut members, mut told) = (Vec::new(), Vec::new());
        for n in 0..self.choices.below(4) {
            let serial = if self.rarely() {
                self.is_sound &= n == 0;
                0
            } else {
                n
            };
            let (owner, tells) = self.owner(n);
            let fields = vec![self.leaf("SerialNumber", &format!("arn:aws:iam::{ACCOUNT}:mfa/{serial}")), owner];
            members.push(self.shuffled(fields));
            told.push(tells);
        }
        self.reply("ListVirtualMFADevices", "VirtualMFADevices", members, told)
    }

    /// The owner of a device, and who that is.
    fn owner(&mut self, n: usize) -> (String, String) {
        let (user, root) = (format!("arn:aws:iam::{ACCOUNT}:user/ann{n}"), format!("arn:aws:iam::{ACCOUNT}:root"));
        let (id, elsewhere) = (format!("AIDA{n}"), user.replace(ACCOUNT, "222222222222"));
        let (arn, id, is_known) = match self.choices.below(12) {
            0..3 => (user, id, true),
            3 => (root, ACCOUNT.to_owned(), true),
            4 => (user, ACCOUNT.to_owned(), false),
            5 => (root, id, false),
            6 => (elsewhere, id, false),
            7 => (user.replace("user/", "role/"), id, false),
            8 => (user.replace("aws", "aws-cn"), id, false),
            9 => (String::new(), ACCOUNT.to_owned(), false),
            10 => (user, String::new(), false),
            _ => return (String::new(), "nobody".to_owned()),
        };
        let tells = if is_known { format!("{id} {arn}") } else { "nobody".to_owned() };
        let texts = [("Arn", arn), ("UserId", id)];
        let fields: Vec<_> =
            texts.iter().filter(|(_, text)| !text.is_empty()).map(|(name, text)| leaf(name, text)).collect();
        (format!("<User>{}</User>", self.shuffled(fields)), tells)
    }

    fn devices(&mut self) -> Written {
        let (mut members, mut told) = (Vec::new(), Vec::new());
        for n in 0..self.choices.below(4) {
            let user = if self.rarely() {
                self.is_sound = false;
                "bob"
            } else {
                "ann"
            };
            let serial = format!("GAHT{n}");
            let fields = [("UserName", user), ("SerialNumber", &serial), ("EnableDate", "2024-01-02T03:04:05Z")];
            let fields = fields.iter().map(|(name, text)| self.leaf(name, text)).collect();
            members.push(self.shuffled(fields));
            told.push(serial);
        }
        self.reply("ListMFADevices", "MFADevices", members, told)
    }

    fn summary(&mut self) -> Written {
        const KEYS: [&str; 4] = ["Users", "MFADevices", "MFADevicesInUse", "AccountMFAEnabled"];
        let mut entries = Vec::new();
        let mut numbers = BTreeMap::new();
        for key in KEYS {
            let number = u32::from(self.choices.byte());
            numbers.insert(key, number);
            let fields = vec![self.leaf("key", key), self.leaf("value", &number.to_string())];
            entries.push(format!("<entry>{}</entry>", self.shuffled(fields)));
        }
        if self.rarely() {
            // The same key, spelt otherwise.
            entries.push("<entry><key>Account&#77;FAEnabled</key><value>1</value></entry>".to_owned());
            self.is_sound = false;
        }
        let map = self.shuffled(entries);
        let text = self.envelope("GetAccountSummary", &format!("<SummaryMap>{map}</SummaryMap>"));
        let told = format!(
            "[Some({}), Some({}), Some({})]",
            numbers["Users"], numbers["MFADevices"], numbers["MFADevicesInUse"]
        );
        ("GetAccountSummary", text, Ok((vec![told], Page::Last)))
    }
}

/// An element that holds a text.
fn leaf(name: &str, text: &str) -> String {
    format!("<{name}>{}</{name}>", escape(text))
}

fn escape(text: &str) -> String {
    let special = BTreeMap::from([('&', "&amp;"), ('<', "&lt;"), ('>', "&gt;"), ('"', "&quot;"), ('+', "&#x2B;")]);
    text.chars().map(|c| special.get(&c).map_or_else(|| c.to_string(), |entity| (*entity).to_owned())).collect()
}
