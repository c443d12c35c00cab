"""Looks at the page in a real Chromium: every view, an injected fault from event to shelf, and no error on the way.

page.py URL CHROMIUM PICTURE: prints what was seen as one JSON object.
"""

import json
import sys

from look import CONTRAST, look, press_while_drawn, show, until
from trust import chips

url, chromium, picture = sys.argv[1:4]
wrong = []


def alarm(page, source):
    return page.locator(f"#alarms > div[data-source={source}]").first


def answer(page, button, comment):
    # A card that is drawn anew in between has another button.
    while not page.evaluate("document.getElementById('ask').open"):
        button.click()
    page.fill("#ask-comment", comment)
    page.click("#ask-yes")


# The text of a shelf before and after the store is read.
SHELF = """async () => {
  const { alarms } = await import('/page/events.js');
  const shelves = [{ source: 'gantry', channel: 'ripple', until_utc_ns: Date.now() * 1e6, who: 'eva', comment: '' }];
  return [false, true].map((known) => {
    alarms({ known, alarms: [], more: 0, standing: 0, unacknowledged: 0, shelved: 0, shelves, more_shelves: 0 });
    return document.getElementById('shelves').textContent.includes('Nothing of it stands.');
  });
}"""
# Whether something is drawn between the release of a finger and the task behind it, where its click may be.
TAP = """async () => {
  const { gently } = await import('/page/dom.js');
  const place = document.body.appendChild(document.createElement('div'));
  const button = place.appendChild(document.createElement('button'));
  const next = new Promise((done) => {
    for (const type of ['pointerdown', 'pointerup']) {
      button.dispatchEvent(new PointerEvent(type, { bubbles: true, button: 0, isPrimary: true, pointerType: 'touch' }));
    }
    setTimeout(done);
  });
  window.drawn = false;
  await next;
  gently(place, () => { window.drawn = true; place.remove(); });
  return window.drawn;
}"""
# A short time of today, and one of two days ago.
DAYS = """async () => {
  const { clock } = await import('/page/dom.js');
  return [0, 2].map((days) => clock((Date.now() - days * 86400e3) * 1e6, true).textContent.length);
}"""


