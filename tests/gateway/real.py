"""Looks at the page of a machine that is not simulated: real.py URL CHROMIUM. Prints what was seen as one JSON object."""

import json
import sys

from look import look, until

url, chromium = sys.argv[1:3]
wrong, hidden = [], []
HIDDEN = "document.querySelector('nav [data-tab=faults]').hidden"

with look(url, chromium, wrong) as page:
    until(page, "document.getElementById('facts').textContent.includes('period')")
    until(page, "document.getElementById('machine').textContent !== 'twinstep'")
    hidden.append(page.evaluate(HIDDEN))
    # By its address.
    page.goto("about:blank")
    page.goto(url + "#faults")
    until(page, "document.getElementById('machine').textContent !== 'twinstep'")
    until(page, "location.hash !== '#faults'")
    hidden.append(page.evaluate(HIDDEN))
    seen = {"machine": page.text_content("#machine"), "facts": page.text_content("#facts"), "address": page.evaluate("location.hash")}
seen.update(hidden=hidden, wrong=wrong)
print(json.dumps(seen))
