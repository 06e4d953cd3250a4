"""Whether the commands of the runbooks can be pasted: called by the tests, fails with what is wrong.

The AWS command line is made from the same descriptions of the services as botocore is. So each command is held against
those: that there is such an operation, that it has these options, and that none is missing which it needs. What it needs
to be allowed is held against the role for people on call.
"""

import pathlib
import re
import shlex
import subprocess
import sys

import botocore.session
from botocore import xform_name

ROOT = pathlib.Path(__file__).parent.parent
GLOBAL = {"query", "output", "region", "profile"}
# What everybody may do, and what assumes the role in the first place.
FREE = {"sts:AssumeRole", "sts:GetCallerIdentity"}
SESSION = botocore.session.get_session()
faults = []


def blocks(text):
    """The indented blocks of each section, by its heading."""
    heading, lines = "", []
    for line in [*text.splitlines(), "end"]:
        if line.startswith("    ") and not line.lstrip().startswith(("-", "*")):
            lines.append(line[4:])
            continue
        if lines and line.strip():
            yield heading, "\n".join(lines)
            lines = []
        if line.startswith("## "):
            heading = line[3:]


def commands(block):
    """The commands of the AWS command line in a block, as lists of words."""
    for match in re.finditer(r"\baws (?=[a-z0-9-]+ [a-z])", block):
        rest, depth, quote = block[match.end() :], 0, ""
        for at, letter in enumerate(rest):
            if quote:
                quote = "" if letter == quote else quote
            elif letter in "'\"" and depth == 0:
                quote = letter
            elif letter in "\n|;" or (letter == ")" and depth == 0):
                rest = rest[:at]
                break
        yield shlex.split(rest)


def check(heading, words):
    """One command against its operation, and the action that it needs."""
    service, operation, *options = words
    model = SESSION.get_service_model(service)
    names = {xform_name(name, "-"): name for name in model.operation_names}
    if operation not in names:
        faults.append(f"{heading}: aws {service} has no {operation}")
        return None
    shape = model.operation_model(names[operation]).input_shape
    members = {xform_name(name, "-"): name for name in (shape.members if shape else {})}
    given = {word[2:].split("=")[0] for word in options if word.startswith("--")}
    # Pages are the command line's own.
    faults.extend(f"{heading}: {operation} has no --{name}" for name in given - GLOBAL - set(members))
    needed = {xform_name(name, "-") for name in (shape.required_members if shape else [])}
    faults.extend(f"{heading}: {operation} needs --{name}" for name in needed - given)
    prefix = model.signing_name
    return f"{prefix}:{names[operation]}"


def main():
    """All blocks of the page."""
    used = set()
    for heading, block in blocks((ROOT / "deploy/runbooks.md").read_text()):
        if re.match(r"(sum|count|account_job)", block):
            continue  # an expression of Prometheus
        shell = subprocess.run(["bash", "-n"], input=block, text=True, capture_output=True, check=False)
        if shell.returncode:
            faults.append(f"{heading}: {shell.stderr}")
        used.update(filter(None, (check(heading, words) for words in commands(block))))
    granted = set(re.findall(r"- ((?:account|cloudtrail|cognito-idp|events|iam|organizations):\w+)", (ROOT / "deploy/iam/oncall-role.yaml").read_text()))
    faults.extend(f"the role does not allow {action}" for action in sorted(used - granted - FREE))
    faults.extend(f"no runbook needs {action}" for action in sorted(granted - used))
    print(f"{len(used)} operations")
    sys.exit("\n".join(faults) if faults else 0)


main()
