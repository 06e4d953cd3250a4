"""The kinds of panel: a stat, bars, a graph, a table, a text.

Each has what a reader needs: a title, a description, a unit, and words for
being empty. Only kinds that were drawn and looked at are here.
"""

from kit import COLOURS, SOURCE, VERDICT_TEXT, VERDICTS, steps


def panel(kind, title, description, targets, options, unit="none", overrides=(), points=None, **defaults):
    """A panel of any kind, without its place."""
    body = {"type": kind, "title": title, "description": description, "datasource": SOURCE}
    body["targets"] = [
        {"refId": chr(ord("A") + index), "datasource": SOURCE, "editorMode": "code", **target}
        for index, target in enumerate(targets)
    ]
    if points:
        body["maxDataPoints"] = points
    if any("$__rate_interval" in target["expr"] for target in targets):
        # So that a rate has two samples where Prometheus scrapes each minute and the data source says nothing of it:
        # Grafana takes 15 s for the interval of scrapes then, and four times that for the range.
        body["interval"] = "2m"
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


def stat(
    title,
    description,
    targets,
    thresholds=None,
    fill=False,
    text="auto",
    empty="no data",
    orientation="auto",
    sizes=None,
    **rest
):
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
    return panel(
        "stat",
        title,
        description,
        targets,
        options,
        thresholds=thresholds or steps("text"),
        color=colour,
        noValue=empty,
        **rest
    )


def bars(title, description, targets, thresholds=None, empty="none", **rest):
    """Figures beside each other, each with a bar."""
    # Grafana leaves room for names in its smallest size where bars are low, so larger ones are cut.
    options = {
        "displayMode": "basic",
        "orientation": "horizontal",
        "showUnfilled": True,
        "valueMode": "color",
        "namePlacement": "auto",
        "minVizHeight": 16,
        "text": {"titleSize": 12, "valueSize": 20},
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
    }
    rest.setdefault("color", {"mode": "thresholds"})
    return panel(
        "bargauge",
        title,
        description,
        targets,
        options,
        thresholds=thresholds or steps("blue"),
        min=0,
        noValue=empty,
        **rest
    )


def graph(
    title,
    description,
    targets,
    stacked=False,
    stepped=False,
    legend=True,
    calcs=("lastNotNull",),
    custom=None,
    empty="no data",
    hide_zeros=False,
    beside=False,
    **rest
):
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
        "legend": {
            "showLegend": legend,
            "displayMode": "table" if beside else "list",
            "placement": "right" if beside else "bottom",
            "calcs": list(calcs),
            **({"sortBy": "Last *", "sortDesc": True} if beside else {}),
        },
        "tooltip": {"mode": "multi", "sort": "none", "hideZeros": hide_zeros},
    }
    rest.setdefault("min", 0)
    return panel("timeseries", title, description, targets, options, custom=look, noValue=empty, **rest)


def table(title, description, targets, columns, sort=(), empty="none"):
    """A table: `columns` maps the name of a field to its heading and what is special about it."""
    options = {
        "showHeader": True,
        "cellHeight": "sm",
        "sortBy": [{"displayName": name, "desc": desc} for name, desc in sort],
    }
    body = panel(
        "table",
        title,
        description,
        targets,
        options,
        noValue=empty,
        custom={"align": "auto", "cellOptions": {"type": "auto"}, "filterable": False},
        overrides=[override(heading, **{"noValue": "-", **special}) for heading, special in columns.values()],
    )
    body["transformations"] = [
        {"id": "merge", "options": {}},
        {"id": "filterFieldsByName", "options": {"include": {"names": list(columns)}}},
        {
            "id": "organize",
            "options": {
                "excludeByName": {},
                "indexByName": {name: index for index, name in enumerate(columns)},
                "renameByName": {name: heading for name, (heading, _) in columns.items()},
            },
        },
    ]
    return body


def verdict_cell(**more):
    """A column of verdict codes."""
    return {"mappings": VERDICT_TEXT, "custom__cellOptions": {"type": "color-text"}, "custom__align": "left", **more}


def text(title, description, content):
    """A few lines for people."""
    return {
        "type": "text",
        "title": title,
        "description": description,
        "options": {"mode": "markdown", "content": " ".join(content.split())},
    }
