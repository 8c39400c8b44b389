// Looks for a text in the whole log, on the server, and goes from one line that holds it to the next.

export class Search {
  // find(text, stream) resolves to {lines, total}; go(number) shows a line, numbered from 1
  constructor(root, { find, go, stream, sought, words }) {
    Object.assign(this, { find, go, stream, sought, words });
    this.input = root.querySelector("input");
    this.count = root.querySelector("output");
    this.lines = [];
    this.total = 0;
    this.at = -1;
    this.asked = null;
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
    if (question !== this.asked) {
      this.count.textContent = "…";
      try {
        const found = await this.find(text, this.stream());
        this.lines = found.lines;
        this.total = found.total;
      } catch {
        this.forget();
        this.count.textContent = this.words.unreachable;
        return;
      }
      this.asked = question;
      this.at = by > 0 ? -1 : 0;
      this.sought(text);
    }
    if (this.lines.length === 0) {
      this.count.textContent = this.words.nothing;
      // What is still being written may hold it a moment later.
      this.asked = null;
      return;
    }
    this.at = (this.at + by + this.lines.length) % this.lines.length;
    this.count.textContent = `${this.at + 1} / ${this.total}`;
    this.go(this.lines[this.at]);
  }
}
