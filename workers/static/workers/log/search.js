// Looks for a text in the whole log, on the server, and goes from one line that holds it to the next.

export class Search {
  // find(text, stream) resolves to {lines, total}; go(number) shows a line, numbered from 1; grown() tells by another
  // value that more was written
  constructor(root, { find, go, stream, grown, sought, words }) {
    Object.assign(this, { find, go, stream, grown, sought, words });
    this.input = root.querySelector("input");
    this.count = root.querySelector("output");
    this.lines = [];
    this.total = 0;
    this.at = -1;
    // The question whose answer is here, that one whose answer is on its way, and the steps to take when it comes.
    this.asked = null;
    this.asking = null;
    this.steps = 0;
    this.known = null;
    root.addEventListener("submit", (event) => {
      event.preventDefault();
      this.step(event.submitter && event.submitter.value === "back" ? -1 : 1);
    });
    this.input.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && event.shiftKey) {
        event.preventDefault();
        this.step(-1);
      }
    });
    this.input.addEventListener("input", () => {
      if (this.input.value === "") {
        this.forget();
        this.sought("");
      }
    });
  }

  forget() {
    this.asked = null;
    this.asking = null;
    this.lines = [];
    this.total = 0;
    this.at = -1;
    this.count.textContent = "";
  }

  async step(by) {
    const text = this.input.value;
    if (text === "") {
      return;
    }
    const question = `${this.stream()}\n${text}`;
    if (question === this.asking) {
      this.steps += by;
      return;
    }
    let steps = by;
    if (question !== this.asked || this.known !== this.grown()) {
      this.asking = question;
      this.steps = by;
      this.count.textContent = "…";
      const grown = this.grown();
      let found = null;
      try {
        found = await this.find(text, this.stream());
      } catch {
        // Said below, unless something else is wanted by now.
      }
      if (question !== this.asking) {
        return;
      }
      if (found === null) {
        this.forget();
        this.count.textContent = this.words.unreachable;
        return;
      }
      steps = this.steps;
      this.asking = null;
      this.at = this.placeIn(found.lines, question === this.asked ? this.lines[this.at] : undefined, steps);
      this.lines = found.lines;
      this.total = found.total;
      this.asked = question;
      this.known = grown;
      this.sought(text);
    } else {
      // An answer that is still on its way is to another question than this last one.
      this.asking = null;
    }
    if (this.lines.length === 0) {
      this.count.textContent = this.words.nothing;
      return;
    }
    const count = this.lines.length;
    this.at = (((this.at + steps) % count) + count) % count;
    this.count.textContent = `${this.at + 1} / ${this.total}`;
    this.go(this.lines[this.at]);
  }

  // The place before the first step: that of the line that was shown, also when others were found around it.
  placeIn(lines, shown, steps) {
    if (shown === undefined) {
      return steps > 0 ? -1 : 0;
    }
    const place = lines.findIndex((line) => line >= shown);
    if (place < 0) {
      return steps > 0 ? lines.length - 1 : lines.length;
    }
    return steps > 0 && lines[place] !== shown ? place - 1 : place;
  }
}
