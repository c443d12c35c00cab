"""Scrapes URL as Prometheus does, in both formats, until an instance answers and the sums of the metrics named behind it are above a number: NAME>NUMBER.

Prints the families, and the sums of their samples, as one JSON object.
"""

import json
import sys
import time
import urllib.request

from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_families
from prometheus_client.parser import text_string_to_metric_families as plain_families


def scrape(accept):
    request = urllib.request.Request(sys.argv[1] + "metrics", headers={"Accept": accept})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.headers["Content-Type"], answer.read().decode()


def names(families):
    return {sample.name: sum(s.value for s in family.samples if s.name == sample.name) for family in families for sample in family.samples}


patience = time.monotonic() + 60
while True:
    kind, text = scrape("text/plain")
    assert kind.startswith("text/plain; version=0.0.4"), kind
    plain = list(plain_families(text))
    seen = names(plain)
    wanted = [word.split(">") for word in sys.argv[2:]]
    missing = [name for name, least in wanted if not seen.get(name, 0) > float(least)]
    if seen.get("twinstep_up") == 1 and not missing:
        break
    assert time.monotonic() < patience, (missing, seen)
    time.sleep(0.1)

kind, text = scrape("application/openmetrics-text;version=1.0.0,text/plain;q=0.5")
assert kind.startswith("application/openmetrics-text"), kind
strict = list(open_families(text))
assert {family.name for family in strict} == {family.name.removesuffix("_total") for family in plain}
families = {}
for family in strict:
    families[family.name + ("_total" if family.type == "counter" else "")] = [family.type, family.unit, family.documentation]
labels = {name: sorted({str(s.labels) for f in strict for s in f.samples if s.name == name}) for name in seen}
print(json.dumps({"families": families, "values": seen, "labels": labels}))
