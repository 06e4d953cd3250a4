"""*Organization overview*: how all accounts stand, worst first."""

from string import ascii_uppercase

from board import Board, control_variable, label_variable, text_variable
from coverage import (
    control_share,
    coverage,
    discovery,
    exempt_controls,
    exemptions,
    faults,
    heartbeat_over_time,
    not_scanned,
    time_without,
    trouble,
    user_coverage,
    user_figures,
    users_to_act_on,
)
from kit import COLOURS, CONTROLS, GREY, VERDICTS, cells, mapping, now, steps
from panels import stat, table, text, verdict_cell
from root_access import features, members
from promql import (
    AND_THESE,
    BY_HEARTBEAT,
    CHOSEN,
    FAILED,
    NAMES,
    PROTECTED,
    STATUS,
    THESE,
    code,
    latest,
    named,
    oldest,
    verdict_count,
)

TO_ACCOUNT = {
    "title": "Open this account",
    "url": (
        '/d/aws-mfa-account?var-account=${__data.fields["account_id"]}&var-datasource=${datasource}&${__url_time_range}'
    ),
}
READING = """\
**failed**: root has credentials and no MFA, act now. **unknown**: could not be read, or not lately; it may be
unprotected and never counts as passed. **passed**: an MFA device was seen. **not applicable**: root has no
credentials. Select an account to see why and since when.
"""
HEADINGS = ("IAM.9 root MFA", "IAM.6 hardware", "IAM.4 no key", "IAM.5 console", "IAM.19 all users", "Cognito.5 pools")
ON_ROOT_MFA = f'{{control="IAM.9",{CHOSEN}}}'


def board():
    """The dashboard."""
    made = Board(
        "aws-mfa-overview",
        "AWS MFA / Organization overview",
        "Whether the root user of every AWS account has MFA, and how far IAM users are.",
        [
            label_variable("unit", "Unit", "aws_mfa_account_info", "ou", every=True, whole=".*"),
            text_variable("tag", "Tag", "tag_team", "A label of aws_mfa_account_labels: tag_ and the key of a tag that organization.labels names."),
            label_variable("value", "Tag value", "aws_mfa_account_labels", "$tag", every=True, whole=".*"),
            label_variable("scope", "Account", 'aws_mfa_account_info{ou=~"$unit|"}', "account_id", every=True, whole=".*"),
            control_variable(),
        ],
    )
    made.line(3, (24, text("How to read the verdicts", "What the four verdicts mean.", READING)))
    made.line(5, *verdict_stats())
    made.line(14, (24, accounts()))
    made.line(8, (12, controls()), (12, changes()))
    made.row("Coverage")
    made.line(8, (12, coverage()), (12, trouble()))
    made.line(8, (12, control_share()), (12, time_without(TO_ACCOUNT)))
    made.line(8, (10, user_coverage()), (7, user_figures()), (7, users_to_act_on()))
    made.row("Freshness, and what is not read")
    made.line(8, (9, heartbeat_over_time()), (7, faults(THESE)), (8, not_scanned()))
    made.line(6, (6, discovery()), (9, exempt_controls(TO_ACCOUNT)), (9, exemptions()))
    made.folded("Centralized root access (where the exporter is told to ask)", 4, features())
    made.folded("Member accounts with root credentials", 8, members(TO_ACCOUNT))
    return made.json()


def verdict_stats():
    """How many accounts have which verdict on IAM.9; every account is in one of the five figures."""
    count = lambda verdict: [now(verdict_count("IAM.9", verdict, AND_THESE))]
    # Nobody may read silence as all clear: without any verdict these two say so, in a colour.
    loud = lambda verdict: [now(f"{verdict_count('IAM.9', verdict, AND_THESE)} or vector(-1)")]
    silent = mapping(_m1=("no data", "orange"))
    listed = f"count by (account_id) (aws_mfa_account_info{THESE})"
    waiting = f"count({listed} unless on (account_id) {STATUS}) or 0 * count({listed})"
    management = "max by (account_id) (aws_mfa_management_account_info)"
    read = f'{management} * on (account_id) {oldest("aws_mfa_collector_up", "account_id", BY_HEARTBEAT)}'
    return [
        (
            5,
            stat(
                "Root without MFA",
                "Accounts whose root user has credentials and no MFA device (IAM.9 failed), confirmed by a second"
                " call.",
                loud("failed"),
                steps("green", (1, "red")),
                fill=True,
                mappings=silent,
            ),
        ),
        (
            4,
            stat(
                "Unknown",
                "Accounts of which it cannot be said whether root has MFA (IAM.9 unknown): denied, throttled, stale,"
                " not read yet. The table says why.",
                loud("unknown"),
                steps("green", (1, "orange")),
                fill=True,
                mappings=silent,
            ),
        ),
        (
            4,
            stat(
                "Root with MFA",
                "Accounts whose root user has an MFA device (IAM.9 passed).",
                count("passed"),
                steps("text", (1, "green")),
            ),
        ),
        (
            4,
            stat(
                "Root without credentials",
                "Accounts whose root user has no password, key or certificate, or that are in GovCloud (IAM.9 not"
                " applicable). Security Hub CSPM reports PASSED for these.",
                count("not_applicable"),
                steps("text", (1, "blue")),
            ),
        ),
        (
            3,
            stat(
                "Not scanned",
                "Accounts that are known and not read: suspended, closed, pending or excluded. They have no verdict;"
                " they are listed below.",
                [now(waiting)],
                steps("text"),
            ),
        ),
        (
            4,
            stat(
                "Management account",
                "Whether the root heartbeat of the organization's management account is up. No StackSet gives that"
                " account a role, so it is the one that is forgotten.",
                [now(f"min(({read}) or 0 * {management})")],
                fill=True,
                empty="no organization is known",
                mappings=mapping(_0=("not read", "red"), _1=("read", "green")),
            ),
        ),
    ]


