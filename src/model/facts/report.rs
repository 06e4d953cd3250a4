//! The credential report: a table of all users, up to four hours old.
//!
//! It is read by the names of its columns, of which AWS documents more than it
//! sends, and one bad row spoils the whole: a row read wrongly is a user judged
//! wrongly. An error names the line and the column, never what stands there.
//! Whether a user has a device is not read at all: what was so hours ago proves
//! nothing of now.

use std::collections::BTreeMap;

use crate::model::time::Timestamp;

/// The name that root's row has, which no IAM user can have.
const ROOT: &str = "<root_account>";

/// A report.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// When root's password was last used; `None` where the report does not say.
    pub root_password_last_used: Option<PasswordUse>,
    /// The users by name.
    pub users: BTreeMap<String, ReportRow>,
}

/// When a password was last used, as far as AWS knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasswordUse {
    /// It was last used then.
    At(Timestamp),
    /// `no_information`: AWS has no record. It was never used, or not since 20 October
    /// 2014, when AWS began to keep records (IAM User Guide, "Get credential reports").
    NoRecord,
    /// `N/A`: there is no password.
    NoPassword,
}

impl PasswordUse {
    /// When it was, if AWS has a record.
    #[must_use]
    pub const fn at(self) -> Option<Timestamp> {
        match self {
            Self::At(at) => Some(at),
            Self::NoRecord | Self::NoPassword => None,
        }
    }

    /// Whether AWS has a record; `None` where there is no password.
    #[must_use]
    pub const fn is_recorded(self) -> Option<bool> {
        match self {
            Self::At(_) => Some(true),
            Self::NoRecord => Some(false),
            Self::NoPassword => None,
        }
    }
}

/// What the report says of one user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportRow {
    /// The user's ARN.
    pub arn: String,
    /// When the user was created.
    pub created: Timestamp,
    /// What the row says of the user's credentials.
    pub said: Said,
}

/// What a report says of a user's credentials. `None` is "it does not say".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Said {
    /// Whether the user has a console password.
    pub password: Option<bool>,
    /// Whether the user has an access key that is active.
    pub access_key: Option<bool>,
}

/// The report cannot be believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReportError {
    /// It is no text, or no table.
    #[error("the credential report is no table: line {0}")]
    NoTable(u64),
    /// A column that is needed is not there, or there twice.
    #[error("the credential report has no column {0}, or has it twice")]
    Column(&'static str),
    /// A field holds what it cannot hold.
    #[error("the credential report's {column} cannot be read: line {line}")]
    Field {
        /// The line, from 1.
        line: u64,
        /// The column.
        column: &'static str,
    },
    /// A user has two rows.
    #[error("the credential report names a user twice: line {0}")]
    Twice(u64),
}

/// Where the columns are that are read.
struct Columns {
    user: usize,
    arn: usize,
    created: usize,
    password: usize,
    last_used: usize,
    keys: [usize; 2],
}

impl Report {
    /// What the rows of all users say that were created in the same second, where they
    /// agree: so it is of each of them, whatever their names are now.
    #[must_use]
    pub fn by_creation(&self) -> BTreeMap<Timestamp, Said> {
        let mut said = BTreeMap::new();
        for row in self.users.values() {
            said.entry(row.created).and_modify(|said: &mut Said| *said = said.and(row.said)).or_insert(row.said);
        }
        said
    }

    /// Reads the report's text.
    ///
    /// # Errors
    /// When any of it is not as it must be.
    pub fn read(text: &[u8]) -> Result<Self, ReportError> {
        let mut reader = csv::ReaderBuilder::new().flexible(false).from_reader(text);
        let header = reader.headers().map_err(|error| no_table(&error))?;
        let columns = Columns::find(header)?;
        let mut report = Self::default();
        for record in reader.records() {
            let record = record.map_err(|error| no_table(&error))?;
            let line = record.position().map_or(0, csv::Position::line);
            if &record[columns.user] == ROOT {
                report.root_password_last_used = last_used(&record, &columns, line)?;
                continue;
            }
            let row = ReportRow::read(&record, &columns, line)?;
            if report.users.insert(record[columns.user].to_owned(), row).is_some() {
                return Err(ReportError::Twice(line));
            }
        }
        Ok(report)
    }
}

impl Columns {
    fn find(header: &csv::StringRecord) -> Result<Self, ReportError> {
        let find = |name: &'static str| {
            let mut places = header.iter().enumerate().filter(|(_, field)| *field == name).map(|(place, _)| place);
            match (places.next(), places.next()) {
                (Some(place), None) => Ok(place),
                _ => Err(ReportError::Column(name)),
            }
        };
        Ok(Self {
            user: find("user")?,
            arn: find("arn")?,
            created: find("user_creation_time")?,
            password: find("password_enabled")?,
            last_used: find("password_last_used")?,
            keys: [find("access_key_1_active")?, find("access_key_2_active")?],
        })
    }
}

