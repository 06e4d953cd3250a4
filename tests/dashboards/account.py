"""*Account*: one account in detail."""

from kit import (
    CODES, COLOURS, CONTROLS, SHORT, PAINTED_VERDICTS, VERDICTS, VERDICT_TEXT, Board, bars, cells, graph,
    label_variable, mapping, now, query, stat, steps, table, verdict_cell,
)
from promql import STATUS, latest, oldest, status, users_by_protection, verdict_counts
from overview import FAILED, PAINTED_USERS, PROTECTED, SUCCESS

ONE = 'account_id="$account"'
MORE = f",{ONE}"
CURLY = f"{{{ONE}}}"
# 1 for an account that is watched, whatever is known of it; nothing for one that is not.
WATCHED = f'max({STATUS}{{{ONE},status="unknown"}} >= bool 0)'
UNKNOWN, ABSENT = -1, "not scanned"


def board():
    """The dashboard."""
    made = Board(
        "aws-mfa-account", "AWS MFA / Account",
        "One AWS account: its root user, its IAM users, and what both verdicts and figures rest on.",
        [label_variable("account", "Account", "aws_mfa_account_info", "account_id")],
    )
    made.line(4, (8, name()), (5, verdict("IAM.9")), (4, verdict("IAM.6")), (4, verdict("IAM.4")), (3, last_read()))
    made.row("Root user")
    made.line(4, *root_facts())
    made.row("Controls")
    made.line(8, (24, controls()))
    made.line(5, (24, history("IAM.9")))
    for left, right in (("IAM.6", "IAM.4"), ("IAM.5", "IAM.19")):
        made.line(4, (12, history(left)), (12, history(right)))
    made.row("IAM users")
    made.line(8, (9, users()), (9, user_history()), (6, devices()))
    made.row("What it rests on")
    made.line(6, (15, collectors()), (9, sources()))
    made.line(7, (12, evidence_age()), (12, durations()))
    return made.json()


def name():
    """Which account this is."""
    info = f"max by (account_id, account_name, ou, partition, state) (aws_mfa_account_info{CURLY})"
    titled = f'label_replace({info}, "account_name", "no name known", "account_name", "")'
    return stat(
        "Account", "Name, id, partition, unit and state, as AWS Organizations has them; there is no partition until credentials have proved it. Refused: the credentials belong to another account.",
        [now(titled, "{{account_name}}"), now(info, "{{account_id}} {{partition}} {{ou}} {{state}}")],
        text="name", orientation="horizontal", empty="no exporter knows this account",
    )


def one_code(control):
    """The verdict as a number; a single account needs no grouping."""
    weighted = [f"{CODES[verdict]} * {status(control, verdict, MORE)}" for verdict in VERDICTS]
    return f"max({' or '.join(weighted)})"


def verdict(control):
    """One verdict now."""
    return stat(
        SHORT[control], f"{control}, {CONTROLS[control].lower()}: the verdict now. Unknown is never a pass; the collectors below say why.",
        [now(one_code(control))], fill=True, mappings=VERDICT_TEXT, empty=ABSENT,
    )


def last_read():
    """How old what IAM.9 rests on is."""
    return stat(
        "Root last read", "How long ago an answer about root was last read without a fault. By default once a minute, every five where root has no credentials.",
        [now(f'time() - (min({SUCCESS}{{{ONE},collector="root"}}) > 0)')], steps("green", (360, "orange"), (900, "red")),
        unit="s", decimals=0, empty="none yet",
    )


def fact(expr):
    """A fact, or -1 while it is unknown in an account that is watched."""
    return [now(f"({expr}) or 0 * {WATCHED} - 1")]


