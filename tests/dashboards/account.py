"""*Account*: one account in detail."""

from account_basis import (
    ABSENT,
    collectors,
    contacts,
    devices,
    durations,
    enforcement,
    evidence_age,
    names,
    pools,
    root_kinds,
    signs,
    sources,
    user_history,
    users,
)
from board import Board, label_variable
from kit import CODES, CONTROLS, SHORT, VERDICT_TEXT, VERDICTS, cells, mapping, now, steps
from panels import PAINTED_VERDICTS, graph, stat, table, verdict_cell
from promql import FAILED, ONE, PROTECTED, STATUS, SUCCESS, THIS_ACCOUNT, latest, oldest, status, verdict_counts

MORE = f",{ONE}"
# 1 for an account that is watched, whatever is known of it; nothing for one that is not.
WATCHED = f'max({STATUS}{{{ONE},status="unknown"}} >= bool 0)'


def board():
    """The dashboard."""
    made = Board(
        "aws-mfa-account",
        "AWS MFA / Account",
        "One AWS account: its root user, its IAM users, and the evidence for verdicts and figures.",
        [label_variable("account", "Account", "aws_mfa_account_info", "account_id")],
    )
    made.line(4, (8, name()), (5, verdict("IAM.9")), (4, verdict("IAM.6")), (4, verdict("IAM.4")), (3, last_read()))
    made.row("Root user")
    made.line(4, *root_facts())
    made.line(4, *root_devices())
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
    made.folded("What policies enforce (where the exporter is told to read them)", 7, enforcement())
    made.folded("Cognito user pools (where the exporter is told to read them)", 7, pools())
    made.folded("How AWS reaches the account (where the exporter is told to read contacts)", 4, contacts())
    made.folded("Reported by events (where the exporter is told to export it)", 7, signs())
    made.folded("Users without MFA, by name (where the exporter is told to name them)", 8, names())
    return made.json()


def name():
    """Which account this is."""
    # Of what exporters say differently, while an account is moved or has not proved its partition to all, one.
    info = f"topk(1, max by (account_id, account_name, ou, partition, state) (aws_mfa_account_info{THIS_ACCOUNT}))"
    titled = f'label_replace({info}, "account_name", "no name known", "account_name", "")'
    return stat(
        "Account",
        "Name, id, partition, unit and state, as AWS Organizations has them; there is no partition until credentials"
        " have proved it. Refused: the credentials belong to another account.",
        [now(titled, "{{account_name}}"), now(info, "{{account_id}} {{partition}} {{ou}} {{state}}")],
        text="name",
        sizes=(22, 22),
        orientation="horizontal",
        empty="no exporter knows this account",
    )


def one_code(control):
    """The verdict as a number; a single account needs no grouping."""
    weighted = [f"{CODES[verdict]} * {status(control, verdict, MORE)}" for verdict in VERDICTS]
    return f"max({' or '.join(weighted)})"


def root_devices():
    """How many devices root has, and when they changed."""
    changed = f"max(aws_mfa_root_devices_changed_timestamp_seconds{THIS_ACCOUNT})"
    total = (
        f"sum(max by (kind) (aws_mfa_root_devices{THIS_ACCOUNT}))"
        f' and count(aws_mfa_root_devices{{{ONE},kind=~"not_virtual|fido"}})'
    )
    return [
        (
            6,
            stat(
                "MFA devices of root",
                "How many MFA devices root has, of any kind. AWS recommends two or more. Unknown while the exporter cannot"
                " tell root's security keys from those of users, and for a minute after a change.",
                [now(f"({total}) or 0 * {WATCHED} - 1")],
                steps("orange", (2, "green")),
                mappings=mapping(_m1=("unknown", "orange")),
                decimals=0,
                empty=ABSENT,
            ),
        ),
        (9, root_kinds()),
        (
            9,
            stat(
                "Root's devices changed",
                "How long ago root's MFA devices were last seen to be others than before. Whoever signs in as root has to"
                " register a device, an intruder too.",
                [now(f"time() - {changed} or 0 * {WATCHED} - 1")],
                steps("red", (86400, "orange"), (604800, "text")),
                unit="s",
                decimals=0,
                mappings=mapping(_m1=("no change seen", "green")),
                empty=ABSENT,
            ),
        ),
    ]


def verdict(control):
    """One verdict now."""
    return stat(
        SHORT[control],
        f"{control}, {CONTROLS[control].lower()}: the verdict now. Unknown is never a pass; the collectors below say"
        " why.",
        [now(one_code(control))],
        fill=True,
        mappings=VERDICT_TEXT,
        empty=ABSENT,
    )


def last_read():
    """How old what IAM.9 rests on is."""
    return stat(
        "Root last read",
        "How long ago an answer about root was last read without a fault. By default once a minute, every five where"
        " root has no credentials.",
        [now(f'time() - (min({SUCCESS}{{{ONE},collector="root"}}) > 0)')],
        steps("green", (360, "orange"), (900, "red")),
        unit="s",
        decimals=0,
        empty="none yet",
    )


