//! What to do, in the words that fit who reads it. The daemon's reader is told what it does
//! by itself; who has run `check` once is not.

use crate::model::{
    facts::{Fault, FaultClass},
    judge::Reason,
};

/// Who reads an overview.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// Somebody who looks at an exporter that runs on.
    Daemon,
    /// Somebody who has run `check`, which is over.
    Once,
}

impl Reader {
    /// What can be done about a fault: what the fault itself advises, or else what its class does.
    #[must_use]
    pub fn remedy(self, fault: &Fault) -> &str {
        let advice = fault.remedy();
        if advice == fault.class.remedy() { self.remedy_of_class(fault.class) } else { advice }
    }

    const fn remedy_of_class(self, class: FaultClass) -> &'static str {
        match (self, class) {
            (Self::Once, FaultClass::Pending) => "check again: the account was not read at all",
            (Self::Once, FaultClass::WrongAccount) => "give the check credentials of the account that it is to read",
            (Self::Once, FaultClass::Throttled) => "find what else calls IAM in this account, and check again",
            (Self::Once, FaultClass::ServerError) => "check again later: AWS is at fault",
            (Self::Once, FaultClass::Changed) => "check again: the account was being changed",
            (Self::Once, FaultClass::Unconfirmed) => "check again: two answers of AWS contradicted each other",
            (Self::Once, FaultClass::AccountsLost) => "look in AWS Organizations whether they have left",
            (Self::Once, FaultClass::ReportMissing) => {
                "check again in a few minutes; where the check may not generate reports, see that something else does"
            }
            (Self::Once, FaultClass::Stalled) => "check again, and report it: this is a bug",
            _ => class.remedy(),
        }
    }

    /// What can be done about what a verdict rests on.
    #[must_use]
    pub const fn remedy_of(self, reason: Reason) -> Option<&'static str> {
        match (self, reason) {
            (Self::Once, Reason::DeviceWithoutOwner) => {
                Some("list the account's virtual devices by hand, or check again")
            }
            _ => reason.remedy(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The check is over when this is read.
    #[test]
    fn nobody_who_has_checked_once_is_told_what_happens_next() {
        for class in FaultClass::ALL {
            let remedy = Reader::Once.remedy_of_class(class);
            for later in ["by itself", "next run", "next heartbeat", "first pass", "restart", "goes on"] {
                assert!(!remedy.contains(later), "{class}: {remedy}");
            }
        }
    }
}
