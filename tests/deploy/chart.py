"""Lints the chart and renders it with Helm's own engine; prints the manifests as a JSON list.

  chart.py VALUES        VALUES is JSON

Each manifest is held against the schemas of the oldest Kubernetes that the chart allows and of the newest that is known.
"""
import json
import pathlib
import sys

import kubernetes_validate
import yaml
from helm_python.chart import Chart, lint

CHART = pathlib.Path(__file__).resolve().parents[2] / "deploy/helm/vmacd"
values = json.loads(sys.argv[1])

report = lint(CHART, values, strict=True)
# 1 is information: that a chart may have an icon.
problems = report["errors"] + [message for message in report["messages"] if message["severity"] > 1]
if problems:
    sys.exit(f"helm lint: {problems}")

with Chart.load(CHART) as chart:
    chart.validate_schema(values)
    rendered = chart.render(values, name="vmacd", namespace="net")

manifests = []
for path, text in rendered.items():
    if path.endswith(".yaml"):
        manifests += [manifest for manifest in yaml.safe_load_all(text) if manifest]
for manifest in manifests:
    for version in ("1.25", kubernetes_validate.latest_version()):
        kubernetes_validate.validate(manifest, version, strict=True)
print(json.dumps(manifests))