def fact(expr):
    """A fact, or -1 while it is unknown in an account that is watched."""
    return [now(f"({expr}) or 0 * {WATCHED} - 1")]


def root_facts():
    """What was read of the root user."""
    credential = 'max(aws_mfa_root_credential_present{%s,credential="%s"})'
    unknown = {"_m1": ("unknown", "orange")}
    present = lambda colour: mapping(_0=("absent", "green"), _1=("present", colour), **unknown)
    used = f"max(aws_mfa_root_password_last_used_timestamp_seconds{THIS_ACCOUNT})"
    recorded = f"max(aws_mfa_root_password_used{THIS_ACCOUNT})"
    password = "max(aws_mfa_root_credential_present{%s,credential=\"password\"})" % ONE
    return [
        (
            4,
            stat(
                "MFA",
                "Whether root has an MFA device of any kind. Off is no alarm by itself: a root user without credentials"
                " has none either.",
                fact(f"min(aws_mfa_root_mfa_enabled{THIS_ACCOUNT})"),
                mappings=mapping(_0=("off", "text"), _1=("on", "green"), **unknown),
                empty=ABSENT,
            ),
        ),
        (
            4,
            stat(
                "Password",
                "Whether root has a console password.",
                fact(credential % (ONE, "password")),
                mappings=present("text"),
                empty=ABSENT,
            ),
        ),
        (
            4,
            stat(
                "Access key",
                "Whether root has an access key, active or not (IAM.4).",
                fact(credential % (ONE, "access_key")),
                mappings=present("red"),
                empty=ABSENT,
            ),
        ),
        (
            4,
            stat(
                "Signing certificate",
                "Whether root has a signing certificate.",
                fact(credential % (ONE, "signing_certificate")),
                mappings=present("red"),
                empty=ABSENT,
            ),
        ),
        (
            4,
            stat(
                "Virtual MFA devices",
                "How many virtual devices root owns: an app on a telephone or a computer, which IAM.6 does not accept."
                " Unknown also while the account has changed since the list was read.",
                fact(f"max(aws_mfa_root_virtual_devices{THIS_ACCOUNT})"),
                steps("green", (1, "orange")),
                mappings=mapping(**unknown),
                decimals=0,
                empty=ABSENT,
            ),
        ),
        (
            4,
            stat(
                "Password last used",
                "How long ago root signed in with its password, as the credential report says; the report is up to four"
                " hours old. No record: it was never used, or not since October 2014, when AWS began to keep records.",
                [now(f"time() - {used} or 0 * {recorded} - 1 or 0 * ({password} == 0) - 2")],
                steps("orange", (604800, "text")),
                unit="s",
                decimals=0,
                mappings=mapping(_m1=("no record", "green"), _m2=("no password", "green")),
                empty="no report read",
            ),
        ),
    ]


def controls():
    """Each control with its times."""
    by = "control"
    each = [f'{CODES[v]} * {STATUS}{{{ONE},status="{v}"}}' for v in VERDICTS]
    meaning = {
        "type": "value",
        "options": {
            control: {"text": f"{control}  {says}", "index": index}
            for index, (control, says) in enumerate(CONTROLS.items())
        },
    }
    ago = {"unit": "s", "decimals": 0, "custom__width": 150, "custom__align": "right"}
    stamp = {"unit": "dateTimeAsIso", "custom__width": 200, "noValue": "none seen"}
    return table(
        "Controls",
        'The verdicts now. "Evidence" is the age of the oldest fact behind the verdict, empty while it is'
        " unknown. The two times are those of the last answers, and do not age: a failure later than the last"
        " protection is a regression.",
        [
            cells(f"max by (control) ({' or '.join(each)})"),
            cells(f"time() - {oldest('aws_mfa_control_as_of_timestamp_seconds', by, THIS_ACCOUNT)}"),
            cells(f"1000 * {latest(PROTECTED, by, THIS_ACCOUNT)}"),
            cells(f"1000 * {latest(FAILED, by, THIS_ACCOUNT)}"),
        ],
        {
            "control": ("Control", {"mappings": [meaning]}),
            "Value #A": ("Verdict", verdict_cell(custom__width=160)),
            "Value #B": ("Evidence", {**ago, "noValue": "-"}),
            "Value #C": ("Last protected", stamp),
            "Value #D": ("Last failed", stamp),
        },
        [("Verdict", True)],
        empty=ABSENT,
    )


def history(control):
    """A band whose colour is the verdict."""
    return graph(
        f"{control}: {CONTROLS[control]}",
        "The verdict over time, as the colour of the band. Gaps: no exporter told of this account.",
        verdict_counts(control, MORE),
        stacked=True,
        stepped=True,
        legend=control == "IAM.9",
        calcs=(),
        # An axis without words keeps the times below from being cut off at the edge; the tooltip has the one verdict.
        hide_zeros=True,
        custom={"fillOpacity": 75, "axisWidth": 30, "axisGridShow": False},
        mappings=mapping(_0=("\u00a0", "text"), _1=("\u00a0", "text")),
        overrides=PAINTED_VERDICTS,
        max=1,
        decimals=0,
        points=1000,
        empty=ABSENT,
    )
