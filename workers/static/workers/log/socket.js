// Follows a log over a websocket. When the connection is lost it is opened again from the last chunk that the page has,
// after a pause that grows with each failure.

const FIRST_PAUSE = 500;
const LONGEST_PAUSE = 15000;

// Codes after which coming back would change nothing.
const FINAL_CODES = new Set([1000, 4400, 4401, 4404]);

export class Follower {
  // after() gives the last chunk; on.chunks(list), on.final(message), on.open(), on.lost(seconds), on.refused(reason)
  constructor(address, after, on) {
    this.address = address;
    this.after = after;
    this.on = on;
    this.pause = FIRST_PAUSE;
    this.ended = false;
    this.timer = 0;
    this.open();
    window.addEventListener("online", () => this.again());
  }

  open() {
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(`${scheme}//${location.host}${this.address}?after=${this.after()}`);
    this.socket = socket;
    socket.addEventListener("message", (event) => {
      const message = JSON.parse(event.data);
      this.pause = FIRST_PAUSE;
      if (message.type === "chunks") {
        this.on.chunks(message.chunks);
      } else if (message.type === "final") {
        this.ended = true;
        this.on.final(message);
      }
    });
    socket.addEventListener("open", () => this.on.open());
    socket.addEventListener("close", (event) => {
      if (this.ended) {
        return;
      }
      if (FINAL_CODES.has(event.code)) {
        this.ended = true;
        this.on.refused(event.reason);
        return;
      }
      const pause = this.pause * (0.75 + Math.random() / 2);
      this.pause = Math.min(this.pause * 2, LONGEST_PAUSE);
      this.timer = setTimeout(() => this.open(), pause);
      this.on.lost(Math.max(1, Math.round(pause / 1000)));
    });
  }

  again() {
    if (!this.ended && this.socket.readyState === WebSocket.CLOSED) {
      clearTimeout(this.timer);
      this.open();
    }
  }
}
