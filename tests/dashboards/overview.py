"""*Organization overview*: how all accounts stand, worst first."""

from kit import (
    COLOURS, CONTROLS, GREY, PAINTED_VERDICTS, VERDICTS, Board, bars, cells, graph, label_variable, mapping, now,
    override, paint, query, stat, steps, table, text, verdict_cell,
)
from promql import (
    NAMES, STATUS, beyond_exempt, code, latest, named, oldest, users_by_protection, users_with_mfa, users,
    verdict_count, verdict_counts,
)

TO_ACCOUNT = {
    "title": "Open this account",
    "url": "/d/aws-mfa-account?var-account=${__data.fields[\"account_id\"]}&var-datasource=${datasource}&${__url_time_range}",
}
PROTECTED = "aws_mfa_control_last_protected_timestamp_seconds"
FAILED = "aws_mfa_control_last_failed_timestamp_seconds"
SUCCESS = "aws_mfa_collector_last_success_timestamp_seconds"
PAINTED_USERS = [
    paint("with MFA", "green"), paint("without MFA", "red"), paint("without MFA, exempt", "blue"),
    paint("not known", "orange"),
]
READING = """\
**failed**: root has credentials and no MFA, act now. **unknown**: could not be read, or not lately; it may be unprotected
and never counts as passed. **passed**: an MFA device was seen. **not applicable**: root has no credentials. Select an
account to see why and since when.
"""


def board():
    """The dashboard."""
    made = Board(
        "aws-mfa-overview", "AWS MFA / Organization overview",
        "Whether the root user of every AWS account has MFA, and how far IAM users are.",
    )
    made.line(3, (24, text("How to read the verdicts", "What the four verdicts mean.", READING)))
    made.line(5, *verdict_stats())
    made.line(14, (24, accounts()))
    made.line(8, (12, controls()), (12, changes()))
    made.row("Coverage")
    made.line(8, (12, coverage()), (12, trouble()))
    made.line(8, (10, user_coverage()), (7, user_figures()), (7, users_to_act_on()))
    made.row("Freshness, and what is not read")
    made.line(8, (9, heartbeat_over_time()), (7, faults()), (8, not_scanned()))
    made.line(6, (9, discovery()), (15, exemptions()))
    return made.json()


def verdict_stats():
    """How many accounts have which verdict on IAM.9; every account is in one of the five figures."""
    count = lambda verdict: [now(verdict_count("IAM.9", verdict))]
    listed = "count by (account_id) (aws_mfa_account_info)"
    waiting = f'count({listed} unless on (account_id) {STATUS}) or 0 * count({listed})'
    management = "max by (account_id) (aws_mfa_management_account_info)"
    read = f'{management} * on (account_id) {oldest("aws_mfa_collector_up", "account_id", CURLY_ROOT)}'
    return [
        (5, stat("Root without MFA", "Accounts whose root user has credentials and no MFA device (IAM.9 failed), confirmed by a second call.",
                 count("failed"), steps("green", (1, "red")), fill=True)),
        (4, stat("Unknown", "Accounts of which it cannot be said whether root has MFA (IAM.9 unknown): denied, throttled, stale, not read yet. The table says why.",
                 count("unknown"), steps("green", (1, "orange")), fill=True)),
        (4, stat("Root with MFA", "Accounts whose root user has an MFA device (IAM.9 passed).",
                 count("passed"), steps("text", (1, "green")))),
        (4, stat("Root without credentials", "Accounts whose root user has no password, key or certificate, or that are in GovCloud (IAM.9 not applicable). Security Hub prints PASSED for these.",
                 count("not_applicable"), steps("text", (1, "blue")))),
        (3, stat("Not scanned", "Accounts that are known and not read: suspended, closed, pending or excluded. They have no verdict; they are listed below.",
                 [now(waiting)], steps("text"))),
        (4, stat("Management account", "Whether the root heartbeat of the organization's management account is up. No StackSet gives that account a role, so it is the one that is forgotten.",
                 [now(f"min(({read}) or 0 * {management})")], fill=True, empty="no organization",
                 mappings=mapping(_0=("not read", "red"), _1=("read", "green")))),
    ]


