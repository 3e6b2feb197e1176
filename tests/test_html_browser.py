"""The HTML report in a real browser: it renders, asks for nothing, and runs no name as a script."""

import base64
import json
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from made_results import LAYERS, details_of, made_point, made_trial, rung, write_sweep

from rxsim.report.html import build_page
from rxsim.report.material import read_material
from rxsim.store import open_results

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(
    CHROMIUM is None or DRIVER is None,
    reason="Chromium and chromedriver are not installed (Debian: chromium, chromium-driver)",
)
FLAGS = (
    *("headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run"),
    *("disable-background-networking", "disable-component-update", "disable-sync"),
    *("disable-dev-shm-usage", "hide-scrollbars"),
)
SCRIPT = "<script>window.pwned = 1</script>"
IMAGE = "\"'><img src=http://example.org/x onerror='window.pwned = 2'>"
CLOSING = "</text></svg></td><svg onload=window.pwned=3>"
CONTRAST = """
const numbers = colour => colour.match(/[\\d.]+/g).slice(0, 3).map(Number);
const light = colour => numbers(colour).map(v => v / 255)
  .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
  .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
const ratio = (a, b) => (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
const paper = light(getComputedStyle(document.documentElement).backgroundColor === 'rgba(0, 0, 0, 0)'
  ? getComputedStyle(document.body).backgroundColor
  : getComputedStyle(document.documentElement).backgroundColor);
const svg = [...document.querySelectorAll('svg text')]
  .filter(e => !/#010101|#ffffff|rgb\\(/.test(e.getAttribute('style') || ''))
  .map(e => ratio(light(getComputedStyle(e).fill), paper));
const body = [...document.querySelectorAll('p, dd, dt, td, th, h1, h2, h3, a, figcaption, caption')]
  .map(e => ratio(light(getComputedStyle(e).color), paper));
return {paper, svg: Math.min(...svg), texts: svg.length, body: Math.min(...body)};
"""

_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Browser:
    """Chromium, driven over the W3C WebDriver protocol."""

    def __init__(self, address: str, folder: Path) -> None:
        self.address = address
        options = {
            "binary": CHROMIUM,
            "args": [f"--{flag}" for flag in FLAGS] + [f"--user-data-dir={folder}"],
        }
        wanted = {
            "browserName": "chrome",
            "goog:chromeOptions": options,
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
        }
        made = self._call("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        self.session = f"/session/{made['sessionId']}"

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.address + path, data, method=method)
        with _DIRECT.open(request, timeout=60) as answer:
            return json.load(answer)["value"]

    def post(self, path: str, **body: Any) -> Any:
        return self._call("POST", self.session + path, body)

    def run(self, script: str) -> Any:
        return self.post("/execute/sync", script=script, args=[])

    def log(self, kind: str) -> list[Any]:
        return list(self.post("/se/log", type=kind))

    def devtools(self, command: str, **parameters: Any) -> Any:
        return self.post("/goog/cdp/execute", cmd=command, params=parameters)

    def close(self) -> None:
        self._call("DELETE", self.session)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("browser")
    names = [SCRIPT, IMAGE, CLOSING, *LAYERS[:5]]
    write_sweep(
        folder / "r.sqlite", rows=(32, 64), wires=(1.0, 4.0), trials=3, failures=1,
        model=f"{SCRIPT}.onnx", data=IMAGE, names=names,
    )  # fmt: skip
    page = folder / "report.html"
    page.write_text(build_page(read_material(folder / "r.sqlite"), f"rxsim report {CLOSING}"))
    return page


