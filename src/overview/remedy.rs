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
            (Self::Once, FaultClass::Pending) => "run the check again: it has not read the account",
            (Self::Once, FaultClass::WrongAccount) => "give the check credentials of the account that it is to read",
            (Self::Once, FaultClass::Throttled) => {
                "find out which other program calls IAM in this account, and run the check again"
            }
            (Self::Once, FaultClass::ServerError) => "run the check again later: the error is on the side of AWS",
            (Self::Once, FaultClass::Changed) => "run the check again: the account changed during the check",
            (Self::Once, FaultClass::Unconfirmed) => "run the check again: two answers of AWS contradicted each other",
            (Self::Once, FaultClass::AccountsLost) => "check in AWS Organizations whether the accounts have left",
            (Self::Once, FaultClass::ReportMissing) => {
                "run the check again in a few minutes; if it must not generate reports, let another program generate \
                 them every four hours"
            }
            (Self::Once, FaultClass::Stalled) => "run the check again, and report this bug",
            _ => class.remedy(),
        }
    }

    /// What can be done about what a verdict rests on.
    #[must_use]
    pub const fn remedy_of(self, reason: Reason) -> Option<&'static str> {
        match (self, reason) {
            (Self::Once, Reason::DeviceWithoutOwner) => {
                Some("list the account's virtual devices by hand, or run the check again")
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
            for later in ["by itself", "next run", "next heartbeat", "first pass", "restart", "goes on", "continues"] {
                assert!(!remedy.contains(later), "{class}: {remedy}");
            }
        }
    }
}
