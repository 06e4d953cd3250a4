"""A dashboard: panels in lines of 24 columns, below each other."""

from kit import CONTROLS, SOURCE

TAG = "aws-mfa-exporter"
SCHEMA_VERSION = 42


class Board:
    """A dashboard in the making: panels stand in lines, below each other."""

    def __init__(self, uid, title, description, variables=(), since="now-24h"):
        self.panels, self.count, self.y = [], 0, 0
        self.head = {
            "uid": uid,
            "title": title,
            "description": description,
            "tags": [TAG],
            "editable": False,
            "graphTooltip": 1,
            "timezone": "utc",
            "refresh": "1m",
            "schemaVersion": SCHEMA_VERSION,
            "version": 1,
            "time": {"from": since, "to": "now"},
            "links": [
                {
                    "type": "dashboards",
                    "title": "AWS MFA",
                    "tags": [TAG],
                    "asDropdown": False,
                    "includeVars": True,
                    "keepTime": True,
                    "targetBlank": False,
                    "icon": "external link",
                    "tooltip": "",
                    "url": "",
                }
            ],
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

    def folded(self, title, height, body):
        """A heading with one panel under it, closed until somebody opens it."""
        inside = []
        self._put(
            {"type": "row", "title": title, "collapsed": True, "panels": inside}, {"x": 0, "y": self.y, "w": 24, "h": 1}
        )
        self.y += 1
        inside.append(self._numbered(body, {"x": 0, "y": self.y, "w": 24, "h": height}))
        # Grafana closes the gap while the row is closed.
        self.y += height

    def _put(self, body, place):
        self.panels.append(self._numbered(body, place))

    def _numbered(self, body, place):
        self.count += 1
        return {"id": self.count, **body, "gridPos": place}

    def json(self):
        """The dashboard as Grafana reads it."""
        return {**self.head, "panels": self.panels}


def datasource_variable():
    """Which Prometheus to ask."""
    return {
        "name": "datasource",
        "label": "Data source",
        "type": "datasource",
        "query": "prometheus",
        "hide": 0,
        "refresh": 1,
        "regex": "",
        "includeAll": False,
        "multi": False,
        "options": [],
        "current": {},
    }


def control_variable():
    """One of the controls."""
    return {
        "name": "control",
        "label": "Control over time",
        "type": "custom",
        "query": ", ".join(CONTROLS),
        "hide": 0,
        "includeAll": False,
        "multi": False,
        "options": [{"text": name, "value": name, "selected": name == "IAM.9"} for name in CONTROLS],
        "current": {"text": "IAM.9", "value": "IAM.9"},
    }


def text_variable(name, label, text, description):
    """A word that somebody types."""
    return {
        "name": name,
        "label": label,
        "description": description,
        "type": "textbox",
        "query": text,
        "hide": 0,
        "options": [{"text": text, "value": text, "selected": True}],
        "current": {"text": text, "value": text},
    }


def label_variable(name, label, metric, by, every=False, whole=None):
    """A choice among the values that a label has within the range."""
    ask = f"label_values({metric}, {by})"
    return {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": SOURCE,
        "definition": ask,
        "query": {"query": ask, "refId": "Variable"},
        "hide": 0,
        "refresh": 2,
        "regex": "",
        "sort": 1,
        "includeAll": every,
        **({"allValue": whole} if whole else {}),
        "multi": every,
        "options": [],
        "current": {"text": "All", "value": "$__all"} if every else {},
    }
