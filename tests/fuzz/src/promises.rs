//! What must hold of a reader, whatever bytes it is given.
//!
//! The same functions serve libFuzzer and the ordinary tests. Two kinds of bytes
//! come: those that a reader is given as they are, and [`Choices`], from which a
//! text is written whose meaning is known, to be read back.

#[path = "promises/policies.rs"]
mod policies;
#[path = "promises/replies.rs"]
mod replies;

use std::time::{Duration, UNIX_EPOCH};

use super::exporter::model::{
    facts::{
        device::{DeviceKind, Devices},
        report::{PasswordUse, Report, ReportRow, Said},
    },
    time::Timestamp,
};
pub use policies::any_policy;
pub use replies::{any_reply, written_reply};

/// The columns that are read, in AWS's order.
const COLUMNS: [&str; 7] = [
    "user",
    "arn",
    "user_creation_time",
    "password_enabled",
    "password_last_used",
    "access_key_1_active",
    "access_key_2_active",
];

/// Columns that are not.
const FURTHER: [&str; 4] = ["mfa_active", "cert_1_active", "additional_credentials_info", "\"odd\", and\nwide"];

/// Decisions, drawn from bytes; when these are used up, always the first choice.
struct Choices<'a>(&'a [u8]);

// === impl Choices ===

impl Choices<'_> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    fn below(&mut self, end: usize) -> usize {
        usize::from(self.byte()) % end
    }

    fn is(&mut self) -> bool {
        self.byte() % 2 == 1
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }

    /// A text of some characters: any of ASCII's, control characters included, and
    /// some of two, three and four bytes.
    fn text(&mut self) -> String {
        let length = self.below(12);
        let character = |byte: u8| {
            if byte < 0x80 { char::from(byte) } else { ['\u{e4}', '\u{4e2d}', '\u{1f511}'][usize::from(byte % 3)] }
        };
        (0..length).map(|_| character(self.byte())).collect()
    }

    fn shuffle<T>(&mut self, all: &mut [T]) {
        for end in (1..all.len()).rev() {
            all.swap(end, self.below(end + 1));
        }
    }
}

// === the credential report ===

/// Any bytes are a report or an error. Each user of a report has an ARN that ends
/// in the name, and an error says nothing but where it is. Tells whether it was a
/// report.
pub fn any_report(data: &[u8]) -> bool {
    match Report::read(data) {
        Ok(report) => {
            for (name, row) in &report.users {
                assert!(!name.is_empty() && name != "<root_account>", "{name:?}");
                assert!(row.arn.starts_with("arn:") && row.arn.ends_with(&format!("/{name}")), "{name:?} {row:?}");
            }
            true
        }
        Err(error) => {
            says_only_where(&error.to_string(), data);
            false
        }
    }
}

/// The text of an error is one of a fixed list but for the number of a line, so
/// that nothing that stands in a report can stand in it.
fn says_only_where(text: &str, data: &[u8]) {
    let (what, line) = match text.split_once(": line ") {
        Some((what, line)) => (what, Some(line)),
        None => (text, None),
    };
    let most = 1 + data.iter().filter(|byte| **byte == b'\n').count();
    let is_line = |line: &str| line.parse::<usize>().is_ok_and(|n| n <= most && n.to_string() == line);
    let is_at = |whole: String| what == whole && line.is_some_and(is_line);
    let is_known = is_at("the credential report is no table".into())
        || is_at("the credential report names a user twice".into())
        || COLUMNS.iter().any(|column| {
            is_at(format!("the credential report's {column} cannot be read"))
                || text == format!("the credential report has no column {column}, or has it twice")
        });
    assert!(is_known, "{text}");
}

/// A report of any users, written as RFC 4180 has it and in any dialect that AWS
/// has, is read back as it was meant. Tells whether it has users.
pub fn written_report(data: &[u8]) -> bool {
    let (text, meant) = write_report(&mut Choices(data));
    let read = Report::read(text.as_bytes());
    assert_eq!(read.as_ref(), Ok(&meant), "{text}");
    any_report(text.as_bytes());
    !meant.users.is_empty()
}

/// A report's text, and what it means.
fn write_report(choices: &mut Choices<'_>) -> (String, Report) {
    let mut columns: Vec<&str> = COLUMNS.iter().chain(&FURTHER[..choices.below(FURTHER.len() + 1)]).copied().collect();
    choices.shuffle(&mut columns);
    let mut meant = Report::default();
    let mut rows = vec![columns.iter().map(|column| (*column).to_owned()).collect()];
    let roots = choices.below(4);
    for n in 0..choices.below(8) {
        if n == roots {
            let (last_used, means) = root_sign_in(choices);
            meant.root_password_last_used = means;
            rows.push(row(&columns, choices, &[("user", "<root_account>"), ("password_last_used", &last_used)]));
            continue;
        }
        let name = choices.text();
        if name.is_empty() || meant.users.contains_key(&name) {
            continue;
        }
        let arn = format!(
            "arn:aws:iam::111111111111:user/{}{name}",
            if choices.is() { format!("{}/", choices.text()) } else { String::new() }
        );
        let (created, created_text) = date(choices);
        let [(password, password_text), (one, one_text), (two, two_text)] = [0; 3].map(|_| flag(choices));
        let access_key = if one == Some(true) || two == Some(true) { Some(true) } else { one.and(two) };
        rows.push(row(
            &columns,
            choices,
            &[
                ("user", &name),
                ("arn", &arn),
                ("user_creation_time", &created_text),
                ("password_enabled", password_text),
                ("access_key_1_active", one_text),
                ("access_key_2_active", two_text),
            ],
        ));
        meant.users.insert(name, ReportRow { arn, created, said: Said { password, access_key } });
    }
    (table(choices, &rows), meant)
}

