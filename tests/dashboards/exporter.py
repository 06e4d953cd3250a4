"""*Exporter*: whether the exporter itself is well, and what it asks of AWS."""

from board import Board, label_variable
from coverage import faults
from exporter_calls import (
    PAINTED_FAULTS,
    cpu,
    encoding,
    failures,
    http,
    latency,
    memory,
    operations,
    requests,
    samples,
    scrape_duration,
)
import exporter_events as events
from kit import cells, mapping, now, query, steps
from panels import graph, stat, table
from promql import JOB, OWN, SCOPE


def board():
    """The dashboard."""
    job = label_variable("job", "Job", f"{OWN}_build_info", "job", every=True)
    instance = label_variable("instance", "Instance", f"{OWN}_build_info{JOB}", "instance", every=True)
    made = Board(
        "aws-mfa-exporter",
        "AWS MFA / Exporter",
        "Whether the exporter is well, what it asks of AWS, and what it costs. Figures are those of the exporters"
        " selected.",
        [job, instance],
        since="now-6h",
    )
    made.line(4, *health())
    made.line(7, (24, instances()))
    made.row("Collectors")
    made.line(8, (9, faults_over_time()), (9, collectors()), (6, faults(SCOPE)))
    made.row("Requests to AWS")
    made.line(10, (12, requests()), (12, failures()))
    made.line(8, (12, latency()), (12, operations()))
    made.row("Events")
    made.line(7, (6, events.queues()), (6, events.messages()), (6, events.reads()), (6, events.echoes()))
    made.line(6, (24, events.intervals()))
    made.row("Scrapes")
    made.line(7, (8, scrape_duration()), (8, samples()), (8, http()))
    made.row("Process")
    made.line(7, (8, memory()), (8, cpu()), (8, encoding()))
    return made.json()


def health():
    """What must be right, at a glance."""
    shards = f"max by (job) ({OWN}_total_shards{JOB}) - count by (job) (count by (job, shard) ({OWN}_shard_info{JOB}))"
    bad_if_any = steps("green", (1, "red"))
    flag = lambda bad, good, colour="red": mapping(_0=(bad, colour), _1=(good, "green"))
    gone = "no exporter"
    return [
        (
            3,
            stat(
                "Exporters up",
                "How many exporters Prometheus could scrape last.",
                [now(f"sum(up{SCOPE})")],
                steps("red", (1, "green")),
                empty=gone,
            ),
        ),
        (
            3,
            stat(
                "Exporters down",
                "How many exporters could not be scraped: gone, or answering 503 because their verdicts are too old to"
                " be served.",
                [now(f"sum(up{SCOPE} == bool 0)")],
                bad_if_any,
                fill=True,
                empty=gone,
            ),
        ),
        (
            3,
            stat(
                "Shards missing",
                "Shards that no exporter watches. The accounts of a missing shard are not watched by anybody.",
                [now(f"max({shards})")],
                bad_if_any,
                fill=True,
                empty=gone,
            ),
        ),
        (
            3,
            stat(
                "Oldest tick",
                "How long ago the verdicts of the slowest exporter were last aged: about a second and the scrape"
                " interval. After 60 s it answers 503.",
                [now(f"time() - min({OWN}_snapshot_timestamp_seconds{SCOPE})")],
                steps("green", (120, "orange"), (300, "red")),
                unit="s",
                decimals=0,
                empty=gone,
            ),
        ),
        (
            3,
            stat(
                "Configuration",
                "Whether the exporter could use the configuration when it last read it. If not, the exporter uses the last good one.",
                [now(f"min({OWN}_config_last_reload_successful{SCOPE})")],
                mappings=flag("refused", "in force"),
                empty=gone,
            ),
        ),
        (
            3,
            stat(
                "List of accounts",
                "Whether the accounts to watch can be listed.",
                [now(f"min(aws_mfa_discovery_up{SCOPE})")],
                mappings=flag("failing", "up"),
                empty=gone,
            ),
        ),
        (
            3,
            stat(
                "First pass",
                "Whether every collector of every account has run at least once since the exporter started.",
                [now(f"min({OWN}_initial_pass_complete{SCOPE})")],
                mappings=flag("running", "complete", "blue"),
                empty=gone,
            ),
        ),
        (
            3,
            stat(
                "Task panics",
                "Panics of the exporters' own tasks since they started; each task was started again. Any is a bug:"
                " please report it.",
                [now(f"sum({OWN}_task_panics_total{SCOPE}) or 0 * sum(up{SCOPE} == 1)")],
                bad_if_any,
                empty=gone,
            ),
        ),
    ]


