// The rows of a list follow what happens, as long as none of them is chosen for an action.

import { poll } from "./poll.js";

const ROWS = "#result_list > tbody";
const CHOSEN = "input.action-select:checked, .action-toggle:checked";

const update = (row, fresh) => {
  const [cells, now] = [row, fresh].map((each) => [...each.querySelectorAll("tr.data-row > *")]);
  cells.forEach((cell, place) => {
    const box = cell.querySelector("input.action-select");
    if (box) {
      // The box itself stays, for whoever listens to it.
      box.value = now[place].querySelector("input.action-select").value;
    } else if (cell.innerHTML !== now[place].innerHTML) {
      cell.replaceChildren(...[...now[place].childNodes].map((node) => document.adoptNode(node)));
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
    const alike = rows.every((row, place) => row.querySelectorAll("td, th").length === fresh[place]?.querySelectorAll("td, th").length);
    if (rows.length === fresh.length && alike) {
      rows.forEach((row, place) => update(row, fresh[place]));
    } else if (!part.contains(document.activeElement)) {
      const parent = part.closest(".result-list-wrapper");
      if (rows.length && fresh.length && parent && window.Actions) {
        part.replaceChildren(...[...read.body.childNodes].map((node) => document.adoptNode(node)));
        watchBoxes(part.querySelectorAll("tr input.action-select"), parent);
      } else {
        // The first row, or none any more: what stands around the list changes, too.
        window.location.reload();
      }
    }
  };
  poll(part, {
    address: window.location.href,
    seconds: Number(part.dataset.liveSeconds) || 5,
    isBusy: () => part.querySelector(CHOSEN) !== null || document.activeElement?.matches("input[type=text], input[type=search], select"),
    show,
  });
};

document.querySelectorAll("[data-live-list]").forEach(start);
