"""Figures that are easy to get wrong, as tests of promtool.

A case says which series there are and what panels then show. Panels are found
by dashboard, title and the position of the query, so that what is tested is
what ships. A series is a pair of its text and promtool's notation of values.
"""

import re

import account
import exporter
import overview

BOARDS = {"overview": overview.board(), "account": account.board(), "exporter": exporter.board()}
VERDICTS = ("failed", "unknown", "passed", "not_applicable")
A, B, C = "111111111111", "222222222222", "333333333333"
FIRST, SECOND = 'instance="one",job="mfa"', 'instance="two",job="mfa"'
RANGE = {
    "$__range:": "60m:",
    "$__range]": "60m]",
    "$scope": ".*",
    "$unit": ".*",
    "$tag": "tag_team",
    "$value": ".*",
    "$control": "IAM.9",
    "$__range_s": "3600",
    "$__rate_interval": "5m",
    "$account": A,
    "$job": "mfa",
    "$instance": ".+",
}


def verdict(source, account_id, control, now):
    """The four series of one verdict as one exporter tells it."""
    labels = f'{source},account_id="{account_id}",control="{control}"'
    return [(f'aws_mfa_control_status{{{labels},status="{each}"}}', f"{int(each == now)}x100") for each in VERDICTS]


def info(source, account_id, name="a", state="scanned", ou="Workloads"):
    """An account as one exporter lists it."""
    labels = f'{source},account_id="{account_id}",account_name="{name}",ou="{ou}",partition="aws",state="{state}"'
    return [(f"aws_mfa_account_info{{{labels}}}", "1x100")]


def users(source, account_id, **counts):
    """Counts of users as one exporter tells them."""
    return [(f'aws_mfa_{name}{{{source},account_id="{account_id}"}}', f"{count}x100") for name, count in counts.items()]


def one(metric, source, value, **labels):
    """One series that does not change."""
    more = "".join(f',{name}="{text}"' for name, text in labels.items())
    return [(f"{metric}{{{source}{more}}}", f"{value}x100")]


def stats(failed, unknown, passed, not_applicable):
    """What the four figures on IAM.9 show."""
    titles = ("Root without MFA", "Unknown", "Root with MFA", "Root without credentials")
    return {
        ("overview", title, 0): {"": count} for title, count in zip(titles, (failed, unknown, passed, not_applicable))
    }


USERS = dict(
    users=0,
    users_without_mfa=0,
    users_without_mfa_exempt=0,
    console_users_without_mfa=0,
    console_users_without_mfa_exempt=0,
    access_key_users_without_mfa=0,
)
PROTECTED, FAILED = (f"aws_mfa_control_last_{word}_timestamp_seconds" for word in ("protected", "failed"))
ON_IAM9 = {"account_id": A, "control": "IAM.9"}
LOST = f'{{account_id="{A}",account_name="a",change="protection lost",control="IAM.9"}}'
BACK = f'{{account_id="{A}",account_name="a",change="protected again",control="IAM.9"}}'
NAMELESS = f'{{account_id="{A}",change="protection lost",control="IAM.9"}}'
WHEN, AGO = ("overview", "What changed in this range", 0), ("overview", "What changed in this range", 1)

def labels(source, account_id, team):
    """Whose an account is, as one exporter tells it."""
    return one("aws_mfa_account_labels", source, 1, account_id=account_id, tag_team=team)


THREE = [
    *(each for account_id in (A, B, C) for each in verdict(FIRST, account_id, "IAM.9", "failed")),
    *info(FIRST, A, ou="Workloads"),
    *labels(FIRST, A, "payments"),
    *info(FIRST, B, ou=""),
    *info(FIRST, C, ou="Sandbox"),
    *labels(FIRST, C, ""),
]

