"""The report as a browser shows it: Chromium, in a network in which nobody else is."""
from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path

import headless
import pytest
from selenium.webdriver.common.by import By

UNIT = Path(__file__).resolve().parents[1] / "unit"
HOSTILE = "<script>document.title='run'</script><img src=http://10.213.0.5/x onerror=\"document.title='run'\">"


@pytest.fixture(scope="module")
def report():
    """The module files of the report, and made-up results, which the unit tests have."""
    # tests/unit/conftest.py makes this tree importable as the collection; by its own name it would be taken for ours.
    specification = importlib.util.spec_from_file_location("unit_conftest", UNIT / "conftest.py")
    specification.loader.exec_module(importlib.util.module_from_spec(specification))
    sys.path.insert(0, str(UNIT))
    import check_results

    from ansible_collections.mlops.tf_serving.plugins.plugin_utils.report import files

    return files, check_results


@pytest.fixture(scope="module")
def pages(report, tmp_path_factory):
    """{name: path} of reports that differ as much as can be, and an index."""
    files, results = report
    folder = tmp_path_factory.mktemp("reports")
    pictures, labels = results.digits(300)
    expected = [int(label) for label in labels]
    given = [(label + 3) % 10 if test % 5 == 0 else label for test, label in enumerate(expected)]
    names = ["class %d, whose name is long" % (number % 100) for number in range(400)]
    hostile = [HOSTILE, HOSTILE + "2"] * 20
    values = [float(number) for number in range(100)]
    checks = {
        "failed": results.check(tests=300, wrong=200),
        "passed": results.check(),
        "replicas": (
            [results.server("pod mnist-deploy-serving-6f5d8c7b9-%05d" % number, expected, given, seed=number) for number in range(12)]
            + [results.server("address 203.0.113.10:9090", expected, given, failed=(3, 4), version=2)], expected, pictures, {},
        ),
        "classes": ([results.server("pod a", names, names[1:] + names[:1])], names, None, {}),
        "values": ([results.server("pod a", values, [value * 1.1 for value in values])], values, None, {"kind": "values"}),
        "hostile": (
            [results.server("pod " + HOSTILE, hostile, hostile[:30] + hostile[:10], failed=(1,))], hostile, None, {},
        ),
        "nothing": ([results.server("pod a", expected, given, failed=range(19), singles=0)], expected, pictures, {}),
    }
    made = {}
    for name, check in checks.items():
        if len(check) == 4:
            servers, wanted, shown, changes = check
            measured = results.measured(servers, wanted, shown, **changes)
            check = measured, results.findings(measured)
        measured, findings = check
        model = HOSTILE if name == "hostile" else name
        made[name] = files.write("%s/" % folder, {**measured, "model": model}, findings)
    return {**made, "index": str(folder / "index.html")}


@pytest.fixture(scope="module")
def browser():
    with headless.no_network(), headless.chromium() as made:
        yield made


@pytest.fixture
def shown(browser, pages):
    """shown(name, width, scheme) -> the browser with that page; nothing else was asked for, and it had nothing to complain of."""
    def show(name, width=1200, scheme="light"):
        browser.size(width)
        browser.scheme(scheme)
        browser.requested()
        browser.show(pages[name])
        assert browser.requested() == [Path(pages[name]).as_uri()]
        assert browser.get_log("browser") == []
        return browser
    return show


NAMES = ("failed", "passed", "replicas", "classes", "values", "hostile", "nothing", "index")


def test_there_is_no_way_out(browser):
    """Or the tests below would not tell much."""
    interfaces = Path("/proc/%d/net/dev" % browser.service.process.pid).read_text().splitlines()[2:]
    assert [line.split(":")[0].strip() for line in interfaces] == ["lo"]


@pytest.mark.parametrize("width", [400, 1200])
@pytest.mark.parametrize("name", NAMES)
def test_a_page(shown, name, width):
    browser = shown(name, width)
    heading = browser.find_element(By.TAG_NAME, "h1")
    assert heading.is_displayed() and heading.rect["y"] + heading.rect["height"] < 400  # the verdict, without scrolling
    too_wide, broken = browser.execute_script("""
        const root = document.documentElement;
        return [root.scrollWidth - root.clientWidth,
                [...document.images].filter(image => !image.complete || !image.naturalWidth).length];""")
    assert too_wide <= 0 and broken == 0