def instances():
    """One row for each exporter."""
    by = "max by (job, instance)"
    targets = [
        cells(f"max by (job, instance) (up{SCOPE})"),
        cells(f"max by (job, instance, version, revision) ({OWN}_build_info{SCOPE})"),
        cells(f"max by (job, instance, shard) ({OWN}_shard_info{SCOPE})"),
        cells(f"{by} ({OWN}_total_shards{SCOPE})"),
        cells('count by (job, instance) (aws_mfa_account_info{state="scanned",job=~"$job",instance=~"$instance"})'),
        cells(f"time() - {by} (process_start_time_seconds{SCOPE})"),
        cells(f"time() - {by} ({OWN}_snapshot_timestamp_seconds{SCOPE})"),
        cells(f"time() - {by} ({OWN}_config_last_reload_success_timestamp_seconds{SCOPE})"),
        cells(f"time() - ({by} ({OWN}_state_last_write_success_timestamp_seconds{SCOPE}) > 0)"),
        cells(f"{by} (process_resident_memory_bytes{SCOPE})"),
        cells(f"{by} (rate(process_cpu_seconds_total{SCOPE}[$__rate_interval]))"),
    ]
    right = {"custom__align": "right", "noValue": "-"}
    ago = {"unit": "s", "decimals": 0, "custom__width": 110, **right}
    state = {
        "custom__width": 70,
        "mappings": mapping(_0=("down", "red"), _1=("up", "green")),
        "custom__align": "left",
        "custom__cellOptions": {"type": "color-text"},
    }
    columns = {
        "instance": ("Instance", {"custom__minWidth": 180}),
        "job": ("Job", {"custom__minWidth": 140}),
        "Value #A": ("State", state),
        "shard": ("Shard", {"custom__width": 70, **right}),
        "Value #D": ("Of", {"custom__width": 50, "decimals": 0, **right}),
        "Value #E": ("Accounts", {"custom__width": 90, "decimals": 0, **right}),
        "version": ("Version", {"custom__width": 90}),
        "revision": ("Revision", {"custom__width": 125}),
        "Value #F": ("Started", ago),
        "Value #G": ("Last tick", ago),
        "Value #H": ("Configured", ago),
        "Value #I": ("State kept", ago),
        "Value #J": ("Memory", {"unit": "bytes", "decimals": 1, "custom__width": 100, **right}),
        "Value #K": ("CPU", {"unit": "percentunit", "decimals": 1, "custom__width": 80, **right}),
    }
    return table(
        "Exporters and shards",
        "One row for each exporter; those down first. Started, last tick, configured and state kept: how long ago; without"
        " a state file, no state is kept. Accounts: those that it scans. CPU: of one core.",
        targets,
        columns,
        [("State", False), ("Shard", False), ("Instance", False)],
        empty="no exporter in this range",
    )


def faults_over_time():
    """Collectors that are down, by fault."""
    each = f"max by (account_id, collector, fault) (aws_mfa_collector_fault{SCOPE})"
    return graph(
        "Collectors down over time",
        "How many collectors, of all accounts, are down with which fault.",
        [query(f"count by (fault) ({each})", "{{fault}}")],
        stacked=True,
        stepped=True,
        decimals=0,
        points=400,
        overrides=PAINTED_FAULTS,
        empty="no collector is known to have been down",
    )


def collectors():
    """Each collector in all accounts."""
    worst = f"min by (account_id, collector) (aws_mfa_collector_up{SCOPE})"
    number = {
        "custom__width": 75,
        "custom__align": "right",
        "decimals": 0,
        "noValue": "-",
        "custom__cellOptions": {"type": "color-text"},
    }
    time = {"unit": "s", "custom__width": 85, "custom__align": "right", "noValue": "-"}
    return table(
        "Collectors",
        "In how many accounts each collector is up and down, how often it is configured to run, and the longest and the"
        " median of the last runs.",
        [
            cells(f"sum by (collector) ({worst})"),
            cells(f"sum by (collector) ({worst} == bool 0)"),
            cells(f"max by (collector) (aws_mfa_collector_interval_seconds{SCOPE})"),
            cells(f"quantile by (collector) (0.5, aws_mfa_collector_duration_seconds{SCOPE})"),
            cells(f"max by (collector) (aws_mfa_collector_duration_seconds{SCOPE})"),
        ],
        {
            "collector": ("Collector", {}),
            "Value #A": ("Up", number),
            "Value #B": ("Down", {**number, "thresholds": steps("text", (1, "red"))}),
            "Value #C": ("Every", {**time, "decimals": 0}),
            "Value #D": ("Median", time),
            "Value #E": ("Longest", time),
        },
        [("Down", True), ("Collector", False)],
        empty="no exporter",
    )
