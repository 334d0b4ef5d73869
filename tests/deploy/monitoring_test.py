# SPDX-License-Identifier: Apache-2.0
"""The alert rules and dashboards of deploy/ against the metrics that the programs have (docs/metrics.md), and the rules by promtool's own tests."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import unittest

SOURCE = pathlib.Path(os.environ["HANAS_SOURCE_DIR"])
RULES = SOURCE / "deploy" / "prometheus" / "alerts.yml"
RULE_TESTS = SOURCE / "deploy" / "prometheus" / "alerts_test.yml"
DASHBOARDS = sorted((SOURCE / "deploy" / "grafana" / "dashboards").glob("*.json"))

ROW = re.compile(r"^\| `(?P<name>[a-z_]+)` \| (?P<type>counter|gauge|histogram) \| (?P<labels>.*?) \| ", re.MULTILINE)
METRIC = re.compile(r"\b(?:hanas|process)_[a-z0-9_]+\b")
SELECTOR = re.compile(r"\b(?P<name>(?:hanas|process)_[a-z0-9_]+)\{(?P<matchers>[^}]*)\}")
# Prometheus itself adds these to every series.
TARGET_LABELS = {"job", "instance", "le"}


def documented() -> dict[str, set[str]]:
    """Every series that a process of ours can answer, with its labels."""
    series = {}
    for row in ROW.finditer((SOURCE / "docs" / "metrics.md").read_text(encoding="utf-8")):
        labels = set(re.findall(r"`([a-z_]+)`:", row["labels"]))
        names = [row["name"]] if row["type"] != "histogram" else [row["name"] + suffix for suffix in ("_bucket", "_sum", "_count")]
        series.update({name: labels for name in names})
    return series


def rule_expressions() -> dict[str, str]:
    """The text of each alert, by name. Expressions stand between `expr:` and the next key of the rule."""
    alerts = re.split(r"^      - alert: ", RULES.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    found = {}
    for text in alerts:
        expression = re.search(r"^        expr: (.*?)(?=^        [a-z]+:)", text, flags=re.MULTILINE | re.DOTALL)
        found[text.split("\n", 1)[0].strip()] = expression[1]
    return found


def panels(dashboard: dict) -> list[dict]:
    return [inner for panel in dashboard["panels"] for inner in [panel, *panel.get("panels", [])]]


def dashboard_expressions(path: pathlib.Path) -> dict[str, str]:
    dashboard = json.loads(path.read_text(encoding="utf-8"))
    return {
        f"{path.name}: {panel['title']} {target['refId']}": target["expr"] for panel in panels(dashboard) for target in panel.get("targets", [])
    }


class MonitoringTest(unittest.TestCase):
    def test_the_metrics_are_documented_in_the_form_read_here(self):
        series = documented()
        self.assertIn("hanas_build_info", series)
        self.assertIn("hanas_store_write_seconds_bucket", series)
        self.assertEqual(series["hanas_leases_total"], {"event", "kind"})

    def test_alerts_and_panels_use_metrics_and_labels_that_exist(self):
        series = documented()
        expressions = rule_expressions()
        self.assertGreater(len(expressions), 10)
        for path in DASHBOARDS:
            expressions |= dashboard_expressions(path)
        self.assertGreater(len(expressions), 40)
        for where, expression in expressions.items():
            with self.subTest(where):
                self.assertLessEqual(set(METRIC.findall(expression)), set(series))
                for selector in SELECTOR.finditer(expression):
                    labels = set(re.findall(r"([a-z_]+)\s*(?:=~|!~|!=|=)", selector["matchers"]))
                    self.assertLessEqual(labels - TARGET_LABELS, series[selector["name"]])

    def test_dashboards_are_whole(self):
        self.assertTrue(DASHBOARDS)
        for path in DASHBOARDS:
            dashboard = json.loads(path.read_text(encoding="utf-8"))
            all_panels = panels(dashboard)
            identities = [panel["id"] for panel in all_panels]
            self.assertEqual(len(identities), len(set(identities)), "panel ids are repeated")
            titles = [panel["title"] for panel in all_panels]
            self.assertEqual(len(titles), len(set(titles)), "panel titles are repeated")
            for panel in all_panels:
                place = panel["gridPos"]
                self.assertLessEqual(place["x"] + place["w"], 24, panel["title"])
                if panel["type"] == "row":
                    continue
                self.assertEqual(panel["datasource"]["uid"], "${datasource}", panel["title"])
                references = [target["refId"] for target in panel["targets"]]
                self.assertTrue(references and len(references) == len(set(references)), panel["title"])
            cells = [
                (panel["gridPos"]["x"] + x, panel["gridPos"]["y"] + y)
                for panel in all_panels
                for x in range(panel["gridPos"]["w"])
                for y in range(panel["gridPos"]["h"])
            ]
            self.assertEqual(len(cells), len(set(cells)), "panels overlap")

    def test_every_alert_is_seen_firing_and_silent(self):
        text = RULE_TESTS.read_text(encoding="utf-8")
        for name in rule_expressions():
            with self.subTest(name):
                self.assertRegex(text, rf"alertname: {name}, exp_alerts: \[\]")
                self.assertRegex(text, rf"alertname: {name}\n\s+exp_alerts:\n\s+- exp_labels")

    def test_the_operations_manual_says_what_to_do_about_every_alert(self):
        manual = (SOURCE / "docs" / "operations.md").read_text(encoding="utf-8")
        for name in rule_expressions():
            with self.subTest(name):
                self.assertIn(f"`{name}`", manual)

    @unittest.skipUnless(shutil.which("promtool"), "promtool is not installed")
    def test_the_rules_behave_as_their_tests_say(self):
        for command in (["check", "config", RULES.parent / "prometheus.yml"], ["test", "rules", RULE_TESTS]):
            done = subprocess.run(["promtool", *map(str, command)], capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