# Each: what it is about, the series, what the panels show after 50 minutes, and what is chosen, if not everything.
CASES = [
    (
        "nothing is scraped: no figure says zero, and the first two say that there is nothing",
        [],
        {
            **{key: {"": -1} if key[1] in ("Root without MFA", "Unknown") else {} for key in stats(0, 0, 0, 0)},
            ("overview", "Not scanned", 0): {},
            ("overview", "Management account", 0): {},
            ("overview", "IAM users now", 1): {},
            ("overview", "Users to act on", 0): {},
            ("account", "MFA", 0): {},
            ("account", "IAM.9 root MFA", 0): {},
            ("exporter", "Shards missing", 0): {},
            ("exporter", "Task panics", 0): {},
        },
    ),
    (
        "members with root credentials are named, the management account is not, and a feature is on where a shard says so",
        [
            *info(FIRST, A),
            *info(FIRST, B),
            *info(FIRST, C),
            *one("aws_mfa_management_account_info", FIRST, 1, account_id=A),
            *one("aws_mfa_root_credential_present", FIRST, 1, account_id=A, credential="password"),
            *one("aws_mfa_root_credential_present", FIRST, 1, account_id=B, credential="password"),
            *one("aws_mfa_root_credential_present", SECOND, 1, account_id=B, credential="password"),
            *one("aws_mfa_root_credential_present", FIRST, 0, account_id=C, credential="password"),
            *one("aws_mfa_organization_root_access", FIRST, 1, feature="credentials_management"),
            *one("aws_mfa_organization_root_access", FIRST, 0, feature="sessions"),
        ],
        {
            ("overview", "Centralized root access", 0): {"": 1},
            ("overview", "Centralized root access", 1): {"": 0},
            ("overview", "Centralized root access", 2): {},
            ("overview", "Member accounts with root credentials", 0): {
                f'{{account_id="{B}",account_name="a",credential="password",ou="Workloads"}}': 1
            },
        },
    ),
    (
        "twins agree, shards divide: each account counts once",
        [
            *verdict(FIRST, A, "IAM.9", "passed"),
            *verdict(SECOND, A, "IAM.9", "passed"),
            *verdict(FIRST, B, "IAM.9", "failed"),
        ],
        stats(1, 0, 1, 0),
    ),
    (
        "the share counts an unknown account against it, and how long it was so is told by account",
        [*verdict(FIRST, A, "IAM.9", "passed"), *verdict(SECOND, A, "IAM.9", "unknown"), *verdict(FIRST, B, "IAM.9", "passed")],
        {
            ("overview", "Share of accounts that meet $control", 0): {"": 0.5},
            ("overview", "Time without $control in this range, by account", 0): {},
            ("overview", "Time without $control in this range, by account", 1): {},
        },
    ),
    (
        "time without protection, once a minute: an exporter of a pair that knows ends what is unknown, not what is failed",
        [
            *info(FIRST, A),
            *verdict(FIRST, A, "IAM.9", "failed"),
            *verdict(SECOND, A, "IAM.9", "passed"),
            *verdict(FIRST, B, "IAM.9", "unknown"),
            *one("aws_mfa_control_exemption_info", FIRST, 1, account_id=A, control="IAM.9", exemption="x"),
        ],
        {
            ("overview", "Time without $control in this range, by account", 0): {f'{{account_id="{A}",account_name="a"}}': 3060},
            ("overview", "Time without $control in this range, by account", 1): {f'{{account_id="{B}"}}': 3060},
            ("overview", "Exempt controls", 0): {f'{{account_id="{A}",control="IAM.9",exemption="x"}}': 1},
        },
    ),
    (
        "twins differ, failed and passed: failed",
        [*verdict(FIRST, A, "IAM.9", "failed"), *verdict(SECOND, A, "IAM.9", "passed")],
        {**stats(1, 0, 0, 0), ("account", "IAM.9 root MFA", 0): {"": 4}},
    ),
    (
        "twins differ, failed and unknown: failed",
        [*verdict(FIRST, A, "IAM.9", "failed"), *verdict(SECOND, A, "IAM.9", "unknown")],
        {**stats(1, 0, 0, 0), ("account", "IAM.9 root MFA", 0): {"": 4}},
    ),
    (
        "twins differ, unknown and passed: unknown",
        [*verdict(FIRST, A, "IAM.9", "unknown"), *verdict(SECOND, A, "IAM.9", "passed")],
        {**stats(0, 1, 0, 0), ("account", "IAM.9 root MFA", 0): {"": 3}},
    ),
    (
        "twins differ, passed and not applicable: counted once",
        [*verdict(FIRST, A, "IAM.9", "passed"), *verdict(SECOND, A, "IAM.9", "not_applicable")],
        {**stats(0, 0, 1, 0), ("account", "IAM.9 root MFA", 0): {"": 2}},
    ),
    (
        "no users: zeros, and no division",
        [*users(FIRST, A, **USERS)],
        {
            ("overview", "IAM users now", 0): {"": 0},
            ("overview", "IAM users now", 1): {"": 0},
            ("overview", "IAM users now", 2): {"": 0},
            ("overview", "Users to act on", 0): {"": 0},
        },
    ),
    (
        "users are counted once, exempt ones apart, unknown ones never as protected",
        [
            *users(
                FIRST,
                A,
                **{**USERS, "users": 10, "users_without_mfa": 4, "users_without_mfa_exempt": 3},
            ),
            *users(
                SECOND,
                A,
                **{**USERS, "users": 10, "users_without_mfa": 4, "users_without_mfa_exempt": 3},
            ),
        ],
        {("overview", "IAM users now", index): {"": count} for index, count in enumerate((10, 6, 1, 3, 0))},
    ),
    (
        "an account that has no counts adds no protected users and no unprotected ones: all of its users are not known",
        [*users(FIRST, A, users=10), *users(FIRST, B, **{**USERS, "users": 3, "users_without_mfa": 1})],
        {("overview", "IAM users now", index): {"": count} for index, count in enumerate((13, 2, 1, 0, 10))},
    ),
    (
        "no account has counts: there are no figures but that",
        [*users(FIRST, A, users=10)],
        {
            ("overview", "IAM users now", 1): {},
            ("overview", "IAM users now", 2): {},
            ("overview", "IAM users now", 4): {"": 10},
            ("account", "Users by MFA", 3): {"": 10},
        },
    ),
    (
        "an account is counted when all three numbers are there, whichever twin tells them",
        [
            *(up for account_id in (A, B) for up in one("aws_mfa_collector_up", FIRST, 1, account_id=account_id, collector="users")),
            *one("aws_mfa_collector_up", SECOND, 1, account_id=A, collector="users"),
            *users(FIRST, A, console_users_without_mfa=1, access_key_users_without_mfa=0),
            *users(SECOND, A, users_without_mfa=1),
            *users(FIRST, B, users_without_mfa=2, console_users_without_mfa=2),
        ],
        {
            ("overview", "Users to act on", 0): {"": 3},
            ("overview", "Users to act on", 1): {"": 0},
            ("overview", "Users to act on", 2): {"": 1},
        },
    ),
    (
        "of how many users of the account which fact is not known",
        [
            *one("aws_mfa_users_unknown", FIRST, 2, account_id=A, fact="device"),
            *one("aws_mfa_users_unknown", SECOND, 1, account_id=A, fact="device"),
            *one("aws_mfa_users_unknown", FIRST, 7, account_id=A, fact="access_key"),
        ],
        {("account", "Users", 3): {'{who="all users"}': 2, '{who="with active access key"}': 7}},
    ),
    ("everything is chosen: every account counts", THREE, stats(3, 0, 0, 0)),
    ("a unit is chosen: and whose unit is not known", THREE, stats(2, 0, 0, 0), {"$unit": "Workloads"}),
    ("a tag is chosen: and whose tags are not known", THREE, stats(2, 0, 0, 0), {"$value": "payments"}),
    ("both are chosen: of whom neither is known is left", THREE, stats(1, 0, 0, 0), {"$unit": "Sandbox", "$value": "payments"}),
    ("an account is chosen", THREE, stats(1, 0, 0, 0), {"$scope": f"({A}|x)"}),
    (
        "a closed account is not scanned, a refused one is unknown",
        [*info(FIRST, A, state="closed"), *info(FIRST, B, state="refused"), *verdict(FIRST, B, "IAM.9", "unknown")],
        {("overview", "Not scanned", 0): {"": 1}, ("overview", "Unknown", 0): {"": 1}},
    ),
    (
        "the management account is excluded: not read",
        [*one("aws_mfa_management_account_info", FIRST, 1, account_id=A)],
        {("overview", "Management account", 0): {"": 0}},
    ),
    (
        "the management account is read by one shard, its twin is down: not read",
        [
            *one("aws_mfa_management_account_info", FIRST, 1, account_id=A),
            *one("aws_mfa_management_account_info", SECOND, 1, account_id=A),
            *one("aws_mfa_collector_up", FIRST, 1, account_id=A, collector="root"),
            *one("aws_mfa_collector_up", SECOND, 0, account_id=A, collector="root"),
        ],
        {("overview", "Management account", 0): {"": 0}},
    ),
    (
        "protection lost within the range, told by twins",
        [
            *info(FIRST, A),
            *info(SECOND, A, ou="Renamed"),
            *one(PROTECTED, FIRST, 2000, **ON_IAM9),
            *one(PROTECTED, SECOND, 1990, **ON_IAM9),
            *one(FAILED, FIRST, 2900, **ON_IAM9),
        ],
        {WHEN: {LOST: 2000000}, AGO: {LOST: 1000}},
    ),
    (
        "protection lost in an account that is no longer listed",
        [*one(PROTECTED, FIRST, 2000, **ON_IAM9), *one(FAILED, FIRST, 2900, **ON_IAM9)],
        {WHEN: {NAMELESS: 2000000}},
    ),
    (
        "protected again",
        [*info(FIRST, A), *one(PROTECTED, FIRST, 2900, **ON_IAM9), *one(FAILED, FIRST, 2000, **ON_IAM9)],
        {WHEN: {BACK: 2000000}},
    ),
    ("failed from the start: nothing changed", [*info(FIRST, A), *one(FAILED, FIRST, 2900, **ON_IAM9)], {WHEN: {}}),
    (
        "a fact that is not there is unknown while the account is watched, and never off",
        [*verdict(FIRST, A, "IAM.9", "unknown")],
        {("account", "MFA", 0): {"": -1}, ("account", "Access key", 0): {"": -1}},
    ),
    (
        "twins differ on a fact: the worse is shown",
        [
            *verdict(FIRST, A, "IAM.9", "passed"),
            *one("aws_mfa_root_mfa_enabled", FIRST, 1, account_id=A),
            *one("aws_mfa_root_mfa_enabled", SECOND, 0, account_id=A),
        ],
        {("account", "MFA", 0): {"": 0}},
    ),
    (
        "all of root's devices are known, and they changed",
        [
            *one("aws_mfa_root_devices", FIRST, 1, account_id=A, kind="virtual"),
            *one("aws_mfa_root_devices", FIRST, 1, account_id=A, kind="not_virtual"),
            *one("aws_mfa_root_devices_changed_timestamp_seconds", FIRST, 1000, account_id=A),
        ],
        {("account", "MFA devices of root", 0): {"": 2}},
    ),
    (
        "root was audited: each kind is known",
        [
            *one("aws_mfa_root_devices", FIRST, 1, account_id=A, kind="virtual"),
            *one("aws_mfa_root_devices", FIRST, 2, account_id=A, kind="fido"),
            *one("aws_mfa_root_devices", FIRST, 0, account_id=A, kind="other"),
        ],
        {
            ("account", "MFA devices of root", 0): {"": 3},
            ("account", "MFA devices of root, by kind", 0): {"": 1},
            ("account", "MFA devices of root, by kind", 2): {"": 2},
        },
    ),
    (
        "it is not known how many security keys of an account are root's",
        [
            *one("aws_mfa_control_status", FIRST, 0, account_id=A, control="IAM.9", status="unknown"),
            *one("aws_mfa_root_devices", FIRST, 1, account_id=A, kind="virtual"),
        ],
        {("account", "MFA devices of root", 0): {"": -1}, ("account", "Root's devices changed", 0): {"": -1}},
    ),
    (
        "AWS has no record that root's password was used",
        [*one("aws_mfa_root_password_used", FIRST, 0, account_id=A)],
        {("account", "Password last used", 0): {"": -1}},
    ),
    (
        "twins differ on root's last sign-in, since their reports differ in age: the later one is shown",
        [
            *one("aws_mfa_root_password_used", FIRST, 1, account_id=A),
            *one("aws_mfa_root_password_last_used_timestamp_seconds", FIRST, 1000, account_id=A),
            *one("aws_mfa_root_password_used", SECOND, 1, account_id=A),
            *one("aws_mfa_root_password_last_used_timestamp_seconds", SECOND, 2000, account_id=A),
        ],
        {("account", "Password last used", 0): {"": 1000}},
    ),
    (
        "root has no password that could have been used",
        [*one("aws_mfa_root_credential_present", FIRST, 0, account_id=A, credential="password")],
        {("account", "Password last used", 0): {"": -2}},
    ),
    (
        "no report was read, and root has a password",
        [*one("aws_mfa_root_credential_present", FIRST, 1, account_id=A, credential="password")],
        {("account", "Password last used", 0): {}},
    ),
    (
        "a collector that has not succeeded yet has no age, not one since 1970",
        [*one("aws_mfa_collector_last_success_timestamp_seconds", FIRST, 0, account_id=A, collector="root")],
        {("account", "Root last read", 0): {}, ("overview", "Age of the last root heartbeat", 0): {}},
    ),
    (
        "a state file that was never written has no age, not one since 1970",
        [
            *one("aws_mfa_exporter_state_last_write_success_timestamp_seconds", FIRST, 0),
            *one("aws_mfa_exporter_state_last_write_success_timestamp_seconds", SECOND, 1000),
        ],
        {("exporter", "Exporters and shards", 8): {"{%s}" % SECOND: 2000}},
    ),
    (
        "a shard is missing, whichever exporters are chosen",
        [
            *one("aws_mfa_exporter_total_shards", FIRST, 3),
            *one("aws_mfa_exporter_shard_info", FIRST, 1, shard="0"),
            *one("aws_mfa_exporter_total_shards", SECOND, 3),
            *one("aws_mfa_exporter_shard_info", SECOND, 1, shard="0"),
        ],
        {("exporter", "Shards missing", 0): {"": 2}},
    ),
    (
        "every exporter is down: nothing is said of panics",
        one("up", FIRST, 0),
        {("exporter", "Exporters down", 0): {"": 1}, ("exporter", "Task panics", 0): {}},
    ),
    (
        "an exporter is down",
        [*one("up", FIRST, 1), *one("up", SECOND, 0)],
        {
            ("exporter", "Exporters up", 0): {"": 1},
            ("exporter", "Exporters down", 0): {"": 1},
            ("exporter", "Task panics", 0): {"": 0},
        },
    ),
]


