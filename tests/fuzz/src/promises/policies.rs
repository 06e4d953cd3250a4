//! What must hold of the reader of policy documents.

use super::super::exporter::model::{
    facts::policies::Enforcement,
    judge::policies::{Denies, enforcement},
};

/// Whatever document is read, it denies nothing without saying so; it says the same
/// percent-encoded and in other capitals of its actions; and another that denies more never
/// makes less of it. Tells whether it is read.
pub fn any_policy(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else { return false };
    let _ = Denies::of_encoded(text);
    let Ok(denies) = Denies::of_document(text) else { return false };
    let alone = enforcement(&[&denies], true);
    assert!(denies.is_empty() || text.contains("Deny") || text.contains('\\'), "{text}");
    assert!(!denies.is_empty() || alone == Enforcement::None, "{text}");
    let encoded: String = data.iter().map(|byte| format!("%{byte:02X}")).collect();
    assert_eq!(Denies::of_encoded(&encoded).as_ref(), Ok(&denies), "{text}");
    let doubted = enforcement(&[&denies], false);
    assert!(doubted == Enforcement::Unknown || doubted == alone, "{text}");
    let all = Denies::of_document(r#"{"Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}"#);
    let all = all.expect("this is a policy");
    assert_eq!(enforcement(&[&denies, &all], true), Enforcement::Full, "{text}");
    if alone == Enforcement::Full {
        assert_eq!(enforcement(&[&denies, &Denies::default()], false), Enforcement::Full, "{text}");
    }
    true
}
