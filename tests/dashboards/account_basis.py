"""Panels of the account dashboard below its controls: its users, and what verdicts and figures rest on."""

from coverage import PAINTED_USERS
from kit import cells, mapping, now, query, steps
from panels import bars, graph, override, stat, table
from promql import ONE, THIS_ACCOUNT, oldest, users_by_protection

ABSENT = "not scanned"


def users():
    """Users by kind: how many, how many without MFA, how many of these exempt."""
    kinds = {
        "all users": "users",
        "with console password": "console_users",
        "with active access key": "access_key_users",
    }
    facts = {"all users": "device", "with console password": "console_password", "with active access key": "access_key"}
    row = lambda kind, metric, of=THIS_ACCOUNT: f'label_replace(max(aws_mfa_{metric}{of}), "who", "{kind}", "", "")'
    unknown = [row(kind, "users_unknown", f'{{{ONE},fact="{fact}"}}') for kind, fact in facts.items()]
    every = [row(kind, metric) for kind, metric in kinds.items() if metric != "access_key_users"]
    column = lambda colour: {
        "custom__width": 95,
        "custom__align": "right",
        "decimals": 0,
        "noValue": "-",
        "custom__cellOptions": {"type": "color-text"},
        "thresholds": steps("text", (1, colour)),
    }
    return table(
        "Users",
        "IAM users, those among them that have no MFA device, and those of them that are exempt. A user with an active"
        " access key and no device has single-factor access to the API. A number is absent while it is not known of every"
        " user. Not known: of how many users it is not known whether they have a device, a password, or a key.",
        [
            cells(" or ".join(every)),
            cells(" or ".join(row(k, f"{m}_without_mfa") for k, m in kinds.items())),
            cells(" or ".join(row(k, f"{m}_without_mfa_exempt") for k, m in kinds.items())),
            cells(" or ".join(unknown)),
        ],
        {
            "who": ("IAM users", {}),
            "Value #A": ("Users", column("text")),
            "Value #B": ("No MFA", column("red")),
            "Value #C": ("Exempt", column("blue")),
            "Value #D": ("Not known", column("orange")),
        },
        [("IAM users", False)],
        empty="users are not read or not known",
    )


def user_history():
    """Users by protection over time."""
    return graph(
        "Users by MFA",
        "Each user once. Gaps: the users of the account could not be read.",
        users_by_protection(THIS_ACCOUNT),
        stacked=True,
        stepped=True,
        overrides=PAINTED_USERS,
        decimals=0,
        points=400,
        empty="users are not read or not known",
    )


def devices():
    """Devices of users by kind."""
    order = {
        "virtual": "virtual",
        "fido": "FIDO key, passkey",
        "hardware_totp": "hardware token",
        "sms": "SMS",
        "other": "other",
    }
    one = 'max(aws_mfa_user_devices{%s,kind="%s"})'
    return bars(
        "MFA devices of users",
        "Devices that were seen, by kind; a user with a virtual device is not asked for others.",
        [now(one % (ONE, kind), says) for kind, says in order.items()],
        decimals=0,
        empty="users are not read or not known",
    )


def enforcement():
    """Users by what policies enforce, and the two counts where that meets devices and keys."""
    order = {
        "full": "console and keys",
        "console_only": "console alone",
        "keys_only": "keys alone",
        "none": "neither",
        "unknown": "not known",
    }
    one = 'max(aws_mfa_users_enforced{%s,enforcement="%s"})'
    return bars(
        "Users denied everything without MFA",
        "IAM users by what their policies deny without MFA. Service control policies are not read. A number is absent"
        " unless it is known for every user. Unenforced key: its key works without MFA, whatever device the user has."
        " No device yet: enforced, and whoever has the password or key can register a device of their own.",
        [
            *(now(one % (ONE, kind), says) for kind, says in order.items()),
            now(f"max(aws_mfa_access_key_users_unenforced{{{ONE}}})", "unenforced key"),
            now(f"max(aws_mfa_enforced_users_without_mfa{{{ONE}}})", "no device yet"),
        ],
        decimals=0,
        empty="policies are not read or not known",
    )