impl ReportRow {
    fn read(record: &csv::StringRecord, columns: &Columns, line: u64) -> Result<Self, ReportError> {
        let wrong = |column| ReportError::Field { line, column };
        let flag = |place: usize, column| flag(&record[place]).ok_or(wrong(column));
        let (user, arn) = (&record[columns.user], &record[columns.arn]);
        if user.is_empty() {
            return Err(wrong("user"));
        }
        // Columns that were shifted show here first: the ARN ends in the name.
        if !arn.starts_with("arn:") || !arn.strip_suffix(user).is_some_and(|path| path.ends_with('/')) {
            return Err(wrong("arn"));
        }
        let created = date(&record[columns.created]).ok_or(wrong("user_creation_time"))?;
        let keys = [flag(columns.keys[0], "access_key_1_active")?, flag(columns.keys[1], "access_key_2_active")?];
        let access_key = match keys {
            [Some(true), _] | [_, Some(true)] => Some(true),
            [Some(false), Some(false)] => Some(false),
            _ => None,
        };
        let said = Said { password: flag(columns.password, "password_enabled")?, access_key };
        Ok(Self { arn: arn.to_owned(), created, said })
    }
}

impl Said {
    /// What both say.
    fn and(self, other: Self) -> Self {
        Self {
            password: self.password.filter(|has| other.password == Some(*has)),
            access_key: self.access_key.filter(|has| other.access_key == Some(*has)),
        }
    }
}

fn no_table(error: &csv::Error) -> ReportError {
    ReportError::NoTable(error.position().map_or(0, csv::Position::line))
}

/// A flag: the outer `None` is nonsense, the inner one "not said". AWS documents
/// TRUE and FALSE, and sends them in lower case.
fn flag(text: &str) -> Option<Option<bool>> {
    let is = |word| text.eq_ignore_ascii_case(word);
    match () {
        () if is("true") => Some(Some(true)),
        () if is("false") => Some(Some(false)),
        () if is("not_supported") || is("n/a") || is("no_information") => Some(None),
        () => None,
    }
}

fn last_used(record: &csv::StringRecord, columns: &Columns, line: u64) -> Result<Option<PasswordUse>, ReportError> {
    match &record[columns.last_used] {
        "no_information" => Ok(Some(PasswordUse::NoRecord)),
        "N/A" => Ok(Some(PasswordUse::NoPassword)),
        "not_supported" => Ok(None),
        text => {
            let at = date(text).ok_or(ReportError::Field { line, column: "password_last_used" })?;
            Ok(Some(PasswordUse::At(at)))
        }
    }
}

