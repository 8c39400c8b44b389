// Keeps the live parts of a page up to date: fetches them every few seconds while somebody looks, and exchanges those
// that changed. Whoever knows that something happened dispatches "rota:changed" on the document; that is the one
// place where a push brings the page up to date at once. Without this script the page stays as it was opened.

import { listen } from "../accounts/changes.js";
import { keepFocus } from "../accounts/focus.js";

const SECONDS = 5;
// Every so many times everything is fetched; in between only what `data-live-light` asks for.
const FULL_EVERY = 4;
const LONGEST_WAIT_SECONDS = 60;
const TIMEOUT_SECONDS = 12;
const LEAST_DISTANCE_SECONDS = 1;

class LiveRegion {
  constructor(root, notice) {
    this.root = root;
    this.notice = notice;
    this.light = root.dataset.liveLight || "";
    this.served = new Map();
    this.rounds = 0;
    this.failures = 0;
    this.timer = 0;
    this.asking = false;
    this.again = false;
    this.asked = 0;
    this.ended = false;
    // A page that was opened without the database has everything to catch up with.
    this.full = !notice.hidden;
    this.wait(this.full ? 1 : SECONDS);
  }

  wait(seconds) {
    clearTimeout(this.timer);
    if (!this.ended) {
      this.timer = setTimeout(() => this.refresh(), seconds * 1000);
    }
  }

  /** Soon, but not more often than once in `LEAST_DISTANCE_SECONDS`. */
  changed() {
    if (this.asking) {
      this.again = true;
      return;
    }
    this.full = true;
    this.wait(Math.max(0, LEAST_DISTANCE_SECONDS - (Date.now() - this.asked) / 1000));
  }

  async refresh() {
    if (document.visibilityState === "hidden" || this.asking) {
      // Becoming visible refreshes at once.
      return;
    }
    this.asking = true;
    this.asked = Date.now();
    this.rounds += 1;
    const full = this.full || !this.light || this.rounds % FULL_EVERY === 0;
    try {
      const address = new URL(this.root.dataset.live, document.baseURI);
      for (const [name, value] of new URLSearchParams(full ? "" : this.light)) {
        address.searchParams.set(name, value);
      }
      const answer = await fetch(address, { signal: AbortSignal.timeout(TIMEOUT_SECONDS * 1000) });
      if (answer.redirected || answer.status === 401 || answer.status === 403) {
        this.ended = true;
        this.say("out");
        return;
      }
      if (!answer.ok) {
        throw new Error(answer.status === 503 ? "slow" : "gone");
      }
      this.exchange(await answer.text());
      this.failures = 0;
      this.full = false;
      this.say("");
    } catch (error) {
      this.failures += 1;
      this.say(error.message === "slow" ? "slow" : "gone");
      this.full = true;
    } finally {
      this.asking = false;
      const soon = this.again ? LEAST_DISTANCE_SECONDS : SECONDS;
      this.full ||= this.again;
      this.again = false;
      this.wait(Math.min(soon * 2 ** Math.max(0, this.failures - 1), LONGEST_WAIT_SECONDS));
    }
  }

  exchange(html) {
    const answer = new DOMParser().parseFromString(html, "text/html");
    for (const fresh of answer.querySelectorAll("[data-live-part]")) {
      const name = fresh.dataset.livePart;
      const html = fresh.outerHTML;
      const stale = this.root.querySelector(`[data-live-part="${CSS.escape(name)}"]`);
      if (stale && this.served.get(name) !== html) {
        this.served.set(name, html);
        replace(stale, fresh);
      }
    }
  }

  say(what) {
    const text = what ? this.notice.dataset[what] : "";
    if (this.notice.textContent !== text) {
      this.notice.textContent = text;
    }
    this.notice.hidden = !text;
    this.root.classList.toggle("rota-stale", Boolean(text));
  }
}

/** Put `fresh` where `stale` is, with the same things open, scrolled and focused as before. */
function replace(stale, fresh) {
  for (const open of stale.querySelectorAll("details[open][id]")) {
    fresh.querySelector(`#${CSS.escape(open.id)}`)?.setAttribute("open", "");
  }
  const scrolled = [...stale.querySelectorAll(".rota-scroll")].map((each) => [each.scrollLeft, each.scrollTop]);
  const focusAgain = keepFocus(stale);
  stale.replaceWith(fresh);
  [...fresh.querySelectorAll(".rota-scroll")].forEach((each, number) => {
    [each.scrollLeft, each.scrollTop] = scrolled[number] || [0, 0];
  });
  focusAgain(fresh);
}

const notice = document.querySelector("[data-live-notice]");
const regions = notice ? [...document.querySelectorAll("[data-live]")].map((root) => new LiveRegion(root, notice)) : [];

document.addEventListener("rota:changed", () => regions.forEach((region) => region.changed()));
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible") {
    regions.forEach((region) => region.changed());
  }
});
if (regions.length) {
  listen();
}
