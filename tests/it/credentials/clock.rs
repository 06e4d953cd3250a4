//! A host whose clock is wrong. AWS refuses what it signs, in the words of a wrong
//! secret, and the exporter's times would be as wrong as the clock.

use std::{thread, time::Duration};

use aws_sim::Fault;

use super::{Home, world};
use crate::support::ID;

/// Line 7.
#[test]
fn a_clock_twenty_minutes_off_is_called_that_with_both_times() {
    let sim = world();
    for ahead in [1_200, -1_200] {
        sim.set_clock_ahead(ahead);
        let report = Home::at(&sim).keys().check(&[]);
        report.says(
            "clock_skew",
            &[
                "GetCallerIdentity: clock_skew code=SignatureDoesNotMatch status=403",
                " clock_here=20",
                " clock_of_aws=20",
            ],
            &["set this host's clock"],
        );
        let time = |name: &str| {
            let text = report.detail.split(name).nth(1).unwrap().split(' ').next().unwrap();
            humantime::parse_rfc3339(text).unwrap()
        };
        let (here, aws) = (time("clock_here="), time("clock_of_aws="));
        let apart = if ahead > 0 { aws.duration_since(here) } else { here.duration_since(aws) };
        assert!(apart.unwrap().as_secs().abs_diff(1_200) <= 5, "{report:?}");
    }
}

/// Line 7: what is a bad secret, and what is over, keeps its own name on a good clock.
#[test]
fn a_wrong_secret_on_a_good_clock_is_no_wrong_clock() {
    let sim = world();
    for (code, remedy) in [("SignatureDoesNotMatch", "write the secret access key again"), ("ExpiredToken", "renew")] {
        let fault = sim.fault(ID, Some("GetCallerIdentity"), Fault::Error(403, code));
        Home::at(&sim).keys().check(&[]).says("invalid_credentials", &[code], &[remedy]);
        sim.clear(fault);
    }
    sim.fault(ID, Some("GetCallerIdentity"), Fault::Error(400, "RequestExpired"));
    Home::at(&sim).keys().check(&[]).says("clock_skew", &["RequestExpired", "clock_here="], &["set this host's clock"]);
}

/// Line 7: the clock goes wrong while the exporter runs, and is set right. The SDK would
/// make up for it without a word from the second request on.
#[test]
fn a_clock_that_goes_wrong_is_told_of_until_it_is_right() {
    let sim = world();
    let home = Home::at(&sim).keys();
    let exporter = home.exporter(&[]);
    exporter.expect("IAM.9", "passed");
    sim.set_clock_ahead(1_200);
    exporter.wait_for("skew", Duration::from_secs(20), |samples| samples.fault("root") == "clock_skew");
    for _ in 0..30 {
        assert_eq!(exporter.metrics().fault("root"), "clock_skew", "{}", exporter.log());
        thread::sleep(Duration::from_millis(100));
    }
    assert!(exporter.log().contains("clock_of_aws="), "{}", exporter.log());
    sim.set_clock_ahead(0);
    exporter.wait_for("all well", Duration::from_secs(20), |samples| samples.fault("root").is_empty());
}
