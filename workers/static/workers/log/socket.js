// Follows a log over a websocket. When the connection is lost it is opened again from the last chunk that the page has,
// after a pause that grows with each failure. The server says every few seconds that it looks after the log: when it is
// silent for longer, it or its database stands still, which no closed connection would tell.

const FIRST_PAUSE = 500;
const LONGEST_PAUSE = 15000;

// Without a word for so long, the page says so; after the longer time the connection is given up.
const SILENCE = 12_000;
const LONGEST_SILENCE = 25_000;

// The server has no answer of its database.
export const AWAY = 1013;

// Codes after which coming back would change nothing.
const FINAL_CODES = new Set([1000, 4400, 4401, 4404]);

export class Follower {
  // after() gives the last chunk; on.chunks(list), on.final(message), on.heard(), on.silent(), on.lost(seconds, code),
  // on.refused(reason)
  constructor(address, after, on) {
    this.address = address;
    this.after = after;
    this.on = on;
    this.pause = FIRST_PAUSE;
    this.ended = false;
    this.timer = 0;
    this.heardAt = Date.now();
    this.open();
    setInterval(() => this.listen(), 1000);
    window.addEventListener("online", () => this.again());
  }

  open() {
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(`${scheme}//${location.host}${this.address}?after=${this.after()}`);
    this.socket = socket;
    this.heardAt = Date.now();
    socket.addEventListener("message", (event) => {
      const message = JSON.parse(event.data);
      this.pause = FIRST_PAUSE;
      this.heardAt = Date.now();
      this.on.heard();
      if (message.type === "chunks") {
        this.on.chunks(message.chunks);
      } else if (message.type === "final") {
        this.ended = true;
        this.on.final(message);
      }
    });
    socket.addEventListener("close", (event) => {
      if (this.ended || this.socket !== socket) {
        return;
      }
      if (FINAL_CODES.has(event.code)) {
        this.ended = true;
        this.on.refused(event.reason);
        return;
      }
      this.openLater(event.code);
    });
  }

  openLater(code) {
    const pause = this.pause * (0.75 + Math.random() / 2);
    this.pause = Math.min(this.pause * 2, LONGEST_PAUSE);
    this.timer = setTimeout(() => this.open(), pause);
    this.on.lost(Math.max(1, Math.round(pause / 1000)), code);
  }

  listen() {
    const silence = Date.now() - this.heardAt;
    if (this.ended || this.socket === null || this.socket.readyState === WebSocket.CLOSED || silence < SILENCE) {
      return;
    }
    if (silence < LONGEST_SILENCE) {
      this.on.silent();
      return;
    }
    // Closing would wait for an answer as well.
    const silent = this.socket;
    this.socket = null;
    silent.close();
    this.openLater(AWAY);
  }

  again() {
    if (!this.ended && (this.socket === null || this.socket.readyState === WebSocket.CLOSED)) {
      clearTimeout(this.timer);
      this.open();
    }
  }
}
