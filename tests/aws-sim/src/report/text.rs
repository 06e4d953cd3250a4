//! What a credential report says: a line of comma-separated values for root and for
//! each user, as AWS writes them in 2026, or as it did or says it does.

use crate::{
    state::{Account, CREATED},
    user::User,
};

/// The columns that AWS writes.
const COLUMNS: [&str; 22] = [
    "user",
    "arn",
    "user_creation_time",
    "password_enabled",
    "password_last_used",
    "password_last_changed",
    "password_next_rotation",
    "mfa_active",
    "access_key_1_active",
    "access_key_1_last_rotated",
    "access_key_1_last_used_date",
    "access_key_1_last_used_region",
    "access_key_1_last_used_service",
    "access_key_2_active",
    "access_key_2_last_rotated",
    "access_key_2_last_used_date",
    "access_key_2_last_used_region",
    "access_key_2_last_used_service",
    "cert_1_active",
    "cert_1_last_rotated",
    "cert_2_active",
    "cert_2_last_rotated",
];
/// One more, which AWS documents and was not seen to write.
const EXTRA: &str = "additional_credentials_info";

/// Keys and certificates have two places each.
const PLACES: usize = 2;
const NONE: &str = "N/A";
const UNSUPPORTED: &str = "not_supported";

/// The report of an account as it is now; its last line does not end.
pub(crate) fn text(account: &Account) -> String {
    let columns: Vec<_> = COLUMNS.into_iter().chain(account.report_extra_column.then_some(EXTRA)).collect();
    let header = columns.iter().map(|&column| column.to_owned()).collect();
    let root = (!account.report_without_root).then(|| root(account));
    let mut users: Vec<_> = account.users.iter().collect();
    users.sort_by_cached_key(|user| user.sort_key());
    let rows = [header].into_iter().chain(root).chain(users.into_iter().map(|user| row(account, user)));
    let lines: Vec<_> = rows.map(|row: Vec<String>| line(account, &columns, &row)).collect();
    lines.join("\n")
}

/// A row without the columns that are left out.
fn line(account: &Account, columns: &[&str], row: &[String]) -> String {
    let is_kept = |column: &str| !account.report_omit_columns.iter().any(|omitted| omitted == column);
    let kept = columns.iter().zip(row).filter(|(column, _)| is_kept(column));
    kept.map(|(_, field)| quote(field)).collect::<Vec<_>>().join(",")
}

/// A field as RFC 4180 has it.
fn quote(field: &str) -> String {
    let is_plain = !field.contains([',', '"', '\r', '\n']);
    if is_plain { field.to_owned() } else { format!("\"{}\"", field.replace('"', "\"\"")) }
}

fn root(account: &Account) -> Vec<String> {
    let root = &account.root;
    let keys = vec![true; root.access_keys as usize];
    let certificates = root.signing_certificates as usize;
    let password = if account.report_root_not_supported {
        let last_used = root.password_last_used.as_deref().unwrap_or("no_information");
        [UNSUPPORTED.to_owned(), last_used.to_owned(), UNSUPPORTED.to_owned()]
    } else {
        password(account, root.password, root.password_last_used.as_deref(), root.password.then_some(CREATED))
    };
    let mut row = vec!["<root_account>".to_owned(), account.root_arn(), CREATED.to_owned()];
    row.extend(password);
    row.extend([UNSUPPORTED.to_owned(), word(account, !root.devices.is_empty())]);
    row.extend(credentials(account, &keys, certificates, CREATED));
    row
}

fn row(account: &Account, user: &User) -> Vec<String> {
    let mut row = vec![user.name.clone(), account.user_arn(user), user.created.clone()];
    row.extend(password(account, user.password, user.password_last_used.as_deref(), user.password_changed()));
    row.extend([NONE.to_owned(), word(account, !user.devices.is_empty())]);
    row.extend(credentials(account, &user.access_keys, 0, &user.created));
    row
}

/// Whether there is a password, when it was used and when it was set.
fn password(account: &Account, present: bool, used: Option<&str>, set: Option<&str>) -> [String; 3] {
    let used = if present { used.unwrap_or("no_information") } else { NONE };
    [word(account, present), used.to_owned(), set.unwrap_or(NONE).to_owned()]
}

/// The columns about keys and certificates. Nobody has used any of them. An inactive
/// key keeps the date of its last rotation.
fn credentials(account: &Account, keys: &[bool], certificates: usize, since: &str) -> Vec<String> {
    let date = |present: bool| if present { since } else { NONE }.to_owned();
    let mut row = Vec::new();
    for n in 0..PLACES {
        let key = keys.get(n);
        row.extend([word(account, key == Some(&true)), date(key.is_some())]);
        row.extend([NONE; 3].map(str::to_owned));
    }
    for n in 0..PLACES {
        row.extend([word(account, n < certificates), date(n < certificates)]);
    }
    if account.report_extra_column {
        let too_many = keys.len() > PLACES || certificates > PLACES;
        row.push(if too_many {
            format!("{} access keys, {certificates} certificates", keys.len())
        } else {
            String::new()
        });
    }
    row
}

fn word(account: &Account, value: bool) -> String {
    let word = value.to_string();
    if account.report_upper_case { word.to_uppercase() } else { word }
}
