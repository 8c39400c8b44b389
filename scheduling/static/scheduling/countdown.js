// Counts down to a moment, a second at a time: <time data-countdown datetime="2026-03-01T08:00:00Z">…</time>

const two = (number) => String(number).padStart(2, "0");

const words = (seconds) => {
  const days = Math.floor(seconds / 86400);
  const clock = `${two(Math.floor(seconds / 3600) % 24)}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
  return days > 0 ? `${days} d ${clock}` : clock;
};

const show = () => {
  for (const each of document.querySelectorAll("time[data-countdown]")) {
    const seconds = Math.round((Date.parse(each.dateTime) - Date.now()) / 1000);
    each.textContent = words(Math.max(seconds, 0));
    if (seconds === -1) {
      // It has fired by now: whatever is live on the page looks.
      document.dispatchEvent(new Event("rota:changed"));
    }
  }
};

show();
setInterval(show, 1000);
