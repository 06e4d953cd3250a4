//! Process 1 of a container inherits the orphans of all others: what a
//! `credential_process` has left running is the exporter's child one day, and when it
//! ends it stays in the table of processes until the exporter asks how it ended. An
//! init does that (`docker run --init`); without one the exporter does.

use std::{collections::BTreeSet, fs, process, time::Duration};

use rustix::process::{Pid, WaitOptions, waitpid};
use tokio::time::sleep;

/// Twice this long a dead child may lie. Those that the exporter has started itself are
/// asked at once how they ended, and are gone by then.
const SWEEP: Duration = Duration::from_secs(5);

/// Buries orphans for ever, if that is the exporter's to do.
pub async fn reap() {
    if process::id() != 1 {
        return;
    }
    let mut before = BTreeSet::new();
    loop {
        sleep(SWEEP).await;
        let dead = dead_children(process::id());
        for pid in dead.intersection(&before).filter_map(|pid| Pid::from_raw(*pid)) {
            // Whoever was quicker has buried it.
            let _ = waitpid(Some(pid), WaitOptions::NOHANG);
        }
        before = dead;
    }
}

/// The children of `parent` that have ended and that nobody has asked how.
fn dead_children(parent: u32) -> BTreeSet<i32> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid| is_dead_child(&fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default(), parent))
        .collect()
}

/// Reads a line of `proc(5)`: the name of the program stands in brackets and may have any
/// letter in it; after it come the state and the parent.
fn is_dead_child(stat: &str, parent: u32) -> bool {
    let mut fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_ascii_whitespace();
    fields.next() == Some("Z") && fields.next() == Some(&*parent.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dead_child_is_told_by_state_and_parent_whatever_its_name() {
        assert!(is_dead_child("7 (sh) Z 1 7 7 0", 1));
        assert!(is_dead_child("7 (a) S 2 (b)) Z 1 7 7 0", 1));
        for other in ["7 (sh) S 1 7", "7 (sh) Z 12 7", "", "7 (sh)"] {
            assert!(!is_dead_child(other, 1), "{other}");
        }
    }
}
