// Parts of a page that follow what happens: <div data-live="ADDRESS" data-live-seconds="3">…</div> is filled with what
// the address answers. What is unfolded, focused or scrolled in it stays so.

import { keepFocus } from "./focus.js";
import { poll } from "./poll.js";

const all = (part, selector) => [...part.querySelectorAll(selector)];

const replace = (part, nodes) => {
  const folds = all(part, "details").map((fold) => fold.open);
  const focusAgain = keepFocus(part);
  const scrolled = all(part, ".rota-scroll").map((each) => [each.scrollLeft, each.scrollTop]);
  part.replaceChildren(...nodes);
  const now = all(part, "details");
  if (now.length === folds.length) {
    now.forEach((fold, place) => { fold.open = folds[place]; });
  }
  all(part, ".rota-scroll").forEach((each, place) => {
    [each.scrollLeft, each.scrollTop] = scrolled[place] ?? [0, 0];
  });
  focusAgain(part);
};

for (const part of document.querySelectorAll("[data-live]")) {
  poll(part, {
    address: part.dataset.live,
    seconds: Number(part.dataset.liveSeconds) || 3,
    isBusy: () => false,
    // The server's own template, with every value escaped.
    show: (read) => {
      replace(part, [...read.body.childNodes].map((node) => document.adoptNode(node)));
      return true;
    },
  });
}
