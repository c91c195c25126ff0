"""Debian's Chromium without a window, for pages on this machine. `make browser` installs it.

    python tests/integration/headless.py REPORT.html FOLDER

takes the pictures for docs/: FOLDER/report-light.png and FOLDER/report-dark.png, the whole page.
"""
from __future__ import annotations

import base64
import contextlib
import ctypes
import io
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

CLONE_NEWNET = 0x40000000
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--hide-scrollbars",
)


@contextlib.contextmanager
def no_network():
    """This thread and what it starts are in a network of their own, in which there is nobody else. Needs root."""
    libc = ctypes.CDLL(None, use_errno=True)
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        if libc.unshare(CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "a network namespace cannot be made")
        try:
            subprocess.run(["ip", "link", "set", "lo", "up"], check=True)  # the driver is spoken to over loopback
            yield
        finally:
            if libc.setns(before, CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "the network namespace cannot be left")
    finally:
        os.close(before)


class Browser(webdriver.Chrome):
    def size(self, width, height=900):
        self.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": False})

    def scheme(self, name):
        self.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": name}]})

    def show(self, path):
        self.get(Path(path).resolve().as_uri())

    def requested(self):
        """URLs that were asked for since the last call; what stands in the page itself (data:) is no request."""
        events = [json.loads(entry["message"])["message"] for entry in self.get_log("performance")]
        urls = [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]
        return [url for url in urls if not url.startswith("data:")]

    def picture(self):
        """The whole page as a PNG."""
        width, height = self.execute_script(
            "return [document.documentElement.clientWidth, document.documentElement.scrollHeight]")
        return base64.b64decode(self.execute_cdp_cmd("Page.captureScreenshot", {
            "captureBeyondViewport": True, "clip": {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}})["data"])

    def printed(self):
        """The page as a PDF, the way a person prints it: A4, no header, no coloured page."""
        return base64.b64decode(self.execute_cdp_cmd("Page.printToPDF", {"preferCSSPageSize": True})["data"])


@contextlib.contextmanager
def chromium():
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    with tempfile.TemporaryDirectory(prefix="chromium-") as profile:
        for flag in (*FLAGS, "--user-data-dir=" + profile):
            options.add_argument(flag)
        # With a driver named, Selenium does not look for one to download.
        browser = Browser(options=options, service=Service(executable_path="/usr/bin/chromedriver"))
        try:
            browser.get("about:blank")
            for kind in ("performance", "browser"):
                browser.get_log(kind)  # of the page it begins with
            yield browser
        finally:
            browser.quit()


def main(report, folder):
    with no_network(), chromium() as browser:
        browser.size(1100)
        for scheme in ("light", "dark"):
            browser.scheme(scheme)
            browser.show(report)
            image = Image.open(io.BytesIO(browser.picture())).convert("RGB")
            image.quantize(128, dither=Image.Dither.NONE).save(Path(folder, "report-%s.png" % scheme), optimize=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
