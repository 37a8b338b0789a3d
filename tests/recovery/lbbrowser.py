# SPDX-License-Identifier: GPL-2.0-or-later
"""A headless Chromium in front of recovery's page, driven by chromedriver."""

import os
import time

from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By

PHONE = (390, 844)
DESK = (1280, 900)


class Browser:
    def __init__(self, screens, size=DESK, javascript=True, dark=False):
        self.screens = screens
        options = webdriver.ChromeOptions()
        for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                         "--hide-scrollbars", f"--window-size={size[0]},{size[1]}"):
            options.add_argument(argument)
        if dark:
            options.add_argument("--force-dark-mode")
        if not javascript:
            options.add_experimental_option("prefs", {"profile.managed_default_content_settings.javascript": 2})
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=Service(
            "/usr/bin/chromedriver", env={**os.environ, "HOME": "/tmp"}))
        self.driver.set_page_load_timeout(60)

    def open(self, port, path="/"):
        self.driver.get(f"http://127.0.0.1:{port}{path}")
        return self

    def find(self, name):
        return self.driver.find_element(By.ID, name)

    def text(self, name):
        return self.find(name).text

    def ask(self, what):
        try:
            return what()
        except StaleElementReferenceException:
            return None     # another page is being shown

    def wait(self, what, timeout=60):
        end = time.monotonic() + timeout
        while not (got := self.ask(what)):
            assert time.monotonic() < end, (self.driver.page_source[-3000:], self.complaints())
            time.sleep(0.1)
        return got

    def button(self, words):
        return next(b for b in self.driver.find_elements(By.TAG_NAME, "button") if b.text == words)

    def install(self, path, code):
        self.find("code").send_keys(code)
        self.find("bundle").send_keys(str(path))
        self.button("Install").click()

    def shot(self, name):
        self.screens.mkdir(parents=True, exist_ok=True)
        self.driver.save_screenshot(str(self.screens / f"{name}.png"))

    def complaints(self):
        """What the browser's console says, without the page's own end."""
        return [e for e in self.driver.get_log("browser") if "net::ERR_" not in e["message"] and
                "favicon" not in e["message"] and "status of 4" not in e["message"]]

    def quit(self):
        self.driver.quit()