def accounts():
    """All accounts that have verdicts, those without MFA for root first."""
    fault = "max by (account_id, fault) (2 * aws_mfa_collector_fault{collector=\"root\"} or aws_mfa_collector_fault{collector!=\"root\"})"
    targets = [
        cells(f"{NAMES} and on (account_id) {STATUS}"),
        *(cells(code(control)) for control in CONTROLS),
        cells(f'time() - {oldest("aws_mfa_control_as_of_timestamp_seconds", "account_id", CURLY_IAM9)}'),
        cells(f"topk by (account_id) (1, {fault})"),
    ]
    link = {"links": [TO_ACCOUNT]}
    columns = {
        "account_name": ("Account", {"custom__filterable": True, "custom__minWidth": 220, **link}),
        "account_id": ("Account id", {"custom__filterable": True, "custom__width": 130, **link}),
        "ou": ("Unit", {"custom__filterable": True, "custom__width": 120}),
        **{
            f"Value #{letter}": (heading, verdict_cell(custom__width=154, custom__filterable=True))
            for letter, heading in zip("BCDEF", HEADINGS)
        },
        "Value #G": ("Root read", {"unit": "s", "decimals": 0, "custom__width": 95, "custom__align": "right", "noValue": "-",
                                   "custom__cellOptions": {"type": "color-text"},
                                   "thresholds": steps("text", (900, "orange"))}),
        "fault": ("Fault", {"custom__filterable": True, "custom__width": 140}),
    }
    sort = [(heading, True) for heading in HEADINGS] + [("Account", False)]
    return table(
        "Accounts, root without MFA first",
        "One row for each account with verdicts; select one to open it. \"Root read\" is the age of the evidence behind IAM.9, empty while that is unknown; \"Fault\" is what a collector of the account met last.",
        targets, columns, sort, empty="no exporter tells of any account",
    )


HEADINGS = ("IAM.9 root MFA", "IAM.6 hardware", "IAM.4 no key", "IAM.5 console", "IAM.19 all users")
CURLY_ROOT, CURLY_IAM9 = '{collector="root"}', '{control="IAM.9"}'


def controls():
    """Every control with its four counts."""
    targets = []
    for verdict in VERDICTS:
        each = [
            f'label_replace({verdict_count(control, verdict)}, "control", "{control}", "", "")' for control in CONTROLS
        ]
        targets.append(cells(" or ".join(each)))
    tint = lambda verdict: {
        "custom__width": 120 if verdict == "not_applicable" else 95, "custom__align": "right", "custom__cellOptions": {"type": "color-text"},
        "thresholds": steps(GREY, (1, COLOURS[verdict])),
    }
    meaning = {"type": "value", "options": {
        control: {"text": f"{control}  {says}", "index": index} for index, (control, says) in enumerate(CONTROLS.items())
    }}
    columns = {"control": ("Control", {"mappings": [meaning]}), **{
        f"Value #{letter}": (verdict.replace("_", " "), tint(verdict)) for letter, verdict in zip("ABCD", VERDICTS)
    }}
    return table("Accounts by control", "In how many accounts each Security Hub control has which verdict.", targets, columns,
                 empty="no data")


def changes():
    """Which verdicts turned within the range, and when."""
    protected, failed = latest(PROTECTED, "account_id, control"), latest(FAILED, "account_id, control")
    recent = "> time() - $__range_s"
    lost = f'label_replace(({protected} < {failed}) {recent}, "change", "protection lost", "", "")'
    regained = f'label_replace(({failed} < {protected}) {recent}, "change", "protected again", "", "")'
    turned = named(f"{lost} or {regained}", "account_id, control, change")
    change = {"type": "value", "options": {
        "protection lost": {"text": "protection lost", "color": "red", "index": 0},
        "protected again": {"text": "protected again", "color": "green", "index": 1},
    }}
    columns = {
        "Value #A": ("When", {"unit": "dateTimeAsIso", "custom__width": 165}),
        "Value #B": ("Ago", {"unit": "s", "decimals": 0, "custom__width": 80}),
        "account_name": ("Account", {"links": [TO_ACCOUNT], "custom__minWidth": 150}),
        "account_id": ("Account id", {"links": [TO_ACCOUNT], "custom__width": 125}),
        "control": ("Control", {"custom__width": 80}),
        "change": ("What", {"mappings": [change], "custom__cellOptions": {"type": "color-text"}, "custom__width": 130}),
    }
    return table(
        "What changed in this range",
        "Verdicts that turned from passed or not applicable to failed, or back, within the time range. The time is that of the last answer before the change; an account that failed from the start has not changed.",
        [cells(f"1000 * ({turned})"), cells(f"time() - ({turned})")], columns, [("When", True)],
        empty="nothing turned to failed, or back",
    )


def coverage():
    """Accounts by verdict over time."""
    order = ("passed", "not_applicable", "unknown", "failed")
    return graph(
        "Accounts by verdict on root MFA (IAM.9)",
        "Counts, not a ratio: unknown accounts stay visible and never count as protected. Gaps: no exporter was scraped.",
        verdict_counts("IAM.9", order=order), stacked=True, stepped=True, overrides=PAINTED_VERDICTS, decimals=0, points=400,
    )


