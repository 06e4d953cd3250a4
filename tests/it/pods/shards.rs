//! The shards of tests/deploy/values/shards.yaml, side by side.

use std::collections::{BTreeMap, BTreeSet};

use super::{golden, kubelet::Pod, organization};
use crate::support::Samples;

/// The accounts of which a pod exports a verdict on root.
fn accounts(samples: &Samples) -> BTreeSet<String> {
    let names = samples.names().filter(|name| name.starts_with("aws_mfa_control_status{") && name.contains("IAM.9"));
    names.map(|name| name.split('"').nth(1).unwrap().to_owned()).collect()
}

/// How often each account is exported by all of them together.
fn shares(pods: &[Option<Pod<'_>>]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for account in pods.iter().flatten().flat_map(|pod| accounts(&pod.scrape())) {
        *counts.entry(account).or_default() += 1;
    }
    counts
}

#[test]
fn shards_cover_every_account_once_also_while_one_is_restarted_with_its_volume() {
    let sim = organization(28);
    let cluster = golden("shards");
    let mut pods: Vec<_> = (0..cluster.replicas()).map(|ordinal| Some(cluster.start(ordinal, &sim))).collect();
    for pod in pods.iter().flatten() {
        pod.wait_for("the verdicts of a shard", |samples| {
            !accounts(samples).is_empty()
                && accounts(samples).iter().all(|account| samples.status_of(account, "IAM.9") == "passed")
                && samples.value("aws_mfa_exporter_initial_pass_complete") == Some(1.0)
        });
    }
    let all = shares(&pods);
    assert_eq!(all.len(), 30);
    assert!(all.values().all(|count| *count == 1), "{all:?}");

    let parts: Vec<_> = pods.iter().flatten().map(|pod| accounts(&pod.scrape())).collect();
    pods[1].take().unwrap().stops_in_time();
    for (ordinal, pod) in pods.iter().enumerate().filter_map(|(n, pod)| Some((n, pod.as_ref()?))) {
        assert_eq!(accounts(&pod.scrape()), parts[ordinal], "nobody takes over what is another's");
    }
    // What it says first, it has from its volume.
    pods[1] = Some(cluster.start(1, &sim));
    let first = pods[1].as_ref().unwrap();
    first.wait_for("that it is ready", |samples| samples.names().next().is_some());
    let samples = first.scrape();
    assert_eq!(accounts(&samples), parts[1], "{samples}\n{}", first.log());
    assert!(parts[1].iter().all(|account| samples.status_of(account, "IAM.9") == "passed"), "{samples}");
    assert!(shares(&pods).values().all(|count| *count == 1));

    // The same when its node is lost, and the volume is not.
    pods[1].take().unwrap().dies();
    let again = cluster.start(1, &sim);
    again.wait_for("that it is ready", |samples| samples.names().next().is_some());
    assert_eq!(accounts(&again.scrape()), parts[1]);
    again.stops_in_time();
    pods.into_iter().flatten().for_each(Pod::stops_in_time);
}
