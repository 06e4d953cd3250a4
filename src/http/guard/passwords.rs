//! Whether a request comes with a password that is good.
//!
//! To compare one costs a tenth of a second by design. So what was found good is
//! remembered, and whoever is remembered passes at once; all others take turns,
//! lest guesses add up to a stopped machine, or to a scrape that waits its turn
//! behind them.

use std::{
    collections::{BTreeMap, HashSet},
    hash::{BuildHasher as _, RandomState},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use http::{HeaderMap, HeaderValue, header::AUTHORIZATION};
use tokio::{sync::Semaphore, task::spawn_blocking};

use crate::http::config::Secret;

/// Whom an unknown user is compared with, so that an answer takes as long as a
/// known user's: the hash of a password that nobody has kept.
const NOBODY: &str = "$2b$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi";

/// So many verified passwords are remembered; more than any scraper has.
const REMEMBERED: usize = 100;

/// What was found good, and whose turn it is.
#[derive(Debug)]
pub(super) struct Passwords {
    /// Digests under a key that only this process has.
    verified: Mutex<HashSet<u64>>,
    digest: RandomState,
    turns: Arc<Semaphore>,
}

impl Default for Passwords {
    fn default() -> Self {
        Self { verified: Mutex::default(), digest: RandomState::new(), turns: Arc::new(Semaphore::new(1)) }
    }
}

impl Passwords {
    /// Whether `headers` name one of `users` with the password that is theirs.
    pub(super) async fn admit(&self, users: &BTreeMap<String, Secret>, headers: &HeaderMap) -> bool {
        let Some((user, password)) = headers.get(AUTHORIZATION).and_then(credentials) else { return false };
        let hash = users.get(&user).map(|Secret(hash)| hash.as_str());
        // The hash is part of it, so that a changed password is asked for again.
        let digest = self.digest.hash_one((&user, hash, &password));
        if self.verified().contains(&digest) {
            return true;
        }
        let matches = self.compare(password, hash.unwrap_or(NOBODY).to_owned()).await;
        let admitted = matches && hash.is_some();
        if admitted {
            self.remember(digest);
        }
        admitted
    }

    /// Compares off the threads that serve. A turn is kept to the end, even if
    /// the client does not wait for it.
    async fn compare(&self, password: String, hash: String) -> bool {
        let turn = Arc::clone(&self.turns).acquire_owned().await;
        let matches = spawn_blocking(move || {
            let _turn = turn;
            bcrypt::verify(password, &hash).unwrap_or(false)
        });
        matches.await.unwrap_or(false)
    }

    fn remember(&self, digest: u64) {
        let mut verified = self.verified();
        if verified.len() >= REMEMBERED {
            verified.clear();
        }
        verified.insert(digest);
    }

    fn verified(&self) -> MutexGuard<'_, HashSet<u64>> {
        self.verified.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The name and password of a `Basic` header.
fn credentials(header: &HeaderValue) -> Option<(String, String)> {
    let (scheme, encoded) = header.to_str().ok()?.split_once(' ')?;
    let bytes =
        scheme.eq_ignore_ascii_case("basic").then(|| aws_smithy_types::base64::decode(encoded.trim()).ok())??;
    let (user, password) = std::str::from_utf8(&bytes).ok()?.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_name_and_a_password_are_credentials() {
        let read = |text: &str| credentials(&HeaderValue::from_str(text).unwrap());
        let pair = |user: &str, password: &str| Some((user.to_owned(), password.to_owned()));
        assert_eq!(read("Basic YW5uOm9wZW4gc2VzYW1l"), pair("ann", "open sesame"));
        assert_eq!(read("bASIC YTpiOmM="), pair("a", "b:c"), "a password may hold colons");
        for wrong in ["", "Basic", "Basic ", "Basic YQ==", "Basic !!!!", "Bearer YTpi", "Basic /zo=", "Basic YTp"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
