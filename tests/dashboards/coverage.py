"""Panels of the overview below its table: protection over time, freshness, and what is not read."""

from kit import cells, mapping, now, query, steps
from panels import PAINTED_VERDICTS, bars, graph, override, paint, stat, table
from promql import (
    AND_THESE,
    CHOSEN,
    NAMES,
    STATUS,
    SUCCESS,
    THESE,
    THESE_HEARTBEATS,
    accounts_not_counted,
    beyond_exempt,
    latest,
    per_account,
    users_by_protection,
    verdict_count,
    verdict_counts,
)

PAINTED_USERS = [
    paint("with MFA", "green"),
    paint("without MFA", "red"),
    paint("without MFA, exempt", "blue"),
    paint("not known", "orange"),
]


def coverage():
    """Accounts by verdict over time."""
    order = ("passed", "not_applicable", "unknown", "failed")
    return graph(
        "Accounts by verdict on root MFA (IAM.9)",
        "Counts, not a ratio: unknown accounts stay visible and never count as protected. Gaps: no exporter was"
        " scraped.",
        verdict_counts("IAM.9", AND_THESE, order=order),
        stacked=True,
        stepped=True,
        overrides=PAINTED_VERDICTS,
        decimals=0,
        points=400,
    )


def trouble():
    """The two verdicts that need somebody, on a scale of their own."""
    return graph(
        "Accounts failed or unknown on root MFA (IAM.9)",
        "The same figures as beside it, on a scale of their own: one account among hundreds is seen here.",
        verdict_counts("IAM.9", AND_THESE, order=("failed", "unknown")),
        stepped=True,
        overrides=PAINTED_VERDICTS,
        decimals=0,
        points=400,
        custom={"lineWidth": 2, "axisSoftMax": 1},
    )


def control_share():
    """The share of the accounts that meet the chosen control, over time."""
    each = lambda verdict: verdict_count("$control", verdict, AND_THESE)
    met = f"({each('passed')} + {each('not_applicable')})"
    return graph(
        "Share of accounts that meet $control",
        "Accounts in which the control is passed or not applicable, of all that are scanned. An unknown account counts as"
        " one that does not meet it. Choose the control at the top.",
        [query(f"{met} / ({met} + {each('failed')} + {each('unknown')})", "meets $control")],
        unit="percentunit",
        max=1,
        overrides=[paint("meets $control", "green")],
        points=400,
    )


def time_without(link):
    """How long each account did not meet the chosen control within the range."""
    minutes = lambda verdict, all_of: (
        f'60 * sum_over_time(({all_of} by (account_id) ({STATUS}{{control="$control",status="{verdict}"{AND_THESE}}}))'
        "[$__range:1m]) > 0"
    )
    # An account that is gone by now has no name, and keeps its place.
    names = f'({NAMES} or on (account_id) group by (account_id) (last_over_time({STATUS}{{control="$control"}}[$__range])))'
    worst = lambda verdict, all_of: cells(f"topk(100, {minutes(verdict, all_of)}) * on (account_id) group_left (account_name) {names}")
    width = {"unit": "s", "decimals": 0, "custom__width": 130, "custom__align": "right"}
    return table(
        "Time without $control in this range, by account",
        "For how long the control was failed, and for how long it was unknown, within the time range, looked at once a"
        " minute. Over more than a few days and many accounts, choose accounts at the top.",
        [worst("failed", "max"), worst("unknown", "min")],
        {
            "account_name": ("Account", {"links": [link]}),
            "account_id": ("Account id", {"links": [link], "custom__width": 130}),
            "Value #A": ("Failed", {**width, "custom__cellOptions": {"type": "color-text"}, "thresholds": steps("red")}),
            "Value #B": ("Unknown", {**width, "custom__cellOptions": {"type": "color-text"}, "thresholds": steps("orange")}),
        },
        [("Failed", True), ("Unknown", True)],
        empty="met all the time, as far as is known",
    )


def exempt_controls(link):
    """Which controls of which accounts are exempt."""
    return table(
        "Exempt controls",
        "Controls of accounts that the configuration exempts, with the id of the exemption. Verdicts stay what they are;"
        " the alerts leave these out. Exempt users are among the users above.",
        [cells(f"max by (account_id, control, exemption) (aws_mfa_control_exemption_info{THESE})")],
        {
            "account_id": ("Account id", {"links": [link], "custom__width": 130}),
            "control": ("Control", {"custom__width": 90}),
            "exemption": ("Exemption", {}),
        },
        [("Account id", False), ("Control", False)],
        empty="none is known",
    )


def user_figures():
    """IAM users now."""
    return bars(
        "IAM users now",
        "All IAM users of the accounts that could be read. Not known: all users of the accounts in which it is not known of"
        " every user whether there is a device, because such an account has no counts. Exempt users are those that the"
        " configuration lists with a reason; they stay without MFA.",
        [
            now(f"sum({per_account('users', more=THESE)})", "all users"),
            *({**target, "range": False, "instant": True} for target in users_by_protection(THESE)),
        ],
        overrides=[paint("all users", "text"), *PAINTED_USERS],
        decimals=0,
        empty="no number of users is known",
    )