def trouble():
    """The two verdicts that need somebody, on a scale of their own."""
    return graph(
        "Accounts failed or unknown on root MFA (IAM.9)",
        "The same figures as beside it, on a scale of their own: one account among hundreds is seen here.",
        verdict_counts("IAM.9", order=("failed", "unknown")), stepped=True, overrides=PAINTED_VERDICTS, decimals=0, points=400,
        custom={"lineWidth": 2, "axisSoftMax": 1},
    )


def user_figures():
    """IAM users now."""
    return bars(
        "IAM users now",
        "All IAM users of the accounts that could be read. Exempt users are those that the configuration lists with a reason; they stay without MFA.",
        [now(f"sum({users('users')})", "all users"), *(
            {**target, "range": False, "instant": True} for target in users_by_protection()
        )],
        overrides=[paint("all users", "text"), *PAINTED_USERS], decimals=0, empty="no account's users are read",
    )


def user_coverage():
    """IAM users by protection over time."""
    return graph(
        "IAM users by MFA",
        "Each user once. Users of accounts that cannot be read are in none of the areas: see the accounts whose users are unknown beside it.",
        users_by_protection(), stacked=True, stepped=True, overrides=PAINTED_USERS, decimals=0, points=400,
        empty="no account's users are read",
    )


def users_to_act_on():
    """The figures of users that somebody has to act on."""
    unread = verdict_count("IAM.19", "unknown")
    return stat(
        "Users to act on",
        "Users with a console password, and with an active access key, that have no MFA device and are not exempt; accounts in which it is unknown whether all users have one.",
        [now(beyond_exempt("console_users_without_mfa"), "console users without MFA"),
         now(beyond_exempt("access_key_users_without_mfa"), "access key users without MFA"),
         now(unread, "accounts with users unknown")],
        steps("green", (1, "orange")), text="value_and_name", orientation="horizontal", sizes=(15, 34), empty="no account's users are read",
        overrides=[override("console users without MFA", thresholds=steps("green", (1, "red")))],
    )


def heartbeat_over_time():
    """How old the newest root answer of each account is."""
    age = f'time() - ({latest(SUCCESS, "account_id", CURLY_ROOT)} > 0)'
    return graph(
        "Age of the last root heartbeat",
        "By default once a minute, every five minutes in accounts whose root user has no credentials. The oldest account rises without end while it cannot be read.",
        [query(f"max({age})", "oldest account"), query(f"quantile(0.5, {age})", "median")],
        unit="s", overrides=[paint("oldest account", "orange"), paint("median", "green")], points=400,
    )


def faults(curly=""):
    """Why collectors are down."""
    return table(
        "Collectors down, by fault",
        "In how many accounts a collector is down, and why. While it is down the verdicts that rest on it become unknown when their evidence is too old.",
        [cells(f"count by (collector, fault) (max by (account_id, collector, fault) (aws_mfa_collector_fault{curly}))")],
        {"collector": ("Collector", {"custom__width": 100}), "fault": ("Fault", {}),
         "Value": ("Accounts", {"custom__width": 90, "custom__align": "right"})},
        [("Accounts", True)], empty="no collector is down",
    )


def not_scanned():
    """Accounts without verdicts, and why."""
    return table(
        "Accounts that are not scanned, and why",
        "Suspended, closed and pending: as AWS Organizations says. Excluded: by the configuration. Refused: the credentials belong to another account; such an account is counted as unknown above.",
        [cells('max by (account_id, account_name, ou, state) (aws_mfa_account_info{state!="scanned"})')],
        {"state": ("State", {"custom__width": 95}), "account_name": ("Account", {}),
         "account_id": ("Account id", {"custom__width": 130})},
        [("State", False), ("Account", False)], empty="every account is scanned",
    )


def discovery():
    """Whether the list of accounts is up to date."""
    ago = "time() - (min(aws_mfa_discovery_last_success_timestamp_seconds) > 0)"
    return stat(
        "List of accounts",
        "Whether the accounts of the organization could be listed, by every exporter, and how long ago that last worked. While it does not, the last list is used.",
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
        "Exemptions of the configuration with an end. After it their users count as unprotected again. Identifiers only; user names appear nowhere.",
        [cells("1000 * max by (exemption) (aws_mfa_exemption_expiry_timestamp_seconds)"),
         cells("max by (exemption) (aws_mfa_exemption_expiry_timestamp_seconds) - time()")],
        {"exemption": ("Exemption", {}), "Value #A": ("Ends", {"unit": "dateTimeAsIso", "custom__width": 180}),
         "Value #B": ("In", {"unit": "s", "decimals": 0, "custom__width": 110, "custom__cellOptions": {"type": "color-text"},
                             "thresholds": steps("red", (0, "orange"), (1209600, "text"))})},
        [("Ends", False)], empty="no exemption has an end",
    )
