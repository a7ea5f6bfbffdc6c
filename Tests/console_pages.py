#!/usr/bin/env python3
"""Drives the console's pages in a real browser. Usage: console_pages.py LOGIN_LINK LOGIN_LINK HOST INCIDENT RUN PICTURES MESSAGE_LINK

The first link is used with scripts, the second with scripts switched off, which acknowledges the incident.
Prints one line a problem and ends with 1 where there is one.
"""
import importlib.util
import json
import os
import sys
import time

from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException, TimeoutException
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.expected_conditions import staleness_of
from selenium.webdriver.support.ui import WebDriverWait

WIDTHS = [(1440, 900), (768, 1024), (360, 740)]
# What one page may cost: bytes on the wire, requests, elements.
BYTES_MAX, REQUESTS_MAX, NODES_MAX = 100_000, 12, 1_500
SERIOUS = {"serious", "critical"}

problems = []


def report(sentence):
    problems.append(sentence)
    print(sentence, flush=True)


def browser():
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for word in ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--ignore-certificate-errors", "--hide-scrollbars"]:
        options.add_argument(word)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = webdriver.ChromeService(executable_path="/usr/bin/chromedriver")
    driver = webdriver.Chrome(options=options, service=service)
    driver.execute_cdp_cmd(
        "Page.addScriptToEvaluateOnNewDocument",
        {"source": "window.violations = []; addEventListener('securitypolicyviolation', e => violations.push(e.violatedDirective))"},
    )
    driver.set_page_load_timeout(60)
    return driver


def press(driver, selector):
    """Clicks a button, and waits until its page has gone."""
    button = driver.find_element(By.CSS_SELECTOR, selector)
    button.click()
    WebDriverWait(driver, 30).until(staleness_of(button))


def words_of(driver):
    """What the page says, also where it is replaced while it is read."""
    for _ in range(50):
        try:
            return driver.find_element(By.TAG_NAME, "body").text
        except StaleElementReferenceException:
            time.sleep(0.1)
    raise SystemExit("the page is replaced again and again")


def log_in(driver, link):
    driver.get(link)
    press(driver, "button.main")


def axe_source():
    # The package's own code needs a browser of its own; only the file in it is wanted.
    package = os.path.dirname(importlib.util.find_spec("axe_playwright_python").origin)
    for directory, _, names in os.walk(package):
        if "axe.min.js" in names:
            with open(os.path.join(directory, "axe.min.js"), encoding="utf-8") as file:
                return file.read()
    raise SystemExit("axe.min.js is not in axe_playwright_python")


def weigh(driver, name):
    figures = driver.execute_script(
        """const all = [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')];
        return {bytes: all.reduce((n, e) => n + e.transferSize, 0), requests: all.length,
                nodes: document.querySelectorAll('*').length, width: document.documentElement.scrollWidth,
                violations: window.violations || []}"""
    )
    if figures["bytes"] > BYTES_MAX or figures["requests"] > REQUESTS_MAX or figures["nodes"] > NODES_MAX:
        report(f"{name}: {figures}")
    for directive in figures["violations"]:
        report(f"{name}: violates {directive}")
    return figures


def look(driver, base, name, path, words, pictures, axe):
    for width, height in WIDTHS:
        driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500},
        )
        # Colours do not move anything: each width in both is looked at where a person wants the pictures.
        for mode in ["light", "dark"] if os.environ.get("SIGNALBOX_PICTURES") else ["dark" if width == 768 else "light"]:
            driver.execute_cdp_cmd(
                "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": mode}]}
            )
            driver.get(base + path)
            at = f"{name} at {width} px, {mode}"
            figures = weigh(driver, at)
            if name == "message":
                # Who was woken presses it before reading on.
                button = driver.find_element(By.CSS_SELECTOR, "button.main").rect
                if button["y"] + button["height"] > height or button["height"] < 44:
                    report(f"{at}: its button is not on the first screen, or small: {button}")
            if figures["width"] > width:
                report(f"{at}: is {figures['width']} px wide")
            text = words_of(driver)
            for word in words:
                if word not in text:
                    report(f"{at}: does not show '{word}'")
            driver.save_screenshot(os.path.join(pictures, f"{name}-{width}-{mode}.png"))
            driver.execute_script(axe)
            found = driver.execute_async_script(
                "axe.run(document, {resultTypes: ['violations']}).then(r => arguments[arguments.length - 1](r.violations))"
            )
            for violation in found:
                if violation["impact"] in SERIOUS:
                    places = [node["target"] for node in violation["nodes"]][:3]
                    report(f"{at}: {violation['impact']}: {violation['help']} {places}")
    print(json.dumps({"page": name, **figures}), flush=True)


