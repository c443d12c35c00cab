"""Looks at the health of a machine one of whose axes has a remaining life: life.py URL CHROMIUM. Prints what was seen as one JSON object."""

import json
import sys

from look import look, press_while_drawn, show, until

url, chromium = sys.argv[1:3]
wrong = []
ROW = "[...document.querySelectorAll('#health-table tbody tr')].find((row) => row.textContent.startsWith('infeedcoulomb'))"
# How many of the dots of the picture have the colour of one of its lines, or nearly so: its edges are mixed.
DOTS = """async (name) => {
  const { colour } = await import('/page/plot.js');
  const canvas = document.querySelector('#trend-plot canvas');
  const wanted = colour(name).match(/[0-9a-f]{2}/g).map((two) => parseInt(two, 16));
  const copy = document.createElement('canvas');
  [copy.width, copy.height] = [canvas.width, canvas.height];
  const ink = copy.getContext('2d', { willReadFrequently: true });
  ink.drawImage(canvas, 0, 0);
  const { data } = ink.getImageData(0, 0, canvas.width, canvas.height);
  let dots = 0;
  for (let n = 0; n < data.length; n += 4) dots += data[n + 3] > 200 && wanted.every((part, k) => Math.abs(part - data[n + k]) < 30);
  return dots;
}"""
LINES = ["--measured", "--good", "--predicted", "--bad"]


def dots(page):
    return {name: page.evaluate(DOTS, name) for name in LINES}


with look(url, chromium, wrong) as page:
    show(page, "health")
    until(page, f"({ROW})?.lastChild.textContent.includes('strokes')")
    seen = page.evaluate(f"(() => {{ const row = {ROW}; return {{ trend: row.children[5].textContent, life: row.lastChild.textContent }}; }})()")
    # What ends first is shown by itself: how it has gone, the line of its trend, its limit.
    until(page, "document.getElementById('trend-name').textContent.startsWith('infeed: ')")
    until(page, f"({ROW})?.click() ?? document.getElementById('trend-name').textContent === 'infeed: coulomb'")
    until(page, "document.getElementById('trend-note').textContent.includes('reached in')")
    page.wait_for_selector("#trend-plot canvas")
    seen["note"], seen["whole"] = page.text_content("#trend-note"), until(page, f"({DOTS})('--bad')") and dots(page)
    # Without the way to the limit.
    page.uncheck("#trend-life")
    until(page, f"({DOTS})('--bad').then((dots) => dots === 0)")
    seen["near"] = dots(page)
    # Worst first: what has a life that is known stands before all whose life is not.
    lives = "[...document.querySelectorAll('#health-table tbody tr')].map((row) => !row.lastChild.textContent.startsWith('not yet known'))"
    seen["first"] = page.evaluate(f"[document.querySelector('#health-table tbody tr').textContent.startsWith('infeed'), {lives}]")
    page.uncheck("#health-worst")
    told = "(await (await fetch('/api/status')).json()).health.map((line) => `${line.source}\n${line.parameter}`).join()"
    shown = "[...document.querySelectorAll('#health-table button')].map((one) => one.dataset.of).join()"
    until(page, f"(async () => ({told}) === {shown})()")
    page.check("#health-worst")
    # A tap counts although the table is drawn anew between press and release.
    status = page.evaluate("fetch('/api/status').then((answer) => answer.json())")
    for line in status["health"]:
        line["value"] *= 1.001
    seen["pressed"] = press_while_drawn(page, "#health-table tbody tr:last-child button", "health", status)
    until(page, "document.querySelector('#health-table tr.picked button').dataset.of === window.pressed.dataset.of")
    # And another one, that somebody picks.
    other = "[...document.querySelectorAll('#health-table tbody tr')].find((row) => row.textContent.startsWith('liftcoulomb'))"
    until(page, f"({other})?.click() ?? document.getElementById('trend-name').textContent === 'lift: coulomb'")
    until(page, f"({other})?.className === 'picked'")
seen["wrong"] = wrong
print(json.dumps(seen))
