"""Looks at a guarded page in a real Chromium as somebody who may only look, while the machine goes and comes back.

viewer.py URL CHROMIUM TOKEN PID DOOR COMMAND...: PID is the run that is ended, COMMAND the one that comes after it, DOOR the gateway. Prints one
JSON object.
"""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

from look import look, show, until

url, chromium, token, pid, door, *command = sys.argv[1:]
wrong, seen = [], {}


# Whether the list of strokes forgets what it was drawn from where the time of the run stays, and where it goes back.
ANEW = """async () => {
  const { state } = await import('/page/press.js');
  const list = document.getElementById('strokes');
  const kept = (time_ns) => { state({ time_ns }); return list.dataset.key === 'old'; };
  kept(2e18);
  list.dataset.key = 'old';
  return [kept(2e18), !kept(1)];
}"""


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
refused = [url + path for path in ("api/session", "api/live", "api/events?last=1", "login")]
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

    # What is looked at before it goes: a stroke, and how something has gone.
    show(page, "press")
    page.wait_for_selector("#stroke-plot canvas")
    strokes = page.locator("#strokes button").count()
    show(page, "health")
    page.click("#health-table tbody tr:last-child button")
    page.wait_for_selector("#health-table tbody tr.picked")
    picked = "document.querySelector('#health-table tr.picked').children"
    until(page, f"document.getElementById('trend-name').textContent === [...{picked}].slice(0, 2).map((cell) => cell.textContent.replace(' (inferred)', '')).join(': ')")
    page.wait_for_selector("#trend-plot canvas")
    sources = "[...document.querySelectorAll('#health-table tbody tr')].map((row) => row.firstChild.textContent)"
    tracked = page.evaluate(sources)
    # Nothing is on its way when it goes.
    show(page, "axes")
    for _ in range(5):
        facts_change(page)

    # The machine goes: what is shown is not called live any more, until there is one again.
    chip = "(text) => document.getElementById('link').textContent === text"
    until(page, chip, arg="live")
    # The gateway itself is silent: since when, and until it speaks again.
    os.kill(int(door), signal.SIGSTOP)
    try:
        until(page, chip, arg="no connection")
        seen["cut"] = [page.text_content("#old")]
    finally:
        os.kill(int(door), signal.SIGCONT)
    until(page, chip, arg="live")
    seen["cut"].append(page.is_hidden("#old"))
    os.kill(int(pid), signal.SIGTERM)
    until(page, chip, arg="no answer")
    # It answers no more before it has given up its store.
    while pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
        time.sleep(0.05)
    seen["gone"] = page.evaluate("document.getElementById('link').className")
    # Why, since when, and what it was: nothing is called never seen.
    until(page, "!document.getElementById('old').hidden")
    seen["old"] = [page.text_content(one) for one in ("#old", "#facts", "#machine")]
    show(page, "health")
    seen["health"] = [len(tracked) > 0 and set(tracked) <= set(page.evaluate(sources)), page.locator("#trend-plot canvas").count()]
    seen["health_button"] = disabled(page, "#health-baseline")
    show(page, "press")
    seen["press"] = [page.locator("#strokes button").count() >= strokes > 0, page.locator("#stroke-plot canvas").count()]
    show(page, "overruns")
    seen["overruns"] = page.text_content("#overruns-note")
    # A page that is opened now is told the same.
    with page.context.expect_page() as opened:
        page.evaluate("void window.open('/#health')")
    late = opened.value
    until(late, "document.getElementById('old') && !document.getElementById('old').hidden")
    until(late, f"(least) => {sources}.length >= least", arg=len(tracked))
    seen["late"] = [late.text_content("#machine"), set(tracked) <= set(late.evaluate(sources)), late.text_content("#trend-plot")]
    show(late, "axes")
    seen["late_axes"] = until(late, "document.querySelectorAll('#axes-table .row:not([hidden])').length")
    late.close()
    show(page, "axes")
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as run:
        try:
            until(page, chip, arg="live")
            facts_change(page)
            seen["old_again"] = page.is_hidden("#old")
            for _ in range(3):
                facts_change(page)
            seen["times"] = page.evaluate("import('/page/axes.js').then((view) => view.times())")
            # Stroke N of another run is another one. Its time goes back: what is kept of it is drawn anew.
            seen["anew"] = page.evaluate(ANEW)
            # What the new run has ended still says what it was.
            show(page, "events")
            ended = "[...document.querySelectorAll('#alarms > div')].map((card) => card.textContent).filter((text) => text.includes(' by a new run'))"
            seen["ended"] = until(page, f"(() => {{ const ended = {ended}; return ended.length && ended; }})()")
            seen["back"] = page.evaluate("document.getElementById('link').className")
            # Whoever leaves a computer to others logs out.
            page.click("#logout")
            page.wait_for_selector("#login[open]")
            seen["out"] = page.text_content("#who")
        finally:
            run.terminate()

seen["wrong"] = wrong
print(json.dumps(seen))
