//! Whether the conditions of a statement are met without MFA.
//!
//! All conditions of a statement must be met, so one that is certainly not met decides, and
//! one about anything but MFA leaves it open. An operator whose key is not there is met if
//! it is a negated one, or ends with `IfExists`, and not met otherwise (IAM User Guide,
//! "IAM JSON policy elements: Condition operators").

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
    let Some(key) = in_request(&key, context) else { return Truth::Perhaps };
    let operator = operator.as_str();
    if operator == "null" {
        return of_null(key, values);
    }
    let (plain, if_exists) = operator.strip_suffix("ifexists").map_or((operator, false), |plain| (plain, true));
    let is_negated = NEGATED.contains(&plain);
    if values.is_empty() || plain == "null" || !is_negated && !PLAIN.contains(&plain) {
        return Truth::Perhaps;
    }
    match key {
        Key::Absent if if_exists || is_negated => Truth::Yes,
        Key::Absent => Truth::No,
        Key::False => of_false(plain, values),
    }
}

/// What the request has there, where that is known. The user calls AWS directly: what a
/// service then calls in the user's name is not a call of the user's.
fn in_request(key: &str, context: Context) -> Option<Key> {
    match (key, context) {
        ("aws:multifactorauthpresent", Context::Console) | ("aws:viaawsservice", _) => Some(Key::False),
        ("aws:multifactorauthpresent", Context::AccessKey) | ("aws:multifactorauthage", _) => Some(Key::Absent),
        _ => None,
    }
}

fn of_null(key: Key, values: &[String]) -> Truth {
    match values {
        [value] if value == "true" => yes_if(key == Key::Absent),
        [value] if value == "false" => yes_if(key != Key::Absent),
        _ => Truth::Perhaps,
    }
}

/// Whether the operator holds of a key that is false. A key that is a truth value is
/// perhaps not comparable with a text, and then only the negated operator is met.
fn of_false(operator: &str, values: &[String]) -> Truth {
    let is = |wanted: &str| values.iter().any(|value| value == wanted);
    if !values.iter().all(|value| value == "true" || value == "false") {
        return Truth::Perhaps;
    }
    match operator {
        "bool" => yes_if(is("false")),
        "stringequals" | "stringequalsignorecase" | "stringlike" if !is("false") => Truth::No,
        "stringnotequals" | "stringnotequalsignorecase" | "stringnotlike" if !is("false") => Truth::Yes,
        _ => Truth::Perhaps,
    }
}

const fn yes_if(is_so: bool) -> Truth {
    if is_so { Truth::Yes } else { Truth::No }
}