def user_coverage():
    """IAM users by protection over time."""
    return graph(
        "IAM users by MFA",
        "Not known: all users of the accounts in which it is not known of every user. Users of accounts of which no"
        " number is known are in none of the areas: see the accounts that are not counted beside it.",
        users_by_protection(THESE),
        stacked=True,
        stepped=True,
        overrides=PAINTED_USERS,
        decimals=0,
        points=400,
        empty="no number of users is known",
    )


def users_to_act_on():
    """The figures of users that somebody has to act on."""
    return stat(
        "Users to act on",
        "Users with a console password, and with an active access key, that have no MFA device and are not exempt;"
        " accounts in which one of these numbers is not known, and is in neither.",
        [
            now(beyond_exempt("console_users_without_mfa", THESE), "console users without MFA"),
            now(beyond_exempt("access_key_users_without_mfa", THESE), "access key users without MFA"),
            now(accounts_not_counted(CHOSEN), "accounts not counted"),
        ],
        steps("green", (1, "orange")),
        text="value_and_name",
        orientation="horizontal",
        sizes=(15, 34),
        empty="no number of users is known",
        overrides=[override("console users without MFA", thresholds=steps("green", (1, "red")))],
    )


def heartbeat_over_time():
    """How old the newest root answer of each account is."""
    age = f'time() - ({latest(SUCCESS, "account_id", THESE_HEARTBEATS)} > 0)'
    return graph(
        "Age of the last root heartbeat",
        "By default once a minute, every five minutes in accounts whose root user has no credentials. The oldest"
        " account rises without end while it cannot be read.",
        [query(f"max({age})", "oldest account"), query(f"quantile(0.5, {age})", "median")],
        unit="s",
        overrides=[paint("oldest account", "orange"), paint("median", "green")],
        points=400,
        empty="none of these accounts was ever read",
    )


def faults(curly=""):
    """Why collectors are down."""
    return table(
        "Collectors down, by fault",
        "In how many accounts a collector is down, and why. While it is down the verdicts that rest on it become"
        " unknown when their evidence is too old.",
        [
            cells(
                f"count by (collector, fault) (max by (account_id, collector, fault) (aws_mfa_collector_fault{curly}))"
            )
        ],
        {
            "collector": ("Collector", {"custom__width": 100}),
            "fault": ("Fault", {}),
            "Value": ("Accounts", {"custom__width": 90, "custom__align": "right"}),
        },
        [("Accounts", True)],
        empty="no collector is known to be down",
    )


def not_scanned():
    """Accounts without verdicts, and why."""
    return table(
        "Accounts that are not scanned, and why",
        "Suspended, closed and pending: as AWS Organizations says. Excluded: by the configuration. Refused: the"
        " credentials belong to another account; such an account is counted as unknown above.",
        [cells('max by (account_id, account_name, ou, state) (aws_mfa_account_info{state!="scanned"' + AND_THESE + "})")],
        {
            "state": ("State", {"custom__width": 95}),
            "account_name": ("Account", {}),
            "account_id": ("Account id", {"custom__width": 130}),
        },
        [("State", False), ("Account", False)],
        empty="none is known",
    )


def discovery():
    """Whether the list of accounts is up to date."""
    ago = "time() - (min(aws_mfa_discovery_last_success_timestamp_seconds) > 0)"
    return stat(
        "List of accounts",
        "Whether the accounts of the organization could be listed, by every exporter, and how long ago that last"
        " worked. While it does not, the last list is used.",
        [now("min(aws_mfa_discovery_up)", "listing"), now(ago, "last listed")],
        text="value_and_name",
        overrides=[
            override("listing", mappings=mapping(_0=("failing", "red"), _1=("up", "green"))),
            override("last listed", unit="s", decimals=0, thresholds=steps("text", (3600, "orange"))),
        ],
    )


def exemptions():
    """When exemptions end."""
    return table(
        "Exemptions that end",
        "Exemptions of the configuration with an end. After it their users count as unprotected again. Identifiers"
        " only; user names appear nowhere.",
        [
            cells("1000 * max by (exemption) (aws_mfa_exemption_expiry_timestamp_seconds)"),
            cells("max by (exemption) (aws_mfa_exemption_expiry_timestamp_seconds) - time()"),
        ],
        {
            "exemption": ("Exemption", {}),
            "Value #A": ("Ends", {"unit": "dateTimeAsIso", "custom__width": 180}),
            "Value #B": (
                "In",
                {
                    "unit": "s",
                    "decimals": 0,
                    "custom__width": 110,
                    "custom__cellOptions": {"type": "color-text"},
                    "thresholds": steps("red", (0, "orange"), (1209600, "text")),
                },
            ),
        },
        [("Ends", False)],
        empty="none is known",
    )
