//! A list, page by page, whatever it lists and whoever sends it.

use std::{collections::BTreeSet, future::Future};

use crate::model::facts::{Fault, FaultClass};

/// No list is longer than so many pages: the greatest organization would have two
/// hundred thousand accounts.
const MOST_PAGES: usize = 10_000;

/// Reads a list to its last page. `take` takes a page in, and says by what marker, or
/// token, the list goes on.
///
/// # Errors
/// When a page cannot be read, or the list leads back to one that was read before: a
/// marker is the place of a page, and stands once in a list that ends.
pub async fn pages<P, F>(
    operation: &'static str,
    read: impl Fn(Option<String>) -> F,
    mut take: impl FnMut(P) -> Option<String>,
) -> Result<(), Fault>
where
    F: Future<Output = Result<P, Fault>>,
{
    let mut markers = BTreeSet::new();
    let mut marker = None;
    loop {
        let Some(next) = take(read(marker).await?) else { return Ok(()) };
        if !markers.insert(next.clone()) || markers.len() > MOST_PAGES {
            let detail = format!("{operation}: the list returned to a page that was already read, or does not end");
            return Err(Fault::new(FaultClass::MalformedReply, detail));
        }
        marker = Some(next);
    }
}
