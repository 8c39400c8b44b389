// Shows the lines that fit on the screen, and no others. A tall empty box gives the scroll bar; what is seen stands
// still within it and is filled anew at each movement, once in a frame at most.

import { spans } from "./ansi.js";

// Browsers draw no box that is taller than some ten million pixels; a longer log scrolls faster than its lines.
const TALLEST = 8000000;

const pad = (number, width = 2) => String(number).padStart(width, "0");

const clock = (at) => {
  const moment = new Date(at);
  return `${moment.getFullYear()}-${pad(moment.getMonth() + 1)}-${pad(moment.getDate())} ${pad(moment.getHours())}:${pad(moment.getMinutes())}:${pad(moment.getSeconds())}`;
};

const since = (at, start) => {
  const seconds = Math.max(0, Math.floor((at - start) / 1000));
  const hours = Math.floor(seconds / 3600);
  return `+${hours ? `${hours}:` : ""}${pad(Math.floor(seconds / 60) % 60)}:${pad(seconds % 60)}`;
};

export class View {
  // box: the scroller; words: texts; started: when the execution began, in ms
  constructor(box, store, { words, started, moved, linked }) {
    Object.assign(this, { box, store, words, started, moved, linked });
    this.spacer = box.querySelector(".rota-log-spacer");
    this.pane = box.querySelector(".rota-log-pane");
    this.follows = true;
    this.times = "off";
    this.marked = -1;
    this.sought = "";
    this.top = 0;
    this.frame = 0;
    this.row = 20;
    this.height = 0;
    box.addEventListener("scroll", () => this.scrolled());
    new ResizeObserver(() => this.draw()).observe(box);
    this.pane.addEventListener("click", (event) => {
      const anchor = event.target.closest("a.rota-log-number");
      if (anchor) {
        event.preventDefault();
        this.linked(Number(anchor.dataset.number));
      }
    });
  }

  draw() {
    if (this.frame === 0) {
      this.frame = requestAnimationFrame(() => {
        this.frame = 0;
        this.render();
      });
    }
  }

  get fits() {
    return Math.max(1, Math.floor(this.box.clientHeight / this.row));
  }

  get reach() {
    return Math.max(0, this.box.scrollHeight - this.box.clientHeight);
  }

  scrolled() {
    // A step of less than a line is a rounding of the browser's, not somebody who reads.
    this.follows = this.box.scrollTop >= this.reach - this.row / 2;
    const lines = Math.max(0, this.store.total - this.fits);
    this.top = this.reach > 0 ? Math.round((this.box.scrollTop / this.reach) * lines) : 0;
    this.moved(this.follows);
    this.draw();
  }

  go(line) {
    const lines = Math.max(1, this.store.total - this.fits);
    this.size();
    this.follows = false;
    this.top = Math.max(0, Math.min(line, this.store.total - 1));
    this.box.scrollTop = Math.min(1, this.top / lines) * this.reach - (this.top >= lines ? this.row : 0);
    this.moved(false);
    this.draw();
  }

  follow() {
    this.follows = true;
    this.size();
    this.box.scrollTop = this.box.scrollHeight;
    this.moved(true);
    this.draw();
  }

  size() {
    const height = Math.max(Math.min(this.store.total * this.row, TALLEST), this.box.clientHeight);
    if (height !== this.height) {
      this.height = height;
      this.spacer.style.height = `${height}px`;
    }
    this.pane.style.height = `${this.box.clientHeight}px`;
  }

  render() {
    const probe = this.pane.querySelector(".rota-log-probe");
    if (probe && probe.offsetHeight) {
      this.row = probe.offsetHeight;
    }
    this.size();
    const total = this.store.total;
    const fits = Math.ceil(this.box.clientHeight / this.row) + 1;
    if (this.follows) {
      this.top = Math.max(0, total - this.fits);
      if (this.box.scrollTop < this.reach) {
        this.box.scrollTop = this.reach;
      }
    }
    const from = this.follows ? Math.max(0, total - fits) : Math.min(this.top, Math.max(0, total - 1));
    const drawn = document.createDocumentFragment();
    const digits = Math.max(3, String(total).length);
    for (let line = from; line < Math.min(total, from + fits); line += 1) {
      drawn.append(this.element(this.store.line(line), digits));
    }
    this.pane.classList.toggle("rota-log-end", this.follows && total >= this.fits);
    this.rows = this.rows || this.pane.querySelector(".rota-log-rows");
    this.rows.replaceChildren(drawn);
  }

  element(line, digits) {
    const row = document.createElement("div");
    row.className = "rota-log-row";
    row.dataset.stream = line.stream;
    if (line.number === this.marked) {
      row.classList.add("rota-log-marked");
    }
    const number = document.createElement("a");
    number.className = "rota-log-number";
    number.href = `#L${line.number + 1}`;
    number.dataset.number = line.number;
    number.textContent = String(line.number + 1).padStart(digits, "\u2007");
    number.title = this.words.link;
    number.tabIndex = -1;
    row.append(number);
    if (this.times !== "off") {
      const time = document.createElement("time");
      time.dateTime = new Date(line.at).toISOString();
      time.textContent = this.times === "clock" ? clock(line.at) : since(line.at, this.started);
      row.append(time);
    }
    const stream = document.createElement("span");
    stream.className = "rota-log-stream";
    stream.textContent = line.stream;
    row.append(stream, this.text(line));
    return row;
  }

  text(line) {
    const place = document.createElement("span");
    place.className = "rota-log-text";
    if (line.text === null) {
      place.textContent = "…";
      place.classList.add("rota-log-coming");
      return place;
    }
    for (const span of spans(line.text)) {
      const piece = document.createElement("span");
      piece.className = span.names;
      this.fill(piece, span.text);
      place.append(piece);
    }
    if (line.more) {
      const more = document.createElement("em");
      more.textContent = ` ${this.words.cut}`;
      place.append(more);
    }
    return place;
  }

  // Text nodes only: whatever a task writes is shown and never obeyed.
  fill(piece, text) {
    const sought = this.sought.toLowerCase();
    const lower = sought ? text.toLowerCase() : "";
    // A few letters are longer in lower case; then nothing is marked, rather than the wrong place.
    if (!sought || lower.length !== text.length) {
      piece.append(text);
      return;
    }
    let last = 0;
    let marks = 0;
    for (let at = lower.indexOf(sought); at >= 0 && marks < 200; at = lower.indexOf(sought, last)) {
      piece.append(text.slice(last, at));
      const mark = document.createElement("mark");
      mark.textContent = text.slice(at, at + sought.length);
      piece.append(mark);
      last = at + sought.length;
      marks += 1;
    }
    piece.append(text.slice(last));
  }
}