/// An instant as AWS writes it, in UTC.
fn date(text: &str) -> Option<Timestamp> {
    let utc = text.strip_suffix("+00:00").map_or_else(|| text.to_owned(), |start| format!("{start}Z"));
    let time = humantime::parse_rfc3339(&utc).ok()?;
    let millis = time.duration_since(std::time::UNIX_EPOCH).ok()?.as_millis();
    i64::try_from(millis).ok().map(Timestamp::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "user,arn,user_creation_time,password_enabled,password_last_used,password_last_changed,password_next_rotation,mfa_active,access_key_1_active,access_key_1_last_rotated,access_key_1_last_used_date,access_key_1_last_used_region,access_key_1_last_used_service,access_key_2_active,access_key_2_last_rotated,access_key_2_last_used_date,access_key_2_last_used_region,access_key_2_last_used_service,cert_1_active,cert_1_last_rotated,cert_2_active,cert_2_last_rotated";
    const ROOT_ROW: &str = "<root_account>,arn:aws:iam::333333333333:root,2025-08-25T13:49:23Z,true,no_information,2026-09-12T01:41:52Z,not_supported,false,false,N/A,N/A,N/A,N/A,false,N/A,N/A,N/A,N/A,false,N/A,false,N/A";

    fn row(name: &str, password: &str, mfa: &str, key: &str) -> String {
        format!(
            "{name},arn:aws:iam::333333333333:user/{name},2024-01-02T03:04:05Z,{password},N/A,N/A,N/A,{mfa},{key},N/A,N/A,N/A,N/A,false,N/A,N/A,N/A,N/A,false,N/A,false,N/A"
        )
    }

    fn read(rows: &[&str]) -> Result<Report, ReportError> {
        Report::read([&[HEADER], rows].concat().join("\n").as_bytes())
    }

    #[test]
    fn a_live_report_is_read_and_root_is_no_user() {
        let report = read(&[ROOT_ROW, &row("ci", "false", "true", "true")]).unwrap();
        assert_eq!(report.root_password_last_used, Some(PasswordUse::NoRecord));
        let (name, ci) = report.users.iter().next().unwrap();
        assert_eq!((name.as_str(), report.users.len()), ("ci", 1));
        assert_eq!((ci.said.password, ci.said.access_key), (Some(false), Some(true)));
        assert_eq!(ci.created.as_millis(), 1_704_164_645_000);
    }

    #[test]
    fn roots_last_sign_in_is_a_date_or_no_record_or_no_password_or_not_said() {
        let with =
            |text: &str| read(&[&ROOT_ROW.replacen("no_information", text, 1)]).map(|r| r.root_password_last_used);
        let at = PasswordUse::At(Timestamp::from_millis(1_704_164_645_000));
        assert_eq!(with("2024-01-02T03:04:05Z"), Ok(Some(at)));
        assert_eq!(with("2024-01-02T03:04:05+00:00"), Ok(Some(at)));
        assert_eq!(with("no_information"), Ok(Some(PasswordUse::NoRecord)));
        assert_eq!(with("N/A"), Ok(Some(PasswordUse::NoPassword)));
        assert_eq!(with("not_supported"), Ok(None));
        assert_eq!(with("yesterday"), Err(ReportError::Field { line: 2, column: "password_last_used" }));
    }

    #[test]
    fn of_users_created_in_one_second_it_says_what_all_their_rows_say() {
        let later = row("other", "false", "true", "false").replace("03:04:05", "03:04:06");
        let rows = [&*row("a", "true", "true", "false"), &row("b", "true", "false", "true"), &later];
        let said = read(&rows).unwrap().by_creation();
        let said: Vec<_> = said.values().map(|said| (said.password, said.access_key)).collect();
        assert_eq!(said, [(Some(true), None), (Some(false), Some(false))]);
    }

    #[test]
    fn columns_are_found_by_name_in_any_order_and_more_of_them_do_no_harm() {
        let wide =
            format!("{HEADER},additional_credentials_info\n{},3 access keys", row("ci", "true", "false", "true"));
        assert_eq!(Report::read(wide.as_bytes()).unwrap().users["ci"].said.password, Some(true));
        let swapped = "user,password_enabled,arn,access_key_2_active,access_key_1_active,user_creation_time,password_last_used\n\
                       ci,TRUE,arn:aws:iam::333333333333:user/ci,FALSE,TRUE,2024-01-02T03:04:05Z,N/A\n";
        let ci = &Report::read(swapped.as_bytes()).unwrap().users["ci"];
        assert_eq!((ci.said.password, ci.said.access_key), (Some(true), Some(true)));
    }

    #[test]
    fn capitals_are_read_and_anything_else_is_not_guessed() {
        assert_eq!(read(&[&row("ci", "FALSE", "FALSE", "True")]).unwrap().users["ci"].said.password, Some(false));
        assert_eq!(read(&[&row("ci", "not_supported", "false", "N/A")]).unwrap().users["ci"].said.access_key, None);
        assert_eq!(
            read(&[&row("ci", "yes", "false", "true")]),
            Err(ReportError::Field { line: 2, column: "password_enabled" })
        );
        assert_eq!(
            read(&[&row("ci", "true", "", "")]),
            Err(ReportError::Field { line: 2, column: "access_key_1_active" })
        );
    }

    #[test]
    fn names_with_every_legal_character_are_read_where_they_are_quoted() {
        let name = "a+b=c.d@e_f-g,h";
        let quoted = row(name, "true", "false", "false").replace(name, &format!("\u{1}{name}\u{1}"));
        let quoted = quoted.replacen('\u{1}', "\"", 2).replacen(":user/\u{1}", ":user/", 1);
        // The ARN holds the comma as well, so it is quoted whole.
        let quoted = quoted.replacen("arn:", "\"arn:", 1).replacen('\u{1}', "\"", 1);
        let report = read(&[&quoted]).unwrap();
        assert_eq!(report.users[name].said.password, Some(true));
    }

    #[test]
    fn a_row_that_a_comma_has_shifted_spoils_the_report() {
        let shifted = row("a,b", "true", "false", "false");
        assert_eq!(read(&[&row("ci", "true", "true", "false"), &shifted]), Err(ReportError::NoTable(3)));
        // The same with two fields fewer: as many as there are columns, all displaced.
        let displaced = shifted.trim_end_matches(",false,N/A").to_owned() + ",N/A";
        assert!(matches!(read(&[&displaced]), Err(ReportError::NoTable(2) | ReportError::Field { .. })), "{displaced}");
    }

    #[test]
    fn what_is_no_report_is_told_without_quoting_it() {
        for (text, wanted) in [
            ("", ReportError::Column("user")),
            ("<html>secret-name</html>", ReportError::Column("user")),
            ("user,user,arn\n", ReportError::Column("user")),
            ("user,arn\nsecret-name\n", ReportError::Column("user_creation_time")),
        ] {
            let error = Report::read(text.as_bytes()).unwrap_err();
            assert_eq!(error, wanted, "{text}");
            assert!(!error.to_string().contains("secret"));
        }
        let twice = row("ci", "true", "true", "false");
        assert_eq!(read(&[&twice, &twice]), Err(ReportError::Twice(3)));
        assert!(matches!(Report::read(&[HEADER.as_bytes(), b"\n\xff,"].concat()), Err(ReportError::NoTable(_))));
    }
}