def accounts():
    """All accounts that have verdicts, those without MFA for root first."""
    fault = (
        f'max by (account_id, fault) (2 * aws_mfa_collector_fault{{collector="root"{AND_THESE}}} or'
        f' aws_mfa_collector_fault{{collector!="root"{AND_THESE}}})'
    )
    targets = [
        cells(f"{NAMES} and on (account_id) {STATUS}{THESE}"),
        *(cells(code(control, AND_THESE)) for control in CONTROLS),
        cells(f'time() - {oldest("aws_mfa_control_as_of_timestamp_seconds", "account_id", ON_ROOT_MFA)}'),
        cells(f"topk by (account_id) (1, {fault})"),
    ]
    # The first target gives names, and the last the fault.
    _, *verdicts, age, _ = ascii_uppercase[: len(targets)]
    link = {"links": [TO_ACCOUNT]}
    columns = {
        "account_name": ("Account", {"custom__filterable": True, "custom__minWidth": 170, **link}),
        "account_id": ("Account id", {"custom__filterable": True, "custom__width": 130, **link}),
        "ou": ("Unit", {"custom__filterable": True, "custom__width": 150}),
        **{
            f"Value #{letter}": (heading, verdict_cell(custom__width=132, custom__filterable=True))
            for letter, heading in zip(verdicts, HEADINGS, strict=True)
        },
        f"Value #{age}": (
            "Root read",
            {
                "unit": "s",
                "decimals": 0,
                "custom__width": 85,
                "custom__align": "right",
                "noValue": "-",
                "custom__cellOptions": {"type": "color-text"},
                "thresholds": steps("text", (900, "orange")),
            },
        ),
        "fault": ("Fault", {"custom__filterable": True, "custom__width": 140}),
    }
    sort = [(heading, True) for heading in HEADINGS] + [("Account", False)]
    return table(
        "Accounts, root without MFA first",
        'One row for each account with verdicts; select one to open it. "Root read" is the age of the evidence behind'
        ' IAM.9, empty while that is unknown; "Fault" is what a collector of the account met last.',
        targets,
        columns,
        sort,
        empty="no exporter reports any account",
    )


def controls():
    """Every control with its four counts."""
    targets = []
    for verdict in VERDICTS:
        each = [
            f'label_replace({verdict_count(control, verdict, AND_THESE)}, "control", "{control}", "", "")' for control in CONTROLS
        ]
        targets.append(cells(" or ".join(each)))
    tint = lambda verdict: {
        "custom__width": 120 if verdict == "not_applicable" else 95,
        "custom__align": "right",
        "custom__cellOptions": {"type": "color-text"},
        "thresholds": steps(GREY, (1, COLOURS[verdict])),
    }
    meaning = {
        "type": "value",
        "options": {
            control: {"text": f"{control}  {says}", "index": index}
            for index, (control, says) in enumerate(CONTROLS.items())
        },
    }
    columns = {
        "control": ("Control", {"mappings": [meaning]}),
        **{f"Value #{letter}": (verdict.replace("_", " "), tint(verdict)) for letter, verdict in zip("ABCD", VERDICTS)},
    }
    return table(
        "Accounts by control",
        "In how many accounts each Security Hub CSPM control has which verdict.",
        targets,
        columns,
        empty="no data",
    )


def changes():
    """Which verdicts turned within the range, and when."""
    protected, failed = (latest(metric, "account_id, control", THESE) for metric in (PROTECTED, FAILED))
    recent = "> time() - $__range_s"
    lost = f'label_replace(({protected} < {failed}) {recent}, "change", "protection lost", "", "")'
    regained = f'label_replace(({failed} < {protected}) {recent}, "change", "protected again", "", "")'
    turned = named(f"{lost} or {regained}", "account_id, control, change")
    change = {
        "type": "value",
        "options": {
            "protection lost": {"text": "protection lost", "color": "red", "index": 0},
            "protected again": {"text": "protected again", "color": "green", "index": 1},
        },
    }
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
        "Verdicts that turned from passed or not applicable to failed, or back, within the time range. The time is that"
        " of the last answer before the change; an account that failed from the start has not changed.",
        [cells(f"1000 * ({turned})"), cells(f"time() - ({turned})")],
        columns,
        [("When", True)],
        empty="no change is known",
    )
