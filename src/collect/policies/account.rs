//! The policies of one account, put together page by page.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use aws_lc_rs::digest::{Context, SHA256, digest};

use super::OPERATION;
use crate::{
    collect::iam::details::{DetailsPage, ManagedPolicy, OwnPolicies, UserDetail},
    model::{
        facts::{Fault, FaultClass, UserId, policies::Enforcement},
        judge::policies::{Denies, enforcement},
    },
};

/// A policy of AWS's own that denies everything to whoever has it, MFA or not. (AWS Managed
/// Policy Reference, `AWSDenyAll`.)
pub const AWS_DENY_ALL: &str = "AWSDenyAll";

/// A hash of a document, or of a whole list.
pub type Digest = [u8; 32];

/// Users, groups and policies, as far as they have been listed.
#[derive(Debug, Default)]
pub(super) struct AccountPolicies {
    /// How many pages there were.
    pub(super) pages: usize,
    users: BTreeMap<UserId, UserPolicies>,
    groups: BTreeMap<String, Own>,
    managed: BTreeMap<String, Digest>,
    /// Each document that was read, by its hash; `None` for one that cannot be read.
    documents: HashMap<Digest, Option<Denies>>,
}

/// What a user has.
#[derive(Debug)]
struct UserPolicies {
    own: Own,
    groups: BTreeSet<String>,
    boundary: Option<String>,
}

/// The policies of a user or a group: documents by hash, and ARNs.
#[derive(Debug, Default)]
struct Own {
    inline: BTreeSet<Digest>,
    attached: BTreeSet<String>,
}

/// What a user's policies amount to.
#[derive(Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Set {
    documents: BTreeSet<Digest>,
    /// Whether each of them could be found.
    is_all: bool,
    /// Whether one of AWS's own denies everything.
    is_denied_all: bool,
}

impl AccountPolicies {
    /// How many users there are.
    pub(super) fn users(&self) -> usize {
        self.users.len()
    }

    /// Takes a page in; false if something of it was listed before.
    pub(super) fn add(&mut self, page: DetailsPage) -> bool {
        self.pages += 1;
        let mut is_new = true;
        for ManagedPolicy { arn, document } in page.policies {
            let document = self.document(&document);
            is_new &= self.managed.insert(arn, document).is_none();
        }
        for group in page.groups {
            let own = self.own(group.own);
            is_new &= self.groups.insert(group.name, own).is_none();
        }
        for UserDetail { id, own, groups, boundary } in page.users {
            let user = UserPolicies { own: self.own(own), groups: groups.into_iter().collect(), boundary };
            is_new &= self.users.insert(id, user).is_none();
        }
        is_new
    }

    fn own(&mut self, own: OwnPolicies) -> Own {
        let inline = own.inline.iter().map(|document| self.document(document)).collect();
        Own { inline, attached: own.attached.into_iter().collect() }
    }

    /// Reads a document, unless the same was read before.
    fn document(&mut self, text: &str) -> Digest {
        let hash = sha256(text.as_bytes());
        self.documents.entry(hash).or_insert_with(|| Denies::of_encoded(text).ok());
        hash
    }

    /// What each user's policies enforce, and what is wrong with the list, if anything is
    /// that a user has. Most users have the same as others.
    pub(super) fn judged(&self) -> (BTreeMap<UserId, Enforcement>, Option<Fault>) {
        let mut known: BTreeMap<Set, Enforcement> = BTreeMap::new();
        let mut judge = |user| {
            let set = self.set(user);
            known.get(&set).copied().unwrap_or_else(|| {
                let enforcement = self.judge(&set);
                known.insert(set, enforcement);
                enforcement
            })
        };
        let users = self.users.iter().map(|(id, user)| (id.clone(), judge(user))).collect();
        let is_all = known.keys().all(|set| set.is_all);
        (users, (!is_all).then(|| self.fault()))
    }

