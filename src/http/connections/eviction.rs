//! Who leaves first. Pure.

use std::{
    cmp::Reverse,
    net::{IpAddr, Ipv6Addr},
    time::Duration,
};

use super::Phase;

/// Where a connection comes from, as far as one client is told from another. A single
/// host of IPv6 commonly has a whole /64 to choose addresses from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::http) struct Origin(IpAddr);

impl Origin {
    pub(in crate::http) fn of(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
            }
            v4 @ IpAddr::V4(_) => v4,
        })
    }
}

/// A connection that might leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) id: u64,
    pub(super) origin: Origin,
    pub(super) phase: Phase,
    /// When the phase began.
    pub(super) since: Duration,
}

/// Those who leave, at most `many`, and of one phase only: a crowd that has asked nothing
/// is no reason to part with somebody who has.
pub(super) fn victims(mut connections: Vec<Candidate>, many: usize) -> Vec<Candidate> {
    let Some(first) = connections.iter().map(|connection| connection.phase).filter(|phase| phase.may_leave()).min()
    else {
        return Vec::new();
    };
    connections.retain(|connection| connection.phase == first);
    // The newest of an address is its first, so an address with many has those that are far back.
    connections
        .sort_unstable_by_key(|connection| (connection.origin, Reverse(connection.since), Reverse(connection.id)));
    let mut place = 0;
    let mut placed: Vec<_> = Vec::with_capacity(connections.len());
    for (n, connection) in connections.iter().enumerate() {
        place = if n > 0 && connections[n - 1].origin == connection.origin { place + 1 } else { 0 };
        placed.push((Reverse(place), connection.since, *connection));
    }
    placed.sort_unstable_by_key(|(place, since, connection)| (*place, *since, connection.id));
    placed.into_iter().take(many).map(|(_, _, connection)| connection).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection(id: u64, address: &str, phase: Phase, since: u64) -> Candidate {
        let origin = Origin::of(address.parse().unwrap());
        Candidate { id, origin, phase, since: Duration::from_millis(since) }
    }

    fn ids(connections: &[Candidate], many: usize) -> Vec<u64> {
        victims(connections.to_vec(), many).into_iter().map(|connection| connection.id).collect()
    }

    #[test]
    fn who_has_asked_nothing_leaves_before_who_is_asking_and_the_served_never() {
        let connections = [
            connection(1, "10.0.0.1", Phase::Served, 0),
            connection(2, "10.0.0.1", Phase::Idle, 1),
            connection(3, "10.0.0.1", Phase::Asking, 2),
            connection(4, "10.0.0.1", Phase::Silent, 3),
        ];
        assert_eq!(ids(&connections, 9), [4]);
        assert_eq!(ids(&connections[..3], 9), [3]);
        assert_eq!(ids(&connections[..2], 9), [2]);
        assert!(ids(&connections[..1], 9).is_empty());
    }

    #[test]
    fn the_address_with_most_loses_its_oldest_first() {
        let connections = [
            connection(1, "10.0.0.1", Phase::Idle, 0),
            connection(2, "10.0.0.2", Phase::Idle, 5),
            connection(3, "10.0.0.2", Phase::Idle, 9),
            connection(4, "10.0.0.2", Phase::Idle, 7),
        ];
        assert_eq!(ids(&connections, 2), [2, 4], "the lone one is the oldest of all, and stays");
        assert_eq!(ids(&connections, 4), [2, 4, 1, 3]);
        let at_once = [7, 8, 9].map(|id| connection(id, "10.0.0.1", Phase::Silent, 0));
        assert_eq!(ids(&at_once, 3), [7, 8, 9], "they came in this order");
    }

    #[test]
    fn a_host_is_one_origin_with_v4_in_v6_and_with_its_whole_network() {
        let of = |text: &str| Origin::of(text.parse().unwrap());
        assert_eq!(of("10.0.0.1"), of("::ffff:10.0.0.1"));
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff::9"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_ne!(of("10.0.0.1"), of("10.0.0.2"));
    }
}
