//! A policy document, as far as it denies anything.
//!
//! It is read by the grammar of IAM (IAM User Guide, "Grammar of the IAM JSON policy
//! language"), and what is otherwise is not read at all: AWS keeps no such document, so
//! nobody knows what it would do.

use super::{
    Context, Probe,
    actions::Actions,
    condition::{Truth, holds},
    grammar::{Document, Effect, OneOrMany, Statement, Version, decoded},
};

/// The document cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a policy document cannot be read")]
pub struct Unreadable;

/// What a policy denies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Denies(Vec<Deny>);

/// A statement that denies something.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Deny {
    /// Whether it applies, in each context.
    applies: [Truth; 2],
    actions: Actions,
    reach: Reach,
}

/// Which resources a statement is about.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Reach {
    /// All.
    All,
    /// Nobody can say.
    Perhaps,
    /// Some of these services.
    Services(Vec<String>),
}

// === impl Denies ===

impl Denies {
    /// Reads a document as IAM's replies have it: percent-encoded (RFC 3986).
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn of_encoded(text: &str) -> Result<Self, Unreadable> {
        Self::of_document(&decoded(text).ok_or(Unreadable)?)
    }

    /// Reads a document.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn of_document(text: &str) -> Result<Self, Unreadable> {
        let document: Document = serde_json::from_str(text).map_err(|_| Unreadable)?;
        // What the two versions differ in is variables, which are taken for perhaps anything.
        let (Some(Version::First | Version::Second) | None) = document.version;
        let statements = document.statement.into_vec();
        if statements.is_empty() {
            return Err(Unreadable);
        }
        let denies = statements.into_iter().map(Deny::of).collect::<Result<Vec<_>, _>>()?;
        Ok(Self(denies.into_iter().flatten().collect()))
    }

    /// Whether nothing is denied.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether one statement proves that everything is denied in this context, but for what
    /// may be exempted.
    pub(super) fn binds(&self, context: Context) -> bool {
        self.0.iter().any(|deny| deny.is_sure(context) && deny.actions.are_all())
    }

    /// Whether this action is certainly denied, on every resource.
    pub(super) fn denies(&self, probe: &Probe, context: Context) -> bool {
        self.0.iter().any(|deny| deny.is_sure(context) && deny.actions.hold(probe.action))
    }

    /// Whether the action is perhaps denied.
    pub(super) fn may_deny(&self, probe: &Probe, context: Context) -> bool {
        let reaches = |deny: &Deny| !probe.is_account_wide || deny.reach.has(probe.service());
        self.0.iter().any(|deny| deny.applies(context) != Truth::No && reaches(deny) && deny.actions.hold(probe.action))
    }
}

// === impl Deny ===

impl Deny {
    /// A statement, if it denies anything.
    fn of(statement: Statement) -> Result<Option<Self>, Unreadable> {
        let actions = match (statement.action, statement.not_action) {
            (Some(only), None) => Actions::Only(lower(only)?),
            (None, Some(exempted)) => Actions::AllBut(lower(exempted)?),
            _ => return Err(Unreadable),
        };
        let reach = match (statement.resource, statement.not_resource) {
            (Some(resources), None) => Reach::of(&some(resources)?),
            (None, Some(others)) => some(others).map(|_| Reach::Perhaps)?,
            _ => return Err(Unreadable),
        };
        let conditions = statement.condition.flat();
        let applies = Context::ALL.map(|context| {
            let all = conditions.iter().map(|(operator, key, values)| holds(operator, key, values, context));
            all.min().unwrap_or(Truth::Yes)
        });
        Ok((statement.effect == Effect::Deny).then_some(Self { applies, actions, reach }))
    }

    fn applies(&self, context: Context) -> Truth {
        self.applies[usize::from(context == Context::AccessKey)]
    }

    /// Whether it certainly applies, on every resource.
    fn is_sure(&self, context: Context) -> bool {
        self.applies(context) == Truth::Yes && self.reach == Reach::All
    }
}

impl Reach {
    fn of(resources: &[String]) -> Self {
        if resources.iter().any(|text| text == "*") {
            return Self::All;
        }
        resources.iter().map(|text| service(text)).collect::<Option<_>>().map_or(Self::Perhaps, Self::Services)
    }

    /// Whether it may be about something of this service.
    fn has(&self, service: &str) -> bool {
        if let Self::Services(services) = self { services.iter().any(|known| known == service) } else { true }
    }
}

/// The service in an ARN, `s3` in `arn:aws:s3:::bucket`; `None` where what stands before it
/// may stand for anything.
fn service(arn: &str) -> Option<String> {
    let mut parts = arn.splitn(6, ':');
    let (start, service) = ([parts.next()?, parts.next()?], parts.next()?);
    let is_vague = |part: &str| part.is_empty() || part.contains(['*', '?', '$']);
    let is_arn = start[0] == "arn" && parts.count() == 3;
    (is_arn && !is_vague(start[1]) && !is_vague(service)).then(|| service.to_ascii_lowercase())
}

fn some(texts: OneOrMany<String>) -> Result<Vec<String>, Unreadable> {
    Some(texts.into_vec()).filter(|texts| !texts.is_empty()).ok_or(Unreadable)
}

fn lower(texts: OneOrMany<String>) -> Result<Vec<String>, Unreadable> {
    Ok(some(texts)?.into_iter().map(|text| text.to_ascii_lowercase()).collect())
}