def root_facts():
    """What was read of the root user."""
    credential = 'max(aws_mfa_root_credential_present{%s,credential="%s"})'
    unknown = {"_m1": ("unknown", "orange")}
    present = lambda colour: mapping(_0=("absent", "green"), _1=("present", colour), **unknown)
    used = f"min(aws_mfa_root_password_last_used_timestamp_seconds{CURLY})"
    return [
        (4, stat("MFA", "Whether root has an MFA device of any kind. Off is no alarm by itself: a root user without credentials has none either.",
                 fact(f"min(aws_mfa_root_mfa_enabled{CURLY})"), mappings=mapping(_0=("off", "text"), _1=("on", "green"), **unknown), empty=ABSENT)),
        (4, stat("Password", "Whether root has a console password.", fact(credential % (ONE, "password")), mappings=present("text"), empty=ABSENT)),
        (4, stat("Access key", "Whether root has an access key, active or not (IAM.4).", fact(credential % (ONE, "access_key")), mappings=present("red"), empty=ABSENT)),
        (4, stat("Signing certificate", "Whether root has a signing certificate.", fact(credential % (ONE, "signing_certificate")), mappings=present("red"), empty=ABSENT)),
        (4, stat("Virtual MFA devices", "How many virtual devices root owns: an app on a telephone or a computer, which IAM.6 does not accept. Unknown also while the account has changed since the list was read.",
                 fact(f"max(aws_mfa_root_virtual_devices{CURLY})"), steps("green", (1, "orange")), mappings=mapping(**unknown), decimals=0, empty=ABSENT)),
        (4, stat("Password last used", "How long ago root signed in with its password, as the credential report says; the report is up to four hours old.",
                 [now(f"(time() - ({used} > 0)) or 0 * {used} - 1")], steps("orange", (604800, "text")),
                 unit="s", decimals=0, mappings=mapping(_m1=("never", "green")), empty="no report read")),
    ]


def controls():
    """Each control with its times."""
    by = "control"
    each = [f'{CODES[v]} * {STATUS}{{{ONE},status="{v}"}}' for v in VERDICTS]
    meaning = {"type": "value", "options": {
        control: {"text": f"{control}  {says}", "index": index} for index, (control, says) in enumerate(CONTROLS.items())
    }}
    ago = {"unit": "s", "decimals": 0, "custom__width": 150, "custom__align": "right"}
    stamp = {"unit": "dateTimeAsIso", "custom__width": 200, "noValue": "none seen"}
    return table(
        "Controls",
        "The verdicts now. \"Evidence\" is the age of the oldest fact that the verdict rests on, empty while it is unknown. The two times are those of the last answers, and do not age: a failure later than the last protection is a regression.",
        [cells(f"max by (control) ({' or '.join(each)})"),
         cells(f"time() - {oldest('aws_mfa_control_as_of_timestamp_seconds', by, CURLY)}"),
         cells(f"1000 * {latest(PROTECTED, by, CURLY)}"), cells(f"1000 * {latest(FAILED, by, CURLY)}")],
        {"control": ("Control", {"mappings": [meaning]}), "Value #A": ("Verdict", verdict_cell(custom__width=160)),
         "Value #B": ("Evidence", {**ago, "noValue": "-"}), "Value #C": ("Last protected", stamp), "Value #D": ("Last failed", stamp)},
        [("Verdict", True)], empty=ABSENT,
    )


def history(control):
    """A band whose colour is the verdict."""
    return graph(
        f"{control}: {CONTROLS[control]}",
        "The verdict over time, as the colour of the band. Gaps: no exporter told of this account.",
        verdict_counts(control, MORE), stacked=True, stepped=True, legend=control == "IAM.9", calcs=(),
        # An axis without words keeps the times below from being cut off at the edge; the tooltip has the one verdict.
        hide_zeros=True,
        custom={"fillOpacity": 75, "axisWidth": 30, "axisGridShow": False}, mappings=mapping(_0=("\u00a0", "text"), _1=("\u00a0", "text")),
        overrides=PAINTED_VERDICTS, max=1, decimals=0, points=1000, empty=ABSENT,
    )


def users():
    """Users by kind: how many, how many without MFA, how many of these exempt."""
    kinds = {"all users": "users", "with console password": "console_users", "with active access key": "access_key_users"}
    row = lambda kind, metric: f'label_replace(max(aws_mfa_{metric}{CURLY}), "who", "{kind}", "", "")'
    every = [row(kind, metric) for kind, metric in kinds.items() if metric != "access_key_users"]
    column = lambda colour: {"custom__width": 95, "custom__align": "right", "decimals": 0, "noValue": "-", "custom__cellOptions": {"type": "color-text"},
                             "thresholds": steps("text", (1, colour))}
    return table(
        "Users", "IAM users, those among them that are known to have no MFA device, and those of them that are exempt. A user with an active access key and no device has single-factor access to the API.",
        [cells(" or ".join(every)), cells(" or ".join(row(k, f"{m}_without_mfa") for k, m in kinds.items())),
         cells(" or ".join(row(k, f"{m}_without_mfa_exempt") for k, m in kinds.items())), cells(row("all users", "users_unknown"))],
        {"who": ("IAM users", {}), "Value #A": ("Users", column("text")), "Value #B": ("No MFA", column("red")),
         "Value #C": ("Exempt", column("blue")), "Value #D": ("Not known", column("orange"))},
        [("IAM users", False)], empty="users are not read or not known",
    )


