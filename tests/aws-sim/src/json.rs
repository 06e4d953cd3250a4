//! JSON documents, and what faults do to them.

use serde_json::Value;

use crate::{
    fault::Fault,
    protocol::{Protocol, Reply, halve},
};

/// A result, spoilt by `faults`.
pub(crate) fn document(mut result: Value, faults: &[Fault]) -> Reply {
    for fault in faults {
        if let Fault::Omit(key) = fault {
            omit(&mut result, key);
        }
    }
    let mut body = result.to_string();
    for fault in faults {
        spoil(&mut body, fault);
    }
    Reply { status: 200, content_type: Protocol::Json.content_type(), body }
}

/// Takes a key out of every object.
fn omit(value: &mut Value, key: &str) {
    match value {
        Value::Object(fields) => {
            fields.remove(key);
            fields.values_mut().for_each(|value| omit(value, key));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| omit(item, key)),
        _ => {}
    }
}

fn spoil(body: &mut String, fault: &Fault) {
    match fault {
        Fault::HalfDocument => halve(body),
        // The last brace is a bracket.
        Fault::Malformed => {
            body.pop();
            body.push(']');
        }
        Fault::Oversized(bytes) => body.insert_str(1, &" ".repeat(*bytes)),
        _ => {}
    }
}
