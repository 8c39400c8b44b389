// Shows only the fields that the chosen trigger, and the chosen delay between attempts, use. Without this script all of them are shown; the server
// ignores what a trigger does not use.
"use strict";

(() => {
  const USED_BY = {
    cron_expression: ["cron"],
    timezone: ["cron", "interval", "fixed_delay"],
    dst_gap: ["cron"],
    dst_fold: ["cron"],
    every_seconds: ["interval", "fixed_delay"],
    anchor_at: ["interval"],
    run_at: ["once"],
    delay_seconds: ["once"],
    jitter_seconds: ["cron", "interval", "fixed_delay"],
    calendars: ["cron", "interval", "fixed_delay", "once"],
    starts_at: ["cron", "interval", "fixed_delay"],
    ends_at: ["cron", "interval", "fixed_delay"],
  };

  const RETRIED_BY = {
    retry_delay_seconds: ["exponential", "fixed"],
    retry_max_delay_seconds: ["exponential", "fixed"],
    retry_delays: ["list"],
  };

  const rowOf = (name) => {
    const input = document.querySelector(`[name="${name}"], [name="${name}_0"]`);
    return input && input.closest(".form-row");
  };

  const showRows = (usedBy, chosen) => {
    for (const [name, kinds] of Object.entries(usedBy)) {
      const row = rowOf(name);
      if (row && !row.querySelector(".errorlist")) {
        row.hidden = !kinds.includes(chosen);
      }
    }
  };

  const show = (trigger) => {
    showRows(USED_BY, trigger);
    for (const group of document.querySelectorAll("fieldset.rota-when.collapse")) {
      const rows = [...group.querySelectorAll(".form-row")];
      group.hidden = rows.length > 0 && rows.every((row) => row.hidden);
    }
  };

  document.addEventListener("DOMContentLoaded", () => {
    const select = document.querySelector('select[name="trigger"]');
    if (select) {
      select.addEventListener("change", () => show(select.value));
      show(select.value);
    }
    const backoff = document.querySelector('select[name="retry_backoff"]');
    if (backoff) {
      backoff.addEventListener("change", () => showRows(RETRIED_BY, backoff.value));
      showRows(RETRIED_BY, backoff.value);
    }
  });
})();
