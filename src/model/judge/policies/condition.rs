//! Whether the conditions of a statement are met without MFA.
//!
//! All conditions of a statement must be met, so one that is certainly not met decides, and
//! one about anything but MFA leaves it open. An operator whose key is not there is met if
//! it is a negated one, or ends with `IfExists`, and not met otherwise (IAM User Guide,
//! "IAM JSON policy elements: Condition operators").
//!
//! An operator of another type than the key proves nothing. By one page of AWS "the match
//! always fails and the policy statement never applies" (Amazon Neptune User Guide,
//! "Managing access to Amazon Neptune databases using IAM policies"). By another "the data
//! type won't match" (IAM User Guide, "IAM policy validation check reference", type
//! mismatch), which a negated operator may or may not take for a match. Of several truth
//! values that reference says that they "might not return the results that you expect".

use super::Context;

/// Whether something is so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Truth {
    No,
    Perhaps,
    Yes,
}

/// The value of a key in a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Key {
    /// The key is not there.
    Absent,
    /// It is there, and false.
    False,
}

/// What the values of a key are, and so by which operators it can be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Truth,
    Number,
}

/// Operators that are met by a key that is not there.
const NEGATED: [&str; 8] = [
    "arnnotequals",
    "arnnotlike",
    "datenotequals",
    "notipaddress",
    "numericnotequals",
    "stringnotequals",
    "stringnotequalsignorecase",
    "stringnotlike",
];

/// All others but `Null`.
const PLAIN: [&str; 19] = [
    "arnequals",
    "arnlike",
    "binaryequals",
    "bool",
    "dateequals",
    "dategreaterthan",
    "dategreaterthanequals",
    "datelessthan",
    "datelessthanequals",
    "ipaddress",
    "numericequals",
    "numericgreaterthan",
    "numericgreaterthanequals",
    "numericlessthan",
    "numericlessthanequals",
    "stringequals",
    "stringequalsignorecase",
    "stringlike",
    "null",
];

/// Whether the operator holds of the key in this context, with the values that the policy
/// has.
pub(super) fn holds(operator: &str, key: &str, values: &[String], context: Context) -> Truth {
    let (operator, key) = (operator.to_ascii_lowercase(), key.to_ascii_lowercase());
    let Some((key, kind)) = in_request(&key, context) else { return Truth::Perhaps };
    let operator = operator.as_str();
    if operator == "null" {
        return of_null(key, values);
    }
    let (plain, if_exists) = operator.strip_suffix("ifexists").map_or((operator, false), |plain| (plain, true));
    let is_negated = NEGATED.contains(&plain);
    if values.is_empty() || plain == "null" || !is_negated && !PLAIN.contains(&plain) {
        return Truth::Perhaps;
    }
    let is_met = match key {
        Key::Absent => yes_if(if_exists || is_negated),
        Key::False => of_false(plain, values),
    };
    if kind.suits(plain, values) { is_met } else { is_met.min(Truth::Perhaps) }
}

/// What the request has there, where that is known. The user calls AWS directly: what a
/// service then calls in the user's name is not a call of the user's.
fn in_request(key: &str, context: Context) -> Option<(Key, Kind)> {
    Some(match (key, context) {
        ("aws:multifactorauthpresent", Context::Console) | ("aws:viaawsservice", _) => (Key::False, Kind::Truth),
        ("aws:multifactorauthpresent", Context::AccessKey) => (Key::Absent, Kind::Truth),
        ("aws:multifactorauthage", _) => (Key::Absent, Kind::Number),
        _ => return None,
    })
}

impl Kind {
    /// Whether AWS's documentation says what this operator makes of these values.
    fn suits(self, operator: &str, values: &[String]) -> bool {
        match self {
            Self::Truth => operator == "bool" && values.len() == 1 && is_truth(&values[0]),
            Self::Number => operator.starts_with("numeric") && values.iter().all(|value| is_number(value)),
        }
    }
}

fn of_null(key: Key, values: &[String]) -> Truth {
    match values {
        [value] if value == "true" => yes_if(key == Key::Absent),
        [value] if value == "false" => yes_if(key != Key::Absent),
        _ => Truth::Perhaps,
    }
}

/// Whether the operator holds of a key that is false, which may or may not be comparable
/// with a text.
fn of_false(operator: &str, values: &[String]) -> Truth {
    let is = |wanted: &str| values.iter().any(|value| value == wanted);
    if !values.iter().all(|value| is_truth(value)) {
        return Truth::Perhaps;
    }
    match operator {
        "bool" => yes_if(is("false")),
        "stringequals" | "stringequalsignorecase" | "stringlike" if !is("false") => Truth::No,
        _ => Truth::Perhaps,
    }
}

fn is_truth(value: &str) -> bool {
    value == "true" || value == "false"
}

fn is_number(value: &str) -> bool {
    value.parse().is_ok_and(f64::is_finite)
}

const fn yes_if(is_so: bool) -> Truth {
    if is_so { Truth::Yes } else { Truth::No }
}
