"""The page in two browsers at once, from the list of events to a ticket that is let in.

Run by page_test.sh, which starts everything and says where it is: BASE, ADMIN_TOKEN, SIMULATOR_BASE,
SHOTS (a folder for screenshots). What takes how long is printed and judged by nobody."""
import json
import os
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from datetime import datetime, timedelta, timezone

from page_driver import Browser, Failed

BASE, ADMIN = os.environ["BASE"], os.environ["ADMIN_TOKEN"]
SIMULATOR, SHOTS = os.environ["SIMULATOR_BASE"], os.environ["SHOTS"]
TOLD_SECONDS_MAX = 10  # What one takes the other sees.
WIDE, NARROW = (1440, 900), (360, 740)


def ask(method, url, body=None, token=ADMIN):
    headers = {"Content-Type": "application/json", "Idempotency-Key": f"page-{time.time_ns()}"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    request = urllib.request.Request(
        url, method=method, headers=headers,
        data=None if body is None else json.dumps(body).encode())
    with urllib.request.urlopen(request, timeout=30) as reply:
        return json.loads(reply.read() or b"{}")


def find_event(words):
    query = urllib.parse.urlencode({"q": words})
    return ask("GET", f"{BASE}/events?{query}", token=None)["items"][0]["eventId"]


def check(true, what):
    if not true:
        raise Failed(what)


def text(browser, selector):
    return browser.run(f"document.querySelector({json.dumps(selector)}).textContent")


def counts(browser):
    return tuple(int(text(browser, f"#count-{name}").replace(",", ""))
                 for name in ("available", "held", "sold"))


def shot(browser, name):
    """What there is to be looked at; and nothing may be wider than the window."""
    browser.shot(f"{SHOTS}/{name}.png", whole=True)
    check(browser.overflow() <= 0, f"{browser.name}: {name} is wider than the window")


def seen(browser, script, what):
    """Wait for it, and say how long it took."""
    begin = time.monotonic()
    browser.wait(script, TOLD_SECONDS_MAX, what)
    print(f"{what}: {1000 * (time.monotonic() - begin):.0f} ms", flush=True)


def open_event(browser, event):
    browser.go("about:blank")
    browser.go(f"{BASE}/#/events/{event}")
    browser.wait_for(".map canvas")
    browser.wait("/^[0-9,]+$/.test(document.querySelector('#count-available').textContent)")


def says(selector, words):
    return (f"document.querySelector({json.dumps(selector)})?.textContent"
            f".includes({json.dumps(words)})")


# ---- The steps ----

def search(browser):
    browser.go(f"{BASE}/")
    browser.wait("document.querySelectorAll('.card').length >= 5", why="the list of events")
    shot(browser, "list-wide")
    browser.run("document.querySelector('#q').focus()")
    browser.type("goldbreg variatoins")
    browser.wait("document.querySelectorAll('.card').length === 1", why="the search")
    browser.click(".card .cover")
    browser.wait_for(".map canvas")


def take_best(one, other):
    """The best seats are taken in one browser; the other sees it."""
    total, held, sold = counts(other)
    one.click("#best")
    one.wait_for("#held")
    seen(other, f"document.querySelector('#count-held').textContent === '{held + 2}'",
         "seats held in one browser are seen in the other after")
    check(counts(other) == (total - 2, held + 2, sold), "the counts do not add up")
    shot(one, "held-wide")


def choose_by_keyboard(one, other):
    """A seat of the map, without a mouse."""
    held = counts(one)[1]
    one.run("document.querySelector('.map canvas').focus()")
    one.key("ArrowDown", code=40)
    one.wait(says("#seat-told", "free"), why="the keyboard finds a seat")
    place = text(one, "#seat-told").split(" · ")[0]
    one.key("Enter", text="\r", code=13)
    one.wait_for("#hold")
    check(place in text(one, ".picked"), "the chosen seat is not listed")
    shot(one, "chosen-narrow")
    one.click("#hold")
    one.wait_for("#held")
    check(place in text(one, "#held"), "another seat is held than was chosen")
    seen(other, f"document.querySelector('#count-held').textContent === '{held + 1}'",
         "a seat chosen on the map is seen in the other browser after")
    shot(one, "held-narrow")


def give_back(one, other):
    held = counts(other)[1]
    one.click("#release")
    one.wait_for("#best")
    seen(other, f"document.querySelector('#count-held').textContent === '{held - 1}'",
         "a seat given back is seen in the other browser after")


def choose_card(browser, method):
    browser.click(f"input[value={method}]")
    browser.click("#confirm")


def pay(browser):
    """A reload loses nothing; a card that is declined does not either."""
    browser.call("Page.reload")
    browser.click("#pay")
    browser.wait_for("#confirm")
    shot(browser, "pay-wide")
    choose_card(browser, "pm_card_visa_chargeDeclinedInsufficientFunds")
    browser.wait(says("#order-status", "declined"))
    browser.wait_for("#confirm")
    choose_card(browser, "pm_card_visa")
    browser.wait(says("#order-status", "Paid"))
    tickets = browser.wait("document.querySelectorAll('.ticket img').length")
    browser.wait("[...document.querySelectorAll('.ticket img')]"
                 ".every((one) => one.complete && one.naturalWidth > 0)", why="the QR codes")
    check(tickets == 2, f"{tickets} tickets for 2 seats")
    shot(browser, "tickets-wide")


def scan(browser):
    """What the screen shows lets in, once."""
    codes = subprocess.run(["zbarimg", "--quiet", "--raw", f"{SHOTS}/tickets-wide.png"],
                           capture_output=True, text=True, check=True).stdout.split()
    check(len(codes) == 2, f"{len(codes)} codes can be read on the screen")
    for code in codes:
        reply = ask("POST", f"{BASE}/tickets/scan", {"code": code, "gate": "A"})
        check(reply["result"] == "admitted", f"a ticket is not let in: {reply}")
    browser.run("location.hash = '#/orders'")
    browser.wait("document.querySelectorAll('.card').length === 1", why="the list of orders")
    shot(browser, "orders-wide")


def prove(browser, bank):
    """3-D Secure: one answers at the bank, and the page goes on by itself."""
    browser.wait_for("#best")
    browser.click("#best")
    browser.click("#pay")
    browser.wait_for("#confirm")
    choose_card(browser, "pm_card_threeDSecure2Required")
    browser.wait_for("a.button.main")
    shot(browser, "proof-narrow")
    link = browser.run("document.querySelector('a.button.main').href")
    check(link.startswith(f"{SIMULATOR}/"), f"the bank is somewhere else: {link}")
    # A slow line: what can be pressed before its script has come would be heard by nobody.
    bank.call("Network.emulateNetworkConditions", offline=False, latency=500,
              downloadThroughput=-1, uploadThroughput=-1)
    bank.go(link)
    bank.click("#succeeded")
    bank.wait(says("#said", "Thank you"))
    bank.call("Network.emulateNetworkConditions", offline=False, latency=0,
              downloadThroughput=-1, uploadThroughput=-1)
    shot(bank, "bank-wide")
    browser.wait(says("#order-status", "Paid"))
    browser.wait("document.querySelectorAll('.ticket img').length === 2")
    browser.wait("[...document.querySelectorAll('.ticket img')]"
                 ".every((one) => one.complete && one.naturalWidth > 0)")
    shot(browser, "tickets-narrow")


def queue(event, one, other):
    """One may choose at a time: the second waits until the first has left."""
    for browser in (one, other):
        open_event(browser, event)
    ask("PUT", f"{BASE}/events/{event}/waiting-room",
        {"state": "open", "ratePerSecond": 5, "activeMax": 1, "claimSeconds": 120,
         "heartbeatSeconds": 30, "sessionSeconds": 600})
    one.click("#join")
    one.wait_for("#best", 30)
    shot(one, "turn-wide")
    other.click("#join")
    other.wait(says("#queue", "You are next"), 30)
    check("0 ahead" in other.run("document.title"), "the title does not tell the place")
    shot(other, "queue-narrow")
    other.call("Page.reload")
    other.wait(says("#queue", "You are next"), 30, "a place outlives a reload")
    one.click("#best")
    one.wait_for("#held")
    one.click("#release")
    one.wait_for("#join")
    other.wait_for("#best", 30)
    check("Your turn" in other.run("document.title"), "the title does not tell whose turn it is")
    other.click("#best")
    other.wait_for("#held")
    ask("PUT", f"{BASE}/events/{event}/waiting-room", {"state": "closed"})
    one.wait_for("#best", 30)


def come_back(event, browser):
    """What happened while the page was out of sight is there when it is seen again."""
    open_event(browser, event)
    held = counts(browser)[1]
    hide = ("Object.defineProperty(document, 'hidden', {{configurable: true, value: {}}});"
            "document.dispatchEvent(new Event('visibilitychange'))")
    browser.run(hide.format("true"))
    token = ask("POST", f"{BASE}/sessions", {}, token=None)["token"]
    ask("POST", f"{BASE}/events/{event}/holds", {"best": {"quantity": 3}}, token=token)
    browser.run(hide.format("false"))
    browser.wait(f"document.querySelector('#count-held').textContent === '{held + 3}'")


def begin_of_sale(event, browser):
    """The page counts down and opens by itself."""
    begin = datetime.now(timezone.utc) + timedelta(seconds=8)
    ask("PUT", f"{BASE}/events/{event}", {"onSaleAt": begin.strftime("%Y-%m-%dT%H:%M:%SZ")})
    open_event(browser, event)
    browser.wait(says(".panel", "The sale begins in"))
    shot(browser, "countdown-narrow")
    browser.wait_for("#best", 60)


def schemes(browser, event):
    """Dark, and a stadium; for looking at."""
    browser.call("Emulation.setEmulatedMedia",
                 features=[{"name": "prefers-color-scheme", "value": "dark"}])
    for name, size in (("dark-wide", WIDE), ("dark-narrow", NARROW)):
        browser.resize(*size)
        open_event(browser, event)
        shot(browser, name)


def run(browsers):
    goldberg, upcoming = find_event("goldberg"), find_event("new world")
    winterreise = find_event("winterreise")
    wide = Browser("wide", *WIDE)
    browsers.append(wide)
    narrow = Browser("narrow", *NARROW)
    browsers.append(narrow)
    open_event(narrow, goldberg)
    shot(narrow, "event-narrow")
    search(wide)
    shot(wide, "event-wide")
    take_best(wide, narrow)
    choose_by_keyboard(narrow, wide)
    give_back(narrow, wide)
    pay(wide)
    scan(wide)
    prove(narrow, wide)
    queue(winterreise, wide, narrow)
    come_back(goldberg, wide)
    begin_of_sale(upcoming, narrow)
    schemes(wide, goldberg)


def main():
    browsers = []
    try:
        run(browsers)
        complaints = [one for browser in browsers for one in browser.complaints()]
        check(not complaints, "the browsers complain:\n" + "\n".join(complaints))
    except Failed as failed:
        print(f"page_test: {failed}", file=sys.stderr)
        for browser in browsers:
            browser.shot(f"{SHOTS}/failed-{browser.name}.png")
            print("\n".join(browser.complaints()), file=sys.stderr)
        return 1
    finally:
        for browser in browsers:
            browser.close()
    print("page_test: from the list to the ticket, in two browsers, without a complaint")
    return 0


if __name__ == "__main__":
    sys.exit(main())
