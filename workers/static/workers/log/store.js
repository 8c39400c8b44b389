// What the page knows of a log: of every chunk its place, and of some chunks their text.
//
// Lines are numbered from 0. One ends at a newline, or where another stream writes before it was ended; the server
// counts in the same way.

// A line is shown up to this length; the download has all of it.
export const LONGEST_LINE = 20000;

// So much text is kept, in characters; what was looked at longest ago goes first.
const KEPT = 24 * 1024 * 1024;

// So much text is asked for at once, in bytes.
const RANGE = 512 * 1024;

const newlines = (text) => {
  let count = 0;
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) {
    count += 1;
  }
  return count;
};

// The chunks of one stream, or of all, and where each begins.
class Selection {
  constructor(stream) {
    this.stream = stream;
    this.chunks = [];
    this.first = [];
    this.line = 0;
    this.before = null;
  }

  add(chunk) {
    if (this.stream && chunk.stream !== this.stream) {
      return;
    }
    if (this.before && this.before.unended && this.before.stream !== chunk.stream) {
      this.line += 1;
    }
    this.chunks.push(chunk);
    this.first.push(this.line);
    this.line += chunk.lines;
    this.before = chunk;
  }

  get total() {
    return this.before && this.before.unended ? this.line + 1 : this.line;
  }

  last(place) {
    return this.first[place] + this.chunks[place].lines - (this.chunks[place].unended ? 0 : 1);
  }

  // The place of the chunk in which a line begins.
  find(line) {
    let low = 0;
    let high = this.chunks.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.last(middle) >= line) {
        high = middle;
      } else {
        low = middle + 1;
      }
    }
    return low;
  }
}

export class Store {
  constructor(fetchChunks, changed) {
    this.fetchChunks = fetchChunks;
    this.changed = changed;
    this.all = new Selection("");
    this.shown = this.all;
    this.after = -1;
    this.streams = new Set();
    this.bytes = 0;
    this.kept = new Map();
    this.size = 0;
    this.asking = new Set();
  }

  get total() {
    return this.shown.total;
  }

  // Take a chunk that follows the others; one that is known already, as after a reconnect, is left out.
  add({ seq, stream, at, bytes, lines, unended, text }) {
    if (seq <= this.after) {
      return false;
    }
    const chunk = {
      seq,
      stream,
      at: Date.parse(at),
      bytes: text === undefined ? bytes : text.length,
      lines: text === undefined ? lines : newlines(text),
      unended: text === undefined ? unended : !text.endsWith("\n"),
      parts: null,
      begins: 0,
      gone: false,
    };
    this.after = seq;
    this.bytes += chunk.bytes;
    this.streams.add(stream);
    this.all.add(chunk);
    chunk.begins = this.all.first[this.all.first.length - 1];
    if (this.shown !== this.all) {
      this.shown.add(chunk);
    }
    if (text !== undefined) {
      this.keep(chunk, text);
    }
    return true;
  }

  select(stream) {
    this.shown = this.all;
    if (stream) {
      this.shown = new Selection(stream);
      this.all.chunks.forEach((chunk) => this.shown.add(chunk));
    }
  }

  // The number among all lines of a line that is shown, and the other way round (or of the next one that is shown).
  number(line) {
    const place = this.shown.find(line);
    return this.shown.chunks.length ? this.shown.chunks[place].begins + line - this.shown.first[place] : 0;
  }

  place(number) {
    if (this.shown === this.all || this.total === 0) {
      return Math.min(Math.max(number, 0), Math.max(this.total - 1, 0));
    }
    let low = 0;
    let high = this.total - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.number(middle) >= number) {
        high = middle;
      } else {
        low = middle + 1;
      }
    }
    return low;
  }

  // The first line that was written at a moment (ms) or later.
  at(moment) {
    const chunks = this.shown.chunks;
    let low = 0;
    let high = chunks.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (chunks[middle].at >= moment) {
        high = middle;
      } else {
        low = middle + 1;
      }
    }
    return chunks.length ? this.shown.first[low] : 0;
  }

  // {number, stream, at, text, more, gone}; text is null while it is being fetched, and empty where the log was removed.
  line(line) {
    const { chunks, first } = this.shown;
    let place = this.shown.find(line);
    const chunk = chunks[place];
    const row = { number: chunk.begins + line - first[place], stream: chunk.stream, at: chunk.at, text: "", more: false, gone: false };
    let part = line - first[place];
    for (;;) {
      const here = chunks[place];
      if (here.gone) {
        row.gone = true;
        return row;
      }
      const parts = this.parts(here);
      if (parts === null) {
        this.ask(place);
        row.text = null;
        return row;
      }
      row.text += parts[part] || "";
      const goesOn = here.unended && part === here.lines && place + 1 < chunks.length && chunks[place + 1].stream === here.stream;
      if (row.text.length > LONGEST_LINE) {
        row.text = row.text.slice(0, LONGEST_LINE);
        row.more = true;
        return row;
      }
      if (!goesOn) {
        return row;
      }
      place += 1;
      part = 0;
    }
  }

  parts(chunk) {
    const text = this.kept.get(chunk.seq);
    if (text === undefined) {
      return null;
    }
    if (chunk.parts === null) {
      chunk.parts = text.split("\n");
    }
    return chunk.parts;
  }

  keep(chunk, text) {
    this.kept.set(chunk.seq, text);
    this.size += text.length;
    chunk.parts = null;
    for (const [seq, old] of this.kept) {
      if (this.size <= KEPT || seq === chunk.seq) {
        break;
      }
      this.kept.delete(seq);
      this.size -= old.length;
      const known = this.bySeq(seq);
      if (known) {
        known.parts = null;
      }
    }
  }

  bySeq(seq) {
    const chunks = this.all.chunks;
    let low = 0;
    let high = chunks.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (chunks[middle].seq >= seq) {
        high = middle;
      } else {
        low = middle + 1;
      }
    }
    return chunks[low] && chunks[low].seq === seq ? chunks[low] : null;
  }

  // Fetch the text of a chunk and of some around it, once. What is not in the answer is there no more, and is not asked
  // for again.
  async ask(place) {
    const wanted = this.shown.chunks[place];
    if (this.asking.has(wanted.seq)) {
      return;
    }
    const all = this.all.chunks;
    const start = all.indexOf(wanted);
    let low = start;
    let high = start;
    let bytes = wanted.bytes;
    while (high + 1 < all.length && high - low < 400 && bytes + all[high + 1].bytes < RANGE) {
      high += 1;
      bytes += all[high].bytes;
    }
    while (low > 0 && high - low < 400 && bytes + all[low - 1].bytes < RANGE) {
      low -= 1;
      bytes += all[low].bytes;
    }
    const range = all.slice(low, high + 1).map((chunk) => chunk.seq);
    range.forEach((seq) => this.asking.add(seq));
    try {
      const chunks = await this.fetchChunks(range[0] - 1, range.length);
      const answered = new Map(chunks.map(({ seq, text }) => [seq, text]));
      for (const known of all.slice(low, high + 1)) {
        known.gone = !answered.has(known.seq) && !this.kept.has(known.seq);
        if (answered.has(known.seq) && !this.kept.has(known.seq)) {
          this.keep(known, answered.get(known.seq));
        }
      }
      this.changed();
    } catch {
      // The page goes on with what it has, and asks again.
      setTimeout(() => this.changed(), 2000);
    } finally {
      range.forEach((seq) => this.asking.delete(seq));
    }
  }
}
