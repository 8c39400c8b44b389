// Hears that something happened, and says so on this page: the document's event "rota:changed". What shows something asks
// for it then, and every few seconds without having heard anything, so a socket that is down costs a moment's delay.

const FIRST_PAUSE = 2;
const LONGEST_PAUSE = 60;
// The session is over, or this server has no such socket.
const FOR_GOOD = new Set([4401, 4404]);

let socket = null;
let pause = FIRST_PAUSE;
let timer = 0;

const open = () => {
  clearTimeout(timer);
  if (socket !== null || document.hidden) {
    return;
  }
  const own = new WebSocket(`${window.location.protocol === "https:" ? "wss" : "ws"}://${window.location.host}/ws/changes`);
  socket = own;
  own.addEventListener("message", () => {
    pause = FIRST_PAUSE;
    document.dispatchEvent(new Event("rota:changed"));
  });
  own.addEventListener("close", (event) => {
    if (socket !== own) {
      return;
    }
    socket = null;
    if (!FOR_GOOD.has(event.code)) {
      timer = setTimeout(open, pause * 1000);
      pause = Math.min(pause * 2, LONGEST_PAUSE);
    }
  });
};

document.addEventListener("visibilitychange", () => {
  if (document.hidden) {
    const closing = socket;
    socket = null;
    closing?.close();
  } else {
    open();
  }
});

// Once for a page, however many of its parts follow what happens.
let started = false;
export const listen = () => {
  if (!started) {
    started = true;
    open();
  }
};
