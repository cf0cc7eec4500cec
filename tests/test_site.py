"""The site in a browser: links, search, pictures, and widths of a desk and of a telephone.

`make docs` builds it, with ``DOCS_ARGS="-D plot_gallery=0"`` without running the examples.
"""

import shutil
import threading
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

SITE = Path(__file__).parent.parent / "docs" / "_build" / "html"
BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
pytestmark = [
    pytest.mark.skipif(not (SITE / "index.html").exists(), reason="make docs was not run"),
    pytest.mark.skipif(not (BROWSER and DRIVER), reason="There is no chromium with its driver"),
]

PAGES = [
    "index.html",
    "auto_examples/index.html",
    "auto_examples/quickstart.html",
    "api/index.html",
    "api/generated/sknn_basics.MLPClassifier.html",
    "api/generated/sknn_basics.displays.TrainingCurveDisplay.html",
    "user_guide/index.html",
    "user_guide/dense_networks.html",
    "user_guide/training.html",
    "user_guide/stacked_training.html",
    "user_guide/forecasting.html",
    "user_guide/autoencoders.html",
    "user_guide/pictures.html",
    "install.html",
    "choosing.html",
    "migration.html",
    "ecosystem.html",
    "troubleshooting.html",
    "measurements.html",
    "speed.html",
    "tables.html",
    "development.html",
    "contributing.html",
    "changelog.html",
]
WIDTHS = {"desk": 1280, "telephone": 390}

# What sticks out of the window, and no part of the page scrolls or hides.
STICKING_OUT = """
const holds = (part) => part && part !== document.body && (
    getComputedStyle(part).overflowX !== "visible" || holds(part.parentElement));
return [...document.querySelectorAll("article *, header *, footer *")]
    .filter((part) => part.checkVisibility() && !holds(part.parentElement))
    .filter((part) => part.getBoundingClientRect().right > innerWidth + 1)
    .map((part) => part.outerHTML.slice(0, 200));
"""
BROKEN_PICTURES = """
return [...document.images]
    .filter((image) => !image.complete || image.naturalWidth === 0)
    .map((image) => image.src);
"""


class QuietHandler(SimpleHTTPRequestHandler):
    """Serve files, and log nothing."""

    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def address():
    """Address of the served site."""
    handler = partial(QuietHandler, directory=SITE)
    with ThreadingHTTPServer(("localhost", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://localhost:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def driver():
    """A browser without a window."""
    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    for option in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"):
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = webdriver.ChromeService(DRIVER)
    with webdriver.Chrome(options=options, service=service) as driver:
        driver.set_page_load_timeout(60)
        yield driver


@pytest.fixture
def browse(driver, address):
    """Open a page at a width; the network beyond this machine is not there."""

    def browse(page, width="desk"):
        size = {"width": WIDTHS[width], "height": 900, "deviceScaleFactor": 1, "mobile": False}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        driver.execute_cdp_cmd("Network.enable", {})
        driver.execute_cdp_cmd("Network.setBlockedURLs", {"urls": ["https://*"]})
        driver.get(f"{address}/{page}")
        # Those below the window load when they come into sight.
        driver.execute_script("for (const image of document.images) image.loading = 'eager'")
        wait_until(driver, "return [...document.images].every((image) => image.complete)")
        return driver

    return browse


def wait_until(driver, script):
    from selenium.webdriver.support.ui import WebDriverWait

    WebDriverWait(driver, 30).until(lambda driver: driver.execute_script(script))


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("page", PAGES)
def test_a_page_fits_its_window_and_has_all_its_pictures(browse, page, width):
    driver = browse(page, width)
    assert driver.execute_script(BROKEN_PICTURES) == []
    assert driver.execute_script(STICKING_OUT) == []
    whole = driver.execute_script("return document.documentElement.scrollWidth")
    assert whole <= WIDTHS[width]


@pytest.mark.parametrize("page", PAGES)
def test_a_page_runs_without_errors_of_its_own(browse, page):
    driver = browse(page)
    errors = [entry["message"] for entry in driver.get_log("browser") if entry["level"] == "SEVERE"]
    assert [error for error in errors if "ERR_BLOCKED_BY_CLIENT" not in error] == []


# Where the questions of newcomers are answered, from the start page on.
ANSWERS = {
    "install it for a GPU": "install.html#gpu",
    "choose the sizes": "user_guide/dense_networks.html#choosing-sizes",
    "stop early": "user_guide/training.html#early-stopping",
    "train on a GPU": "user_guide/saving.html#gpu-to-cpu",
    "use columns of categories": "user_guide/data.html#categorical-columns",
    "see the progress": "user_guide/progress.html#notebook-progress",
    "make a search fast": "user_guide/stacked_training.html#stacked-or-n-jobs",
    "use a pretrained network": "user_guide/convolutional_networks.html#pretrained-networks",
    "forecast several steps": "user_guide/forecasting.html#several-steps",
    "decide between sknn_basics": "choosing.html#other-libraries",
}


@pytest.mark.parametrize(("question", "page"), ANSWERS.items())
def test_the_start_page_leads_to_the_answer_of_a_question(browse, address, question, page):
    driver = browse("index.html")
    driver.find_element("partial link text", question).click()
    assert driver.current_url == f"{address}/{page}"
    assert driver.find_elements("css selector", f"[id='{page.split('#')[1]}']")


def test_links_lead_from_the_start_to_an_example_and_to_the_api(browse):
    driver = browse("index.html")
    driver.find_element("link text", "Examples").click()
    assert driver.find_element("tag name", "h1").text.startswith("Examples")
    driver.find_element("partial link text", "Quickstart").click()
    assert driver.find_element("tag name", "h1").text.startswith("Quickstart")
    driver.find_element("css selector", "article a.sphx-glr-backref-module-sknn_basics").click()
    assert "/api/generated/sknn_basics." in driver.current_url
    assert driver.find_element("tag name", "h1").text.startswith(("MLP", "load_", "Search"))


def test_the_search_box_finds_a_class(browse):
    driver = browse("index.html")
    driver.find_element("css selector", ".search-button__button").click()
    (box,) = (
        box for box in driver.find_elements("css selector", "input[name=q]") if box.is_displayed()
    )
    box.send_keys("ConvNetRegressor\n")
    wait_until(driver, "return document.querySelectorAll('#search-results li a').length > 0")
    found = driver.find_elements("css selector", "#search-results li a")
    assert any("ConvNetRegressor" in link.get_attribute("href") for link in found)


class LinkReader(HTMLParser):
    """Read where the links of a page lead, and what of it can be linked to."""

    def __init__(self, page):
        super().__init__()
        self.links, self.anchors = set(), {""}
        self.feed(page.read_text())

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.anchors.add(attributes.get("id"))
        if tag in ("a", "img", "link", "script"):
            self.links |= {attributes.get(name) for name in ("href", "src")} - {None}


def test_every_link_within_the_site_leads_somewhere():
    # Among the theme's static files are templates, which are no pages.
    found = (page for page in SITE.rglob("*.html") if "_static" not in page.parts)
    pages = {page: LinkReader(page) for page in found}
    missing = []
    for page, reader in pages.items():
        for link in map(urlsplit, reader.links):
            if link.scheme or link.netloc:
                continue
            target = (page.parent / unquote(link.path)).resolve() if link.path else page
            known = pages[target].anchors if target in pages else {unquote(link.fragment)}
            if not target.exists() or unquote(link.fragment) not in known:
                missing.append((page.relative_to(SITE).as_posix(), link.geturl()))
    assert len(pages) > 50
    assert missing == []
