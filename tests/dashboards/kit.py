"""What the dashboards are made of: panels, queries, colours and a grid.

Everything that must be the same on every dashboard is said here once: the
colour and the wording of a verdict, how the answers of several exporters become
one, what a panel must have. Panels are laid out in lines of 24 columns.
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
}
SHORT = {
    "IAM.9": "IAM.9 root MFA",
    "IAM.6": "IAM.6 hardware MFA",
    "IAM.4": "IAM.4 no root key",
}
TAG = "aws-mfa-exporter"
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
SCHEMA_VERSION = 42


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


# --- panels

def panel(kind, title, description, targets, options, unit="none", overrides=(), points=None, **defaults):
    """A panel of any kind, without its place."""
    body = {"type": kind, "title": title, "description": description, "datasource": SOURCE}
    body["targets"] = [
        {"refId": chr(ord("A") + index), "datasource": SOURCE, "editorMode": "code", **target}
        for index, target in enumerate(targets)
    ]
    if points:
        body["maxDataPoints"] = points
    # Without thresholds of its own a panel would get Grafana's: red from 80.
    fields = {"unit": unit, "thresholds": steps("text"), **defaults}
    body["fieldConfig"] = {"defaults": fields, "overrides": list(overrides)}
    body["options"] = options
    return body


def override(name, **properties):
    """What differs for the field of this name; `__` in a property stands for a dot."""
    listed = [{"id": key.replace("__", "."), "value": value} for key, value in properties.items()]
    return {"matcher": {"id": "byName", "options": name}, "properties": listed}


def paint(name, colour):
    """A fixed colour for one series."""
    return override(name, color={"mode": "fixed", "fixedColor": colour})


PAINTED_VERDICTS = [paint(verdict.replace("_", " "), COLOURS[verdict]) for verdict in VERDICTS]


def stat(title, description, targets, thresholds=None, fill=False, text="auto", empty="no data", orientation="auto",
         sizes=None, **rest):
    """One figure, or a few."""
    options = {
        "colorMode": "background_solid" if fill else "value",
        "graphMode": "none",
        "justifyMode": "center",
        "orientation": orientation,
        "textMode": text,
        "wideLayout": True,
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
    }
    if sizes:
        options["text"] = dict(zip(("titleSize", "valueSize"), sizes))
    colour = {"mode": "thresholds"}
    return panel("stat", title, description, targets, options, thresholds=thresholds or steps("text"), color=colour,
                 noValue=empty, **rest)


def bars(title, description, targets, thresholds=None, empty="none", **rest):
    """Figures beside each other, each with a bar."""
    options = {
        "displayMode": "basic",
        "orientation": "horizontal",
        "showUnfilled": True,
        "valueMode": "color",
        "namePlacement": "auto",
        "minVizHeight": 16,
        "text": {"titleSize": 14, "valueSize": 20},
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
    }
    rest.setdefault("color", {"mode": "thresholds"})
    return panel("bargauge", title, description, targets, options, thresholds=thresholds or steps("blue"), min=0,
                 noValue=empty, **rest)


def graph(title, description, targets, stacked=False, stepped=False, legend=True, calcs=("lastNotNull",), custom=None,
          empty="no data", hide_zeros=False, **rest):
    """Lines or stacked areas over time."""
    look = {
        "drawStyle": "line",
        "lineInterpolation": "stepAfter" if stepped else "linear",
        "lineWidth": 0 if stacked else 1,
        "fillOpacity": 55 if stacked else 8,
        "showPoints": "never",
        "spanNulls": False,
        "stacking": {"mode": "normal" if stacked else "none", "group": "A"},
        **(custom or {}),
    }
    options = {
        "legend": {"showLegend": legend, "displayMode": "list", "placement": "bottom", "calcs": list(calcs)},
        "tooltip": {"mode": "multi", "sort": "none", "hideZeros": hide_zeros},
    }
    rest.setdefault("min", 0)
    return panel("timeseries", title, description, targets, options, custom=look, noValue=empty, **rest)


def table(title, description, targets, columns, sort=(), empty="none"):
    """A table: `columns` maps the name of a field to its heading and what is special about it."""
    options = {"showHeader": True, "cellHeight": "sm", "sortBy": [{"displayName": name, "desc": desc} for name, desc in sort]}
    body = panel("table", title, description, targets, options, noValue=empty,
                 custom={"align": "auto", "cellOptions": {"type": "auto"}, "filterable": False},
                 overrides=[override(heading, **{"noValue": "-", **special}) for heading, special in columns.values()])
    body["transformations"] = [
        {"id": "merge", "options": {}},
        {"id": "filterFieldsByName", "options": {"include": {"names": list(columns)}}},
        {"id": "organize", "options": {
            "excludeByName": {},
            "indexByName": {name: index for index, name in enumerate(columns)},
            "renameByName": {name: heading for name, (heading, _) in columns.items()},
        }},
    ]
    return body


def verdict_cell(**more):
    """A column of verdict codes."""
    return {"mappings": VERDICT_TEXT, "custom__cellOptions": {"type": "color-text"}, "custom__align": "left", **more}


def text(title, description, content):
    """A few lines for people."""
    return {"type": "text", "title": title, "description": description,
            "options": {"mode": "markdown", "content": content}}


# --- the board

class Board:
    """A dashboard in the making: panels stand in lines, below each other."""

    def __init__(self, uid, title, description, variables=(), since="now-24h"):
        self.panels, self.y = [], 0
        self.head = {
            "uid": uid, "title": title, "description": description, "tags": [TAG], "editable": False,
            "graphTooltip": 1, "timezone": "utc", "refresh": "1m", "schemaVersion": SCHEMA_VERSION, "version": 1,
            "time": {"from": since, "to": "now"},
            "links": [{
                "type": "dashboards", "title": "AWS MFA", "tags": [TAG], "asDropdown": False, "includeVars": True,
                "keepTime": True, "targetBlank": False, "icon": "external link", "tooltip": "", "url": "",
            }],
            "annotations": {"list": []},
            "templating": {"list": [datasource_variable(), *variables]},
        }

    def line(self, height, *panels):
        """Puts panels beside each other; each is a pair of width in columns and panel."""
        x = 0
        for width, body in panels:
            self._put(body, {"x": x, "y": self.y, "w": width, "h": height})
            x += width
        if x != 24:
            raise ValueError(f"a line of {self.head['title']} is {x} columns wide, not 24")
        self.y += height

    def row(self, title):
        """A heading over the lines that follow."""
        body = {"type": "row", "title": title, "collapsed": False, "panels": []}
        self._put(body, {"x": 0, "y": self.y, "w": 24, "h": 1})
        self.y += 1

    def _put(self, body, place):
        self.panels.append({"id": len(self.panels) + 1, **body, "gridPos": place})

    def json(self):
        """The dashboard as Grafana reads it."""
        return {**self.head, "panels": self.panels}


def datasource_variable():
    """Which Prometheus to ask."""
    return {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus", "hide": 0,
            "refresh": 1, "regex": "", "includeAll": False, "multi": False, "options": [], "current": {}}


def label_variable(name, label, metric, by, every=False):
    """A choice among the values that a label has within the range."""
    ask = f"label_values({metric}, {by})"
    return {"name": name, "label": label, "type": "query", "datasource": SOURCE, "definition": ask,
            "query": {"query": ask, "refId": "Variable"}, "hide": 0, "refresh": 2, "regex": "", "sort": 1,
            "includeAll": every, "multi": every, "options": [],
            "current": {"text": "All", "value": "$__all"} if every else {}}
