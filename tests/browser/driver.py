"""What a person does with the page, in Chromium. Runs in an environment that has Playwright."""

import json
import shutil
import sys
from pathlib import Path

from playwright.sync_api import Browser, Page, expect, sync_playwright

TOLD = json.loads(sys.argv[1])
SHOTS = Path(TOLD["shots"])
WIDE, PHONE = {"width": 1440, "height": 1000}, {"width": 360, "height": 800}

CHECKS = Path(__file__).with_name("checks.js").read_text(encoding="utf-8")


def checked(page: Page) -> None:
    """Readable, named, within the window, and nothing but its own."""
    wrong = {what: found for what, found in page.evaluate(CHECKS).items() if found}
    assert wrong == {}, wrong
    assert "mem9" in page.title(), page.title()
    assert page.locator("h1").count() == 1
    assert page.locator("html[lang]").count() == 1


def opened(browser: Browser, address: str, **how: object) -> Page:
    """A page whose every error and foreign request is a failure."""
    page = browser.new_context(**how).new_page()
    page.on("pageerror", lambda error: sys.exit(f"script error: {error}"))
    page.on("console", lambda said: said.type == "error" and "401" not in said.text
            and "429" not in said.text and sys.exit(f"console: {said.text}"))  # fmt: skip
    page.on("request", lambda asked: asked.url.startswith(("http://127.0.0.1", "data:"))
            or sys.exit(f"asked elsewhere: {asked.url}"))  # fmt: skip
    page.goto(address)
    return page


def looks(browser: Browser) -> None:
    """Both colours, both widths."""
    for name, size, scheme in (
        ("wide", WIDE, "light"),
        ("dark", WIDE, "dark"),
        ("phone", PHONE, "light"),
        ("phone-dark", PHONE, "dark"),
    ):
        page = opened(browser, TOLD["page"], viewport=size, color_scheme=scheme)
        expect(page.get_by_text("too odd")).to_have_count(0)
        checked(page)
        assert page.locator("svg path").count() >= 5
        page.screenshot(path=SHOTS / f"dashboard-{name}.png", full_page=True)
        page.context.close()


def acts(browser: Browser) -> None:
    """Figures move by themselves, a filter stays, one dead letter is sent again, one discarded."""
    page = opened(browser, TOLD["page"], viewport=WIDE)
    page.get_by_role("button", name="Hold everything back").click()
    expect(page.get_by_role("status")).to_have_text("Everything is held back.")
    other = opened(browser, TOLD["page"], viewport=WIDE)
    other.evaluate("document.activeElement.blur()")
    page.get_by_role("button", name="Let everything go").click()
    # Without a click of its own: the script fetches it.
    expect(other.get_by_role("button", name="Hold everything back")).to_be_visible(timeout=60_000)
    page.get_by_label("State").select_option("dead")
    page.get_by_role("button", name="Filter", exact=True).click()
    expect(page.locator("tbody tr:has(code)").first).to_be_visible()
    first = page.locator("section, table").last.locator("tbody tr").first
    lane = first.locator("td").nth(6).inner_text()
    page.get_by_label("Lane").fill(lane)
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Send dead letters of this filter again").click()
    expect(page.get_by_text("1 job(s) match")).to_be_visible()
    page.keyboard.press("Enter")  # the button has the focus
    expect(page.get_by_role("status")).to_have_text("1 job(s) sent again.")
    assert page.get_by_label("Lane").input_value() == lane
    page.get_by_role("link", name="All").click()
    page.get_by_label("State").select_option("dead")
    page.get_by_role("button", name="Filter", exact=True).click()
    page.get_by_role("button", name="Discard all of this filter").click()
    page.get_by_role("button", name="Discard them").click()
    expect(page.get_by_role("status")).to_have_text("1 job(s) discarded.")
    expect(page.get_by_text("No job matches.")).to_be_visible()


def guarded(browser: Browser) -> None:
    """The page that Dify serves: wrong secret, right secret, and a stranger sees nothing."""
    page = opened(browser, TOLD["mine"], viewport=PHONE)
    checked(page)
    page.get_by_label("Secret").fill("a wrong one")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_have_text("That is not the secret.")
    page.get_by_label("Secret").fill(TOLD["secret"])
    page.keyboard.press("Enter")
    expect(page.get_by_text("Dead letters", exact=True)).to_be_visible()
    shown = page.locator("code").count()
    assert shown >= 2, shown
    checked(page)
    page.screenshot(path=SHOTS / "dashboard-in-dify.png", full_page=True)
    cookie = next(c for c in page.context.cookies() if c["name"] == "mem9_async_queue")
    assert cookie["httpOnly"]
    assert cookie["sameSite"] == "Strict"
    assert cookie["path"] == "/e/hook1/"
    stranger = opened(browser, TOLD["theirs"], viewport=WIDE)
    stranger.get_by_label("Secret").fill(TOLD["secret"])
    stranger.keyboard.press("Enter")
    expect(stranger.get_by_text("No job matches.")).to_be_visible()
    assert stranger.locator("code").count() == 0


def main() -> None:
    """Everything, in an order in which nothing is missed."""
    program = next(
        filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
    )
    if program is None:
        sys.exit("No Chromium is there: apt-get install chromium")
    SHOTS.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=["--no-sandbox"])
        for step in (looks, guarded, acts):
            step(browser)
            sys.stdout.write(f"{step.__name__}: as it should be\n")
        browser.close()


main()