def wait_for(driver, what, holds):
    """What a script does after a while."""
    try:
        WebDriverWait(driver, 20).until(lambda d: holds(d))
    except TimeoutException:
        report(f"{what}: does not happen ({driver.current_url})")


def walk_by_keys(driver, base, host):
    """Search, pages and rows without a pointer."""
    driver.get(base + "/")
    # To the page and not to an element: the one in focus may just have been hidden.
    keys = lambda text: ActionChains(driver).send_keys(text).perform()
    focused = lambda d: d.switch_to.active_element.get_attribute("href") or ""
    for word, path in [("i", "/incidents"), ("r", "/runs"), ("l", "/logs"), ("f", "/")]:
        keys("g" + word)
        wait_for(driver, f"g {word}", lambda d: d.current_url == base + path)
    driver.get(base + "/logs")
    keys("/")
    wait_for(driver, "/", lambda d: d.switch_to.active_element.tag_name == "input")
    keys("gi?")
    if driver.current_url != base + "/logs" or driver.find_elements(By.ID, "keys"):
        report("keys that are typed into a field do something else")
    driver.get(base + "/incidents")
    keys("?")
    wait_for(driver, "?", lambda d: d.find_element(By.CSS_SELECTOR, "#keys[open]"))
    keys(Keys.ESCAPE)
    wait_for(driver, "Esc", lambda d: not d.find_elements(By.CSS_SELECTOR, "#keys[open]"))
    keys("j")
    wait_for(driver, "j", lambda d: "/incidents/" in focused(d) and d.execute_script("return document.activeElement.matches(':focus-visible')"))
    keys(Keys.ENTER)
    wait_for(driver, "Enter", lambda d: "/incidents/" in d.current_url)


def watch_fleet(driver, base, host):
    """The fleet's page is drawn and kept current by its script."""
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {"width": 1440, "height": 900, "deviceScaleFactor": 1, "mobile": False})
    driver.get(base + "/")
    wait_for(driver, "the map is drawn", lambda d: d.find_element(By.CSS_SELECTOR, "canvas.drawn"))
    wait_for(driver, "the title counts what is open", lambda d: d.title.startswith("("))
    canvas = driver.find_element(By.CSS_SELECTOR, "canvas")
    seen = driver.execute_script(
        "const c = arguments[0], d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data; let n = 0;"
        "for (let i = 3; i < d.length; i += 4) if (d[i]) n++; return n", canvas)
    if seen < 20:
        report(f"the map has {seen} drawn points")
    # The first cell is below the name of its group.
    driver.execute_script(
        "const b = arguments[0].getBoundingClientRect();"
        "arguments[0].dispatchEvent(new PointerEvent('pointermove', {bubbles: true, clientX: b.x + 4, clientY: b.y + 20}))", canvas)
    if host not in driver.find_element(By.ID, "map-text").text:
        report(f"the map does not name the host: {driver.find_element(By.ID, 'map-text').text}")
    before = driver.find_element(By.ID, "as-of").text
    wait_for(driver, "the time of the page goes on", lambda d: d.find_element(By.ID, "as-of").text != before)


