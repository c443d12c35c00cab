"""Looks at pages of events in a real Chromium, without a network, and prints one JSON object a page.

page.py CHROMIUM FILE.html..."""

import json
import pathlib
import sys

from playwright.sync_api import sync_playwright

chromium, *files = sys.argv[1:]
with sync_playwright() as play:
    browser = play.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
    for file in files:
        url = pathlib.Path(file).resolve().as_uri()
        for scheme in ("light", "dark"):
            page = browser.new_page(viewport={"width": 800, "height": 1100}, color_scheme=scheme)
            wrong = []
            page.on("console", lambda said: wrong.append(said.text))
            page.on("pageerror", lambda error: wrong.append(str(error)))
            page.on("request", lambda request: request.url.startswith((url, "data:")) or wrong.append(request.url))
            page.goto(url)
            seen = {
                "title": page.title(),
                "wrong": wrong,
                "wide": page.evaluate("document.documentElement.scrollWidth > innerWidth"),
                "back": page.evaluate("getComputedStyle(document.body).backgroundColor"),
                "curves": page.evaluate("document.querySelectorAll('svg path.l0').length"),
                "scripts": page.evaluate("document.querySelectorAll('script, img').length"),
                "event": page.evaluate("document.getElementById('event').textContent"),
                "facts": page.evaluate(
                    "Object.fromEntries([...document.querySelectorAll('[data-key]')].map((e) => [e.dataset.key, e.textContent]))"
                ),
                "objects": page.evaluate("document.querySelectorAll('#objects td.nok').length"),
            }
            print(json.dumps(seen))
            page.close()
    browser.close()
