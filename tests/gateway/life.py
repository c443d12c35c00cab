"""Looks at the health of a machine one of whose axes has a remaining life: life.py URL CHROMIUM. Prints what was seen as one JSON object."""

import json
import sys

from look import look, show, until

url, chromium = sys.argv[1:3]
wrong = []
ROW = "[...document.querySelectorAll('#health-table tbody tr')].find((row) => row.textContent.startsWith('infeedcoulomb'))"

with look(url, chromium, wrong) as page:
    show(page, "health")
    until(page, f"({ROW})?.lastChild.textContent.includes('strokes')")
    seen = page.evaluate(f"(() => {{ const row = {ROW}; return {{ trend: row.children[5].textContent, life: row.lastChild.textContent }}; }})()")
seen["wrong"] = wrong
print(json.dumps(seen))