@pytest.fixture(scope="module")
def browser(report: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    assert DRIVER is not None
    process = subprocess.Popen([DRIVER, "--port=0"], stdout=subprocess.PIPE, text=True)
    opened = None
    try:
        assert process.stdout is not None
        port = next(
            line.split()[-1].rstrip(".")
            for line in process.stdout
            if "started successfully on port" in line
        )
        opened = Browser(f"http://127.0.0.1:{port}", tmp_path_factory.mktemp("profile"))
        # The first tab's own page asks for much: the logs are to hold what the report does.
        opened.post("/url", url="about:blank")
        opened.log("performance")
        opened.log("browser")
        opened.post("/url", url=report.as_uri())
        yield opened
    finally:
        if opened is not None:
            opened.close()
        process.terminate()
        process.wait(timeout=20)


def test_it_renders_without_a_word_on_the_console(browser: Browser) -> None:
    """First of all tests: the logs hold what loading the page left."""
    assert browser.log("browser") == []
    drawings = browser.run(
        "return [...document.querySelectorAll('svg')].map(e => e.getBoundingClientRect())"
        ".map(r => [r.width, r.height])"
    )
    assert len(drawings) == 6  # ladder, layers, two axes, one pair, front
    assert all(width > 400 and height > 100 for width, height in drawings)
    # Drawn things are where they should be: inside the drawing, and not all in one place.
    outside = browser.run(
        "return [...document.querySelectorAll('svg')].map(svg => {"
        "const box = svg.getBoundingClientRect();"
        "return [...svg.querySelectorAll('text')].map(e => e.getBoundingClientRect())"
        ".filter(r => r.width == 0 || r.left < box.left - 2 || r.right > box.right + 2"
        " || r.top < box.top - 2 || r.bottom > box.bottom + 2).length})"
    )
    assert outside == [0] * 6
    assert browser.run("return document.querySelectorAll('main section').length") >= 8


def test_no_request_leaves_the_file(browser: Browser, report: Path) -> None:
    messages = [json.loads(entry["message"])["message"] for entry in browser.log("performance")]
    asked = [
        message["params"]["request"]["url"]
        for message in messages
        if message["method"] == "Network.requestWillBeSent"
    ]
    assert [url for url in asked if not url.startswith("data:")] == [report.as_uri()]


def test_hostile_names_are_text_and_run_nothing(browser: Browser) -> None:
    assert browser.run("return typeof window.pwned") == "undefined"
    assert browser.run("return document.querySelectorAll('script, img, iframe').length") == 0
    assert browser.run("return document.querySelector('h1').textContent") == (
        f"{SCRIPT}.onnx on resistive crossbars"
    )
    cells = browser.run("return [...document.querySelectorAll('tbody th')].map(e => e.textContent)")
    assert {SCRIPT, IMAGE, CLOSING} <= set(cells)
    drawn = browser.run("return [...document.querySelectorAll('svg text')].map(e => e.textContent)")
    # Names in drawings are cut in the middle, where they are long.
    assert any(text.startswith("<script>windo") and "…" in text for text in drawn)
    assert CLOSING in browser.run("return document.querySelector('#provenance').textContent")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_is_legible_in_light_and_dark(browser: Browser, scheme: str) -> None:
    media = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.devtools("Emulation.setEmulatedMedia", features=media)
    found = browser.run(CONTRAST)
    assert found["paper"] > 0.9 if scheme == "light" else found["paper"] < 0.05
    assert found["texts"] > 50
    # Source: WCAG 2.2, 1.4.3: at least 4.5 to 1.
    assert found["svg"] >= 4.5
    assert found["body"] >= 4.5


def test_a_phone_shows_it_without_scrolling_sideways(browser: Browser) -> None:
    browser.devtools(
        "Emulation.setDeviceMetricsOverride",
        width=360, height=740, deviceScaleFactor=1, mobile=True,
    )  # fmt: skip
    try:
        assert browser.run("return window.innerWidth") == 360
        assert browser.run("return document.documentElement.scrollWidth") <= 360
        # Every chart whole: what stands at its right is the crossbar's own number.
        cut = "e => e.getBoundingClientRect().right > 360 || e.scrollWidth > e.clientWidth"
        script = f"return Array.from(document.querySelectorAll('.chart')).filter({cut}).length"
        assert browser.run(script) == 0
    finally:
        browser.devtools("Emulation.clearDeviceMetricsOverride")


def test_it_prints(browser: Browser) -> None:
    pdf = base64.b64decode(browser.post("/print", background=False))
    assert pdf.startswith(b"%PDF-")
    pages = pdf.count(b"/Type /Page\n") + pdf.count(b"/Type /Page ") + pdf.count(b"/Type/Page\n")
    assert 3 <= pages <= 20
    # On paper, what is folded is left out, and the charts stay.
    browser.devtools("Emulation.setEmulatedMedia", media="print", features=[])
    assert browser.run(
        "return [...document.querySelectorAll('details:not([open])')]"
        ".every(e => getComputedStyle(e).display == 'none')"
    )
    assert browser.run("return getComputedStyle(document.querySelector('svg')).display") == "block"
    browser.devtools("Emulation.setEmulatedMedia", media="", features=[])


def test_times_are_drawn_inside_their_charts(browser: Browser, tmp_path: Path) -> None:
    """Last of all tests: it leaves the report. 0 stands left of a break, and times read as 1 h, 1 d."""
    with open_results(tmp_path / "t.sqlite", write=True) as results:
        for place, seconds in enumerate((0, 3600, 86400, 31536000)):
            for kind in ("none", "layer"):
                changes = {
                    "device.model": "pcm-nandakumar",
                    "device.time": seconds,
                    "drift_compensation": kind,
                }
                point = made_point(changes, model=f"{SCRIPT}.onnx", names=[IMAGE])
                for number in range(3):
                    trial = made_trial(point, number, 0.9 - 0.03 * place - 0.001 * number)
                    results.add(point, trial, None if number else point.details)
    swept, evaluated = tmp_path / "swept.html", tmp_path / "evaluated.html"
    swept.write_text(build_page(read_material(tmp_path / "t.sqlite")))
    point = made_point({"device.model": "pcm-nandakumar"}, model=f"{SCRIPT}.onnx", names=[IMAGE])
    details = details_of(point.settings, [IMAGE])
    details["ladder"]["nonideal"] = rung(0.9, 12.0)
    times = [{"time": seconds, **rung(0.9 - seconds * 1e-7, 12.0)} for seconds in (0, 3600, 86400)]
    content = {**details, "settings": point.settings, "over_time": [*times, {"time": CLOSING}]}
    (tmp_path / "e.json").write_text(json.dumps(content))
    evaluated.write_text(build_page(read_material(tmp_path / "e.json")))
    for page, title, most in ((swept, "Accuracy against time", "1 y"), (evaluated, "", "1 d")):
        browser.post("/url", url=page.as_uri())
        assert browser.run("return typeof window.pwned") == "undefined"
        found = browser.run(
            "return [...document.querySelectorAll('svg')].filter(svg =>"
            " [...svg.querySelectorAll('text')].some(e => e.textContent == 'Time after programming'))"
            ".map(svg => {const box = svg.getBoundingClientRect();"
            "return {title: svg.querySelector('title').textContent, texts:"
            "[...svg.querySelectorAll('text')].map(e => {const r = e.getBoundingClientRect();"
            "return [e.textContent, r.left - box.left, box.right - r.right, r.width]})}})"
        )
        assert found, page
        chart = next(each for each in found if title in each["title"])
        left = {text: place for text, place, _, _ in chart["texts"]}
        assert left["0 s"] < left["/"] < left["1 h"] < left["1 d"] <= left[most]
        assert all(start > -2 and end > -2 for _, start, end, _ in chart["texts"])
        assert all(width > 0 for _, _, _, width in chart["texts"])
