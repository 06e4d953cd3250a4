//! How root's virtual devices become a set that can be compared, and not be read.

use aws_lc_rs::hmac;

use super::iam::RootDevice;
use crate::model::facts::{Seal, SealKey};

/// HMAC-SHA-256 over the devices in order, each serial number with its length before it
/// and its date after it, cut to 64 bits; `None` where a device has no date. A change of
/// what is hashed wants another form of the seal ([`crate::model::facts::seal`]).
#[must_use]
pub fn seal(key: SealKey, mut devices: Vec<RootDevice>) -> Option<Seal> {
    devices.sort();
    let mut hash = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, &key.0));
    for RootDevice { serial, enabled } in &devices {
        hash.update(&(serial.len() as u64).to_be_bytes());
        hash.update(serial.as_bytes());
        hash.update(&(*enabled)?.as_millis().to_be_bytes());
    }
    let digest = *hash.sign().as_ref().first_chunk().expect("the hash has 32 bytes");
    Some(Seal { key, digest })
}

/// HMAC-SHA-256 over an e-mail address, cut to 64 bits. AWS makes no difference between
/// large and small letters in it.
#[must_use]
pub fn seal_address(key: SealKey, address: &str) -> Seal {
    let hash = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key.0), address.trim().to_lowercase().as_bytes());
    Seal { key, digest: *hash.as_ref().first_chunk().expect("the hash has 32 bytes") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::Timestamp;

    fn device(serial: &str, enabled: i64) -> RootDevice {
        RootDevice { serial: serial.to_owned(), enabled: Some(Timestamp::from_millis(enabled)) }
    }

    #[test]
    fn the_order_of_a_list_is_no_matter_and_each_serial_number_and_date_is() {
        let of = |devices: &[RootDevice]| seal(SealKey([1; 16]), devices.to_vec()).unwrap();
        let both = of(&[device("a", 1), device("b", 2)]);
        assert_eq!(both, of(&[device("b", 2), device("a", 1)]));
        for other in [&[device("a", 1)][..], &[device("a", 2), device("b", 2)], &[device("a", 1), device("c", 2)], &[]]
        {
            assert!(both.differs(&of(other)), "{other:?}");
        }
    }

    #[test]
    fn an_address_is_compared_and_not_read() {
        let of = |address| seal_address(SealKey([1; 16]), address);
        assert!(!of("Root@example.org").differs(&of("root@example.org")));
        assert!(of("root@example.org").differs(&of("root@example.com")));
        let text = serde_json::to_string(&of("root@example.org")).unwrap();
        assert!(!text.contains("root") && !text.contains("example"), "{text}");
    }

    #[test]
    fn a_device_without_a_date_cannot_be_told_from_its_successor() {
        let undated = RootDevice { serial: "a".to_owned(), enabled: None };
        assert_eq!(seal(SealKey([1; 16]), vec![device("b", 1), undated]), None);
    }
}
