"""Centralized root access: what is on, and which members could be without root credentials."""

from kit import cells, mapping, now
from panels import override, stat, table
from promql import NAMES, THESE

METRIC = "aws_mfa_organization_root_access"
ON_OR_OFF = mapping(_0=("off", "orange"), _1=("on", "green"))


def features():
    """Which features are on, and how many accounts may manage them beside the management account."""
    feature = lambda name: f'max({METRIC}{{feature="{name}"}})'
    return stat(
        "Centralized root access",
        "Features of centralized root access in the organization, and how many accounts are delegated administrators for"
        " IAM. A feature that is on deletes no root credentials by itself. Empty unless organization.root_access is set.",
        [
            now(feature("credentials_management"), "credentials management"),
            now(feature("sessions"), "root sessions"),
            now(f"max({METRIC}_delegated_administrators)", "delegated administrators"),
        ],
        text="value_and_name",
        empty="not known",
        overrides=[override(name, mappings=ON_OR_OFF) for name in ("credentials management", "root sessions")],
    )


def members(link):
    """Members whose root credentials could be deleted centrally."""
    each = (
        f"max by (account_id, credential) ((aws_mfa_root_credential_present{THESE}) == 1"
        " unless on (account_id) aws_mfa_management_account_info)"
    )
    return table(
        "Member accounts with root credentials",
        "Root users of member accounts that have a password, an access key or a signing certificate. With centralized"
        " root access they can be deleted: a root user without credentials cannot lose its MFA.",
        [cells(f"(0 * ({each}) + on (account_id) group_left (account_name, ou) {NAMES}) or on (account_id, credential) ({each})")],
        {
            "account_name": ("Account", {"links": [link]}),
            "account_id": ("Account id", {"links": [link], "custom__width": 130}),
            "ou": ("Unit", {"custom__width": 190}),
            "credential": ("Credential", {"custom__width": 150}),
        },
        [("Account", False)],
        empty="none is known",
    )
