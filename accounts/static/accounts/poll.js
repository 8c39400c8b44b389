// Asks an address again and again while somebody looks at the page, less often while it does not answer.
//
// Whatever learns that something happened says so, and everything is asked for at once, at most once a second:
//   document.dispatchEvent(new Event("rota:changed"))

import { listen } from "./changes.js";

const SOONEST = 1000;
const LONGEST_PAUSE = 60;
const TIMEOUT = 12_000;

const withoutTokens = (html) => html.replaceAll(/name="csrfmiddlewaretoken" value="[^"]*"/g, "");

// Where the page says, in words, that it does not get an answer.
const notice = document.querySelector("[data-live-notice]");
const silent = new Map();

const say = (part, what) => {
  part.classList.toggle("rota-stale", what !== "");
  silent.set(part, what);
  const reason = [...silent.values()].find((each) => each !== "") ?? "";
  const text = reason && notice?.dataset[reason];
  if (notice && notice.textContent !== text) {
    notice.textContent = text;
    notice.hidden = text === "";
  }
};

const isSelecting = (part) => {
  const selection = document.getSelection();
  return selection !== null && !selection.isCollapsed && part.contains(selection.anchorNode);
};

// Calls show(document) with each answer that differs from the one that was shown last, which show() is by returning
// true; isBusy() puts it off. "Rota-Live: ended" in an answer says that nothing will change any more: the page is loaded
// once more, to be shown whole.
export const poll = (part, { address, seconds, isBusy, show }) => {
  let last = null;
  let timer = 0;
  let asking = false;
  let again = false;
  let failures = 0;
  let askedAt = 0;

  const later = (pause) => {
    clearTimeout(timer);
    timer = setTimeout(ask, pause);
  };
  const inAWhile = () => later(Math.min(seconds * 2 ** failures, LONGEST_PAUSE) * 1000);
  const busy = () => document.hidden || isSelecting(part) || isBusy();

  const take = async (answer) => {
    if (answer.type === "opaqueredirect") {
      // It leads to the log-in: the session is over.
      throw new Error("out");
    }
    if (!answer.ok) {
      throw new Error(answer.status === 503 ? "slow" : "gone");
    }
    const html = await answer.text();
    if (answer.headers.get("Rota-Live") === "ended") {
      window.location.reload();
      return;
    }
    const said = withoutTokens(html);
    if (said !== last && !busy() && show(new DOMParser().parseFromString(html, "text/html"))) {
      last = said;
    }
  };

  const ask = async () => {
    if (busy()) {
      inAWhile();
      return;
    }
    asking = true;
    again = false;
    askedAt = Date.now();
    let silence = "";
    let patient = false;
    try {
      await take(await fetch(address, {
        headers: { "Rota-Fragment": "1" }, redirect: "manual", signal: AbortSignal.timeout(TIMEOUT),
      }));
      failures = 0;
    } catch (error) {
      failures += 1;
      silence = ["out", "slow"].includes(error.message) ? error.message : "gone";
      // One refusal is not worth a word: a server that is started anew is back before the next one. But this has taken
      // long already, or was said in so many words.
      patient = silence === "gone" && error.name !== "TimeoutError" && failures === 1;
    }
    say(part, patient ? "" : silence);
    asking = false;
    (again ? soon : inAWhile)();
  };

  const soon = () => {
    if (asking) {
      // What was asked for may have been read before this happened.
      again = true;
    } else {
      later(Math.max(0, askedAt + SOONEST - Date.now()));
    }
  };
  document.addEventListener("rota:changed", soon);
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) {
      soon();
    }
  });
  inAWhile();
  listen();
};