def root_kinds():
    """Devices of root by kind."""
    order = {
        "virtual": "virtual",
        "not_virtual": "others, kind not known",
        "fido": "FIDO key, passkey",
        "hardware_totp": "hardware token",
        "other": "other",
    }
    one = 'max(aws_mfa_root_devices{%s,kind="%s"})'
    return bars(
        "MFA devices of root, by kind",
        "Kinds other than virtual are known only where root is audited from outside (--collector.rootaudit).",
        [now(one % (ONE, kind), says) for kind, says in order.items()],
        decimals=0,
        empty="not known",
    )


def pools():
    """User pools of Cognito by MFA, and the Regions that were not read."""
    of_passwords = 'max(aws_mfa_cognito_user_pools{%s,sign_in="password",mfa="%s"})'
    others = f'sum(max by (sign_in, mfa) (aws_mfa_cognito_user_pools{{{ONE},sign_in!="password"}}))'
    regions = f'max(aws_mfa_cognito_regions{{{ONE},state="not_read"}})'
    return bars(
        "User pools",
        "User pools whose users sign in with a password alone, by MFA; OPTIONAL and OFF fail Cognito.5. A number is absent"
        " unless every pool of every Region is known.",
        [
            *(now(of_passwords % (ONE, mfa), f"MFA {mfa}") for mfa in ("ON", "OPTIONAL", "OFF")),
            now(others, "other sign-in"),
            now(regions, "Regions not read"),
        ],
        decimals=0,
        empty="user pools are not read or not known",
    )


def contacts():
    """The security contact, the telephone, and the mailbox of root."""
    yes_or_no = mapping(_0=("no", "orange"), _1=("yes", "green"))
    return stat(
        "How AWS reaches the account",
        "Whether there is a security contact, whether AWS has verified the contact telephone, and how long ago root's e-mail"
        " address was seen to change. Whoever has that mailbox can reset root's password. Only with --collector.contacts.",
        [
            now(f"max(aws_mfa_security_contact_present{THIS_ACCOUNT})", "security contact"),
            now(f"max(aws_mfa_contact_phone_verified{THIS_ACCOUNT})", "telephone verified"),
            now(f"time() - max(aws_mfa_root_email_changed_timestamp_seconds{THIS_ACCOUNT})", "root's address changed"),
        ],
        text="value_and_name",
        empty="contacts are not read or not known",
        overrides=[
            override("security contact", mappings=yes_or_no),
            override("telephone verified", mappings=yes_or_no),
            override("root's address changed", unit="s", decimals=0, thresholds=steps("red", (86400, "orange"), (604800, "text"))),
        ],
    )


def signs():
    """What events have reported of root, where that is exported."""
    at = f"max by (sign) (aws_mfa_events_root_reported_timestamp_seconds{THIS_ACCOUNT})"
    return table(
        "Reported of root by events",
        "When an event last reported this of the account's root. Reported and not verified: whoever can send to the queue"
        " can forge it. Only with --events.root-signs.",
        [cells(f"time() - ({at})")],
        {
            "sign": ("Sign", {}),
            "Value": ("Ago", {"unit": "s", "decimals": 0, "custom__width": 160, "custom__align": "right"}),
        },
        [("Ago", False)],
        empty="nothing is reported",
    )


