"""What the scripts that look at the page have in common."""

import contextlib

from playwright.sync_api import sync_playwright


def until(page, expression, arg=None):
    """Looks until it is true, and returns it; the page's own policy forbids what Playwright has for this."""
    for _ in range(1200):
        value = page.evaluate(expression, arg)
        if value:
            return value
        page.wait_for_timeout(50)
    raise TimeoutError(expression)


def show(page, name):
    page.click(f"nav [data-tab={name}]")
    page.wait_for_selector(f"#{name}:not([hidden])")


@contextlib.contextmanager
def look(url, chromium, wrong, expected=(), enter=None):
    """The page at `url`, once it is live; `enter` comes before. Whatever goes wrong is added to `wrong`, but for refusals by the addresses in `expected`."""
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.set_default_timeout(60_000)
        page.on("console", lambda said: said.type in ("error", "warning") and said.location["url"] not in expected and wrong.append(said.text))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("requestfailed", lambda request: "/api/live" not in request.url and request.url not in expected and wrong.append(request.url))
        # Nothing is loaded from elsewhere.
        page.on("request", lambda request: request.url.startswith((url, "data:")) or wrong.append(request.url))
        page.goto(url)
        if enter:
            enter(page)
        page.wait_for_selector("#link.good")
        yield page
        browser.close()