def read_charts(driver, base, host, run):
    """Charts that a script draws: one cursor over all of them, by pointer and keys, and a range that is dragged."""
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {"width": 1440, "height": 900, "deviceScaleFactor": 1, "mobile": False})
    driver.get(f"{base}/hosts/{host}")
    if not driver.execute_script("return Boolean(window.uPlot)"):
        print("the console has no uPlot: what draws with it is not tested", flush=True)
        return
    said = lambda d: [e.text for e in d.find_elements(By.CSS_SELECTOR, "figure[data-chart] .at") if e.text]
    wait_for(driver, "charts are drawn", lambda d: len(d.find_elements(By.CSS_SELECTOR, "figure .uplot canvas"))
             == len(d.find_elements(By.CSS_SELECTOR, "figure[data-chart]")) > 2)
    seen = driver.execute_script(
        "const c = document.querySelectorAll('figure .uplot canvas')[1], d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;"
        "let n = 0; for (let i = 3; i < d.length; i += 4) if (d[i]) n++; return n")
    if seen < 500:
        report(f"a chart has {seen} drawn points")
    over = driver.find_elements(By.CSS_SELECTOR, "figure .u-over")[1]
    # The newest minutes are at the right.
    ActionChains(driver).move_to_element_with_offset(over, over.rect["width"] / 2 - 3, 0).perform()
    wait_for(driver, "all charts show the cursor's moment", lambda d: len(said(d)) > 2 and len({t.split(" · ")[0] for t in said(d)}) < 3)
    ActionChains(driver).click_and_hold(over).move_by_offset(-int(over.rect["width"] / 4), 0).release().perform()
    wait_for(driver, "a dragged range stands in the address", lambda d: "since=2" in d.current_url and "until=2" in d.current_url)
    if "Memory" not in words_of(driver):
        report("the page of a dragged range shows no charts")
    driver.get(f"{base}/runs/{run}/episodes/2?with=1")
    plot = driver.find_element(By.CSS_SELECTOR, "figure .plot")
    plot.send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    wait_for(driver, "keys move the cursor of all charts", lambda d: len(said(d)) > 2 and all(t.startswith("step ") for t in said(d)))
    over = driver.find_elements(By.CSS_SELECTOR, "figure .u-over")[0]
    ActionChains(driver).click_and_hold(over).move_by_offset(60, 0).release().perform()
    wait_for(driver, "a range of steps stands in the address", lambda d: "from=" in d.current_url and "to=" in d.current_url)
    if "The whole episode" not in words_of(driver) or not driver.find_elements(By.CSS_SELECTOR, "figure .plot"):
        report("the page of a dragged range of steps does not show it")
    # What earlier pages left behind is not of this one.
    driver.execute_cdp_cmd("HeapProfiler.collectGarbage", {})
    heap = driver.execute_cdp_cmd("Runtime.getHeapUsage", {})["usedSize"]
    if heap > 10_000_000:
        report(f"a page with charts holds {heap} bytes")
    print(json.dumps({"heap": heap}), flush=True)
    weigh(driver, "the charts of an episode")


def follow_lines(driver, base):
    """New lines above those of the page: each once, with the reason where none comes."""
    driver.get(base + "/logs?since=1h")
    links = lambda d: [a.get_attribute("href") for a in d.find_elements(By.CSS_SELECTOR, '[aria-label="Table: lines"] td a[href*="/context?"]')]
    before = links(driver)
    driver.find_element(By.XPATH, "//button[text()='Follow']").click()
    wait_for(driver, "a followed page says how it does", lambda d: any(
        word in d.find_element(By.CSS_SELECTOR, ".tail output").text for word in ["quiet: newest line", "a second"]))
    after = links(driver)
    if len(after) < len(before) or len(set(after)) < len(after):
        report(f"a followed page has {len(after)} lines, of {len(before)} before, {len(set(after))} different ones")
    driver.find_element(By.XPATH, "//button[text()='Stop']").click()
    wait_for(driver, "following stops", lambda d: "Stopped." in d.find_element(By.CSS_SELECTOR, ".tail").text)
    weigh(driver, "the followed page")


