"""Panels of the exporter dashboard on events: the queues, what they hold, and what it starts."""

from kit import GREY, query
from panels import graph, paint
from promql import SCOPE

NONE = "no queue is configured"


def queues():
    """Whether each queue can be read."""
    return graph(
        "Queues up",
        "1 while the exporter can receive and delete messages of the queue. At 0 changes show at the usual intervals.",
        [query(f"min by (queue) (aws_mfa_events_up{SCOPE})", "{{queue}}")],
        unit="none",
        points=400,
        stepped=True,
        empty=NONE,
    )


def messages():
    """What the queues hold."""
    received = f"sum by (kind) (rate(aws_mfa_events_received_total{SCOPE}[$__rate_interval]))"
    dropped = f"sum by (reason) (rate(aws_mfa_events_dropped_total{SCOPE}[$__rate_interval]))"
    return graph(
        "Messages an hour",
        "Events of watched accounts by kind, and messages that start no read by reason."
        ' "unwatched" are events of accounts of other shards, "unasked" echoes of other exporters.',
        [query(f"3600 * {received}", "{{kind}}"), query(f"3600 * {dropped}", "dropped: {{reason}}")],
        unit="short",
        points=400,
        stepped=True,
        overrides=[paint("iam", "blue"), paint("sign_in", "purple"), paint("dropped: unwatched", GREY), paint("dropped: unasked", GREY)],
        empty=NONE,
    )


def echoes():
    """How late the slowest account's echo is."""
    return graph(
        "Age of the oldest echo, and delay of events",
        "How long ago the exporter's own call last came back as an event, in the account where that is longest; only accounts"
        " with an echo. And how late 90 % of the events are, estimated from the histogram's buckets.",
        [
            query(
                f"max(time() - (aws_mfa_events_last_echo_timestamp_seconds{SCOPE} > 0))",
                "oldest echo",
            ),
            query(
                "histogram_quantile(0.9, sum by (le)"
                f" (rate(aws_mfa_events_delay_seconds_bucket{SCOPE}[$__rate_interval]))) >= 0",
                "delay, 90 %",
            ),
        ],
        unit="s",
        points=400,
        overrides=[paint("oldest echo", "orange"), paint("delay, 90 %", "blue")],
        empty="no event came",
    )


def intervals():
    """How many accounts are read less often."""
    in_force = f"max by (account_id) (aws_mfa_events_interval_in_force{SCOPE})"
    return graph(
        "Accounts read at the longer interval",
        "While echoes show that events of an account arrive, it is read at the interval of"
        " collector.root.interval-with-events; otherwise at the usual one.",
        [
            query(f"count({in_force} == 1) or 0 * count({in_force})", "longer interval"),
            query(f"count({in_force} == 0) or 0 * count({in_force})", "usual interval"),
        ],
        unit="short",
        points=400,
        stepped=True,
        overrides=[paint("longer interval", "green"), paint("usual interval", "orange")],
        empty="no longer interval is configured",
    )


def reads():
    """What events have read."""
    return graph(
        "Reads an hour that events started",
        "Runs of the root collector before their time, in all accounts.",
        [query(f"3600 * sum by (instance) (rate(aws_mfa_events_reads_total{SCOPE}[$__rate_interval]))", "{{instance}}")],
        unit="short",
        points=400,
        stepped=True,
        empty=NONE,
    )
