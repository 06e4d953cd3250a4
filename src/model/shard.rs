//! Which part of the accounts is this process's.
//!
//! An account's number is hashed (FNV-1a, 64 bits) and given one of the shards
//! by Lamping and Veach's jump hash: every process comes to the same answer
//! without asking another, and when one shard is added, only the accounts that
//! it takes over move.

use crate::model::{account::AccountId, hash::fnv1a};

/// One of so many shards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    ordinal: u32,
    total: u32,
}

/// No such shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no shard {ordinal} of {total}: with --total-shards={total}, shards are numbered from 0 to {last}", last = .total.saturating_sub(1))]
pub struct ShardError {
    ordinal: u32,
    total: u32,
}

impl Shard {
    /// All of the accounts.
    pub const WHOLE: Self = Self { ordinal: 0, total: 1 };

    /// The shard of this number, from 0, of so many.
    ///
    /// # Errors
    /// When there are not so many.
    pub const fn new(ordinal: u32, total: u32) -> Result<Self, ShardError> {
        if ordinal < total { Ok(Self { ordinal, total }) } else { Err(ShardError { ordinal, total }) }
    }

    /// Its number, from 0.
    #[must_use]
    pub const fn ordinal(self) -> u32 {
        self.ordinal
    }

    /// How many there are.
    #[must_use]
    pub const fn total(self) -> u32 {
        self.total
    }

    /// Whether an account is this shard's.
    #[must_use]
    pub fn keeps(self, account: AccountId) -> bool {
        jump(fnv1a(account.as_str().as_bytes()), self.total) == self.ordinal
    }
}

/// Reads the number at the end of a StatefulSet pod's name, `exporter-2` say.
#[must_use]
pub fn ordinal_of_pod(name: &str) -> Option<u32> {
    let (set, ordinal) = name.rsplit_once('-')?;
    let is_canonical = ordinal == "0" || !ordinal.starts_with(['0', '+']);
    ordinal.parse().ok().filter(|_| is_canonical && !set.is_empty())
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the paper's arithmetic: both operands are below 2^33, and the quotient is cut on purpose"
)]
fn jump(mut key: u64, buckets: u32) -> u32 {
    let (mut bucket, mut next) = (0u64, 0u64);
    while next < u64::from(buckets) {
        bucket = next;
        key = key.wrapping_mul(2_862_933_555_777_941_757).wrapping_add(1);
        next = ((bucket + 1) as f64 * ((1u64 << 31) as f64 / ((key >> 33) + 1) as f64)) as u64;
    }
    u32::try_from(bucket).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(n: u64) -> AccountId {
        format!("{:012}", n * 7_919 + 100_000_000_000).parse().unwrap()
    }

    fn shard_of(account: AccountId, total: u32) -> u32 {
        let keepers: Vec<_> = (0..total).filter(|n| Shard::new(*n, total).unwrap().keeps(account)).collect();
        assert_eq!(keepers.len(), 1, "exactly one shard keeps an account");
        keepers[0]
    }

    #[test]
    fn shards_are_even_and_one_more_moves_only_what_it_takes() {
        for total in [1u32, 2, 3, 5, 10] {
            let (mut moved, mut sizes) = (0u32, vec![0u32; total as usize]);
            for account in (0..10_000).map(account) {
                let (before, after) = (shard_of(account, total), shard_of(account, total + 1));
                sizes[before as usize] += 1;
                assert!(after == before || after == total, "it moves to the new shard or not at all");
                moved += u32::from(after != before);
            }
            let fair = 10_000 / (total + 1);
            assert!(moved.abs_diff(fair) < fair / 5, "{total}: {moved} moved, {fair} wanted");
            let share = 10_000 / total;
            assert!(sizes.iter().all(|size| size.abs_diff(share) <= share / 5), "{sizes:?}");
        }
    }

    #[test]
    fn a_number_outside_the_range_is_an_error() {
        assert!(Shard::new(2, 2).unwrap_err().to_string().contains("from 0 to 1"));
        assert!(Shard::new(0, 0).is_err());
        assert_eq!(Shard::new(0, 1), Ok(Shard::WHOLE));
    }

    #[test]
    fn a_pods_number_is_the_last_part_of_its_name() {
        assert_eq!(ordinal_of_pod("aws-mfa-exporter-12"), Some(12));
        for none in ["", "3", "-3", "exporter", "exporter-", "exporter-03", "exporter-+3", "exporter-7f9c4-x2x"] {
            assert_eq!(ordinal_of_pod(none), None, "{none}");
        }
    }
}
