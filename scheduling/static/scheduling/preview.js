// Asks the server what the trigger in the form will do, a moment after each change of it, and shows the answer below
// the fields of the trigger. Without this script the page lists the fires of what is stored.
"use strict";

(() => {
  const PAUSE = 300;
  const FIELDS = [
    "trigger", "cron_expression", "timezone", "every_seconds", "anchor_at", "run_at", "delay_seconds", "dst_gap",
    "dst_fold", "starts_at", "ends_at", "jitter_seconds", "calendars",
  ];

  const namesOf = (field) => [field, `${field}_0`, `${field}_1`];

  const collect = (form) => {
    const all = new FormData(form);
    const sent = new FormData();
    for (const name of FIELDS.flatMap(namesOf)) {
      for (const value of all.getAll(name)) {
        sent.append(name, value);
      }
    }
    if (form.querySelector('[name="calendars"]')) {
      sent.append("with_calendars", "1");
    }
    sent.append("viewer_timezone", Intl.DateTimeFormat().resolvedOptions().timeZone || "");
    return sent;
  };

  const start = (panel, form) => {
    const body = panel.querySelector(".rota-preview-body");
    const token = form.querySelector('[name="csrfmiddlewaretoken"]').value;
    let timer = 0;
    let asking = null;

    const ask = async () => {
      if (asking) {
        asking.abort();
      }
      asking = new AbortController();
      panel.setAttribute("aria-busy", "true");
      try {
        const answer = await fetch(panel.dataset.address, {
          method: "POST",
          body: collect(form),
          headers: { "X-CSRFToken": token },
          signal: asking.signal,
        });
        if (answer.ok && !answer.redirected) {
          // The server's own template, with every value escaped.
          body.innerHTML = await answer.text();
          panel.hidden = false;
        }
      } catch (error) {
        if (error.name === "AbortError") {
          return;
        }
        // The connection is gone; the panel keeps its last answer.
      }
      panel.removeAttribute("aria-busy");
    };

    const watched = new Set(FIELDS.flatMap(namesOf));
    const changed = (event) => {
      if (watched.has(event.target.name)) {
        clearTimeout(timer);
        timer = setTimeout(ask, PAUSE);
      }
    };
    form.addEventListener("input", changed);
    form.addEventListener("change", changed);
    ask();
  };

  document.addEventListener("DOMContentLoaded", () => {
    const panel = document.getElementById("trigger-preview");
    const select = document.querySelector('select[name="trigger"]');
    const form = select && select.form;
    if (panel && form) {
      const group = select.closest("fieldset");
      if (group) {
        group.after(panel);
      }
      document.querySelector(".rota-stored-fires")?.remove();
      start(panel, form);
    }
  });
})();