def names():
    """Who has no MFA, where names are exported."""
    access = {"true": ("yes", "orange"), "false": ("no", "text"), "unknown": ("not known", "orange")}
    texts = {
        value: {"text": says, "color": colour, "index": i} for i, (value, (says, colour)) in enumerate(access.items())
    }
    return table(
        "Users without MFA, by name",
        "Users known to have no MFA device, and whether they have a console password. Only with"
        " --collector.users.names=failing, and no more than it allows.",
        [cells(f"max by (user, console_access) (aws_mfa_user_without_mfa{THIS_ACCOUNT})")],
        {
            "user": ("User", {"custom__filterable": True}),
            "console_access": (
                "Console password",
                {
                    "custom__width": 200,
                    "mappings": [{"type": "value", "options": texts}],
                    "custom__cellOptions": {"type": "color-text"},
                },
            ),
        },
        [("User", False)],
        empty="no name is exported",
    )


def collectors():
    """How each collector does."""
    fault = f"max by (collector, fault) (aws_mfa_collector_fault{THIS_ACCOUNT})"
    seen = lambda metric: cells(
        f"time() - (min by (collector) (aws_mfa_collector_{metric}_timestamp_seconds{THIS_ACCOUNT}) > 0)"
    )
    ago = {"unit": "s", "decimals": 0, "custom__width": 105, "custom__align": "right", "noValue": "none yet"}
    up = {
        "custom__width": 75,
        "mappings": mapping(_0=("down", "red"), _1=("up", "green")),
        "custom__cellOptions": {"type": "color-text"},
        "custom__align": "left",
    }
    return table(
        "Collectors",
        "What reads this account, whether the last run was recent and without a fault, and what the fault was. Where"
        " several exporters watch the account, the worst is shown.",
        [
            cells(f"min by (collector) (aws_mfa_collector_up{THIS_ACCOUNT})"),
            cells(fault),
            seen("last_success"),
            seen("last_attempt"),
            cells(f"max by (collector) (aws_mfa_collector_duration_seconds{THIS_ACCOUNT})"),
            cells(
                "max by (collector) (aws_mfa_collector_interval_seconds and on (collector)"
                f" aws_mfa_collector_up{THIS_ACCOUNT})"
            ),
        ],
        {
            "collector": ("Collector", {}),
            "Value #A": ("State", up),
            "fault": ("Fault", {"custom__width": 150}),
            "Value #C": ("Succeeded", ago),
            "Value #D": ("Tried", ago),
            "Value #E": ("Took", {"unit": "s", "custom__width": 85, "custom__align": "right", "noValue": "-"}),
            "Value #F": ("Every", {"unit": "s", "custom__width": 85, "custom__align": "right"}),
        },
        [("State", False), ("Collector", False)],
        empty=ABSENT,
    )


def sources():
    """How old the lists and reports are."""
    read = oldest("aws_mfa_source_timestamp_seconds", "source", THIS_ACCOUNT)
    return table(
        "Sources",
        "What is read beside the heartbeat: the list of virtual devices, audits of root from outside, and the credential"
        " report with AWS's own time of it. A source that may not be used has no row.",
        [cells(f"1000 * {read}"), cells(f"time() - {read}")],
        {
            "source": ("Source", {}),
            "Value #A": ("As of", {"unit": "dateTimeAsIso", "custom__width": 170}),
            "Value #B": ("Age", {"unit": "s", "decimals": 0, "custom__width": 90, "custom__align": "right"}),
        },
        [("Source", False)],
        empty="none that may be used",
    )


def evidence_age():
    """How old the evidence of each control was."""
    return graph(
        "Age of the evidence, by control",
        "How old the oldest fact behind each verdict was. Gaps: the verdict was unknown.",
        [
            query(
                f"time() - {oldest('aws_mfa_control_as_of_timestamp_seconds', 'control', THIS_ACCOUNT)}", "{{control}}"
            )
        ],
        unit="s",
        points=400,
        empty="no verdict is known",
    )


def durations():
    """How long runs took."""
    return graph(
        "Duration of runs, by collector",
        "How long the last run of each collector took, confirmation and retries included.",
        [query(f"max by (collector) (aws_mfa_collector_duration_seconds{THIS_ACCOUNT})", "{{collector}}")],
        unit="s",
        points=400,
        empty="no run has ended",
    )
