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


# Presses on what is under the pointer, has `module` draw `state` anew, and says whether what is pressed is still there.
PRESSED = """async ([module, state]) => {
  const pressed = [...document.querySelectorAll(':active')].at(-1);
  window.pressed = pressed;
  (await import(`/page/${module}.js`)).state(state);
  return pressed.nodeName === 'BUTTON' && pressed.isConnected;
}"""


def press_while_drawn(page, selector, module, state):
    """Clicks on `selector` while the view is drawn anew between press and release; whether the button stayed for so long."""
    page.hover(selector)
    page.mouse.down()
    stayed = page.evaluate(PRESSED, [module, state])
    page.mouse.up()
    # Drawn behind the click, not left out.
    until(page, "!window.pressed.isConnected")
    return stayed


# Every piece of text that is shown: its contrast to what is behind it (WCAG 2, relative luminance), opacities of all that it stands in
# counted. What cannot be used (a button that is off) is left out, as WCAG leaves it out. Returns the least one, and those below 4.5.
CONTRAST = """(() => {
  const numbers = (text) => text.match(/[\\d.]+/g).map(Number);
  const mix = (over, under, share) => over.map((c, n) => c * share + under[n] * (1 - share));
  const light = (color) => color.map((c) => c / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, n) => sum + c * [0.2126, 0.7152, 0.0722][n], 0);
  // Text and ground as they are seen, of the chain of elements that the text stands in, over what is behind them.
  const seen = ([style, ...rest], behind) => {
    const [r, g, b, a = 1] = numbers(style.backgroundColor);
    const ground = mix([r, g, b], behind, a);
    const [tr, tg, tb, ta = 1] = numbers(style.color);
    const inside = rest.length ? seen(rest, ground) : [mix([tr, tg, tb], ground, ta), ground];
    return inside.map((color) => mix(color, behind, Number(style.opacity)));
  };
  const canvas = getComputedStyle(document.documentElement).colorScheme === 'dark' ? [18, 18, 18] : [255, 255, 255];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let [least, low, count] = [21, new Map(), 0];
  while (texts.nextNode()) {
    const [node, element] = [texts.currentNode, texts.currentNode.parentElement];
    if (!node.data.trim() || element.closest(':disabled, script, style, option') || !element.checkVisibility({ visibilityProperty: true })) continue;
    const chain = [];
    for (let one = element; one; one = one.parentElement) chain.unshift(getComputedStyle(one));
    const [a, b] = seen(chain, canvas).map(light);
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    count += 1;
    least = Math.min(least, contrast);
    if (contrast < 4.5) low.set(`${element.tagName}.${element.className}`, `${contrast.toFixed(2)}: ${node.data.trim().slice(0, 40)}`);
  }
  return { least, count, low: [...low].map((one) => one.join(' ')) };
})()"""


@contextlib.contextmanager
def look(url, chromium, wrong, expected=(), enter=None, link="#link.good"):
    """The page at `url`, once it is live, or its chip is like `link`; `enter` comes before. Whatever goes wrong is added to `wrong`, but for refusals by the addresses in `expected`."""
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        # Not where the computer is, so that times of day are told from UTC.
        page = browser.new_page(viewport={"width": 1280, "height": 800}, timezone_id="Asia/Kolkata")
        page.set_default_timeout(60_000)
        page.on("console", lambda said: said.type in ("error", "warning") and said.location["url"] not in expected and wrong.append(f'{said.text} {said.location["url"]}'))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("requestfailed", lambda request: "/api/live" not in request.url and request.url not in expected and wrong.append(request.url))
        # Nothing is loaded from elsewhere.
        page.on("request", lambda request: request.url.startswith((url, "data:")) or wrong.append(request.url))
        page.goto(url)
        if enter:
            enter(page)
        page.wait_for_selector(link)
        yield page
        browser.close()
