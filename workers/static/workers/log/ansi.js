// Colours of a terminal (ECMA-48, SGR) as spans of text and class names. Everything else that a terminal would obey,
// cursor movements for example, is left out. A colour ends with its line, so that any line can be shown by itself.

const SEQUENCE = /\x1b\[([0-9;:]*)m|\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[@-_]|[\x00-\x08\x0b-\x1f\x7f]/g;

// A line that changes its colour with every letter is plain after so many changes.
const MOST_SPANS = 300;

const fresh = () => ({ bold: false, faint: false, italic: false, underline: false, inverse: false, fore: "", back: "" });

// The 256 colours and the true ones become the nearest of the sixteen, which the page's theme makes readable.
const nearest = (red, green, blue) => {
  const strong = Math.max(red, green, blue);
  if (strong < 60) {
    return 8;
  }
  const base = (red > strong * 0.6 ? 1 : 0) + (green > strong * 0.6 ? 2 : 0) + (blue > strong * 0.6 ? 4 : 0);
  return strong > 190 ? base + 8 : base;
};

const ofPalette = (number) => {
  if (number < 16) {
    return number;
  }
  if (number >= 232) {
    return number < 240 ? 8 : 7;
  }
  const cube = number - 16;
  return nearest(Math.floor(cube / 36) * 51, (Math.floor(cube / 6) % 6) * 51, (cube % 6) * 51);
};

const apply = (style, text) => {
  const codes = text === "" ? [0] : text.split(/[;:]/).slice(0, 40).map(Number);
  for (let at = 0; at < codes.length; at += 1) {
    const code = codes[at];
    if (code === 0) {
      Object.assign(style, fresh());
    } else if (code === 1) {
      style.bold = true;
    } else if (code === 2) {
      style.faint = true;
    } else if (code === 3) {
      style.italic = true;
    } else if (code === 4) {
      style.underline = true;
    } else if (code === 7) {
      style.inverse = true;
    } else if (code === 22) {
      style.bold = false;
      style.faint = false;
    } else if (code === 23) {
      style.italic = false;
    } else if (code === 24) {
      style.underline = false;
    } else if (code === 27) {
      style.inverse = false;
    } else if (code === 38 || code === 48) {
      let colour = "";
      if (codes[at + 1] === 5) {
        colour = ofPalette(Math.min(255, Math.max(0, codes[at + 2] || 0)));
        at += 2;
      } else if (codes[at + 1] === 2) {
        colour = nearest(codes[at + 2] || 0, codes[at + 3] || 0, codes[at + 4] || 0);
        at += 4;
      }
      style[code === 38 ? "fore" : "back"] = colour;
    } else if ((code >= 30 && code <= 37) || (code >= 90 && code <= 97)) {
      style.fore = code < 90 ? code - 30 : code - 82;
    } else if (code === 39) {
      style.fore = "";
    } else if ((code >= 40 && code <= 47) || (code >= 100 && code <= 107)) {
      style.back = code < 100 ? code - 40 : code - 92;
    } else if (code === 49) {
      style.back = "";
    }
  }
};

const classes = (style) => {
  const names = ["bold", "faint", "italic", "underline", "inverse"].filter((name) => style[name]).map((name) => `ansi-${name}`);
  if (style.fore !== "") {
    names.push(`ansi-fore-${style.fore}`);
  }
  if (style.back !== "") {
    names.push(`ansi-back-${style.back}`);
  }
  return names.join(" ");
};

// What a terminal would leave on the screen of a line that was written over: what follows the last carriage return.
const overwritten = (line) => {
  const text = line.replace(/\r+$/, "");
  return text.slice(text.lastIndexOf("\r") + 1);
};

// Return [{text, names}, …] for one line.
export const spans = (line) => {
  const text = overwritten(line);
  if (!/[\x00-\x08\x0b-\x1f\x7f]/.test(text)) {
    return [{ text, names: "" }];
  }
  const found = [];
  const style = fresh();
  let last = 0;
  const put = (piece) => {
    if (piece === "") {
      return;
    }
    const names = found.length < MOST_SPANS ? classes(style) : "";
    const before = found[found.length - 1];
    if (before && before.names === names) {
      before.text += piece;
    } else {
      found.push({ text: piece, names });
    }
  };
  for (const match of text.matchAll(SEQUENCE)) {
    put(text.slice(last, match.index));
    last = match.index + match[0].length;
    if (match[1] !== undefined) {
      apply(style, match[1]);
    }
  }
  put(text.slice(last));
  return found;
};
