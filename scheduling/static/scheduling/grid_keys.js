// Arrow keys in a table of links: one stop for the Tab key, and from there from cell to cell. Without this script each
// link is a stop of its own.

const MOVES = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

const linkAt = (table, row, column) => table.tBodies[0].rows[row]?.cells[column]?.querySelector("a");

const choose = (table, link) => {
  for (const other of table.querySelectorAll('td a[tabindex="0"]')) {
    other.tabIndex = -1;
  }
  link.tabIndex = 0;
};

for (const table of document.querySelectorAll("table[data-grid-keys]")) {
  const links = [...table.querySelectorAll("td a")];
  links.forEach((link) => {
    link.tabIndex = -1;
  });
  const first = table.querySelector("td a[aria-current]") || links[0];
  if (first) {
    first.tabIndex = 0;
  }
  table.addEventListener("focusin", (event) => {
    const link = event.target.closest("td a");
    if (link) {
      choose(table, link);
    }
  });
  table.addEventListener("click", (event) => {
    const link = event.target.closest("td a");
    if (link) {
      document.querySelectorAll("table[data-grid-keys] [aria-current]").forEach((each) => each.removeAttribute("aria-current"));
      link.setAttribute("aria-current", "true");
    }
  });
  table.addEventListener("keydown", (event) => {
    const move = MOVES[event.key];
    const cell = event.target.closest("td");
    if (!move || !cell) {
      return;
    }
    event.preventDefault();
    let [row, column] = [cell.parentElement.sectionRowIndex, cell.cellIndex];
    // Hours outside the map are leapt over.
    for (let steps = 0; steps < 24; steps += 1) {
      row += move[0];
      column += move[1];
      const link = linkAt(table, row, column);
      if (link) {
        link.focus();
        return;
      }
    }
  });
}
