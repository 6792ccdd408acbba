"""Reads OpenMetrics text and prints what a parser that is not ours makes of it.

A JSON array per line: a family as [name, type, unit, help], then each of its samples as
[name, labels, value]."""
import json
import sys

try:
    from prometheus_client.openmetrics.parser import text_string_to_metric_families
except ImportError:
    sys.exit("python3-prometheus-client is missing; tools/setup.sh test installs it")

text = sys.stdin.buffer.read().decode("utf-8", "strict")
for family in text_string_to_metric_families(text):
    print(json.dumps([family.name, family.type, family.unit, family.documentation]))
    for sample in family.samples:
        print(json.dumps([sample.name, sample.labels, sample.value]))
