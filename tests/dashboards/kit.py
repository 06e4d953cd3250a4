"""The words and colours of the dashboards, and how a panel asks.

Everything that must be the same on every dashboard is said here once: the
colour and the wording of a verdict above all.
"""

VERDICTS = ("failed", "unknown", "passed", "not_applicable")
COLOURS = {"failed": "red", "unknown": "orange", "passed": "green", "not_applicable": "blue"}
GREY = "#8e8e8e"
CONTROLS = {
    "IAM.9": "Root user has MFA",
    "IAM.6": "Root user has hardware MFA",
    "IAM.4": "Root user has no access key",
    "IAM.5": "Console users have MFA",
    "IAM.19": "All users have MFA",
    "Cognito.5": "User pools require MFA",
}
SHORT = {
    "IAM.9": "IAM.9 root MFA",
    "IAM.6": "IAM.6 hardware MFA",
    "IAM.4": "IAM.4 no root key",
}
SOURCE = {"type": "prometheus", "uid": "${datasource}"}


# --- mappings and thresholds


def mapping(**texts):
    """Value mappings; each keyword is `_` and a value, `m` for minus: its text and colour."""
    options = {
        key.removeprefix("_").replace("m", "-"): {"text": text, "color": colour, "index": index}
        for index, (key, (text, colour)) in enumerate(texts.items())
    }
    return [{"type": "value", "options": options}]


# Worst first, so that a table sorted by the code begins with what needs work.
CODES = {"failed": 4, "unknown": 3, "passed": 2, "not_applicable": 1}
VERDICT_TEXT = mapping(**{f"_{CODES[verdict]}": (verdict.replace("_", " "), COLOURS[verdict]) for verdict in VERDICTS})


def steps(base, *rising):
    """Thresholds: the colour from the bottom, then pairs of a bound and a colour."""
    first = {"color": base, "value": None}
    return {"mode": "absolute", "steps": [first] + [{"value": value, "color": colour} for value, colour in rising]}


# --- queries


def query(expr, legend="", instant=False, table=False):
    """One query of a panel; `panel` gives it its letter."""
    target = {"expr": expr, "legendFormat": legend or "__auto", "range": not instant, "instant": instant}
    if table:
        target["format"] = "table"
    return target


def now(expr, legend=""):
    """The value at the end of the range."""
    return query(expr, legend, instant=True)


def cells(expr):
    """The values at the end of the range, with their labels as columns."""
    return query(expr, instant=True, table=True)
