// The rows of a list follow what happens, as long as none of them is chosen for an action.

import { keepFocus } from "./focus.js";
import { poll } from "./poll.js";

const ROWS = "#result_list > tbody";
const CHOSEN = "input.action-select:checked, .action-toggle:checked";

// What a row is about: the object's number, or the page that it leads to.
const about = (row) => row.querySelector("input.action-select")?.value ?? row.querySelector("a[href]")?.getAttribute("href");

const isLike = (row, fresh) =>
  about(row) === about(fresh) && row.querySelectorAll("td, th").length === fresh.querySelectorAll("td, th").length;

const update = (row, fresh) => {
  const [cells, now] = [row, fresh].map((each) => [...each.querySelectorAll("tr.data-row > *")]);
  cells.forEach((cell, place) => {
    const box = cell.querySelector("input.action-select");
    if (box) {
      // The box itself stays, for whoever listens to it.
      box.value = now[place].querySelector("input.action-select").value;
    } else if (cell.innerHTML !== now[place].innerHTML) {
      const focusAgain = keepFocus(cell);
      cell.replaceChildren(...[...now[place].childNodes].map((node) => document.adoptNode(node)));
      focusAgain(cell);
    }
  });
};

// What the theme's own script does with the rows of a page that was loaded.
const watchBoxes = (boxes, parent) => {
  const counter = parent.querySelector(".action-counter");
  if (boxes.length && counter) {
    counter.dataset.actionsIcnt = boxes.length;
    window.Actions(boxes, { parent });
  }
};

const start = (part) => {
  const show = (read) => {
    const [rows, fresh] = [part, read].map((each) => [...each.querySelectorAll(ROWS)]);
    if (rows.length === fresh.length && rows.every((row, place) => isLike(row, fresh[place]))) {
      rows.forEach((row, place) => update(row, fresh[place]));
      return true;
    }
    const parent = part.closest(".result-list-wrapper");
    if (rows.length && fresh.length && parent && window.Actions) {
      const focusAgain = keepFocus(part);
      part.replaceChildren(...[...read.body.childNodes].map((node) => document.adoptNode(node)));
      watchBoxes(part.querySelectorAll("tr input.action-select"), parent);
      // After the theme has put the new table into a scroller, which takes the focus from what it moves.
      queueMicrotask(() => focusAgain(part));
      return true;
    }
    if (part.contains(document.activeElement)) {
      return false;
    }
    // The first row, or none any more: what stands around the list changes, too.
    window.location.reload();
    return true;
  };
  poll(part, {
    address: window.location.href,
    seconds: Number(part.dataset.liveSeconds) || 5,
    isBusy: () => part.querySelector(CHOSEN) !== null || document.activeElement?.matches("input[type=text], input[type=search], select"),
    show,
  });
};

document.querySelectorAll("[data-live-list]").forEach(start);
