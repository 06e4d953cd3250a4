//! How many calls of IAM AWS bears from one account: a token bucket, which holds a
//! second's calls.

use std::{collections::BTreeMap, time::Instant};

use crate::record::Seen;

/// The buckets by account; none where nothing is limited.
#[derive(Debug, Default)]
pub(crate) struct Limits {
    rate: Option<f64>,
    buckets: BTreeMap<String, (f64, Instant)>,
    exceeded: usize,
}

impl Limits {
    /// Limits of so many calls a second and account.
    pub(crate) fn of(rate: f64) -> Self {
        Self { rate: Some(rate), ..Self::default() }
    }

    /// Whether this is a call too many.
    pub(crate) fn exceeds(&mut self, seen: &Seen) -> bool {
        let Some(rate) = self.rate.filter(|_| seen.service == "iam") else { return false };
        let (tokens, filled) = self.buckets.entry(seen.account.clone()).or_insert((rate, seen.at));
        let elapsed = seen.at.saturating_duration_since(*filled).as_secs_f64();
        (*tokens, *filled) = ((*tokens + elapsed * rate).min(rate), seen.at);
        let is_too_many = *tokens < 1.0;
        *tokens -= f64::from(u8::from(!is_too_many));
        self.exceeded += usize::from(is_too_many);
        is_too_many
    }

    /// How many calls were too many.
    pub(crate) fn exceeded(&self) -> usize {
        self.exceeded
    }
}