# The one fault that is refused on purpose is an answer with 400, which Chromium calls an error, and one session is not answered.
with look(url, chromium, wrong, [url + "api/inject", url + "api/session"]) as page:
    seen = {"title": page.title(), "machine": page.text_content("#machine"), "views": []}

    # What the figures are worth stands above them.
    until(page, "document.querySelector('#trust .chip') !== null")
    seen["trust"] = page.evaluate("[...document.querySelectorAll('#trust .chip')].map((chip) => [chip.textContent, chip.className.trim()])")
    seen["chips"] = chips(page)

    # A stroke of a wrong part: its verdict, and why.
    until(page, "!document.querySelector('nav [data-tab=press]').hidden")
    show(page, "press")
    until(page, "document.getElementById('stroke-verdict').textContent.startsWith('NOK')")
    seen["nok"] = page.evaluate("[...document.querySelectorAll('#stroke-objects tbody tr')].map((row) => [row.children[1].textContent, row.children[3].textContent])")

    show(page, "axes")
    until(page, "document.querySelectorAll('#axes-table .row:not([hidden])').length === 9")
    page.click("#axes-table .row:has-text('carriage')")
    until(page, "document.getElementById('axis-name').textContent === 'carriage'")
    page.wait_for_selector("#axis-plot canvas")
    page.wait_for_selector("#axis-residual canvas")
    # What is shown changes by itself.
    before = page.text_content("#axes-table .row.picked")
    until(page, "(text) => document.querySelector('#axes-table .row.picked').textContent !== text", arg=before)
    page.fill("#axes-find", "in")
    until(page, "document.querySelectorAll('#axes-table .row:not([hidden])').length === 2")
    page.fill("#axes-find", "")
    seen["views"].append("axes")
    # The picture of the README: measured against predicted, and a residual that leaves its band.
    until(page, "document.getElementById('standing').textContent.includes('carriage')")
    until(page, "Math.abs(parseFloat(document.querySelector('#axes-table .row.picked').children[5].textContent)) > 3")
    # And the cause that was injected: the first movement behind it may be half of before, those that follow say what it is.
    head = "[...document.querySelectorAll('#standing button')].map((one) => one.textContent)"
    seen["head"] = until(page, f"(() => {{ const head = {head}; return head.some((one) => one.startsWith('carriage: friction increased')) && head; }})()")
    page.evaluate("document.activeElement.blur()")
    page.screenshot(path=picture)

    # The fault: injected on the page, found as an event.
    show(page, "faults")
    page.select_option("#fault-kind", "drive_fault")
    page.select_option("#fault-target", "lift")
    text = page.input_value("#fault-text")
    page.click("#inject button[type=submit]")
    until(page, "document.getElementById('inject-said').textContent.startsWith('injected')")
    page.fill("#fault-text", "dance:lift")
    page.click("#inject button[type=submit]")
    until(page, "document.getElementById('inject-said').textContent.includes('dance')")
    # What is typed stays while nobody answers.
    page.fill("#fault-text", "half a fau")
    page.evaluate("import('/page/faults.js').then((view) => view.state({ trouble: 'gone' }))")
    seen["typed"] = page.input_value("#fault-text")
    seen["fault"] = text
    seen["views"].append("faults")

    page.wait_for_selector("#standing button")
    show(page, "events")
    alarm(page, "lift").wait_for()
    seen["alarm"] = alarm(page, "lift").text_content()
    # Since when, here and in UTC.
    since = alarm(page, "lift").locator("time").first
    seen["since"] = [since.text_content(), since.get_attribute("title"), since.get_attribute("datetime")]
    until(page, "document.querySelectorAll('#events-table tbody tr').length > 0")
    until(page, "document.getElementById('intervals').textContent.includes('demonstrated')")
    seen["intervals"] = page.text_content("#intervals")
    # The page of the event.
    with page.context.expect_page() as opened:
        alarm(page, "lift").locator("a:text-is('report')").click()
    report = opened.value
    report.wait_for_selector("#event", state="attached")
    seen["report"] = [report.url, report.text_content("#event")]
    report.close()
    # Whatever was typed stays text.
    answer(page, alarm(page, "lift").locator("button:text-is('acknowledge')"), "<img src=x onerror=alert(1)> greased")
    alarm(page, "lift").locator(".chip:has-text('acknowledged by local')").wait_for()
    answer(page, alarm(page, "lift").locator("button:text-is('shelve')"), "until Monday")
    alarm(page, "lift").locator(".chip:has-text('shelved until')").wait_for()
    seen["card"] = alarm(page, "lift").text_content()
    # On the shelf without an alarm: listed, and taken off there.
    body = {"source": "gantry", "channel": "leak_rate", "seconds": 3600, "comment": "new belt"}
    page.evaluate(
        "(body) => fetch('/api/alarms/shelve', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }).then((answer) => answer.text().then(() => answer.status))",
        body,
    )
    shelf = page.locator("#shelves > div[data-source=gantry]")
    shelf.wait_for()
    seen["shelf"] = shelf.text_content()
    shelf.locator("button:text-is('unshelve')").click()
    shelf.wait_for(state="detached")
    alarm(page, "lift").locator("button:text-is('unshelve')").click()
    alarm(page, "lift").locator("button:text-is('shelve')").wait_for()
    seen["images"] = page.locator("img").count()
    # The machine is repaired: what is healthy is learnt anew.
    answer(page, alarm(page, "lift").locator("button:text-is('new baseline')"), "new nut")
    until(page, "document.getElementById('toast').textContent === 'lift learns anew'")
    # The list of events: one of a source is found, and leads to its page.
    page.fill("#events-find", "LIFT")
    until(page, "document.getElementById('events-note').textContent.includes(' found, ')")
    row = "[row.textContent.toLowerCase().includes('lift'), row.dataset.seq, row.querySelector('a').getAttribute('href')]"
    seen["found"] = page.evaluate(f"[...document.querySelectorAll('#events-table tbody tr')].map((row) => {row})")
    page.fill("#events-find", "")
    until(page, "document.getElementById('events-note').textContent.startsWith('the last ')")
    # Of what is on the shelf it is said that nothing stands only where that is known. What this draws is gone with the next load.
    seen["unsure"] = page.evaluate(SHELF)
    # A finger's click comes behind its release: what is drawn around it waits for so long.
    seen["tap"] = page.evaluate(TAP)
    until(page, "window.drawn")
    seen["days"] = page.evaluate(DAYS)
    # Who looks is asked for again where the first answer was lost.
    show(page, "axes")
    before = page.text_content("#facts")
    until(page, "(text) => document.getElementById('facts').textContent !== text", arg=before)
    page.route("**/api/session", lambda route: route.abort(), times=1)
    page.reload()
    page.wait_for_selector("#link.good")
    show(page, "events")
    until(page, "[...document.querySelectorAll('#alarms button')].some((button) => button.textContent === 'new baseline' && !button.disabled)")
    seen["views"].append("events")

    # An axis with an alarm has a sign.
    show(page, "axes")
    signed = "[...document.querySelectorAll('#axes-table .row.alarm:not([hidden])')].map((row) => [row.firstChild.textContent, row.title])"
    seen["signs"] = until(page, f"(() => {{ const rows = {signed}; return rows.some(([name]) => name === 'lift') && rows; }})()")

    show(page, "budget")
    until(page, "document.querySelectorAll('#phases tbody tr').length === 13")
    page.click("#phases button:text-is('predict')")
    until(page, "document.getElementById('histogram-name').textContent.includes('predict')")
    status = page.evaluate("fetch('/api/status').then((answer) => answer.json())")
    seen["pressed"] = press_while_drawn(page, "#phases button:text-is('compare')", "budget", status)
    until(page, "document.getElementById('histogram-name').textContent.includes('compare')")
    page.click("#phases button:text-is('predict')")
    until(page, "document.getElementById('histogram-name').textContent.includes('predict')")
    page.wait_for_selector("#histogram canvas")
    until(page, "document.getElementById('what-if-text').textContent.includes('would have overrun')")
    seen["what_if"] = []
    page.focus("#what-if")
    for key in ("Home", "ArrowRight", "End"):
        page.keyboard.press(key)
        seen["what_if"].append(page.text_content("#what-if-text"))
    # The form for budgets: what is in force stands there, and what is set comes back from the cycle.
    until(page, "document.querySelectorAll('#budget-rows tbody tr').length === 12")
    page.fill("#budget-rows input[data-row=servo]", "77us")
    page.click("#budgets button[type=submit]")
    until(page, "document.getElementById('budget-said').textContent === 'set: servo 77us'")
    until(page, "[...document.querySelectorAll('#budget-rows tbody tr')].some((row) => row.firstChild.textContent === 'servo' && row.children[1].textContent === '77.0 us')")
    # The bar of a cycle is the whole of it.
    until(page, "document.querySelectorAll('#cycle-bar > *').length === 7")
    until(page, "Math.abs([...document.querySelectorAll('#cycle-bar > *')].reduce((sum, part) => sum + parseFloat(part.style.width), 0) - 100) < 3")
    # A budget that no cycle keeps: cause and next step.
    page.fill("#budget-rows input[data-row=predict]", "1ns")
    page.click("#budgets button[type=submit]")
    until(page, "document.getElementById('budget-said').textContent === 'set: predict 1ns'")
    seen["buses"] = page.evaluate("document.getElementById('buses').hidden")
    page.click("#reset")
    page.wait_for_selector("#toast:not([hidden])")
    seen["views"].append("budget")

    show(page, "overruns")
    until(page, "document.getElementById('overruns-note').textContent.includes('in this run')")
    card = page.locator("#overruns-list > div:has(.chip:text-is('budget of predict'))").first
    card.wait_for()
    # Cards are drawn anew while they are looked at, and later overruns push them away.
    seen["overrun"] = until(
        page,
        "(() => { const card = [...document.querySelectorAll('#overruns-list > div')].find((one) => one.textContent.includes('budget of predict'));"
        " return card ? [card.querySelector('h3').firstChild.textContent, card.lastChild.textContent] : null; })()"
    )
    seen["views"].append("overruns")

    show(page, "press")
    page.wait_for_selector("#strokes button")
    page.wait_for_selector("#stroke-plot canvas")
    until(page, "document.querySelectorAll('#stroke-objects tbody tr').length >= 2")
    seen["stroke"] = page.text_content("#stroke-title")
    # When it was judged, by the machine's own time.
    seen["stroke_time"] = page.evaluate("""async () => {
      const told = await (await fetch('/api/status')).json();
      const number = Number(document.getElementById('stroke-title').textContent.match(/[0-9]+/)[0]);
      const { time_ns: at } = told.strokes.find((one) => one.stroke === number);
      return [document.querySelector('#stroke-facts time').dateTime, new Date((told.time_utc_ns - told.time_ns + at) / 1e6).toISOString()];
    }""")
    seen["stroke_times"] = page.evaluate("[...document.querySelectorAll('#strokes button time')].map((time) => time.textContent)")
    seen["views"].append("press")

    show(page, "health")
    until(page, "document.querySelectorAll('#health-table tbody tr').length > 0")
    page.wait_for_selector("#trend-plot canvas")
    # What is looked for is there, and nothing else.
    sources = "[...document.querySelectorAll('#health-table tbody tr')].map((row) => row.firstChild.textContent)"
    seen["tracked"] = page.evaluate(sources)
    # A station has no baseline, and what stands of the carriage is to stand on.
    axis = next(name for name in seen["tracked"] if name not in ("gripper", "carriage"))
    page.fill("#health-find", axis)
    until(page, f"(axis) => {sources}.every((name) => name === axis)", arg=axis)
    seen["tracked_found"] = page.evaluate(sources)
    # A new baseline is asked for here too, and it is said for how long it holds.
    page.click("#health-table tbody tr button")
    until(page, "(axis) => document.getElementById('trend-name').textContent.startsWith(`${axis}: `)", arg=axis)
    while not page.evaluate("document.getElementById('ask').open"):
        page.click("#health-baseline")
    seen["asked"] = page.text_content("#ask-text")
    page.fill("#ask-comment", "new belt")
    page.click("#ask-yes")
    until(page, "(axis) => document.getElementById('toast').textContent === `${axis} learns anew`", arg=axis)
    page.fill("#health-find", "nobody")
    until(page, "document.getElementById('health-table').textContent.includes('nothing of that name')")
    page.fill("#health-find", "")
    seen["views"].append("health")

    show(page, "gateway")
    until(page, "document.getElementById('audit').textContent.includes('until Monday')")
    until(page, "document.getElementById('sinks').textContent.includes('web')")
    seen["audit"] = page.text_content("#audit")
    seen["views"].append("gateway")

    # The width of a tablet held upright: nothing is wider than the screen. All text can be read, dark and light, as the system is.
    seen.update(wide=[], contrast={})
    page.set_viewport_size({"width": 800, "height": 1280})
    for name in seen["views"]:
        show(page, name)
        seen["wide"].extend([name] if page.evaluate("document.documentElement.scrollWidth > innerWidth") else [])
        for scheme in ("dark", "light"):
            page.emulate_media(color_scheme=scheme)
            seen["contrast"][f"{name}, {scheme}"] = page.evaluate(CONTRAST)
    # And as the button says.
    for _ in range(2):
        page.click("#theme")
        seen["theme"] = page.evaluate("document.documentElement.dataset.theme")
        seen["contrast"][f"button, {seen['theme']}"] = page.evaluate(CONTRAST)
    page.set_viewport_size({"width": 1280, "height": 800})

seen["wrong"] = wrong
print(json.dumps(seen))
