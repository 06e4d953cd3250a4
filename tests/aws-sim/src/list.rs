//! The lists of IAM, page by page: written once, so that every list can go wrong in
//! every way that a list can.

use std::{fmt::Write as _, ops::Range};

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};

use crate::{
    fault::Fault,
    protocol::Reply,
    reply::{Inquiry, constraint, invalid},
};

/// The items of a page if nobody says otherwise, and at most.
const USUAL: usize = 100;
const MOST: usize = 1_000;

impl Inquiry<'_> {
    /// The page of a list that is asked for, in the order of `key`, which no two items
    /// have in common.
    pub(crate) fn list<T>(
        &self,
        name: &str,
        mut items: Vec<T>,
        key: impl Fn(&T) -> String,
        describe: impl Fn(&T) -> String,
    ) -> Result<String, Reply> {
        let (place, end) = self.page(&mut items, key)?;
        Ok(members(name, items[place].iter().map(describe)) + &end)
    }

    /// Which of the items are on the page that is asked for, and what the page ends with. A
    /// marker tells the key of the last item before it and not its place, so that nothing is
    /// passed over when something is deleted between pages.
    pub(crate) fn page<T>(&self, items: &mut [T], key: impl Fn(&T) -> String) -> Result<(Range<usize>, String), Reply> {
        items.sort_by_cached_key(&key);
        let marker = self.params.get("Marker").map(|marker| read(marker)).transpose()?;
        let from = marker.as_ref().map_or(0, |after| items.partition_point(|item| key(item) <= *after));
        let is_empty = marker.is_none() && self.faults.contains(&Fault::EmptyFirstPage);
        let to = if is_empty { from } else { items.len().min(from + self.size()?) };
        let last = || to.checked_sub(1).map_or_else(String::new, |last| key(&items[last]));
        let (truncated, next) = match self.faults {
            faults if faults.contains(&Fault::MarkerLoop) => ("true", Some(String::new())),
            faults if faults.contains(&Fault::MarkerCycle) => {
                let other = if marker.as_deref() == Some("") { " " } else { "" };
                ("true", Some(other.to_owned()))
            }
            faults if faults.contains(&Fault::NoMarker) => ("true", None),
            faults if faults.contains(&Fault::OddTruncation) => ("perhaps", None),
            _ if to < items.len() || is_empty => ("true", Some(last())),
            _ => ("false", None),
        };
        let mut end = format!("    <IsTruncated>{truncated}</IsTruncated>\n");
        if let Some(after) = next {
            let _ = writeln!(end, "    <Marker>{}</Marker>", write(&after));
        }
        Ok((from..to, end))
    }

    fn size(&self) -> Result<usize, Reply> {
        let longest = self.account.page_size.unwrap_or(MOST).max(1);
        let Some(asked) = self.params.get("MaxItems") else { return Ok(longest.min(USUAL)) };
        let asked = asked.parse().ok().filter(|asked| (1..=MOST).contains(asked));
        asked.map(|asked| longest.min(asked)).ok_or_else(|| constraint("maxItems", "have a value from 1 to 1000"))
    }
}

/// A list of these members.
pub(crate) fn members(name: &str, all: impl Iterator<Item = String>) -> String {
    let mut out = format!("    <{name}>\n");
    for member in all {
        let _ = writeln!(out, "      <member>{member}</member>");
    }
    out + &format!("    </{name}>\n")
}

/// What every marker begins with, so that none is empty.
const PREFIX: &str = "after ";

fn write(after: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(format!("{PREFIX}{after}"))
}

fn read(marker: &str) -> Result<String, Reply> {
    let text = BASE64_URL_SAFE_NO_PAD.decode(marker).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    text.and_then(|text| text.strip_prefix(PREFIX).map(str::to_owned)).ok_or_else(|| invalid("Invalid Marker."))
}
