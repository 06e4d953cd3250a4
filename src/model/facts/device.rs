//! What kind of MFA device a serial number names.
//!
//! AWS has no field for it; the form of the serial number is all there is. FIDO
//! security keys and synced passkeys are registered alike and named alike, so
//! they are one kind here, and nobody can tell them apart.

use serde::{Deserialize, Serialize};

/// A kind of MFA device, as the label `kind` spells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DeviceKind {
    /// A FIDO security key or a passkey: `arn:…:u2f/…`.
    Fido,
    /// A hardware TOTP token: a serial number that is no ARN.
    HardwareTotp,
    /// Of a form that is not documented. It counts as a device, and as no kind.
    Other,
    /// A telephone that gets text messages, which AWS has ceased to register.
    Sms,
    /// An authenticator application: `arn:…:mfa/…`.
    Virtual,
}

/// How many devices of each kind somebody has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Devices([u8; DeviceKind::ALL.len()]);

// === impl DeviceKind ===

impl DeviceKind {
    /// Every kind, in the order they are exported.
    pub const ALL: [Self; 5] = [Self::Fido, Self::HardwareTotp, Self::Other, Self::Sms, Self::Virtual];

    /// The label value.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fido => "fido",
            Self::HardwareTotp => "hardware_totp",
            Self::Other => "other",
            Self::Sms => "sms",
            Self::Virtual => "virtual",
        }
    }

    /// The kind of the device with this serial number. The forms are those of
    /// the IAM API reference (`GetMFADevice`, `ListMFADevices`, `AssumeRole`).
    #[must_use]
    pub fn of_serial(serial: &str) -> Self {
        let is_arn = serial.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("arn:"));
        if !is_arn {
            // Documented examples are letters and digits; what else comes is not guessed at.
            let is_token = !serial.is_empty() && serial.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
            return if is_token { Self::HardwareTotp } else { Self::Other };
        }
        let mut fields = serial.splitn(6, ':').skip(2);
        let (Some("iam"), Some(resource)) = (fields.next(), fields.nth(2)) else { return Self::Other };
        match resource.split_once('/') {
            Some(("mfa", name)) if !name.is_empty() => Self::Virtual,
            Some(("u2f", name)) if !name.is_empty() => Self::Fido,
            Some(("sms-mfa", name)) if !name.is_empty() => Self::Sms,
            _ => Self::Other,
        }
    }
}

// === impl Devices ===

impl Devices {
    /// The devices with these serial numbers.
    pub fn of_serials<'a>(serials: impl IntoIterator<Item = &'a str>) -> Self {
        let mut devices = Self::default();
        serials.into_iter().for_each(|serial| devices.add(DeviceKind::of_serial(serial), 1));
        devices
    }

    /// How many of one kind.
    #[must_use]
    pub const fn count(&self, kind: DeviceKind) -> u8 {
        self.0[kind as usize]
    }

    /// Some more of one kind. AWS allows eight in all; more than 255 stay 255.
    pub const fn add(&mut self, kind: DeviceKind, count: u8) {
        self.0[kind as usize] = self.0[kind as usize].saturating_add(count);
    }

    /// How many of all kinds.
    #[must_use]
    pub fn total(&self) -> u32 {
        self.0.iter().copied().map(u32::from).sum()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|count| *count == 0)
    }

    /// Whether there is one that no list of virtual devices would show.
    #[must_use]
    pub fn has_other_than_virtual(&self) -> bool {
        DeviceKind::ALL.into_iter().any(|kind| kind != DeviceKind::Virtual && self.count(kind) > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_documented_form_of_a_serial_number_has_its_kind() {
        for (serial, kind) in [
            ("arn:aws:iam::111111111111:mfa/phone", DeviceKind::Virtual),
            ("arn:aws:iam::111111111111:mfa/devices/phone", DeviceKind::Virtual),
            ("arn:aws-us-gov:iam::111111111111:mfa/root-account-mfa-device", DeviceKind::Virtual),
            ("arn:aws:iam::111111111111:u2f/user/ci/key-R1234", DeviceKind::Fido),
            ("arn:aws-cn:iam::111111111111:u2f/root/key-R1234", DeviceKind::Fido),
            ("arn:aws:iam::111111111111:sms-mfa/ci", DeviceKind::Sms),
            ("GAHT12345678", DeviceKind::HardwareTotp),
            ("arn:aws:iam::111111111111:fido/user/ci/key", DeviceKind::Other),
            ("arn:aws:iam::111111111111:mfa/", DeviceKind::Other),
            ("arn:aws:iam::111111111111:mfa", DeviceKind::Other),
            ("arn:aws:sts::111111111111:mfa/phone", DeviceKind::Other),
            ("arn:", DeviceKind::Other),
            ("", DeviceKind::Other),
            ("\u{e4}\u{f6}\u{fc}", DeviceKind::Other),
        ] {
            assert_eq!(DeviceKind::of_serial(serial), kind, "{serial}");
        }
    }

    #[test]
    fn each_kind_is_counted_in_its_own_place() {
        for kind in DeviceKind::ALL {
            let mut devices = Devices::default();
            devices.add(kind, 2);
            assert_eq!(DeviceKind::ALL.map(|k| devices.count(k)).iter().sum::<u8>(), 2);
            assert_eq!(devices.count(kind), 2);
            assert_eq!(devices.has_other_than_virtual(), kind != DeviceKind::Virtual);
        }
    }
}
