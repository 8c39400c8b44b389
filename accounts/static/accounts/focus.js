// The keyboard's place in a part of a page that is exchanged: the focus goes to what does the same as before, wherever
// that stands by now, and nowhere when it is gone. The next key may otherwise press what nobody meant.

const FOCUSABLE = "a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex]";

// Of these, a value is not what somebody typed, but what they stand for.
const VALUED = new Set(["submit", "button", "checkbox", "radio"]);

const sent = (form) => [...form.querySelectorAll("input[type=hidden]")]
  .filter((field) => field.name !== "csrfmiddlewaretoken")
  .map((field) => [field.name, field.value]);

const identity = (element) => {
  // What a button does is what its form sends.
  const form = element.localName === "button" ? element.closest("form") : null;
  // The same link in another section is another one; and what leads nowhere by itself is known by its section alone.
  const section = element.closest("[id], [aria-labelledby], [data-live-part]");
  return JSON.stringify([
    element.localName, element.getAttribute("href"), form?.getAttribute("action"), form && sent(form),
    element.getAttribute("name"), VALUED.has(element.type) ? element.value : null,
    section?.id || section?.getAttribute("aria-labelledby") || section?.dataset.livePart,
  ]);
};

const like = (part, key) => [...part.querySelectorAll(FOCUSABLE)].filter((each) => identity(each) === key);

// Remember what has the focus within `part`; the answer takes the part that came instead, and focuses the same there.
export const keepFocus = (part) => {
  const focused = document.activeElement;
  if (focused === null || !part.contains(focused)) {
    return () => {};
  }
  const key = identity(focused);
  const place = like(part, key).indexOf(focused);
  return (now) => {
    const same = like(now, key);
    (same[place] ?? same[0])?.focus({ preventScroll: true });
  };
};
