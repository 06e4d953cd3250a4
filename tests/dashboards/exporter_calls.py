"""Panels of the exporter dashboard on traffic: calls to AWS, scrapes, and what the process needs."""

from kit import GREY, cells, query
from panels import graph, paint, table
from promql import OWN, SCOPE

REQUESTS, FAILURES = f"{OWN}_aws_requests_total", f"{OWN}_aws_request_failures_total"
A_DAY = 86400
# The usual ones in the same colours wherever they are drawn; others take what the palette gives.
PAINTED_FAULTS = [
    paint("access_denied", "red"),
    paint("throttled", "orange"),
    paint("timeout", "purple"),
    paint("connection", "blue"),
    paint("server_error", "dark-blue"),
    paint("incomplete_reply", "yellow"),
    paint("pending", GREY),
]
PAINTED_OPERATIONS = [
    paint("GetAccountSummary", "blue"),
    paint("ListVirtualMFADevices", "purple"),
    paint("AssumeRole", "green"),
    paint("GetCallerIdentity", "yellow"),
    paint("ListAccounts", "orange"),
    paint("ListUsers", "red"),
]


def requests():
    """What is asked of AWS, as calls a day."""
    return graph(
        "AWS calls a day, by operation",
        "At the rate of the moment, retries included. Each is an event in CloudTrail.",
        [query(f"{A_DAY} * sum by (operation) (rate({REQUESTS}{SCOPE}[$__rate_interval]))", "{{operation}}")],
        stacked=True,
        stepped=True,
        unit="short",
        points=400,
        beside=True,
        overrides=PAINTED_OPERATIONS,
    )


def failures():
    """What AWS did not answer, as calls a day."""
    return graph(
        "Failed AWS calls a day, by fault",
        'At the rate of the moment: calls that brought no usable answer. "throttled" is what AWS refused because of the'
        " rate.",
        [query(f"{A_DAY} * sum by (fault) (rate({FAILURES}{SCOPE}[$__rate_interval]))", "{{fault}}")],
        stacked=True,
        unit="short",
        points=400,
        stepped=True,
        beside=True,
        overrides=PAINTED_FAULTS,
        empty="no failed call was counted",
    )


def latency():
    """How long AWS takes to answer."""
    buckets = f"sum by (le) (rate({OWN}_aws_request_duration_seconds_bucket{SCOPE}[$__rate_interval]))"
    # A quantile of nothing is no number: the comparison drops it.
    part = lambda q: f"histogram_quantile({q}, {buckets}) >= 0"
    return graph(
        "Duration of AWS calls",
        "From sending to the last byte or the failure, estimated from the histogram's buckets; the last bound is 10 s."
        " Gaps: no calls.",
        [query(part(0.99), "99 %"), query(part(0.9), "90 %"), query(part(0.5), "median")],
        unit="s",
        points=400,
        overrides=[paint("99 %", "orange"), paint("90 %", "yellow"), paint("median", "green")],
    )


def operations():
    """The calls of the last day."""
    count = lambda metric, more="": (
        f'sum by (service, operation) (increase({metric}{{job=~"$job",instance=~"$instance"{more}}}[24h]))'
    )
    number = {"unit": "none", "decimals": 0, "custom__width": 110, "custom__align": "right", "noValue": "0"}
    return table(
        "AWS calls of the last 24 hours",
        "As the counters grew in 24 hours, up to the rounding of Prometheus; retries included. Failed calls are part of"
        " all calls, throttled calls of the failed.",
        [cells(count(REQUESTS)), cells(count(FAILURES)), cells(count(FAILURES, ',fault="throttled"'))],
        {
            "service": ("Service", {"custom__width": 120}),
            "operation": ("Operation", {}),
            "Value #A": ("Calls", number),
            "Value #B": ("Failed", number),
            "Value #C": ("Throttled", number),
        },
        [("Calls", True)],
        empty="no call was made",
    )


def scrape_duration():
    """How long a scrape takes."""
    return graph(
        "Duration of scrapes",
        "What Prometheus measured. A scrape serves stored bytes and never waits for AWS.",
        [query(f"max by (instance) (scrape_duration_seconds{SCOPE})", "{{instance}}")],
        unit="s",
        points=400,
    )


def samples():
    """How large an exposition is."""
    return graph(
        "Samples a scrape",
        "How many samples Prometheus took from each exporter; 0 while it could not be scraped.",
        [query(f"max by (instance) (scrape_samples_scraped{SCOPE})", "{{instance}}")],
        unit="short",
        points=400,
    )


def http():
    """What the exporter answers."""
    return graph(
        "HTTP answers a second, by code",
        "503: the verdicts were too old to be served, or too many scrapes at once.",
        [query(f"sum by (code) (rate({OWN}_http_requests_total{SCOPE}[$__rate_interval]))", "{{code}}")],
        unit="reqps",
        points=400,
        overrides=[paint("200", "green"), paint("503", "red")],
        empty="not exported",
    )


def memory():
    """Memory by exporter."""
    return graph(
        "Resident memory",
        "As the kernel counts it.",
        [query(f"max by (instance) (process_resident_memory_bytes{SCOPE})", "{{instance}}")],
        unit="bytes",
        points=400,
        empty="not exported",
    )


def cpu():
    """CPU by exporter."""
    return graph(
        "CPU",
        "Of one core.",
        [query(f"max by (instance) (rate(process_cpu_seconds_total{SCOPE}[$__rate_interval]))", "{{instance}}")],
        unit="percentunit",
        points=400,
        empty="not exported",
    )


def encoding():
    """How long the last encoding took."""
    return graph(
        "Encoding of the exposition",
        "How long it took to write all accounts in both formats and compressed; it is done beside scrapes, never in"
        " one.",
        [query(f"max by (instance) ({OWN}_encode_duration_seconds{SCOPE})", "{{instance}}")],
        unit="s",
        points=400,
    )