def user_history():
    """Users by protection over time."""
    return graph("Users by MFA", "Each user once. Gaps: the users of the account could not be read.", users_by_protection(CURLY),
                 stacked=True, stepped=True, overrides=PAINTED_USERS, decimals=0, points=400, empty="users are not read or not known")


def devices():
    """Devices of users by kind."""
    order = {"virtual": "virtual", "fido": "FIDO key, passkey", "hardware_totp": "hardware token", "sms": "SMS", "other": "other"}
    one = 'max(aws_mfa_user_devices{%s,kind="%s"})'
    return bars("MFA devices of users", "Devices that were seen, by kind; one user may have several.",
                [now(one % (ONE, kind), says) for kind, says in order.items()], decimals=0, empty="users are not read or not known")


def collectors():
    """How each collector does."""
    fault = f"max by (collector, fault) (aws_mfa_collector_fault{CURLY})"
    seen = lambda metric: cells(f"time() - (min by (collector) (aws_mfa_collector_{metric}_timestamp_seconds{CURLY}) > 0)")
    ago = {"unit": "s", "decimals": 0, "custom__width": 105, "custom__align": "right", "noValue": "none yet"}
    up = {"custom__width": 75, "mappings": mapping(_0=("down", "red"), _1=("up", "green")), "custom__cellOptions": {"type": "color-text"}, "custom__align": "left"}
    return table(
        "Collectors", "What reads this account, whether the last run was recent and without a fault, and what the fault was. Where several exporters watch the account, the worst is shown.",
        [cells(f"min by (collector) (aws_mfa_collector_up{CURLY})"), cells(fault), seen("last_success"), seen("last_attempt"),
         cells(f"max by (collector) (aws_mfa_collector_duration_seconds{CURLY})"), cells(f"max by (collector) (aws_mfa_collector_interval_seconds and on (collector) aws_mfa_collector_up{CURLY})")],
        {"collector": ("Collector", {}), "Value #A": ("State", up), "fault": ("Fault", {"custom__width": 150}), "Value #C": ("Succeeded", ago), "Value #D": ("Tried", ago),
         "Value #E": ("Took", {"unit": "s", "custom__width": 85, "custom__align": "right", "noValue": "-"}), "Value #F": ("Every", {"unit": "s", "custom__width": 85, "custom__align": "right"})},
        [("State", False), ("Collector", False)], empty=ABSENT,
    )


def sources():
    """How old the lists and reports are."""
    read = oldest("aws_mfa_source_timestamp_seconds", "source", CURLY)
    return table(
        "Sources", "What is read beside the heartbeat: the list of virtual devices, and the credential report with AWS's own time of it. A source that may not be used has no row.",
        [cells(f"1000 * {read}"), cells(f"time() - {read}")],
        {"source": ("Source", {}), "Value #A": ("As of", {"unit": "dateTimeAsIso", "custom__width": 170}),
         "Value #B": ("Age", {"unit": "s", "decimals": 0, "custom__width": 90, "custom__align": "right"})},
        [("Source", False)], empty="none that may be used",
    )


def evidence_age():
    """How old the evidence of each control was."""
    return graph("Age of the evidence, by control", "How old the oldest fact behind each verdict was. Gaps: the verdict was unknown.",
                 [query(f"time() - {oldest('aws_mfa_control_as_of_timestamp_seconds', 'control', CURLY)}", "{{control}}")], unit="s", points=400, empty="no verdict is known")


def durations():
    """How long runs took."""
    return graph("Duration of runs, by collector", "How long the last run of each collector took, confirmation and retries included.",
                 [query(f"max by (collector) (aws_mfa_collector_duration_seconds{CURLY})", "{{collector}}")], unit="s", points=400, empty="no run has ended")
