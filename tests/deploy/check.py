"""Checks what is in deploy/ for Kubernetes and AWS, with the tools that tests/deploy/run has installed."""

import sys

import checks_of_aws
import checks_of_chart
import checks_of_objects
import checks_of_rules

CHECKS = [
    check
    for module in (checks_of_chart, checks_of_objects, checks_of_rules, checks_of_aws)
    for check in module.CHECKS
]


def main():
    """Runs all of them, and tells every mistake."""
    wanted = sys.argv[1:]
    mistakes = []
    for check in CHECKS:
        if not wanted or check.__name__ in wanted:
            found = [told for told in check() if told]
            print(f"{'FAILED' if found else 'ok':7}{check.__name__.replace('_', ' ')}", flush=True)
            mistakes += found
    if mistakes:
        raise SystemExit("\n".join(mistakes))


if __name__ == "__main__":
    main()