def main():
    link, other, host, incident, run, pictures, message = sys.argv[1:8]
    os.makedirs(pictures, exist_ok=True)
    base = link.split("/login/")[0]
    axe = axe_source()
    driver = browser()
    try:
        driver.get(base + "/")
        if "Log in" not in driver.title:
            report(f"without a login, the fleet is shown: {driver.title}")
        log_in(driver, link)
        pages = [
            ("fleet", "/", ["Fleet", host, "open incident"]),
            ("host", f"/hosts/{host}", [host, "Incidents", "Memory: last", "Processes"]),
            ("incidents", "/incidents", ["Incidents", host]),
            ("incident", f"/incidents/{incident}", ["I have it", "Silence this rule here", "Steps", "Evidence", "Timeline", "Messages"]),
            ("message", message, ["I have it", "You act as duty", "Steps", "Evidence", "Log in to see more"]),
            ("runs", "/runs", ["Runs"]),
            ("run", f"/runs/{run}", ["Episodes", "completed", "total_reward: ", "Incidents in its time", "Parameters"]),
            ("episode", f"/runs/{run}/episodes/2?with=1&step=40", ["Completed.", "max (peak - later value) / peak", "position raised",
                                                                  "Transitions", "Decisions", "▶ Step 41", "Previous: episode 1"]),
            ("compare", f"/compare?runs={run}&metric=portfolio_value&align=relative", ["portfolio_value", "Parameters that differ"]),
            ("templates", "/logs?view=templates&since=1h", ["Templates", "lines", host]),
            ("models", "/models", ["Models", "No probe of model files has reported"]),
            ("serving", "/serving", ["Serving", "No metrics of a service were read"]),
            ("logs", "/logs?q=CUDA&host=&level=&since=1h", ["Logs", "CUDA out of memory", host]),
            ("admin", "/admin", ["Admin", "What lets somebody in", "access.login", "hosts.join"]),
            ("hosts", f"/hosts?q={host[:4]}", ["Hosts", "1 host matches", host]),
            ("gaps", "/gaps", ["Gaps", "was lost", "host is live"]),
            ("oncall", "/oncall", ["On call", "Turns taken over", "Whose calendar"]),
            ("silences", "/silences", ["Silences", "Nothing is silenced", "Silence something"]),
            ("query", "/query?view=log_lines", ["Query", "log_lines", "its text, without secrets"]),
        ]
        for name, path, words in pages:
            look(driver, base, name, path, words, pictures, axe)
        for entry in driver.get_log("browser"):
            if entry["level"] == "SEVERE":
                report(f"the browser's console: {entry['message']}")
        walk_by_keys(driver, base, host)
        driver.get(base + "/incidents/999999")
        if "no incident has the number 999999" not in words_of(driver):
            report("an incident that there is none of is not said to be none")
        read_charts(driver, base, host, run)
        follow_lines(driver, base)
        watch_fleet(driver, base, host)
        acknowledge_without_scripts(base, other, incident)
        wait_for(
            driver, "the fleet's page shows that somebody has it", lambda d: "acked" in words_of(d))
        weigh(driver, "the fleet's page after that")
        for entry in driver.get_log("browser"):
            if entry["level"] == "SEVERE" and "999999" not in entry["message"]:
                report(f"the browser's console, on the live page: {entry['message']}")
    finally:
        driver.quit()
    print(f"{len(problems)} problems", flush=True)
    sys.exit(1 if problems else 0)


def acknowledge_without_scripts(base, link, incident):
    driver = browser()
    try:
        driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
        log_in(driver, link)
        driver.get(f"{base}/incidents/{incident}")
        press(driver, "button.main")
        if f"You have incident {incident}." not in words_of(driver):
            report("without scripts, an incident cannot be acknowledged")
    finally:
        driver.quit()


main()
