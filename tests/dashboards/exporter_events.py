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
        ' "unwatched" are events of accounts of other shards.',
        [query(f"3600 * {received}", "{{kind}}"), query(f"3600 * {dropped}", "dropped: {{reason}}")],
        unit="short",
        points=400,
        stepped=True,
        overrides=[paint("iam", "blue"), paint("sign_in", "purple"), paint("dropped: unwatched", GREY)],
        empty=NONE,
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
