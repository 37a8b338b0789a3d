# SPDX-License-Identifier: GPL-2.0-or-later
"""The page in a real browser (headless Chromium): what a technician with a phone or a laptop does.

Screenshots are left in build/tests/recovery/screens.
"""

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.support.expected_conditions import alert_is_present
from selenium.webdriver.support.ui import WebDriverWait

import bundles
from conftest import WORK
from lbbrowser import PHONE, Browser
from test_page import CODE, page  # noqa: F401 (a fixture)

SCREENS = WORK / "screens"


@pytest.fixture
def browser():
    made = []

    def make(**how):
        made.append(Browser(SCREENS, **how))
        return made[-1]

    yield make
    for b in made:
        b.quit()


def test_bundle_is_installed_from_the_browser(page, browser, packed, images):
    p = page().start()
    b = browser().open(p.port)
    b.wait(lambda: "waiting" in b.text("now"))
    assert b.text("device") == "bench (bench-board)" and b.text("state") == "confirmed"
    b.shot("waiting")
    b.install(packed[2].absolute(), CODE)
    b.wait(lambda: "installed" in b.text("say"))
    b.shot("installed")
    assert p.run.wait() == 0 and p.device.holds(images[2])
    assert not b.complaints()


def test_progress_is_seen_live_in_two_browsers(page, browser, server, large_packed):
    server.change("limit_rate 1m;")
    server.put("big.lbu", large_packed)
    p = page(slots={"boot": 2 << 20, "root": 80 << 20})
    p.start("--install", server.url("big.lbu"), reason="requested")
    p.run.wait_for(lambda run: run.progress("write"))
    first, second = browser().open(p.port), browser(size=PHONE).open(p.port)
    for b in (first, second):
        values = set()
        b.wait(lambda b=b, values=values: values.add(b.find("bar").get_attribute("value")) or len(values) >= 3)
        assert b.text("line").startswith("writing ")
    first.shot("writing")
    second.shot("writing-phone")
    width = second.driver.execute_script("return document.documentElement.scrollWidth")
    assert width <= PHONE[0] + 120, "nothing sticks out to the side on a phone"
    p.run.kill()


def test_bad_bundle_is_explained(page, browser, images, tmp_path):
    bad = tmp_path / "foreign.lbu"
    bad.write_bytes(bundles.write(images[2], bundles.Key.new(), 2))
    p = page().start()
    b = browser().open(p.port)
    b.wait(lambda: "waiting" in b.text("now"))
    b.install(bad, CODE)
    b.wait(lambda: "[signature-invalid]" in b.text("say"))
    b.shot("refused")
    assert b.find("say").get_attribute("class") == "bad"


def test_wrong_code_is_explained_and_can_be_corrected(page, browser, packed, images):
    p = page().start()
    b = browser().open(p.port)
    b.wait(lambda: "waiting" in b.text("now"))
    b.install(packed[2].absolute(), code="wrong")
    b.wait(lambda: "[code-wrong]" in b.text("say"))
    b.find("code").clear()
    b.find("code").send_keys(CODE.lower())
    b.button("Install").click()
    b.wait(lambda: "installed" in b.text("say"))
    assert p.run.wait() == 0 and p.device.holds(images[2])


def test_upload_that_is_interrupted_says_what_to_do_and_is_finished_by_the_next(page, browser, large_packed,
                                                                              large_images):
    p = page(slots={"boot": 2 << 20, "root": 80 << 20}, idle_s=0).start()
    b = browser().open(p.port)
    b.wait(lambda: "waiting" in b.text("now"))
    b.driver.set_network_conditions(latency=0, download_throughput=1 << 30, upload_throughput=4 << 20)
    b.install(large_packed.absolute(), CODE)
    p.run.wait_for(lambda run: run.progress("write"))
    b.driver.get("about:blank")  # the person leaves the page
    p.run.wait_for(lambda run: any("send the same bundle again" in e.get("text", "") for e in run.events))
    b = browser().open(p.port)
    b.wait(lambda: "send the same bundle again" in b.driver.find_element(By.ID, "log").text)
    b.shot("interrupted")
    b.install(large_packed.absolute(), CODE)
    b.wait(lambda: "installed" in b.text("say"), timeout=180)
    assert p.run.wait(60) == 0 and p.device.holds(large_images)


def test_two_browsers_one_installer(page, browser, packed, large_packed):
    p = page(slots={"boot": 2 << 20, "root": 80 << 20}).start()
    first, second = browser().open(p.port), browser().open(p.port)
    first.wait(lambda: "waiting" in first.text("now"))
    first.driver.set_network_conditions(latency=0, download_throughput=1 << 30, upload_throughput=2 << 20)
    first.install(large_packed.absolute(), CODE)
    first.wait(lambda: p.status()["upload"])
    second.install(packed[2].absolute(), CODE)
    second.wait(lambda: "[busy]" in second.text("say"))
    assert p.run.running()


def test_form_works_without_javascript(page, browser, packed, images):
    p = page().start()
    b = browser(javascript=False).open(p.port)
    assert b.driver.find_element(By.LINK_TEXT, "progress as text")
    b.shot("no-script")
    b.install(packed[2].absolute(), CODE)
    b.wait(lambda: "installed" in b.driver.find_element(By.TAG_NAME, "body").text)
    assert p.run.wait() == 0 and p.device.holds(images[2])


def test_cancel_by_keyboard_alone(page, browser):
    p = page().start()
    b = browser().open(p.port)
    b.wait(lambda: "waiting" in b.text("now"))
    b.find("code").send_keys(CODE)
    button = b.button("Cancel the update")
    b.wait(lambda: b.driver.execute_script("arguments[0].focus(); return document.activeElement === arguments[0]",
                                           button))
    button.send_keys("\n")
    assert p.run.wait() == 3


def test_everything_has_a_name_for_a_screen_reader(page, browser):
    p = page().start()
    b = browser().open(p.port)
    nameless = b.driver.execute_script("""
        return [...document.querySelectorAll("input, button, progress, pre")].filter(e =>
            !(e.labels && e.labels.length) && !e.getAttribute("aria-labelledby") && !e.textContent.trim()
        ).map(e => e.outerHTML)""")
    assert not nameless
    assert b.driver.execute_script("return document.documentElement.lang") == "en"
    browser(dark=True).open(p.port).shot("dark")


def test_factory_reset_needs_code_and_word(page, browser):
    p = page(idle_s=0)
    data = p.device.folder / "data"
    data.write_bytes(b"private" * 100_000)
    p.device.settings["recovery"]["reset"] = [str(data)]
    p.start()
    b = browser().open(p.port)
    b.wait(lambda: "waiting" in b.text("now"))
    b.driver.find_element(By.TAG_NAME, "summary").click()
    b.find("rcode").send_keys(CODE)
    b.find("word").send_keys("yes")
    b.button("Erase all data").click()
    assert b.driver.execute_script("return document.querySelector('#word:invalid') !== null")
    assert data.read_bytes().startswith(b"private")
    b.find("word").clear()
    b.find("word").send_keys("erase")
    b.shot("factory-reset")
    b.button("Erase all data").click()
    WebDriverWait(b.driver, 60).until(alert_is_present()).accept()
    b.wait(lambda: "asked for" in b.text("say"))
    assert p.run.wait() == 3 and data.read_bytes() == bytes(700_000)


def test_without_data_to_erase_there_is_no_reset(page, browser):
    p = page().start()
    b = browser().open(p.port)
    b.wait(lambda: "waiting" in b.text("now"))
    b.wait(lambda: not b.find("erase").is_displayed())
