"""Looks at a guarded page in a real Chromium as somebody who may only look, while the machine goes and comes back.

viewer.py URL CHROMIUM TOKEN PID COMMAND...: PID is the run that is ended, COMMAND the one that comes after it. Prints one JSON object.
"""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

from look import look, show, until

url, chromium, token, pid, *command = sys.argv[1:]
wrong, seen = [], {}


def log_in(page, secret):
    page.fill("#login-token", secret)
    page.click("#login-form button")


def enter(page):
    page.wait_for_selector("#login[open]")
    seen["before"] = page.text_content("#machine")
    log_in(page, "0" * 64)
    until(page, "document.getElementById('login-said').textContent.includes('not known')")
    log_in(page, token)
    page.wait_for_selector("#login:not([open])", state="attached")


def disabled(page, selector):
    """Whether all of them are, and there is one."""
    return page.evaluate("(s) => { const all = [...document.querySelectorAll(s)]; return all.length > 0 && all.every((e) => e.matches(':disabled')); }", selector)


def facts_change(page):
    before = page.text_content("#facts")
    until(page, "(text) => document.getElementById('facts').textContent !== text", arg=before)


# Refusals that are meant to be: before there is a cookie.
refused = [url + path for path in ("api/session", "api/live", "login")]
with look(url, chromium, wrong, refused, enter) as page:
    until(page, "document.getElementById('who').textContent !== ''")
    seen["who"] = page.text_content("#who")
    facts_change(page)
    seen["disabled"] = []
    for name, selector in [
        ("budget", "#reset"), ("budget", "#budgets input"), ("budget", "#budgets button"), ("faults", "#inject button"), ("faults", "#inject input"),
        ("events", "#alarms button"),
    ]:
        show(page, name)
        page.wait_for_selector(selector, state="attached")
        seen["disabled"].append(disabled(page, selector))
    seen["report"] = page.locator("#alarms a").count()

    # The machine goes: what is shown is not called live any more, until there is one again.
    chip = "(text) => document.getElementById('link').textContent === text"
    until(page, chip, arg="live")
    os.kill(int(pid), signal.SIGTERM)
    until(page, chip, arg="no answer")
    # It answers no more before it has given up its store.
    while pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
        time.sleep(0.05)
    seen["gone"] = page.evaluate("document.getElementById('link').className")
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as run:
        try:
            until(page, chip, arg="live")
            facts_change(page)
            seen["back"] = page.evaluate("document.getElementById('link').className")
            # Whoever leaves a computer to others logs out.
            page.click("#logout")
            page.wait_for_selector("#login[open]")
            seen["out"] = page.text_content("#who")
        finally:
            run.terminate()

seen["wrong"] = wrong
print(json.dumps(seen))
