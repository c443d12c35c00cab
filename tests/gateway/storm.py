"""Looks at the list of alarms while one alarm after the other is stored: storm.py URL CHROMIUM FOLDER. Prints one JSON object.

Every page of alarms beyond the first takes longer than the stream needs to tell of the next change. More than the first hundred are wanted.
"""

import json
import pathlib
import sqlite3
import subprocess
import sys
import time

from look import look, show, until

url, chromium, folder = sys.argv[1:4]
wrong, seen = [], {}
SLOW_S = 0.4
NAMES = "[...document.querySelectorAll('#alarms > div')].map((card) => card.dataset.source)"
append = [sys.executable, pathlib.Path(__file__).with_name("append.py"), folder]


def slowly(route):
    time.sleep(SLOW_S)
    route.continue_()


# Nobody runs the machine: there is a store alone.
with look(url, chromium, wrong, link="#link.bad") as page:
    page.route("**/api/alarms?skip=*", slowly)
    # The first look at events is lost, here to another store: they are looked at again.
    lost = json.dumps({"store": "another", "last_seq": 0, "events": []})
    page.route("**/api/events?after=*", lambda route: route.fulfill(status=200, content_type="application/json", body=lost), times=1)
    show(page, "events")
    # Stored events go back a page at a time, and one is found wherever it is.
    numbers = "[...document.querySelectorAll('#events-table tbody tr')].map((row) => Number(row.dataset.seq))"
    until(page, f"{numbers}.length === 100")
    seen["newest"] = page.evaluate(numbers)
    page.click("#events-older")
    until(page, f"(n) => {numbers}[0] === n", arg=seen["newest"][-1] - 1)
    seen["older"] = page.evaluate(numbers)
    page.click("#events-newest")
    until(page, f"(n) => {numbers}[0] === n", arg=seen["newest"][0])
    page.fill("#events-find", "axis 17")
    until(page, "document.getElementById('events-note').textContent.includes(' found, ')")
    seen["found"] = page.evaluate("[...document.querySelectorAll('#events-table tbody tr')].map((row) => row.children[2].textContent)")
    page.fill("#events-find", "")
    until(page, f"{numbers}.length === 100")

    # Beyond the first hundred, who has an alarm is known too.
    signs = "[...view.stands().keys()].filter((name) => name.startsWith('axis ')).length"
    seen["signs"] = until(page, f"import('/page/events.js').then((view) => {signs} >= 250 && {signs})")
    page.click("#alarms-more")
    until(page, f"{NAMES}.length === 200")
    page.click("#alarms-more")
    until(page, f"{NAMES}.length >= 250")
    seen["before"] = page.evaluate(NAMES)
    # The newest are the first ones: what comes in the storm is seen while it lasts, again and again.
    seen["during"] = 0
    with subprocess.Popen([*append, "1000000", "storm"], stdout=subprocess.DEVNULL) as storm:
        try:
            newest = None
            for _ in range(3):
                newest = until(page, f"(before) => {{ const first = {NAMES}[0]; return first.startsWith('storm') && first !== before && first; }}", arg=newest)
                seen["during"] += storm.poll() is None
            # More than are looked at, however slow the disk is.
            store = sqlite3.connect(f"{folder}/events.sqlite", timeout=10)
            stored = "SELECT count(*) FROM events WHERE source LIKE 'storm %'"
            while store.execute(stored).fetchone()[0] < 300:
                page.wait_for_timeout(50)
            store.close()
        finally:
            storm.kill()
    # It is over: what stands is told, as many as are wanted. A card of which nothing has changed is the one that was there.
    first = f"(name) => {NAMES}[0] === name && {NAMES}.length >= 300"
    for name in ("first", "last"):
        subprocess.run([*append, "1", name], check=True, stdout=subprocess.DEVNULL)
        until(page, first, arg=f"{name} 0")
        # And as an event, although no machine tells.
        until(page, "(name) => document.querySelector('#events-table tbody tr').children[2].textContent === name", arg=f"{name} 0")
        if name == "first":
            page.evaluate("document.querySelector('#alarms > div').dataset.kept = 'yes'")
    seen["after"] = page.evaluate(NAMES)
    seen["kept"] = page.evaluate("document.querySelectorAll('#alarms > div[data-kept]').length")
    seen["note"] = page.text_content("#alarms-note")
    # What is on its way when the browser ends is nobody's fault.
    seen["wrong"] = list(wrong)

print(json.dumps(seen))
