"""Expressions that more than one panel asks, each right with several exporters.

Accounts may be divided among shards and each shard may have a twin, so every
expression takes `instance` and `pod` away before it counts. Where twins differ
the worse answer is shown: failed, then unknown, then passed.
"""

from kit import CODES, VERDICTS, query

OWN = "aws_mfa_exporter"
STATUS = "aws_mfa_control_status"
PROTECTED = "aws_mfa_control_last_protected_timestamp_seconds"
FAILED = "aws_mfa_control_last_failed_timestamp_seconds"
SUCCESS = "aws_mfa_collector_last_success_timestamp_seconds"
# Which series: of one account, of the root heartbeat, of the exporters chosen.
ONE = 'account_id="$account"'
THIS_ACCOUNT = f"{{{ONE}}}"
BY_HEARTBEAT = '{collector="root"}'
JOB = '{job=~"$job"}'
SCOPE = '{job=~"$job",instance=~"$instance"}'
# The accounts that are chosen on the overview: by id, and not known to be in another unit or to have another tag than the
# chosen ones. A list of all their ids would be longer than what Prometheus reads.
CHOSEN = (
    'account_id=~"$scope"} unless on (account_id) aws_mfa_account_info{ou!~"$unit|"}'
    ' unless on (account_id) aws_mfa_account_labels{$tag!~"$value"'
)
THESE = f"{{{CHOSEN}}}"
AND_THESE = f",{CHOSEN}"
THESE_HEARTBEATS = f'{{collector="root"{AND_THESE}}}'
# An account is renamed or moved between units now and then: of the rows that stand at once, one.
NAMES = "topk by (account_id) (1, max by (account_id, account_name, ou) (aws_mfa_account_info))"


def status(control, verdict, more=""):
    """The 0/1 series of one verdict."""
    return f'{STATUS}{{control="{control}",status="{verdict}"{more}}}'


def code(control, more=""):
    """The verdict of each account as a number: 4 failed, 3 unknown, 2 passed, 1 not applicable."""
    weighted = [f"{CODES[verdict]} * {status(control, verdict, more)}" for verdict in VERDICTS]
    return f"max by (account_id) ({' or '.join(weighted)})"


def verdict_count(control, verdict, more=""):
    """In how many accounts the verdict is this one: each account counts once, also where twins differ."""
    per = "max by (account_id)"
    failed = f"{per} ({status(control, 'failed', more)})"
    worse = f'{per} ({STATUS}{{control="{control}",status=~"failed|unknown"{more}}})'
    return {
        "failed": f"sum({failed})",
        "unknown": f"sum({per} ({status(control, 'unknown', more)}) > bool {failed})",
        "passed": f"sum({per} ({status(control, 'passed', more)}) > bool {worse})",
        "not_applicable": f"sum(min by (account_id) ({status(control, 'not_applicable', more)}))",
    }[verdict]


def verdict_counts(control, more="", order=VERDICTS):
    """One series for each verdict."""
    return [query(verdict_count(control, verdict, more), verdict.replace("_", " ")) for verdict in order]


def latest(metric, by, more=""):
    """The newest of what the exporters say."""
    return f"max by ({by}) ({metric}{more})"


def oldest(metric, by, more=""):
    """The oldest of what the exporters say."""
    return f"min by ({by}) ({metric}{more})"


def named(expr, by):
    """Adds the account's name; an account without a row of its own keeps its place."""
    return f"(({expr}) * on (account_id) group_left (account_name) {NAMES}) or on ({by}) ({expr})"


def per_account(kind, by="account_id", more=""):
    """A count of users, one for each account."""
    return f"max by ({by}) (aws_mfa_{kind}{more})"


def beyond_exempt(kind, more=""):
    """Users of this kind that are neither protected nor exempt."""
    all_of, exempt = per_account(kind, more=more), per_account(f"{kind}_exempt", more=more)
    return f"sum(clamp_min({all_of} - ({exempt} or 0 * {all_of}), 0))"


def exempt(kind, more=""):
    """Users of this kind that are not protected and need not be."""
    all_of = per_account(kind, more=more)
    return f"sum({per_account(f'{kind}_exempt', more=more)} or 0 * {all_of})"


def users_with_mfa(more=""):
    """Users with a device, in the accounts in which that is known of every user."""
    every, without = (per_account(kind, more=more) for kind in ("users", "users_without_mfa"))
    return f"sum(clamp_min({every} - {without}, 0))"


def users_not_counted(more=""):
    """All users of the accounts in which it is not known of every user whether there is a device."""
    every, without = (per_account(kind, more=more) for kind in ("users", "users_without_mfa"))
    return f"sum({every} unless on (account_id) {without} or 0 * {every})"


def accounts_not_counted(more=""):
    """Accounts whose users are read, and of which a count that an alert asks about is absent."""
    kinds = ("users_without_mfa", "console_users_without_mfa", "access_key_users_without_mfa")
    known = " and on (account_id) ".join(per_account(kind, more=f"{{{more}}}") for kind in kinds)
    read = f'count(group by (account_id) (aws_mfa_collector_up{{collector="users",{more}}}))'
    return f"{read} - (count({known}) or vector(0))"


def users_by_protection(more="", order=("with MFA", "without MFA", "without MFA, exempt", "not known")):
    """All users, each once."""
    asked = {
        "with MFA": users_with_mfa(more),
        "without MFA": beyond_exempt("users_without_mfa", more),
        "without MFA, exempt": exempt("users_without_mfa", more),
        "not known": users_not_counted(more),
    }
    return [query(asked[name], name) for name in order]
