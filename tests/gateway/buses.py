"""Looks at the page of a machine with two buses: the one that is chosen in the head is shown, and its budgets are set.

buses.py URL CHROMIUM: prints what was seen as one JSON object.
"""

import json
import sys

from look import look, show, until

url, chromium = sys.argv[1:3]
wrong = []

# The one budget that is refused on purpose is an answer with 400, which Chromium calls an error.
with look(url, chromium, wrong, [url + "api/budget"]) as page:
    until(page, "document.querySelectorAll('#buses button').length === 2")
    until(page, "document.querySelector('#buses button').textContent.includes('slack')")
    seen = {"buses": page.evaluate("[...document.querySelectorAll('#buses b')].map((b) => b.textContent)")}
    seen["front"] = page.text_content("#buses button[data-bus=front]")
    until(page, "document.querySelector('#axes-table .row')?.textContent.includes('infeed')")

    page.click("#buses button[data-bus=rear]")
    until(page, "document.querySelector('#axes-table .row')?.textContent.includes('outfeed')")
    seen["axes"] = page.evaluate("[...document.querySelectorAll('#axes-table .row:not([hidden]) span:first-child')].map((e) => e.textContent)")
    before = page.text_content("#axes-table .row")
    until(page, "(text) => document.querySelector('#axes-table .row').textContent !== text", arg=before)

    # A bus is a target by its name.
    show(page, "faults")
    page.select_option("#fault-kind", "frame_loss")
    until(page, "document.getElementById('fault-text').value.startsWith('frame_loss:rear:')")
    page.click("#inject button[type=submit]")
    until(page, "document.getElementById('inject-said').textContent.startsWith('injected')")
    show(page, "events")
    alarm = page.locator("#alarms > div[data-bus=rear][data-source=rear]").first
    alarm.wait_for()
    seen["alarm"] = alarm.text_content()

    show(page, "budget")
    until(page, "document.querySelectorAll('#budget-rows tbody tr').length === 12")
    field = "#budget-rows input[data-row=%s]"
    said = "(text) => document.getElementById('budget-said').textContent.includes(text)"
    # What is typed stays while figures go on.
    page.fill(field % "predict", "44us")
    page.fill(field % "wake", "20us")
    figures = page.text_content("#budget-note")
    until(page, "(text) => document.getElementById('budget-note').textContent !== text", arg=figures)
    page.click("#budgets button[type=submit]")
    until(page, said, arg="predict 44us")
    # What is in force stands in the field again.
    until(page, "document.querySelector('#budget-rows tr:nth-child(1) td:nth-child(2)').textContent === '20.0 us'")
    until(page, "document.querySelectorAll('#budget-rows input.changed').length === 0")
    page.fill(field % "wake", "")
    page.click("#budgets button[type=submit]")
    until(page, said, arg="wake none")
    page.fill(field % "send", "600us")
    page.click("#budgets button[type=submit]")
    until(page, said, arg="send")
    seen["refused"] = page.text_content("#budget-said")
    page.click("#budget-undo")
    until(page, "document.querySelector('#budget-rows input[data-row=send]').value === ''")
    # The recommended ones are those of the cycles that were seen.
    until(page, "document.getElementById('budget-note').textContent.startsWith('Recommended')")
    page.click("#budget-fill")
    until(page, "/^[0-9.]+us$/.test(document.querySelector('#budget-rows input[data-row=send]').value)")
    page.click("#budget-undo")
    seen["address"] = page.evaluate("location.hash")
    # The address brings the bus back.
    page.reload()
    page.wait_for_selector("#buses button[data-bus=rear][aria-pressed=true]")
    until(page, "document.querySelectorAll('#budget-rows tbody tr').length === 12")
    page.set_viewport_size({"width": 800, "height": 1280})
    seen["wide"] = page.evaluate("document.documentElement.scrollWidth > innerWidth")

seen["wrong"] = wrong
print(json.dumps(seen))
