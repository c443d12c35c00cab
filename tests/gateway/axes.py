"""Looks at a machine of many axes on the page in a real Chromium: each can be reached, all of them go on, and what is kept does not grow.

axes.py URL CHROMIUM AXES [SECONDS]: prints what was seen as one JSON object. Figures (updates, frames, long tasks) are of SECONDS a
view, 0.3 unless given; a test judges none of them.
"""

import json
import statistics
import sys

from look import look, show, until

url, chromium, axes = sys.argv[1:3] + [int(sys.argv[3])]
seconds = float(sys.argv[4]) if len(sys.argv) > 4 else 0.3
wrong = []

WATCH = """() => {
  const seen = window.seen = { frames: [], tasks: [], updates: 0 };
  new PerformanceObserver((list) => seen.tasks.push(...list.getEntries().map((one) => one.duration))).observe({ type: 'longtask' });
  new MutationObserver(() => { seen.updates += 1; }).observe(document.getElementById('facts'), { childList: true, characterData: true, subtree: true });
  let last;
  const frame = (now) => {
    if (last !== undefined) seen.frames.push(now - last);
    last = now;
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
}"""
# The axes that can be seen now, with the digits of theirs.
ROWS = """() => Object.fromEntries([...document.querySelectorAll('#axes-table .row:not([hidden])')]
  .map((row) => [row.firstChild.textContent, row.textContent]))"""
# Nodes of the document, texts too.
SHOWN = """() => {
  const walker = document.createTreeWalker(document);
  let nodes = 1;
  while (walker.nextNode()) nodes += 1;
  return nodes;
}"""


def kept(page, devtools):
    """What the browser keeps once its rubbish is gone: bytes of its heap, nodes, and those of them that are shown nowhere.

    What is shown grows as the machine's health is learnt and events come, up to the bounds of the lists; what is shown nowhere must not.
    A collection leaves its sweeping for later, and a node counts until it is swept: the least of several collections is what is kept.
    """
    least = None
    for _ in range(5):
        devtools.send("HeapProfiler.collectGarbage")
        figures = {one["name"]: one["value"] for one in devtools.send("Performance.getMetrics")["metrics"]}
        shown = page.evaluate(SHOWN)
        now = {"heap_mb": round(figures["JSHeapUsedSize"] / 1e6, 1), "nodes": int(figures["Nodes"]), "unseen": int(figures["Nodes"]) - shown}
        if least is None or now["unseen"] < least["unseen"]:
            least = now
    return least


def measure(page):
    """What happens in the stated time."""
    page.evaluate("() => { seen.frames.length = 0; seen.tasks.length = 0; seen.updates = 0; }")
    begun = page.evaluate("performance.now()")
    page.wait_for_timeout(1000 * seconds)
    took = (page.evaluate("performance.now()") - begun) / 1000
    seen = page.evaluate("seen")
    frames = sorted(seen["frames"]) or [0]
    return {
        "updates_per_s": round(seen["updates"] / took, 1),
        "frame_p50_ms": round(statistics.median(frames), 1),
        "frame_p99_ms": round(frames[int(0.99 * (len(frames) - 1))], 1),
        "long_tasks": len(seen["tasks"]),
        "longest_task_ms": round(max(seen["tasks"], default=0)),
    }


with look(url, chromium, wrong) as page:
    page.evaluate(WATCH)
    until(page, "document.querySelectorAll('#axes-table .row:not([hidden])').length > 5")
    seen = {}

    # Every axis can be reached by scrolling, and what is in sight goes on.
    reached = set()
    height = page.evaluate("document.getElementById('axes-table').clientHeight - 40")
    top = 0
    while top < 34 * axes + 40:
        page.evaluate("(top) => { document.getElementById('axes-table').scrollTop = top; }", top)
        until(page, "(n) => document.querySelectorAll('#axes-table .row:not([hidden])').length > n", arg=0)
        page.evaluate("new Promise(requestAnimationFrame)")
        reached |= set(page.evaluate(ROWS))
        top += height
    seen["reached"] = len(reached)
    before = page.evaluate(ROWS)
    changed = "(before) => [...document.querySelectorAll('#axes-table .row:not([hidden])')].every((row) => row.textContent !== before[row.firstChild.textContent])"
    until(page, changed, arg=before)
    # And by its name.
    name = sorted(reached)[-1]
    page.fill("#axes-find", name)
    until(page, "document.querySelectorAll('#axes-table .row:not([hidden])').length === 1")
    page.click("#axes-table .row:not([hidden])")
    until(page, "(name) => document.getElementById('axis-name').textContent === name", arg=name)
    page.fill("#axes-find", "")

    devtools = page.context.new_cdp_session(page)
    devtools.send("Performance.enable")
    seen["kept"] = []
    # Twice the same: what stays is as much as before.
    for _ in range(2):
        for view in ["health", "budget", "events", "axes"]:
            show(page, view)
            seen[view] = measure(page)
        page.check("#axes-worst")
        seen["worst first"] = measure(page)
        page.uncheck("#axes-worst")
        seen["kept"].append(kept(page, devtools))
    # What is kept for the curves are looks of its own time, each once: a state of the machine, once a second, brings none of them again.
    kept_times = "import('/page/axes.js').then((view) => view.times())"
    facts = "document.getElementById('facts').textContent"
    for _ in range(20):
        before = page.evaluate(facts)
        until(page, f"(text) => {facts} !== text", arg=before)
    seen["times"] = page.evaluate(kept_times)
    seen["rows"] = page.evaluate("document.querySelectorAll('#axes-table .row').length")
    updates = page.evaluate("seen.updates")
    until(page, "(n) => seen.updates > n + 2", arg=updates)

seen["wrong"] = wrong
print(json.dumps(seen))