def expression(chosen, board, title, index):
    """The query of a panel, with the variables of a dashboard filled in."""
    every = (inner for panel in BOARDS[board]["panels"] for inner in (panel, *panel.get("panels", [])))
    found = [panel for panel in every if panel["title"] == title and panel["type"] != "row"]
    if len(found) != 1:
        raise ValueError(f"{len(found)} panels of {board} are called {title}")
    filled = found[0]["targets"][index]["expr"]
    variables = {**RANGE, **chosen}
    for name in sorted(variables, key=len, reverse=True):
        filled = filled.replace(name, variables[name])
    if left := re.search(r"\$\w+", filled):
        raise ValueError(f"{title} uses {left.group()}, which the cases do not fill in")
    return filled


def as_promtool_tests():
    """The cases as a file of promtool's unit tests."""
    tests = []
    for about, series, shown, *chosen in CASES:
        asked = [
            {
                "expr": expression(*(chosen or [{}]), *where),
                "eval_time": "50m",
                "exp_samples": [{"labels": labels or "{}", "value": value} for labels, value in samples.items()],
            }
            for where, samples in shown.items()
        ]
        tests.append(
            {
                "name": about,
                "interval": "1m",
                "input_series": [{"series": s, "values": v} for s, v in series],
                "promql_expr_test": asked,
            }
        )
    return {"rule_files": [], "evaluation_interval": "1m", "tests": tests}
