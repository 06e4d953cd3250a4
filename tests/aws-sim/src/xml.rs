//! XML as far as the answers need it.

/// A text as an element holds it.
pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Elements that hold nothing but text, one after the other.
pub(crate) fn elements(all: &[(&str, &str)]) -> String {
    all.iter().map(|(name, text)| format!("<{name}>{}</{name}>", escape(text))).collect()
}