def test_the_wrong_pictures_and_the_plots_are_to_be_seen(shown):
    browser = shown("failed")
    pictures = browser.find_elements(By.CSS_SELECTOR, "ol.pictures img")
    assert len(pictures) == 120 and all(picture.size["width"] >= 60 for picture in pictures)
    assert pictures[0].get_attribute("alt") == "Test 199: expected 9, given 0"
    plots = browser.find_elements(By.CSS_SELECTOR, "figure svg")
    assert len(plots) == 3 and all(plot.size["height"] > 60 for plot in plots)
    cut = browser.execute_script("""
        return [...document.querySelectorAll('figure svg')].flatMap(plot => [...plot.querySelectorAll('text')].filter(text => {
            const inner = text.getBoundingClientRect(), outer = plot.getBoundingClientRect();
            return inner.left < outer.left - 2 || inner.right > outer.right + 2;
        }).map(text => text.textContent));""")
    assert cut == []


@pytest.mark.parametrize("name", ["failed", "replicas", "index"])
def test_texts_can_be_read_by_day_and_by_night(shown, name):
    """Another page by night, and letters that differ enough from what is behind them (WCAG: 4.5 to 1), plots as well."""
    pages = {}
    for scheme in ("light", "dark"):
        browser = shown(name, scheme=scheme)
        background, poor = browser.execute_script("""
            const parts = colour => colour.match(/[\\d.]+/g).map(Number);
            const light = colour => { const [r, g, b] = colour.map(v => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
                                      return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
            const behind = element => {
                const layers = [];
                for (let one = element; one; one = one.parentElement) layers.unshift(parts(getComputedStyle(one).backgroundColor));
                return layers.reduce((below, [r, g, b, a = 1]) => below.map((v, i) => v * (1 - a) + [r, g, b][i] * a), [255, 255, 255]);
            };
            const poor = [];
            for (const element of document.querySelectorAll('body *')) {
                if (![...element.childNodes].some(node => node.nodeType === 3 && node.data.trim())) continue;
                const style = getComputedStyle(element);
                const letters = parts(element instanceof SVGElement ? style.fill : style.color).slice(0, 3);
                const [high, low] = [light(letters), light(behind(element))].sort((a, b) => b - a);
                if ((high + 0.05) / (low + 0.05) < 4.5) poor.push(element.textContent + ' ' + (high + 0.05) / (low + 0.05));
            }
            return [getComputedStyle(document.body).backgroundColor, poor];""")
        assert poor == []
        pages[background] = browser.picture()
    assert len(pages) == 2 and len(set(pages.values())) == 2


@pytest.mark.parametrize(("name", "least", "most"), [("passed", 2, 4), ("failed", 3, 6), ("index", 1, 2), ("nothing", 1, 2)])
def test_it_prints_on_a_few_pages_of_a4(shown, name, least, most):
    printed = shown(name, scheme="dark").printed()
    sizes = re.findall(rb"/MediaBox\s*\[\s*0 0 ([\d.]+) ([\d.]+)\s*\]", printed)
    assert least <= len(sizes) <= most
    assert {(round(float(width)), round(float(height))) for width, height in sizes} <= {(595, 842), (596, 842)}


def test_the_index_leads_to_every_report_and_back(shown, pages):
    browser = shown("index")
    links = [link.get_attribute("href") for link in browser.find_elements(By.CSS_SELECTOR, "tbody a")]
    assert sorted(links) == sorted(Path(path).as_uri() for name, path in pages.items() if name != "index")
    for number in range(len(links)):
        browser.find_elements(By.CSS_SELECTOR, "tbody a")[number].click()
        assert browser.current_url == links[number] and browser.find_elements(By.TAG_NAME, "h1")
        browser.find_element(By.CSS_SELECTOR, "nav a").click()
        assert browser.current_url == Path(pages["index"]).as_uri()


def test_labels_do_not_run(shown, pages):
    for name in ("hostile", "index"):
        browser = shown(name)
        assert browser.title != "run" and "<script>document.title" in browser.find_element(By.TAG_NAME, "body").text


def test_a_script_that_did_get_in_would_not_run_either(browser, pages, tmp_path):
    page = tmp_path / "page.html"
    page.write_text(Path(pages["passed"]).read_text().replace("<main>", "<main>%s<script>document.title='run'</script>" % HOSTILE))
    browser.show(page)
    assert browser.title != "run"
    refused = [entry["message"] for entry in browser.get_log("browser") if "Content Security Policy" in entry["message"]]
    assert len(refused) == 4  # both scripts, the picture from elsewhere, and what runs where a picture is missing