    /// All documents that apply to a user and deny something, or cannot be read.
    fn set(&self, user: &UserPolicies) -> Set {
        let mut set = Set { is_all: true, ..Set::default() };
        for group in &user.groups {
            match self.groups.get(group) {
                Some(own) => self.gather(own, &mut set),
                None => set.is_all = false,
            }
        }
        self.gather(&user.own, &mut set);
        user.boundary.iter().for_each(|arn| self.gather_managed(arn, &mut set));
        set
    }

    fn gather(&self, own: &Own, set: &mut Set) {
        own.inline.iter().for_each(|hash| self.gather_document(*hash, set));
        own.attached.iter().for_each(|arn| self.gather_managed(arn, set));
    }

    fn gather_managed(&self, arn: &str, set: &mut Set) {
        match (self.managed.get(arn), of_aws(arn)) {
            (Some(hash), _) => self.gather_document(*hash, set),
            (None, Some(name)) => set.is_denied_all |= name == AWS_DENY_ALL,
            (None, None) => set.is_all = false,
        }
    }

    fn gather_document(&self, hash: Digest, set: &mut Set) {
        match self.documents.get(&hash) {
            Some(Some(denies)) if denies.is_empty() => {}
            Some(Some(_)) => _ = set.documents.insert(hash),
            _ => set.is_all = false,
        }
    }

    fn judge(&self, set: &Set) -> Enforcement {
        if set.is_denied_all {
            return Enforcement::Full;
        }
        let documents: Vec<_> = set.documents.iter().filter_map(|hash| self.documents[hash].as_ref()).collect();
        enforcement(&documents, set.is_all)
    }

    /// Why something that a user has is not known.
    fn fault(&self) -> Fault {
        if self.documents.values().any(Option::is_none) {
            let detail = format!("{OPERATION}: a policy document of the reply cannot be read");
            return Fault::new(FaultClass::MalformedReply, detail);
        }
        let detail = format!("{OPERATION}: the reply lacks a group or a policy that a user has");
        Fault::new(FaultClass::IncompleteReply, detail)
    }

    /// A hash of all that matters, whatever the order in which it was listed.
    pub(super) fn digest(&self) -> Digest {
        let mut hash = Hash(Context::new(&SHA256));
        hash.count(self.users.len());
        for (id, user) in &self.users {
            hash.text(id.as_str());
            hash.own(&user.own);
            hash.texts(&user.groups);
            hash.texts(&user.boundary.iter().cloned().collect());
        }
        hash.count(self.groups.len());
        for (name, own) in &self.groups {
            hash.text(name);
            hash.own(own);
        }
        hash.count(self.managed.len());
        for (arn, document) in &self.managed {
            hash.text(arn);
            hash.0.update(document);
        }
        bytes(hash.0.finish().as_ref())
    }
}

/// What is hashed one after the other, each with its length before it.
struct Hash(Context);

impl Hash {
    fn count(&mut self, count: usize) {
        self.0.update(&(count as u64).to_be_bytes());
    }

    fn text(&mut self, text: &str) {
        self.count(text.len());
        self.0.update(text.as_bytes());
    }

    fn texts(&mut self, texts: &BTreeSet<String>) {
        self.count(texts.len());
        texts.iter().for_each(|text| self.text(text));
    }

    fn own(&mut self, own: &Own) {
        self.count(own.inline.len());
        own.inline.iter().for_each(|hash| self.0.update(hash));
        self.texts(&own.attached);
    }
}

/// The name of a policy of AWS's own: `arn:aws:iam::aws:policy/job-function/Billing`.
fn of_aws(arn: &str) -> Option<&str> {
    let (partition, path) = arn.strip_prefix("arn:")?.split_once(":iam::aws:policy/")?;
    (!partition.contains(':')).then(|| path.rsplit('/').next().unwrap_or(path))
}

fn sha256(text: &[u8]) -> Digest {
    bytes(digest(&SHA256, text).as_ref())
}

fn bytes(hash: &[u8]) -> Digest {
    hash.try_into().expect("SHA-256 has 32 bytes")
}
