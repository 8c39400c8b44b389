// Shows the lines that fit on the screen, and no others. A tall empty box gives the scroll bar; what is seen stands
// still within it and is filled anew at each movement, once in a frame at most.

import { spans } from "./ansi.js";

// Browsers draw no box that is taller than some ten million pixels; a longer log scrolls faster than its lines.
const TALLEST = 8000000;

const pad = (number, width = 2) => String(number).padStart(width, "0");

const since = (at, start) => {
  const seconds = Math.max(0, Math.floor((at - start) / 1000));
  const hours = Math.floor(seconds / 3600);
  return `+${hours ? `${hours}:` : ""}${pad(Math.floor(seconds / 60) % 60)}:${pad(seconds % 60)}`;
};

export class View {
  // box: the scroller; words: texts; started: when the execution began, in ms; zone: a Zone
  constructor(box, store, { words, started, zone, moved, linked }) {
    Object.assign(this, { box, store, words, started, zone, moved, linked });
    this.spacer = box.querySelector(".rota-log-spacer");
    this.pane = box.querySelector(".rota-log-pane");
    this.rows = box.querySelector(".rota-log-rows");
    this.probe = box.querySelector(".rota-log-probe");
    this.follows = true;
    this.times = "off";
    this.marked = -1;
    this.sought = "";
    this.frame = 0;
    // The line at the top, or that one which is to be seen with some before it.
    this.top = 0;
    this.aimed = null;
    // Heights in pixels: of a line that is not wrapped, and of one of these on the average.
    this.row = 20;
    this.pitch = 20;
    // So many lines at the end are seen together, as measured in a pane like this.
    this.tail = 1;
    this.measured = "";
    // Where the scroll bar was put by this object, so that it does not take that for a reader's wish.
    this.placed = NaN;
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

  // As many lines as could be seen if none was wrapped, and the half of one.
  get most() {
    return Math.ceil(this.box.clientHeight / this.row) + 1;
  }

  // The line that is at the top at the end of the scroll bar.
  get lastTop() {
    return Math.max(0, this.store.total - this.tail);
  }

  get reach() {
    return Math.min(Math.ceil(this.lastTop * this.pitch), TALLEST);
  }

  scrolled() {
    if (Math.abs(this.box.scrollTop - this.placed) < 1) {
      return;
    }
    this.placed = NaN;
    this.aimed = null;
    this.follows = this.isEnd(this.box.scrollTop);
    this.top = this.lineAt(this.box.scrollTop);
    this.moved(this.follows);
    this.draw();
  }

  isEnd(position) {
    // A small step is a rounding of the browser's, not somebody who reads.
    return position >= this.reach - this.row / 4;
  }

  lineAt(position) {
    return this.reach > 0 ? Math.min(this.lastTop, Math.round((position / this.reach) * this.lastTop)) : 0;
  }

  // Show a line at the top, if as many follow it.
  go(line) {
    this.follows = false;
    this.aimed = null;
    this.top = Math.max(0, line);
    this.moved(false);
    this.draw();
  }

  // Show a line and some before it.
  aim(line) {
    this.go(line);
    this.aimed = line;
  }

  follow() {
    this.follows = true;
    this.aimed = null;
    this.moved(true);
    this.draw();
  }

  render() {
    if (this.box.clientHeight === 0) {
      return;
    }
    this.row = this.probe.offsetHeight || this.row;
    this.pane.style.height = `${this.box.clientHeight}px`;
    const { total } = this.store;
    const drawn = this.measureTail();
    if (this.aimed !== null) {
      this.top = this.before(Math.min(this.aimed, total - 1));
    }
    const atEnd = this.follows || this.top >= this.lastTop;
    this.top = atEnd ? this.lastTop : this.top;
    this.place();
    if (!drawn || !atEnd || this.aimed !== null) {
      this.put(atEnd ? total - this.most : this.top);
    }
    this.pane.classList.toggle("rota-log-end", atEnd && this.lastTop > 0);
    const hit = this.aimed === null ? null : this.rows.querySelector(".rota-log-marked mark");
    if (hit) {
      // A long line scrolls within itself.
      const text = hit.closest(".rota-log-text");
      text.scrollTop = hit.getBoundingClientRect().top - text.getBoundingClientRect().top - this.row;
    }
  }

  // Draw the lines from one on, as many as there can be.
  put(first) {
    const from = Math.max(0, first);
    const { total } = this.store;
    const digits = Math.max(3, String(total).length);
    const drawn = document.createDocumentFragment();
    let coming = false;
    for (let at = from; at < Math.min(total, from + this.most); at += 1) {
      const line = this.store.line(at);
      coming ||= line.text === null;
      drawn.append(this.element(line, digits));
    }
    this.rows.replaceChildren(drawn);
    return coming;
  }

  // How many lines, counted from the last one that is drawn, are no taller than `height` together.
  fitting(height) {
    const rows = [...this.rows.children];
    let count = 0;
    for (let left = height - (rows.at(-1)?.offsetHeight ?? 0); left >= 0 && count < rows.length;) {
      count += 1;
      left -= rows.at(-1 - count)?.offsetHeight ?? 0;
    }
    return count;
  }

  // Lines that are wrapped have heights that nobody knows before they were drawn, so the end is drawn to be measured.
  // Tells whether it is what stands in the pane now.
  measureTail() {
    const { store, box, pane } = this;
    const like = [store.shown.stream, box.clientWidth, pane.clientHeight, box.className, this.times].join();
    const now = `${like} ${store.total}`;
    if (now === this.measured) {
      return false;
    }
    const coming = this.put(store.total - this.most);
    this.tail = Math.max(1, this.fitting(pane.clientHeight));
    // Under the hand of somebody who reads, the scale stays as it is.
    if (this.follows || !this.measured.startsWith(`${like} `)) {
      const drawn = this.rows.children.length;
      this.pitch = drawn ? Math.max(this.row, this.rows.offsetHeight / drawn) : this.row;
    }
    this.measured = coming ? "" : now;
    return true;
  }

  // The line from which on another one is seen with a third of the pane before it.
  before(line) {
    this.put(line - this.most);
    const rows = [...this.rows.children];
    const from = Math.max(0, line - this.most);
    rows.slice(line - from).forEach((row) => row.remove());
    return line - this.fitting(this.pane.clientHeight / 3);
  }

  // Put the scroll bar where it belongs.
  place() {
    const height = `${this.box.clientHeight + this.reach}px`;
    if (this.spacer.style.height !== height) {
      this.spacer.style.height = height;
    }
    const { scrollTop } = this.box;
    if (this.follows) {
      if (scrollTop < this.reach) {
        this.box.scrollTop = this.reach;
      }
    } else if (this.lineAt(scrollTop) !== this.top || this.isEnd(scrollTop)) {
      // Whoever is sent to the last lines does not follow yet, and can still scroll to the end for that.
      const position = this.lastTop > 0 ? (this.top / this.lastTop) * this.reach : 0;
      this.box.scrollTop = Math.min(position, this.reach - 0.4 * this.row);
    }
    this.placed = this.box.scrollTop;
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
      time.title = `${this.zone.clock(line.at)}, ${this.zone.name}`;
      time.textContent = this.times === "clock" ? this.zone.clock(line.at) : since(line.at, this.started);
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
    if (line.more || line.gone) {
      const more = document.createElement("em");
      more.textContent = ` ${line.gone ? this.words.gone : this.words.cut}`;
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