/// A row with these fields; what stands in the others is nobody's business.
fn row(columns: &[&str], choices: &mut Choices<'_>, fields: &[(&str, &str)]) -> Vec<String> {
    let field = |column: &&str| {
        let wanted = fields.iter().find(|(name, _)| name == column);
        wanted.map_or_else(|| choices.text(), |(_, text)| (*text).to_owned())
    };
    columns.iter().map(field).collect()
}

/// The rows as RFC 4180 writes them: quoted where they must be, or where it pleases.
fn table(choices: &mut Choices<'_>, rows: &[Vec<String>]) -> String {
    let (end, is_quoted, is_ended) = (choices.of(&["\n", "\r\n"]), choices.is(), choices.is());
    let field = |text: &String| {
        let must_be = text.contains(['"', ',', '\r', '\n']);
        if must_be || is_quoted { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.clone() }
    };
    let lines: Vec<_> = rows.iter().map(|row| row.iter().map(field).collect::<Vec<_>>().join(",")).collect();
    lines.join(end) + if is_ended { end } else { "" }
}

/// What a flag means, and how it is spelled.
fn flag(choices: &mut Choices<'_>) -> (Option<bool>, &'static str) {
    choices.of(&[
        (Some(false), "false"),
        (Some(true), "true"),
        (Some(false), "FALSE"),
        (Some(true), "TRUE"),
        (None, "not_supported"),
        (None, "N/A"),
        (None, "no_information"),
    ])
}

fn root_sign_in(choices: &mut Choices<'_>) -> (String, Option<PasswordUse>) {
    match choices.below(4) {
        0 => ("no_information".into(), Some(PasswordUse::NoRecord)),
        1 => ("N/A".into(), Some(PasswordUse::NoPassword)),
        2 => ("not_supported".into(), None),
        _ => {
            let (at, text) = date(choices);
            (text, Some(PasswordUse::At(at)))
        }
    }
}

/// A whole second between 1970 and 2106, in either spelling of UTC.
fn date(choices: &mut Choices<'_>) -> (Timestamp, String) {
    let seconds = u32::from_be_bytes([0; 4].map(|_| choices.byte()));
    let text = humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(seconds.into())).to_string();
    let text = if choices.is() { text.replace('Z', "+00:00") } else { text };
    (Timestamp::from_millis(i64::from(seconds) * 1_000), text)
}

// === serial numbers ===

/// Any text is the serial number of a device of one kind, and whoever has one has a
/// device; the kinds that are told by their ARN are told by nothing else. Tells
/// whether it is of a documented form.
pub fn any_serial(data: &[u8]) -> bool {
    let text = String::from_utf8_lossy(data);
    let serials: Vec<_> = text.split('\n').collect();
    let devices = Devices::of_serials(serials.iter().copied());
    assert!(!devices.is_empty(), "{serials:?}");
    for kind in DeviceKind::ALL {
        let many = serials.iter().filter(|serial| DeviceKind::of_serial(serial) == kind).count();
        assert_eq!(usize::from(devices.count(kind)), many.min(255), "{serials:?}");
    }
    let is_all_virtual = serials.iter().all(|serial| DeviceKind::of_serial(serial) == DeviceKind::Virtual);
    assert_eq!(devices.has_other_than_virtual(), !is_all_virtual, "{serials:?}");
    serials.iter().all(|serial| is_told_by_its_form(serial) != DeviceKind::Other)
}

/// The kind of one serial number, held against what its form says piece by piece.
fn is_told_by_its_form(serial: &str) -> DeviceKind {
    let kind = DeviceKind::of_serial(serial);
    let fields: Vec<_> = serial.split(':').collect();
    let resource = |start: &str| {
        let resource = fields.get(5..).map(|rest| rest.join(":")).unwrap_or_default();
        fields[0].eq_ignore_ascii_case("arn")
            && fields.get(2) == Some(&"iam")
            && resource.len() > start.len()
            && resource.starts_with(start)
    };
    let is_right = match kind {
        DeviceKind::Virtual => resource("mfa/"),
        DeviceKind::Fido => resource("u2f/"),
        DeviceKind::Sms => resource("sms-mfa/"),
        DeviceKind::HardwareTotp => !serial.is_empty() && !serial.contains([':', '/']) && serial.is_ascii(),
        DeviceKind::Other => !["mfa/", "u2f/", "sms-mfa/"].into_iter().any(resource),
    };
    assert!(is_right, "{serial:?}: {kind:?}");
    kind
}
